"""DHCP021 dns-not-vr: the lease names another DNS server first than the network should have.

What it does
------------
Where the site profile says which DNS servers a network has, finds a lease whose first one (option 6) is none of them,
nor the router that gave the lease.

Why it matters
--------------
A guest asks the first server. Any other than the router does not know ``data-server`` nor the names of its neighbours,
so password and metadata scripts fall back to guesses.

Common causes
-------------
The setting use.external.dns; the DNS of the zone or network was changed and the router not restarted (issues 11879,
12161); another DHCP server answered.

What else it could be
---------------------
DNS servers given to the network on purpose, which the profile does not know yet.

Next steps
----------
Compare the network's DNS with what the router hands out.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import leases
from pcapdx.rules.definitions.wording import cite, listed


def check(view: View) -> Iterator[Finding]:
    """One finding a network and first DNS server."""
    grouped: dict[tuple[int, str], list[int]] = {}
    for lease in leases(view):
        network = view.site.network_of(lease.ip)
        if network is None or not network.dns or not lease.dns:
            continue
        first = lease.dns[0]
        expected = {*network.dns, network.gateway, network.dhcp_server, lease.server}
        if first not in expected and not view.site.is_router(ip=first):
            grouped.setdefault((lease.vlan, first), []).append(lease.ack.number)
    for (vlan, first), frames in grouped.items():
        networks = [one for one in view.site.network if one.dns]
        wanted = list(dict.fromkeys(ip for one in networks for ip in one.dns))
        yield RULE.finding(
            subject=Subject(vlan=vlan, server=first),
            confidence=Confidence.LIKELY,
            summary=f"Leases name {first} as first DNS server, where the network has {listed(wanted[:4])}.",
            evidence=(cite(view, frames, f"ACK: DNS server {first} first"),),
            filter=f"dhcp.option.domain_name_server == {first}",
            alternatives=(f"{first} was given to the network on purpose, and the profile is old",),
            next_steps=(
                NextStep(
                    where="virtual router of this network",
                    command="grep -E 'option.*,6,' /etc/dnsmasq.d/cloud.conf /etc/dhcpopts.txt",
                    meaning=f"{first} here: restart the network with cleanup after its DNS is right in CloudStack",
                ),
                NextStep(
                    where="CloudStack API",
                    command="list networks id=<network> (dns1, dns2); list configurations name=use.external.dns",
                    meaning="use.external.dns true makes routers hand out the zone's DNS instead of themselves",
                ),
            ),
        )


RULE = Rule(
    code="DHCP021",
    name="dns-not-vr",
    known=(12161, 11879),
    topic=Topic.DHCP,
    severity=Severity.WARNING,
    check=check,
    explains=("PWD018",),
)
