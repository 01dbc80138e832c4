"""VLAN019 gateway-silent-in-vlan: nobody answers for the gateway, while other hosts of the VLAN do.

What it does
------------
Finds a gateway (named by DHCP option 3 or the site profile, or an address that two hosts ask for and that ends as
gateways do) whose ARP requests go unanswered, or do so from a moment on to the end, in a VLAN in which two other hosts
answer.

Why it matters
--------------
The VLAN works; its way out does not. Guests reach each other and nothing else.

Common causes
-------------
The virtual router is stopped or lost its guest NIC; the physical gateway's interface for this VLAN is down; the gateway
is in another VLAN.

What else it could be
---------------------
An address that is nobody's: system VMs ask once for the first address of a network, which is only a guess. A private
VLAN that keeps hosts from the gateway.

Next steps
----------
Ask the gateway for its interface and its ARP table in this VLAN.
"""

from collections.abc import Iterator, Sequence

from dissectors.arp import ArpExchange
from pcapdx.case import View
from pcapdx.frame import Segment
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import ArpDead, arp_dead, arp_died, spoke_in
from pcapdx.rules.definitions.leases import gateways
from pcapdx.rules.definitions.wording import at_least, cite, in_vlan, listed

OTHERS = 2
GATEWAY_ENDS = (".1", ".254")


def check(view: View) -> Iterator[Finding]:
    """One finding a gateway and VLAN."""
    grouped: dict[tuple[Segment, str], list[ArpDead]] = {}
    for dead in (*arp_dead(view), *arp_died(view)):
        grouped.setdefault((dead.segment, dead.target_ip), []).append(dead)
    named = gateways(view)
    for (segment, ip), asked in grouped.items():
        retried = sum(one.retried for one in asked)  # others' answers may not come by here, and are not asked for again
        likely = retried > 1 and ip.endswith(GATEWAY_ENDS) and not _another_gateway(view, segment, ip, asked)
        others = _answering(view, segment, ip, asked) if ip in named or likely else {}
        if len(others) >= OTHERS:
            yield _finding(view, segment[0], ip, asked, others, told=ip in named)


def _answering(view: View, segment: Segment, ip: str, asked: Sequence[ArpDead]) -> dict[str, int]:
    """Other hosts that answered ARP in this VLAN, and the frame of their first reply.

    Where the gateway was heard before, they go on when it is not: else it is the way to all of them that was lost.
    """
    known = {ip, *(one.asker_ip for one in asked)}
    since = _silent_since(view, segment, ip, asked)
    found: dict[str, int] = {}
    for one in view.exchanges(ArpExchange):
        if one.segment != segment or not one.replies or one.target_ip in known or one.target_ip in found:
            continue
        if spoke_in(view, one.target_ip, segment, since):
            found.setdefault(one.target_ip, one.replies[0].number)
    return found


def _another_gateway(view: View, segment: Segment, ip: str, asked: Sequence[ArpDead]) -> bool:
    """Whether this VLAN has a way out that works: packets that passed a router, or a gateway by name that speaks.

    What the askers sent on for others says nothing of it (a virtual router on its public network), nor what the silent
    one did while it was there, nor whoever fell silent with it (the router behind a virtual address).
    """
    apart = {one.asker_mac for one in asked} | {one.mac for one in view.bindings if one.ip == ip}
    since = _silent_since(view, segment, ip, asked)
    routing = (one for one in view.talkers if one.segment == segment and one.odd_ttl and one.mac not in apart)
    if any((one.last_ns or 0) >= since for one in routing):
        return True
    return any(spoke_in(view, ip, segment, 0) for ip in gateways(view))


def _silent_since(view: View, segment: Segment, ip: str, asked: Sequence[ArpDead]) -> int:
    """From when on nobody answers for the address; 0 where it was never heard."""
    return min(one.first_ns for one in asked) if spoke_in(view, ip, segment, 0) else 0


def _finding(
    view: View, vlan: int, ip: str, asked: Sequence[ArpDead], others: dict[str, int], *, told: bool
) -> Finding:
    frames = [number for one in asked for number in one.frames]
    askers = listed([one.asker_ip for one in asked[:3]])
    return RULE.finding(
        subject=Subject(vlan=vlan, server=ip),
        severity=Severity.ERROR if told else Severity.WARNING,
        confidence=Confidence.CERTAIN if told else Confidence.LIKELY,
        summary=(
            f"The gateway {ip} ({in_vlan(vlan)}) is silent: {askers} asked {at_least(view, len(frames), 'arp')}, "
            f"while {listed(list(others)[:3])} answer."
        ),
        evidence=(
            cite(view, frames, f"ARP: who has {ip}; no reply"),
            cite(view, list(others.values())[:4], "other hosts of the same VLAN answer"),
        ),
        filter=f"arp.dst.proto_ipv4 == {ip}" + (f" && vlan.id == {vlan}" if vlan else ""),
        first_ns=min(one.first_ns for one in asked),
        last_ns=max(one.last_ns for one in asked),
        alternatives=(() if told else (f"{ip} is no gateway but a machine that is switched off",))
        + ("a private VLAN or port isolation between these hosts and the gateway",),
        next_steps=(
            NextStep(
                where=f"whoever owns {ip}: the virtual router or the physical gateway",
                command=f"ip -br addr | grep {ip}; ip neigh",
                meaning="no such address, or an interface that is down: that is the fault",
            ),
            NextStep(
                where="host of the virtual router",
                command="virsh domiflist r-N-VM; bridge link",
                meaning="its guest NIC must be in the bridge of this network",
            ),
        ),
    )


RULE = Rule(
    code="VLAN019",
    name="gateway-silent-in-vlan",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.ERROR,
    check=check,
    explains=("DHCP020", "HOST001"),
)
