"""HYP019 migration-not-announced: a guest moved to another host, and the network was not told.

What it does
------------
With captures at the NICs of two hosts: finds a guest that spoke at the first, later at the second, and whose traffic
went on coming to the first for five seconds and more before it said its first word at the second.

Why it matters
--------------
Until the switch learns the new place (five minutes at most) the guest gets nothing although it runs.

Common causes
-------------
The announcement (RARP or gratuitous ARP) after the migration was lost: the new port was still blocked by spanning
tree, the bridge has a forward delay, port security knows the MAC elsewhere.

What else it could be
---------------------
The guest was paused so long; a second machine has the same MAC.

Next steps
----------
Look where the switch has the MAC now, and how long its port takes to forward.
"""

from collections.abc import Iterator

import numpy as np

from pcapdx.case import Case, View
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.path import Leg, every_leg, mac_int, mac_of
from pcapdx.rules.definitions.windows import BURST, SECOND
from pcapdx.rules.definitions.wording import cite, duration
from pcapdx.sieve.columns import Array

SILENT = 5 * SECOND


def check(case: Case) -> Iterator[Finding]:
    """One finding a guest that moved."""
    for leg in every_leg(case):
        if not leg.is_wire_to_wire:
            continue
        here = np.unique(leg.rows["eth_src"][leg.pair.there < 0])
        there = np.unique(leg.pair.others["eth_src"][leg.pair.back < 0])
        for number in np.intersect1d(here, there).tolist():
            mac = mac_of(number)
            if is_guest(mac) and _is_at(leg.near, mac) and _is_at(leg.far, mac):
                yield from _judge(leg, mac)


def _is_at(view: View, mac: str) -> bool:
    """The guest sent from this host; after a move its frames may come in by the wire, too."""
    return is_local(view, mac) is not False and any(one.mac == mac and one.sent for one in view.talkers)


def _judge(leg: Leg, mac: str) -> Iterator[Finding]:
    pair, number = leg.pair, mac_int(mac)
    here = leg.rows[(leg.rows["eth_src"] == number) & pair.lost]
    there = pair.others[(pair.others["eth_src"] == number) & pair.fresh]
    if not len(here) or not len(there):
        return
    left, came = int(here["ts_ns"][-1]), int(there["ts_ns"][0]) - pair.offset_ns
    rows = leg.rows
    late: Array = rows[(rows["eth_dst"] == number) & (rows["ts_ns"] > left) & (rows["ts_ns"] < came)]
    if came - left < SILENT or len(late) < BURST or int(late["ts_ns"][-1]) - left < SILENT:
        return
    near, far = leg.near.name, leg.far.name
    yield RULE.finding(
        subject=Subject(mac=mac),
        confidence=leg.confidence,
        summary=(
            f"{mac} moved from {near} to {far} and was first heard there {duration(came - left)} later; meanwhile "
            f"{len(late):,} frames for it still came to {near}."
        ),
        evidence=(
            cite(leg.near, here["number"][-1:].tolist(), f"last frame of {mac} at {near}"),
            cite(leg.near, late["number"].tolist(), f"frames for it that still came to {near}"),
            cite(leg.far, there["number"][:1].tolist(), f"its first frame at {far}"),
        ),
        filter=f"eth.addr == {mac}",
        first_ns=left,
        last_ns=came,
        alternatives=("the guest was paused so long: its tap on the new host tells",),
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"switch of {near} and {far}",
                command=f"show mac address-table address {mac}; show spanning-tree interface <port of {far}> detail",
                meaning=f"the MAC must be on the port of {far}, and that port an edge port that forwards at once",
            ),
            NextStep(
                where=f"host of {far}",
                command="bridge -d link; cat /sys/class/net/*/bridge/forward_delay",
                meaning="a forward delay above 0 on the guest's bridge eats the announcement",
            ),
        ),
    )


RULE = Rule(
    code="HYP019",
    name="migration-not-announced",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.WARNING,
    check_path=check,
    explains=("HYP020", "SG001", "SG009"),
)
