"""OVS007 guest-gets-no-broadcast, OVS008 pvlan-return-dropped: the host's switch keeps from a guest what is its own.

What it does
------------
With captures at the NIC of a host and at a guest's tap: finds that requests by ARP for the guest's own address come in
and never reach its tap, while unicast frames do (OVS007); and that answers for the guest come in in another VLAN than
it sends in and never reach it (OVS008).

Why it matters
--------------
OVS007: the guest is reachable only after it has spoken. OVS008: it gets DHCP by broadcast and no unicast answer.

Common causes
-------------
OVS007: flows that list ports for broadcasts one by one were not renewed when the guest came. OVS008: the flows of a
private VLAN lack the way back from the primary VLAN.

What else it could be
---------------------
OVS007: the ARP filter of security groups keeps other guests' requests from a tap, but never those for its own address.
OVS008: a switch that maps VLANs: then several hosts see it.

Next steps
----------
List the flows of the bridge.
"""

from collections.abc import Iterator

import numpy as np

from dissectors.arp import Arp
from pcapdx.case import Case
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.inside import vlan_of_guest
from pcapdx.rules.definitions.path import Leg, legs, mac_int, most_seen
from pcapdx.rules.definitions.windows import BURST, REPETITION
from pcapdx.sieve.columns import Array

BROADCASTS = 10


def check_broadcast(case: Case) -> Iterator[Finding]:
    """OVS007: one finding a guest."""
    for leg in legs(case):
        if leg.enters_host and leg.guest:
            yield from _broadcast(leg, leg.guest)


def _broadcast(leg: Leg, guest: str) -> Iterator[Finding]:
    addresses = {one.ip for view in (leg.near, leg.far) for one in view.bindings if one.mac == guest}
    wanted = [
        one.number
        for one in leg.near.messages(Arp)
        if one.message.request and one.message.target_ip in addresses and one.frame.eth_src != guest
    ]
    # of many equal requests only some are read; those alike ask the same
    prints = leg.rows["fingerprint"][np.isin(leg.rows["number"], wanted)]
    asked = leg.fate(np.isin(leg.rows["fingerprint"], prints) & leg.group)
    direct = leg.fate((leg.rows["eth_dst"] == mac_int(guest)) & ~leg.group)
    if not asked.dead or len(asked.lost) < BROADCASTS or len(direct.passed) < BURST:
        return
    ip = sorted(addresses)[0]
    yield BROADCAST.finding(
        subject=Subject(mac=guest, ip=ip),
        confidence=leg.confidence,
        summary=(
            f"Broadcasts do not reach {guest}: {len(asked.lost):,} ARP requests for its address {ip} came to "
            f"{leg.near.name} and none to its tap ({leg.far.name}), while {len(direct.passed):,} "
            "unicast frames did."
        ),
        evidence=(
            leg.seen(asked.lost, f"ARP requests for {ip}"),
            leg.missing(""),
            leg.arrived(direct.passed, "unicast frames for the guest"),
        ),
        filter=f"arp.dst.proto_ipv4 == {ip}",
        first_ns=int(asked.lost["ts_ns"][0]),
        last_ns=int(asked.lost["ts_ns"][-1]),
        alternatives=("a filter rule for ARP that does not know this address of the guest",),
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"host of {leg.far.name}",
                command=(
                    "ovs-ofctl dump-flows <bridge> | grep -E 'dl_dst=ff:ff|priority=1[12]00'; ovs-vsctl list port vnetN"
                ),
                meaning="flows for broadcasts that output to other ports and not to this guest's: stale",
            ),
        ),
    )


def check_private_vlan(case: Case) -> Iterator[Finding]:
    """OVS008: one finding a guest and VLAN that its answers come in."""
    for leg in legs(case):
        if not leg.enters_host or not leg.guest:
            continue
        own = vlan_of_guest(leg)
        mine = (leg.rows["eth_dst"] == mac_int(leg.guest)) & ~leg.group
        for vlan in most_seen(leg.rows["vlan"][mine]):
            fate = leg.fate(mine & (leg.rows["vlan"] == vlan))
            if own and vlan and vlan != own and fate.dead and len(fate.lost) >= REPETITION:
                yield _private(leg, leg.guest, own, int(vlan), fate.lost)


def _private(leg: Leg, guest: str, own: int, vlan: int, lost: Array) -> Finding:
    return PRIVATE.finding(
        subject=Subject(mac=guest, vlan=own),
        confidence=leg.confidence,
        summary=(
            f"The way back of a private VLAN is missing: {guest} sends in VLAN {own}, {len(lost):,} answers "
            "for it come to "
            f"{leg.near.name} in VLAN {vlan}, and none reaches its tap ({leg.far.name})."
        ),
        evidence=(leg.seen(lost, f"frames for {guest} in VLAN {vlan}"), leg.missing("")),
        filter=f"eth.dst == {guest} && vlan.id == {vlan}",
        first_ns=int(lost["ts_ns"][0]),
        last_ns=int(lost["ts_ns"][-1]),
        alternatives=(f"the switch maps VLAN {own} to {vlan} by mistake: then nothing private is meant",),
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"host of {leg.far.name}",
                command=f"ovs-ofctl dump-flows <bridge> | grep -E 'dl_vlan=({own}|{vlan})'",
                meaning=f"a flow must take VLAN {vlan} for {guest} to its port, with the tag changed to {own}",
            ),
        ),
    )


BROADCAST = Rule(
    code="OVS007",
    name="guest-gets-no-broadcast",
    topic=Topic.OVS,
    severity=Severity.ERROR,
    check_path=check_broadcast,
    explains=("VLAN019", "HYP020", "VLAN022"),
)
PRIVATE = Rule(
    code="OVS008",
    name="pvlan-return-dropped",
    known=(13521,),
    topic=Topic.OVS,
    severity=Severity.ERROR,
    check_path=check_private_vlan,
    explains=("HYP002", "VLAN004", "VLAN016", "VLAN019", "SG001", "DHCP008"),
)
