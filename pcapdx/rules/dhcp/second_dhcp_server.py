"""DHCP013 second-dhcp-server, DHCP014 user-vm-serves-dhcp, DHCP015 rvr-both-active: two servers answer in one network.

What it does
------------
Finds two servers that answer in one broadcast domain: both answer the same request, or they take turns. Where one is a
guest it is DHCP014, also where it begins to answer once the other is silent, having taken a lease from it before; where
both offer the same address, being two routers of one pair, it is DHCP015.

Why it matters
--------------
Which answer a guest takes is chance: some get a wrong address, gateway and DNS, and ask the wrong machine for password
and metadata.

Common causes
-------------
A router appliance, libvirt or docker inside an instance; another network joined to this VLAN; a redundant pair whose
VRRP does not pass; an office router plugged in.

What else it could be
---------------------
Copies of one answer through a relay; a router that was replaced (the server changes once); one machine that serves two
ranges of a shared network; a boot server, which gives no address (proxyDHCP); servers of two networks in a capture of
all interfaces that has no tags, where no client asked both. None of these is reported.

Next steps
----------
Find out whose MAC the other server's is.
"""

from collections.abc import Iterator, Sequence

from dissectors.dhcp import Dhcp, DhcpExchange, DhcpType
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.domains import Machine, domain_of
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, in_vlan, listed
from pcapdx.rules.dhcp import steps
from pcapdx.values import dataclass

TURNS_WITHIN = 600 * SECOND
FAILOVER = 10 * SECOND
BOOT = "PXEClient"
BOTH = {DhcpType.OFFER, DhcpType.ACK}
"""Who sends both through one exchange is no router in the moment of handing over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One machine that answers: its MAC, the identifiers it gives itself, its answers."""

    mac: str
    identifiers: frozenset[str]
    answers: tuple[Seen[Dhcp], ...]

    @property
    def addresses(self) -> frozenset[str]:
        """Addresses it offered or gave."""
        return frozenset(one.message.yiaddr for one in self.answers if one.message.yiaddr)

    @property
    def shown(self) -> str:
        """Its identifier and MAC."""
        return f"{listed(sorted(self.identifiers))} ({self.mac})"


@once_a_view
def rivals(view: View) -> tuple[tuple[int, tuple[Server, ...]], ...]:
    """(VLAN, servers) of each broadcast domain in which servers on two MACs answer the same request or take turns."""
    return tuple(
        (segment[0], servers)
        for (segment, _), answers, servers in _servers(view)
        if _same_request(answers) or _turns(answers)
    )


@once_a_view
def _servers(view: View) -> tuple[tuple[Machine, tuple[Seen[Dhcp], ...], tuple[Server, ...]], ...]:
    """Broadcast domains in which two MACs or more answer, with all their answers in order of time."""
    domains: dict[Machine, list[Seen[Dhcp]]] = {}
    for exchange in view.exchanges(DhcpExchange):
        for one in (*exchange.offers, *exchange.acks):
            if one.message.type in BOTH and not (one.message.relayed or _of_boot_server(one.message)):
                domain = domain_of(view, exchange.segment, one.frame.eth_src)
                domains.setdefault(domain, []).append(one)
    found = []
    for domain, answers in domains.items():
        answers.sort(key=lambda one: one.ts_ns)
        macs = list(dict.fromkeys(one.frame.eth_src for one in answers if one.frame.eth_src))
        servers = tuple(
            Server(
                mac=mac,
                identifiers=frozenset(
                    one.message.server_id or one.frame.src or "?" for one in answers if one.frame.eth_src == mac
                ),
                answers=tuple(one for one in answers if one.frame.eth_src == mac),
            )
            for mac in macs
        )
        if len(servers) > 1:
            found.append((domain, tuple(answers), servers))
    return tuple(found)


def _turned_servers(view: View) -> Iterator[tuple[int, tuple[Server, ...]]]:
    """(VLAN, servers) of each domain in which one answers that took a lease from another before: no router does."""
    for (segment, _), _, servers in _servers(view):
        macs = {one.mac for one in servers}
        for server in servers:
            began_ns = server.answers[0].ts_ns
            if any(
                one.chaddr == server.mac and one.segment == segment and ack.frame.eth_src in macs - {server.mac}
                for one in view.exchanges(DhcpExchange)
                for ack in one.acks
                if ack.ts_ns < began_ns
            ):
                yield segment[0], servers
                break


def _of_boot_server(answer: Dhcp) -> bool:
    """Names a boot file beside the network's DHCP server and gives no address (PXE 2.1, 2.4.1: proxyDHCP)."""
    return answer.yiaddr is None and (answer.vendor_class or "").startswith(BOOT)


def _same_request(answers: Sequence[Seen[Dhcp]]) -> bool:
    """Two MACs answered one transaction of one client with the same kind of message."""
    seen: dict[tuple[int, str | None, DhcpType | None], str | None] = {}
    for one in answers:
        key = one.message.xid, one.message.chaddr, one.message.type
        if seen.setdefault(key, one.frame.eth_src) != one.frame.eth_src:
            return True
    return False


def _turns(answers: Sequence[Seen[Dhcp]]) -> bool:
    """A, then B, then A again within ten minutes: no router that was replaced."""
    last: dict[str | None, int] = {}
    previous = None
    for one in answers:
        mac = one.frame.eth_src
        if mac != previous and mac in last and one.ts_ns - last[mac] <= TURNS_WITHIN:
            return True
        last[mac] = one.ts_ns
        previous = mac
    return False


def _is_client(view: View, server: Server) -> bool:
    """A guest: the profile says so, or the MAC itself took a lease here from another server."""
    if any(one.mac == server.mac for one in view.site.guest):
        return True
    return any(
        one.chaddr == server.mac and any(ack.frame.eth_src != server.mac for ack in one.acks)
        for one in view.exchanges(DhcpExchange)
    )


def _known(view: View, server: Server) -> bool:
    expected = {one.dhcp_server for one in view.site.network if one.dhcp_server}
    return (
        bool(server.identifiers & expected)
        or view.site.is_router(mac=server.mac)
        or any(view.site.is_router(ip=one) for one in server.identifiers)
    )


def _is_pair(servers: tuple[Server, ...]) -> bool:
    """Two routers of one pair: both give one client the same address, and both look like CloudStack's."""
    first, *others = servers
    given = {(one.message.xid, one.message.chaddr): one.message.yiaddr for one in first.answers}
    return all(
        is_guest(server.mac)
        and any(given.get((one.message.xid, one.message.chaddr)) == one.message.yiaddr for one in server.answers)
        for server in others
    ) and is_guest(first.mac)


def check_second(view: View) -> Iterator[Finding]:
    """DHCP013: one finding a broadcast domain."""
    for vlan, servers in rivals(view):
        strangers = [one for one in servers if not _known(view, one)] if view.site.network or view.site.router else []
        profiled = bool(strangers) and len(strangers) < len(servers)
        stranger = strangers[0] if profiled else servers[-1]
        yield ANOTHER.finding(
            subject=Subject(vlan=vlan, server=next(iter(sorted(stranger.identifiers))) if profiled else None),
            severity=Severity.ERROR if profiled else Severity.WARNING,
            confidence=Confidence.CERTAIN,
            summary=(
                f"{stranger.shown} answers DHCP beside the network's own router ({in_vlan(vlan)})."
                if profiled
                else f"Two DHCP servers answer {in_vlan(vlan)}: {listed(one.shown for one in servers)}."
            ),
            evidence=tuple(
                cite(view, (answer.number for answer in one.answers), f"answers of {one.shown}") for one in servers
            ),
            filter="dhcp.option.dhcp == 2 || dhcp.option.dhcp == 5",
            first_ns=min(one.answers[0].ts_ns for one in servers),
            alternatives=(
                ()
                if profiled
                else ("which of them is right, a site profile or listRouters tells", "two networks share this VLAN")
            ),
            next_steps=tuple(steps.find_mac(one.mac, "serves DHCP here") for one in (strangers or servers)[:2]),
        )


def check_guest(view: View) -> Iterator[Finding]:
    """DHCP014: one finding a guest that serves."""
    rivalling = rivals(view)
    for vlan, servers in (*rivalling, *(one for one in _turned_servers(view) if one not in rivalling)):
        for server in servers:
            if not _is_client(view, server) or _known(view, server):
                continue
            yield GUEST.finding(
                subject=Subject(mac=server.mac, vlan=vlan),
                summary=(
                    f"The guest {server.mac} serves DHCP as {listed(sorted(server.identifiers))} ({in_vlan(vlan)})."
                ),
                evidence=(
                    cite(view, (one.number for one in server.answers), "OFFER or ACK sent by a guest's MAC"),
                    *(
                        cite(view, (one.number for one in other.answers), f"answers of {other.shown}")
                        for other in servers
                        if other is not server
                    ),
                ),
                filter=f"eth.src == {server.mac} && dhcp",
                first_ns=server.answers[0].ts_ns,
                alternatives=("a router appliance by design, in a network without CloudStack's DHCP",),
                next_steps=(
                    steps.find_mac(server.mac, "it is"),
                    NextStep(
                        where=f"guest {server.mac}",
                        command="ss -lunp 'sport = :67'",
                        meaning="the process that serves (libvirt's dnsmasq, docker, isc-dhcp-server): stop it",
                    ),
                ),
            )


def check_pair(view: View) -> Iterator[Finding]:
    """DHCP015: one finding a broadcast domain, where both routers of a pair keep answering."""
    for vlan, servers in rivals(view):
        times = [one.ts_ns for server in servers for one in server.answers]
        if not _is_pair(servers) or any(_is_client(view, one) for one in servers):
            continue
        lasting = max(times) - min(times) >= FAILOVER
        if not lasting and not all({one.message.type for one in server.answers} >= BOTH for server in servers):
            continue
        yield PAIR.finding(
            subject=Subject(vlan=vlan),
            confidence=Confidence.CERTAIN if lasting else Confidence.LIKELY,
            summary=f"Both routers of a redundant pair answer DHCP at once: {listed(one.mac for one in servers)}.",
            evidence=tuple(
                cite(view, (answer.number for answer in one.answers), f"answers of {one.shown}") for one in servers
            ),
            filter="dhcp.option.dhcp == 2 || dhcp.option.dhcp == 5 || vrrp",
            first_ns=min(times),
            last_ns=max(times),
            alternatives=("a failover just in these seconds",),
            next_steps=(
                NextStep(
                    where="CloudStack API",
                    command="listRouters networkid=<network> (redundantstate)",
                    meaning=(
                        "two times PRIMARY: they do not hear each other's VRRP; look at the path between their hosts"
                    ),
                ),
            ),
        )


ANOTHER = Rule(
    code="DHCP013",
    name="second-dhcp-server",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check_second,
    explains=(
        "DHCP011",
        "DHCP012",
        "DHCP016",
        "DHCP018",
        "DHCP020",
        "PWD001",
        "PWD003",
        "PWD004",
        "META001",
        "META012",
        "TMPL005",
    ),
)
GUEST = Rule(
    code="DHCP014",
    name="user-vm-serves-dhcp",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check_guest,
    explains=("DHCP013", "DHCP015", "DHCP011", "DHCP012", "DHCP016", "DHCP018", "HYP017", "TMPL005"),
)
PAIR = Rule(
    code="DHCP015",
    name="rvr-both-active",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check_pair,
    explains=("DHCP013", "DHCP012", "DHCP018", "PWD001", "HYP015"),
)
