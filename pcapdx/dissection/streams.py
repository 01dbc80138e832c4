"""TCP streams put together: one direction's segments in any order, repeated, overlapping, cut, with gaps.

The first captured copy of a byte wins, as a receiver keeps what it has. What follows a gap is not read: a dissector
gets contiguous bytes or none.
"""

from bisect import bisect_left
from dataclasses import field

from pcapdx.dissect import End
from pcapdx.frame import Frame
from pcapdx.values import dataclass

MASK32 = 0xFFFF_FFFF


@dataclass(slots=True)
class Segment:
    """One segment with payload. Its frame is cut out of the packed rows of a block when a message needs it."""

    rows: bytes
    place: int
    number: int
    sequence: int
    wire_bytes: int
    payload: bytes
    _frame: Frame | None = None

    @property
    def cut(self) -> bool:
        """The snap length took part of its payload."""
        return len(self.payload) < self.wire_bytes

    @property
    def frame(self) -> Frame:
        """The frame that carried it."""
        if self._frame is None:
            self._frame = Frame.at(self.rows, self.place)
        return self._frame


@dataclass(slots=True)
class Direction:
    """What one side sent, as far as it was kept."""

    segments: list[Segment] = field(default_factory=list)
    kept_bytes: int = 0

    def add(self, segment: Segment) -> None:
        """Keeps a segment, in any order."""
        self.segments.append(segment)
        self.kept_bytes += len(segment.payload)


@dataclass(frozen=True, slots=True)
class Assembled:
    """Contiguous bytes of one direction and who carried them."""

    data: bytes
    ends: tuple[int, ...]
    """Offset just behind the bytes that ``segments`` at the same place contributed; ascending."""
    segments: tuple[Segment, ...]
    stop: End
    """GAP or CUT where that ended the bytes, otherwise OPEN."""

    def carriers(self, begin: int, end: int) -> tuple[Segment, ...]:
        """The segments that carried bytes ``begin`` to ``end``, in stream order."""
        return self.segments[bisect_left(self.ends, begin + 1) : bisect_left(self.ends, end) + 1]


def assemble(direction: Direction, base_seq: int) -> Assembled:
    """Puts a direction together from ``base_seq`` on (the raw number of its first byte).

    Where the capture began in mid-stream the earliest segment begins it, even if it came out of order.
    """
    placed = [(_relative(segment.sequence, base_seq), segment) for segment in direction.segments]
    placed.sort(key=lambda pair: pair[0])
    parts: list[bytes] = []
    ends: list[int] = []
    used: list[Segment] = []
    begin = min(placed[0][0], 0) if placed else 0
    reached = begin
    stop = End.OPEN
    cut_at: int | None = None
    for at, segment in placed:
        if at > reached:
            stop = End.CUT if cut_at == reached else End.GAP
            break
        fresh = segment.payload[reached - at :]
        if segment.cut and at + len(segment.payload) >= reached:
            cut_at = at + len(segment.payload)
        if fresh:
            parts.append(fresh)
            reached += len(fresh)
            ends.append(reached - begin)
            used.append(segment)
    else:
        if cut_at == reached and placed:
            stop = End.CUT
    return Assembled(b"".join(parts), tuple(ends), tuple(used), stop)


def _relative(sequence: int, base: int) -> int:
    """Distance of a raw sequence number from ``base``, within 2**31 both ways (kept streams are far shorter)."""
    delta = (sequence - base) & MASK32
    return delta - 0x1_0000_0000 if delta >= 0x8000_0000 else delta
