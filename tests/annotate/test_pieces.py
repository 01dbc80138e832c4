"""Datagrams put together from fragments: whatever order and repetition they come in."""

from hypothesis import given
from hypothesis import strategies as st

from pcapdx.annotate.pieces import UDP_HEAD, Whole

DATA = bytes(range(64))


def pieces(size: int) -> list[tuple[int, bytes]]:
    return [(at, DATA[at : at + size]) for at in range(0, len(DATA), size)]


@given(st.sampled_from([8, 16, 24, 64]), st.randoms(use_true_random=False))
def test_any_order_and_repetition(size: int, chance: object) -> None:
    parts = pieces(size)
    order = [*parts, *parts[: len(parts) // 2]]
    chance.shuffle(order)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    whole, missing = Whole(), {offset for offset, _ in parts}
    for offset, data in order:
        whole.add(offset, data, last=offset + len(data) == len(DATA))
        missing.discard(offset)
        assert whole.data == (b"" if missing else DATA)


def test_overlaps_and_gaps_make_nothing() -> None:
    overlapping = Whole()
    for offset, size, last in ((0, 16, False), (8, 16, False), (32, 8, True)):
        overlapping.add(offset, bytes(size), last=last)
    assert (overlapping.data, overlapping.size) == (b"", 40)


def test_less_than_a_header_is_no_datagram() -> None:
    whole = Whole()
    whole.add(0, bytes(UDP_HEAD - 1), last=True)
    assert whole.data == b""


def test_the_first_copy_counts() -> None:
    whole = Whole()
    first = whole.add(0, b"a" * 8, last=False)
    assert whole.add(0, b"b" * 24, last=True) is first
    assert whole.size is None
