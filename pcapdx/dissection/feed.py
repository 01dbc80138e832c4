"""Feeds dissectors: datagrams at once, streams when they are over or memory is short.

Memory is bounded: a stream by what its dissectors ask for, all streams together by ``MOST_STREAM_BYTES`` (then the oldest
are read as far as they go, and take no more), a dissector's messages by ``MOST_MESSAGES``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pcapdx.dissect import (
    Conversation,
    Cursor,
    Dissector,
    End,
    Flow,
    Layer,
    Malformed,
    Seen,
    Traffic,
    Truncated,
    in_time_order,
)
from pcapdx.dissection.anomalies import AnomalyCounter
from pcapdx.dissection.streams import Assembled, Direction, Segment, assemble
from pcapdx.frame import TWIN, Frame
from pcapdx.model import InternalError
from pcapdx.sieve.columns import ANOMALIES, ANOMALY_LAYERS, Array
from pcapdx.sieve.engine import ClaimedFrame

MOST_STREAM_BYTES = 64 << 20
MOST_MESSAGES = 50_000
TCP = 6


@dataclass(slots=True)
class _Stream:
    originator: Direction = field(default_factory=Direction)
    responder: Direction = field(default_factory=Direction)
    claims: int = 0


@dataclass(slots=True)
class _Read:
    """What dissectors made of one flow: by dissector, its messages."""

    seen: dict[int, list[Seen[Any]]]
    ends: tuple[End, End]


class Feed:
    """One capture's messages. Offer it the claimed frames of each block, then ask for :meth:`traffic`."""

    def __init__(self, dissectors: Sequence[Dissector], capture: str, *, strict: bool = False) -> None:
        self._dissectors = tuple(dissectors)
        self._stream_mask = sum(1 << i for i, one in enumerate(dissectors) if one.tcp_ports or one.tcp_first_bytes)
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

    def offer(self, claimed: Iterator[ClaimedFrame], data: memoryview, flows: Array) -> None:
        """Takes the claimed frames of a block; ``flows`` is the sieve's table, in which full streams are closed."""
        for one in claimed:
            frame = one.frame
            if frame.anomaly:
                self._note_headers(frame)
            if frame.claims == 0:
                continue
            if frame.ip_protocol == TCP and frame.flow >= 0:
                self._keep_segment(frame, data, one.start)
            self._read_datagram(frame, data, one.start)
        if self._kept_bytes > MOST_STREAM_BYTES:
            self._make_room(flows)

    def _note_headers(self, frame: Frame) -> None:
        kind = ANOMALIES[frame.anomaly & 15]
        layer = ANOMALY_LAYERS[frame.anomaly >> 4]
        self.anomalies.add(layer, kind, "", frame=frame.number, offset=frame.anomaly_offset)

    def _keep_segment(self, frame: Frame, data: memoryview, start: int) -> None:
        if frame.payload_wire_bytes == 0 or frame.flags & TWIN:
            return
        stream_claims = frame.claims & self._stream_mask
        if not stream_claims:
            return
        stream = self._streams.get(frame.flow)
        if stream is None:
            if frame.flow in self._read:
                return
            stream = self._streams[frame.flow] = _Stream()
        stream.claims |= stream_claims
        payload = bytes(data[start + frame.payload_offset : start + frame.end_offset])
        side = stream.originator if frame.from_originator else stream.responder
        side.add(Segment(frame, payload))
        self._kept_bytes += len(payload)

    def _read_datagram(self, frame: Frame, data: memoryview, start: int) -> None:
        for bit, dissector in enumerate(self._dissectors):
            if not frame.claims >> bit & 1 or (frame.ip_protocol == TCP and dissector.layer is Layer.PAYLOAD):
                continue
            if len(self._datagrams[bit]) >= MOST_MESSAGES:
                self.left_out[bit] += 1
                continue
            begin, wire_bytes = _span(frame, dissector.layer)
            cursor = Cursor(bytes(data[start + begin : start + frame.end_offset]), wire_bytes=wire_bytes, frame=frame)
            for message in self._run(dissector, cursor, frame.number):
                self._datagrams[bit].append(Seen(message=message, frame=frame, frames=(frame.number,)))

    def _run(self, dissector: Dissector, cursor: Cursor, number: int | None) -> Iterator[object]:
        """The dissector's messages; what it raises becomes an anomaly or an internal error."""
        try:
            yield from dissector.read(cursor)
        except Malformed as problem:
            self.anomalies.add(dissector.name, "malformed", problem.what, frame=number, offset=problem.offset)
        except Truncated as problem:
            self.anomalies.add(dissector.name, "truncated", problem.what, frame=number, offset=problem.offset)
        except Exception as bug:  # a plug-in's bug must not end the run
            if self._strict:
                raise
            self._bugs.setdefault(
                dissector.name, InternalError(plugin=dissector.name, what=f"{type(bug).__name__}: {bug}")
            )

    def _make_room(self, flows: Array) -> None:
        """Reads the older half of the streams and lets them take no more."""
        for index in list(self._streams)[: len(self._streams) // 2 + 1]:
            stream = self._streams.pop(index)
            self._kept_bytes -= stream.originator.kept_bytes + stream.responder.kept_bytes
            self._read[index] = self._read_stream(index, stream, flows[index])
            flows[index]["stream_limit"] = 0

    def _read_stream(self, index: int, stream: _Stream, row: Array) -> _Read:
        seen: dict[int, list[Seen[Any]]] = {}
        ends = []
        for side, direction in enumerate((stream.originator, stream.responder)):
            assembled = assemble(direction, int(row["base_seq"][side]))
            end = _end_of(assembled, side, row)
            ends.append(end)
            for bit, dissector in enumerate(self._dissectors):
                if stream.claims >> bit & 1:
                    seen.setdefault(bit, []).extend(self._read_direction(dissector, assembled, end, side))
        return _Read(seen, (ends[0], ends[1]))

    def _read_direction(self, dissector: Dissector, assembled: Assembled, end: End, side: int) -> Iterator[Seen[Any]]:
        if not assembled.data:
            return
        cursor = Cursor(assembled.data, closed=end is End.FIN)
        begin = 0
        for message in self._run(dissector, cursor, assembled.frames[-1].number):
            carriers = assembled.carriers(begin, max(cursor.at, begin + 1)) or assembled.frames[-1:]
            completed = max(carriers, key=lambda frame: frame.number)
            numbers = tuple(dict.fromkeys(frame.number for frame in carriers))
            yield Seen(message=message, frame=completed, frames=numbers, from_originator=side == 0)
            begin = cursor.at

    def traffic(self, rows: Array, flow: Callable[[int], Flow]) -> dict[str, Traffic]:
        """By dissector name: all it saw, in time order, with the flows it saw it in.

        ``rows`` is the sieve's flow table. May be asked in mid-run; streams still open are read as far as they go.
        """
        reads = dict(self._read)
        for index, stream in self._streams.items():
            reads[index] = self._read_stream(index, stream, rows[index])
        by_dissector: dict[str, Traffic] = {}
        for bit, dissector in enumerate(self._dissectors):
            conversations = tuple(
                Conversation(
                    flow=flow(index),
                    seen=in_time_order(read.seen[bit]),
                    originator_end=read.ends[0],
                    responder_end=read.ends[1],
                )
                for index, read in sorted(reads.items())
                if bit in read.seen
            )
            seen = [one for one in self._datagrams[bit] if not one.frame.flags & TWIN]
            seen.extend(one for conversation in conversations for one in conversation.seen)
            by_dissector[dissector.name] = Traffic(seen=in_time_order(seen), conversations=conversations)
        return by_dissector

    @property
    def bugs(self) -> tuple[InternalError, ...]:
        """One entry for each dissector that raised what it may not raise."""
        return tuple(self._bugs.values())


def _span(frame: Frame, layer: Layer) -> tuple[int, int]:
    """Where a layer begins in a frame, and how long it was on the wire."""
    begin = (
        frame.tag_offset,
        frame.link_offset,
        frame.network_offset,
        frame.transport_offset,
        frame.payload_offset,
    )[layer]
    if layer is Layer.PAYLOAD:
        return begin, frame.payload_wire_bytes
    if layer is Layer.TRANSPORT:
        return begin, frame.payload_offset - begin + frame.payload_wire_bytes
    if frame.captured_bytes == frame.wire_bytes:
        return begin, frame.end_offset - begin
    return begin, frame.wire_bytes - begin


def _end_of(assembled: Assembled, side: int, row: Array) -> End:
    """How a direction ended, from what was put together and what the sieve saw beyond it."""
    if assembled.stop is not End.OPEN:
        return assembled.stop
    if int(row["next_seq"][side]) > len(assembled.data):
        return End.LIMIT if row["spooled"][side] >= row["stream_limit"] else End.GAP
    if row["fin"][side]:
        return End.FIN
    if row["rst"][side] or row["rst"][1 - side]:
        return End.RST
    return End.OPEN
