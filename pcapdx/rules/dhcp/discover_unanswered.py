"""DHCP001 discover-unanswered: a client asks for an address and nobody answers.

What it does
------------
Finds a client whose DISCOVERs (three or more over ten seconds, or fewer with less confidence) got no OFFER, ACK or NAK
within five seconds, while no other client in the same VLAN was served either.

Why it matters
--------------
Without a lease an instance has no address, no password, no metadata and no console worth the name.

Common causes
-------------
The virtual router is stopped or its dnsmasq is down; the VLAN does not reach the router's host; the switch or the
hypervisor drops the request; the network has no DHCP service.

What else it could be
---------------------
A capture that ended too early, shows one direction only or was taken where answers do not pass; a network of type L2,
which has no DHCP by design.

Next steps
----------
Look for the same DISCOVER on the router's side; there, look at dnsmasq and its log.
"""

from collections.abc import Iterator

from dissectors.dhcp import Dhcp, DhcpExchange
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.observable import hears
from pcapdx.rules.definitions.windows import DHCP_ANSWER, DHCP_SPREAD, DHCP_TRIES
from pcapdx.rules.definitions.wording import cite, duration, in_vlan, times


def check(view: View) -> Iterator[Finding]:
    """One finding a client."""
    exchanges = view.exchanges(DhcpExchange)
    served = {(one.vlan, one.vni) for one in exchanges if one.answered}
    # whoever goes on to choose a server was answered, seen or not
    chosen = {one.chaddr for one in exchanges if one.chosen_server}
    asking: dict[tuple[int, int | None, str], list[Seen[Dhcp]]] = {}
    for exchange in exchanges:
        asking.setdefault((exchange.vlan, exchange.vni, exchange.chaddr), []).extend(exchange.discovers)
    for (vlan, vni, mac), discovers in asking.items():
        if not discovers or (vlan, vni) in served or mac in chosen:
            continue
        yield from _judge(view, vlan, vni, mac, sorted(discovers, key=lambda one: one.ts_ns))


def _judge(view: View, vlan: int, vni: int | None, mac: str, discovers: list[Seen[Dhcp]]) -> Iterator[Finding]:
    first, last = discovers[0].ts_ns, discovers[-1].ts_ns
    waited = [one for one in discovers if view.remains_ns(one.ts_ns) >= DHCP_ANSWER]
    enough = len(waited) >= DHCP_TRIES and waited[-1].ts_ns - first >= DHCP_SPREAD
    heard = hears(view, mac, vlan, vni)
    if not waited or not (enough or heard):
        return
    sure = Confidence.CERTAIN if heard else Confidence.LIKELY
    asked = f"{times(len(discovers))} in {duration(last - first)}" if len(discovers) > 1 else "once"
    yield RULE.finding(
        subject=Subject(mac=mac, vlan=vlan),
        severity=Severity.ERROR if enough else Severity.WARNING,
        confidence=sure if enough else Confidence.POSSIBLE,
        summary=f"{mac} asked for an address {asked} ({in_vlan(vlan)}) and nobody answered.",
        evidence=(cite(view, (one.number for one in discovers), "DHCP DISCOVER; no OFFER, ACK or NAK follows"),),
        filter=f"dhcp.hw.mac_addr == {mac}",
        first_ns=first,
        last_ns=last,
        alternatives=(
            "the request never reached the router: capture on this host's uplink and in the router at once",
            "the network has no DHCP service of CloudStack's (type L2, or the service is off in its offering)",
        ),
        limits=()
        if heard
        else (f"no frame to {mac} is in this capture; one that shows a single direction looks the same",),
        next_steps=(
            NextStep(
                where="virtual router of this network",
                command=f"grep -i {mac} /var/log/dnsmasq.log | tail; systemctl status dnsmasq",
                meaning="no DHCPDISCOVER line: the request does not reach the router; 'ignored': the router does not know it",
            ),
            NextStep(
                where="host of the virtual router",
                command=f"tcpdump -enni any 'ether host {mac} or (vlan and ether host {mac})'",
                meaning="no frame here: the VLAN or the path between the hosts loses it",
            ),
        ),
    )


RULE = Rule(
    code="DHCP001",
    name="discover-unanswered",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check,
    explains=("DHCP022", "PWD011", "META007", "META011", "TMPL013"),
)
