"""Copies a capture without what its container tells beside the frames: comments, name tables; filters by pseudonym."""

import struct
from collections.abc import Sequence

import numpy as np

from pcapdx.annotate import blocks
from pcapdx.annotate.copy import Copy, Part, Wishes, options_of
from pcapdx.anonymize.pseudonyms import Pseudonyms
from pcapdx.capture.pcapng_walk import INTERFACE, NAMES, OLD_PACKET, PACKET, SECTION
from pcapdx.sieve.columns import Array

_FLAGS, _DROPPED = 2, 4
_OF_PACKETS = frozenset({_FLAGS, _DROPPED})
_OF_SECTIONS = frozenset({blocks.APPLICATION})
_NAME, _SPEED, _RESOLUTION, _FILTER, _ZONE, _OFFSET = 2, 8, 9, 11, 10, 14
_OF_INTERFACES = frozenset({_NAME, _SPEED, _RESOLUTION, _ZONE, _OFFSET})
_BYTES_OF_FILTER = b"\0"


class Nameless(Copy):
    """Copies with frame numbers, times and interfaces as they are."""

    def __init__(self, told: Pseudonyms) -> None:
        super().__init__(Wishes(remarks={}, section="pseudonyms in place of addresses and names", vantage=""))
        self._told = told

    def _touched(self, numbers: Array) -> Array:
        """All: each may have comments."""
        return np.ones(len(numbers), np.bool_)

    def _commented(self, block: bytes, kind: int) -> Sequence[Part]:
        """A packet without comments."""
        if kind not in (PACKET, OLD_PACKET):
            return (block,)
        (captured,) = struct.unpack_from(self._order + "I", block, 20)
        begin = 28 + (captured + 3) // 4 * 4
        kept = [one for one in options_of(block[begin:-4], self._order) if one[0] in _OF_PACKETS]
        return self._longer(block[:28], [block[28:begin], blocks.options(kept, self._order)])

    def _other(self, kind: int, block: bytes) -> Sequence[bytes] | None:
        order = self._order
        if kind == NAMES:
            return ()
        if kind == SECTION:
            return (blocks.section([one for one in options_of(block[24:-4], order) if one[0] in _OF_SECTIONS], order),)
        if kind == INTERFACE and len(block) >= 20:
            link_type, _, snap_length = struct.unpack_from(order + "HHI", block, 8)
            pairs = [one for one in map(self._of_interface, options_of(block[16:-4], order)) if one]
            return (blocks.interface(link_type, snap_length, pairs, order),)
        return super()._other(kind, block)

    def _of_interface(self, option: blocks.Option) -> blocks.Option | None:
        code, value = option
        if code == _FILTER and value[:1] == _BYTES_OF_FILTER:
            return code, value[:1] + blocks.text(self._told.text(value[1:].decode("utf-8", "replace")))
        if code == _NAME:
            return code, blocks.text(self._told.name(value.decode("utf-8", "replace")))
        return option if code in _OF_INTERFACES else None
