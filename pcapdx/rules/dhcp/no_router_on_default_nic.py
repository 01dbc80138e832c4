"""DHCP019 no-router-on-default-nic: the lease names no way out, or one that the guest cannot reach.

What it does
------------
Finds a lease without a router (option 3) and without a default route (option 121) for a NIC that the site profile calls
the instance's default one; and, for any NIC, a lease whose only router is outside the subnet that it gives.

Why it matters
--------------
The guest reaches its neighbours and nothing else.

Common causes
-------------
The tag of this NIC in /etc/dhcpopts.txt withholds option 3, since the router takes the NIC for a second one; the
gateway of the network or range was changed and the router not restarted.

What else it could be
---------------------
A second NIC, which gets no router by design; a network of host routes; an address with a mask of 32 bits and an on-link
gateway.

Next steps
----------
Read what the router was told of this NIC.
"""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from dissectors.dhcp import Dhcp
from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import Lease, leases
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.wording import cite, listed

DEFAULT = "0.0.0.0/0"
ROUTER = 3
HOST_MASK = 31


def check(view: View) -> Iterator[Finding]:
    """One finding a client."""
    latest = {(one.vlan, one.mac): one for one in leases(view) if not one.ack.message.cut}
    for lease in latest.values():
        routed = any(route.destination == DEFAULT for route in lease.ack.message.routes)
        guest = view.site.guest_of(lease.mac)
        asked = lease.mac in _ask_for_router(view)
        if routed:
            continue
        if not lease.routers and guest is not None and guest.default_nic and asked:
            yield _finding(view, lease, "names no router", Severity.ERROR)
        elif lease.routers and not _reachable(lease):
            where = f"names {listed(lease.routers)}, outside the subnet of {lease.ip}/{lease.ack.message.subnet_mask}"
            yield _finding(view, lease, where, Severity.ERROR if guest and guest.default_nic else Severity.WARNING)


@once_a_view
def _ask_for_router(view: View) -> frozenset[str | None]:
    """Clients that ask for option 3; a server may leave out what nobody asked for."""
    return frozenset(
        one.message.chaddr
        for one in view.messages(Dhcp)
        if not one.message.from_server and ROUTER in one.message.parameters
    )


def _reachable(lease: Lease) -> bool:
    """Some router is in the subnet of the lease, or the lease tells none."""
    mask = lease.ack.message.subnet_mask
    if mask is None:
        return True
    try:
        subnet = ip_network(f"{lease.ip}/{mask}", strict=False)
    except ValueError:
        return True  # a mask with holes
    return subnet.prefixlen >= HOST_MASK or any(ip_address(router) in subnet for router in lease.routers)


def _finding(view: View, lease: Lease, what: str, severity: Severity) -> Finding:
    return RULE.finding(
        subject=Subject(mac=lease.mac, vlan=lease.vlan, ip=lease.ip),
        severity=severity,
        confidence=Confidence.CERTAIN if severity is Severity.ERROR else Confidence.LIKELY,
        summary=f"The lease of {lease.mac} ({lease.ip} from {lease.server}) {what}: it has no way out.",
        evidence=(cite(view, (lease.ack.number,), f"ACK that {what}"),),
        filter=f"dhcp.hw.mac_addr == {lease.mac} && dhcp.option.dhcp == 5",
        first_ns=lease.ack.ts_ns,
        alternatives=("a second NIC, which needs no router",) if severity is Severity.WARNING else (),
        next_steps=(
            NextStep(
                where="virtual router of this network",
                command=f"grep -i {lease.mac} /etc/dhcphosts.txt; cat /etc/dhcpopts.txt",
                meaning="a line 'TAG,3' without an address for this NIC's tag takes the router away",
            ),
            NextStep(
                where="CloudStack API",
                command=f"list nics macaddress={lease.mac} (isdefault, gateway)",
                meaning="isdefault true and a gateway: the router was told otherwise; restart the network",
            ),
        ),
    )


RULE = Rule(
    code="DHCP019",
    name="no-router-on-default-nic",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check,
    explains=("DHCP020", "TMPL013"),
)
