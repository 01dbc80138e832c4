"""What the record walks of pcap and pcapng share. Kernel code: see :mod:`pcapdx.compiled` for its rules."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pcapdx.capture.records import NO_TIME

LAST_TIME = 2**63 - 1

HAND_BACK = -1
"""A walk stops at bytes that are no plain frame; Python has a look at them."""
COMMENTED = -2
"""A pcapng walk delivered a frame that has comments, and stops at its block."""

FIRST_NS = 0
LAST_NS = 1
CUT_FRAMES = 2
TIMELESS = 3
BAD_OPTIONS = 4
"""Places in a tally: earliest and latest time, frames cut by the snap length, frames with a time that 64 bits cannot
hold, frames with a broken option list."""


def new_tally() -> npt.NDArray[np.int64]:
    """The tally of no frames."""
    return np.array([LAST_TIME, NO_TIME, 0, 0, 0], np.int64)


def u16(data: Any, at: int, big: int) -> int:
    """Two bytes at ``at``; sums, since the compiled twin would make a shifted byte an unsigned 64-bit number."""
    if big:
        return int(data[at] * 256 + data[at + 1] * 1)
    return int(data[at] * 1 + data[at + 1] * 256)


def u32(data: Any, at: int, big: int) -> int:
    """Four bytes at ``at``."""
    if big:
        return int(data[at] * 16777216 + data[at + 1] * 65536 + data[at + 2] * 256 + data[at + 3] * 1)
    return int(data[at] * 1 + data[at + 1] * 256 + data[at + 2] * 65536 + data[at + 3] * 16777216)


def put(
    records: Any, count: int, tally: Any, number: int, at: int, ts_ns: int, captured: int, wire: int, link_type: int
) -> None:
    """Write record ``count`` of a frame of interface 0 and of no direction, and count it."""
    record = records[count]
    record["number"] = number
    record["offset"] = at
    record["ts_ns"] = ts_ns
    record["captured_bytes"] = captured
    record["wire_bytes"] = wire
    record["interface"] = 0
    record["link_type"] = link_type
    record["direction"] = 0
    if captured < wire:
        tally[CUT_FRAMES] += 1
    if ts_ns != NO_TIME:
        tally[FIRST_NS] = min(int(tally[FIRST_NS]), ts_ns)
        tally[LAST_NS] = max(int(tally[LAST_NS]), ts_ns)
