"""HYP024 nested-macs-blocked: the hypervisor is itself a virtual machine, and its guests' MACs get nothing back.

What it does
------------
At the NIC of a host with a VMware MAC, finds two guests or more that ask for an address again and again without any
unicast frame coming back to any of them, while the very owner of that address answers the host.

Why it matters
--------------
A virtual switch delivers to the MAC that it gave to the virtual machine, and to no other: guests of guests are cut off.

Common causes
-------------
Promiscuous mode, MAC changes or forged transmits are off on the port group of the outer hypervisor.

What else it could be
---------------------
A VLAN that is not carried: then the host is not answered in it either. A switch port with a limit on MACs.

Next steps
----------
Look at the security policy of the port group.
"""

from collections.abc import Iterator

from dissectors.arp import ArpExchange
from pcapdx.case import View
from pcapdx.frame import Segment
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import is_group
from pcapdx.rules.definitions.windows import ARP_TRIES
from pcapdx.rules.definitions.wording import cite, in_vlan, listed

VMWARE = ("00:50:56:", "00:0c:29:", "00:05:69:")
GUESTS = 2


def check(view: View) -> Iterator[Finding]:
    """One finding a broadcast domain."""
    if view.vantage.role is not None and not view.vantage.role.is_wire:
        return
    received = {(one.segment, one.mac) for one in view.talkers if one.received}
    by_segment: dict[Segment, list[ArpExchange]] = {}
    for one in view.exchanges(ArpExchange):
        if one.vni is None:
            by_segment.setdefault(one.segment, []).append(one)
    for segment, exchanges in by_segment.items():
        answered = {one.target_ip: one for one in exchanges if one.replies and one.asker_mac.startswith(VMWARE)}
        asking: dict[str, list[ArpExchange]] = {}
        for one in exchanges:
            vain = not one.replies and one.target_ip in answered and not one.asker_mac.startswith(VMWARE)
            if vain and not is_group(one.asker_mac) and (segment, one.asker_mac) not in received:
                asking.setdefault(one.asker_mac, []).append(one)
        blocked = {mac: asked for mac, asked in asking.items() if sum(len(one.requests) for one in asked) >= ARP_TRIES}
        if len(blocked) >= GUESTS:
            yield _finding(view, segment[0], blocked, answered)


def _finding(view: View, vlan: int, blocked: dict[str, list[ArpExchange]], answered: dict[str, ArpExchange]) -> Finding:
    vain = [one for asked in blocked.values() for one in asked]
    served = [answered[one.target_ip] for one in vain]
    host = served[0].asker_mac
    targets = sorted({one.target_ip for one in vain})
    requests = sorted((request.ts_ns, request.number) for one in vain for request in one.requests)
    return RULE.finding(
        subject=Subject(vlan=vlan),
        confidence=Confidence.LIKELY,
        summary=(
            f"{listed(targets[:3])} answers the host {host} and none of its guests {listed(list(blocked)[:3])} "
            f"({in_vlan(vlan)}): no frame comes back to any MAC but the host's own."
        ),
        evidence=(
            cite(view, (number for _, number in requests), f"guests ask for {listed(targets[:3])}; no reply"),
            cite(
                view,
                (number for one in served for number in (one.requests[-1].number, one.replies[0].number)),
                "the same address answers the host",
            ),
        ),
        filter=f"arp && (eth.addr == {host} || eth.src in {{{', '.join(list(blocked)[:4])}}})",
        first_ns=requests[0][0],
        last_ns=requests[-1][0],
        alternatives=("a switch port that lets one MAC in only (port security)",),
        next_steps=(
            NextStep(
                where="vSphere client: port group of this virtual host, security",
                command="promiscuous mode, MAC address changes, forged transmits",
                meaning="all three must be accepted (or MAC learning be on) for guests of a virtual host",
            ),
        ),
    )


RULE = Rule(
    code="HYP024",
    name="nested-macs-blocked",
    known=(9406,),
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.WARNING,
    check=check,
    explains=("DHCP001", "VLAN001"),
)
