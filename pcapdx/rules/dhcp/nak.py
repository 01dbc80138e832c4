"""DHCP011 nak, DHCP012 nak-loop: a server refuses the address a client asks for.

What it does
------------
Notes every NAK; three to one client within two minutes are a loop.

Why it matters
--------------
One NAK costs seconds and is normal for a guest that remembers an address of another network. A loop never ends.

Common causes
-------------
An old lease in the template; a guest moved between networks; two servers that disagree; a stale lease in the router.

What else it could be
---------------------
A client that gets its address right after: then nothing is wrong any more.

Next steps
----------
Read the server's message in the NAK and its log.
"""

from collections.abc import Iterator

from dissectors.dhcp import Dhcp, DhcpExchange
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import Segment
from pcapdx.model import Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import cite, duration
from pcapdx.rules.dhcp import steps

LOOP_WITHIN = 120 * SECOND


def _naks(view: View) -> Iterator[tuple[str, int, list[Seen[Dhcp]], list[DhcpExchange]]]:
    clients: dict[tuple[Segment, str], list[DhcpExchange]] = {}
    for one in view.exchanges(DhcpExchange):
        clients.setdefault((one.segment, one.chaddr), []).append(one)
    for ((vlan, _, _), mac), exchanges in clients.items():
        naks = sorted((nak for one in exchanges for nak in one.naks), key=lambda one: one.ts_ns)
        if naks:
            yield mac, vlan, naks, exchanges


def _is_loop(naks: list[Seen[Dhcp]]) -> bool:
    times = [one.ts_ns for one in naks]
    return any(late - early <= LOOP_WITHIN for early, late in zip(times, times[REPETITION - 1 :], strict=False))


def check_nak(view: View) -> Iterator[Finding]:
    """DHCP011: one finding a client, a warning only where CloudStack's own address was refused."""
    for mac, vlan, naks, exchanges in _naks(view):
        guest = view.site.guest_of(mac)
        asked = {
            request.message.requested_ip or request.message.ciaddr
            for one in exchanges
            if one.naks
            for request in one.requests
        }
        own = guest is not None and bool(guest.ip) and guest.ip in asked
        words = next((one.message.message for one in naks if one.message.message), None)
        refused = ", ".join(sorted(address for address in asked if address)) or "its address"
        yield NAK.finding(
            subject=Subject(mac=mac, vlan=vlan, server=naks[0].message.server_id),
            severity=Severity.WARNING if own else Severity.INFO,
            summary=f"{naks[0].message.server_id or naks[0].frame.src} refused {refused} to {mac}"
            + (f' ("{words}").' if words else "."),
            evidence=(cite(view, (one.number for one in naks), "DHCP NAK"),),
            filter=f"dhcp.hw.mac_addr == {mac} && dhcp.option.dhcp == 6",
            first_ns=naks[0].ts_ns,
            last_ns=naks[-1].ts_ns,
            alternatives=() if own else ("normal once, for a guest that remembers an address of another network",),
            next_steps=(steps.router_log(mac),),
        )


def check_loop(view: View) -> Iterator[Finding]:
    """DHCP012: one finding a client that never got an address after."""
    for mac, vlan, naks, exchanges in _naks(view):
        if not _is_loop(naks):
            continue
        settled = any(ack.ts_ns > naks[-1].ts_ns and ack.message.yiaddr for one in exchanges for ack in one.acks)
        if settled:
            continue
        yield LOOP.finding(
            subject=Subject(mac=mac, vlan=vlan),
            summary=(
                f"{mac} was refused {len(naks)} times in {duration(naks[-1].ts_ns - naks[0].ts_ns)} and got no address."
            ),
            evidence=(cite(view, (one.number for one in naks), "DHCP NAK"),),
            filter=f"dhcp.hw.mac_addr == {mac}",
            first_ns=naks[0].ts_ns,
            last_ns=naks[-1].ts_ns,
            alternatives=("two servers disagree about this client, or the router holds a stale lease of its address",),
            next_steps=(steps.router_log(mac), steps.router_hosts(mac)),
        )


NAK = Rule(code="DHCP011", name="nak", topic=Topic.DHCP, severity=Severity.INFO, check=check_nak)
LOOP = Rule(
    code="DHCP012",
    name="nak-loop",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check_loop,
    explains=("DHCP011", "DHCP022"),
)
