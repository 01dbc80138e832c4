"""Datagrams that came in IP fragments: what is written over each fragment, since names may lie across two of them."""

from collections.abc import Iterator
from dataclasses import field
from typing import Any

from pcapdx.annotate.pieces import UDP_HEAD, Pieces, Whole, words
from pcapdx.anonymize.datagrams import Reader, reader_of
from pcapdx.anonymize.packet import Change
from pcapdx.anonymize.pseudonyms import Pseudonyms
from pcapdx.capture.records import Block
from pcapdx.values import dataclass

MOST_BYTES = 64 << 20
"""Of fragments that are kept rewritten; the others are blanked."""


@dataclass(slots=True)
class Fragments:
    """Fragments of one capture; a later one is blanked unless its datagram could be put together and read."""

    told: Pseudonyms
    changes: dict[int, bytes] = field(default_factory=dict)
    """By frame: what is written over all of its payload."""
    far: dict[int, int] = field(default_factory=dict)
    """By first fragment's frame: by how much words of later fragments have changed."""
    _kept: int = 0
    _pieces: Pieces = field(default_factory=Pieces)

    def take(self, block: Block, rows: Any) -> None:
        """The fragments of a block."""
        for _, whole in self._pieces.block(block, rows):
            if data := whole.data:
                reader = reader_of(*whole.ports)  # none: a tunnel's, or nobody knows
                room = self._kept < MOST_BYTES
                self._spread(whole, bytes(self._hidden(reader, data)) if reader is not None and room else None)

    def _hidden(self, reader: Reader, data: bytes) -> bytearray:
        new = bytearray(data)
        for at, fresh in _within(reader(data[UDP_HEAD:], self.told), len(data) - UDP_HEAD):
            new[UDP_HEAD + at : UDP_HEAD + at + len(fresh)] = fresh
        return new

    def _spread(self, whole: Whole, new: bytes | None) -> None:
        far = 0
        for part in whole.parts.values():
            fresh = None if new is None else new[part.offset : part.offset + len(part.data)]
            if fresh is not None:
                fresh_for = {number: fresh for number, _ in part.frames if number not in self.changes}
                self._kept += len(fresh) * len(fresh_for)
                self.changes.update(fresh_for)
            if part.offset:
                far += words(fresh or b"") - words(part.data)
        self.far.update((number, far) for number, _ in whole.parts[0].frames)


def _within(changes: Iterator[Change], size: int) -> Iterator[Change]:
    for at, fresh in changes:
        yield at, fresh[: max(size - at, 0)]
