"""Pseudonyms in DHCP and DHCPv6 messages.

Sources: RFC 2131 and 2132, 3046 (relay agents), 3397 and 3442 (search list, routes), 4361 and 4702; RFC 8415, 3646,
4704. Options that nobody here knows are blanked.
"""

from collections.abc import Iterator

from pcapdx.anonymize.addresses import network_v4, network_v6
from pcapdx.anonymize.fields import addresses, addresses_v6, named, opaque, text_field, wire_name, words, zeros
from pcapdx.anonymize.packet import Change
from pcapdx.anonymize.pseudonyms import Pseudonyms

_MAGIC, _OPTIONS_AT = b"\x63\x82\x53\x63", 240
_ADDRESSES = frozenset({3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 32, 33, 41, 42, 44, 45, 48, 49, 50, 54, 65, 118, 150,
                        *range(68, 77)})  # fmt: skip
_NAMES = frozenset({12, 15, 40, 47, 62, 64, 66})
_WORDS = frozenset({14, 17, 18, 56, 60, 67, 77, 86, 87, 100, 101, 114, 209, 210, 252})
_PLAIN = frozenset({1, 2, 13, 46, 51, 52, 53, 55, 57, 58, 59, 80, 93, 94, 108, 116, 145, 211,
                    *range(19, 28), *range(29, 32), *range(34, 40), 43, 90, 125})  # fmt: skip
"""Numbers and flags, and those that are masked as secrets."""
_CLIENT, _RELAY, _FQDN, _SEARCH, _MACHINE, _BROADCAST = 61, 82, 81, 119, 97, 28
_ROUTES = frozenset({121, 249})
SHOWN_DIGITS = (24, 28)
"""Of a long identifier so many are shown."""
_RELAYS_V6 = frozenset({12, 13})
_NESTED_V6 = {3: 12, 4: 4, 25: 12, 5: 24, 26: 25}
_PLAIN_V6 = frozenset({6, 7, 8, 11, 12, 13, 14, 17, 19, 20, 32, 82, 83})


def dhcp(data: bytes, told: Pseudonyms) -> Iterator[Change]:
    """A BOOTP or DHCP message."""
    yield from addresses(data, 12, min(28, len(data)), told)
    if len(data) >= 34 and data[2] == 6:
        yield 28, told.mac(data[28:34])
    overload = 0
    if data[_OPTIONS_AT - 4 : _OPTIONS_AT] == _MAGIC:
        mask, overload = _mask_and_overload(data)
        yield from _options(data, _OPTIONS_AT, len(data), mask, told)
    for begin, end, bit in ((44, 108, 2), (108, 236, 1)):
        if overload & bit:
            yield from _options(data, begin, min(end, len(data)), 0, told)
        elif begin == 44:
            yield from text_field(data, begin, min(end, len(data)), told)
        else:
            yield from ((begin + at, new) for at, new in words(data[begin:end], told))


def _walk(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Code, begin and end of each option."""
    while at + 1 < end and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        begin, last = at + 2, at + 2 + data[at + 1]
        yield data[at], begin, min(last, end)
        at = last


def _mask_and_overload(data: bytes) -> tuple[int, int]:
    found = {code: data[begin:end] for code, begin, end in _walk(data, _OPTIONS_AT, len(data)) if code in (1, 52)}
    mask, overload = found.get(1, b""), found.get(52, b"")
    return int.from_bytes(mask, "big") if len(mask) == 4 else 0, overload[0] if overload else 0


def _options(data: bytes, at: int, end: int, mask: int, told: Pseudonyms) -> Iterator[Change]:
    for code, begin, last in _walk(data, at, end):
        yield from _option(code, data, begin, last, mask, told)


def _option(code: int, data: bytes, begin: int, end: int, mask: int, told: Pseudonyms) -> Iterator[Change]:
    value = data[begin:end]
    if code in _ADDRESSES:
        yield from addresses(data, begin, end, told)
    elif code == _BROADCAST and len(value) == 4:
        yield begin, _broadcast(value, mask, told)
    elif code in _NAMES:
        yield from text_field(data, begin, end, told)
    elif code in _WORDS:
        yield from ((begin + at, new) for at, new in words(value, told))
    elif code == _CLIENT and value:
        yield from _noted(data, begin, end, _client(data, begin, end, told), told)
    elif code == _RELAY:
        for sub, first, last in _walk(data, begin, end):
            yield from _relay(sub, data, first, last, told)
    elif code == _FQDN and len(value) > 3:
        if value[0] & 4:
            yield from wire_name(data, begin + 3, end, begin + 3, told)[0]
        else:
            yield from text_field(data, begin + 3, end, told)
    elif code == _SEARCH:
        at = begin
        while 0 <= at < end:
            changes, at = wire_name(data, at, end, begin, told)
            yield from changes
    elif code == _MACHINE:
        yield from opaque(data, begin + 1, end, told)
    elif code in _ROUTES:
        yield from _routes(data, begin, end, told)
    elif code not in _PLAIN:
        yield from zeros(data, begin, end)


def _broadcast(value: bytes, mask: int, told: Pseudonyms) -> bytes:
    """The last address of the pseudonym's network where it was the last one."""
    hidden, host = int.from_bytes(told.ipv4(value), "big"), ~mask & 0xFFFF_FFFF
    ends = mask and int.from_bytes(value, "big") & host == host
    return (hidden | host).to_bytes(4, "big") if ends else hidden.to_bytes(4, "big")


def _client(data: bytes, begin: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    """RFC 2132, 9.14 and RFC 4361: a hardware address, an identifier of DHCPv6's kind, or anything."""
    kind = data[begin]
    if kind == 255 and end - begin > 5:
        yield from opaque(data, begin + 1, begin + 5, told)
        yield from duid(data, begin + 5, end, told)
    elif kind == 1 and end - begin == 7:
        yield begin + 1, told.mac(data[begin + 1 : end])
    elif kind == 0 and end - begin > 1:
        yield begin + 1, named(data[begin + 1 : end], told)
    else:
        yield from opaque(data, begin + 1, end, told)


def duid(data: bytes, begin: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    """RFC 8415, 11: with a hardware address, or without a meaning."""
    kind = int.from_bytes(data[begin : begin + 2], "big")
    first = begin + {1: 8, 3: 4}.get(kind, 0)
    if kind in (1, 3) and end - first == 6:
        yield first, told.mac(data[first:end])
    else:
        yield from opaque(data, begin + (6 if kind == 2 else 2), end, told)


def _noted(data: bytes, begin: int, end: int, changes: Iterator[Change], told: Pseudonyms) -> Iterator[Change]:
    """The changes of an identifier, which reports show in hexadecimal, in full or cut."""
    new = bytearray(data[begin:end])
    for at, fresh in changes:
        yield at, fresh
        new[at - begin : at - begin + len(fresh)] = fresh
    for digits in (*SHOWN_DIGITS, 2 * len(new)):
        told.meet(data[begin:end].hex()[:digits], new.hex()[:digits])


def _relay(code: int, data: bytes, begin: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    size = end - begin
    if code in (5, 11) and size == 4:
        yield begin, told.ipv4(data[begin:end])
    elif code == 2 and size in (6, 8) and (size == 6 or data[begin : begin + 2] == b"\0\x06"):
        yield end - 6, told.mac(data[end - 6 : end])
    elif code == 6:
        yield from text_field(data, begin, end, told)
    elif code in (1, 2) and data[begin:end].isascii():
        yield from ((begin + at, new) for at, new in words(data[begin:end], told))
    elif code != 1:
        yield from opaque(data, begin, end, told)


def _routes(data: bytes, at: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    while at < end and data[at] <= 32:
        length = data[at]
        size = (length + 7) // 8
        if at + 1 + size + 4 > end:
            break
        network = told.ipv4(data[at + 1 : at + 1 + size].ljust(4, b"\0"))
        hidden = network_v4(int.from_bytes(network, "big"), length).to_bytes(4, "big")
        yield at + 1, hidden[:size]
        yield at + 1 + size, told.ipv4(data[at + 1 + size : at + 5 + size])
        at += 5 + size
    yield from zeros(data, at, end)


def dhcpv6(data: bytes, told: Pseudonyms) -> Iterator[Change]:
    """A message of a client, server or relay agent."""
    if data:
        yield from _message_v6(data, 0, len(data), told, 0)


def _message_v6(data: bytes, at: int, end: int, told: Pseudonyms, depth: int) -> Iterator[Change]:
    if data[at] in _RELAYS_V6:
        yield from addresses_v6(data, at + 2, min(at + 34, end), told)
        yield from _options_v6(data, at + 34, end, told, depth)
    else:
        yield from _options_v6(data, at + 4, end, told, depth)


def _options_v6(data: bytes, at: int, end: int, told: Pseudonyms, depth: int) -> Iterator[Change]:
    while at + 4 <= end:
        code, size = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        begin, last = at + 4, min(at + 4 + size, end)
        yield from _option_v6(code, data, begin, last, told, depth)
        at += 4 + size


def _option_v6(code: int, data: bytes, begin: int, end: int, told: Pseudonyms, depth: int) -> Iterator[Change]:
    if code in (1, 2):
        yield from _noted(data, begin, end, duid(data, begin, end, told), told)
    elif code in _NESTED_V6:
        if code in (3, 4, 25):
            yield from opaque(data, begin, min(begin + 4, end), told)
        elif code == 5:
            yield from addresses_v6(data, begin, min(begin + 16, end), told)
        elif end - begin >= 25:
            hidden = int.from_bytes(told.ipv6(data[begin + 9 : begin + 25]), "big")
            yield begin + 9, network_v6(hidden, min(data[begin + 8], 128)).to_bytes(16, "big")
        if depth < 8:
            yield from _options_v6(data, begin + _NESTED_V6[code], end, told, depth + 1)
    elif code == 9 and begin < end and depth < 8:
        yield from _message_v6(data, begin, end, told, depth + 1)
    elif code in (22, 23, 27, 31):
        yield from addresses_v6(data, begin, end, told)
    elif code in (24, 39, 74):
        at = begin + (code == 39)
        while 0 <= at < end:
            changes, at = wire_name(data, at, end, begin, told)
            yield from changes
    elif code in (15, 16, 59, 60):
        yield from ((begin + at, new) for at, new in words(data[begin:end], told))
    elif code == 79 and end - begin == 8:
        yield begin + 2, told.mac(data[begin + 2 : end])
    elif code in (18, 37):
        yield from opaque(data, begin, end, told)
    elif code not in _PLAIN_V6:
        yield from zeros(data, begin, end)
