"""VLAN022 request-lost-on-path: a machine asks for one that speaks at the next point, where the question never comes.

What it does
------------
With two captures along the path: finds a machine whose ARP requests for an address are not answered at the first point
and never come to the second, although the owner of that address is heard there.

Why it matters
--------------
Both ends live. Something between the two points does not carry the question; which side of it, two points do not tell.

Common causes
-------------
The VLAN is not carried between the hosts, the tap or the VLAN sub-interface is not in the bridge, a filter drops ARP.

What else it could be
---------------------
Two networks with the same addresses that have nothing to do with each other.

Next steps
----------
Capture in between: at the NIC of each host.
"""

from collections.abc import Iterator

import numpy as np

from pcapdx.case import Case
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import ArpDead, arp_silent
from pcapdx.rules.definitions.path import MOST_MEMBERS, Fate, Leg, is_arp, legs, mac_int
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, in_vlan, times


def check(case: Case) -> Iterator[Finding]:
    """One finding an asker and target."""
    for leg in legs(case):
        if leg.is_wire_to_wire:
            continue  # VLAN002 tells it
        owners = {one.ip: one for one in reversed(leg.far.bindings)}
        lost = [dead for dead in arp_silent(leg.near) if dead.target_ip in owners]
        for dead in lost[:MOST_MEMBERS]:
            owner = owners[dead.target_ip]
            if dead.probe or mac_int(dead.asker_mac) in leg.pair.from_far:
                continue
            alike = leg.rows["fingerprint"][np.isin(leg.rows["number"], dead.frames)]
            asked = is_arp(leg.rows) & leg.group & np.isin(leg.rows["fingerprint"], alike) & ~leg.from_beyond
            fate = leg.fate(asked)
            if fate.dead and len(fate.lost) >= REPETITION:
                yield _finding(leg, dead, fate, owner.mac, owner.first_frame)


def _finding(leg: Leg, dead: ArpDead, fate: Fate, owner: str, heard: int) -> Finding:
    near, far = leg.near.name, leg.far.name
    return RULE.finding(
        subject=Subject(mac=dead.asker_mac, vlan=dead.vlan, server=dead.target_ip),
        confidence=Confidence.LIKELY,
        summary=(
            f"{dead.asker_mac} asked for {dead.target_ip} {times(len(fate.lost))} at {near} and was not "
            "answered; none of "
            f"its requests came to {far}, where {dead.target_ip} itself is heard."
        ),
        evidence=(
            leg.seen(fate.lost, f"ARP requests for {dead.target_ip} ({in_vlan(dead.vlan)})"),
            leg.missing(""),
            cite(leg.far, (heard,), f"{dead.target_ip} speaks at {far}, as {owner}"),
        ),
        filter=f"arp.dst.proto_ipv4 == {dead.target_ip} || arp.src.proto_ipv4 == {dead.target_ip}",
        first_ns=dead.first_ns,
        last_ns=dead.last_ns,
        alternatives=(f"{near} and {far} are of two networks that use the same addresses",),
        limits=("two points do not tell on which side of the way between them the requests are lost", *leg.limits),
        next_steps=(
            NextStep(
                where=f"NIC of each host between {near} and {far}, at once",
                command=f"tcpdump -enni NIC 'arp host {dead.target_ip} or (vlan and arp host {dead.target_ip})'",
                meaning=(
                    f"the first point at which {dead.asker_mac} is missing: what lies just before it drops the requests"
                ),
            ),
        ),
    )


RULE = Rule(
    code="VLAN022",
    name="request-lost-on-path",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.ERROR,
    check_path=check,
    explains=("VLAN001", "VLAN019", "SG001", "META002", "META007", "PWD003"),
)
