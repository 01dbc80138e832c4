"""Addresses and checksums in every layer: found, replaced, and sums as right as they were; hostile bytes do no harm."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import (
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6TimeExceeded,
    IPv6,
)
from scapy.layers.l2 import ARP, GRE, Dot1AD, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from pcapdx.annotate.logins import Run
from pcapdx.annotate.payload import Payload
from pcapdx.anonymize.datagrams import BY_PORT, of_link
from pcapdx.anonymize.packet import MAC, V4, V6, opened, readdressed, rewritten
from pcapdx.anonymize.streams import read as read_stream
from tests.annotate.annotating import tshark
from tests.anonymize.disguising import frames_of, pseudonyms

TOLD = pseudonyms()
WRITERS: dict[int, Callable[[bytes], bytes]] = {MAC: TOLD.mac, V4: TOLD.ipv4, V6: TOLD.ipv6}
A, B = "02:01:00:cc:00:16", "52:54:00:aa:bb:17"
C, D = "10.211.77.53", "198.51.177.144"
E, F = "2001:db8:77::1:23", "fd00:aa:bb::5"
LINK, TAGGED = Ether(src=A, dst=B), Ether(src=A, dst=B) / Dot1AD(vlan=7) / Dot1Q(vlan=1204)
QUERY = DNS(id=7, qd=DNSQR(qname="acme-7.customer.example.com"))
TALK = IP(src=C, dst=D) / UDP(sport=40_000, dport=53) / QUERY
TALK6 = IPv6(src=E, dst=F) / UDP(sport=40_000, dport=53) / QUERY
FRAMES: dict[str, Packet] = {
    "arp": LINK / ARP(op=1, hwsrc=A, psrc=C, pdst=D),
    "udp": LINK / TALK,
    "tagged": TAGGED / TALK,
    "udp6": LINK / TALK6,
    "tcp": LINK / IP(src=C, dst=D) / TCP(sport=40_001, dport=443, flags="PA", options=[("MSS", 1460)]) / Raw(b"x" * 31),
    "vxlan": LINK / IP(src=D, dst=C) / UDP(sport=1, dport=4789) / VXLAN(vni=5, flags=8) / TAGGED / TALK,
    "gre": LINK / IP(src=D, dst=C) / GRE(chksum_present=1) / TALK,
    "unreachable": LINK / IP(src=D, dst=C) / ICMP(type=3, code=1) / TALK,
    "exceeded6": LINK / IPv6(src=F, dst=E) / ICMPv6TimeExceeded() / TALK6,
    "solicitation": LINK / IPv6(src=E, dst=F) / ICMPv6ND_NS(tgt=F) / ICMPv6NDOptSrcLLAddr(lladdr=A),
    "advertisement": LINK / IPv6(src="fe80::1", dst="ff02::1") / ICMPv6ND_RA()
    / ICMPv6NDOptPrefixInfo(prefix="2001:db8:77::", prefixlen=64),
    "dhcp": LINK / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
    / BOOTP(op=1, chaddr=bytes.fromhex(A.replace(":", "")), yiaddr=C)
    / DHCP(options=[("message-type", "ack"), ("hostname", b"acme-7"), ("domain", b"customer.example.com"),
                    ("router", D), ("server_id", D), "end"]),
    "answer": LINK / IP(src=D, dst=C) / UDP(sport=53, dport=40_000)
    / DNS(qr=1, qd=DNSQR(qname="acme-7.customer.example.com"), an=DNSRR(rrname="acme-7.customer.example.com", rdata=C)),
}  # fmt: skip
SECRETS = (
    bytes.fromhex(A.replace(":", "")), bytes.fromhex(B.replace(":", "")), bytes([10, 211, 77, 53]),
    bytes([198, 51, 177, 144]), bytes.fromhex("20010db80077"), b"customer", b"acme-7",
)  # fmt: skip
every = pytest.mark.parametrize("name", FRAMES)
CHECKS = ("ip.checksum.status", "tcp.checksum.status", "udp.checksum.status", "icmp.checksum.status",
          "icmpv6.checksum.status")  # fmt: skip
OPTIONS = tuple(f"-o{one}.check_checksum:TRUE" for one in ("ip", "tcp", "udp"))


def replaced(frame: bytes, link: int = 1) -> bytes:
    packet = opened(frame, link)
    return rewritten(packet, readdressed(packet, WRITERS))


@every
@pytest.mark.parametrize("payload", [Payload.HEADERS, Payload.KEEP])
def test_nothing_is_left_and_sums_are_right(name: str, payload: Payload, tmp_path: Path) -> None:
    frame = bytes(FRAMES[name])
    (hidden,) = frames_of([frame], tmp_path, payload)
    assert len(hidden) == len(frame)
    for secret in SECRETS:
        assert secret not in hidden
    (tmp_path / "out.pcap").write_bytes((tmp_path / "in.pcap").read_bytes().replace(frame, hidden))
    before = tshark(tmp_path / "in.pcap", "frame.protocols", *CHECKS, options=OPTIONS)
    assert tshark(tmp_path / "out.pcap", "frame.protocols", *CHECKS, options=OPTIONS) == before


def test_wrong_sums_stay_wrong_and_unfinished_ones_unfinished() -> None:
    frame = bytearray(bytes(FRAMES["tcp"]))
    frame[50] ^= 0x55
    right, wrong = replaced(bytes(FRAMES["tcp"])), replaced(bytes(frame))
    assert Ether(right)[TCP].chksum != Ether(wrong)[TCP].chksum
    for sum_of in ("src", "dst"):
        assert getattr(Ether(right)[IP], sum_of) == getattr(Ether(wrong)[IP], sum_of)
    pseudo = [10 << 8 | 211, 77 << 8 | 53, 198 << 8 | 51, 177 << 8 | 144, 6, len(frame) - 34]
    frame[50:52] = (sum(pseudo) % 0xFFFF).to_bytes(2, "big")
    unfinished = replaced(bytes(frame))
    words = [int.from_bytes(unfinished[at : at + 2], "big") for at in range(26, 34, 2)]
    assert int.from_bytes(unfinished[50:52], "big") == sum([*words, 6, len(frame) - 34]) % 0xFFFF


@every
def test_cut_at_every_byte(name: str) -> None:
    """A cut frame is as long as it was; what is left of an address is no address."""
    frame = bytes(FRAMES[name])
    for end in range(len(frame)):
        assert len(replaced(frame[:end])) == end


def cut_up(frame: Packet) -> list[bytes]:
    return [bytes(one) for one in fragment(frame, fragsize=24)]  # type: ignore[no-untyped-call]  # scapy's


def test_names_across_fragments(tmp_path: Path) -> None:
    pieces = cut_up(FRAMES["answer"])
    assert len(pieces) > 3
    hidden = frames_of(pieces, tmp_path)
    whole = frames_of([bytes(FRAMES["answer"])], tmp_path)
    payload = b"".join(one[34 : 34 + Ether(one)[IP].len - 20] for one in hidden)
    assert payload[8:] == whole[0][42:]
    assert payload[6:8] == whole[0][40:42]


def test_a_fragment_alone_is_blanked(tmp_path: Path) -> None:
    pieces = cut_up(FRAMES["answer"])
    hidden = frames_of(pieces[1:], tmp_path)
    assert all(not one[34:].strip(b"\0") for one in hidden)


def test_padding_is_blanked(tmp_path: Path) -> None:
    (hidden,) = frames_of([bytes(LINK / IP(src=C, dst=D) / UDP(sport=9, dport=9)) + b"from memory"], tmp_path)
    assert b"memory" not in hidden


@given(st.binary(max_size=200), st.sampled_from([0, 1, 12, 101, 108, 113, 147, 276]))
def test_any_bytes_are_a_frame(data: bytes, link: int) -> None:
    assert len(replaced(data, link)) == len(data)


@given(st.sampled_from(sorted(FRAMES)), st.integers(0, 400), st.binary(min_size=1, max_size=6))
def test_damaged_frames_are_frames(name: str, at: int, damage: bytes) -> None:
    frame = bytearray(bytes(FRAMES[name]))
    frame[at : at + len(damage)] = damage[: max(len(frame) - at, 0)]
    assert len(replaced(bytes(frame))) == len(frame)


@given(st.binary(max_size=300), st.sampled_from(sorted(BY_PORT)))
def test_any_bytes_are_a_datagram(data: bytes, port: int) -> None:
    for at, new in BY_PORT[port](data, TOLD):
        assert at >= 0
        assert len(new) <= 2 * len(data) + 64


@given(
    st.binary(max_size=200),
    st.sampled_from([b"\x88\xcc", b"\x88\x09\x01", b"\xaa\xaa\x03\0\0\x0c\x20\0", b"\x42\x42\x03\0\0\3", b""]),
    st.sampled_from([0x88CC, 0x8809, 60, 0x1234]),
)
def test_any_bytes_are_a_link_protocol(data: bytes, head: bytes, ethertype: int) -> None:
    list(of_link(head + data, 0, ethertype, TOLD))


@given(
    st.binary(max_size=300),
    st.sampled_from(
        [b"", b"\x16\3\1\0\xc8\1\0\0\xc4\3\3", b"SSH-2.0-x\r\n", b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
    ),
    st.sampled_from([53, 80, 111, 443, 2049, 3260, 3306, 8080]),
    st.booleans(),
)
def test_any_bytes_are_a_stream(data: bytes, head: bytes, port: int, client: bool) -> None:
    whole = head + data
    for at, new in read_stream(Run(0, whole, client, True), port, TOLD):
        assert at >= 0
        assert at + len(new) <= len(whole)
