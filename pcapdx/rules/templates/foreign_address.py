"""TMPL005 static-or-foreign-address: a guest uses an address that CloudStack did not give it.

What it does
------------
Finds a guest of the site profile that sends five IPv4 packets or more from an address that is neither its own nor one
of its secondary addresses.

Why it matters
--------------
Metadata and password go by address, security groups and spoofing filters drop the rest; and somebody else may be
given that address.

Common causes
-------------
The image has a static address from where it was made; the router's or a foreign DHCP server gave another one.

What else it could be
---------------------
A guest that forwards for others (nested instances, VPN, containers) or shares a floating address by VRRP: one that
sends from many addresses is left out.

Next steps
----------
Compare with the NIC's addresses in CloudStack, then look into the image's network configuration.
"""

from collections.abc import Iterator

from dissectors.icmp import Icmp
from pcapdx.case import Binding, View
from pcapdx.model import Confidence, Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite, in_vlan
from pcapdx.rules.templates.guests import flows_of, nics, template
from pcapdx.site import Guest

PACKETS = 5
ROUTES = 3
"""A guest with more foreign addresses than this forwards for others."""


def check(view: View) -> Iterator[Finding]:
    """One finding a guest and address."""
    for guest in view.site.guest:
        if not guest.mac or not guest.ip:
            continue
        foreign = [one for one in view.bindings if one.mac == guest.mac and _foreign(one.ip, guest)]
        if not foreign or len({one.ip for one in foreign}) > ROUTES:
            continue
        for bound in foreign:
            packets = _packets(view, bound)
            if packets >= PACKETS:
                yield _finding(view, guest, bound, packets)


def _foreign(ip: str, guest: Guest) -> bool:
    """An IPv4 address of neither CloudStack's nor the guest's own making."""
    if ":" in ip or ip == "0.0.0.0" or ip.startswith("169.254."):
        return False
    return ip != guest.ip and ip not in guest.secondary_ips


def _packets(view: View, bound: Binding) -> int:
    """Packets sent under a binding: those of its flows, and what has no ports."""
    in_flows = [
        half
        for flow in flows_of(view, bound.mac)
        for half in (flow.originator, flow.responder)
        if half.mac == bound.mac and half.ip == bound.ip and flow.vlan == bound.vlan and flow.vni == bound.vni
    ]
    return max(0, bound.packets - len(in_flows)) + sum(half.packets for half in in_flows)


def _finding(view: View, guest: Guest, bound: Binding, packets: int) -> Finding:
    name = guest.name or guest.mac
    frames = [bound.first_frame, bound.last_frame]
    for flow in flows_of(view, guest.mac):
        halves = (flow.originator, flow.responder)
        frames.extend(half.first_frame for half in halves if half.ip == bound.ip and half.first_frame is not None)
    frames.extend(one.number for one in view.messages(Icmp) if one.frame.src == bound.ip)
    return RULE.finding(
        subject=Subject(mac=guest.mac, vlan=bound.vlan, ip=bound.ip),
        confidence=Confidence.LIKELY,
        summary=(
            f"{name} ({guest.mac}, {in_vlan(bound.vlan)}) uses {bound.ip} ({packets} packets); "
            f"CloudStack gave it {guest.ip}."
        ),
        evidence=(cite(view, frames, f"ARP and IPv4 from {bound.ip} under {guest.mac}"),),
        filter=f"eth.src == {guest.mac} && (ip.src == {bound.ip} || arp.src.proto_ipv4 == {bound.ip})",
        first_ns=bound.first_ns,
        last_ns=bound.last_ns,
        alternatives=(
            f"{bound.ip} is a secondary or floating address that the profile does not name",
            "the guest forwards for a container or VPN",
        ),
        next_steps=(
            nics(guest.mac),
            template(
                "grep -rn 'address' /etc/netplan /etc/network/interfaces /etc/sysconfig/network-scripts",
                f"{bound.ip} written there: the image has a static address; nothing: it came by DHCP",
            ),
        ),
    )


RULE = Rule(
    code="TMPL005",
    name="static-or-foreign-address",
    topic=Topic.TEMPLATES,
    severity=Severity.WARNING,
    check=check,
)
