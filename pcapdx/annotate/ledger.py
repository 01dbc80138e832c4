"""What is to be overwritten, and where: ranges of TCP streams, ranges of single frames, and the values themselves.

A value is replaced by its number and a row of ``x``: so equal values stay equal and different ones different, as the
diagnosis needs, and nothing else of them is left.
"""

from collections import Counter
from dataclasses import field

from pcapdx.values import dataclass

FOREVER = 1 << 62
"""End of what goes on to the end of a stream."""
BINARY = 0xFE
"""Filler of what is no text, for it shall not become one."""
KEPT_VALUE = 65_536
"""Bytes of a value that are looked for in what was written."""
MOST_VALUES = 10_000
MASK32 = 0xFFFF_FFFF

Side = tuple[int, int]
"""Flow, and 0 for its originator or 1 for its responder."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a stream (or of a frame) and what is written over it."""

    begin: int
    end: int
    filler: bytes
    """As long as the range; a single byte for ranges whose end is not known."""

    def over(self, begin: int, end: int) -> bytes:
        """What goes over ``begin`` to ``end``, which lies within."""
        if len(self.filler) == 1:
            return self.filler * (end - begin)
        return self.filler[begin - self.begin : end - self.begin]


@dataclass(slots=True)
class Ledger:
    """Everything that was found in one capture."""

    streams: dict[Side, dict[tuple[int, int], Span]] = field(default_factory=dict)
    """By range: offsets from the side's base."""
    bases: dict[Side, int] = field(default_factory=dict)
    """Raw sequence number from which a side's offsets count."""
    frames: dict[int, list[Span]] = field(default_factory=dict)
    """By frame number: offsets from the frame's beginning."""
    far: dict[int, int] = field(default_factory=dict)
    """By frame of a first IP fragment: by how much the words of later ones change."""
    values: dict[bytes, int] = field(default_factory=dict)
    """Every value and its number."""
    kinds: Counter[str] = field(default_factory=Counter)
    """How many of each kind."""
    again: int = 0
    """Places beside those that were known where a value stood, too."""
    full: bool = False
    """There were more values than are kept."""

    def stream(self, side: Side, begin: int, end: int, kind: str, value: bytes = b"") -> None:
        """Note a range of a stream; ``value`` is what stands there where all of it is at hand."""
        if begin >= end:
            return
        known = self.streams.setdefault(side, {})
        if (begin, end) not in known:
            known[begin, end] = Span(begin, end, self.filler(value) if value else b"x")
            self.kinds[kind] += 1

    def frame(self, number: int, begin: int, kind: str, value: bytes) -> None:
        """Note a range of one frame."""
        if value:
            self.frames.setdefault(number, []).append(Span(begin, begin + len(value), self.filler(value)))
            self.kinds[kind] += 1

    def put(self, side: Side, begin: int, new: bytes) -> None:
        """Note what goes over a range of a stream that is no secret; a secret in the same range stays masked."""
        known = self.streams.setdefault(side, {})
        span = begin, begin + len(new)
        if new and span not in known:
            known[span] = Span(*span, new)

    def know(self, value: bytes) -> None:
        """Note a value that nothing may hold, as what lies within an encoded one."""
        if value not in self.values:
            self.full = self.full or len(self.values) >= MOST_VALUES
            if not self.full:
                self.values[value[:KEPT_VALUE]] = len(self.values) + 1

    def filler(self, value: bytes) -> bytes:
        """What goes over a value."""
        self.know(value)
        number = self.values.get(value[:KEPT_VALUE], 0)
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            return bytes([number & 0x7F, number >> 7 & 0x7F, *[BINARY] * len(value)])[-len(value) :]
        text = (str(number).encode() + b"x" * len(value))[: len(value)]
        if b"\n" not in value:
            return text
        return bytes(old if old in b"\r\n" else new for old, new in zip(value, text, strict=True))


def unwrapped(sequence: int, base: int, last: int) -> int:
    """Offset of a raw sequence number from ``base``, near the offset ``last`` however often numbers went round."""
    delta = (sequence - base - last) & MASK32
    return last + (delta - 0x1_0000_0000 if delta >= 0x8000_0000 else delta)
