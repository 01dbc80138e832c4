from hypothesis import given

from dissectors.dhcpv6 import pair, read
from pcapdx.dissect import Cursor, Traffic
from tests.dissectors.feeding import mutated, seen, survives

DUID = "000100013299d3a602010214001a"
SOLICIT = bytes.fromhex("014e92710001000e" + DUID + "0003000c000000010000000000000000000800020000")
REPLY = bytes.fromhex(
    "074e9271"
    "0001000e" + DUID + "0002000a"
    "00030001020102140001"
    "00030028"
    "00000001"
    "00000e10"
    "00001c20"
    "00050018"
    "fd000134000000000000000000000099"
    "00000e10"
    "00001c20"
    "000d0002"
    "0000"
)
RELAYED = bytes.fromhex("0c00" + "00" * 32 + "0009" + f"{len(SOLICIT):04x}") + SOLICIT


def test_solicit() -> None:
    (message,) = read(Cursor(SOLICIT))
    assert (message.name, message.transaction_id, message.iaids) == ("Solicit", 0x4E9271, (1,))
    assert message.client_duid == DUID
    assert message.client_mac == "02:01:02:14:00:1a"
    assert message.label == "Solicit XID: 0x4e9271"
    assert not message.from_server


def test_reply_with_address() -> None:
    (message,) = read(Cursor(REPLY))
    assert (message.name, message.addresses, message.status) == ("Reply", ("fd00:134::99",), 0)
    assert message.server_duid == "00030001020102140001"


def test_relays_are_taken_off() -> None:
    (message,) = read(Cursor(RELAYED))
    assert (message.name, message.relays) == ("Solicit", 1)


def test_relays_without_end_are_malformed() -> None:
    data = SOLICIT
    for _ in range(12):
        data = bytes.fromhex("0c00" + "00" * 32 + "0009" + f"{len(data):04x}") + data
    assert survives(read, data) == []


def test_a_transaction_is_one_exchange() -> None:
    (solicit,), (reply,) = read(Cursor(SOLICIT)), read(Cursor(REPLY))
    traffic = Traffic(seen=(seen(solicit, 1, 0), seen(solicit, 2, 1), seen(reply, 3, 2, eth_src="02:00:00:00:00:09")))
    (exchange,) = pair(traffic)
    assert exchange.mac == "02:00:00:00:00:01"
    assert [one.number for one in exchange.solicits] == [1, 2]
    assert [one.number for one in exchange.answers] == [3]


@given(mutated(SOLICIT, REPLY, RELAYED))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
