"""HYP013 bond-rewrites-arp: a bond of mode 5 or 6 puts its members' MACs into guests' ARP.

What it does
------------
Finds guests' addresses that ARP gives to two hardware MACs in turn, where each of these MACs claims two guests'
addresses or more and the guests' own MACs claim them, too.

Why it matters
--------------
Others send a guest's frames to the host's NIC instead of the guest's MAC. The bridge knows no such guest, and the
frames die or come back.

Common causes
-------------
The host's bond has mode balance-tlb or balance-alb (5, 6), which rewrite the source of ARP. They do not work with
bridged guests.

What else it could be
---------------------
Proxy ARP, where one MAC answers for many; a host with two NICs in one subnet that answers for its own address with
both.

Next steps
----------
Read the bond's mode.
"""

from collections.abc import Iterator

from dissectors.arp import Arp
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import Segment
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import is_group, is_guest, is_virtual_router_protocol
from pcapdx.rules.definitions.wording import cite, in_vlan, listed

MEMBERS = 2
LOCALLY_ADMINISTERED = 2


def check(view: View) -> Iterator[Finding]:
    """One finding a VLAN and pair of MACs."""
    claims: dict[Segment, dict[str, dict[str, list[Seen[Arp]]]]] = {}
    for one in view.messages(Arp):
        mac, ip = one.message.sender_mac, one.message.sender_ip
        if mac and ip and ip != "0.0.0.0" and not is_group(mac) and not is_virtual_router_protocol(mac):
            claims.setdefault(one.frame.segment, {}).setdefault(ip, {}).setdefault(mac, []).append(one)
    for segment, by_ip in claims.items():
        rewritten: dict[tuple[str, ...], dict[str, list[Seen[Arp]]]] = {}
        for ip, by_mac in by_ip.items():
            members = tuple(sorted(mac for mac in by_mac if _hardware(mac)))
            if len(members) >= MEMBERS and any(is_guest(mac) for mac in by_mac):
                rewritten.setdefault(members, {})[ip] = [one for mac in members for one in by_mac[mac]]
        for members, guests in rewritten.items():
            if len(guests) >= MEMBERS:
                yield _finding(view, segment[0], members, guests)


def _hardware(mac: str) -> bool:
    """A MAC that a maker of NICs gave."""
    return not int(mac[:2], 16) & LOCALLY_ADMINISTERED


def _finding(view: View, vlan: int, members: tuple[str, ...], guests: dict[str, list[Seen[Arp]]]) -> Finding:
    frames = sorted(one.number for claims in guests.values() for one in claims)
    moments = sorted(one.ts_ns for claims in guests.values() for one in claims)
    return RULE.finding(
        subject=Subject(vlan=vlan),
        confidence=Confidence.LIKELY,
        summary=(
            f"{listed(members[:4])} claim the addresses of guests by ARP, {listed(sorted(guests)[:4])} "
            f"({in_vlan(vlan)}), which the guests' own MACs claim as well: a bond rewrites ARP."
        ),
        evidence=(cite(view, frames, f"ARP that gives guests' addresses to {listed(members[:4])}"),),
        filter=f"arp.src.hw_mac in {{{', '.join(members)}}}",
        first_ns=moments[0],
        last_ns=moments[-1],
        next_steps=(
            NextStep(
                where=f"the host with {members[0]}",
                command="grep -E 'Bonding Mode|Permanent HW addr' /proc/net/bonding/bond0",
                meaning="adaptive load balancing or transmit load balancing: take active-backup or 802.3ad instead",
            ),
        ),
    )


RULE = Rule(
    code="HYP013",
    name="bond-rewrites-arp",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.ERROR,
    check=check,
    explains=("HYP015", "DHCP018"),
)
