"""OVS005 switch-restart: for seconds nothing at all passes the switch of a host, then everything does again.

What it does
------------
With captures at a guest's tap and at the NIC of its host: finds a stretch of a second or more in which none of five or
more frames passes between the two, in either direction where both are tried, while all passes before and after.

Why it matters
--------------
Every guest of the host is cut off for that time: redundant routers change over, agents reconnect, storage stalls.

Common causes
-------------
Open vSwitch was restarted or crashed (an update, ``force-reload-kmod``, memory); the network service of the host was
restarted, which takes bridges down; a bridge that waits before it forwards again (spanning tree, forward delay).

What else it could be
---------------------
A recorder that lost packets for a while: it says so at its end. A guest that was paused sends nothing, and nothing of
it is lost.

Next steps
----------
Read the log of the switch at that second.
"""

from collections.abc import Iterator

import numpy as np

from pcapdx.case import Case
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import Leg, legs
from pcapdx.rules.definitions.windows import BURST, SECOND
from pcapdx.rules.definitions.wording import duration
from pcapdx.sieve.columns import Array
from pcapdx.values import dataclass

DARK = 1 * SECOND
LONGEST = 120 * SECOND
"""What is dark for longer than two minutes was not restarted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch without anything that passes."""

    lost: Array
    before: Array
    after: Array

    @property
    def begin_ns(self) -> int:
        """First frame that was lost."""
        return int(self.lost["ts_ns"][0])

    @property
    def end_ns(self) -> int:
        """First frame that passed again."""
        return int(self.after["ts_ns"][0])


def check(case: Case) -> Iterator[Finding]:
    """One finding a NIC: the longest gap on the way out of its host."""
    found: dict[str, tuple[Leg, Gap]] = {}
    every = list(legs(case))
    for leg in every:
        gap = _gap(leg) if leg.leaves_host else None
        back = next((one for one in every if one.near is leg.far and one.far is leg.near), None)
        if gap is None or (back is not None and _passes(back, gap)):
            continue
        name = leg.far.name
        if name not in found or len(gap.lost) > len(found[name][1].lost):
            found[name] = leg, gap
    for leg, gap in found.values():
        yield _finding(leg, gap)


def _gap(leg: Leg) -> Gap | None:
    """The one stretch in which all that should pass is lost; None where losses are spread, or nothing came back."""
    chosen = np.flatnonzero(leg.expected & (leg.pair.lost | (leg.pair.there >= 0)))
    rows = leg.rows[chosen]
    lost = np.flatnonzero(leg.pair.lost[chosen])
    if len(lost) < BURST:
        return None
    first, last = int(lost[0]), int(lost[-1])
    middle = leg.pair.there[chosen][first : last + 1] >= 0
    gap = Gap(lost=rows[lost], before=rows[:first], after=rows[last + 1 :])
    if np.any(middle) or len(gap.before) < BURST or len(gap.after) < BURST:
        return None
    return gap if DARK <= gap.end_ns - gap.begin_ns <= LONGEST else None


def _passes(back: Leg, gap: Gap) -> bool:
    """Something came in meanwhile: the switch was there."""
    ahead = back.pair.offset_ns  # of the tap's clock, by which the gap is told
    passed = back.rows["ts_ns"][back.pair.there >= 0] + ahead
    return bool(np.any((passed > int(gap.lost["ts_ns"][0])) & (passed < int(gap.lost["ts_ns"][-1]))))


def _finding(leg: Leg, gap: Gap) -> Finding:
    dark = gap.end_ns - gap.begin_ns
    uplink = leg.far.vantage.interface or "<uplink>"
    since = gap.begin_ns // SECOND - 10
    return RULE.finding(
        subject=Subject(name=leg.far.name),
        confidence=Confidence.LIKELY,
        summary=(
            f"For {duration(dark)} nothing got from {leg.near.name} to {leg.far.name}: {len(gap.lost):,} frames in a "
            f"row are lost, {len(gap.before):,} before them and {len(gap.after):,} after them all passed."
        ),
        evidence=(
            leg.seen(gap.lost, "frames that were lost"),
            leg.arrived(gap.before[-BURST:], "the last ones before"),
            leg.arrived(gap.after[:BURST], "the first ones after"),
        ),
        filter=f"frame.time_epoch >= {gap.begin_ns / 1e9:.6f} && frame.time_epoch <= {gap.end_ns / 1e9:.6f}",
        first_ns=gap.begin_ns,
        last_ns=gap.end_ns,
        alternatives=(
            "the recorder at one of the two points lost packets: it says so at its end",
            "a bridge or bond of the host went down and came up again",
        ),
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"host of {leg.far.name}",
                command=f"journalctl -u 'openvswitch*' -u 'ovs*' -u networking -u NetworkManager --since @{since}",
                meaning="a start of vswitchd or of the network service at that second: who restarted it",
            ),
            NextStep(
                where=f"host of {leg.far.name}",
                command=f"dmesg -T | grep -E '{uplink}|entered (forwarding|disabled) state'; coredumpctl list",
                meaning="a port that changed its state then, or a core of vswitchd",
            ),
        ),
    )


RULE = Rule(
    code="OVS005",
    name="switch-restart",
    known=(5409,),
    topic=Topic.OVS,
    severity=Severity.WARNING,
    check_path=check,
    explains=("PHYS008", "HOST001", "HOST004", "SG001", "SG002", "VLAN019", "VLAN022", "DHCP006", "DHCP007", "HYP014"),
)
