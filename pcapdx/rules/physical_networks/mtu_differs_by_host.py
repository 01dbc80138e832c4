"""PHYS007 mtu-differs-by-host: long packets reach one host and never another.

What it does
------------
With captures at the NICs of three hosts: finds a length above which nothing gets from the first to the second, all
below it does, and with which packets of the first do get to the third.

Why it matters
--------------
It works between some hosts and not between others, and for an instance it depends on where it was started.

Common causes
-------------
The MTU of a bridge, bond, NIC or switch port was raised on all hosts but one.

What else it could be
---------------------
A switch between the two racks with the smaller MTU: then all hosts behind it are alike.

Next steps
----------
Compare the MTU of NIC, bond and bridges on the three hosts.
"""

from collections.abc import Iterator

from pcapdx.case import Case
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import Fate, Leg, every_leg, is_ip
from pcapdx.rules.definitions.windows import BURST
from pcapdx.rules.vlan_trunk.size_cutoff import CONSEQUENCES, Cut, ip_length, size_cut, steps


def check(case: Case) -> Iterator[Finding]:
    """PHYS007: one finding a host that a length does not reach which reaches another."""
    every = list(every_leg(case))
    for leg in every:
        if not leg.is_wire_to_wire or (cut := size_cut(leg)) is None:
            continue
        for other in every:
            if other.near is not leg.near or other.far is leg.far or not other.is_wire_to_wire:
                continue
            long = is_ip(other.rows) & other.expected & (ip_length(other.rows) >= cut.lost)
            fate = other.fate(long)
            if len(fate.passed) >= BURST and not len(fate.lost):
                yield _differs(leg, other, cut, fate)
                break


def _differs(leg: Leg, other: Leg, cut: Cut, fate: Fate) -> Finding:
    near, far, good = leg.near.name, leg.far.name, other.far.name
    return RULE.finding(
        subject=Subject(vlan=int(cut.fate.lost["vlan"][0]) or None, name=far),
        confidence=leg.confidence,
        summary=(
            f"The MTU towards {far} differs: packets of {cut.lost} bytes and more get from {near} to {good} "
            f"({len(fate.passed):,} of them) and never to {far}."
        ),
        evidence=(
            leg.seen(cut.fate.lost, f"packets of {cut.lost} bytes and more, lost on the way to {far}"),
            other.seen(fate.passed, f"packets as long that arrived at {good}"),
        ),
        filter=f"ip.len >= {cut.lost}",
        first_ns=int(cut.fate.lost["ts_ns"][0]),
        last_ns=int(cut.fate.lost["ts_ns"][-1]),
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"hosts of {near}, {good} and {far}",
                command="ip -d link show | grep -E 'mtu (1[0-9]{3}|[0-9]{4,5})'",
                meaning=f"bridge, bond and NIC must have the same MTU on all; {far} is the odd one",
            ),
            *steps(leg, cut)[1:],
        ),
    )


RULE = Rule(
    code="PHYS007",
    name="mtu-differs-by-host",
    topic=Topic.PHYSICAL_NETWORKS,
    severity=Severity.ERROR,
    check_path=check,
    explains=("VLAN017", *CONSEQUENCES),
)
