import pytest
from hypothesis import given

from dissectors.cdp import Cdp, read
from pcapdx.dissect import Cursor, Malformed, Truncated
from tests.dissectors.feeding import mutated, survives

SNAP = bytes.fromhex("aaaa03 00000c 2000")
SWITCH = (
    SNAP
    + bytes.fromhex("02 b4 1234")
    + bytes.fromhex("0001 0007") + b"sw1"
    + bytes.fromhex("0003 0009") + b"Gi1/7"
    + bytes.fromhex("0005 000c") + b"IOS 15.2"
    + bytes.fromhex("0006 0009") + b"C3560"
    + bytes.fromhex("0002 002d 00000002 01 01 cc 0004 0a000001")
    + bytes.fromhex("02 08 aaaa0300000086dd 0010 fd000000000000000000000000000001")
    + bytes.fromhex("000a 0006 0065 000b 0005 00 000e 0007 01 00c8 0011 0008 000005dc")
    + bytes.fromhex("0014 0007") + b"sys"
    + bytes.fromhex("0016 0011 00000001 01 01 cc 0004 0a000002")
)  # fmt: skip
VERSION_1 = SNAP + bytes.fromhex("01 b4 0000 0001 0006") + b"R1"


def test_what_a_switch_port_says() -> None:
    (message,) = read(Cursor(SWITCH))
    assert message == Cdp(
        version=2,
        ttl_s=180,
        device="sw1",
        port="Gi1/7",
        platform="C3560",
        software="IOS 15.2",
        system_name="sys",
        native_vlan=101,
        voice_vlan=200,
        full_duplex=False,
        mtu=1500,
        addresses=("10.0.0.1", "fd00::1", "10.0.0.2"),
        cut=False,
    )
    assert message.label == "sw1 port Gi1/7 native VLAN 101"


def test_version_1_has_no_vlan() -> None:
    (message,) = read(Cursor(VERSION_1))
    assert (message.version, message.device, message.native_vlan, message.full_duplex) == (1, "R1", None, None)
    assert message.label == "R1 port ?"


def test_of_a_packet_that_was_cut_what_there_is() -> None:
    packets = read(Cursor(SWITCH[:40], wire_bytes=len(SWITCH)))
    message = next(packets)
    assert (message.device, message.port, message.native_vlan, message.cut) == ("sw1", "Gi1/7", None, True)
    with pytest.raises(Truncated):
        next(packets)


def test_other_snap_is_left_alone() -> None:
    assert list(read(Cursor(bytes.fromhex("aaaa03 00000c 2004") + bytes(40)))) == []
    assert list(read(Cursor(bytes.fromhex("aaaa03 000000 0806") + bytes(40)))) == []


def test_a_length_below_its_own_head_is_malformed() -> None:
    with pytest.raises(Malformed, match="a TLV of 3 bytes"):
        list(read(Cursor(SNAP + bytes.fromhex("02 b4 0000 0001 0003 41"))))


def test_addresses_that_claim_too_much() -> None:
    tlv = bytes.fromhex("0002 0008 ffffffff 0002 0006 0001")
    (message,) = read(Cursor(SNAP + bytes.fromhex("02 b4 0000") + tlv))
    assert message.addresses == ()


@pytest.mark.parametrize("length", range(1, len(SWITCH)))
def test_cut_at_every_byte(length: int) -> None:
    """By the snap length always truncated; a sender may end behind any TLV."""
    with pytest.raises(Truncated):
        list(read(Cursor(SWITCH[:length], wire_bytes=len(SWITCH))))
    survives(read, SWITCH[:length])


@given(mutated(SWITCH, VERSION_1))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
