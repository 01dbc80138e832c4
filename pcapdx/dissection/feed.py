"""Feeds dissectors: datagrams at once, streams when both sides have closed them or memory is short.

Memory is bounded: a stream by what its dissectors ask for, all streams together by ``MOST_STREAM_BYTES`` (then the
oldest are read as far as they go, and take no more), a dissector's messages by ``MOST_MESSAGES``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from operator import attrgetter
from typing import Any

import numpy as np

from pcapdx.dissect import (
    Conversation,
    Cursor,
    Dissector,
    End,
    Layer,
    Malformed,
    Seen,
    Traffic,
    Truncated,
    in_time_order,
)
from pcapdx.dissection.anomalies import AnomalyCounter
from pcapdx.dissection.fragments import UDP, Datagram, Fragments
from pcapdx.dissection.streams import Assembled, Direction, Segment, assemble
from pcapdx.flowtable import FlowTable
from pcapdx.frame import TWIN, Frame
from pcapdx.model import InternalError
from pcapdx.sieve.columns import ANOMALIES, ANOMALY_LAYERS, Array
from pcapdx.sieve.engine import Claimed
from pcapdx.values import dataclass

MOST_STREAM_BYTES = 64 << 20
MOST_MESSAGES = 50_000
TCP = 6
_NUMBER = attrgetter("number")
_BEGINS = ("tag_offset", "link_offset", "network_offset", "transport_offset", "payload_offset")
"""By Layer: the column that tells where it begins."""


@dataclass(slots=True)
class _Stream:
    originator: Direction = field(default_factory=Direction)
    responder: Direction = field(default_factory=Direction)
    claims: int = 0


@dataclass(slots=True)
class _Read:
    """What dissectors made of one flow: by dissector, its messages."""

    seen: dict[int, list[Seen[Any]]]
    assembled: list[tuple[End, int]]
    """Of each direction: where putting it together stopped, and after how many bytes."""


class Feed:
    """One capture's messages. Offer it the claimed frames of each block, then ask for :meth:`traffic`."""

    def __init__(self, dissectors: Sequence[Dissector], capture: str, *, strict: bool = False) -> None:
        self._dissectors = tuple(dissectors)
        self._stream_mask = sum(1 << i for i, one in enumerate(dissectors) if one.tcp_ports or one.tcp_starts)
        self._datagram_mask = sum(1 << i for i, one in enumerate(dissectors) if _claims_datagrams(one))
        self._payload_mask = sum(1 << i for i, one in enumerate(dissectors) if one.layer is Layer.PAYLOAD)
        """Of TCP these read streams, not frames."""
        self._whole_mask = sum(
            1 << i
            for i, one in enumerate(dissectors)
            if one.layer in (Layer.TRANSPORT, Layer.PAYLOAD) and not one.fragments
        )
        """These get UDP datagrams put together from fragments."""
        self._tags_mask = sum(1 << i for i, one in enumerate(dissectors) if one.layer is Layer.TAGS)
        self._fragments = Fragments()
        self._strict = strict
        """Let a dissector's bug escape (tests) instead of reporting it."""
        self._datagrams: list[list[Seen[Any]]] = [[] for _ in dissectors]
        self._streams: dict[int, _Stream] = {}
        self._read: dict[int, _Read] = {}
        self._kept_bytes = 0
        self._bugs: dict[str, InternalError] = {}
        self.anomalies = AnomalyCounter(capture)
        self.left_out = [0] * len(self._dissectors)
        """By dissector: frames beyond MOST_MESSAGES."""

    def offer(self, claimed: Claimed, flows: Array, sides: Array) -> None:
        """Takes the claimed frames of a block. The sieve may be some blocks ahead in its flow tables."""
        rows, data = claimed.rows, claimed.data
        for row in rows[rows["anomaly"] > 0]:
            self._note_headers(Frame(row.tobytes()))
        of_streams = (rows["ip_protocol"] == TCP) & (rows["flow"] >= 0) & (rows["claims"] & self._stream_mask > 0)
        self._keep_segments(rows, of_streams & (rows["flags"] & TWIN == 0), claimed.starts, data)
        datagrams = np.where(rows["ip_protocol"] == TCP, rows["claims"] & ~self._payload_mask, rows["claims"])
        datagrams &= self._datagram_mask
        places = np.flatnonzero(datagrams)
        packed = rows[places].tobytes()
        for at, (place, mask) in enumerate(zip(places.tolist(), datagrams[places].tolist(), strict=True)):
            self._read_datagram(Frame.at(packed, at), mask, data, claimed.starts[place])
        for index in claimed.ended:
            if index in self._streams:
                self._finish(index, sides, over=True)
        if self._kept_bytes > MOST_STREAM_BYTES:
            for index in list(self._streams)[: len(self._streams) // 2 + 1]:
                self._finish(index, sides, over=False)
                flows[index]["stream_limit"] = 0

    def _note_headers(self, frame: Frame) -> None:
        kind = ANOMALIES[frame.anomaly & 15]
        layer = ANOMALY_LAYERS[frame.anomaly >> 4]
        self.anomalies.add(layer, kind, "", frame=frame.number, offset=frame.anomaly_offset)

    def _keep_segments(self, rows: Array, wanted: Array, starts: list[int], data: memoryview) -> None:
        """Copies the payloads of TCP segments; column by column, for there may be very many."""
        kept = rows[wanted]
        packed = kept.tobytes()
        columns = (
            kept[name].tolist()
            for name in (
                "flow",
                "from_originator",
                "claims",
                "number",
                "tcp_seq",
                "payload_wire_bytes",
                "payload_offset",
                "end_offset",
            )
        )
        begins = [starts[place] for place in np.flatnonzero(wanted).tolist()]
        for place, (start, flow, first, claims, number, sequence, wire, begin, end) in enumerate(
            zip(begins, *columns, strict=True)
        ):
            stream = self._streams.get(flow)
            if stream is None:
                if flow in self._read:
                    continue
                stream = self._streams[flow] = _Stream()
            stream.claims |= claims & self._stream_mask
            payload = bytes(data[start + begin : start + end])
            side = stream.originator if first else stream.responder
            side.add(Segment(packed, place, number, sequence, wire, payload))
            self._kept_bytes += len(payload)

    def _read_datagram(self, frame: Frame, mask: int, data: memoryview, start: int) -> None:
        end, numbers = start + frame.end_offset, (frame.number,)
        if frame.ip_protocol == UDP and (frame.more_fragments or frame.fragment_offset):
            if not frame.flags & TWIN:
                piece = bytes(data[start + frame.transport_offset : end])
                self._read_together(self._fragments.add(frame, mask & self._whole_mask, piece))
            mask &= self._tags_mask if frame.fragment_offset else ~self._whole_mask
        for bit in _bits(mask):
            dissector = self._dissectors[bit]
            if len(self._datagrams[bit]) >= MOST_MESSAGES:
                self.left_out[bit] += 1
                continue
            begin, wire_bytes = _span(frame, dissector.layer)
            cursor = Cursor(bytes(data[start + begin : end]), wire_bytes=wire_bytes, frame=frame)
            for message in self._run(dissector, cursor, frame.number):
                self._datagrams[bit].append(Seen(message=message, frame=frame, frames=numbers))

    def _read_together(self, datagrams: Iterable[Datagram]) -> None:
        """Reads datagrams that came in fragments."""
        for one in datagrams:
            for bit in _bits(one.mask):
                dissector = self._dissectors[bit]
                if len(self._datagrams[bit]) >= MOST_MESSAGES:
                    self.left_out[bit] += 1
                    continue
                data, wire_bytes = one.part(dissector.layer)
                cursor = Cursor(data, wire_bytes=wire_bytes, frame=one.frame)
                for message in self._run(dissector, cursor, one.frame.number):
                    self._datagrams[bit].append(Seen(message=message, frame=one.frame, frames=one.frames))

    def _run(self, dissector: Dissector, cursor: Cursor, number: int | None) -> Iterator[object]:
        """The dissector's messages; what it raises becomes an anomaly or an internal error."""
        try:
            if dissector.read is not None:
                yield from dissector.read(cursor)
        except Malformed as problem:
            self.anomalies.add(dissector.name, "malformed", problem.what, frame=number, offset=problem.offset)
        except Truncated as problem:
            self.anomalies.add(dissector.name, "truncated", problem.what, frame=number, offset=problem.offset)
        except Exception as bug:  # a plug-in's bug must not end the run
            self._note_bug(dissector, bug)

    def _note_bug(self, dissector: Dissector, bug: Exception) -> None:
        if self._strict:
            raise bug
        self._bugs.setdefault(dissector.name, InternalError(plugin=dissector.name, what=f"{type(bug).__name__}: {bug}"))

    def _finish(self, index: int, sides: Array, *, over: bool) -> None:
        """Reads a stream and lets go of its bytes."""
        stream = self._streams.pop(index)
        self._kept_bytes -= stream.originator.kept_bytes + stream.responder.kept_bytes
        self._read[index] = self._read_stream(stream, sides[2 * index : 2 * index + 2], over=over)

    def _read_stream(self, stream: _Stream, sides: Array, *, over: bool) -> _Read:
        read = _Read({}, [])
        base, reached, fin = (sides[name].tolist() for name in ("base_seq", "next_seq", "fin"))
        for side, direction in enumerate((stream.originator, stream.responder)):
            assembled = assemble(direction, base[side])
            length = len(assembled.data)
            closed = over and _end_of(assembled.stop, length, reached[side], False, fin[side], False) is End.FIN
            read.assembled.append((assembled.stop, length))
            for bit in _bits(stream.claims):
                messages = self._read_direction(self._dissectors[bit], assembled, closed, side)
                read.seen.setdefault(bit, []).extend(messages)
        return read

    def _read_direction(
        self, dissector: Dissector, assembled: Assembled, closed: bool, side: int
    ) -> Iterator[Seen[Any]]:
        if not assembled.data:
            return
        cursor = Cursor(assembled.data, closed=closed)
        begin = 0
        for message in self._run(dissector, cursor, assembled.segments[-1].number):
            carriers = assembled.carriers(begin, max(cursor.at, begin + 1)) or assembled.segments[-1:]
            completed, numbers = carriers[0], (carriers[0].number,)
            if len(carriers) > 1:
                completed = max(carriers, key=_NUMBER)
                numbers = tuple(dict.fromkeys(map(_NUMBER, carriers)))
            yield Seen(message=message, frame=completed.frame, frames=numbers, from_originator=side == 0)
            begin = cursor.at

    def traffic(self, flows: FlowTable) -> dict[str, Traffic]:
        """By dissector name: all it saw, in time order, with the flows it saw it in.

        May be asked in mid-run; streams still open are read as far as they go.
        """
        self._read_together(self._fragments.flush())
        reads = dict(self._read)
        for index, stream in self._streams.items():
            reads[index] = self._read_stream(stream, flows.sides[2 * index : 2 * index + 2], over=True)
        ends = _ends(reads, flows)
        found: dict[str, Traffic] = {}
        for bit, dissector in enumerate(self._dissectors):
            conversations = tuple(
                Conversation(
                    flow=flows.at(index),
                    seen=in_time_order(read.seen[bit]),
                    originator_end=ends[index][0],
                    responder_end=ends[index][1],
                )
                for index, read in sorted(reads.items())
                if bit in read.seen
            )
            seen = [one for one in self._datagrams[bit] if not one.frame.flags & TWIN]
            seen.extend(one for conversation in conversations for one in conversation.seen)
            found[dissector.name] = Traffic(seen=in_time_order(seen), conversations=conversations)
        for dissector in self._dissectors:
            if dissector.builds_on is not None:
                found[dissector.name] = self._refined(dissector, found.get(dissector.builds_on, Traffic()))
        return found

    def _refined(self, dissector: Dissector, traffic: Traffic) -> Traffic:
        """Another dissector's traffic, message by message turned into this one's."""
        if dissector.refine is None:  # pairs another's messages and has none of its own, so that none is listed twice
            return traffic if dissector.messages else Traffic(conversations=traffic.conversations)
        conversations = tuple(
            replace(one, seen=seen)
            for one in traffic.conversations
            if (seen := tuple(self._refine_each(dissector, one.seen)))
        )
        in_streams = {id(one) for conversation in traffic.conversations for one in conversation.seen}
        alone = self._refine_each(dissector, [one for one in traffic.seen if id(one) not in in_streams])
        everything = [*alone, *(one for conversation in conversations for one in conversation.seen)]
        return Traffic(seen=in_time_order(everything), conversations=conversations)

    def _refine_each(self, dissector: Dissector, seen: Iterable[Seen[Any]]) -> Iterator[Seen[Any]]:
        assert dissector.refine is not None
        try:
            for one in seen:
                for message in dissector.refine(one):
                    yield Seen(message=message, frame=one.frame, frames=one.frames, from_originator=one.from_originator)
        except Exception as bug:  # a plug-in's bug must not end the run
            self._note_bug(dissector, bug)

    @property
    def bugs(self) -> tuple[InternalError, ...]:
        """One entry for each dissector that raised what it may not raise."""
        return tuple(self._bugs.values())


def _bits(mask: int) -> list[int]:
    """Which bits are set."""
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def _span(frame: Frame, layer: Layer) -> tuple[int, int]:
    """Where a layer begins in a frame, and how long it was on the wire."""
    begin: int = getattr(frame, _BEGINS[layer])
    if layer is Layer.PAYLOAD:
        return begin, frame.payload_wire_bytes
    if layer is Layer.TRANSPORT:
        return begin, frame.payload_offset - begin + frame.payload_wire_bytes
    if frame.captured_bytes == frame.wire_bytes:
        return begin, frame.end_offset - begin
    return begin, frame.wire_bytes - begin


def _ends(reads: Mapping[int, _Read], flows: FlowTable) -> dict[int, tuple[End, End]]:
    """How both directions of each flow ended, from where putting them together stopped and what the sieve saw."""
    indexes = np.fromiter(reads, np.int64, len(reads))
    limits = flows.rows["stream_limit"][indexes].tolist()
    both = np.stack((2 * indexes, 2 * indexes + 1), axis=1)
    reached, spooled, fin, rst = (flows.sides[name][both].tolist() for name in ("next_seq", "spooled", "fin", "rst"))
    found = {}
    for place, (index, read) in enumerate(reads.items()):
        reset = any(rst[place])
        first, second = (
            _end_of(stop, length, reached[place][side], spooled[place][side] >= limits[place], fin[place][side], reset)
            for side, (stop, length) in enumerate(read.assembled)
        )
        found[index] = first, second
    return found


def _end_of(stop: End, length: int, reached: int, limited: bool, fin: int, rst: bool) -> End:
    """How a direction ended of which ``length`` bytes were put together, while ``reached`` were sent."""
    if stop is not End.OPEN:
        return stop
    if reached > length:
        return End.LIMIT if limited else End.GAP
    return End.FIN if fin else End.RST if rst else End.OPEN


def _claims_datagrams(one: Dissector) -> bool:
    return bool(one.ethertypes or one.llc_saps or one.eth_dsts or one.ip_protocols or one.udp_ports)
