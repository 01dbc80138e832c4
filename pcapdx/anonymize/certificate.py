"""Pseudonyms within certificates: names in place, and everything blurred by which a public one could be looked up.

A certificate's signature does not hold afterwards, and its keys are none; names, dates, extensions and lengths stay.
Sources: RFC 5280, ITU-T X.690.
"""

from collections.abc import Iterator

from pcapdx.anonymize.fields import named
from pcapdx.anonymize.packet import Change
from pcapdx.anonymize.pseudonyms import Pseudonyms

_STRINGS = frozenset({0x0C, 0x12, 0x13, 0x14, 0x16, 0x1A})
_DNS, _MAIL, _URI, _ADDRESS = 0x82, 0x81, 0x86, 0x87
_BITS, _OCTETS, _INTEGER, _CONSTRUCTED, _WIDE = 0x03, 0x04, 0x02, 0x20, 0x1E
_LONG = 8
"""Bytes of what may be a key, a digest or a serial number."""
_COUNTRY = 2
_KEY_ID = 0x80
DEEPEST = 16


def certificate(data: bytes, begin: int, end: int, told: Pseudonyms, depth: int = 0) -> Iterator[Change]:
    """The changes of the DER values in a range; what is not DER ends it."""
    at = begin
    while at < end and depth < DEEPEST:
        tag, first, last = _value(data, at, end)
        if first < 0:
            return
        yield from _primitive(data, tag, first, last, told, depth)
        if tag & _CONSTRUCTED:
            yield from certificate(data, first, last, told, depth + 1)
        at = last


def _value(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Tag, begin and end of a value; -1 where there is none."""
    if at + 2 > end:
        return 0, -1, -1
    tag, size, first = data[at], data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or first + count > end:
            return 0, -1, -1
        size, first = int.from_bytes(data[first : first + count], "big"), first + count
    return (tag, first, first + size) if first + size <= end else (0, -1, -1)


def _primitive(data: bytes, tag: int, begin: int, end: int, told: Pseudonyms, depth: int) -> Iterator[Change]:
    value, size = data[begin:end], end - begin
    if tag in _STRINGS and size > _COUNTRY:
        yield begin, named(value, told)
    elif tag == _WIDE and size % 2 == 0:
        hidden = told.name(value.decode("utf-16-be", "replace")).encode("utf-16-be")
        yield begin, hidden if len(hidden) == size else told.opaque(value)
    elif tag in (_DNS, _MAIL, _URI):
        if value.isascii() and value:
            head = value.find(b"://") + 3 if b"://" in value else 0
            yield begin + head, named(value[head:], told)
    elif tag == _ADDRESS and size in (4, 16):
        yield begin, told.ipv4(value) if size == 4 else told.ipv6(value)
    elif (tag == _BITS and size > _LONG) or (tag == _INTEGER and size >= _LONG):
        yield begin + 1, told.opaque(value[1:])
    elif tag == _KEY_ID and size > _LONG:
        yield begin, told.opaque(value)
    elif tag == _OCTETS:
        yield from _octets(data, begin, end, told, depth)


def _octets(data: bytes, begin: int, end: int, told: Pseudonyms, depth: int) -> Iterator[Change]:
    """The value of an extension is DER once more; else it is a digest."""
    _, first, last = _value(data, begin, end)
    if first < 0 or last != end:
        if end - begin > _LONG:
            yield begin, told.opaque(data[begin:end])
    else:
        yield from certificate(data, begin, end, told, depth + 1)
