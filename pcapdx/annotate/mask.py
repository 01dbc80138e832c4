"""The second pass: overwrites in the bytes at hand what the first pass found, before they are written."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from pcapdx.annotate.ledger import Ledger, Side, Span, unwrapped
from pcapdx.annotate.needles import Needles
from pcapdx.annotate.overwrite import Change, overwrite, repair
from pcapdx.annotate.payload import Blanking, blank
from pcapdx.capture.records import Block, Stretch
from pcapdx.sieve.columns import Array
from pcapdx.sieve.engine import Sieve

TCP, SYN = 6, 2
CROSS = 0x78
"""What goes over a value found where nobody looked for it."""


class Masking:
    """Masks a capture stretch by stretch; needs the ledger of the same capture."""

    def __init__(self, ledger: Ledger, needles: Needles, *, fast: bool, blanking: Blanking | None = None) -> None:
        self.ledger = ledger
        self._needles = needles
        self._blanking = blanking
        self._sieve = blanking.sieve(fast=fast) if blanking else Sieve((), fast=fast)
        self._spans = {side: sorted(found.values(), key=_begin) for side, found in ledger.streams.items()}
        self._reach = {side: _reaches(spans) for side, spans in self._spans.items()}
        self._last: dict[Side, int] = defaultdict(int)
        sides = [2 * flow + side for flow, side in self._spans]
        self._masked = np.zeros(max(sides, default=0) + 3, np.bool_)
        self._masked[sides] = True
        self._frames = np.array(sorted({*ledger.frames, *ledger.far}), np.int64)
        self.bytes = 0
        """Bytes that became others."""

    def apply(self, stretch: Stretch, *, fast: bool) -> None:
        """Overwrites what has to be, in the bytes of the stretch."""
        if not (self._spans or len(self._frames) or self._needles or self._blanking):
            return
        block = stretch.block
        self._sieve.fast = fast
        rows = self._sieve.sweep(block)
        if self._spans or len(self._frames):
            self._planned(block, rows)
        self._elsewhere(stretch, rows)
        if self._blanking is not None:
            starts = block.records["offset"].tolist()
            for place, begin, end in self._blanking.ranges(block.data.data, starts, rows):
                blank(block.data.data, starts[place], rows[place], begin, end)

    def clean(self, text: str) -> str:
        """A text with crosses over every value in it."""
        data = bytearray(text.encode("utf-8", "surrogatepass"))
        for begin, end in list(self._needles.find(np.frombuffer(bytes(data), np.uint8))):
            data[begin:end] = bytes([CROSS]) * (end - begin)
        return data.decode("utf-8", "replace")

    def _planned(self, block: Block, rows: Array) -> None:
        known = self._streams(rows)
        wanted = known | np.isin(rows["number"], self._frames)
        view = block.data.data
        for place in np.flatnonzero(wanted).tolist():
            row = rows[place]
            changes = list(self._of_frame(row))
            if known[place]:
                changes += self._of_stream(row)
            far = self.ledger.far.get(int(row["number"]), 0)
            if far:
                repair(view, int(block.records["offset"][place]), row, far)
            if changes:
                self.bytes += overwrite(view, int(block.records["offset"][place]), row, changes)

    def _streams(self, rows: Array) -> Array:
        """Rows of streams of which something is overwritten."""
        sides = 2 * rows["flow"] + 1 - rows["from_originator"]
        known = (rows["flow"] >= 0) & (rows["ip_protocol"] == TCP) & (rows["payload_offset"] > 0)
        result: Array = known & self._masked[np.clip(sides, 0, len(self._masked) - 1)]
        return result

    def _of_frame(self, row: Any) -> Iterator[Change]:
        for span in self.ledger.frames.get(int(row["number"]), ()):
            end = min(span.end, int(row["end_offset"]))
            if span.begin < end:
                yield span.begin, span.over(span.begin, end)

    def _of_stream(self, row: Any) -> Iterator[Change]:
        side = int(row["flow"]), 1 - int(row["from_originator"])
        sequence = int(row["tcp_seq"]) + (int(row["tcp_flags"]) & SYN > 0)
        begin = unwrapped(sequence, self.ledger.bases[side], self._last[side])
        payload = int(row["payload_offset"])
        end = begin + int(row["end_offset"]) - payload
        self._last[side] = max(self._last[side], end)
        spans, reach = self._spans[side], self._reach[side]
        for place in range(bisect_right(reach, begin), len(spans)):
            span = spans[place]
            if span.begin >= end:
                break
            first, last = max(begin, span.begin), min(end, span.end)
            if first < last:
                yield payload + first - begin, span.over(first, last)

    def _elsewhere(self, stretch: Stretch, rows: Array) -> None:
        """Values that stand where nobody looked: fragments, other protocols, comments."""
        if not self._needles:
            return
        data, records = stretch.block.data, stretch.block.records
        view = data.data
        starts = records["offset"]
        for begin, end in list(self._needles.find(data[stretch.begin : stretch.end])):
            begin, end = begin + stretch.begin, end + stretch.begin
            place = int(np.searchsorted(starts, begin, "right")) - 1
            self.ledger.again += 1
            if place >= 0 and begin < int(starts[place]) + int(records["captured_bytes"][place]):
                start = int(starts[place])
                last = min(end, start + int(records["captured_bytes"][place]))
                self.bytes += overwrite(view, start, rows[place], [(begin - start, bytes([CROSS]) * (last - begin))])
            else:
                view[begin:end] = bytes([CROSS]) * (end - begin)


def _begin(span: Span) -> tuple[int, int]:
    return span.begin, -span.end


def _reaches(spans: list[Span]) -> list[int]:
    """The furthest end of each span and those before it: what bisection may pass over."""
    reached, result = -(1 << 62), []
    for span in spans:
        reached = max(reached, span.end)
        result.append(reached)
    return result
