"""Datagrams that came in IP fragments: what is written over each fragment, since names may lie across two of them."""

from collections.abc import Iterator
from dataclasses import field
from typing import Any

from pcapdx.annotate.pieces import UDP_HEAD, Pieces, Whole, words
from pcapdx.anonymize.datagrams import reader_of
from pcapdx.anonymize.packet import Change
from pcapdx.anonymize.pseudonyms import Pseudonyms
from pcapdx.capture.records import Block
from pcapdx.values import dataclass


@dataclass(slots=True)
class Fragments:
    """Fragments of one capture; each is blanked unless its datagram could be put together."""

    told: Pseudonyms
    changes: dict[int, bytes] = field(default_factory=dict)
    """By frame: what is written over all of its payload."""
    far: dict[int, int] = field(default_factory=dict)
    """By first fragment's frame: by how much words of later fragments have changed."""
    _pieces: Pieces = field(default_factory=Pieces)

    def take(self, block: Block, rows: Any) -> None:
        """The fragments of a block."""
        for part, whole in self._pieces.block(block, rows):
            if part.offset:
                self.changes.update((number, bytes(len(part.data))) for number, _ in part.frames)
            if data := whole.data:
                self._spread(whole, bytes(self._hidden(whole, data)))

    def _hidden(self, whole: Whole, data: bytes) -> bytearray:
        new = bytearray(data)
        reader = reader_of(*whole.ports)
        if reader is None:  # a tunnel's, or nobody knows: what the first fragment holds is read as it is
            first = len(whole.parts[0].data)
            new[first:] = bytes(len(data) - first)
            return new
        for at, fresh in _within(reader(data[UDP_HEAD:], self.told), len(data) - UDP_HEAD):
            new[UDP_HEAD + at : UDP_HEAD + at + len(fresh)] = fresh
        return new

    def _spread(self, whole: Whole, new: bytes) -> None:
        far = 0
        for part in whole.parts.values():
            fresh = new[part.offset : part.offset + len(part.data)]
            if fresh != part.data or part.offset:
                self.changes.update((number, fresh) for number, _ in part.frames)
            if part.offset:
                far += words(fresh) - words(part.data)
        self.far.update((number, far) for number, _ in whole.parts[0].frames)


def _within(changes: Iterator[Change], size: int) -> Iterator[Change]:
    for at, fresh in changes:
        yield at, fresh[: max(size - at, 0)]
