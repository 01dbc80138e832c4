"""DHCP027 solicit-unanswered, DHCP029 ra-without-prefix, DHCP030 rogue-ra: IPv6 addresses that do not come, or wrongly.

What it does
------------
Finds a client whose DHCPv6 SOLICITs stay unanswered although a router says that addresses come by DHCPv6 (DHCP027); a
virtual router that advertises itself without a prefix (DHCP029); a guest that advertises itself as router, or two
routers with different prefixes (DHCP030).

Why it matters
--------------
The guest keeps its link-local address only, or sends its traffic through a stranger.

Common causes
-------------
The router's dnsmasq does not know the client's DUID; radvd of a redundant pair lost the prefix (issue 13121); a guest
with router advertisements left on.

What else it could be
---------------------
A network without DHCPv6, where a client asks in vain by design (no advertisement, or one without the M flag): nothing
is said. A pair of upstream routers with one prefix each. Two networks in a capture of all interfaces that has no tags,
each with its router: two routers are not compared there.

Next steps
----------
Read radvd.conf on both routers, and dnsmasq's DHCPv6 hosts.
"""

from collections.abc import Iterator

from dissectors.dhcp import DhcpExchange
from dissectors.dhcpv6 import Dhcp6Exchange
from dissectors.ipv6_nd import RouterAdvertisement
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import Segment
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import router_macs
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration, in_vlan, listed, times
from pcapdx.vantage import Role

SOLICITS = 3
SOLICIT_SPREAD = 15 * SECOND
ANSWER = 5 * SECOND


def advertisements(view: View) -> dict[Segment, dict[str, list[Seen[RouterAdvertisement]]]]:
    """Router advertisements by broadcast domain and source MAC; those of retiring routers (lifetime 0) are left out."""
    found: dict[Segment, dict[str, list[Seen[RouterAdvertisement]]]] = {}
    for one in view.messages(RouterAdvertisement):
        if one.frame.eth_src and one.message.lifetime_s:
            found.setdefault(one.frame.segment, {}).setdefault(one.frame.eth_src, []).append(one)
    return found


def check_solicit(view: View) -> Iterator[Finding]:
    """DHCP027: one finding a client."""
    routers = advertisements(view)
    for exchange in view.exchanges(Dhcp6Exchange):
        waited = [one for one in exchange.solicits if view.remains_ns(one.ts_ns) >= ANSWER]
        heard = routers.get(waited[0].frame.segment, {}) if waited else {}
        managed = [one for sent in heard.values() for one in sent if one.message.managed]
        if len(waited) < SOLICITS or waited[-1].ts_ns - waited[0].ts_ns < SOLICIT_SPREAD:
            continue
        if exchange.answers or not managed:
            continue
        yield SOLICIT.finding(
            subject=Subject(mac=exchange.mac, vlan=exchange.vlan),
            summary=(
                f"{exchange.mac} sent {times(len(waited))} a DHCPv6 SOLICIT in "
                f"{duration(waited[-1].ts_ns - waited[0].ts_ns)} ({in_vlan(exchange.vlan)}) and nobody answered."
            ),
            evidence=(
                cite(view, (one.number for one in waited), "SOLICIT; no ADVERTISE or REPLY follows"),
                cite(view, (managed[0].number,), "router advertisement: addresses come by DHCPv6 (M flag)"),
            ),
            filter=f"dhcpv6 && eth.addr == {exchange.mac}",
            first_ns=waited[0].ts_ns,
            last_ns=waited[-1].ts_ns,
            alternatives=("the upstream router's M flag is set, and nobody is meant to serve DHCPv6",),
            next_steps=(
                NextStep(
                    where="virtual router of this network",
                    command="grep -iE 'dhcp-range.*::' /etc/dnsmasq.d/cloud.conf; grep -c id: /etc/dhcphosts.txt",
                    meaning="no IPv6 range, or no line for this DUID: dnsmasq stays silent",
                ),
            ),
        )


def check_prefix(view: View) -> Iterator[Finding]:
    """DHCP029: one finding a router."""
    virtual = router_macs(view)
    for (vlan, _, _), routers in advertisements(view).items():
        for mac, sent in routers.items():
            bare = [one for one in sent if not one.message.prefixes and not one.message.managed]
            if mac not in virtual or len(bare) < 2 or len(bare) < len(sent):
                continue
            yield WITHOUT_PREFIX.finding(
                subject=Subject(vlan=vlan, server=bare[0].frame.src),
                summary=f"The virtual router {mac} advertises itself without a prefix: guests get no IPv6 address.",
                evidence=(cite(view, (one.number for one in bare), "router advertisement, no prefix option, M=0"),),
                filter=f"icmpv6.type == 134 && eth.src == {mac}",
                first_ns=bare[0].ts_ns,
                last_ns=bare[-1].ts_ns,
                next_steps=(
                    NextStep(
                        where="both virtual routers of the network",
                        command="cat /etc/radvd.conf; systemctl status radvd",
                        meaning="no prefix block: issue 13121",
                    ),
                ),
            )


def check_rogue(view: View) -> Iterator[Finding]:
    """DHCP030: one finding a guest that advertises, or a VLAN with two routers that disagree."""
    clients = {one.chaddr for one in view.exchanges(DhcpExchange) if one.client_messages}
    guests = {one.mac for one in view.site.guest} | clients
    for (vlan, _, _), routers in advertisements(view).items():
        strangers = [mac for mac in routers if mac in guests and not view.site.is_router(mac=mac)]
        for mac in strangers:
            yield ROGUE.finding(
                subject=Subject(mac=mac, vlan=vlan),
                summary=f"The guest {mac} advertises itself as IPv6 router ({listed(_prefixes(routers[mac]))}).",
                evidence=(cite(view, (one.number for one in routers[mac]), "router advertisement from a guest's MAC"),),
                filter=f"icmpv6.type == 134 && eth.src == {mac}",
                first_ns=routers[mac][0].ts_ns,
                alternatives=("a router appliance by design",),
                next_steps=(
                    NextStep(
                        where=f"guest {mac}",
                        command="ss -lunp; ps -e | grep -E 'radvd|dnsmasq|odhcpd'; sysctl net.ipv6.conf.all.forwarding",
                        meaning="the program that advertises: stop it",
                    ),
                ),
            )
        if strangers or len(routers) < 2 or len({_prefixes(sent) for sent in routers.values()}) < 2:
            continue
        if view.vantage.role is Role.ANY and not vlan:
            continue  # several networks without their tags, each with a router of its own
        yield ROGUE.finding(
            subject=Subject(vlan=vlan),
            severity=Severity.WARNING,
            confidence=Confidence.LIKELY,
            summary=f"Two IPv6 routers advertise different prefixes ({in_vlan(vlan)}): {listed(sorted(routers))}.",
            evidence=tuple(
                cite(view, (one.number for one in sent), f"{mac} advertises {listed(_prefixes(sent))}")
                for mac, sent in routers.items()
            ),
            filter="icmpv6.type == 134",
            first_ns=min(sent[0].ts_ns for sent in routers.values()),
            alternatives=("two upstream routers with a prefix each, by design",),
        )


def _prefixes(sent: list[Seen[RouterAdvertisement]]) -> tuple[str, ...]:
    return tuple(sorted({prefix.prefix for one in sent for prefix in one.message.prefixes})) or ("no prefix",)


SOLICIT = Rule(
    code="DHCP027", name="solicit-unanswered", topic=Topic.DHCP, severity=Severity.ERROR, check=check_solicit
)
WITHOUT_PREFIX = Rule(
    code="DHCP029",
    name="ra-without-prefix",
    known=(13121,),
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check_prefix,
)
ROGUE = Rule(code="DHCP030", name="rogue-ra", topic=Topic.DHCP, severity=Severity.ERROR, check=check_rogue)
