"""OVS006 slb-leg-lacks-vlan: by one NIC of a bond a VLAN works, by the other one it is not carried.

What it does
------------
With captures at two NICs of one host (names such as ``kvm1-eth0`` and ``kvm1-eth1``): finds a VLAN that guests of this
host use by both, where those who send by the one ask in vain and nothing of the VLAN ever comes in there, though other
VLANs do, while by the other NIC the VLAN is received.

Why it matters
--------------
Which guests are cut off depends on how the bond spreads MACs, and changes when it balances anew.

Common causes
-------------
The lists of VLANs of the two switch ports differ: one was changed and the other forgotten.

What else it could be
---------------------
Two NICs that are no bond, of which one is not meant for this VLAN: then guests should not send by it.

Next steps
----------
Compare the two switch ports.
"""

from collections.abc import Iterator
from itertools import permutations

from dissectors.arp import Arp, ArpExchange
from pcapdx.case import Case, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import ArpDead, arp_silent
from pcapdx.rules.definitions.local import is_local, remote_talkers
from pcapdx.rules.definitions.nics import one_host
from pcapdx.rules.definitions.observable import filters
from pcapdx.rules.definitions.windows import BURST
from pcapdx.rules.definitions.wording import cite, listed


def check_path(case: Case) -> Iterator[Finding]:
    """One finding a NIC and VLAN."""
    wires = [one for one in case.views if one.vantage.role is not None and one.vantage.role.is_wire]
    for lacking, good in permutations(wires, 2):
        if not one_host(lacking.name, good.name) or filters(lacking) or filters(good):
            continue
        asked: dict[int, list[ArpDead]] = {}
        for dead in arp_silent(lacking):
            if dead.vlan and dead.retried and is_local(lacking, dead.asker_mac) is True and _in_vain(good, dead):
                asked.setdefault(dead.vlan, []).append(dead)
        for vlan, members in asked.items():
            here, elsewhere = remote_talkers(lacking, vlan), remote_talkers(good, vlan)
            others = sum(one.sent for one in remote_talkers(lacking) if one.vlan not in (0, vlan))
            frames = _answered(good, vlan)
            if not here and others >= BURST and sum(one.sent for one in elsewhere) >= BURST and frames:
                yield _finding(lacking, good, vlan, members, frames)


def _in_vain(view: View, dead: ArpDead) -> bool:
    """Neither the question nor an answer to it is at the other NIC: the switch did not even hand it back."""
    asked = any(
        one.message.target_ip == dead.target_ip
        and one.message.sender_ip == dead.asker_ip
        and dead.first_ns <= one.ts_ns <= dead.last_ns
        for one in view.messages(Arp)
    )
    replied = any(
        one.asker_mac == dead.asker_mac and one.target_ip == dead.target_ip and one.replies
        for one in view.exchanges(ArpExchange)
    )
    return not asked and not replied


def _answered(view: View, vlan: int) -> tuple[int, ...]:
    """Questions of this host in the VLAN that were answered at this NIC, with their answers."""
    return tuple(
        number
        for one in view.exchanges(ArpExchange)
        if one.vlan == vlan and one.replies and is_local(view, one.asker_mac) is True
        for number in (one.requests[0].number, one.replies[0].number)
    )


def _finding(lacking: View, good: View, vlan: int, members: list[ArpDead], frames: tuple[int, ...]) -> Finding:
    guests = sorted({one.asker_mac for one in members})
    return RULE.finding(
        subject=Subject(vlan=vlan, name=lacking.name),
        confidence=Confidence.LIKELY,
        summary=(
            f"VLAN {vlan} is carried at {good.name} and not at {lacking.name} of the same host: {listed(guests[:3])} "
            f"{'ask' if len(guests) > 1 else 'asks'} in vain by {lacking.name}, where other VLANs come in and nothing "
            f"of VLAN {vlan} does."
        ),
        evidence=(
            cite(lacking, (number for one in members for number in one.frames), f"ARP in VLAN {vlan}, not answered"),
            cite(good, frames, f"ARP in VLAN {vlan} and its answers"),
        ),
        filter=f"vlan.id == {vlan} && arp",
        first_ns=min(one.first_ns for one in members),
        last_ns=max(one.last_ns for one in members),
        alternatives=("the two NICs are no bond, and guests of this VLAN should not send by this one",),
        limits=("which NICs are one bond's is taken from the captures' names",),
        next_steps=(
            NextStep(
                where=f"switch ports of {good.name} and {lacking.name}",
                command="show interfaces trunk",
                meaning=f"VLAN {vlan} in the list of the first port and not of the second: make them equal",
            ),
            NextStep(
                where="this host",
                command="ovs-appctl bond/show; cat /proc/net/bonding/*",
                meaning=f"which MACs go by {lacking.name} now: these are cut off in VLAN {vlan}",
            ),
        ),
    )


RULE = Rule(
    code="OVS006",
    name="slb-leg-lacks-vlan",
    topic=Topic.OVS,
    severity=Severity.ERROR,
    check_path=check_path,
    explains=("VLAN001", "VLAN002", "VLAN019", "VLAN022", "DHCP001", "HYP009"),
)
