"""VLAN002 vlan-lost-between-hosts, VLAN003 vlan-missing-on-switch: frames of a VLAN leave one NIC and never reach the
next.

What it does
------------
With captures at the NICs of two hosts: finds a VLAN whose requests to everybody leave the one tagged and never come to
the other, all of them or all from one moment on, while frames of other VLANs are at both (VLAN002). With three or more
NICs, of which none hears another in that VLAN, the switch itself does not have it (VLAN003). Requests are ARP, DHCP,
and of IPv6 those that a switch must pass on: to all nodes, or to the group of an address that the other host has.

Why it matters
--------------
It names the leg: between these two hosts, and nothing inside them.

Common causes
-------------
The VLAN is missing in the list of VLANs that one of the two switch ports (or a link between switches) allows; it is
not in the switch's VLAN table.

What else it could be
---------------------
A NIC that filters VLANs in hardware: not where the host itself sends in that VLAN. A host that has no member of the
network: then somebody else answers, and nothing is said. A switch that keeps IPv6 groups from hosts that did not join
them (MLD snooping): their loss counts for nothing.

Next steps
----------
Look at the list of VLANs of both switch ports, and where the switch has learnt the MACs.
"""

from collections.abc import Iterator
from ipaddress import IPv6Address

import numpy as np

from pcapdx.case import Case, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.memo import once_a_path, once_a_view
from pcapdx.rules.definitions.path import Fate, Leg, every_leg, is_arp, is_dhcp, mac_of, most_seen, of_kind, ports
from pcapdx.rules.definitions.windows import BURST, DHCP_SPREAD, REPETITION, TWO_PATHS
from pcapdx.rules.definitions.wording import duration, listed, times
from pcapdx.rules.vlan_trunk.transmit_only import unanswered
from pcapdx.sieve.columns import Array

ICMPV6 = 58
ALL_NODES, SOLICITED = 0x333300000001, 0x3333FF000000
"""MACs of ff02::1, and of a solicited-node group less the last 24 bits of its address (RFC 2464, 7)."""
Lost = dict[int, list[tuple[Leg, Fate]]]


def check_hosts(case: Case) -> Iterator[Finding]:
    """VLAN002: one finding a VLAN and pair of NICs."""
    for vlan, found in _lost_vlans(case).items():
        if _nowhere(case, found):
            continue
        told: set[frozenset[str]] = set()
        for leg, fate in found:
            pair = frozenset((leg.near.name, leg.far.name))
            if pair not in told:
                told.add(pair)
                yield _between(leg, vlan, fate, back=_back(found, leg))
    cut: set[tuple[int, frozenset[str]]] = set()
    for leg, vlan, fate in _ended_vlans(case):
        place = vlan, frozenset((leg.near.name, leg.far.name))
        if place not in cut:
            cut.add(place)
            yield _cut_off(leg, vlan, fate)


def check_switch(case: Case) -> Iterator[Finding]:
    """VLAN003: one finding a VLAN that three or more NICs send in and none of them hears from another."""
    for vlan, found in _lost_vlans(case).items():
        if _nowhere(case, found):
            yield _missing(vlan, found)


@once_a_path
def _lost_vlans(case: Case) -> Lost:
    """VLANs that do not get from one NIC to another, with the legs on which they are lost."""
    lost: Lost = {}
    for leg in every_leg(case):
        if not leg.is_wire_to_wire or not np.any(leg.pair.others["vlan"] > 0):
            continue
        chosen = _requests(leg)
        for vlan in most_seen(leg.rows["vlan"][chosen]):
            fate = leg.fate(chosen & (leg.rows["vlan"] == vlan))
            whole = np.any((leg.rows["vlan"] == vlan) & (leg.pair.there >= 0))
            others = int(np.sum((leg.pair.there >= 0) & (leg.rows["vlan"] != vlan)))
            dead = vlan and fate.dead and not whole and len(fate.lost) >= REPETITION and others >= BURST
            if dead and (_member(leg.far, vlan) or _in_vain(leg.near, vlan)):
                lost.setdefault(int(vlan), []).append((leg, fate))
    return lost


def _requests(leg: Leg) -> Array:
    """Rows of this side that a switch passes on to every host of their VLAN (a mask)."""
    rows = leg.rows
    solicited = np.zeros(len(rows), np.bool_)
    for vlan, groups in _groups(leg.far).items():
        solicited |= (rows["vlan"] == vlan) & np.isin(rows["eth_dst"], groups)
    asked = is_arp(rows) | is_dhcp(rows) | (of_kind(rows, ICMPV6) & solicited)
    found: Array = leg.group & ~leg.from_beyond & asked
    return found


@once_a_view
def _groups(view: View) -> dict[int, list[int]]:
    """By VLAN: all nodes' group, and those of the IPv6 addresses that this host's machines use (RFC 4291, 2.7.1)."""
    found: dict[int, list[int]] = {}
    for one in view.bindings:
        if ":" in one.ip and one.vni is None and is_local(view, one.mac) is not False:
            group = SOLICITED | int(IPv6Address(one.ip)) & 0xFFFFFF
            found.setdefault(one.vlan, [ALL_NODES]).append(group)
    return found


def _ended_vlans(case: Case) -> Iterator[tuple[Leg, int, Fate]]:
    """VLANs that did get from one NIC to another until a moment, and from then on do not, with what was lost since."""
    for leg in every_leg(case):
        if not leg.is_wire_to_wire:
            continue
        rows, requests = leg.rows, _requests(leg)
        for vlan in most_seen(rows["vlan"][requests & leg.pair.lost]):
            here = rows["vlan"] == vlan
            passed = here & (leg.pair.there >= 0)
            if not vlan or not np.any(passed & leg.from_beyond):
                continue
            since = int(rows["ts_ns"][passed].max())
            lost = leg.fate(requests & here).lost
            later = rows["ts_ns"] > since
            silent = not np.any(here & later & leg.from_beyond)
            clean = len(lost) >= BURST and int(lost["ts_ns"].min()) > since
            others = int(np.sum((leg.pair.there >= 0) & ~here & later))
            if silent and clean and _span(lost) >= DHCP_SPREAD and others >= TWO_PATHS:
                yield leg, vlan, Fate(lost=lost, passed=rows[passed])


def _span(rows: Array) -> int:
    return int(rows["ts_ns"].max() - rows["ts_ns"].min())


def _member(view: View, vlan: int) -> bool:
    """Somebody on that host sends in the VLAN."""
    return vlan in _own_vlans(view)


@once_a_view
def _own_vlans(view: View) -> frozenset[int]:
    return frozenset(one.vlan for one in view.talkers if one.sent and is_local(view, one.mac) is not False)


def _in_vain(view: View, vlan: int) -> bool:
    """Clients or several askers were not answered here, so somebody is missing whom they need."""
    asking = unanswered(view, vlan)
    return asking is not None and asking.plain


def _nowhere(case: Case, found: list[tuple[Leg, Fate]]) -> bool:
    """The VLAN is lost from every one of three NICs or more to every other."""
    wires = [view for view in case.views if view.vantage.role is not None and view.vantage.role.is_wire]
    return len(wires) > 2 and len(found) == len(wires) * (len(wires) - 1)


def _back(found: list[tuple[Leg, Fate]], leg: Leg) -> Fate | None:
    return next((fate for other, fate in found if (other.near, other.far) == (leg.far, leg.near)), None)


def _words(fate: Fate) -> str:
    """Who asked what, as one reads it."""
    macs = listed(mac_of(mac) for mac in np.unique(fate.lost["eth_src"]).tolist()[:3])
    dhcp, arp = int(np.sum(is_dhcp(fate.lost))), int(np.sum(is_arp(fate.lost)))
    ipv6 = len(fate.lost) - dhcp - arp
    parts = [f"asked for an address {times(dhcp)}"] if dhcp else []
    parts += [f"asked by ARP {times(arp)}"] if arp else []
    parts += [f"asked by IPv6 neighbour discovery {times(ipv6)}"] if ipv6 else []
    return f"{macs} {listed(parts)}"


def _crossed(leg: Leg, but: int) -> str:
    """What did pass of other VLANs than one."""
    passed = leg.rows["vlan"][(leg.pair.there >= 0) & (leg.rows["vlan"] != but)]
    vlans, counts = np.unique(passed, return_counts=True)
    parts = [
        f"{count:,} frames {f'of VLAN {vlan}' if vlan else 'without a tag'}"
        for vlan, count in zip(vlans, counts, strict=True)
    ]
    return f"{listed(parts[:3])} crossed the same way"


def _between(leg: Leg, vlan: int, fate: Fate, *, back: Fate | None) -> Finding:
    near, far = leg.near, leg.far
    member = _member(far, vlan)
    evidence = [
        leg.seen(fate.lost, f"requests tagged {vlan}"),
        leg.missing(f"; none is tagged {vlan} from outside"),
    ]
    alternatives = [
        f"the VLAN is missing on the switch port of {near.name} instead of that of {far.name}: both look "
        "alike from here"
    ]
    if not member:
        alternatives.append(f"{far.name} has no member of VLAN {vlan} and the switch does not send it there")
    elif back is not None:
        alternatives.append(f"VLAN {vlan} is missing in the switch's VLAN table: then no third host hears it either")
    return HOSTS.finding(
        subject=Subject(vlan=vlan),
        confidence=leg.confidence if member else Confidence.LIKELY,
        summary=(
            f"VLAN {vlan} is not carried {leg.between}: {_words(fate)}, each time tagged {vlan} at "
            f"{near.name}, and "
            f"none came to {far.name}, while {_crossed(leg, vlan)}."
        ),
        evidence=tuple(evidence),
        filter=f"vlan.id == {vlan}",
        first_ns=int(fate.lost["ts_ns"][0]),
        last_ns=int(fate.lost["ts_ns"][-1]),
        alternatives=tuple(alternatives),
        limits=leg.limits,
        next_steps=_next_steps(near, far, vlan),
    )


def _next_steps(near: View, far: View, vlan: int) -> tuple[NextStep, ...]:
    return (
        ports(near, far, vlan),
        NextStep(
            where=f"host of {far.name}",
            command=f"tcpdump -enni {far.vantage.interface or 'NIC'} 'vlan {vlan}'",
            meaning=f"frames from outside while {near.name} asks: the VLAN is carried now",
        ),
    )


def _cut_off(leg: Leg, vlan: int, fate: Fate) -> Finding:
    near, far = leg.near, leg.far
    return HOSTS.finding(
        subject=Subject(vlan=vlan),
        confidence=Confidence.LIKELY,
        summary=(
            f"VLAN {vlan} is no longer carried {leg.between}: {len(fate.passed):,} of its frames crossed until "
            f"{duration(int(fate.passed['ts_ns'].max()) - near.first_ns)} after the first frame of {near.name}; since "
            f"then {_words(fate)}, none came to {far.name}, and nothing came back, while {_crossed(leg, vlan)}."
        ),
        evidence=(
            leg.arrived(fate.passed[-REPETITION:], f"the last frames of VLAN {vlan} that crossed"),
            leg.seen(fate.lost, f"requests tagged {vlan}"),
            leg.missing(f"; none is tagged {vlan} from outside since"),
        ),
        filter=f"vlan.id == {vlan}",
        first_ns=int(fate.lost["ts_ns"][0]),
        last_ns=int(fate.lost["ts_ns"][-1]),
        alternatives=(
            f"the last member of VLAN {vlan} at {far.name} was stopped, and its host has taken the VLAN off the NIC",
        ),
        limits=leg.limits,
        next_steps=_next_steps(near, far, vlan),
    )


def _missing(vlan: int, found: list[tuple[Leg, Fate]]) -> Finding:
    names = list(dict.fromkeys(leg.near.name for leg, _ in found))
    by_name = {leg.near.name: (leg, fate) for leg, fate in found}
    return SWITCH.finding(
        subject=Subject(vlan=vlan),
        confidence=min((leg.confidence for leg, _ in found), key=lambda one: -one.rank),
        summary=f"The switch does not have VLAN {vlan}: {listed(names)} all send in it, and none hears another.",
        evidence=tuple(leg.seen(fate.lost, f"requests tagged {vlan}") for leg, fate in by_name.values()),
        filter=f"vlan.id == {vlan}",
        first_ns=min(int(fate.lost["ts_ns"][0]) for _, fate in found),
        last_ns=max(int(fate.lost["ts_ns"][-1]) for _, fate in found),
        alternatives=("each of the hosts' ports lacks it in its list",),
        limits=found[0][0].limits,
        next_steps=(
            NextStep(
                where=f"switch of {listed(names)}",
                command=f"show vlan id {vlan}; show interfaces trunk",
                meaning=f"VLAN {vlan} must exist there and be allowed on every host's port",
            ),
        ),
    )


CONSEQUENCES = (
    "VLAN001",
    "VLAN019",
    "VLAN022",
    "DHCP001",
    "DHCP002",
    "DHCP003",
    "DHCP006",
    "DHCP007",
    "DHCP008",
    "DHCP010",
    "DHCP020",
    "DHCP022",
    "HOST001",
    "HOST007",
    "HYP004",
    "META002",
    "META007",
    "META011",
    "PWD003",
    "PWD011",
    "SG001",
    "SG002",
)

HOSTS = Rule(
    code="VLAN002",
    name="vlan-lost-between-hosts",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.ERROR,
    check_path=check_hosts,
    explains=CONSEQUENCES,
)
SWITCH = Rule(
    code="VLAN003",
    name="vlan-missing-on-switch",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.ERROR,
    check_path=check_switch,
    explains=CONSEQUENCES,
)
