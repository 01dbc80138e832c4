"""VLAN023 priority-tags-dropped: frames with a priority tag (VLAN id 0) never arrive, the same without it do.

What it does
------------
With captures at two points: finds that of what one side sends with a priority tag nothing comes to the other, while
untagged frames of the same senders do.

Why it matters
--------------
A priority tag is no VLAN and should cost nothing (IEEE 802.1Q, 6.9): only traffic of one class is dead, ping works.

Common causes
-------------
A NIC, virtual interface card or guest driver that sends VLAN id 0 tags (priorities for storage or voice), and a switch
port, virtual switch or filter on the way that drops frames with any tag, or takes id 0 for a VLAN it does not have.

What else it could be
---------------------
A filter for the one service that happens to be sent with the tag: where no traffic of the same kind passes without it,
this is a remark. A recorder whose filter only matches untagged frames.

Next steps
----------
Send the same with and without the tag.
"""

from collections.abc import Iterator

import numpy as np

from pcapdx.case import Case
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.path.route import kinds_of
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import Fate, Leg, ip_of, legs, mac_of
from pcapdx.rules.definitions.windows import BURST
from pcapdx.rules.definitions.wording import listed

FEW = 10
"""Of so many untagged frames one may be lost."""


def check(case: Case) -> Iterator[Finding]:
    """One finding a pair of points and way."""
    for leg in legs(case):
        tagged = (leg.rows["priority"] == 1) & leg.expected
        fate = leg.fate(tagged)
        if not fate.dead or len(fate.lost) < BURST:
            continue
        same = np.isin(leg.rows["eth_src"], fate.lost["eth_src"]) & (leg.rows["vlan"] == 0)
        plain = leg.fate(same & ~tagged & leg.expected)
        meanwhile = plain.passed["ts_ns"] >= fate.lost["ts_ns"].min()
        if int(np.sum(meanwhile)) >= BURST and len(plain.lost) * FEW <= len(plain.passed):
            yield _finding(leg, fate, plain)


def _finding(leg: Leg, fate: Fate, plain: Fate) -> Finding:
    lost = fate.lost
    kinds = sorted(set(kinds_of(lost)))
    by_tag = bool(set(kinds) & set(kinds_of(plain.passed)))
    sender = mac_of(lost["eth_src"][0])
    target = ip_of(lost["dst"][0]) or "the other end"
    return RULE.finding(
        subject=Subject(mac=sender),
        severity=Severity.WARNING if by_tag else Severity.INFO,
        confidence=leg.confidence if by_tag else Confidence.POSSIBLE,
        summary=(
            f"Frames with a priority tag (VLAN id 0) do not get from {leg.near.name} to {leg.far.name}: all "
            f"{len(lost):,} of {sender} ({listed(kinds)}) are lost, while {len(plain.passed):,} untagged ones arrive."
        ),
        evidence=(
            leg.seen(lost, "frames with a priority tag"),
            leg.missing(""),
            leg.arrived(plain.passed, "untagged frames of the same sender"),
        ),
        filter=f"vlan.id == 0 && eth.src == {sender}",
        first_ns=int(lost["ts_ns"][0]),
        last_ns=int(lost["ts_ns"][-1]),
        alternatives=(
            *(() if by_tag else (f"a filter that drops {listed(kinds)}: none of it is seen without the tag",)),
            f"the recorder at {leg.far.name} had a filter, which tagged frames do not match",
        ),
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"sender {sender}",
                command=f"ping -c 3 -Q 0xb8 {target}; ping -c 3 {target}",
                meaning="the first without and the second with an answer: frames with a priority are dropped",
            ),
            NextStep(
                where=f"switch {leg.between}",
                command="show interfaces switchport | include voice|priority|dot1p; show mls qos interface",
                meaning="a port that drops VLAN id 0: let it take priority tags, or let the NIC send none",
            ),
        ),
    )


RULE = Rule(
    code="VLAN023",
    name="priority-tags-dropped",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.WARNING,
    check_path=check,
    explains=("HOST007", "HOST017", "SG001", "SG002", "HYP014"),
)
