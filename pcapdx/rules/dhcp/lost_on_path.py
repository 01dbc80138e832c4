"""DHCP006 discover-lost-on-path, DHCP007 offer-lost-on-path: between two captures the messages vanish.

What it does
------------
With two captures along the path: finds a client whose DISCOVERs are at the first point and not at the second (DHCP006),
or whose OFFERs are at the second point and not at the first (DHCP007).

Why it matters
--------------
It names the leg: between these two points.

Common causes
-------------
The VLAN is not carried between the hosts; VXLAN port or VNI differ; a filter on one of the hosts.

What else it could be
---------------------
Captures that do not cover the same time: only messages well inside both are judged. A filter of one capture that hides
them: then nothing is said. A relay between the points, which sends every message on as a packet of its own: the same
transaction of the same client at the other point is the same message.

Next steps
----------
Look at the switch ports between the two points; inside a host at its bridge and filters.
"""

from collections.abc import Iterator

import numpy as np

from dissectors.dhcp import Dhcp, DhcpType
from pcapdx.case import Case
from pcapdx.dissect import Seen
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import Leg, is_dhcp, legs, ports
from pcapdx.rules.definitions.wording import cite, times

TRIES = 2


def check_discover(case: Case) -> Iterator[Finding]:
    """DHCP006: one finding a client and pair of points, where the client is not answered otherwise."""
    for leg in legs(case):
        near, far = leg.near, leg.far
        for mac, lost in lost_dhcp(leg, DhcpType.DISCOVER).items():
            if len(lost) < TRIES or _answered(leg, mac):
                continue
            yield DISCOVER.finding(
                subject=Subject(mac=mac, vlan=lost[0].frame.vlan),
                confidence=leg.confidence,
                summary=(
                    f"{mac} asked for an address {times(len(lost))} at {near.name}, and none of its DISCOVERs reached "
                    f"{far.name}."
                ),
                evidence=(
                    cite(near, (one.number for one in lost), f"DISCOVER of {mac} at {near.name}"),
                    leg.missing(""),
                ),
                filter=f"dhcp.hw.mac_addr == {mac}",
                first_ns=lost[0].ts_ns,
                last_ns=lost[-1].ts_ns,
                alternatives=(f"{far.name} is not on the way of this network",),
                limits=leg.limits,
                next_steps=_next_steps(leg, lost[0].frame.vlan),
            )


def _next_steps(leg: Leg, vlan: int) -> tuple[NextStep, ...]:
    """Between two hosts the switch's ports; inside one its bridge and filters."""
    if not leg.leaves_host and not leg.enters_host:
        return (ports(leg.near, leg.far, vlan),)
    inner = leg.near if leg.leaves_host else leg.far
    return (
        NextStep(
            where=f"host of {inner.name}",
            command="bridge link; bridge fdb show; ovs-vsctl show",
            meaning=f"{inner.name} and the VLAN's way out must be in one bridge, both up",
        ),
        NextStep(
            where=f"host of {inner.name}",
            command="ebtables -t nat -L --Lc; iptables-save -c | grep -E 'FORWARD|BF-'",
            meaning="a DROP whose counter grows with the client's tries takes them",
        ),
    )


def check_offer(case: Case) -> Iterator[Finding]:
    """DHCP007: one finding a client and pair of points, from where its answers leave to where they are missed."""
    for leg in legs(case):
        near, far = leg.near, leg.far
        for mac, lost in lost_dhcp(leg, DhcpType.OFFER).items():
            asked = any(one.message.chaddr == mac for one in far.messages(Dhcp))
            if len(lost) < TRIES or not asked:
                continue
            yield OFFER.finding(
                subject=Subject(mac=mac, vlan=lost[0].frame.vlan, server=lost[0].message.server_id),
                confidence=leg.confidence,
                summary=f"The OFFERs to {mac} leave {near.name} {times(len(lost))} and never reach {far.name}.",
                evidence=(
                    cite(near, (one.number for one in lost), f"OFFER to {mac} at {near.name}"),
                    leg.missing(""),
                ),
                filter=f"dhcp.hw.mac_addr == {mac} && dhcp.option.dhcp == 2",
                first_ns=lost[0].ts_ns,
                last_ns=lost[-1].ts_ns,
                alternatives=("the unicast reply takes another port of the host than the one captured",),
                limits=leg.limits,
                next_steps=_next_steps(leg, lost[0].frame.vlan),
            )


def lost_dhcp(leg: Leg, kind: DhcpType) -> dict[str, list[Seen[Dhcp]]]:
    """By client: messages of a kind at one point of which the other has none, though it would have shown them."""
    if not leg.far.messages(Dhcp) and np.any(is_dhcp(leg.pair.others) & (leg.pair.back < 0)):
        return {}  # cut before the client's MAC: what a relay sent on cannot be told from anything else
    dhcp = is_dhcp(leg.rows)
    asks = np.isin(leg.rows["dport"], (67,)) if kind is DhcpType.DISCOVER else leg.rows["dport"] == 68
    fate = leg.fate(dhcp & asks & ~np.isin(leg.rows["eth_src"], leg.pair.from_far))
    gone, passed = set(fate.lost["number"].tolist()), set(fate.passed["number"].tolist())
    # a relay sends a message on as a packet of its own; of one that was cut only the transaction is known
    relayed = {
        (one.message.chaddr, one.message.xid)
        for one in leg.far.messages(Dhcp)
        if one.message.type is kind or one.message.type_unknown
    }
    lost: dict[str, list[Seen[Dhcp]]] = {}
    arrived = set()
    for one in leg.near.messages(Dhcp):
        mac = one.message.chaddr
        if one.message.type is not kind or mac is None:
            continue
        if one.number in passed or (mac, one.message.xid) in relayed:
            arrived.add(mac)
        elif one.number in gone:
            lost.setdefault(mac, []).append(one)
    return {mac: messages for mac, messages in lost.items() if mac not in arrived}


def _answered(leg: Leg, mac: str) -> bool:
    """A server's answer to the client is at the near point."""
    return any(
        one.message.chaddr == mac and one.message.type in (DhcpType.OFFER, DhcpType.ACK)
        for one in leg.near.messages(Dhcp)
    )


DISCOVER = Rule(
    code="DHCP006",
    name="discover-lost-on-path",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check_path=check_discover,
    explains=("DHCP001", "DHCP008", "DHCP022", "META011", "PWD011"),
)
OFFER = Rule(
    code="DHCP007",
    name="offer-lost-on-path",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check_path=check_offer,
    explains=("DHCP001", "DHCP008", "DHCP022", "META011", "PWD011"),
)
