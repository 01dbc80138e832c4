"""VLAN015 broadcast-policed: a switch drops many broadcasts on the way and hardly any unicast frame.

What it does
------------
With captures at the NICs of two hosts: finds a VLAN in which more than a fifth of the broadcasts that leave the one
never come to the other, while unicast frames pass (less than one in a hundred is lost).

Why it matters
--------------
ARP and DHCP succeed at the second or third try only: everything works, slowly and now and then not.

Common causes
-------------
Storm control on a switch port whose limit is below what the networks behind it send together.

What else it could be
---------------------
A recorder that dropped frames; where the capture says so, nothing is said.

Next steps
----------
Ask the switch for its storm control counters.
"""

from collections.abc import Iterator

from pcapdx.case import Case
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import Leg, legs, most_seen

LEAST = 50
BROADCASTS_LOST = 0.2
UNICAST_LOST = 0.01


def check(case: Case) -> Iterator[Finding]:
    """One finding a VLAN and way between two NICs."""
    for leg in legs(case):
        if not leg.is_wire_to_wire or _dropped(leg):
            continue
        for vlan in most_seen(leg.rows["vlan"]):
            yield from _judge(leg, int(vlan))


def _dropped(leg: Leg) -> bool:
    return any(one.dropped for view in (leg.near, leg.far) for one in view.capture.interfaces)


def _judge(leg: Leg, vlan: int) -> Iterator[Finding]:
    here = leg.expected & (leg.rows["vlan"] == vlan)
    broadcast, unicast = leg.fate(here & leg.group), leg.fate(here & ~leg.group)
    sent, direct = (len(one.lost) + len(one.passed) for one in (broadcast, unicast))
    if min(sent, direct) < LEAST or not len(broadcast.passed):
        return
    lost, gone = len(broadcast.lost) / sent, len(unicast.lost) / direct
    if lost <= BROADCASTS_LOST or gone >= UNICAST_LOST:
        return
    where = f"in VLAN {vlan}" if vlan else "without a tag"
    yield RULE.finding(
        subject=Subject(vlan=vlan),
        summary=(
            f"{lost:.0%} of {sent:,} broadcasts {where} are lost {leg.between}, and {gone:.1%} of "
            f"{direct:,} unicast "
            f"frames: the switch limits broadcasts."
        ),
        evidence=(
            leg.seen(broadcast.lost, "broadcasts that never came"),
            leg.seen(broadcast.passed, "broadcasts that did"),
        ),
        filter="eth.dst.ig == 1" + (f" && vlan.id == {vlan}" if vlan else ""),
        first_ns=int(broadcast.lost["ts_ns"][0]),
        last_ns=int(broadcast.lost["ts_ns"][-1]),
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"switch {leg.between}",
                command="show storm-control; show interfaces counters storm-control",
                meaning="counters that grow on either host's port: its limit is below what is sent",
            ),
        ),
    )


RULE = Rule(
    code="VLAN015",
    name="broadcast-policed",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.WARNING,
    check_path=check,
    explains=("DHCP001", "DHCP010", "VLAN019"),
)
