"""Packets found again at another point, and what their times tell."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdx.frame import BROADCAST_MAC
from pcapdx.path.pair import Pair
from pcapdx.path.trail import ARP
from tests.path.rows import SECOND, rows, trail

EVERY_SECOND = [float(n) for n in range(30)]


def test_the_same_packets_are_found() -> None:
    pair = Pair(trail(rows(EVERY_SECOND)), trail(rows([one + 0.001 for one in EVERY_SECOND])))
    assert pair.there.tolist() == list(range(30))
    assert pair.back.tolist() == list(range(30))
    assert not pair.lost.any()


def test_what_never_came_is_lost_within_the_common_time_only() -> None:
    near = rows(EVERY_SECOND)
    far = near[np.isin(np.arange(30), (5, 6, 7, 9, 12, 25))].copy()
    pair = Pair(trail(near), trail(far))
    lost = np.flatnonzero(pair.lost).tolist()
    assert lost == [8, 10, 11, *range(13, 25)]


def test_clocks_hours_apart() -> None:
    far = rows([one + 7200 for one in EVERY_SECOND])
    pair = Pair(trail(rows(EVERY_SECOND)), trail(far))
    assert pair.clock is not None
    assert pair.clock.offset_ns == 7200 * SECOND
    assert not pair.lost.any()


def test_both_ways_bound_the_clock_and_tell_the_sides() -> None:
    """Requests take 2 ms from near to far and answers as long back; the far clock is 50 ms ahead."""
    asked = [n * 0.5 for n in range(20)]
    times = sorted([*asked, *(one + 0.010 for one in asked)])
    answers = range(1, 40, 2)
    near = rows(times, back=answers)
    far = rows([one + 0.050 + (0.002 if n % 2 == 0 else -0.002) for n, one in enumerate(times)], back=answers)
    pair = Pair(trail(near), trail(far))
    assert pair.clock is not None
    assert pair.clock.bounded
    assert abs(pair.clock.offset_ns - 50_000_000) <= pair.clock.error_ns <= 2_100_000
    assert pair.from_near.tolist() == [0x0201_0000_0016]
    assert pair.from_far.tolist() == [0x0201_0000_0001]


def test_equal_packets_are_told_apart_by_time() -> None:
    """An ARP request again and again is one fingerprint; every second one is lost."""
    same = [42] * 20
    times = [float(n) for n in range(20)]
    mark = rows([0.3, 19.6], prints=[1, 2])
    near = np.concatenate((rows(times, prints=same), mark))
    far = np.concatenate((rows(times[::2], prints=same[::2]), mark))
    pair = Pair(trail(near), trail(far))
    lost = pair.rows["ts_ns"][pair.lost] // SECOND
    assert lost.tolist() == list(range(1, 20, 2))


def test_a_mirrors_copies_are_not_lost() -> None:
    twice = sorted([*EVERY_SECOND, *(one + 0.00004 for one in EVERY_SECOND)])
    prints = [n // 2 * 31 + 5 for n in range(60)]
    pair = Pair(trail(rows(twice, prints=prints)), trail(rows(EVERY_SECOND, prints=prints[::2])))
    assert not pair.lost.any()


def test_nothing_in_common_is_not_comparable() -> None:
    near, far = rows(EVERY_SECOND), rows(EVERY_SECOND)
    far["fingerprint"] += 1_000_003
    pair = Pair(trail(near), trail(far))
    assert not pair.comparable
    assert pair.clock is None


@settings(deadline=None, max_examples=150)
@given(
    data=st.data(),
    offset=st.integers(-(10**15), 10**15),
    count=st.integers(2, 60),
)
def test_no_packet_that_came_is_ever_called_lost(data: st.DataObject, offset: int, count: int) -> None:
    """Whatever the offset and the losses: what the far capture has is never lost, what it has not is never found."""
    near = rows([n * 0.7 for n in range(count)])
    kept = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    far = near[np.array(kept, bool)].copy()
    far["ts_ns"] += offset
    pair = Pair(trail(near), trail(far))
    assert not np.any(pair.lost & np.array(kept)[np.argsort(near["ts_ns"])])
    assert np.sum(pair.there >= 0) <= len(far)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2**63 - 1), st.integers(-(2**62), 2**62)), max_size=40), st.randoms())
def test_any_times_and_fingerprints_are_borne(packets: list[tuple[int, int]], dice: object) -> None:
    made = rows([0.0] * len(packets), prints=[one for one, _ in packets])
    made["ts_ns"] = [ts for _, ts in packets]
    pair = Pair(trail(made), trail(made[::-1]))
    assert len(pair.lost) == len(pair.rows)
    assert pair.clock is None or pair.clock.matched <= len(packets)
    assert len(pair.expected) == len(pair.rows)


def test_packets_cut_too_short_to_know_again_are_not_missed() -> None:
    near = rows(EVERY_SECOND)
    near["payload"] = 48
    far = near[::3].copy()
    whole, cut = trail(far), trail(far)
    cut.cut_at = 64
    assert Pair(trail(near), whole).lost.any()
    assert Pair(trail(near), cut).lost.any()  # 62 bytes tell UDP over IPv4 with a tag
    cut.cut_at = 60
    assert not Pair(trail(near), cut).lost.any()


def test_where_nobody_asks_by_arp_a_filter_took_it() -> None:
    talk, asked = rows(EVERY_SECOND), rows([one + 0.5 for one in EVERY_SECOND], first_number=31)
    asked["protocol"], asked["src"], asked["dst"], asked["service"] = ARP, -1, -1, 0
    asked["eth_dst"], asked["fingerprint"] = BROADCAST_MAC, asked["fingerprint"] + 1
    near = np.concatenate((talk, asked))
    assert not Pair(trail(near), trail(talk)).lost.any()
    heard = np.concatenate((talk, asked[:1]))
    assert int(Pair(trail(near), trail(heard)).lost.sum()) > 20
