import struct
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissectors.dhcp import Checksum, Dhcp, DhcpKind, DhcpType, Route, read
from dissectors.dhcp.exchange import pair
from pcapdx.dissect import Cursor, Malformed, Seen, Traffic, Truncated
from pcapdx.frame import CUT, Frame
from tests.dissectors.feeding import assert_cuts, frame, mutated, seen, survives

MAC, OTHER_MAC = "02:01:01:80:00:20", "02:01:01:80:00:21"
ROUTER, GUEST = "10.1.1.1", "10.1.1.7"
XID = 0x36538A77

# An ACK of a CloudStack router's dnsmasq, through a relay, UDP header included.
ACK = bytes.fromhex(
    "00430043013b9ede 02010601 36538a77 00000000 00000000 0a50014d 0afa0035 0a500101 020101800020"
    + "00" * 10
    + "00" * 64
    + "7078656c696e75782e30"
    + "00" * 118
    + "63825363 350105 36040afa0035 3304ffffffff 1c040a5001ff 0c06656467652d31 0104ffffff00 03040a500101"
    "06040afa0035 0f11637332636c6f75642e696e7465726e616c ff"
)
FROM_SERVER = frame(src="10.250.0.53", dst="10.80.1.1", ip_protocol=17, sport=67, dport=67)


def message(
    kind: int | None = 1,
    *options: tuple[int, bytes],
    op: int = 1,
    xid: int = XID,
    mac: str = MAC,
    broadcast: bool = False,
    sname: bytes = b"",
    file: bytes = b"",
    end: bytes = b"\xff",
    **addresses: str,
) -> bytes:
    """A datagram from its UDP header on; ``kind`` None is BOOTP."""
    words = [IPv4Address(addresses.get(field, "0.0.0.0")).packed for field in ("ciaddr", "yiaddr", "siaddr", "giaddr")]
    body = struct.pack(">4BIHH", op, 1, 6, 0, xid, 3, 0x8000 * broadcast) + b"".join(words)
    body += bytes.fromhex(mac.replace(":", "")).ljust(16, b"\0") + sname.ljust(64, b"\0") + file.ljust(128, b"\0")
    if kind is not None:
        body += b"\x63\x82\x53\x63\x35\x01" + bytes([kind]) + _encoded(*options) + end
    return struct.pack(">4H", 68, 67, 8 + len(body), 0) + body


def _encoded(*options: tuple[int, bytes]) -> bytes:
    return b"".join(bytes([code, len(value)]) + value for code, value in options)


def dhcp(data: bytes, in_frame: Frame | None = None) -> Dhcp:
    (found,) = read(Cursor(data, wire_bytes=len(data), frame=in_frame))
    return found


def ip(address: str) -> bytes:
    return IPv4Address(address).packed


def test_acknowledgement_of_a_router() -> None:
    ack = dhcp(ACK, FROM_SERVER)
    assert (ack.op, ack.type, ack.type_code, ack.xid) == (2, DhcpType.ACK, 5, XID)
    assert (ack.chaddr, ack.ciaddr, ack.yiaddr) == (MAC, None, "10.80.1.77")
    assert (ack.siaddr, ack.giaddr) == ("10.250.0.53", "10.80.1.1")
    assert (ack.server_id, ack.lease_s, ack.subnet_mask) == ("10.250.0.53", 0xFFFFFFFF, "255.255.255.0")
    assert (ack.routers, ack.dns, ack.broadcast_address) == (("10.80.1.1",), ("10.250.0.53",), "10.80.1.255")
    assert (ack.hostname, ack.domain, ack.boot_file) == ("edge-1", "cs2cloud.internal", "pxelinux.0")
    assert ack.options == (53, 54, 51, 28, 12, 1, 3, 6, 15, 255)
    assert ack.from_server
    assert ack.relayed
    assert ack.checksum is Checksum.OK
    assert (ack.t1_s, ack.t2_s, ack.requested_ip, ack.message, ack.sname) == (None,) * 5


def test_options_of_a_client() -> None:
    request = dhcp(
        message(
            3,
            (50, ip(GUEST)),
            (54, ip(ROUTER)),
            (55, bytes([1, 28, 2, 3])),
            (57, b"\x05\xdc"),
            (60, b"PXEClient:Arch:00000"),
            (61, b"\xff\x01\x02"),
            (77, b"iPXE"),
            (81, b"\0\0\0guest.example"),
            (12, b"guest\0"),
            broadcast=True,
        )
    )
    assert (request.requested_ip, request.server_id, request.broadcast) == (GUEST, ROUTER, True)
    assert (request.parameters, request.max_bytes) == ((1, 28, 2, 3), 1500)
    assert (request.vendor_class, request.client_id) == ("PXEClient:Arch:00000", "ff0102")
    assert (request.user_class, request.fqdn, request.hostname, request.secs) == ("iPXE", "guest.example", "guest", 3)


def test_options_of_a_server() -> None:
    offer = dhcp(
        message(
            2,
            (58, b"\0\0\x0e\x10"),
            (59, b"\0\0\x18\x9c"),
            (26, b"\x05\xaa"),
            (56, b"wrong network"),
            (66, b"tftp.example"),
            (67, b"boot.ipxe"),
            (119, b"\x03eng\x07example\0\x05sales\xc0\x04"),
            (121, b"\x18\x0a\x14\x1e" + ip("10.1.1.2") + b"\0" + ip(ROUTER)),
            (6, ip("10.1.1.1") + ip("8.8.8.8")),
            op=2,
            sname=b"boothost",
        )
    )
    assert (offer.t1_s, offer.t2_s, offer.mtu, offer.message) == (3600, 6300, 1450, "wrong network")
    assert (offer.tftp_server, offer.boot_file, offer.sname) == ("tftp.example", "boot.ipxe", "boothost")
    assert offer.search == ("eng.example", "sales.example")
    assert offer.routes == (
        Route(destination="10.20.30.0/24", gateway="10.1.1.2"),
        Route(destination="0.0.0.0/0", gateway=ROUTER),
    )
    assert offer.dns == ("10.1.1.1", "8.8.8.8")


def test_relay_agent_option() -> None:
    relayed = dhcp(message(1, (82, _encoded((1, b"eth1/7"), (2, b"\x01\x02"))), giaddr="10.9.0.1"))
    assert relayed.relayed
    assert (relayed.circuit_id, relayed.remote_id) == (b"eth1/7".hex(), "0102")


def test_every_message_type() -> None:
    names = [dhcp(message(code)).type for code in range(1, 10)]
    assert names == list(DhcpType)
    assert dhcp(message(None)).type is None
    assert dhcp(message(13)).type_code == 13


def test_overloaded_fields_hold_options() -> None:
    offer = dhcp(
        message(
            2,
            (52, b"\x03"),
            file=_encoded((3, ip(ROUTER))) + b"\xff",
            sname=_encoded((6, ip("9.9.9.9"))) + b"\xff",
        )
    )
    assert (offer.overload, offer.routers, offer.dns) == (3, (ROUTER,), ("9.9.9.9",))
    assert (offer.boot_file, offer.sname) == (None, None)
    assert offer.options == (53, 52, 255)


def test_parts_of_a_long_option_are_joined() -> None:
    name = b"n" * 200
    long = dhcp(message(5, (15, name), (3, ip(ROUTER)), (15, b".example"), end=b""))
    assert long.domain == "n" * 200 + ".example"
    assert long.options == (53, 15, 3, 15)


def test_credentials_are_not_kept() -> None:
    """The key of RFC 3118 (90) and what vendors put into 43 stay out of every field."""
    kept = repr(dhcp(message(1, (90, b"\x01\x01\0secret-key"), (43, b"password=x"))))
    assert "secret" not in kept
    assert "password" not in kept
    assert b"secret-key".hex() not in kept


def test_option_of_a_wrong_length_counts_as_absent() -> None:
    odd = dhcp(message(5, (51, b"\0\0"), (54, b"\x0a"), (3, b"\x0a\x01\x01"), (121, b"\x21\x0a"), (12, b"")))
    assert (odd.lease_s, odd.server_id, odd.routers, odd.routes, odd.hostname) == (None, None, (), (), None)
    assert odd.options == (53, 51, 54, 3, 121, 12, 255)


def test_other_hardware_has_no_mac() -> None:
    odd = bytearray(message())
    odd[9:11] = b"\x20\x14"
    assert dhcp(bytes(odd)).chaddr is None


@pytest.mark.parametrize(
    ("damage", "in_frame", "expected"),
    [
        (b"", FROM_SERVER, (Checksum.OK, False)),
        (b"\0\0", FROM_SERVER, (Checksum.ABSENT, False)),
        (b"\x12\x34", FROM_SERVER, (Checksum.WRONG, False)),
        (b"", None, (Checksum.UNKNOWN, False)),
        (b"\x12\x34", FROM_SERVER.replaced(flags=CUT), (Checksum.UNKNOWN, False)),
        (b"", frame(src="10.250.0.54", dst="10.80.1.1"), (Checksum.WRONG, False)),
    ],
)
def test_checksum(damage: bytes, in_frame: Frame | None, expected: tuple[Checksum, bool]) -> None:
    found = dhcp(ACK[:6] + (damage or ACK[6:8]) + ACK[8:], in_frame)
    assert (found.checksum, found.checksum_offloaded) == expected


def test_checksum_left_to_the_nic() -> None:
    """Linux leaves the folded sum of the pseudo-header: here of 10.250.0.53, 10.80.1.1, protocol 17 and the length."""
    halves = struct.unpack(">4H", ip("10.250.0.53") + ip("10.80.1.1"))
    partial = sum(halves) + 17 + len(ACK)
    found = dhcp(ACK[:6] + struct.pack(">H", partial % 0xFFFF) + ACK[8:], FROM_SERVER)
    assert (found.checksum, found.checksum_offloaded) == (Checksum.WRONG, True)


def test_cut_at_every_byte() -> None:
    assert_cuts(read, ACK, FROM_SERVER)


def cut_at(data: bytes, length: int) -> list[Dhcp]:
    """What is read before the cut is told."""
    messages = read(Cursor(data[:length], wire_bytes=len(data)))
    found = [] if length < 8 + 34 else [next(messages)]
    with pytest.raises(Truncated):
        next(messages)
    return found


def test_cut_by_the_snap_length_tells_what_is_there() -> None:
    (there,) = cut_at(ACK, 96 - 34)
    assert (there.cut, there.type, there.type_unknown) == (True, None, True)
    assert (there.op, there.xid, there.chaddr) == (2, XID, MAC)
    assert (there.yiaddr, there.giaddr, there.options, there.checksum) == (
        "10.80.1.77",
        "10.80.1.1",
        (),
        Checksum.UNKNOWN,
    )
    assert there.label == f"DHCP reply, options cut, xid {XID:#010x} 10.80.1.77"


def test_cut_before_the_client_is_known_tells_nothing() -> None:
    assert cut_at(ACK, 8 + 33) == []
    assert len(cut_at(ACK, 8 + 34)) == 1


def test_cut_among_the_options_tells_those_before() -> None:
    (there,) = cut_at(ACK, 8 + 240 + 3 + 6 + 4)
    assert (there.type, there.server_id, there.lease_s, there.type_unknown) == (
        DhcpType.ACK,
        "10.250.0.53",
        None,
        False,
    )
    assert there.options == (53, 54)


def test_padding_behind_the_datagram_is_left_alone() -> None:
    padded = dhcp(ACK + bytes(30), FROM_SERVER)
    assert padded.options[-1] == 255
    assert padded.checksum is Checksum.OK


def test_fragment_is_no_message() -> None:
    with pytest.raises(Truncated):
        list(read(Cursor(ACK, wire_bytes=len(ACK), frame=FROM_SERVER.replaced(more_fragments=1))))


def test_option_beyond_the_end_is_malformed() -> None:
    with pytest.raises(Malformed, match="option 12"):
        list(read(Cursor(message(1, end=b"\x0c\x20abc"))))


# --- exchanges -------------------------------------------------------------------------------------------------------


def sent(at_s: float, *what: Any, to: str = "255.255.255.255", **fields: Any) -> Seen[Dhcp]:
    eth_dst = "ff:ff:ff:ff:ff:ff" if to == "255.255.255.255" else "02:00:00:00:00:02"
    vlan = fields.pop("vlan", None)
    data = message(*what, **fields)
    return seen(dhcp(data), int(at_s * 10) + 1, at_s, src=fields.get("ciaddr"), dst=to, eth_dst=eth_dst, vlan=vlan)


def answered(at_s: float, kind: int, *options: tuple[int, bytes], server: str = ROUTER, **fields: Any) -> Seen[Dhcp]:
    vlan = fields.pop("vlan", None)
    with_id = ((54, ip(server)), *options) if fields.pop("named", True) else options
    data = message(kind, *with_id, op=2, **{"yiaddr": GUEST, **fields})
    return seen(dhcp(data), int(at_s * 10) + 1, at_s, src=server, dst=GUEST, vlan=vlan)


DISCOVER, OFFER, REQUEST, DECLINE, ACKED, NAK, RELEASE, INFORM = range(1, 9)
SELECT = (REQUEST, (50, ip(GUEST)), (54, ip(ROUTER)))


def test_boot() -> None:
    (exchange,) = pair(
        Traffic(
            seen=(
                sent(0, DISCOVER),
                sent(4, DISCOVER),
                answered(4.1, OFFER, server="10.1.1.99"),
                answered(4.2, OFFER),
                sent(4.3, *SELECT),
                answered(4.4, ACKED),
            )
        )
    )
    assert exchange.kind is DhcpKind.BOOT
    assert (exchange.chaddr, exchange.xid, exchange.vlan, exchange.vni) == (MAC, XID, 0, None)
    assert [len(part) for part in (exchange.discovers, exchange.offers, exchange.requests, exchange.acks)] == [
        2,
        2,
        1,
        1,
    ]
    assert exchange.servers == ("10.1.1.99", ROUTER)
    assert (exchange.chosen_server, exchange.address) == (ROUTER, GUEST)
    assert exchange.answered
    assert (len(exchange.client_messages), len(exchange.server_messages)) == (3, 3)
    assert (exchange.first_ns, exchange.last_ns) == (0, 4_400_000_000)


@pytest.mark.parametrize(
    ("seen_request", "kind"),
    [
        (sent(0, REQUEST, (50, ip(GUEST))), DhcpKind.INIT_REBOOT),
        (sent(0, REQUEST, ciaddr=GUEST, to=ROUTER), DhcpKind.RENEW),
        (sent(0, REQUEST, ciaddr=GUEST), DhcpKind.REBIND),
        (sent(0, REQUEST, ciaddr=GUEST, giaddr="10.9.0.1", to=ROUTER), DhcpKind.REBIND),
        (sent(0, *SELECT), DhcpKind.BOOT),
        (sent(0, INFORM, ciaddr=GUEST), DhcpKind.INFORM),
        (sent(0, RELEASE, ciaddr=GUEST, to=ROUTER), DhcpKind.RELEASE),
        (sent(0, DECLINE, (50, ip(GUEST))), DhcpKind.DECLINE),
        (sent(0, None), DhcpKind.BOOTP),
        (sent(0, REQUEST), DhcpKind.UNKNOWN),
        (answered(0, OFFER), DhcpKind.UNKNOWN),
    ],
)
def test_kinds(seen_request: Seen[Dhcp], kind: DhcpKind) -> None:
    (exchange,) = pair(Traffic(seen=(seen_request,)))
    assert exchange.kind is kind


def test_each_client_transaction_and_vlan_is_an_exchange_of_its_own() -> None:
    exchanges = list(
        pair(
            Traffic(
                seen=(
                    sent(0, DISCOVER),
                    sent(1, DISCOVER, mac=OTHER_MAC),
                    sent(2, DISCOVER, xid=5),
                    sent(3, DISCOVER, vlan=101),
                    answered(4, OFFER, vlan=101),
                )
            )
        )
    )
    assert [(one.chaddr, one.xid, one.vlan, one.answered) for one in exchanges] == [
        (MAC, XID, 0, False),
        (OTHER_MAC, XID, 0, False),
        (MAC, 5, 0, False),
        (MAC, XID, 101, True),
    ]


def test_nak_and_a_new_start_with_the_same_transaction_id() -> None:
    old, new = pair(
        Traffic(
            seen=(
                sent(0, REQUEST, (50, ip("10.9.9.9"))),
                answered(0.1, NAK),
                sent(1, DISCOVER),
                answered(1.1, OFFER),
                sent(1.2, *SELECT),
                answered(1.3, ACKED),
            )
        )
    )
    assert (old.kind, len(old.naks), old.address) == (DhcpKind.INIT_REBOOT, 1, None)
    assert (new.kind, len(new.acks)) == (DhcpKind.BOOT, 1)


def test_boot_rom_with_one_transaction_id_for_ever() -> None:
    boots = [
        one
        for at in (0, 100, 200)
        for one in (sent(at, DISCOVER), answered(at + 1, OFFER), sent(at + 2, *SELECT), answered(at + 3, ACKED))
    ]
    assert [len(one.messages) for one in pair(Traffic(seen=tuple(boots)))] == [4, 4, 4]


def test_renewals_that_become_a_rebind() -> None:
    renew, rebind = pair(
        Traffic(
            seen=(
                sent(0, REQUEST, ciaddr=GUEST, to=ROUTER),
                sent(10, REQUEST, ciaddr=GUEST, to=ROUTER),
                sent(20, REQUEST, ciaddr=GUEST),
                answered(20.1, ACKED, server="10.1.1.2"),
            )
        )
    )
    assert (renew.kind, len(renew.requests), renew.answered) == (DhcpKind.RENEW, 2, False)
    assert (rebind.kind, rebind.chosen_server) == (DhcpKind.REBIND, "10.1.1.2")


def test_decline_belongs_to_the_lease_it_declines() -> None:
    (exchange,) = pair(
        Traffic(
            seen=(
                sent(0, DISCOVER),
                answered(1, OFFER),
                sent(2, *SELECT),
                answered(3, ACKED),
                sent(4, DECLINE, (50, ip(GUEST))),
            )
        )
    )
    assert (exchange.kind, len(exchange.declines)) == (DhcpKind.BOOT, 1)


def test_server_without_identifier_is_told_by_its_address() -> None:
    (exchange,) = pair(Traffic(seen=(sent(0, DISCOVER), answered(1, ACKED, named=False, server="10.1.1.5"))))
    assert exchange.servers == ("10.1.1.5",)
    assert exchange.chosen_server == "10.1.1.5"


@given(mutated(ACK, message(1, (55, b"\x01\x03"), (82, b"\x01\x02ab"), (121, b"\x18\x0a\x14\x1e\x0a\x01\x01\x01"))))
def test_hostile_bytes(data: bytes) -> None:
    for found in survives(read, data, FROM_SERVER):
        list(pair(Traffic(seen=(seen(found, src=ROUTER, dst=GUEST),))))


@given(
    st.lists(st.tuples(st.sampled_from([1, 3, 6, 12, 51, 52, 54, 61, 77, 81, 82, 119, 121]), st.binary(max_size=40)))
)
def test_hostile_options(options: list[tuple[int, bytes]]) -> None:
    assert dhcp(message(1, *options)).options[0] == 53
