"""HYP014 hash-dependent-loss: some conversations between two machines pass whole, others alike never do.

What it does
------------
With captures at two points: finds two machines with eight or more conversations of which some pass almost whole and
others not at all, where the dead and the living ones go to the same port, at the same time.

Why it matters
--------------
A try that fails and a second one that works is what users report; ping may always work.

Common causes
-------------
One member of a bond (or of a port channel between switches) is dead or lacks the VLAN, and the hash of addresses and
ports puts a part of the conversations on it.

What else it could be
---------------------
A firewall that drops by port: then dead and living conversations would differ by port. A way that was lost for a
time: then none passes while the dead ones try, and nothing is said. Packets lost at random, where each conversation is
one packet, as of DNS: nothing is said of such. A balancer with one dead member.

Next steps
----------
Capture on each member of the bond.
"""

import math
from collections.abc import Iterator

import numpy as np

from pcapdx.case import Case
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.path.trail import TCP, UDP
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import Leg, ip_of, legs
from pcapdx.rules.definitions.wording import cite
from pcapdx.sieve.columns import Array

FLOWS = 8
PASSES = 0.9
DEAD_SHARE = 0.2, 0.8
BY_CONVERSATION = 1000
"""How much likelier it has to be that conversations die than that as many packets are lost at random."""
MEANWHILE = 2
"""Conversations that pass while dead ones try: one alone may have ended as the way was lost."""


def check(case: Case) -> Iterator[Finding]:
    """One finding a pair of machines, port and way."""
    for leg in legs(case):
        rows = leg.rows
        chosen = np.isin(rows["protocol"], (TCP, UDP)) & leg.expected & (rows["flow"] >= 0) & leg.pair.judged
        members = np.flatnonzero(chosen)
        if len(members) < FLOWS or (leg.pair.there[members] >= 0).all():
            continue  # too few, or none that died
        flows, first, which = np.unique(rows["flow"][members], return_index=True, return_inverse=True)
        sizes = np.bincount(which)
        arrived = np.bincount(which, weights=leg.pair.there[members] >= 0) / sizes
        ends = rows[["src", "dst", "protocol", "service"]][members[first]]
        _, group = np.unique(ends, return_inverse=True)
        for place in _split(group, arrived):
            mine = np.flatnonzero(group == place)
            packets = members[np.isin(which, mine)]
            if _by_conversation(sizes[mine], arrived[mine] == 0) and _at_the_same_time(leg, packets):
                yield _finding(leg, packets, flows[mine], arrived[mine])


def _split(group: Array, arrived: Array) -> list[int]:
    """Groups of conversations of which some pass whole and others not at all, and none in between."""
    counts = np.bincount(group)
    dead = np.bincount(group, weights=arrived == 0)
    clear = dead + np.bincount(group, weights=arrived >= PASSES)
    share = dead / counts
    found = (counts >= FLOWS) & (clear == counts) & (share >= DEAD_SHARE[0]) & (share <= DEAD_SHARE[1])
    places: list[int] = np.flatnonzero(found).tolist()
    return places


def _by_conversation(sizes: Array, dead: Array) -> bool:
    """Whether these are no losses of single packets: where each conversation is one packet, both look the same."""
    likelihoods = []
    for weights in (np.ones(len(sizes)), sizes):
        share = float(np.average(dead, weights=weights))
        gone, whole = float(weights[dead].sum()), float(weights[~dead].sum())
        likelihoods.append(gone * math.log(share) + whole * math.log(1 - share))
    return likelihoods[0] - likelihoods[1] > math.log(BY_CONVERSATION)


def _at_the_same_time(leg: Leg, packets: Array) -> bool:
    """Whether some pass between the first and the last loss: else the moment decides, not the ports."""
    passed = leg.pair.there[packets] >= 0
    flows, moments = leg.rows["flow"][packets], leg.rows["ts_ns"][packets]
    dead = moments[~np.isin(flows, flows[passed])]
    within = passed & (moments > dead.min()) & (moments < dead.max())
    return len(np.unique(flows[within])) >= MEANWHILE


def _finding(leg: Leg, members: Array, flows: Array, arrived: Array) -> Finding:
    rows = leg.rows[members]
    dead = flows[arrived == 0]
    dies = np.isin(rows["flow"], dead)
    service = int(rows["service"][0])
    near, far = leg.near.name, leg.far.name
    source, target = ip_of(rows["src"][0]) or "?", ip_of(rows["dst"][0]) or "?"
    return RULE.finding(
        subject=Subject(ip=source, server=target, port=service),
        confidence=leg.confidence,
        summary=(
            f"Of {len(flows)} conversations from {source} to port {service} of {target}, "
            f"{len(dead)} never get from "
            f"{near} to {far} and the others do whole: which one dies depends on its ports."
        ),
        evidence=(
            cite(leg.near, rows["number"][dies].tolist(), f"packets of conversations that never come to {far}"),
            cite(leg.near, rows["number"][~dies].tolist(), "packets of conversations that do"),
        ),
        filter=f"ip.addr == {source} && ip.addr == {target}",
        first_ns=int(rows["ts_ns"].min()),
        last_ns=int(rows["ts_ns"].max()),
        alternatives=("a balancer or router with several paths on the way, one of them dead",),
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"hosts of {near} and {far}",
                command="cat /proc/net/bonding/*; ovs-appctl bond/show",
                meaning="which members carry traffic; capture on each: conversations on the dead one are those above",
            ),
            NextStep(
                where=f"switch {leg.between}",
                command="show etherchannel summary; show interfaces trunk",
                meaning="a member that is down, suspended, or allows other VLANs than the rest is the dead one",
            ),
        ),
    )


RULE = Rule(
    code="HYP014",
    name="hash-dependent-loss",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.ERROR,
    check_path=check,
    explains=("SG001", "SG002"),
)
