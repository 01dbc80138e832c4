"""HOST006 system-vm-uses-wrong-nic: a system VM looks for management or storage by its public NIC.

What it does
------------
Finds connections to ports 8250, 2049 or 111 of an internal address that a system VM (by its MAC) opens from a public
address, and that nobody answers. Without the profile's public networks, NFS alone does not tell, as a virtual router
that translates its guests' addresses looks the same.

Why it matters
--------------
No template, snapshot or console: the system VM never reaches its management server or storage.

Common causes
-------------
The management server's or storage's network is not among those that the system VM routes by its management NIC: it has
no RFC 1918 address, or lies outside management.network.cidr (issues 9746, 7244).

What else it could be
---------------------
A management server with a public address is no fault and is left out.

Next steps
----------
Look at the routes inside the system VM.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.dissect import Flow
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.addresses import is_public, within
from pcapdx.rules.definitions.macs import is_system_vm_public
from pcapdx.rules.definitions.syn_dead import Tries, syn_dead
from pcapdx.rules.definitions.wording import cite, duration, in_vlan, times
from pcapdx.rules.host_connectivity import AGENT, NFS, PORTMAPPER

PORTS = (AGENT, NFS, PORTMAPPER)


def check(view: View) -> Iterator[Finding]:
    """One finding a system VM, server and port."""
    found = [one for one in syn_dead(view, PORTS) if is_system_vm_public(one.client_mac) and _crosses(view, one)]
    agents = {one.client_mac for one in found if one.port == AGENT}
    for tries in found:
        if tries.port == AGENT or tries.client_mac in agents or _planned_public(view, tries.flows[0]):
            yield _finding(view, tries)


def _crosses(view: View, tries: Tries) -> bool:
    """From a public address to an internal one."""
    site = view.site
    inside = (*site.management.networks, *site.storage.networks)
    planned = within(tries.server, inside) or tries.server in (*site.management.servers, *site.storage.servers)
    internal = planned or (not inside and not is_public(tries.server))
    own = within(tries.client, inside)
    return internal and not own and (_planned_public(view, tries.flows[0]) or is_public(tries.client))


def _planned_public(view: View, flow: Flow) -> bool:
    """By the profile, this is the public network."""
    public = view.site.public
    return within(flow.originator.ip, public.networks) or (bool(public.vlan) and flow.vlan == public.vlan)


def _finding(view: View, tries: Tries) -> Finding:
    what = "management server" if tries.port == AGENT else "storage server"
    planned = _planned_public(view, tries.flows[0])
    return RULE.finding(
        subject=Subject(mac=tries.client_mac, vlan=tries.vlan, ip=tries.client, server=tries.server, port=tries.port),
        confidence=Confidence.CERTAIN if planned else Confidence.LIKELY,
        summary=(
            f"A system VM ({tries.client_mac}) looks for the {what} {tries.server}:{tries.port} from its public "
            f"address {tries.client}, {in_vlan(tries.vlan)}, {times(tries.count)} in "
            f"{duration(tries.last_ns - tries.first_ns)}; nobody answers."
        ),
        evidence=(cite(view, tries.frames, f"SYN to the internal address {tries.server} from a public one"),),
        filter=f"tcp.port == {tries.port} && ip.addr == {tries.client}",
        first_ns=tries.first_ns,
        last_ns=tries.last_ns,
        alternatives=(f"{tries.client} is no public NIC of a system VM: compare its MAC with listSystemVms",),
        next_steps=(
            NextStep(
                where=f"system VM with {tries.client}",
                command=f"ip route get {tries.server}; ip route; cat /var/cache/cloud/cmdline",
                meaning="it must leave by eth1 (management) or eth3 (storage); by eth2 a route is missing",
            ),
            NextStep(
                where="CloudStack API",
                command="list configurations name=management.network.cidr; list configurations name=host; "
                "list storagenetworkiprange",
                meaning=f"{tries.server} must lie in one of them; then destroy the system VM, so that it is made anew",
            ),
        ),
    )


RULE = Rule(
    code="HOST006",
    name="system-vm-uses-wrong-nic",
    known=(9746, 7244),
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check,
    explains=("HOST001", "HOST007", "CPVM016"),
)
