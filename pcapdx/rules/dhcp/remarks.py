"""DHCP024 server-id-not-gateway-on-rvr, DHCP025 finite-lease, DHCP026 relayed: what is worth knowing of a lease.

What it does
------------
Notes a redundant router that names its own address as server (DHCP024, needs the profile), a lease from a router that
ends (DHCP025), and answers that came through a relay (DHCP026).

Why it matters
--------------
The first predicts a refused password server; the others tell builds and designs apart from CloudStack's usual ones.

Common causes
-------------
Builds 4.11, 4.20 and 4.21 (pull requests 10183, 13194); old builds; a relay of the SDN provider.

What else it could be
---------------------
All three may be as designed.

Next steps
----------
Compare with the network's router and version.
"""

from collections.abc import Iterator

from dissectors.dhcp import DhcpExchange
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import BOOT_FILE, leases
from pcapdx.rules.definitions.wording import cite, duration

INFINITE = 0xFFFF_FFFF


def check_own_address(view: View) -> Iterator[Finding]:
    """DHCP024: one finding a network and server."""
    for one in leases(view):
        network = view.site.network_of(one.ip)
        if network is None or not network.redundant or one.server is None or one.server in one.routers:
            continue
        yield OWN_ADDRESS.finding(
            subject=Subject(vlan=one.vlan, server=one.server),
            summary=f"The redundant router names its own address {one.server} as DHCP server, not the gateway's.",
            evidence=(cite(view, (one.ack.number,), f"ACK: server identifier {one.server}"),),
            filter=f"dhcp.option.dhcp_server_id == {one.server}",
            first_ns=one.ack.ts_ns,
            alternatives=("CloudStack 4.11 does so by design, with the password server on the same address",),
            next_steps=(
                NextStep(
                    where="virtual router",
                    command="ss -ltnp '( sport = :8080 )'",
                    meaning=f"the password server must listen on {one.server} as well (pull request 13194)",
                ),
            ),
        )


def check_finite(view: View) -> Iterator[Finding]:
    """DHCP025: one finding a server that by its boot file is a virtual router."""
    for one in leases(view):
        lease_s = one.ack.message.lease_s
        router = one.ack.message.boot_file == BOOT_FILE or view.site.is_router(mac=one.server_mac, ip=one.server)
        if not router or lease_s is None or lease_s == INFINITE:
            continue
        yield FINITE.finding(
            subject=Subject(vlan=one.vlan, server=one.server),
            summary=(
                f"{one.server} gives leases of {duration(lease_s * 1_000_000_000)}; CloudStack's routers "
                "give endless ones."
            ),
            evidence=(cite(view, (one.ack.number,), f"ACK: lease time {lease_s} s"),),
            filter="dhcp.option.ip_address_lease_time",
            first_ns=one.ack.ts_ns,
            alternatives=("an older build, or a network plug-in's server",),
        )


def check_relayed(view: View) -> Iterator[Finding]:
    """DHCP026: one finding a relay."""
    relays: dict[tuple[int, str], list[int]] = {}
    for exchange in view.exchanges(DhcpExchange):
        for one in exchange.messages:
            if one.message.relayed:
                relays.setdefault((exchange.vlan, one.message.giaddr or "option 82"), []).append(one.number)
    for (vlan, relay), frames in relays.items():
        yield RELAYED.finding(
            subject=Subject(vlan=vlan, name=relay),
            summary=f"DHCP passes through a relay here ({relay}).",
            evidence=(cite(view, frames, "relay address or relay agent option in the message"),),
            filter="dhcp.ip.relay != 0.0.0.0 || dhcp.option.type == 82",
            alternatives=("the design of the network's SDN provider",),
        )


OWN_ADDRESS = Rule(
    code="DHCP024",
    name="server-id-not-gateway-on-rvr",
    known=(2635, 13194),
    topic=Topic.DHCP,
    severity=Severity.WARNING,
    check=check_own_address,
    explains=("PWD002",),
)
FINITE = Rule(code="DHCP025", name="finite-lease", topic=Topic.DHCP, severity=Severity.INFO, check=check_finite)
RELAYED = Rule(code="DHCP026", name="relayed", topic=Topic.DHCP, severity=Severity.INFO, check=check_relayed)
