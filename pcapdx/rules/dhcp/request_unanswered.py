"""DHCP010 request-unanswered, DHCP023 renew-to-gone-server: the client chose a server that no longer answers.

What it does
------------
Finds a client that selects an offered server and gets neither ACK nor NAK, twice (DHCP010); and one whose unicast
renewals to the server of its lease stay unanswered three times (DHCP023).

Why it matters
--------------
The first has no address; the second loses the one it has when the lease runs out.

Common causes
-------------
The server died or failed over between OFFER and REQUEST; a firewall drops the second broadcast; the router was rebuilt
under another address (issue 3409).

What else it could be
---------------------
A client that took another server's offer: then that one must answer. A recorder that lost the ACK: then the client uses
the address.

Next steps
----------
Look at dnsmasq, and at which router of a redundant pair is primary now.
"""

from collections.abc import Collection, Iterator

from dissectors.dhcp import Dhcp, DhcpExchange, DhcpKind
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import Segment
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import bindings_by_mac
from pcapdx.rules.definitions.observable import hears
from pcapdx.rules.definitions.windows import DHCP_ANSWER
from pcapdx.rules.definitions.wording import cite, times
from pcapdx.rules.dhcp import steps
from pcapdx.rules.dhcp.asking import DHCP_ANSWERED

TRIES, RENEWALS = 2, 3


def _waited(view: View, exchanges: list[DhcpExchange]) -> list[Seen[Dhcp]]:
    requests = [one for exchange in exchanges for one in exchange.requests]
    return [one for one in requests if view.remains_ns(one.ts_ns) >= DHCP_ANSWER]


def _offer_unseen(boots: list[DhcpExchange]) -> bool:
    """Whether a client that asked here took an offer that is not here: what is sent to it takes another way."""
    return any(one.ts_ns < exchange.requests[0].ts_ns for exchange in boots for one in exchange.discovers)


def _uses(view: View, mac: str, addresses: Collection[str | None], since_ns: int) -> bool:
    """Whether a client speaks from an address it was offered: it was acknowledged (RFC 2131, 3.1.5), seen or not."""
    used = bindings_by_mac(view).get(mac, ())
    return any(one.ip in addresses and one.last_ns > since_ns for one in used)


def check_selecting(view: View) -> Iterator[Finding]:
    """DHCP010: one finding a client."""
    clients: dict[tuple[Segment, str], list[DhcpExchange]] = {}
    for one in view.exchanges(DhcpExchange):
        clients.setdefault((one.segment, one.chaddr), []).append(one)
    for (_, mac), exchanges in clients.items():
        vlan, vni = exchanges[0].vlan, exchanges[0].vni
        boots = [one for one in exchanges if one.kind is DhcpKind.BOOT and one.requests and one.chosen_server]
        requests = _waited(view, boots)
        if len(requests) < TRIES or any(one.acks or one.naks for one in exchanges):
            continue
        offered = [one for exchange in boots for one in exchange.offers]
        if _uses(view, mac, {one.message.yiaddr for one in offered}, requests[0].ts_ns):
            continue
        if not offered and (_offer_unseen(boots) or not hears(view, mac, vlan, vni, answer=DHCP_ANSWERED)):
            continue
        server = boots[0].chosen_server
        yield SELECTING.finding(
            subject=Subject(mac=mac, vlan=vlan, server=server),
            confidence=Confidence.CERTAIN if offered else Confidence.LIKELY,
            summary=f"{mac} chose the offer of {server} and asked {times(len(requests))}, but got neither ACK nor NAK.",
            evidence=(
                cite(view, (one.number for one in requests), f"REQUEST that selects {server}; no ACK or NAK follows"),
                *((cite(view, (one.number for one in offered), "OFFER before"),) if offered else ()),
            ),
            filter=f"dhcp.hw.mac_addr == {mac}",
            first_ns=requests[0].ts_ns,
            last_ns=requests[-1].ts_ns,
            alternatives=("a redundant router failed over just then: see which one is primary",),
            next_steps=(steps.router_log(mac),),
        )


def check_renewing(view: View) -> Iterator[Finding]:
    """DHCP023: one finding a client and server."""
    clients: dict[tuple[int, str], list[DhcpExchange]] = {}
    for one in view.exchanges(DhcpExchange):
        if one.kind is DhcpKind.RENEW:
            clients.setdefault((one.vlan, one.chaddr), []).append(one)
    for (vlan, mac), exchanges in clients.items():
        requests = _waited(view, exchanges)
        if len(requests) < RENEWALS or any(one.answered for one in exchanges):
            continue
        server = requests[0].frame.dst
        if not hears(view, mac, vlan, answer=DHCP_ANSWERED):
            continue
        yield RENEWING.finding(
            subject=Subject(mac=mac, vlan=vlan, server=server),
            summary=f"{mac} asked {server} {times(len(requests))} to renew its lease and got no answer.",
            evidence=(cite(view, (one.number for one in requests), "unicast REQUEST to renew; no answer"),),
            filter=f"dhcp.hw.mac_addr == {mac}",
            first_ns=requests[0].ts_ns,
            last_ns=requests[-1].ts_ns,
            alternatives=("normal for a while after the router was rebuilt under another address",),
            next_steps=(
                NextStep(
                    where="CloudStack API",
                    command="listRouters networkid=<network> (guestipaddress, isredundantrouter, redundantstate)",
                    meaning=f"no router has {server} now: the client must come back with a broadcast, and will",
                ),
                steps.router_log(mac),
            ),
        )


SELECTING = Rule(
    code="DHCP010",
    name="request-unanswered",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check_selecting,
    explains=("DHCP022", "PWD011", "META007"),
)
RENEWING = Rule(
    code="DHCP023",
    name="renew-to-gone-server",
    known=(3409,),
    topic=Topic.DHCP,
    severity=Severity.WARNING,
    check=check_renewing,
    explains=("PWD001", "META001"),
)
