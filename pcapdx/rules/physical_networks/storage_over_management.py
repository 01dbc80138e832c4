"""PHYS006 storage-over-management: a host's storage traffic takes the management network although it has a storage NIC.

What it does
------------
Finds a host whose NFS or iSCSI traffic leaves from its management address for a storage server that lies in the storage
network: by the profile's networks, or because the same host has an address in that server's own subnet. System VMs and
management servers, whose secondary storage belongs on the management network, are left out.

Why it matters
--------------
Disks of all guests share a link with agents and consoles; one busy volume makes hosts seem dead.

Common causes
-------------
The storage NIC's address or route is missing; the storage was added by an address that is routed.

What else it could be
---------------------
A plan without a storage network: then nothing is said.

Next steps
----------
Ask the host which way it takes.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.dissect import Flow
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.addresses import neighbours, within
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.management import management_servers
from pcapdx.rules.definitions.windows import TWO_PATHS
from pcapdx.rules.definitions.wording import cite, in_vlan

PORTS = (2049, 3260)


def check(view: View) -> Iterator[Finding]:
    """One finding a host and storage server."""
    told: set[tuple[str | None, str | None]] = set()
    if not view.site.storage.networks and not _in_two_networks(view):
        return
    for flow in view.flows.where(ports=PORTS):
        host, storage = flow.originator, flow.responder
        ends = host.ip, storage.ip
        if ends in told or is_guest(host.mac) or host.ip in management_servers(view):
            continue
        if host.packets + storage.packets < TWO_PATHS or not storage.packets:
            continue
        why = _why(view, flow)
        if why is not None:
            told.add(ends)
            yield _finding(view, flow, why)


def _in_two_networks(view: View) -> bool:
    """Whether any MAC has addresses in two VLANs, which is what tells without a profile."""
    vlans: dict[str, set[int]] = {}
    for bound in view.bindings:
        vlans.setdefault(bound.mac, set()).add(bound.vlan)
    return any(len(of_one) > 1 for of_one in vlans.values())


def _why(view: View, flow: Flow) -> str | None:
    """What shows that this host could go by the storage network."""
    host, storage = flow.originator, flow.responder
    site = view.site
    if host.ip is None or storage.ip is None:
        return None
    if site.storage.networks:
        planned = within(storage.ip, site.storage.networks) or storage.ip in site.storage.servers
        from_management = within(host.ip, site.management.networks) and not within(host.ip, site.storage.networks)
        return "the profile's storage network is another" if planned and from_management else None
    if neighbours(host.ip, storage.ip):
        return None
    for bound in view.bindings:
        own = bound.mac == host.mac and bound.ip != host.ip and bound.arp and bound.vlan != flow.vlan
        if own and ":" not in bound.ip and neighbours(bound.ip, storage.ip):
            return f"the same NIC has {bound.ip} {in_vlan(bound.vlan)}, beside the storage"
    return None


def _finding(view: View, flow: Flow, why: str) -> Finding:
    host, storage = flow.originator, flow.responder
    frames = [number for number in (host.first_frame, storage.first_frame, host.last_frame) if number is not None]
    return RULE.finding(
        subject=Subject(mac=host.mac, vlan=flow.vlan, ip=host.ip, server=storage.ip, port=storage.port),
        confidence=Confidence.CERTAIN if view.site.storage.networks else Confidence.LIKELY,
        summary=(
            f"{host.ip} reaches its storage {storage.ip}:{storage.port} by the management network "
            f"({in_vlan(flow.vlan)}, {host.packets + storage.packets:,} packets): {why}."
        ),
        evidence=(cite(view, frames, "storage traffic from the management address"),),
        filter=f"tcp.port == {storage.port} && ip.addr == {host.ip} && ip.addr == {storage.ip}",
        first_ns=host.first_ns,
        last_ns=host.last_ns,
        next_steps=(
            NextStep(
                where=f"host {host.ip}",
                command=f"ip route get {storage.ip}; ip -br addr; mount | grep {storage.ip}",
                meaning="it must leave by the storage NIC: add its address or route there",
            ),
        ),
    )


RULE = Rule(
    code="PHYS006",
    name="storage-over-management",
    topic=Topic.PHYSICAL_NETWORKS,
    severity=Severity.WARNING,
    check=check,
)
