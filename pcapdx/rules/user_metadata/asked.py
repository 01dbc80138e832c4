"""Metadata requests that went to a virtual router, and what is said about them in every rule of this topic."""

from dissectors.metadata import MetadataExchange, MetadataKind
from pcapdx.case import View
from pcapdx.model import NextStep, Subject
from pcapdx.rules.definitions.leases import BOOT_FILE, lease_at, leases
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.servers import foreign_gateway

EC2_ADDRESS = "169.254.169.254"
OURS = (MetadataKind.MANDATORY, MetadataKind.OPTIONAL, MetadataKind.USER_DATA, MetadataKind.LISTING)


@once_a_view
def requests(view: View) -> tuple[MetadataExchange, ...]:
    """Requests for CloudStack's paths, in time order; other clouds' probes, EC2's address and guests' web servers are
    left out."""
    others = {EC2_ADDRESS, *(lease.ip for lease in leases(view)), *(guest.ip for guest in view.site.guest)}
    return tuple(
        one for one in view.exchanges(MetadataExchange) if one.request.message.kind in OURS and one.server not in others
    )


def asks_foreign_gateway(view: View, one: MetadataExchange) -> bool:
    """The request went to the gateway of a lease whose DHCP server is another machine."""
    lease = foreign_gateway(view, one.client, one.server, one.request.ts_ns)
    return lease is not None and not view.site.is_router(ip=one.server)


def is_routers(view: View, one: MetadataExchange) -> bool:
    """The request went to a router of CloudStack's, whatever its web server: the profile says so, or the lease that the
    asker has from it, which names the boot file that those routers give."""
    if view.site.is_router(ip=one.server):
        return True
    lease = lease_at(view, one.client, one.request.ts_ns)
    return lease is not None and lease.server == one.server and lease.ack.message.boot_file == BOOT_FILE


def subject(one: MetadataExchange) -> Subject:
    """Client and server of a request."""
    return Subject(mac=one.flow.originator.mac, vlan=one.flow.vlan, ip=one.client, server=one.server, port=one.port)


def stored(client: str | None) -> NextStep:
    """Whether the router holds data for an address."""
    return NextStep(
        where="virtual router",
        command=f"ls -la /var/www/html/metadata/{client} /var/www/html/userdata/{client}",
        meaning="no such folder: CloudStack did not program the data of this address, or under another one",
    )


def apache(server: str | None) -> NextStep:
    """Whether the web server is there."""
    return NextStep(
        where="virtual router",
        command="systemctl status apache2; ss -ltnp '( sport = :80 )'; tail /var/log/apache2/error.log",
        meaning=f"it must listen on {server}:80; the error log names a broken access file",
    )


def management(client: str | None) -> NextStep:
    """Whether CloudStack sent the data."""
    return NextStep(
        where="management server",
        command="grep -E 'VmDataCommand' /var/log/cloudstack/management/management-server.log | tail",
        meaning=f"no line for {client} since its start, or an error: the router was never told",
    )
