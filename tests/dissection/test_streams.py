"""Streams put together: whatever order, repetition or overlap the segments come in, the bytes are the sender's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pcapdx.dissect import End
from pcapdx.dissection.streams import Assembled, Direction, Segment, assemble
from pcapdx.sieve.columns import FRAME

ROWS = np.zeros(64, FRAME)
ROWS["number"] = np.arange(1, 65)


def segment(place: int, sequence: int, payload: bytes, wire_bytes: int | None = None) -> Segment:
    """A segment in frame ``place`` + 1."""
    return Segment(ROWS.tobytes(), place, place + 1, sequence & 0xFFFFFFFF, wire_bytes or len(payload), payload)


def together(base: int, *segments: Segment) -> Assembled:
    direction = Direction()
    for one in segments:
        direction.add(one)
    return assemble(direction, base)


@given(
    st.binary(min_size=1, max_size=200),
    st.integers(0, 0xFFFFFFFF),
    st.lists(st.integers(1, 40), min_size=1, max_size=20),
    st.randoms(use_true_random=False),
)
def test_any_order_repetition_and_overlap(data: bytes, base: int, sizes: list[int], chance: object) -> None:
    pieces, at = [], 0
    for size in sizes:
        if at >= len(data):
            break
        begin = max(0, at - size // 3)  # overlaps what went before
        pieces.append((begin, data[begin : at + size]))
        at += size
    if at < len(data):
        pieces.append((at, data[at:]))
    pieces += pieces[: len(pieces) // 2]
    chance.shuffle(pieces)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    built = together(base, *(segment(place, base + begin, piece) for place, (begin, piece) in enumerate(pieces)))
    assert built.data == data
    assert built.stop is End.OPEN
    assert built.ends[-1] == len(data)


def test_a_gap_ends_it() -> None:
    built = together(100, segment(0, 100, b"abc"), segment(1, 105, b"fg"))
    assert (built.data, built.stop) == (b"abc", End.GAP)


def test_the_snap_length_ends_it() -> None:
    built = together(100, segment(0, 100, b"ab", wire_bytes=5), segment(1, 105, b"fg"))
    assert (built.data, built.stop) == (b"ab", End.CUT)
    assert together(100, segment(0, 100, b"ab", wire_bytes=5)).stop is End.CUT


def test_a_retransmission_fills_what_was_cut() -> None:
    built = together(100, segment(0, 100, b"ab", wire_bytes=4), segment(1, 100, b"abcd"), segment(2, 104, b"e"))
    assert (built.data, built.stop) == (b"abcde", End.OPEN)


def test_the_first_copy_of_a_byte_wins() -> None:
    assert together(0, segment(0, 0, b"abcd"), segment(1, 2, b"XXef")).data == b"abcdef"


def test_sequence_numbers_wrap() -> None:
    built = together(0xFFFFFFFE, segment(0, 0xFFFFFFFE, b"ab"), segment(1, 0, b"cd"))
    assert built.data == b"abcd"


def test_a_start_in_mid_stream_takes_the_earliest() -> None:
    """Out of order at the very beginning of a capture: the number first seen is not the lowest."""
    built = together(500, segment(0, 500, b"cd"), segment(1, 498, b"ab"))
    assert built.data == b"abcd"


def test_carriers_are_the_frames_of_a_span() -> None:
    built = together(0, segment(0, 0, b"abc"), segment(1, 3, b"def"), segment(2, 6, b"ghi"))
    assert [one.number for one in built.carriers(0, 3)] == [1]
    assert [one.number for one in built.carriers(2, 7)] == [1, 2, 3]
    assert [one.number for one in built.carriers(3, 6)] == [2]
    assert built.carriers(2, 3)[0].frame.number == 1


def test_nothing() -> None:
    assert together(7).data == b""
