"""PHYS010 slow-leg: packets wait on one segment of the path, and on no other.

What it does
------------
With captures at two or more points: finds a segment on which one in ten packets and more takes 20 milliseconds longer
than the quickest one there, while the way back and all other segments are quick; or, with three points, a segment that
takes 10 milliseconds each way, ten times as long as any other.

Why it matters
--------------
It names where the time goes. Everything is answered, only late: storage and databases slow down, timeouts come near.

Common causes
-------------
A link that is full, or that one direction of is; a policer that queues; a switch or host that is busy; a way over
another site.

What else it could be
---------------------
What a segment takes is told without comparing clocks (half of both ways, or against its own quickest packet), and a
clock that moved would show in both directions, so it is none of these. A site far away is slow by nature.

Next steps
----------
Look at load and queues of the ports at both ends.
"""

from collections.abc import Iterator

import numpy as np

from pcapdx.case import Case
from pcapdx.model import Confidence, Evidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.path.pair import is_group
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import Leg, legs
from pcapdx.rules.definitions.windows import TWO_PATHS
from pcapdx.rules.definitions.wording import cite, duration
from pcapdx.sieve.columns import Array
from pcapdx.values import dataclass

SLOW_NS = 20_000_000
SHARE = 0.1
QUICK = 4
"""What is quick takes less than this part of it."""
CONSTANT_NS = 10_000_000
TIMES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How much longer than the quickest each packet took on a leg; first packets of conversations are left out."""

    leg: Leg
    rows: Array
    waits_ns: Array

    @property
    def slow(self) -> Array:
        """Which of them waited (a mask)."""
        slow: Array = self.waits_ns >= SLOW_NS
        return slow

    @property
    def is_slow(self) -> bool:
        """Enough of enough packets waited."""
        return len(self.rows) >= TWO_PATHS and int(np.sum(self.slow)) >= max(TWO_PATHS, SHARE * len(self.rows))

    @property
    def is_quick(self) -> bool:
        """Hardly one waited, of enough packets."""
        return len(self.rows) >= TWO_PATHS and float(np.percentile(self.waits_ns, 95)) < SLOW_NS / QUICK


def check(case: Case) -> Iterator[Finding]:
    """One finding a segment and way."""
    waits = {(leg.near.name, leg.far.name): _waits(leg) for leg in legs(case)}
    slow = [one for one in waits.values() if one.is_slow]
    if len(slow) == 1:
        one = slow[0]
        back = waits.get((one.leg.far.name, one.leg.near.name))
        rest = [other for other in waits.values() if other is not one and len(other.rows) >= TWO_PATHS]
        if back is not None and back.is_quick and all(other.is_quick for other in rest):
            yield _waiting(one, back)
            return
    yield from _constant(case)


def _waits(leg: Leg) -> Waits:
    there = leg.pair.there
    prints, counts = np.unique(leg.rows["fingerprint"], return_counts=True)
    theirs, their_counts = np.unique(leg.pair.others["fingerprint"], return_counts=True)
    once = np.intersect1d(prints[counts == 1], theirs[their_counts == 1])
    this_way = np.isin(leg.rows["eth_src"], leg.pair.from_near) & ~is_group(leg.rows["eth_dst"])
    chosen = (there >= 0) & this_way & np.isin(leg.rows["fingerprint"], once)
    place = np.flatnonzero(chosen)
    flows = leg.rows["flow"][place]
    _, first = np.unique(flows, return_index=True)
    later = np.ones(len(place), np.bool_)
    later[first] = False
    later |= flows < 0
    place = place[later]
    rows = leg.rows[place]
    took = leg.pair.others["ts_ns"][there[place]] - rows["ts_ns"]
    return Waits(leg=leg, rows=rows, waits_ns=took - took.min() if len(took) else took)


def _waiting(one: Waits, back: Waits) -> Finding:
    leg, late = one.leg, one.rows[one.slow]
    typical = int(np.median(one.waits_ns[one.slow]))
    share = 100 * len(late) // len(one.rows)
    return _finding(
        leg,
        summary=(
            f"Packets wait from {leg.near.name} to {leg.far.name}: {len(late):,} of {len(one.rows):,} ({share} %) take "
            f"{duration(typical)} longer than the quickest; the way back is quick."
        ),
        evidence=(
            leg.seen(late, "packets that wait"),
            leg.arrived(late, "the same, late"),
            cite(back.leg.near, back.rows["number"].tolist(), "packets the other way, none late"),
        ),
        ends=(int(late["ts_ns"][0]), int(late["ts_ns"][-1])),
    )


def _constant(case: Case) -> Iterator[Finding]:
    """A segment that is slow all the time, against the others."""
    if case.route is None:
        return
    transits = [one for one in case.route.transits_ns if one is not None]
    if len(transits) < 2 or len(transits) < len(case.route.transits_ns):
        return
    worst = max(transits)
    place = transits.index(worst)
    rest = max(one for n, one in enumerate(transits) if n != place)
    if worst < CONSTANT_NS or worst < TIMES * rest:
        return
    near, far = case.views[place], case.views[place + 1]
    leg = next((one for one in legs(case) if one.near is near and one.far is far), None)
    if leg is None:
        return
    passed = leg.rows[leg.pair.there >= 0]
    if len(passed) < TWO_PATHS:
        return
    yield _finding(
        leg,
        summary=(
            f"Between {near.name} and {far.name} each packet takes {duration(worst)}, on all other segments "
            f"{duration(rest)} at most."
        ),
        evidence=(leg.seen(passed, "packets"), leg.arrived(passed, "the same packets")),
        ends=(int(passed["ts_ns"][0]), int(passed["ts_ns"][-1])),
    )


def _finding(leg: Leg, *, summary: str, evidence: tuple[Evidence, ...], ends: tuple[int, int]) -> Finding:
    return RULE.finding(
        subject=Subject(name=f"{leg.near.name} to {leg.far.name}"),
        confidence=Confidence.LIKELY,
        summary=summary,
        evidence=evidence,
        filter="",
        first_ns=ends[0],
        last_ns=ends[1],
        alternatives=("the two points are far apart, and this is the length of the way",),
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"hosts of {leg.near.name} and {leg.far.name}",
                command="sar -n DEV 1 10; ethtool -S <nic> | grep -iE 'drop|pause|fifo'; tc -s qdisc show",
                meaning="a link near its speed, pause frames or a queue that is never empty: packets wait there",
            ),
            NextStep(
                where=f"switches {leg.between}",
                command="show interfaces | include rate|queue|drops|duplex",
                meaning="output queues with drops on a port of this way; a link between switches that is full",
            ),
        ),
    )


RULE = Rule(
    code="PHYS010",
    name="slow-leg",
    topic=Topic.PHYSICAL_NETWORKS,
    severity=Severity.INFO,
    check_path=check,
)
