"""Blocks for the sieve's tests: from frames, or from a capture file with its bytes copied."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from pcapdx.capture.open import open_capture
from pcapdx.capture.records import RECORD, Block


def block_of(
    frames: Iterable[bytes], *, link_type: int = 1, step_ns: int = 1_000_000, cut_to: int | None = None
) -> Block:
    """One block of these frames, a millisecond apart from 1970-01-01 00:00:01 on; ``cut_to`` is a snap length."""
    data = bytearray()
    records = []
    for place, frame in enumerate(frames):
        kept = frame if cut_to is None else frame[:cut_to]
        when = 1_000_000_000 + place * step_ns
        records.append((place + 1, len(data), when, len(kept), len(frame), 0, link_type, 0))
        data += kept
    # a guard behind the last frame: a kernel that reads on would find it
    data += b"\xa5" * 64
    return Block(np.frombuffer(bytes(data), np.uint8).copy(), np.array(records, RECORD))


def blocks_of(path: Path) -> Iterator[Block]:
    """A capture's blocks, their arrays copied so that they can be fed twice."""
    for block in open_capture(str(path), name=path.name).blocks():
        yield Block(block.data.copy(), block.records.copy())
