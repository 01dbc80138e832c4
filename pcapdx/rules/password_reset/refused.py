"""PWD001 refused, PWD002 refused-at-server-id-vip-would-serve: the router's port 8080 answers with a RST.

What it does
------------
Finds a guest whose connection to port 8080 of its DHCP server (or of data-server) is refused. Where the router is one
of a redundant pair and refuses at its own address while the shared gateway address serves, it is PWD002.

Why it matters
--------------
The new password is on the router and never reaches the guest: the old one stays valid, or none does.

Common causes
-------------
The password server is not running; it listens on another address than the one DHCP names (redundant routers whose
server identifier is their own address: issues 11877, 12107, 13720); the network has no password service.

What else it could be
---------------------
An ordinary application on 8080 of some other host: only addresses known as a router's are judged.

Next steps
----------
See on the router who listens on 8080; compare its address with option 54 of the lease.
"""

from collections.abc import Iterator

from dissectors.password_server import PasswordExchange
from pcapdx.case import View
from pcapdx.model import Confidence, Evidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import ParticularsWithSteps, Rule
from pcapdx.rules.definitions.leases import Lease, lease_at
from pcapdx.rules.definitions.servers import why_router
from pcapdx.rules.definitions.syn_dead import Tries, refused
from pcapdx.rules.definitions.wording import cite, times
from pcapdx.rules.password_reset import PORT, steps


def check(view: View) -> Iterator[Finding]:
    """One finding a client and server, by PWD001's check; PWD002 owns those of redundant pairs."""
    for tries in refused(view, (PORT,)):
        lease = lease_at(view, tries.client, tries.first_ns)
        if why_router(view, tries.server) and not shared_address(view, tries, lease):
            yield REFUSED.finding(
                summary=f"{tries.client} asked {tries.server} for its password and was refused (RST from port {PORT}).",
                **_common(view, tries),
                alternatives=("the network's offering has no password service: then a refusal is right",),
            )


def check_redundant(view: View) -> Iterator[Finding]:
    """One finding a client and server of a redundant pair."""
    for tries in refused(view, (PORT,)):
        lease = lease_at(view, tries.client, tries.first_ns)
        if not why_router(view, tries.server):
            continue
        reason = shared_address(view, tries, lease)
        if reason is not None and lease is not None:
            yield AT_OWN_ADDRESS.finding(
                confidence=Confidence.LIKELY,
                summary=(
                    f"{tries.client} asked the router's own address {tries.server} for its password and was refused; "
                    f"the gateway address {lease.routers[0]} is where the password server listens."
                ),
                **_common(view, tries, (cite(view, reason[1], reason[0]),)),
                alternatives=("the password server is down on both addresses",),
            )


def shared_address(view: View, tries: Tries, lease: Lease | None) -> tuple[str, tuple[int, ...]] | None:
    """What shows a redundant pair whose shared address would serve, with its frames; None when nothing does."""
    if lease is None or not lease.routers or tries.server in lease.routers or lease.server != tries.server:
        return None
    gateway = lease.routers[0]
    for exchange in view.exchanges(PasswordExchange):
        if exchange.server == gateway and exchange.answer is not None:
            return f"the gateway {gateway} answers on {PORT}", exchange.answer.frames
    network = view.site.network_of(lease.ip)
    if network is not None and network.redundant:
        return "the site profile says that the network is redundant", (lease.ack.number,)
    web = [one for one in view.flows.where(ports=(80,), server=tries.server) if one.responder.syn]
    if web and network is None:
        # Apache listens on both addresses of a pair, the password server on one (cs/CsApp.py)
        return f"{tries.server} itself is a router: its port 80 is open", web[0].responder.syn_frames
    return None


def _common(view: View, tries: Tries, more: tuple[Evidence, ...] = ()) -> ParticularsWithSteps:
    return {
        "subject": Subject(mac=tries.client_mac, vlan=tries.vlan, ip=tries.client, server=tries.server, port=PORT),
        "evidence": (cite(view, tries.frames, f"SYN to {PORT}, answered by RST, {times(len(tries.flows))}"), *more),
        "filter": f"tcp.port == {PORT} && ip.addr == {tries.client} && ip.addr == {tries.server}",
        "first_ns": tries.first_ns,
        "last_ns": tries.last_ns,
        "next_steps": (steps.listener(tries.server), steps.stored(tries.client), DHCP_IDENTIFIER),
    }


DHCP_IDENTIFIER = NextStep(
    where="virtual router",
    command="grep -E 'listen-address|dhcp-option' /etc/dnsmasq.d/cloud.conf; ip -4 addr show",
    meaning="the address DHCP names (option 54) must be one the password server listens on",
)

REFUSED = Rule(
    code="PWD001",
    name="refused",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.ERROR,
    check=check,
)

AT_OWN_ADDRESS = Rule(
    code="PWD002",
    name="refused-at-server-id-vip-would-serve",
    known=(11877, 12107, 13720),
    topic=Topic.PASSWORD_RESET,
    severity=Severity.ERROR,
    check=check_redundant,
    explains=("PWD001",),
)
