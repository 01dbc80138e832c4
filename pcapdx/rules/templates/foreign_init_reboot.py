"""TMPL004 foreign-init-reboot: the image kept a lease of another network.

What it does
------------
Finds a guest that begins by asking for an address (option 50, without a server) outside the network it is in, by the
mask of the lease it gets then, or by the site profile.

Why it matters
--------------
The server says no or nothing, and the boot takes some seconds longer. A remark.

Common causes
-------------
The template was made of an instance whose DHCP client kept its lease file.

What else it could be
---------------------
An instance that was moved between networks.

Next steps
----------
Remove the lease files before making the template.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network, ip_address, ip_network

from dissectors.dhcp import DhcpExchange, DhcpKind
from pcapdx.case import View
from pcapdx.model import Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import leases
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.templates.guests import template


def check(view: View) -> Iterator[Finding]:
    """One finding a guest."""
    for one in view.exchanges(DhcpExchange):
        asked = next((seen for seen in one.requests if seen.message.requested_ip), None)
        if one.kind is not DhcpKind.INIT_REBOOT or asked is None or asked.message.requested_ip is None:
            continue
        wanted = asked.message.requested_ip
        networks = networks_of(view, one.chaddr, one.vlan)
        if not networks or any(ip_address(wanted) in network for network in networks):
            continue
        yield RULE.finding(
            subject=Subject(mac=one.chaddr, vlan=one.vlan),
            summary=f"{one.chaddr} began by asking for {wanted}, an address of another network than {networks[0]}.",
            evidence=(
                cite(view, (seen.number for seen in one.messages), f"REQUEST for {wanted} as from an old lease"),
            ),
            filter=f"dhcp.hw.mac_addr == {one.chaddr}",
            first_ns=one.first_ns,
            last_ns=one.last_ns,
            alternatives=("the instance was moved here from the other network",),
            next_steps=(
                template(
                    "rm -f /var/lib/dhcp/*.leases /var/lib/dhclient/* /var/lib/NetworkManager/*.lease",
                    "lease files that are left in an image are asked for at the first boot of every instance",
                ),
            ),
        )


def networks_of(view: View, mac: str, vlan: int) -> list[IPv4Network]:
    """IPv4 networks that a client's leases (else its VLAN's) and the profile tell of."""
    own = [one for one in leases(view) if one.mac == mac and one.vlan == vlan]
    found = []
    for lease in own or [one for one in leases(view) if one.vlan == vlan]:
        mask = lease.ack.message.subnet_mask
        if mask is not None:
            try:
                found.append(IPv4Network(f"{lease.ip}/{mask}", strict=False))
            except ValueError:
                continue
    guest = view.site.guest_of(mac)
    network = view.site.network_of(guest.ip) if guest is not None else None
    if network is not None:
        profile = ip_network(network.cidr)
        found.extend((profile,) if isinstance(profile, IPv4Network) else ())
    return found


RULE = Rule(
    code="TMPL004",
    name="foreign-init-reboot",
    topic=Topic.TEMPLATES,
    severity=Severity.INFO,
    check=check,
    explains=("DHCP011",),
)
