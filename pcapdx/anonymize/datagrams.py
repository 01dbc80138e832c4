"""Pseudonyms in single messages: DNS, and what switches and routers tell each other (LLDP, CDP, STP, LACP).

Sources: RFC 1035, 2782, 6762; IEEE 802.1AB, 802.1D, 802.1AX; Cisco's description of CDP; RFC 5905, 7.3; RFC 5531, 8.2.
"""

import re
from collections.abc import Callable, Iterator

from pcapdx.anonymize.dhcp import dhcp, dhcpv6
from pcapdx.anonymize.fields import addresses, addresses_v6, named, text_field, wire_name, words, zeros
from pcapdx.anonymize.packet import Change
from pcapdx.anonymize.pseudonyms import Pseudonyms

Reader = Callable[[bytes, Pseudonyms], Iterator[Change]]

_A, _AAAA, _SOA, _MX, _SRV = 1, 28, 6, 15, 33
_ONE_NAME = frozenset({2, 5, 12, 39})
_UNIX_CALL = re.compile(
    rb"\0\0\0\0\0\0\0\x02\0.{3}\0\0\0.\0\0\0.\0\0\0\x01\0\0..(.{4})\0\0\0(.)", re.DOTALL
)  # fmt: skip
RPC_BYTES = 400
"""Of a call or an answer so much can be what a dissector reads; what is behind is somebody's data."""
_LLDP_NAMES = frozenset({5})
_LLDP_WORDS = frozenset({4, 6})
_CDP_NAMES, _CDP_WORDS, _CDP_ADDRESSES = frozenset({1, 9, 20}), frozenset({3, 5, 6}), frozenset({2, 22})
_CDP_PLAIN = frozenset({4, 10, 11, 14, 15, 16, 17, 18, 19})


def dns(data: bytes, told: Pseudonyms) -> Iterator[Change]:
    """A DNS message; what follows where it is broken is blanked."""
    if len(data) < 12:
        return
    counts = [int.from_bytes(data[at : at + 2], "big") for at in (4, 6, 8, 10)]
    at, end = 12, len(data)
    for number in range(min(sum(counts), end)):
        if at >= end:
            return
        begin = at
        changes, at = wire_name(data, at, end, 0, told)
        yield from changes
        if at < 0:
            yield from zeros(data, begin + 256, end)
            return
        if number < counts[0]:
            at += 4
            continue
        if at + 10 > end:
            return
        kind, size = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 8 : at + 10], "big")
        yield from _record(data, kind, at + 10, min(at + 10 + size, end), told)
        at += 10 + size


def _record(data: bytes, kind: int, at: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    size = end - at
    if kind == _A and size == 4:
        yield at, told.ipv4(data[at:end])
    elif kind == _AAAA and size == 16:
        yield at, told.ipv6(data[at:end])
    elif kind in _ONE_NAME or kind in (_MX, _SRV, _SOA):
        at += {_MX: 2, _SRV: 6}.get(kind, 0)
        for _ in range(2 if kind == _SOA else 1):
            changes, at = wire_name(data, at, end, 0, told) if at >= 0 else ([], -1)
            yield from changes
    else:
        yield from zeros(data, at, end)


def ntp(data: bytes, told: Pseudonyms) -> Iterator[Change]:
    """The server above a server."""
    if len(data) >= 16 and 2 <= data[1] < 16:
        yield 12, told.ipv4(data[12:16])


def rpc(data: bytes, told: Pseudonyms) -> Iterator[Change]:
    """Names of machines in credentials, of whatever else what is known; and nobody's data."""
    yield from words(data[:RPC_BYTES], told)
    yield from machines(data, told)
    yield from zeros(data, RPC_BYTES, len(data))


def machines(data: bytes, told: Pseudonyms) -> Iterator[Change]:
    """Names in AUTH_UNIX credentials."""
    for match in _UNIX_CALL.finditer(data):
        end = match.end() + match[2][0]
        if match[2][0] and end <= len(data):
            yield match.end(), named(data[match.end() : end], told)


BY_PORT: dict[int, Reader] = {
    **dict.fromkeys((53, 5353, 5355), dns),
    **dict.fromkeys((67, 68), dhcp),
    **dict.fromkeys((546, 547), dhcpv6),
    123: ntp,
    **dict.fromkeys((111, 635, 892, 2049, 20048), rpc),
}


def reader_of(sport: int, dport: int) -> Reader | None:
    """Who reads a datagram: by the lower port that is known, for a client's own may be any."""
    return next((BY_PORT[port] for port in sorted((sport, dport)) if port in BY_PORT), None)


def of_link(data: bytes, at: int, ethertype: int, told: Pseudonyms) -> Iterator[Change]:
    """What no IP packet is, by ethertype or by how it begins behind its length; what nobody here knows is blanked."""
    snap = data[at : at + 8]
    if ethertype == 0x88CC:
        yield from _lldp(data, at, told)
    elif ethertype == 0x8809 and data[at : at + 1] == b"\x01":
        for place in (at + 6, at + 26):
            if place + 6 <= len(data):
                yield place, told.mac(data[place : place + 6])
    elif snap == b"\xaa\xaa\x03\0\0\x0c\x20\0":
        yield from _cdp(data, at + 8, told)
    elif data[at : at + 3] == b"\x42\x42\x03":
        yield from _tree(data, at + 3, told)
    elif snap == b"\xaa\xaa\x03\0\0\x0c\x01\x0b":
        yield from _tree(data, at + 8, told)
    else:
        yield from zeros(data, at + (len(snap) if ethertype < 1536 else 1), len(data))


def _tree(data: bytes, at: int, told: Pseudonyms) -> Iterator[Change]:
    """MACs of root and bridge; regional ones and the region's name of MSTP."""
    for place in (at + 7, at + 19):
        if place + 6 <= len(data):
            yield place, told.mac(data[place : place + 6])
    if data[at + 2 : at + 3] == b"\x03" and len(data) > at + 100:
        yield from text_field(data, at + 39, min(at + 71, len(data)), told)
        for place in (at + 95,):
            yield place, told.mac(data[place : place + 6])
        for place in range(at + 102, len(data) - 15, 16):
            yield place + 3, told.mac(data[place + 3 : place + 9])


def _lldp(data: bytes, at: int, told: Pseudonyms) -> Iterator[Change]:
    while at + 2 <= len(data):
        head = data[at] << 8 | data[at + 1]
        kind, begin, end = head >> 9, at + 2, min(at + 2 + (head & 0x1FF), len(data))
        if not kind:
            return
        if kind in (1, 2) and begin < end:
            yield from _identity(data, begin, end, 4 if kind == 1 else 3, 5 if kind == 1 else 4, told)
        elif kind in _LLDP_NAMES:
            yield from text_field(data, begin, end, told)
        elif kind in _LLDP_WORDS:
            yield from ((begin + place, new) for place, new in words(data[begin:end], told))
        elif kind == 8 and begin < end:
            yield from _of_family(data, begin + 1, min(begin + 1 + data[begin], end), told)
        elif kind == 127:
            yield from _organization(data, begin, end, told)
        at += 2 + (head & 0x1FF)


def _identity(data: bytes, begin: int, end: int, mac: int, address: int, told: Pseudonyms) -> Iterator[Change]:
    """Who or which port: a MAC, an address; a text is a name where it says who."""
    kind = data[begin]
    if kind == mac and end - begin == 7:
        yield begin + 1, told.mac(data[begin + 1 : end])
    elif kind == address:
        yield from _of_family(data, begin + 1, end, told)
    elif mac == 4 and kind in (1, 7):
        yield from text_field(data, begin + 1, end, told)
    else:
        yield from ((begin + 1 + place, new) for place, new in words(data[begin + 1 : end], told))


def _of_family(data: bytes, begin: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    """An address with IANA's number of its family before it."""
    if data[begin : begin + 1] == b"\x01":
        yield from addresses(data, begin + 1, end, told)
    elif data[begin : begin + 1] == b"\x02":
        yield from addresses_v6(data, begin + 1, end, told)
    elif data[begin : begin + 1] == b"\x06" and end - begin == 7:
        yield begin + 1, told.mac(data[begin + 1 : end])
    else:
        yield from zeros(data, begin + 1, end)


def _organization(data: bytes, begin: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    """Names of VLANs (802.1); of other organizations' what nobody here knows is blanked."""
    who, kind = data[begin : begin + 3], data[begin + 3 : begin + 4]
    if who == b"\0\x80\xc2":
        if kind == b"\x03" and end - begin > 7:
            yield from text_field(data, begin + 7, min(begin + 7 + data[begin + 6], end), told)
    elif who != b"\0\x12\x0f":
        yield from zeros(data, begin + 4, end)


def _cdp(data: bytes, at: int, told: Pseudonyms) -> Iterator[Change]:
    at += 4
    while at + 4 <= len(data):
        kind, size = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        if size < 4:
            return
        begin, end = at + 4, min(at + size, len(data))
        if kind in _CDP_NAMES:
            yield from text_field(data, begin, end, told)
        elif kind in _CDP_WORDS:
            yield from ((begin + place, new) for place, new in words(data[begin:end], told))
        elif kind in _CDP_ADDRESSES:
            yield from _cdp_addresses(data, begin, end, told)
        elif kind not in _CDP_PLAIN:
            yield from zeros(data, begin, end)
        at += size


def _cdp_addresses(data: bytes, begin: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    at = begin + 4
    while at + 4 <= end:
        at += 2 + data[at + 1]
        if at + 2 > end:
            return
        size, at = int.from_bytes(data[at : at + 2], "big"), at + 2
        if size == 4:
            yield from addresses(data, at, min(at + 4, end), told)
        elif size == 16:
            yield from addresses_v6(data, at, min(at + 16, end), told)
        at += size
