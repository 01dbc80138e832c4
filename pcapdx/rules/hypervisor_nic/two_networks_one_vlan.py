"""HYP017 two-networks-one-vlan: two CloudStack networks share one VLAN.

What it does
------------
Finds one VLAN in which two routers of CloudStack's answer the same request with addresses of different subnets, or in
which MACs of two networks (CloudStack writes a network's id into its MACs) speak, two of each at least.

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

from dissectors.dhcp import Dhcp, DhcpExchange
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import is_guest, network_id
from pcapdx.rules.definitions.wording import cite, in_vlan, listed
from pcapdx.vantage import Role

DOCKER = "02:42:"
"""Containers' MACs have the shape of an instance's, and hold an address where that has a network id."""
MEMBERS = 2


def check(view: View) -> Iterator[Finding]:
    """One finding a VLAN by each of the two signs."""
    if view.vantage.role is Role.ANY:
        return
    yield from _by_dhcp(view)
    yield from _by_ids(view)


def _by_dhcp(view: View) -> Iterator[Finding]:
    clients = {one.chaddr for one in view.exchanges(DhcpExchange) if one.client_messages}
    told: set[int] = set()
    for exchange in view.exchanges(DhcpExchange):
        answers: dict[str, Seen[Dhcp]] = {}
        for one in (*exchange.offers, *exchange.acks):
            mac = one.frame.eth_src
            if is_guest(mac) and mac not in clients and not one.message.relayed and _subnet(one.message):
                answers.setdefault(mac or "", one)
        if len(answers) < MEMBERS or exchange.vlan in told:
            continue
        (first_mac, first), (second_mac, second) = list(answers.items())[:2]
        apart = not _overlap(first.message, second.message)
        ids = network_id(first_mac), network_id(second_mac)
        if apart and (None in ids or ids[0] != ids[1]):
            told.add(exchange.vlan)
            yield _finding(
                view,
                exchange.vlan,
                Severity.ERROR,
                Confidence.LIKELY if None in ids else Confidence.CERTAIN,
                f"Two networks share one broadcast domain ({in_vlan(exchange.vlan)}): the routers {first_mac} and "
                f"{second_mac} both answer {exchange.chaddr}, with {_subnet(first.message)} and {_subnet(second.message)}.",
                (first.number, second.number, *(one.number for one in (*exchange.offers, *exchange.acks))),
                "answers of two routers to one client",
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
    return view.vantage.role in (Role.BRIDGE, Role.VLAN)


def _subnet(message: Dhcp) -> str | None:
    if message.yiaddr is None or message.subnet_mask is None:
        return None
    try:
        return str(ip_network(f"{message.yiaddr}/{message.subnet_mask}", strict=False))
    except ValueError:
        return None  # a mask with holes


def _overlap(first: Dhcp, second: Dhcp) -> bool:
    one, other = _subnet(first), _subnet(second)
    return one is None or other is None or ip_network(one).overlaps(ip_network(other))


def _finding(
    view: View,
    vlan: int,
    severity: Severity,
    confidence: Confidence,
    summary: str,
    frames: tuple[int, ...],
    what: str,
) -> Finding:
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
                command=f"select id, name, broadcast_uri, state from networks where broadcast_uri='vlan://{vlan or 'N'}' and removed is null",
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
    explains=("HYP015", "HYP016", "DHCP011", "DHCP012", "DHCP013", "DHCP016"),
)
