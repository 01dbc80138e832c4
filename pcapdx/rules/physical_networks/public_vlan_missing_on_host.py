"""PHYS005 public-vlan-missing-on-host: the upstream gateway answers on one host and not on another, in the same VLAN.

What it does
------------
With captures at the NICs of two hosts: finds an address that system VMs or routers of the first host ask for by ARP in
vain, while it answers those of the second host in the same VLAN.

Why it matters
--------------
System VMs and routers work or not depending on the host they were started on.

Common causes
-------------
The public VLAN is trunked to some hosts only.

What else it could be
---------------------
One address that is used twice or not known to the gateway: two askers, or a VLAN in which the first host hears nothing
at all, rule that out.

Next steps
----------
Compare the lists of VLANs of the two hosts' switch ports.
"""

from collections.abc import Iterator

from dissectors.arp import ArpExchange
from pcapdx.case import Case, View
from pcapdx.model import Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import ArpDead, arp_silent
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.macs import is_system_vm_public
from pcapdx.rules.definitions.path import every_leg, ports
from pcapdx.rules.definitions.wording import cite, in_vlan, listed


def check(case: Case) -> Iterator[Finding]:
    """One finding a host, VLAN and target."""
    for leg in every_leg(case):
        if not leg.is_wire_to_wire:
            continue
        silent: dict[tuple[int, str], list[ArpDead]] = {}
        for dead in arp_silent(leg.near):
            if is_system_vm_public(dead.asker_mac) and is_local(leg.near, dead.asker_mac) is not False:
                silent.setdefault((dead.vlan, dead.target_ip), []).append(dead)
        for (vlan, target), members in silent.items():
            answers = _answered(leg.far, vlan, target)
            if answers and (len(members) > 1 or not _hears(leg.near, vlan)):
                yield _finding(leg.near, leg.far, vlan, target, members, answers)


def _answered(view: View, vlan: int, target: str) -> list[int]:
    """Frames of requests for a target by machines of this host, and of their answers."""
    return [
        number
        for one in view.exchanges(ArpExchange)
        if one.vlan == vlan and one.target_ip == target and one.replies and is_local(view, one.asker_mac) is not False
        for number in (one.requests[0].number, one.replies[0].number)
    ]


def _hears(view: View, vlan: int) -> bool:
    """Anything comes in from elsewhere in the VLAN."""
    return any(one.sent and one.vlan == vlan and is_local(view, one.mac) is not True for one in view.talkers)


def _finding(near: View, far: View, vlan: int, target: str, members: list[ArpDead], answers: list[int]) -> Finding:
    askers = listed(one.asker_mac for one in members[:3])
    return RULE.finding(
        subject=Subject(vlan=vlan, server=target),
        summary=(
            f"{target} answers at {far.name} and not at {near.name} ({in_vlan(vlan)}): {askers} "
            f"ask{'s' * (len(members) == 1)} "
            f"in vain, so {near.name}'s host does not get this VLAN."
        ),
        evidence=(
            cite(near, (number for one in members for number in one.frames), f"ARP for {target}, unanswered"),
            cite(far, answers, f"ARP for {target}, answered"),
        ),
        filter=f"arp.dst.proto_ipv4 == {target}",
        first_ns=min(one.first_ns for one in members),
        last_ns=max(one.last_ns for one in members),
        alternatives=(f"{target} refuses these askers alone: their addresses are used twice",),
        next_steps=(ports(near, far, vlan),),
    )


RULE = Rule(
    code="PHYS005",
    name="public-vlan-missing-on-host",
    topic=Topic.PHYSICAL_NETWORKS,
    severity=Severity.ERROR,
    check_path=check,
    explains=("VLAN001", "VLAN002", "VLAN019", "HOST001"),
)
