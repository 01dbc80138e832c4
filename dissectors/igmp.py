"""IGMP: who wants which IPv4 multicast group, and who asks for that (RFC 1112, 2236, 3376)."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import ClassVar

from pcapdx.dissect import Cursor, Dissector, Layer, Sample
from pcapdx.values import dataclass

_IGMP = 2
_QUERY, _REPORT_V1, _REPORT_V2, _LEAVE, _REPORT_V3 = 0x11, 0x12, 0x16, 0x17, 0x22
_QUERY_V3_BYTES = 12
_INCLUDE, _EXCLUDE, _TO_INCLUDE, _TO_EXCLUDE = 1, 2, 3, 4
_NOBODY = ("0.0.0.0", "::")
_SECOND = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRecord:
    """One group of a report. Versions 1 and 2 have one, which is told in the words of version 3."""

    type: int
    """1 include, 2 exclude, 3 change to include, 4 change to exclude, 5 allow, 6 block sources."""
    group: str
    sources: tuple[str, ...] = ()

    @property
    def joins(self) -> bool:
        """Wants what is sent to the group: excludes some sources or none, or includes some."""
        return self.type in (_EXCLUDE, _TO_EXCLUDE, 5) or (self.type in (_INCLUDE, _TO_INCLUDE) and bool(self.sources))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupQuery:
    """A querier asks who wants a group, or any; IGMP's and MLD's are alike."""

    title: ClassVar[str] = ""
    """As Wireshark's Info column begins."""

    version: int
    group: str
    response_ms: int
    """Answers come within this time."""
    sources: tuple[str, ...] = ()

    @property
    def general(self) -> bool:
        """Asks for all groups."""
        return self.group in _NOBODY

    @property
    def label(self) -> str:
        """As Wireshark's Info column."""
        return f"{self.title} v{self.version}, {'general' if self.general else f'for {self.group}'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReport:
    """A host says which groups it wants, or no longer wants; IGMP's and MLD's are alike."""

    title: ClassVar[str] = ""
    """As Wireshark's Info column begins."""

    version: int
    records: tuple[GroupRecord, ...]

    @property
    def joined(self) -> tuple[str, ...]:
        """Groups that it wants."""
        return tuple(one.group for one in self.records if one.joins)

    @property
    def label(self) -> str:
        """As Wireshark's Info column: joins and leaves."""
        words = [f"{'join' if one.joins else 'leave'} {one.group}" for one in self.records[:4]]
        return f"{self.title} v{self.version}: {', '.join(words) or 'nothing'}"


class IgmpQuery(GroupQuery):
    """``group`` is 0.0.0.0 where any is asked for."""

    __slots__ = ()
    title = "Membership Query"


class IgmpReport(GroupReport):
    """A leave of version 2 is such a report, too."""

    __slots__ = ()
    title = "Membership Report"


def read(cursor: Cursor) -> Iterator[IgmpQuery | IgmpReport]:
    """The message of one packet; other types (DVMRP, PIM version 1) are not ours."""
    kind = cursor.u8("type")
    if kind == _QUERY:
        yield _query(cursor)
    elif kind == _REPORT_V3:
        cursor.skip(5, "head of the report")
        records = tuple(_record(cursor) for _ in range(cursor.u16("number of records")))
        yield IgmpReport(version=3, records=records)
    elif kind in (_REPORT_V1, _REPORT_V2, _LEAVE):
        cursor.skip(3, "time and checksum")
        change = _TO_INCLUDE if kind == _LEAVE else _EXCLUDE
        record = GroupRecord(type=change, group=_ip(cursor, "group"))
        yield IgmpReport(version=1 if kind == _REPORT_V1 else 2, records=(record,))


def _query(cursor: Cursor) -> IgmpQuery:
    """Length tells version 3 from the older ones, a response time of 0 version 1 (RFC 3376, 7.1)."""
    wire = cursor.wire_end if cursor.wire_end is not None else cursor.end
    code = cursor.u8("response time")
    cursor.skip(2, "checksum")
    group = _ip(cursor, "group")
    if wire < _QUERY_V3_BYTES:
        return IgmpQuery(version=2 if code else 1, group=group, response_ms=code * 100 or 10_000)
    cursor.skip(2, "flags and interval")
    sources = tuple(_ip(cursor, "source") for _ in range(cursor.u16("number of sources")))
    return IgmpQuery(version=3, group=group, response_ms=floating(code) * 100, sources=sources)


def floating(code: int) -> int:
    """A time above 127 has three bits of exponent and four of mantissa (RFC 3376, 4.1.1)."""
    return code if code < 128 else (code & 15 | 16) << (code >> 4 & 7) + 3


def _record(cursor: Cursor) -> GroupRecord:
    kind, words, sources = cursor.u8("record type"), cursor.u8("auxiliary words"), cursor.u16("number of sources")
    group = _ip(cursor, "group")
    record = GroupRecord(type=kind, group=group, sources=tuple(_ip(cursor, "source") for _ in range(sources)))
    cursor.skip(words * 4, "auxiliary data")
    return record


def _ip(cursor: Cursor, what: str) -> str:
    return str(IPv4Address(cursor.take(4, what)))


DISSECTOR = Dissector(
    name="igmp",
    spec="RFC 3376",
    messages=(IgmpQuery, IgmpReport),
    read=read,
    layer=Layer.TRANSPORT,
    ip_protocols=frozenset({_IGMP}),
    sample=Sample(first=16, every_ns=_SECOND),
)
