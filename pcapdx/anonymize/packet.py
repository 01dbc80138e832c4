"""Where in a frame addresses and checksums lie, from the link layer to the innermost packet, quoted packets included.

Follows what :mod:`pcapdx.sieve.layers` follows, in plain Python, and keeps every layer: a checksum of an outer layer
covers what is changed within. Bytes are an attacker's: nothing is read beyond the frame, and nesting is bounded.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from pcapdx.values import dataclass

MAC, V4, V6 = 6, 4, 16
"""Kinds of addresses, by their lengths."""
ICMP, IGMP, TCP, UDP, GRE, ICMPV6, VRRP = 1, 2, 6, 17, 47, 58, 112
_TAGS = frozenset({0x8100, 0x88A8, 0x9100, 0x9200})
_IPV4, _IPV6, _ARP, _RARP = 0x0800, 0x86DD, 0x0806, 0x8035
_BRIDGED, _ERSPAN2, _ERSPAN3 = 0x6558, 0x88BE, 0x22EB
_SUMS = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2, VRRP: 6, IGMP: 2}
_ERRORS = {ICMP: frozenset({3, 4, 5, 11, 12}), ICMPV6: frozenset({1, 2, 3, 4})}
_ECHO = {ICMP: frozenset({0, 8}), ICMPV6: frozenset({128, 129})}
_ECHO_BYTES = 16
"""Of an echo, the beginning by which it is found again in another capture."""
_VXLAN, _GENEVE = frozenset({4789, 8472}), 6081
_CDP = b"\xaa\xaa\x03\0\0\x0c\x20\0"
DEEPEST = 12
"""Headers within headers; tunnels and quotations count."""


@dataclass(frozen=True, slots=True)
class Sum:
    """A checksum: where it stands, what it covers, and the addresses that count for it, too."""

    at: int
    begin: int
    end: int
    pseudo: tuple[int, int] | None = None
    """Begin and end of the addresses of the pseudo-header."""
    protocol: int = 0
    length: int = 0
    """Of the packet on the wire, for the pseudo-header."""
    optional: bool = False
    """Zero where there is none (UDP)."""
    quoted: bool = False


@dataclass(slots=True)
class Packet:
    """What was found in a frame."""

    data: bytes
    addresses: list[tuple[int, int]] = field(default_factory=list)
    """Begin and kind."""
    sums: list[Sum] = field(default_factory=list)
    """Outer ones before inner ones."""
    blanks: list[tuple[int, int]] = field(default_factory=list)
    """What packets carried that are quoted, and padding."""
    link: tuple[int, int] = (-1, 0)
    """Begin and ethertype (or 802.3 length) of what no IP follows."""

    def note(self, at: int, kind: int) -> None:
        """An address."""
        self.addresses.append((at, kind))

    def number(self, at: int) -> int:
        """Two bytes; -1 where they are not there."""
        return self.data[at] << 8 | self.data[at + 1] if 0 <= at <= len(self.data) - 2 else -1


def opened(data: bytes, link_type: int) -> Packet:
    """A frame looked through."""
    packet, end = Packet(data), len(data)
    if link_type == 1:
        _ethernet(packet, 0, end, 0)
    elif link_type == 113 and end >= 16:
        if packet.number(4) == 6:
            packet.note(6, MAC)
        _payload(packet, packet.number(14), 16, end, 0)
    elif link_type == 276 and end >= 20:
        if data[11] == 6:
            packet.note(12, MAC)
        _payload(packet, packet.number(0), 20, end, 0)
    elif link_type in (12, 14, 101, 228, 229):
        _raw(packet, 0, end, 0)
    elif link_type in (0, 108):
        _raw(packet, 4, end, 0)
    return packet


def _ethernet(packet: Packet, at: int, end: int, depth: int) -> None:
    packet.note(at, MAC)
    packet.note(at + 6, MAC)
    _payload(packet, packet.number(at + 12), at + 14, end, depth)


def _payload(packet: Packet, ethertype: int, at: int, end: int, depth: int) -> None:
    """What follows an ethertype (or length), tags passed."""
    for _ in range(DEEPEST):
        if ethertype not in _TAGS or end - at < 4:
            break
        ethertype, at = packet.number(at + 2), at + 4
    snap = 0 <= ethertype < 1536 and packet.data[at : at + 6] == b"\xaa\xaa\x03\0\0\0"
    inner, begin = (packet.number(at + 6), at + 8) if snap else (ethertype, at)
    if inner == _IPV4:
        _ipv4(packet, begin, end, depth)
    elif inner == _IPV6:
        _ipv6(packet, begin, end, depth)
    elif inner in (_ARP, _RARP):
        _arp(packet, begin)
    else:
        packet.link = at, ethertype
        if packet.data[at : at + 8] == _CDP:
            packet.sums.append(Sum(at + 10, at + 8, min(at + ethertype, end)))


def _raw(packet: Packet, at: int, end: int, depth: int) -> None:
    if at < end:
        version = packet.data[at] >> 4
        if version == 4:
            _ipv4(packet, at, end, depth)
        elif version == 6:
            _ipv6(packet, at, end, depth)


def _arp(packet: Packet, at: int) -> None:
    """RFC 826, of Ethernet and IPv4; of any other only the head stays."""
    known = packet.data[at + 2 : at + 6] == b"\x08\0\x06\x04"
    if known:
        for place, kind in ((8, MAC), (14, V4), (18, MAC), (24, V4)):
            packet.note(at + place, kind)
    packet.blanks.append((at + (28 if known else 8), len(packet.data)))


def _ipv4(packet: Packet, at: int, end: int, depth: int, *, quoted: bool = False) -> None:
    data = packet.data
    if end - at < 20 or depth > DEEPEST:
        if end - at > 12:
            packet.note(at + 12, V4)
            packet.note(at + 16, V4)
        return
    header, total = (data[at] & 15) * 4, packet.number(at + 2)
    packet.note(at + 12, V4)
    packet.note(at + 16, V4)
    if header < 20 or data[at] >> 4 != 4:
        return
    packet.sums.append(Sum(at + 10, at, min(at + header, end), quoted=quoted))
    _options(packet, at + 20, min(at + header, end))
    wire = at + total if total >= header else end
    later = packet.number(at + 6) & 0x1FFF
    _transport(packet, data[at + 9], at + header, min(wire, end), wire, (at + 12, at + 20), depth, quoted, bool(later))


def _options(packet: Packet, at: int, end: int) -> None:
    """Record route and source routes (RFC 791, 3.1)."""
    data = packet.data
    while at + 2 < end and data[at]:
        size = 1 if data[at] == 1 else data[at + 1]
        if data[at] in (7, 131, 137):
            for place in range(at + 3, min(at + size, end) - 3, 4):
                packet.note(place, V4)
        at += max(size, 1)


def _ipv6(packet: Packet, at: int, end: int, depth: int, *, quoted: bool = False) -> None:
    data = packet.data
    packet.note(at + 8, V6)
    packet.note(at + 24, V6)
    if end - at < 40 or depth > DEEPEST:
        return
    length, protocol, ends = packet.number(at + 4), data[at + 6], (at + 8, at + 40)
    wire = at + 40 + length if length else end
    at += 40
    later = False
    for _ in range(8):
        if protocol not in (0, 43, 44, 51, 60, 135) or end - at < 8:
            break
        size = 8 if protocol == 44 else (data[at + 1] + 2) * 4 if protocol == 51 else (data[at + 1] + 1) * 8
        if protocol == 43:
            for place in range(at + 8, min(at + size, end) - 15, 16):
                packet.note(place, V6)
        later = later or (protocol == 44 and packet.number(at + 2) >= 8)
        protocol, at = data[at], at + size
    _transport(packet, protocol, at, min(wire, end), wire, ends, depth, quoted, later)


def _transport(
    packet: Packet,
    protocol: int,
    at: int,
    end: int,
    wire: int,
    ends: tuple[int, int],
    depth: int,
    quoted: bool,
    later: bool,
) -> None:
    if later or at >= end:
        return
    if quoted:
        size = (packet.data[at + 12] >> 4) * 4 if protocol == TCP and at + 12 < end else 8
        packet.blanks.append((min(at + size, end), end))
    field_at = _SUMS.get(protocol)
    if field_at is not None:
        no_pseudo = protocol in (ICMP, IGMP) or (protocol == VRRP and packet.data[at] >> 4 == 2)
        pseudo = None if no_pseudo else ends
        packet.sums.append(Sum(at + field_at, at, end, pseudo, protocol, wire - at, protocol == UDP, quoted))
    if protocol in _ERRORS:
        _icmp(packet, protocol, at, end, depth)
    elif protocol == UDP and not quoted:
        _tunnel(packet, at, end, depth)
    elif protocol == GRE:
        _gre(packet, at, end, depth)
    elif protocol in (4, 41) and not quoted:
        _raw(packet, at, end, depth + 1)
    elif protocol == VRRP:
        size, kind = (V4, V4) if ends[1] - ends[0] == 8 else (V6, V6)
        for place in range(min(packet.data[at + 3] if at + 3 < end else 0, (end - at) // size)):
            packet.note(at + 8 + place * size, kind)
    elif protocol == IGMP:
        _igmp(packet, at, end)


def _icmp(packet: Packet, protocol: int, at: int, end: int, depth: int) -> None:
    """Errors quote a packet (RFC 792, 4443); neighbour discovery carries addresses (RFC 4861), and so does MLD."""
    data = packet.data
    kind = data[at]
    if kind in _ERRORS[protocol]:
        if protocol == ICMP and kind == 5:
            packet.note(at + 4, V4)
        if depth <= DEEPEST and at + 8 < end:
            (_ipv4 if protocol == ICMP else _ipv6)(packet, at + 8, end, depth + 1, quoted=True)
        return
    if kind in _ECHO[protocol]:
        packet.blanks.append((min(at + _ECHO_BYTES, end), end))
    if protocol == ICMP:
        return
    if kind in (135, 136, 137, 130, 131, 132):
        packet.note(at + 8, V6)
    if kind == 137:
        packet.note(at + 24, V6)
    first = {133: 8, 134: 16, 135: 24, 136: 24, 137: 40}.get(kind)
    if first is not None:
        _discovery(packet, at + first, end, depth)
    elif kind in (130, 143):
        _listeners(packet, at, end, kind)


def _discovery(packet: Packet, at: int, end: int, depth: int) -> None:
    """Options of neighbour discovery; of a prefix that was told, what lies behind its length is zero and stays so."""
    data = packet.data
    while at + 8 <= end and data[at + 1]:
        kind, size = data[at], data[at + 1] * 8
        if kind in (1, 2) and size == 8:
            packet.note(at + 2, MAC)
        elif kind == 3 and size == 32:
            packet.note(at + 16, V6)
        elif kind == 25:
            for place in range(at + 8, min(at + size, end) - 15, 16):
                packet.note(place, V6)
        elif kind == 24 and size == 24:
            packet.note(at + 8, V6)
        elif kind == 4 and depth <= DEEPEST:
            _ipv6(packet, at + 8, min(at + size, end), depth + 1, quoted=True)
        at += size


def _listeners(packet: Packet, at: int, end: int, kind: int) -> None:
    """Sources and groups of MLDv2 (RFC 3810, 5.1.9 and 5.2.3)."""
    if kind == 130:
        for place in range(at + 28, end - 15, 16):
            packet.note(place, V6)
        return
    record = at + 8
    while record + 20 <= end:
        packet.note(record + 4, V6)
        sources = packet.number(record + 2)
        for place in range(record + 20, min(record + 20 + 16 * sources, end - 15), 16):
            packet.note(place, V6)
        record += 20 + 16 * sources + 4 * packet.data[record + 1]


def _igmp(packet: Packet, at: int, end: int) -> None:
    """Sources of IGMPv3 (RFC 3376, 4.1.9 and 4.2.3); groups are nobody's."""
    if packet.data[at] == 0x11:
        for place in range(at + 12, end - 3, 4):
            packet.note(place, V4)
    elif packet.data[at] == 0x22:
        record = at + 8
        while record + 8 <= end:
            sources = packet.number(record + 2)
            for place in range(record + 8, min(record + 8 + 4 * sources, end - 3), 4):
                packet.note(place, V4)
            record += 8 + 4 * sources + 4 * packet.data[record + 1]


def _tunnel(packet: Packet, at: int, end: int, depth: int) -> None:
    """VXLAN and GENEVE."""
    data, port, inner = packet.data, packet.number(at + 2), at + 8
    if depth > DEEPEST:
        return
    if port in _VXLAN and end - inner >= 22 and data[inner] & 8:
        _ethernet(packet, inner + 8, end, depth + 1)
    elif port == _GENEVE and end - inner >= 8 and not data[inner] >> 6:
        begin, kind = inner + 8 + (data[inner] & 63) * 4, packet.number(inner + 2)
        if kind == _BRIDGED and end - begin >= 14:
            _ethernet(packet, begin, end, depth + 1)
        elif kind in (_IPV4, _IPV6) and end - begin >= 20:
            _payload(packet, kind, begin, end, depth + 1)


def _gre(packet: Packet, at: int, end: int, depth: int) -> None:
    """GRE with Ethernet, IP or ERSPAN inside."""
    data = packet.data
    if end - at < 4 or data[at + 1] & 7 or depth > DEEPEST:
        return
    flags, kind = data[at], packet.number(at + 2)
    inner = at + 4 + 4 * sum(bool(flags & bit) for bit in (0x80, 0x20, 0x10))
    if flags & 0x80:
        packet.sums.append(Sum(at + 4, at, end))
    if kind == _ERSPAN2 and flags & 0x10:
        inner += 8
    elif kind == _ERSPAN3 and inner + 12 <= end:
        inner += 20 if data[inner + 11] & 1 else 12
    if kind in (_BRIDGED, _ERSPAN2, _ERSPAN3) and end - inner >= 14:
        _ethernet(packet, inner, end, depth + 1)
    elif kind in (_IPV4, _IPV6) and end - inner >= 20:
        _payload(packet, kind, inner, end, depth + 1)


Writers = Mapping[int, Callable[[bytes], bytes]]
"""By kind of address: what is written over it."""
Change = tuple[int, bytes]


def readdressed(packet: Packet, writers: Writers) -> list[Change]:
    """What is to be written over the addresses; what the snap length left of one is blanked."""
    changes = []
    for at, kind in packet.addresses:
        old = packet.data[at : at + kind]
        if len(old) == kind:
            changes.append((at, writers[kind](old)))
        elif old:
            changes.append((at, bytes(len(old))))
    return changes


def rewritten(packet: Packet, changes: Sequence[Change], far: int = 0) -> bytes:
    """The frame with changes made, and each checksum as right or as wrong as it was (RFC 1624).

    A later change goes over an earlier one. ``far`` is by how much the words of later fragments have changed.
    """
    old, new = packet.data, bytearray(packet.data)
    for at, fresh in changes:
        kept = fresh[: max(len(new) - at, 0)]
        new[at : at + len(kept)] = kept
    for one in reversed(packet.sums):
        if one.at + 2 > min(one.end, len(new)):
            continue
        delta = far if one.protocol in (TCP, UDP) and not one.quoted else 0
        delta += _difference(old, new, one.begin, one.end)
        if one.pseudo:
            delta += _difference(old, new, *one.pseudo)
        if delta % 0xFFFF:
            _repair(one, old, new, delta)
    return bytes(new)


def _difference(old: bytes, new: bytearray, begin: int, end: int) -> int:
    """By how much the sum of a range's words has changed: bytes are a number to the base of 65,536, which counts 1."""
    before, after = old[begin:end], new[begin:end]
    if before == after:
        return 0
    odd = 8 if len(before) & 1 else 0
    return (int.from_bytes(after, "big") << odd) % 0xFFFF - (int.from_bytes(before, "big") << odd) % 0xFFFF


def _repair(one: Sum, old: bytes, new: bytearray, delta: int) -> None:
    written = old[one.at] << 8 | old[one.at + 1]
    if one.optional and not written:
        return
    if one.pseudo and written == _pseudo(one, old):
        fresh = _pseudo(one, bytes(new))
    else:
        fresh = 0xFFFF - ((0xFFFF - written + delta) % 0xFFFF or 0xFFFF)
        if one.optional and not fresh:
            fresh = 0xFFFF
    struct.pack_into(">H", new, one.at, fresh)


def _pseudo(one: Sum, data: bytes) -> int:
    """The sum of the pseudo-header alone, which a kernel leaves to its NIC to go on from."""
    begin, end = one.pseudo or (0, 0)
    total = sum(int.from_bytes(data[place : place + 2], "big") for place in range(begin, end, 2))
    total += one.protocol + (one.length & 0xFFFF) + (one.length >> 16)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total
