"""CAP004 clocks-disagree: the difference between two captures' clocks is not one number.

What it does
------------
With two captures: finds that the same packets are now more, now less apart in them, by more than 50 milliseconds.

Why it matters
--------------
Which of two events was first cannot be said across these captures, nor how long a packet took.

Common causes
-------------
A clock that was set while recording; a host whose clock runs at another speed; packets that wait in a long queue.

What else it could be
---------------------
Nothing of the network need be wrong: this is a limit of what the captures can show.

Next steps
----------
Look at the state of NTP on both hosts and record again.
"""

from collections.abc import Iterator

import numpy as np

from pcapdx.case import Case
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import Leg, every_leg
from pcapdx.rules.definitions.windows import TWO_PATHS
from pcapdx.rules.definitions.wording import cite, duration

SPREAD_NS = 50_000_000


def check(case: Case) -> Iterator[Finding]:
    """One finding a pair of captures."""
    told: set[frozenset[str]] = set()
    for leg in every_leg(case):
        clock, names = leg.pair.clock, frozenset((leg.near.name, leg.far.name))
        if clock is None or clock.spread_ns < SPREAD_NS or clock.matched < TWO_PATHS or names in told:
            continue
        if any(spread < SPREAD_NS for spread in _by_way(leg)):
            continue  # a clock that moves does so both ways: packets wait, or the way is long
        told.add(names)
        found = np.flatnonzero(leg.pair.there >= 0)
        there = leg.pair.there[found]
        deltas = leg.pair.others["ts_ns"][there] - leg.rows["ts_ns"][found]
        ends = [int(np.argmin(deltas)), int(np.argmax(deltas))]
        yield RULE.finding(
            subject=Subject(name=" and ".join((leg.near.name, leg.far.name))),
            summary=(
                f"The clocks of {leg.near.name} and {leg.far.name} do not keep one distance: of "
                f"{clock.matched:,} "
                f"packets in both it varies by {duration(clock.spread_ns)}, so times are not compared across them."
            ),
            evidence=(
                cite(leg.near, leg.rows["number"][found[ends]].tolist(), "least and most apart"),
                cite(leg.far, leg.pair.others["number"][there[ends]].tolist(), "the same packets"),
            ),
            filter="",
            next_steps=(
                NextStep(
                    where=f"hosts of {leg.near.name} and {leg.far.name}",
                    command="chronyc tracking || ntpq -p || timedatectl timesync-status",
                    meaning="an offset above milliseconds, or no source: the clock was not held while recording",
                ),
            ),
        )


def _by_way(leg: Leg) -> Iterator[int]:
    """From the 5th to the 95th percentile of the differences of each way, where enough packets went it."""
    found = np.flatnonzero(leg.pair.there >= 0)
    deltas = leg.pair.others["ts_ns"][leg.pair.there[found]] - leg.rows["ts_ns"][found]
    for senders in (leg.pair.from_near, leg.pair.from_far):
        one_way = deltas[np.isin(leg.rows["eth_src"][found], senders)]
        if len(one_way) >= TWO_PATHS:
            yield int(np.percentile(one_way, 95) - np.percentile(one_way, 5))


RULE = Rule(
    code="CAP004",
    name="clocks-disagree",
    topic=Topic.CAPTURE,
    severity=Severity.INFO,
    check_path=check,
)
