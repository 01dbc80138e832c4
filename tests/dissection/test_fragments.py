"""Datagrams put together: the bytes are the sender's, or the first fragment stands alone."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdx.dissection.fragments import MOST_DATAGRAMS, Datagram, Fragments
from pcapdx.frame import CUT, Frame
from tests.dissectors.feeding import CLIENT, SERVER, frame

DATA = bytes(range(256)) * 4
Piece = tuple[Frame, bytes]


def pieces(data: bytes, size: int, *, ip_id: int = 7, at_s: float = 0) -> list[Piece]:
    """A datagram cut up as a sender would, in frames from 1 on."""
    cut = [(at, data[at : at + size]) for at in range(0, len(data), size)]
    return [
        (
            frame(
                number,
                at_s,
                src=CLIENT,
                dst=SERVER,
                ip_protocol=17,
                ip_id=ip_id,
                fragment_offset=at,
                more_fragments=int(at + size < len(data)),
                transport_offset=34,
                payload_offset=42 if at == 0 else 0,
                payload_wire_bytes=len(part) - 8 if at == 0 else 0,
            ),
            part,
        )
        for number, (at, part) in enumerate(cut, 1)
    ]


def feed(fragments: Fragments, *sent: Piece) -> list[Datagram]:
    return [made for one, data in sent for made in fragments.add(one, 1, data)]


def test_whole_on_the_frame_that_completes_it() -> None:
    (made,) = feed(Fragments(), *pieces(DATA, 400))
    assert (made.data, made.frame.number, made.frames) == (DATA, 3, (1, 2, 3))
    assert (made.frame.more_fragments, made.wire_bytes) == (0, len(DATA))


@given(st.integers(1, 60), st.randoms(use_true_random=False))
def test_later_fragments_in_any_order_and_repeated(eights: int, chance: random.Random) -> None:
    first, *rest = pieces(DATA, eights * 8)
    later = rest + rest[: len(rest) // 2]
    chance.shuffle(later)
    made = feed(Fragments(), first, *later)
    assert [one.data for one in made] == [DATA]


def test_lost_fragment_leaves_the_first_alone() -> None:
    sent = pieces(DATA, 400)
    fragments = Fragments()
    assert feed(fragments, sent[0], sent[2]) == []
    (alone,) = fragments.flush()
    assert (alone.data, alone.frame, alone.frames) == (sent[0][1], sent[0][0], (1,))
    assert list(fragments.flush()) == []


def test_time_is_over() -> None:
    fragments = Fragments()
    feed(fragments, pieces(DATA, 400)[0])
    (alone,) = feed(fragments, pieces(DATA, 400, ip_id=8, at_s=31)[0])
    assert alone.frames == (1,)
    assert feed(fragments, *pieces(DATA, 400, at_s=31)[1:]) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"fragment_offset": 392},
        {"flags": CUT},
        {"fragment_offset": 65_528},
    ],
    ids=["overlap", "cut", "beyond an IP packet"],
)
def test_what_does_not_fit_spoils_it(wrong: dict[str, int]) -> None:
    first, second, third = pieces(DATA, 400)
    fragments = Fragments()
    (alone,) = feed(fragments, first, (second[0].replaced(**wrong), second[1]))
    assert alone.data == first[1]
    assert feed(fragments, second, third) == []


def test_memory_is_bounded() -> None:
    fragments = Fragments()
    made = feed(fragments, *(pieces(DATA, 400, ip_id=ip_id)[0] for ip_id in range(3 * MOST_DATAGRAMS)))
    assert len(made) == 2 * MOST_DATAGRAMS
    assert len(list(fragments.flush())) == MOST_DATAGRAMS


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8191), st.booleans(), st.binary(max_size=64)), max_size=40))
def test_hostile_fragments(sent: list[tuple[int, int, bool, bytes]]) -> None:
    fragments = Fragments()
    for number, (ip_id, offset, more, data) in enumerate(sent, 1):
        one = frame(
            number,
            src=CLIENT,
            dst=SERVER,
            ip_protocol=17,
            ip_id=ip_id,
            fragment_offset=offset * 8,
            more_fragments=int(more),
        )
        for made in fragments.add(one, 1, data):
            assert len(made.data) <= 65_535
    assert len(list(fragments.flush())) <= 4
