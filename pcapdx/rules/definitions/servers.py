"""Which addresses are a virtual router's, by what this capture or the profile says of them."""

from dissectors.dns import DnsExchange
from pcapdx.case import View
from pcapdx.dissect import Flow
from pcapdx.rules.definitions.leases import Lease, dhcp_servers, lease_at, leases
from pcapdx.rules.definitions.memo import once_a_view

DATA_SERVER = "data-server"
"""The router's name in its own hosts file (CloudStack's cs/CsDhcp.py)."""


@once_a_view
def data_servers(view: View) -> frozenset[str]:
    """Addresses that DNS gave for ``data-server``."""
    return frozenset(
        address
        for one in view.exchanges(DnsExchange)
        if is_data_server(one.name) and one.answer is not None
        for address in one.addresses
    )


def is_data_server(name: str) -> bool:
    """``data-server``, with or without the network's domain."""
    return name == DATA_SERVER or name.startswith(f"{DATA_SERVER}.")


@once_a_view
def routers(view: View) -> dict[str, str]:
    """Addresses of virtual routers, and what makes each one."""
    known: dict[str, str] = {}
    for router in view.site.router:
        known.update(dict.fromkeys(router.ips, "the site profile names it a router"))
    for lease in leases(view):
        if lease.server:
            known.setdefault(lease.server, "it is the DHCP server identifier of a lease in this capture")
    for ip in dhcp_servers(view):
        known.setdefault(ip, "it answered DHCP in this capture")
    for ip in data_servers(view):
        known.setdefault(ip, "DNS gave it for data-server")
    return known


def why_router(view: View, ip: str) -> str | None:
    """What makes an address a virtual router's; None when nothing here says so."""
    return routers(view).get(ip)


def tried(view: View, port: int) -> tuple[Flow, ...]:
    """TCP flows to a port of any address that is known as a virtual router's."""
    return tuple(flow for ip in routers(view) for flow in view.flows.where(ports=(port,), server=ip))


def foreign_gateway(view: View, client: str | None, server: str | None, ts_ns: int) -> Lease | None:
    """The client's lease when ``server`` is its gateway and ARP shows it on another MAC than its DHCP server."""
    lease = lease_at(view, client, ts_ns)
    if lease is None or server is None or server not in lease.routers or lease.server in (None, server):
        return None
    owners = {bound.mac for bound in view.bindings if bound.ip == server and bound.arp}
    return lease if owners and lease.server_mac not in owners else None
