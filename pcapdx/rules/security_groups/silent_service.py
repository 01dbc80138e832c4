"""SG001 ingress-dropped, SG002 egress-dropped: connections to a living machine that nobody answers nor refuses.

What it does
------------
Finds a port whose SYNs are never answered while its machine lives: it answers ARP, ping or other ports (SG001). Where
one client gets no answer on one port from several machines that live, its own way out is meant (SG002). Ports of
routers, and those that have rules of their own, are left out.

Why it matters
--------------
A silent drop is what a security group does with what it does not admit. That is policy until somebody says that it
should pass; where the site profile says that there are no security groups, it is a fault.

Common causes
-------------
No ingress rule for this port and source; an egress rule that lists others; rules left over on the host after a
migration or restart; a firewall inside the guest.

What else it could be
---------------------
A filter of a router on the way, a service that is overloaded. One capture tells "before here" or "after here" at best.

Next steps
----------
Capture at the server's tap: SYNs there mean the guest drops them, none mean the host does.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from dissectors.arp import ArpExchange
from dissectors.icmp import Icmp, PingExchange
from pcapdx.case import Case, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.path import Leg
from pcapdx.rules.definitions.servers import why_router
from pcapdx.rules.definitions.syn_dead import Tries, syn_dead
from pcapdx.rules.definitions.wording import cite, duration, listed, times
from pcapdx.rules.host_connectivity import PORTS as HOST_PORTS
from pcapdx.rules.security_groups.dropped_on_host import Dropped, dropped_by_guests, from_guests, towards_guests
from pcapdx.rules.security_groups.places import where_dropped
from pcapdx.values import dataclass

SEVERAL = 2
MOST_SERVICES = 32
"""Who tries more services in vain scans the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """Unanswered tries for a machine that lives."""

    tries: Tries
    lives: str
    """By what."""
    frames: tuple[int, ...]
    """That show it."""


@once_a_view
def silent(view: View) -> tuple[Silent, ...]:
    """Every silent service of a living machine that is not the matter of another rule."""
    refusing = {
        (one.message.quoted.src, one.message.quoted.dst, one.message.quoted.dport)
        for one in view.messages(Icmp)
        if one.message.unreachable and one.message.quoted is not None
    }
    by_client: dict[str, list[Tries]] = defaultdict(list)
    for tries in syn_dead(view):
        if tries.port not in HOST_PORTS and (tries.client, tries.server, tries.port) not in refusing:
            by_client[tries.client].append(tries)
    found = []
    for tries in (one for members in by_client.values() if len(members) <= MOST_SERVICES for one in members):
        life = None if why_router(view, tries.server) else _life(view, tries)
        if life is not None:
            found.append(Silent(tries=tries, lives=life[0], frames=life[1]))
    return tuple(found)


def _life(view: View, tries: Tries) -> tuple[str, tuple[int, ...]] | None:
    """What the server answered in this capture, and the frames."""
    for flow in view.flows.where(server=tries.server):
        if flow.vlan == tries.vlan and flow.responder.syn:
            return f"its port {flow.responder.port} answers", flow.responder.syn_frames[:1]
    for ping in view.exchanges(PingExchange):
        if ping.dst == tries.server and ping.vlan == tries.vlan and ping.replies:
            return "it answers ping", (ping.replies[0].number,)
    for arp in view.exchanges(ArpExchange):
        if arp.target_ip == tries.server and arp.vlan == tries.vlan and arp.replies:
            return "it answers ARP", (arp.replies[0].number,)
    return None


def check_ingress(view: View) -> Iterator[Finding]:
    """SG001: one finding a service."""
    outward = {id(one) for group in _by_way_out(view) for one in group}
    services: dict[tuple[int, str, int], list[Silent]] = defaultdict(list)
    for one in silent(view):
        if id(one) not in outward:
            services[one.tries.vlan, one.tries.server, one.tries.port].append(one)
    for members in services.values():
        yield _ingress(view, members)


def check_egress(view: View) -> Iterator[Finding]:
    """SG002: one finding a client and port."""
    for group in _by_way_out(view):
        yield _egress(view, group)


def _by_way_out(view: View) -> list[list[Silent]]:
    """Silent services of one client on one port of several machines, where nobody answers it on that port."""
    groups: dict[tuple[int, str, int], list[Silent]] = defaultdict(list)
    for one in silent(view):
        groups[one.tries.vlan, one.tries.client, one.tries.port].append(one)
    return [
        group
        for (_, client, port), group in groups.items()
        if len(group) >= SEVERAL
        and not any(flow.responder.syn for flow in view.flows.where(ports=(port,), client=client))
    ]


def _severity(view: View) -> Severity:
    return Severity.WARNING if view.site.security_groups is False else Severity.INFO


def _ingress(view: View, members: Sequence[Silent]) -> Finding:
    one, tries = members[0], members[0].tries
    place, confidence = where_dropped(view, tries)
    alone = len(members) == 1
    clients = listed([member.tries.client for member in members[:3]])
    last_ns = max(member.tries.last_ns for member in members)
    return INGRESS.finding(
        subject=Subject(
            mac=tries.client_mac if alone else None,
            vlan=tries.vlan,
            ip=tries.client if alone else None,
            server=tries.server,
            port=tries.port,
        ),
        severity=_severity(view),
        confidence=confidence,
        summary=(
            f"Port {tries.port} of {tries.server} is silent for {clients} "
            f"({times(sum(member.tries.count for member in members))} in {duration(last_ns - tries.first_ns)}), "
            f"while {one.lives}: {place}."
        ),
        evidence=(
            cite(
                view,
                (number for member in members for number in member.tries.frames),
                f"SYN to {tries.port}; neither answer nor refusal",
            ),
            cite(view, one.frames, f"{tries.server} lives: {one.lives}"),
        ),
        filter=f"tcp.port == {tries.port} && ip.addr == {tries.server}",
        first_ns=tries.first_ns,
        last_ns=last_ns,
        alternatives=_otherwise(view),
        limits=("one capture cannot tell whether this drop is meant",),
        next_steps=(
            NextStep(
                where=f"host of {tries.server}, at the tap of that guest",
                command=f"tcpdump -enni vnetN 'tcp port {tries.port} and host {tries.client}'",
                meaning="SYNs at the tap: the guest drops them; none: the host's filter does",
            ),
            NextStep(
                where=f"host of {tries.server}",
                command="iptables-save -c | grep i-N-N; ipset list; tail /var/log/cloudstack/agent/security_group.log",
                meaning=f"no ACCEPT for port {tries.port}, and a DROP whose counter grows: the security group",
            ),
            NextStep(
                where="CloudStack API",
                command="list securitygroups virtualmachineid=<instance>",
                meaning=f"the ingress rules: is {tries.port} from {tries.client} among them",
            ),
        ),
    )


def _egress(view: View, group: Sequence[Silent]) -> Finding:
    first = group[0].tries
    servers = [one.tries.server for one in group]
    return EGRESS.finding(
        subject=Subject(mac=first.client_mac, vlan=first.vlan, ip=first.client, port=first.port),
        severity=_severity(view),
        confidence=Confidence.POSSIBLE,
        summary=(
            f"{first.client} gets no answer on port {first.port} from any of {len(servers)} machines "
            f"({listed(servers[:3])}), all of which live: its own way out drops that port."
        ),
        evidence=(
            cite(
                view, (number for one in group for number in one.tries.frames), f"SYN to {first.port}, never answered"
            ),
            cite(view, (number for one in group for number in one.frames), "the same machines answer otherwise"),
        ),
        filter=f"tcp.port == {first.port} && ip.addr == {first.client}",
        first_ns=min(one.tries.first_ns for one in group),
        last_ns=max(one.tries.last_ns for one in group),
        alternatives=(f"each of the {len(servers)} machines drops port {first.port} by itself", *_otherwise(view)),
        limits=("one capture cannot tell whether this drop is meant",),
        next_steps=(
            NextStep(
                where=f"host of {first.client}",
                command="iptables-save -c | grep -- '-eg'",
                meaning=f"egress rules that do not list port {first.port} end in DROP",
            ),
            NextStep(
                where=f"uplink of the host of {first.client}",
                command=f"tcpdump -enni NIC 'tcp port {first.port} or (vlan and tcp port {first.port})'",
                meaning="SYNs at the tap and none here: this host drops them",
            ),
        ),
    )


def check_ingress_path(case: Case) -> Iterator[Finding]:
    """SG001: one finding a service that the host of its guest cuts off, by captures on both sides of the filter."""
    for one in towards_guests(case):
        yield _on_host(
            INGRESS,
            case,
            one,
            subject=Subject(ip=one.client, server=one.server, port=one.port),
            summary=(
                f"The host of {one.server} drops connections to its port {one.port}: a SYN of {one.client} was "
                f"{times(len(one.lost))} at {one.leg.near.name} and never came to "
                f"{one.leg.far.name}, while other "
                f"packets for the guest did."
            ),
            meaning=f"no ACCEPT for port {one.port} from {one.client}: the security group does not admit it",
        )
    for leg, tries in dropped_by_guests(case):
        yield _by_guest(leg, tries)


def _by_guest(leg: Leg, tries: Tries) -> Finding:
    """The SYNs got through to the tap."""
    near, far = leg.near, leg.far
    return INGRESS.finding(
        subject=Subject(ip=tries.client, server=tries.server, port=tries.port),
        severity=Severity.INFO,
        summary=(
            f"{tries.server} itself drops connections to its port {tries.port}: {times(tries.count)} a SYN of "
            f"{tries.client} came to {near.name} and to its tap ({far.name}), and nothing came back."
        ),
        evidence=(cite(far, tries.frames, f"SYN to {tries.port} at {far.name}; neither answer nor refusal"),),
        filter=f"tcp.port == {tries.port} && ip.addr == {tries.server}",
        first_ns=tries.first_ns,
        last_ns=tries.last_ns,
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"instance {tries.server}",
                command=f"nft list ruleset; iptables-save; ss -ltn 'sport = :{tries.port}'",
                meaning="a DROP for the port, or a listener that is overloaded: neither is the host's doing",
            ),
        ),
    )


def check_egress_path(case: Case) -> Iterator[Finding]:
    """SG002: one finding a client and port that its own host cuts off, by captures on both sides of the filter."""
    groups: dict[tuple[str, str, int], list[Dropped]] = defaultdict(list)
    for one in from_guests(case):
        groups[one.leg.near.name, one.client, one.port].append(one)
    for group in groups.values():
        one = group[0]
        servers = listed(member.server for member in group[:3])
        yield _on_host(
            EGRESS,
            case,
            one,
            subject=Subject(ip=one.client, port=one.port),
            summary=(
                f"The host of {one.client} drops what it sends to port {one.port}: a SYN for {servers} was "
                f"{times(sum(len(member.lost) for member in group))} at {one.leg.near.name} and none came to "
                f"{one.leg.far.name}, while its other packets did."
            ),
            meaning=f"egress rules that do not list port {one.port} end in DROP",
        )


def _on_host(rule: Rule, case: Case, one: Dropped, *, subject: Subject, summary: str, meaning: str) -> Finding:
    """What both ways share."""
    look = "iptables-save -c | grep -E 'i-[0-9]+-[0-9]+'; ipset list"
    return rule.finding(
        subject=subject,
        severity=Severity.WARNING if case.site.security_groups is False else Severity.INFO,
        confidence=one.leg.confidence,
        summary=summary,
        evidence=(
            one.leg.seen(one.lost, f"SYN to {one.port}"),
            one.leg.missing(""),
            one.leg.arrived(one.passed, "other packets of the guest"),
        ),
        filter=f"tcp.port == {one.port} && ip.addr == {one.client}",
        first_ns=int(one.lost["ts_ns"][0]),
        last_ns=int(one.lost["ts_ns"][-1]),
        limits=("captures cannot tell whether this drop is meant", *one.leg.limits),
        next_steps=(NextStep(where=f"host of {one.guest}", command=look, meaning=meaning),),
    )


def _otherwise(view: View) -> tuple[str, ...]:
    if view.site.security_groups is False:
        return (
            "the site profile says that there are no security groups: rules left behind, or a firewall in the guest",
        )
    return ("a firewall inside the guest", "a network ACL or firewall rule of a router on the way")


INGRESS = Rule(
    code="SG001",
    name="ingress-dropped",
    topic=Topic.SECURITY_GROUPS,
    severity=Severity.INFO,
    check=check_ingress,
    check_path=check_ingress_path,
)
EGRESS = Rule(
    code="SG002",
    name="egress-dropped",
    topic=Topic.SECURITY_GROUPS,
    severity=Severity.INFO,
    check=check_egress,
    check_path=check_egress_path,
    explains=("SG001",),
)
