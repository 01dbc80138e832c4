"""DHCP016 address-differs-from-cloudstack, DHCP017 decline, DHCP018 address-in-use: the address is not the client's to
have.

What it does
------------
Compares the address of an ACK with the profile's (DHCP016); finds a DECLINE (DHCP017); finds another MAC that claims
the address by ARP within a minute of the ACK or of the client's probe (DHCP018).

Why it matters
--------------
With a wrong address nothing that CloudStack knows of this guest fits: password and metadata are looked up by it. With
an address in use two machines cut each other off.

Common causes
-------------
A foreign DHCP server; a stale hosts entry in the router; a static address in another guest; an old clone.

What else it could be
---------------------
An old profile; proxy ARP or a VRRP address, which are left out; another tenant's network with the same address plan,
in a capture of all interfaces that has no tags; in zones with security groups the guest does not see others' ARP at
all.

Next steps
----------
Find the MAC that has the address.
"""

from collections.abc import Iterator

from dissectors.arp import Arp
from dissectors.dhcp import DhcpExchange
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import Segment
from pcapdx.model import Evidence, Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.domains import may_be_apart
from pcapdx.rules.definitions.leases import Lease, leases
from pcapdx.rules.definitions.macs import is_virtual_router_protocol
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, listed
from pcapdx.rules.dhcp import steps

CLAIMED_WITHIN = 60 * SECOND
PROXY_ADDRESSES = 8
"""A MAC that claims so many addresses by ARP answers for others (proxy ARP)."""


def check_differs(view: View) -> Iterator[Finding]:
    """DHCP016: one finding a client."""
    for one in leases(view):
        guest = view.site.guest_of(one.mac)
        if guest is None or not guest.ip or one.ip in (guest.ip, *guest.secondary_ips):
            continue
        yield DIFFERS.finding(
            subject=Subject(mac=one.mac, vlan=one.vlan, ip=one.ip),
            summary=f"{one.mac} got {one.ip} from {one.server}; CloudStack gave this NIC {guest.ip}.",
            evidence=(cite(view, (one.ack.number,), f"DHCP ACK with {one.ip}"),),
            filter=f"dhcp.hw.mac_addr == {one.mac} && dhcp.option.dhcp == 5",
            first_ns=one.ack.ts_ns,
            alternatives=("the profile is older than the NIC: fetch it again",),
            next_steps=(steps.router_hosts(one.mac), steps.find_mac(one.server_mac or "", "answered")),
        )


def check_decline(view: View) -> Iterator[Finding]:
    """DHCP017: one finding a client and address."""
    for exchange in view.exchanges(DhcpExchange):
        for one in exchange.declines:
            address = one.message.requested_ip or "its address"
            yield DECLINE.finding(
                subject=Subject(mac=exchange.chaddr, vlan=exchange.vlan, ip=one.message.requested_ip),
                summary=f"{exchange.chaddr} declined {address}: it found somebody else using it.",
                evidence=(cite(view, (one.number,), "DHCP DECLINE"),),
                filter="dhcp.option.dhcp == 4",
                first_ns=one.ts_ns,
                next_steps=(steps.router_log(exchange.chaddr),),
            )


def check_in_use(view: View) -> Iterator[Finding]:
    """DHCP018: one finding a client and address."""
    wanted: dict[tuple[str, str, Segment], list[int]] = {}
    for lease in leases(view):
        wanted.setdefault((lease.mac, lease.ip, lease.ack.frame.segment), []).append(lease.ack.ts_ns)
    for exchange in view.exchanges(DhcpExchange):
        for one in exchange.declines:
            if one.message.requested_ip:
                wanted.setdefault((exchange.chaddr, one.message.requested_ip, exchange.segment), []).append(one.ts_ns)
    claimed: dict[tuple[str | None, Segment], list[Seen[Arp]]] = {}
    for seen in view.messages(Arp):
        claimed.setdefault((seen.message.sender_ip, seen.frame.segment), []).append(seen)
    for (mac, ip, segment), moments in wanted.items():
        claims = [
            one
            for one in claimed.get((ip, segment), ())
            if one.message.sender_mac not in (None, mac)
            and any(abs(one.ts_ns - moment) <= CLAIMED_WITHIN for moment in moments)
            and not is_virtual_router_protocol(one.message.sender_mac)
            and not _answers_for_many(view, one.message.sender_mac)
            and not may_be_apart(view, segment, mac, one.message.sender_mac)
        ]
        if not claims:
            continue
        owners = sorted({one.message.sender_mac or "?" for one in claims})
        yield IN_USE.finding(
            subject=Subject(mac=mac, vlan=segment[0], ip=ip),
            summary=f"{ip}, given to {mac}, is used by {listed(owners)} at the same time.",
            evidence=(
                cite(view, (one.number for one in claims), f"ARP: {ip} is at {listed(owners)}"),
                *_acks(view, mac, ip),
            ),
            filter=f"arp.src.proto_ipv4 == {ip} || dhcp.hw.mac_addr == {mac}",
            first_ns=claims[0].ts_ns,
            last_ns=claims[-1].ts_ns,
            next_steps=tuple(steps.find_mac(owner, f"uses {ip}") for owner in owners[:2]),
        )


def _acks(view: View, mac: str, ip: str) -> tuple[Evidence, ...]:
    given: list[Lease] = [one for one in leases(view) if one.mac == mac and one.ip == ip]
    return (cite(view, (one.ack.number for one in given), f"DHCP ACK: {ip} for {mac}"),) if given else ()


def _answers_for_many(view: View, mac: str | None) -> bool:
    return sum(1 for one in view.bindings if one.mac == mac and one.arp) >= PROXY_ADDRESSES


DIFFERS = Rule(
    code="DHCP016",
    name="address-differs-from-cloudstack",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check_differs,
    explains=("META003", "PWD006", "PWD014", "TMPL005"),
)
DECLINE = Rule(
    code="DHCP017",
    name="decline",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check_decline,
)
IN_USE = Rule(
    code="DHCP018",
    name="address-in-use",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check_in_use,
    explains=("DHCP017", "META002", "PWD003", "HYP015"),
)
