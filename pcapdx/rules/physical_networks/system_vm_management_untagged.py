"""PHYS002 system-vm-management-untagged: a system VM's management NIC is on the native network, the hosts' in a VLAN.

What it does
------------
Finds a system VM that asks untagged, and in vain, for a machine of the management network, while hosts of the same
subnet are answered in a VLAN at the same NIC, or the profile has the network in one, and nobody else of it is heard
untagged.

Why it matters
--------------
Console proxy and secondary storage VM never reach the management server: no console, no template, no snapshot.

Common causes
-------------
CloudStack adds no tag for management on KVM. The hosts' management address is on a VLAN device, and the label bridge is
on the bare NIC; the VLAN was typed into the pod's range, where it has no effect (issue 13509).

What else it could be
---------------------
An address that two networks share, one of them untagged on purpose.

Next steps
----------
Give management a bridge of its own on top of the VLAN device.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.addresses import within
from pcapdx.rules.definitions.planned import Misplaced, is_storage, misplaced, where_it_is
from pcapdx.rules.definitions.wording import at_least, cite


def check(view: View) -> Iterator[Finding]:
    """One finding a system VM."""
    for one in misplaced(view):
        storage = within(one.dead.asker_ip, view.site.storage.networks)
        if not storage and not is_storage(view, one.dead.target_ip, one.vlan):
            yield _finding(view, one)


def _finding(view: View, one: Misplaced) -> Finding:
    dead = one.dead
    planned = within(dead.asker_ip, view.site.management.networks)
    elsewhere, proof = where_it_is(view, one)
    return RULE.finding(
        subject=Subject(mac=dead.asker_mac, vlan=0, ip=dead.asker_ip),
        confidence=Confidence.CERTAIN if planned else Confidence.LIKELY,
        summary=(
            f"The system VM {dead.asker_ip} ({dead.asker_mac}) asks for {dead.target_ip} untagged "
            f"{at_least(view, len(dead.frames), 'arp')} in vain, {elsewhere}: its management NIC is misplaced."
        ),
        evidence=(
            cite(view, dead.frames, f"untagged: who has {dead.target_ip}; no reply"),
            *proof,
        ),
        filter=f"arp.dst.proto_ipv4 == {dead.target_ip}",
        first_ns=dead.first_ns,
        last_ns=dead.last_ns,
        alternatives=(f"two networks that both have {dead.target_ip}, one of them untagged on purpose",),
        next_steps=(
            NextStep(
                where="host of this system VM",
                command=f"bridge link; bridge vlan; grep network.device /etc/cloudstack/agent/agent.properties; "
                f"ip -d link show type vlan | grep 'id {one.vlan}'",
                meaning=f"the private bridge must sit on the device of VLAN {one.vlan}, not on the bare NIC",
            ),
            NextStep(
                where="CloudStack API",
                command="list traffictypes physicalnetworkid=<id>; list pods showcapacities=false",
                meaning="the label of Management: the bridge this NIC is plugged into",
            ),
        ),
    )


RULE = Rule(
    code="PHYS002",
    name="system-vm-management-untagged",
    known=(13509,),
    topic=Topic.PHYSICAL_NETWORKS,
    severity=Severity.ERROR,
    check=check,
    explains=("HYP004", "VLAN001", "VLAN019", "HOST001", "HOST007", "CPVM016"),
)
