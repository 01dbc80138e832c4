"""MLD: who wants which IPv6 multicast group, and who asks for that (RFC 2710, 3810)."""

from collections.abc import Iterator
from ipaddress import IPv6Address

from dissectors.igmp import GroupQuery, GroupRecord, GroupReport
from pcapdx.dissect import Cursor, Dissector, Layer, Sample

_ICMPV6 = 58
_QUERY, _REPORT, _DONE, _REPORT_V2 = 130, 131, 132, 143
_QUERY_V2_BYTES = 28
_EXCLUDE, _TO_INCLUDE = 2, 3
_SECOND = 10**9


class MldQuery(GroupQuery):
    """``group`` is ``::`` where any is asked for."""

    __slots__ = ()
    title = "Multicast Listener Query"


class MldReport(GroupReport):
    """A done message of version 1 is such a report, too."""

    __slots__ = ()
    title = "Multicast Listener Report"


def read(cursor: Cursor) -> Iterator[MldQuery | MldReport]:
    """The message of one packet; other ICMPv6 is not ours."""
    kind = cursor.u8("type")
    if kind == _QUERY:
        yield _query(cursor)
    elif kind == _REPORT_V2:
        cursor.skip(5, "code, checksum and reserved")
        records = tuple(_record(cursor) for _ in range(cursor.u16("number of records")))
        yield MldReport(version=2, records=records)
    elif kind in (_REPORT, _DONE):
        cursor.skip(7, "code, checksum and response time")
        change = _TO_INCLUDE if kind == _DONE else _EXCLUDE
        yield MldReport(version=1, records=(GroupRecord(type=change, group=_ip(cursor, "group")),))


def _query(cursor: Cursor) -> MldQuery:
    """Length tells version 2 from version 1 (RFC 3810, 8.1)."""
    wire = cursor.wire_end if cursor.wire_end is not None else cursor.end
    cursor.skip(3, "code and checksum")
    code = cursor.u16("response time")
    cursor.skip(2, "reserved")
    group = _ip(cursor, "group")
    if wire < _QUERY_V2_BYTES:
        return MldQuery(version=1, group=group, response_ms=code)
    cursor.skip(2, "flags and interval")
    sources = tuple(_ip(cursor, "source") for _ in range(cursor.u16("number of sources")))
    return MldQuery(version=2, group=group, response_ms=_floating(code), sources=sources)


def _floating(code: int) -> int:
    """Above 32767 three bits of exponent and twelve of mantissa (RFC 3810, 5.1.3)."""
    return code if code < 0x8000 else (code & 0xFFF | 0x1000) << (code >> 12 & 7) + 3


def _record(cursor: Cursor) -> GroupRecord:
    kind, words, sources = cursor.u8("record type"), cursor.u8("auxiliary words"), cursor.u16("number of sources")
    group = _ip(cursor, "group")
    record = GroupRecord(type=kind, group=group, sources=tuple(_ip(cursor, "source") for _ in range(sources)))
    cursor.skip(words * 4, "auxiliary data")
    return record


def _ip(cursor: Cursor, what: str) -> str:
    return str(IPv6Address(cursor.take(16, what)))


DISSECTOR = Dissector(
    name="mld",
    spec="RFC 3810",
    messages=(MldQuery, MldReport),
    read=read,
    layer=Layer.TRANSPORT,
    ip_protocols=frozenset({_ICMPV6}),
    sample=Sample(first=16, every_ns=_SECOND),
)
