"""Order along a path, the table of hops, and clocks over several points."""

import numpy as np
import pytest

from pcapdx.path.route import Route, in_order
from pcapdx.rules.definitions.path import MOST_MEMBERS, most_seen
from pcapdx.sieve.columns import Array
from pcapdx.vantage import Role
from tests.labelled import CASES, analysis
from tests.path.rows import rows, trail

ASKED = [n * 0.5 for n in range(20)]
BOTH = sorted([*ASKED, *(one + 0.010 for one in ASKED)])
ANSWERS = range(1, 40, 2)


def _point(transit: float, *, clock: float = 0.0, without: tuple[int, ...] = ()) -> Array:
    """The conversation as a point sees it that packets need ``transit`` seconds to reach from the client."""
    moments = [one + clock + (transit if n % 2 == 0 else -transit) for n, one in enumerate(BOTH)]
    made = rows(moments, back=ANSWERS)
    return made[~np.isin(np.arange(len(made)), without)]


def test_the_order_is_read_off_how_long_each_point_waits() -> None:
    far, near, middle = _point(0.003, clock=9.0), _point(0.0), _point(0.001, clock=-2.0)
    order, why = in_order(["far", "near", "middle"], [None] * 3, [trail(one) for one in (far, near, middle)])
    assert order == [1, 2, 0]
    assert why


def test_without_anything_in_common_the_roles_tell() -> None:
    lone = rows([1.0, 2.0], prints=[5, 6])
    other = rows([1.0, 2.0], prints=[7, 8])
    order, why = in_order(["nic", "tap"], [Role.TRUNK, Role.TAP], [trail(lone), trail(other)])
    assert order == [1, 0]
    assert why == "the kinds of interface"


def test_losses_are_counted_on_their_segment_and_way() -> None:
    lost = (4, 8, 11)
    route = Route(
        ["a", "b", "c"], [None] * 3, [trail(one) for one in (_point(0), _point(0.001), _point(0.002, without=lost))]
    )
    (hop,) = route.hops
    assert hop.what == "DNS"
    assert hop.lost == (0, 2)
    assert hop.lost_back == (0, 0)
    assert hop.counts == (40, 40, 37)


def test_transit_is_half_of_both_ways_whatever_the_clocks_say() -> None:
    route = Route(
        ["a", "b", "c"], [None] * 3, [trail(one) for one in (_point(0), _point(0.001, clock=70), _point(0.004))]
    )
    assert route.transits_ns == (1_000_000, 3_000_000)


def test_copies_are_counted_where_they_are() -> None:
    """The second point records every packet again 20 ms later, as on two interfaces at once."""
    once = _point(0.001)
    again = once.copy()
    again["ts_ns"] += 20_000_000
    both = np.concatenate((once, again))
    route = Route(["a", "b"], [None] * 2, [trail(_point(0)), trail(both)])
    (hop,) = route.hops
    assert hop.copies == (0, 40)
    assert hop.missing == 0


def test_clocks_go_over_a_point_in_between() -> None:
    """The first and the last capture have no packet in common."""
    first, last = _point(0.0)[:20], _point(0.002, clock=5.0)[20:]
    route = Route(["a", "b", "c"], [None] * 3, [trail(one) for one in (first, _point(0.001, clock=1.0), last)])
    clock = route.clocks[2]
    assert clock is not None
    assert abs(clock.offset_ns - 5_000_000_000) <= clock.error_ns


@pytest.mark.parametrize("name", sorted(name for name in CASES if name.startswith("path-healthy")))
def test_nothing_is_lost_on_healthy_paths(name: str) -> None:
    route = analysis(name).case.route
    assert route is not None
    assert [(hop.what, hop.vlan) for hop in route.hops if hop.missing] == []


def test_of_a_flood_of_values_those_seen_most_are_looked_at() -> None:
    values = np.concatenate((np.arange(10_000), np.full(5, 77), np.full(9, 4242)))
    chosen = most_seen(values)
    assert chosen[:2] == [4242, 77]
    assert len(chosen) == len(set(chosen)) == MOST_MEMBERS
