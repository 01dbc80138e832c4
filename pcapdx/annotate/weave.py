"""Kernels of the copy, for large blocks: frames of a classic pcap made packet blocks, and packet blocks passed over."""

from typing import Any

from pcapdx.capture.pcapng_walk import OLD_PACKET, PACKET
from pcapdx.capture.walk import u32
from pcapdx.sieve.columns import Array
from pcapdx.sieve.layers import place

HEAD = 28
"""Bytes of an enhanced packet block before the packet; the second four are its size, which stands at its end again."""


def weave(data: Any, starts: Array, sizes: Array, heads: Any, first: int, last: int, out: Any) -> int:
    """Fills ``out`` with the blocks of the frames from ``first`` to ``last``; returns how many bytes they take."""
    at = 0
    for i in range(first, last):
        head, start, size = HEAD * i, int(starts[i]), int(sizes[i])
        for k in range(HEAD):
            out[place(at + k)] = heads[place(head + k)]
        at += HEAD
        for k in range(size):
            out[place(at + k)] = data[place(start + k)]
        at += size
        while at & 3:
            out[place(at)] = 0
            at += 1
        for k in range(4):
            out[place(at + k)] = heads[place(head + 4 + k)]
        at += 4
    return at


def pass_over(data: Any, at: int, end: int, big: int, starts: Array, first: int, last: int) -> tuple[int, int]:
    """Where the run of packet blocks ends that begins with frame ``first``, before ``last``; and what frame follows."""
    while at < end and first < last and int(starts[first]) == at + HEAD:
        kind = u32(data, at, big)
        if kind != PACKET and kind != OLD_PACKET:
            break
        at += u32(data, at + 4, big)
        first += 1
    return at, first
