"""HYP016 duplicate-mac: two machines have one MAC address.

What it does
------------
Finds a MAC under which two machines ask for an address at once (DHCP requests with two host names, one, the other, the
first again within a minute), and, at a NIC, a MAC that is on this host and beyond it at the same time: ARP from here
claims one address, ARP from the wire another, in turn.

Why it matters
--------------
The switch sends what is for either machine to whoever spoke last. Both lose half of their packets, and the router gives
both one address.

Common causes
-------------
Two zones or two clouds on one switch with the same MAC identifier; an instance that was copied beside CloudStack with
its NIC; a MAC that was handed out twice (issue 7633).

What else it could be
---------------------
A loop, or a bond that hears its own broadcasts: then the same packet comes back, with the same address. An instance
that moved, or that was renamed: then it does not go back and forth. A boot ROM before its operating system. A redundant
pair of routers, whose public NICs have equal MACs but are never both on.

Next steps
----------
Look who has the MAC in CloudStack, and behind which ports the switch learns it.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from dissectors.arp import Arp
from dissectors.dhcp import Dhcp
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import Segment
from pcapdx.model import Confidence, Evidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.local import from_here
from pcapdx.rules.definitions.macs import is_group, is_virtual_router_protocol
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import cite, in_vlan, listed, times
from pcapdx.rules.templates.clones import GENERIC
from pcapdx.rules.templates.silent_boot import PXE

WITHIN = 60 * SECOND
TURNS = 2
"""There and back again."""


def check(view: View) -> Iterator[Finding]:
    """One finding a MAC and VLAN for each way to see it."""
    yield from _by_names(view)
    yield from _by_sides(view)


def _by_names(view: View) -> Iterator[Finding]:
    asked: dict[tuple[Segment, str], list[tuple[str, Seen[Dhcp]]]] = {}
    for one in view.messages(Dhcp):
        name = (one.message.fqdn or one.message.hostname or "").lower().partition(".")[0]
        rom = any(word in (one.message.vendor_class or "") for word in PXE)
        if one.message.from_server or one.message.chaddr is None or not name or name in GENERIC or rom:
            continue
        asked.setdefault((one.frame.segment, one.message.chaddr), []).append((name, one))
    for (segment, mac), requests in asked.items():
        turns = _turns(requests)
        if turns < TURNS:
            continue
        names = list(dict.fromkeys(name for name, _ in requests))
        yield _finding(
            segment[0],
            mac,
            f"Two machines ask for an address as {mac} ({in_vlan(segment[0])}), in turn: {listed(names[:4])}.",
            [
                cite(view, (one.number for called, one in requests if called == name), f"DHCP of {mac} as {name}")
                for name in names[:4]
            ],
            (requests[0][1].ts_ns, requests[-1][1].ts_ns),
            f"dhcp.hw.mac_addr == {mac}",
        )


def _by_sides(view: View) -> Iterator[Finding]:
    claims: dict[tuple[Segment, str], list[tuple[bool, Seen[Arp]]]] = {}
    for one in view.messages(Arp):
        mac, ip = one.message.sender_mac, one.message.sender_ip
        if mac is None or mac != one.frame.eth_src or is_group(mac) or ip in (None, "0.0.0.0"):
            continue
        here = from_here(view, one.frame)
        if here is not None and not is_virtual_router_protocol(mac):
            claims.setdefault((one.frame.segment, mac), []).append((here, one))
    for (segment, mac), claimed in claims.items():
        near = [one for here, one in claimed if here]
        far = [one for here, one in claimed if not here]
        ours, theirs = ({one.message.sender_ip or "" for one in side} for side in (near, far))
        if len(near) < REPETITION or len(far) < REPETITION or ours & theirs or _turns(claimed) < TURNS:
            continue
        yield _finding(
            segment[0],
            mac,
            (
                f"{mac} is on this host as {listed(sorted(ours)[:3])} and beyond it as {listed(sorted(theirs)[:3])} "
                f"at the same time ({in_vlan(segment[0])}), {times(_turns(claimed))} in turn."
            ),
            [
                cite(view, (one.number for one in near), f"ARP of {mac}, sent by this host"),
                cite(view, (one.number for one in far), f"ARP of {mac}, received from the wire"),
            ],
            (claimed[0][1].ts_ns, claimed[-1][1].ts_ns),
            f"arp.src.hw_mac == {mac}",
        )


def _turns(marked: Sequence[tuple[object, Seen[object]]]) -> int:
    """How often the mark changes within a minute of the other's last word."""
    return sum(
        first != later and there.ts_ns - here.ts_ns <= WITHIN for (first, here), (later, there) in pairwise(marked)
    )


def _finding(
    vlan: int, mac: str, summary: str, evidence: list[Evidence], moments: tuple[int, int], shown: str
) -> Finding:
    return RULE.finding(
        subject=Subject(mac=mac, vlan=vlan),
        confidence=Confidence.LIKELY,
        summary=summary,
        evidence=tuple(evidence),
        filter=shown,
        first_ns=moments[0],
        last_ns=moments[1],
        alternatives=("one machine with two systems or two DHCP clients that run at once",),
        next_steps=(
            NextStep(
                where="CloudStack database, of every cloud on this switch",
                command=f"select instance_id, network_id, removed from nics where mac_address='{mac}'",
                meaning="two rows not removed, or one in each cloud: give one NIC another MAC",
            ),
            NextStep(
                where="switch",
                command=f"show mac address-table address {mac}; show logging | include {mac}",
                meaning="the port changes from one look to the next (MAC flapping): the two ports are the machines'",
            ),
        ),
    )


RULE = Rule(
    code="HYP016",
    name="duplicate-mac",
    known=(7633,),
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.ERROR,
    check=check,
    explains=("HYP015", "DHCP012", "DHCP016", "DHCP018", "TMPL005", "TMPL006"),
)
