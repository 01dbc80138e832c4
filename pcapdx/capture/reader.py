"""A capture from one file or pipe, whatever its container."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pcapdx.capture.notes import note
from pcapdx.capture.records import NO_TIME, RECORD, Block, CaptureFacts, Piece, Stretch
from pcapdx.capture.source import Source, Window
from pcapdx.capture.walk import BAD_OPTIONS, CUT_FRAMES, FIRST_NS, LAST_NS, TIMELESS

RECORDS = 65_536
"""Frames in a block at most."""


class Container(Protocol):
    """What a file format does: :class:`pcapdx.capture.pcap.Pcap` and :class:`pcapdx.capture.pcapng.Pcapng`."""

    protocol: str
    frames: int
    """Number of the last frame."""
    tally: npt.NDArray[np.int64]

    def walk(self, records: npt.NDArray[Any], fast: bool) -> tuple[int, int | None]:
        """Write the records of the frames in the window: how many, and the bytes needed for the next."""
        ...


class FileReader:
    """A :class:`pcapdx.capture.records.Reader` of one file or pipe."""

    def __init__(self, source: Source, window: Window, container: Container, facts: CaptureFacts) -> None:
        self.facts = facts
        self._source = source
        self._window = window
        self._container = container
        self._records = np.empty(RECORDS, RECORD)

    @property
    def fast(self) -> bool:
        """See :class:`pcapdx.capture.records.Reader`."""
        return self._window.fast

    def blocks(self) -> Iterator[Block]:
        """See :class:`pcapdx.capture.records.Reader`."""
        for stretch in self.stretches():
            if len(stretch.block.records):
                yield stretch.block

    def stretches(self) -> Iterator[Stretch]:
        """See :class:`pcapdx.capture.records.Reader`."""
        window = self._window
        begin, opens = 0, True  # the container has read the file's header, which is still at the front
        try:
            need: int | None = 0
            while need is not None:
                moved = window.moved
                count, need = self._container.walk(self._records, self.fast)
                self._update()
                if window.moved != moved:  # what was there before was passed over
                    begin = window.start
                if count or begin < window.start:
                    block = Block(window.array, self._records[:count])
                    yield Stretch(block=block, begin=begin, end=window.start, opens=opens, facts=self.facts)
                    opens = False
                if need and not self._window.fill(need):
                    self._tell_end()
                    break
                begin = window.start
            self._update()
            self._tell_counts()
        finally:
            self.close()

    def close(self) -> None:
        """See :class:`pcapdx.capture.records.Reader`."""
        self._source.close()

    def _tell_end(self) -> None:
        """Say it if the stream ended where it should not."""
        window = self._window
        if damage := window.damage:
            note(self.facts, damage.protocol, damage.kind, damage.what, None, lost=damage.lost)
        if window.start < window.end and not (damage and damage.lost):
            what = f"The file ends within a record, after frame {self._container.frames}."
            note(self.facts, self._container.protocol, "cut-short", what, window.offset)

    def _tell_counts(self) -> None:
        """Say what the walk counted of frames that are odd."""
        timeless, broken = (int(self._container.tally[place]) for place in (TIMELESS, BAD_OPTIONS))
        if timeless:
            what = "Frames have times before 1677 or after 2262; they are taken as having none."
            note(self.facts, self._container.protocol, "time-out-of-range", what, None, lost=False, count=timeless)
        if broken:
            what = "Frames have a broken option list; what it says beyond the break is lost."
            note(self.facts, self._container.protocol, "bad-frame-options", what, None, count=broken)

    def _update(self) -> None:
        facts, tally = self.facts, self._container.tally
        facts.bytes = self._source.count
        facts.frames = self._container.frames
        facts.cut_frames = int(tally[CUT_FRAMES])
        if tally[LAST_NS] != NO_TIME:
            facts.first_ns, facts.last_ns = int(tally[FIRST_NS]), int(tally[LAST_NS])
        facts.pieces = [Piece(facts.path, 0, facts.frames, facts.bytes)]
