"""OVS004 slow-first-packet: the first packet of each conversation is late behind the host's switch, later ones are not.

What it does
------------
With captures at a guest's tap and at the NIC of its host: compares, for twenty or more conversations, how long the
first packet took from tap to NIC with how long the later ones took.

Why it matters
--------------
Connections open late by tens of milliseconds or lose their first SYN, under load more and more.

Common causes
-------------
ovs-vswitchd is busy or starved: each new conversation waits until it decides; too many flows for its tables.

What else it could be
---------------------
A recorder that is late itself: it would be late for later packets, too.

Next steps
----------
Ask Open vSwitch for lost upcalls.
"""

from collections.abc import Iterator

import numpy as np

from pcapdx.case import Case
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import Leg, legs
from pcapdx.rules.definitions.wording import cite, duration

FLOWS = 20
SLOW_NS = 20_000_000
TIMES = 10
LEAST_NS = 1_000_000


def check(case: Case) -> Iterator[Finding]:
    """One finding a tap."""
    for leg in legs(case):
        if leg.leaves_host:
            yield from _judge(leg)


def _judge(leg: Leg) -> Iterator[Finding]:
    found = np.flatnonzero((leg.pair.there >= 0) & (leg.rows["flow"] >= 0) & ~leg.from_beyond)
    rows = leg.rows[found]
    delays = leg.pair.others["ts_ns"][leg.pair.there[found]] - rows["ts_ns"]
    order = np.argsort(rows["flow"], kind="stable")
    _, starts, counts = np.unique(rows["flow"][order], return_index=True, return_counts=True)
    several = counts > 1
    if int(np.sum(several)) < FLOWS:
        return
    quickest = int(delays.min())  # the clocks' difference is in all of them alike
    first = delays[order[starts[several]]] - quickest
    later = np.delete(order, starts)
    rest = int(np.median(delays[later])) - quickest
    slow = int(np.median(first))
    if slow < SLOW_NS or slow < TIMES * max(rest, LEAST_NS):
        return
    numbers = rows["number"][order[starts[several]]]
    yield RULE.finding(
        subject=Subject(name=leg.near.name),
        confidence=leg.confidence,
        summary=(
            f"The first packet of a conversation takes {duration(slow)} longer from {leg.near.name} to "
            f"{leg.far.name} than the quickest, later ones {duration(rest)} ({int(np.sum(several))} conversations)."
        ),
        evidence=(cite(leg.near, numbers.tolist(), "first packets of conversations"),),
        filter="tcp.flags.syn == 1 && tcp.flags.ack == 0",
        first_ns=int(rows["ts_ns"][0]),
        last_ns=int(rows["ts_ns"][-1]),
        alternatives=("a busy host that is late with everything new: its load tells",),
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"host of {leg.near.name}",
                command="ovs-dpctl show | grep lost; ovs-appctl upcall/show; top -b -n1 -p $(pidof ovs-vswitchd)",
                meaning="lost upcalls that grow, or a vswitchd at full load: it decides too slowly",
            ),
        ),
    )


RULE = Rule(
    code="OVS004",
    name="slow-first-packet",
    topic=Topic.OVS,
    severity=Severity.WARNING,
    check_path=check,
)
