"""HYP012 bond-flapping: a host's frames leave by one NIC of its bond, then by the other, again and again, all at once.

What it does
------------
With captures at two NICs of one host (names such as ``kvm1-eth0`` and ``kvm1-eth1``): finds that what two or more
machines of this host send moves from the one to the other NIC four times and more within ten minutes, always all of it
and for a second or longer.

Why it matters
--------------
At each move switches have to learn every MAC anew; what comes in meanwhile is lost.

Common causes
-------------
Active-backup: a link that goes up and down (cable, transceiver), or an ARP monitor whose target does not always answer.

What else it could be
---------------------
Bonds that balance use both NICs at the same time and move single MACs or conversations; then nothing is said. Somebody
who tests the failover.

Next steps
----------
Read what the bond's driver says of its members.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from pcapdx.case import Case, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.path.pair import is_group
from pcapdx.path.route import Route
from pcapdx.rule import Rule
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.nics import one_host
from pcapdx.rules.definitions.path import mac_int
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration, times
from pcapdx.sieve.columns import Array
from pcapdx.values import dataclass

MOVES = 4
WITHIN = 600 * SECOND
STAYS = 1 * SECOND
MACHINES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A time in which one NIC sends everything."""

    place: int
    """0 or 1."""
    rows: Array


def check_path(case: Case) -> Iterator[Finding]:
    """One finding a pair of NICs."""
    if case.route is None:
        return
    for here, there in combinations(range(len(case.views)), 2):
        one, other = case.views[here], case.views[there]
        wires = all(view.vantage.role is not None and view.vantage.role.is_wire for view in (one, other))
        if wires and one_host(one.name, other.name):
            stays = _stays(case.route, (here, there), (one, other))
            if stays is not None:
                yield _finding((one, other), stays)


def _stays(route: Route, places: tuple[int, int], views: tuple[View, View]) -> list[Stay] | None:
    """Who sent when, by the one clock of the host; None where it is no flapping."""
    parts = []
    for place, view in enumerate(views):
        rows = route.trails[places[place]].rows
        own = [mac_int(one.mac) for one in view.talkers if one.sent and is_local(view, one.mac) is True]
        mine = rows[np.isin(rows["eth_src"], own) & ~is_group(rows["eth_dst"])]
        parts.append((mine["ts_ns"], np.full(len(mine), place), mine))
    moments = np.concatenate([part[0] for part in parts])
    sender = np.concatenate([part[1] for part in parts])
    every = np.concatenate([part[2] for part in parts])
    if not len(moments):
        return None
    order = np.argsort(moments, kind="stable")
    moments, sender, every = moments[order], sender[order], every[order]
    cuts = np.flatnonzero(np.diff(sender)) + 1
    if len(cuts) < MOVES:
        return None
    begins, ends = np.concatenate(([0], cuts)), np.concatenate((cuts, [len(sender)]))
    # the first and the last stay are cut by the capture; the others last from their first frame to the next one's
    lasts = moments[begins[2:]] - moments[begins[1:-1]]
    if np.any(lasts < STAYS) or moments[cuts[MOVES - 1]] - moments[cuts[0]] > WITHIN:
        return None
    stays = [Stay(place=int(sender[begin]), rows=every[begin:end]) for begin, end in zip(begins, ends, strict=True)]
    first, second = (np.concatenate([one.rows["eth_src"] for one in stays if one.place == n]) for n in (0, 1))
    both = np.intersect1d(first, second)
    return stays if len(both) >= MACHINES else None


def _finding(views: tuple[View, View], stays: list[Stay]) -> Finding:
    names = [view.name for view in views]
    moves = len(stays) - 1
    macs = len(np.unique(np.concatenate([one.rows["eth_src"] for one in stays])))
    first, last = int(stays[1].rows["ts_ns"][0]), int(stays[-1].rows["ts_ns"][0])
    return RULE.finding(
        subject=Subject(name=" and ".join(names)),
        confidence=Confidence.LIKELY,
        summary=(
            f"The bond of {names[0]} and {names[1]} flaps: what {macs} machines of this host send moved from one "
            f"NIC to the other {times(moves)} in {duration(abs(last - first))}, all of it each time."
        ),
        evidence=tuple(
            cite(
                view,
                [int(one.rows["number"][end]) for one in stays if one.place == place for end in (0, -1)],
                f"first and last frame of each stay at {view.name}",
            )
            for place, view in enumerate(views)
        ),
        filter="",
        first_ns=first,
        last_ns=last,
        alternatives=("somebody tests the failover of the bond",),
        limits=("which NICs are one bond's is taken from the captures' names",),
        next_steps=(
            NextStep(
                where="this host",
                command="grep -E 'Mode|Status|Failure Count|Active' /proc/net/bonding/*; ovs-appctl bond/show",
                meaning="failure counts that grow on one member: its cable or transceiver; on both: the target",
            ),
            NextStep(
                where="this host",
                command="dmesg -T | grep -iE 'link (is )?(up|down)|active interface'; ethtool -S <nic> | grep -i err",
                meaning="links that go down at these moments, with errors: hardware; none: ARP monitoring",
            ),
        ),
    )


RULE = Rule(
    code="HYP012",
    name="bond-flapping",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.WARNING,
    check_path=check_path,
    explains=("VLAN001", "HYP008", "HYP020", "HOST004", "OVS006"),
)
