"""HYP017 two-networks-one-vlan: two CloudStack networks share one VLAN.

What it does
------------
Finds one VLAN in which two routers of CloudStack's lease addresses of different subnets, or in which MACs of two
networks (CloudStack writes a network's id into its MACs) speak, two of each at least.

Why it matters
--------------
Two tenants are in one broadcast domain: guests take the other network's address, and see its traffic.

Common causes
-------------
"Bypass VLAN overlap check"; VLAN ranges of two zones or physical networks that overlap; a hand-edited database (issue
4273).

What else it could be
---------------------
VLANs that something joins (VLAN007); networks of type L2 that overlap on purpose. A foreign DHCP server or a guest that
serves (DHCP013, DHCP014) does not look like a router of CloudStack's. A shared network with several ranges has one.

Next steps
----------
Ask the database which networks have this VLAN.
"""

from collections.abc import Iterator
from ipaddress import ip_network
from itertools import combinations

from dissectors.dhcp import Dhcp, DhcpExchange
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import Segment
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import is_guest, network_id
from pcapdx.rules.definitions.wording import cite, in_vlan, listed
from pcapdx.values import dataclass
from pcapdx.vantage import Role

DOCKER = "02:42:"
"""Containers' MACs have the shape of an instance's, and hold an address where that has a network id."""
MEMBERS = 2
ENDLESS = 0xFFFFFFFF


def check(view: View) -> Iterator[Finding]:
    """One finding a VLAN by each of the two signs."""
    if view.vantage.role is Role.ANY or view.counters["double_tagged"]:
        # copies of tagged frames without their tag, or networks that only an inner tag tells apart
        return
    yield from _by_dhcp(view)
    yield from _by_ids(view)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A DHCP server with a MAC of CloudStack's shape."""

    mac: str
    subnet: str
    answers: tuple[Seen[Dhcp], ...]
    clients: frozenset[str]
    endless: bool
    """Its leases never end: virtual routers give such (dhcp-hostsfile with ``infinite``)."""


def _by_dhcp(view: View) -> Iterator[Finding]:
    for (vlan, _, _), servers in _servers(view).items():
        for one, other in combinations(servers, 2):
            shared = one.clients & other.clients
            if ip_network(one.subnet).overlaps(ip_network(other.subnet)) or not (vlan or _one_vlan(view) or shared):
                continue
            confidence = _two_routers(one, other, shared)
            if confidence is not None:
                yield _of_servers(view, vlan, one, other, confidence)
                break


def _two_routers(one: Server, other: Server, shared: frozenset[str]) -> Confidence | None:
    """How sure it is that both are routers of networks of their own; None where one may be a guest that serves."""
    ids = network_id(one.mac), network_id(other.mac)
    if None not in ids:
        return Confidence.CERTAIN if ids[0] != ids[1] else None
    # a stranger answers everybody; a virtual router knows its own guests, and gives them leases without end
    return Confidence.LIKELY if not shared or (one.endless and other.endless) else None


def _servers(view: View) -> dict[Segment, list[Server]]:
    asking = {one.chaddr for one in view.exchanges(DhcpExchange) if one.client_messages}
    found: dict[Segment, dict[str, list[tuple[str, Seen[Dhcp]]]]] = {}
    for exchange in view.exchanges(DhcpExchange):
        for one in (*exchange.offers, *exchange.acks):
            mac = one.frame.eth_src
            if (
                mac is not None
                and is_guest(mac)
                and mac not in asking
                and not one.message.relayed
                and _subnet(one.message)
            ):
                by_mac = found.setdefault(exchange.segment, {})
                by_mac.setdefault(mac, []).append((exchange.chaddr, one))
    return {
        domain: [
            Server(
                mac=mac,
                subnet=_subnet(answers[0][1].message) or "",
                answers=tuple(one for _, one in answers),
                clients=frozenset(client for client, _ in answers),
                endless=all(one.message.lease_s == ENDLESS for _, one in answers),
            )
            for mac, answers in by_mac.items()
        ]
        for domain, by_mac in found.items()
    }


def _of_servers(view: View, vlan: int, one: Server, other: Server, confidence: Confidence) -> Finding:
    answers = sorted((*one.answers, *other.answers), key=lambda answer: answer.ts_ns)
    return _finding(
        view,
        vlan,
        Severity.ERROR,
        confidence,
        f"Two networks share one broadcast domain ({in_vlan(vlan)}): the router {one.mac} leases addresses of "
        f"{one.subnet}, the router {other.mac} of {other.subnet}.",
        tuple(answer.number for answer in answers),
        "leases of two routers",
    )


def _by_ids(view: View) -> Iterator[Finding]:
    networks: dict[int, dict[int, dict[str, int]]] = {}
    for one in view.talkers:
        number = network_id(one.mac) if not one.mac.startswith(DOCKER) else None
        # untagged at a NIC may be several VLANs whose tags a mirror or a recorder took off
        if number is None or not one.sent or one.vni is not None or not (one.vlan or _one_vlan(view)):
            continue
        networks.setdefault(one.vlan, {}).setdefault(number, {})[one.mac] = one.frames[0]
    for vlan, numbers in networks.items():
        several = {number: macs for number, macs in numbers.items() if len(macs) >= MEMBERS}
        if len(several) < MEMBERS:
            continue
        yield _finding(
            view,
            vlan,
            Severity.WARNING,
            Confidence.LIKELY,
            f"MACs of {len(several)} CloudStack networks (ids {listed(several)}, modulo 65536) speak {in_vlan(vlan)}.",
            tuple(frame for macs in several.values() for frame in macs.values()),
            "first frames of MACs with different network ids",
        )


def _one_vlan(view: View) -> bool:
    """Whether untagged frames are of one VLAN here: at a tap only when told, as a mirror may look like one."""
    vantage = view.vantage
    return vantage.role in (Role.BRIDGE, Role.VLAN) or (vantage.role is Role.TAP and not vantage.inferred)


def _subnet(message: Dhcp) -> str | None:
    if message.yiaddr is None or message.subnet_mask is None:
        return None
    try:
        return str(ip_network(f"{message.yiaddr}/{message.subnet_mask}", strict=False))
    except ValueError:
        return None  # a mask with holes


def _finding(
    view: View,
    vlan: int,
    severity: Severity,
    confidence: Confidence,
    summary: str,
    frames: tuple[int, ...],
    what: str,
) -> Finding:
    uri = f"vlan://{vlan or 'N'}"
    return RULE.finding(
        subject=Subject(vlan=vlan),
        severity=severity,
        confidence=confidence,
        summary=summary,
        evidence=(cite(view, frames, what),),
        filter=(f"vlan.id == {vlan} && " if vlan else "") + "(dhcp.type == 2 || arp)",
        alternatives=(
            "two VLANs that something joins on the way: then the same broadcasts are seen under both ids",
            "networks that overlap on purpose (type L2, or overlap checks bypassed)",
        ),
        next_steps=(
            NextStep(
                where="CloudStack database",
                command=f"select id, name, state from networks where broadcast_uri='{uri}' and removed is null",
                meaning="more than one row: give one of the networks another VLAN",
            ),
            NextStep(
                where="CloudStack database",
                command=f"select * from op_dc_vnet_alloc where vnet='{vlan or 'N'}'",
                meaning="two rows in use: ranges of two physical networks overlap",
            ),
        ),
    )


RULE = Rule(
    code="HYP017",
    name="two-networks-one-vlan",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.ERROR,
    check=check,
    explains=("HYP015", "HYP016", "DHCP011", "DHCP012", "DHCP013", "DHCP016", "DHCP032"),
)
