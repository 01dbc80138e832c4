"""VLAN016 dhcp-or-arp-filtered-by-switch: the switch drops what a DHCP server sends and passes all else.

What it does
------------
With two captures along the path: finds OFFERs that are at the server's point and never at the client's, three or more,
while ARP and ICMP of the same server are at both.

Why it matters
--------------
Everything looks well between the two, but no guest gets an address.

Common causes
-------------
DHCP snooping that does not trust the port of the virtual router's host; a filter on UDP port 67.

What else it could be
---------------------
Security groups act behind the client's uplink and are not the cause of what never came to it.

Next steps
----------
Ask the switch for its snooping counters.
"""

from collections.abc import Iterator

from dissectors.dhcp import Dhcp, DhcpType
from pcapdx.case import Case
from pcapdx.dissect import Seen
from pcapdx.model import Evidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import Leg, is_arp, is_dhcp, is_ip, legs, mac_int, mac_of, most_seen, ports
from pcapdx.rules.definitions.windows import BURST, REPETITION
from pcapdx.rules.definitions.wording import cite, in_vlan, times
from pcapdx.rules.dhcp.lost_on_path import lost_dhcp
from pcapdx.sieve.columns import Array


def check(case: Case) -> Iterator[Finding]:
    """One finding a client whose answers are dropped, or a machine whose ARP answers are, and pair of NICs."""
    for leg in legs(case):
        if not leg.is_wire_to_wire:
            continue
        for mac, lost in lost_dhcp(leg, DhcpType.OFFER).items():
            server = lost[0].frame.eth_src or ""
            asked = any(one.message.chaddr == mac for one in leg.far.messages(Dhcp))
            passed = _others_of(leg, server, ~is_dhcp(leg.rows))
            if len(lost) >= REPETITION and asked and len(passed) >= BURST:
                yield _dhcp(leg, mac, server, lost, passed)
        yield from _arp(leg)


def _others_of(leg: Leg, mac: str, chosen: Array) -> Array:
    """What else of a machine is at both points."""
    return leg.fate(chosen & (leg.rows["eth_src"] == mac_int(mac))).passed


def _dhcp(leg: Leg, mac: str, server: str, lost: list[Seen[Dhcp]], passed: Array) -> Finding:
    near, far, vlan = leg.near, leg.far, lost[0].frame.vlan
    return _finding(
        leg,
        vlan,
        summary=(
            f"The switch {leg.between} drops DHCP answers ({in_vlan(vlan)}): the OFFERs to {mac} leave {near.name} "
            f"{times(len(lost))} and never arrive at {far.name}, while {len(passed):,} other frames of {server} do."
        ),
        subject=Subject(mac=mac, vlan=vlan),
        seen=cite(near, (one.number for one in lost), f"OFFER to {mac} at {near.name}"),
        passed=passed,
        filter=f"dhcp.hw.mac_addr == {mac} && dhcp.option.dhcp == 2",
        first_ns=lost[0].ts_ns,
        last_ns=lost[-1].ts_ns,
        command="show ip dhcp snooping; show ip dhcp snooping statistics",
        meaning=f"the port of {near.name} must be trusted where snooping is on",
    )


def _arp(leg: Leg) -> Iterator[Finding]:
    """Answers by ARP of which none passes, while IP between the same two does."""
    replies = is_arp(leg.rows) & ~leg.group & leg.expected
    for mac in most_seen(leg.rows["eth_src"][replies]):
        fate = leg.fate(replies & (leg.rows["eth_src"] == mac))
        passed = leg.fate(is_ip(leg.rows) & (leg.rows["eth_src"] == mac)).passed
        if not fate.dead or len(fate.lost) < REPETITION or len(passed) < BURST:
            continue
        vlan, name = int(fate.lost["vlan"][0]), mac_of(mac)
        yield _finding(
            leg,
            vlan,
            summary=(
                f"The switch {leg.between} drops the ARP answers of {name} ({in_vlan(vlan)}): "
                f"{len(fate.lost):,} leave "
                f"{leg.near.name} and none arrives, while {len(passed):,} of its IP frames do."
            ),
            subject=Subject(mac=name, vlan=vlan),
            seen=leg.seen(fate.lost, f"ARP answers of {name}"),
            passed=passed,
            filter=f"arp.opcode == 2 && eth.src == {name}",
            first_ns=int(fate.lost["ts_ns"][0]),
            last_ns=int(fate.lost["ts_ns"][-1]),
            command=f"show ip arp inspection vlan {vlan}; show ip arp inspection statistics",
            meaning=f"drops that grow: inspection does not know {name}'s address",
        )


def _finding(
    leg: Leg,
    vlan: int,
    *,
    summary: str,
    subject: Subject,
    seen: Evidence,
    passed: Array,
    filter: str,
    first_ns: int,
    last_ns: int,
    command: str,
    meaning: str,
) -> Finding:
    near, far = leg.near, leg.far
    return RULE.finding(
        subject=subject,
        confidence=leg.confidence,
        summary=summary,
        evidence=(seen, leg.missing(""), leg.arrived(passed, "other frames of the same machine")),
        filter=filter,
        first_ns=first_ns,
        last_ns=last_ns,
        limits=leg.limits,
        next_steps=(
            NextStep(where=f"switch {leg.between}", command=command, meaning=meaning),
            ports(near, far, vlan),
        ),
    )


RULE = Rule(
    code="VLAN016",
    name="dhcp-or-arp-filtered-by-switch",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.ERROR,
    check_path=check,
    explains=("DHCP001", "DHCP002", "DHCP007", "DHCP008", "DHCP022", "META011", "PWD011"),
)
