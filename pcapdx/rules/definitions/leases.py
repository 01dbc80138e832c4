"""Leases and servers: who got which address from whom, and which MACs are routers.

The DHCP server identifier S (option 54) is where a guest asks for password and metadata; the router (option 3) is its
gateway. In an isolated network both are the virtual router; in a shared one the gateway is a physical router.
"""

from dissectors.dhcp import Dhcp, DhcpExchange, DhcpType
from pcapdx.case import Binding, View
from pcapdx.dissect import Seen
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.values import dataclass

BOOT_FILE = "pxelinux.0"
"""In every reply of CloudStack's router (systemvm/debian/etc/dnsmasq.conf.tmpl)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What a client was told by the ACK that it got."""

    mac: str
    ip: str
    server: str | None
    """S, the server identifier."""
    server_mac: str | None
    routers: tuple[str, ...]
    dns: tuple[str, ...]
    vlan: int
    ack: Seen[Dhcp]
    windows: bool
    """The client's vendor class is Microsoft's."""


@once_a_view
def leases(view: View) -> tuple[Lease, ...]:
    """Every ACK that gave an address, in time order."""
    found = []
    for exchange in view.exchanges(DhcpExchange):
        vendor = next((one.message.vendor_class for one in exchange.client_messages if one.message.vendor_class), "")
        for ack in exchange.acks:
            address = ack.message.yiaddr or ack.message.ciaddr
            if address is None or ack.message.type is not DhcpType.ACK:
                continue
            found.append(
                Lease(
                    mac=exchange.chaddr,
                    ip=address,
                    server=ack.message.server_id,
                    server_mac=ack.frame.eth_src,
                    routers=ack.message.routers,
                    dns=ack.message.dns,
                    vlan=exchange.vlan,
                    ack=ack,
                    windows=bool(vendor and vendor.startswith("MSFT")),
                )
            )
    return tuple(sorted(found, key=lambda one: one.ack.ts_ns))


def lease_at(view: View, ip: str | None, ts_ns: int) -> Lease | None:
    """The latest lease of an address at a moment; a moment before any lease gets None."""
    return next((one for one in reversed(leases(view)) if one.ip == ip and one.ack.ts_ns <= ts_ns), None)


@once_a_view
def bindings_by_mac(view: View) -> dict[str, list[Binding]]:
    """Addresses that each MAC used."""
    found: dict[str, list[Binding]] = {}
    for one in view.bindings:
        found.setdefault(one.mac, []).append(one)
    return found


@once_a_view
def dhcp_servers(view: View) -> frozenset[str]:
    """Server identifiers of every OFFER and ACK, and their source addresses."""
    found: set[str] = set()
    for one in view.messages(Dhcp):
        if one.message.from_server:
            found.update(ip for ip in (one.message.server_id, one.frame.src) if ip)
    return frozenset(found)


@once_a_view
def router_macs(view: View) -> frozenset[str]:
    """MACs of virtual routers: the profile's, else whoever answers DHCP under its own address or owns S by ARP."""
    profile = {one.mac for one in view.site.router if one.mac}
    if profile:
        return frozenset(profile)
    servers = dhcp_servers(view)
    return frozenset(one.mac for one in view.bindings if one.ip in servers)


@once_a_view
def gateways(view: View) -> frozenset[str]:
    """Gateway addresses that DHCP (option 3) or the profile named."""
    named = {one.gateway for one in view.site.network if one.gateway}
    for one in view.messages(Dhcp):
        if one.message.from_server:
            named.update(one.message.routers)
    return frozenset(named)
