"""Which frames a capture is cut down to: the evidence, and the exchanges and connections it is part of."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from pcapdx.capture.records import Reader
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.sieve.engine import Sieve

MOST_OF_FLOW = 200
"""Frames of one connection; evidence beyond is kept all the same."""
DEEPEST = 3


def frames_around(view: View, evidence: Iterable[int], first: Reader, second: Reader) -> frozenset[int]:
    """Numbers of the frames to keep. The readers are two of the view's capture; both are read to the end."""
    kept = set(evidence)
    for dissector in view.dissectors:
        for kind in dissector.exchanges:
            exchanges: tuple[Any, ...] = view.exchanges(kind)
            for exchange in exchanges:
                carried = set(_frames(exchange, DEEPEST))
                if not carried.isdisjoint(evidence):
                    kept |= carried
    return frozenset(kept | _of_flows(_flows(kept, first), second))


def _frames(value: Any, depth: int) -> Iterator[int]:
    """The frames of all messages within an exchange."""
    if isinstance(value, Seen):
        yield from value.frames
    elif depth and isinstance(value, (tuple, list)):
        for one in value:
            yield from _frames(one, depth - 1)
    elif depth and is_dataclass(value):
        for field in fields(value):
            yield from _frames(getattr(value, field.name), depth - 1)


def _flows(frames: set[int], reader: Reader) -> set[int]:
    """The flows that frames belong to."""
    wanted = np.array(sorted(frames), np.int64)
    found: set[int] = set()
    with closing(reader):
        sieve = Sieve((), fast=reader.fast)
        for block in reader.blocks():
            sieve.fast = reader.fast
            rows = sieve.sweep(block)
            found.update(rows["flow"][np.isin(rows["number"], wanted)].tolist())
    return found - {-1}


def _of_flows(flows: set[int], reader: Reader) -> set[int]:
    """The first frames of flows."""
    wanted = np.array(sorted(flows), np.int64)
    counted: dict[int, int] = {}
    found: set[int] = set()
    with closing(reader):
        sieve = Sieve((), fast=reader.fast)
        for block in reader.blocks():
            sieve.fast = reader.fast
            rows = sieve.sweep(block)
            for place in np.flatnonzero(np.isin(rows["flow"], wanted)).tolist():
                flow = int(rows["flow"][place])
                counted[flow] = counted.get(flow, 0) + 1
                if counted[flow] <= MOST_OF_FLOW:
                    found.add(int(rows["number"][place]))
    return found
