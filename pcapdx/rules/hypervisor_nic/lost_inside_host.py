"""HYP001 lost-inside-host-outbound, HYP002 lost-inside-host-inbound, HYP003 arp-passes-ip-dies: between tap and NIC.

What it does
------------
With captures at a guest's tap (or its bridge) and at the NIC of its host: finds a guest none of whose frames comes out
at the NIC, or none any more from a moment on (HYP001), a guest for whom frames come in at the NIC and none reaches its
tap (HYP002), and a guest whose ARP passes while all its IPv4 dies, DHCP included (HYP003).

Why it matters
--------------
Switch, router and the other host are out of the question: the fault is inside this host.

Common causes
-------------
HYP001, HYP002: the tap or the VLAN sub-interface is not in the bridge, or missing; left-over filter rules for the tap.
HYP003: Docker, firewalld or ufw set the FORWARD policy to DROP while bridged frames go through iptables.

What else it could be
---------------------
The NIC is that of another host: the two captures must be of one. Security groups drop single ports or addresses, which
have rules of their own. Hardware offload takes flows past the recorder.

Next steps
----------
Look at what is in the bridge, then at the counters of the filters.
"""

from collections.abc import Iterator

import numpy as np

from pcapdx.case import Case
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.inside import (
    arp_only,
    arp_passes,
    dead_guests,
    ended_guests,
    enough,
    only_ip,
    passing_neighbour,
    vlan_of_guest,
)
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.path import (
    Fate,
    Leg,
    is_arp,
    is_dhcp,
    is_opening,
    is_ping,
    legs,
    mac_int,
    mac_of,
)
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import duration
from pcapdx.sieve.columns import Array


def check_outbound(case: Case) -> Iterator[Finding]:
    """HYP001: one finding a guest, unless a neighbour gets out (that is SG005) or its ARP does (that is HYP003)."""
    for leg, mac, fate in dead_guests(case):
        if passing_neighbour(case, leg, mac) is None and not arp_passes(case, leg, fate):
            yield _outbound(leg, mac, fate)
    for leg, mac, fate in ended_guests(case):
        yield _outbound(leg, mac, fate)


def check_inbound(case: Case) -> Iterator[Finding]:
    """HYP002: one finding a guest."""
    for leg in legs(case):
        own = leg.guest if leg.enters_host else None
        if own is None or is_local(leg.near, own) is False:
            continue
        vlan = vlan_of_guest(leg)
        mine = (leg.rows["eth_dst"] == mac_int(own)) & ~leg.sent_by(mac_int(own))
        fate = leg.fate(mine if vlan is None else mine & (leg.rows["vlan"] == vlan))
        fresh = is_opening(fate.lost) | is_ping(fate.lost)
        if fate.dead and enough(fate.lost) and not np.all(fresh):
            yield _inbound(leg, own, fate)


def check_arp_only(case: Case) -> Iterator[Finding]:
    """HYP003: one finding a guest."""
    for leg in legs(case):
        for mac, arp, ip in arp_only(leg):
            yield _arp_only(leg, mac, arp, ip)
            for other, its_mac, fate in dead_guests(case):
                if other.far is leg.far and only_ip(fate):
                    yield _arp_only(other, its_mac, arp, fate, beside=leg)


def _parts(lost: Array) -> str:
    """What was lost, by kind."""
    dhcp, arp = int(np.sum(is_dhcp(lost))), int(np.sum(is_arp(lost)))
    counts = (("DHCP", dhcp), ("ARP", arp), ("other", len(lost) - dhcp - arp))
    return ", ".join(f"{count:,} {name}" for name, count in counts if count)


def _outbound(leg: Leg, mac: int, fate: Fate) -> Finding:
    near, far, name = leg.near.name, leg.far.name, mac_of(mac)
    until = int(fate.passed["ts_ns"].max()) - leg.near.first_ns if len(fate.passed) else 0
    since = f"From {duration(until)} after the first frame of {near} on nothing" if until else "Nothing"
    return OUTBOUND.finding(
        subject=Subject(mac=name),
        confidence=Confidence.LIKELY,
        summary=(
            f"{since} that {name} sends gets from {near} to the NIC {far}: {len(fate.lost):,} frames "
            f"({_parts(fate.lost)}) are at the one, none at the other under any tag."
        ),
        evidence=(
            leg.seen(fate.lost, f"frames of {name}"),
            *((leg.arrived(fate.passed[-REPETITION:], f"the last of {name} that came out"),) if until else ()),
            leg.missing(""),
        ),
        filter=f"eth.src == {name}",
        first_ns=int(fate.lost["ts_ns"][0]),
        last_ns=int(fate.lost["ts_ns"][-1]),
        alternatives=(
            f"{far} is the NIC of another host: then capture at that of {near}'s own",
            "filter rules left over from another guest drop all frames of this tap",
        ),
        limits=leg.limits,
        next_steps=_bridge_steps(leg, name),
    )


def _bridge_steps(leg: Leg, mac: str) -> tuple[NextStep, ...]:
    tap = leg.near.vantage.interface or leg.far.vantage.interface or "vnetN"
    host = f"host of {leg.near.name if leg.leaves_host else leg.far.name}"
    return (
        NextStep(
            where=host,
            command=f"bridge link | grep -E '{tap}|\\.[0-9]+'; bridge fdb show | grep {mac}; ovs-vsctl show",
            meaning="tap and VLAN sub-interface must be in one bridge and up; the MAC learnt at the tap",
        ),
        NextStep(
            where=host,
            command="ebtables -t nat -L --Lc; iptables-save -c | grep -E 'FORWARD|BF-'",
            meaning="a DROP whose counter grows with the guest's frames: a filter takes them",
        ),
    )


def _inbound(leg: Leg, mac: str, fate: Fate) -> Finding:
    near, far = leg.near.name, leg.far.name
    return INBOUND.finding(
        subject=Subject(mac=mac),
        confidence=leg.confidence if is_local(leg.near, mac) else Confidence.LIKELY,
        summary=(
            f"Nothing that comes in for {mac} reaches it: {len(fate.lost):,} frames ({_parts(fate.lost)}) are "
            f"at {near}, none "
            f"at {far}."
        ),
        evidence=(leg.seen(fate.lost, f"frames for {mac}"), leg.missing("")),
        filter=f"eth.dst == {mac}",
        first_ns=int(fate.lost["ts_ns"][0]),
        last_ns=int(fate.lost["ts_ns"][-1]),
        alternatives=("the bridge learnt the MAC on another port: a loop, a mirror or a second host with it",),
        limits=leg.limits,
        next_steps=_bridge_steps(leg, mac),
    )


def _arp_only(leg: Leg, mac: int, arp: Fate, ip: Fate, *, beside: Leg | None = None) -> Finding:
    near, far, name = leg.near.name, leg.far.name, mac_of(mac)
    dhcp = bool(np.any(is_dhcp(ip.lost)))
    whose = beside or leg
    passes = f"ARP of {name}" if beside is None else f"ARP of its neighbour ({whose.near.name})"
    return ARP_ONLY.finding(
        subject=Subject(mac=name),
        confidence=leg.confidence if dhcp else Confidence.LIKELY,
        summary=(
            f"{passes} gets out of the host and IP of {name} does not: {len(arp.passed):,} ARP frames are at both "
            f"{whose.near.name} and {far}, {len(ip.lost):,} IP packets at {near} "
            f"only{', DHCP among them' if dhcp else ''}."
        ),
        evidence=(
            leg.seen(ip.lost, "IP packets"),
            leg.missing(""),
            whose.arrived(arp.passed, passes),
        ),
        filter=f"eth.src == {name}",
        first_ns=int(ip.lost["ts_ns"][0]),
        last_ns=int(ip.lost["ts_ns"][-1]),
        alternatives=(
            ("an egress rule of a security group: but that lets DHCP pass, and here DHCP dies too",)
            if dhcp
            else ("an egress rule of a security group that admits none of this",)
        ),
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"host of {near}",
                command=(
                    "iptables -S FORWARD | head; sysctl net.bridge.bridge-nf-call-iptables; "
                    "systemctl is-active docker firewalld ufw"
                ),
                meaning="policy DROP with bridge-nf-call-iptables = 1: whoever set it drops all bridged IP",
            ),
        ),
    )


CONSEQUENCES = (
    "DHCP001",
    "DHCP002",
    "DHCP006",
    "DHCP007",
    "DHCP008",
    "DHCP010",
    "DHCP022",
    "META002",
    "META007",
    "META011",
    "PWD003",
    "PWD011",
    "SG001",
    "SG002",
    "VLAN019",
    "VLAN022",
    "VLAN001",
    "HOST001",
)

OUTBOUND = Rule(
    code="HYP001",
    name="lost-inside-host-outbound",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.ERROR,
    check_path=check_outbound,
    explains=CONSEQUENCES,
)
INBOUND = Rule(
    code="HYP002",
    name="lost-inside-host-inbound",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.ERROR,
    check_path=check_inbound,
    explains=CONSEQUENCES,
)
ARP_ONLY = Rule(
    code="HYP003",
    name="arp-passes-ip-dies",
    known=(9027,),
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.ERROR,
    check_path=check_arp_only,
    explains=(*CONSEQUENCES, "SG003"),
)
