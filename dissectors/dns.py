"""DNS over UDP and TCP, multicast DNS and LLMNR (RFC 1035, 6762, 4795).

Names are the hostile part: compression pointers may loop, run forward, or make a few bytes stand for a lot of text.
Here a pointer only ever leads backward, a name has 255 bytes at most, and what a pointer led to is remembered, so that
the work for a message grows no faster than its bytes.
"""

import struct
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Literal

from pcapdx.dissect import Cursor, Dissector, Malformed, Sample, Seen, Traffic
from pcapdx.frame import Frame, ip_text
from pcapdx.values import dataclass

_PORT = 53
_TCP = 6
_HEADER = struct.Struct(">6H")
_TYPE_AND_CLASS = struct.Struct(">HH")
_RECORD = struct.Struct(">HHIH")
_NAME_BYTES = 255
_A, _NS, _CNAME, _PTR, _AAAA = 1, 2, 5, 12, 28
_NAMED = frozenset({_NS, _CNAME, _PTR})
_SECOND = 10**9
_SAMPLE = Sample(first=4, every_ns=10 * _SECOND, key_start=2, by_ends=False)  # the same question, whoever asks it
_TYPES = {_A: "A", _NS: "NS", _CNAME: "CNAME", 6: "SOA", _PTR: "PTR", 15: "MX", 16: "TXT", _AAAA: "AAAA", 33: "SRV"}
_RCODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


class Section(StrEnum):
    """Where in a message a record stands."""

    ANSWER = "answer"
    AUTHORITY = "authority"
    ADDITIONAL = "additional"


_SECTIONS = tuple(Section)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked."""

    name: str
    """As sent, without the final dot; the root is empty."""
    type: int
    cls: int
    """With the top bit, by which mDNS asks for a unicast answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One resource record."""

    section: Section
    name: str
    type: int
    ttl_s: int
    value: str | None
    """Of A, AAAA, CNAME, NS and PTR records; other data is not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns:
    """One message, query or response."""

    id: int
    response: bool
    opcode: int
    rcode: int
    """Low four bits; 0 no error, 2 SERVFAIL, 3 NXDOMAIN, 5 refused."""
    truncated: bool
    """The server says: too long for UDP, ask by TCP."""
    authoritative: bool
    recursion_desired: bool
    recursion_available: bool
    questions: tuple[Question, ...]
    records: tuple[Record, ...]

    @property
    def answers(self) -> tuple[Record, ...]:
        """The records of the answer section."""
        return tuple(record for record in self.records if record.section is Section.ANSWER)

    @property
    def addresses(self) -> tuple[str, ...]:
        """All A and AAAA addresses in the answer section."""
        wanted = (_A, _AAAA)
        return tuple(record.value for record in self.answers if record.type in wanted and record.value is not None)

    @property
    def name(self) -> str | None:
        """The name asked for first."""
        return self.questions[0].name if self.questions else None

    @property
    def type(self) -> int | None:
        """The type asked for first."""
        return self.questions[0].type if self.questions else None

    @property
    def label(self) -> str:
        """``Standard query A data-server``; answers with their code or first address."""
        words = ["Standard query" if self.opcode == 0 else f"Operation {self.opcode}"]
        if self.response:
            words.append("response")
        if self.questions:
            words.append(f"{_TYPES.get(self.questions[0].type, self.questions[0].type)} {self.questions[0].name}")
        if self.response:
            words.append(_RCODES.get(self.rcode, str(self.rcode)) if self.rcode else next(iter(self.addresses), ""))
        return " ".join(words).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsExchange:
    """A query with its retries, and the answer to it. Only of port 53: the multicast kinds ask everybody.

    Of a question that is asked again and again only a sample is kept, whoever asks. So a missing exchange is no missing
    query, and whether a client was left without answer is to be judged by its UDP flow (``responder.packets``), never
    by exchanges that are not there.
    """

    vlan: int
    """Outermost VLAN id, 0 untagged."""
    vni: int | None
    client: str
    server: str
    id: int
    name: str
    """In lower case."""
    type: int
    transport: Literal["udp", "tcp"]
    queries: tuple[Seen[Dns], ...]
    answer: Seen[Dns] | None

    @property
    def rcode(self) -> int | None:
        """The answer's response code."""
        return None if self.answer is None else self.answer.message.rcode

    @property
    def addresses(self) -> tuple[str, ...]:
        """The answer's addresses."""
        return () if self.answer is None else self.answer.message.addresses

    @property
    def rtt_ns(self) -> int | None:
        """From the last query before the answer to the answer."""
        return None if self.answer is None else self.answer.ts_ns - self.queries[-1].ts_ns


def read(cursor: Cursor) -> Iterator[Dns]:
    """The message of a datagram, or all of a stream, where each has its length before it."""
    if cursor.frame is not None:
        yield _message(cursor)
        return
    while cursor.left:
        length = cursor.u16("length")
        yield _message(cursor.sub(length, "message"))


def name(cursor: Cursor, base: int = 0, known: dict[int, tuple[str, int]] | None = None) -> str:
    """A domain name in wire format, without the final dot. Compression pointers count from ``base``.

    ``known`` keeps what each pointer led to (text and bytes of it) for the next name of the same message. Malformed
    when a pointer does not lead backward or the name has more than 255 bytes.
    """
    labels: list[str] = []
    size = 1
    jumps: list[tuple[int, int, int]] = []
    lowest, after_pointer = cursor.at, None
    while length := cursor.u8("label length"):
        if length < 64:
            labels.append(cursor.take(length, "label").decode("utf-8", "replace"))
            size += length + 1
        elif length < 192:
            raise Malformed(f"label type {length >> 6}", cursor.at - 1)
        else:
            target = base + ((length & 63) << 8 | cursor.u8("compression pointer"))
            if target >= lowest:
                raise Malformed("compression pointer does not lead backward", cursor.at - 2)
            if after_pointer is None:
                after_pointer = cursor.at
            if known is not None and target in known:
                text, text_bytes = known[target]
                if text:
                    labels.append(text)
                size += text_bytes
                break
            jumps.append((target, len(labels), size))
            cursor.at = lowest = target
        if size > _NAME_BYTES:
            raise Malformed(f"name longer than {_NAME_BYTES} bytes", cursor.at)
    if size > _NAME_BYTES:
        raise Malformed(f"name longer than {_NAME_BYTES} bytes", cursor.at)
    if after_pointer is not None:
        cursor.at = after_pointer
        if known is not None:
            for target, labels_before, size_before in jumps:
                known[target] = ".".join(labels[labels_before:]), size - size_before
    return ".".join(labels)


def _message(cursor: Cursor) -> Dns:
    base = cursor.at
    ident, flags, *counts = _HEADER.unpack(cursor.take(_HEADER.size, "header"))
    known: dict[int, tuple[str, int]] = {}
    questions = [_question(cursor, base, known) for _ in range(counts[0])]
    records = [
        _record(cursor, base, known, section)
        for section, count in zip(_SECTIONS, counts[1:], strict=True)
        for _ in range(count)
    ]
    return Dns(
        id=ident,
        response=bool(flags & 0x8000),
        opcode=flags >> 11 & 15,
        rcode=flags & 15,
        truncated=bool(flags & 0x0200),
        authoritative=bool(flags & 0x0400),
        recursion_desired=bool(flags & 0x0100),
        recursion_available=bool(flags & 0x0080),
        questions=tuple(questions),
        records=tuple(records),
    )


def _question(cursor: Cursor, base: int, known: dict[int, tuple[str, int]]) -> Question:
    asked = name(cursor, base, known)
    kind, cls = _TYPE_AND_CLASS.unpack(cursor.take(_TYPE_AND_CLASS.size, "type and class"))
    return Question(name=asked, type=kind, cls=cls)


def _record(cursor: Cursor, base: int, known: dict[int, tuple[str, int]], section: Section) -> Record:
    owner = name(cursor, base, known)
    kind, _, ttl_s, length = _RECORD.unpack(cursor.take(_RECORD.size, "type, class, TTL, length"))
    data = cursor.sub(length, "record data")
    value = None
    if kind == _A and length == 4:
        value = ip_text(4, 0, 0, 0, data.u32("address"))
    elif kind == _AAAA and length == 16:
        value = ip_text(6, *(data.u32("address") for _ in range(4)))
    elif kind in _NAMED and length:
        value = name(data, base, known)
    return Record(section=section, name=owner, type=kind, ttl_s=ttl_s, value=value)


def pair(traffic: Traffic) -> Iterator[DnsExchange]:
    """One exchange per question asked on port 53, in the order asked. Answers to unseen queries are left out."""
    asked: list[tuple[bool, tuple[list[Seen[Dns]], list[Seen[Dns]]]]] = []
    waiting: dict[tuple[object, ...], tuple[list[Seen[Dns]], list[Seen[Dns]]]] = {}
    alike: Counter[tuple[object, ...]] = Counter()
    for seen in traffic.seen:
        message: Dns = seen.message
        frame = seen.frame
        if message.response:
            if frame.sport == _PORT:
                found = waiting.get(_key(frame, message, frame.dst, frame.dport, frame.src))
                if found is not None and not found[1]:
                    found[1].append(seen)
            continue
        if frame.dport != _PORT or message.name is None:
            continue
        question = (frame.segment, message.name[:40], message.type)
        alike[question] += 1
        key = _key(frame, message, frame.src, frame.sport, frame.dst)
        found = waiting.get(key)
        if found is None or found[1]:
            found = waiting[key] = ([], [])
            asked.append((alike[question] <= _SAMPLE.first, found))
        found[0].append(seen)
    for sure, (queries, answers) in asked:
        # Beyond its first few, the sample keeps queries and answers by their own clocks: a missing answer is no sign.
        if sure or answers:
            yield _exchange(queries, answers)


def _key(frame: Frame, message: Dns, client: str | None, port: int, server: str | None) -> tuple[object, ...]:
    asked = message.name.lower() if message.name is not None else None
    return frame.segment, client, port, server, frame.ip_protocol, message.id, asked, message.type


def _exchange(queries: list[Seen[Dns]], answers: list[Seen[Dns]]) -> DnsExchange:
    first = queries[0]
    frame, message = first.frame, first.message
    return DnsExchange(
        vlan=frame.vlan,
        vni=frame.vni if frame.vni >= 0 else None,
        client=frame.src or "",
        server=frame.dst or "",
        id=message.id,
        name=(message.name or "").lower(),
        type=message.type or 0,
        transport="tcp" if frame.ip_protocol == _TCP else "udp",
        queries=tuple(queries),
        answer=answers[0] if answers else None,
    )


DISSECTOR = Dissector(
    name="dns",
    spec="RFC 1035",
    messages=(Dns,),
    read=read,
    udp_ports=frozenset({_PORT, 5353, 5355}),
    tcp_ports=frozenset({_PORT}),
    sample=_SAMPLE,
    pair=pair,
    exchanges=(DnsExchange,),
    names=frozenset({"questions.name", "records.name", "records.value"}),
)
