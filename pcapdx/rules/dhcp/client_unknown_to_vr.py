"""DHCP002 client-unknown-to-vr, DHCP003 whole-subnet-silent, DHCP004 stale-lease-suspected: the router serves others.

What it does
------------
Finds a client that is not answered while the same server serves other clients of the same VLAN. Where two or more ask
and nobody is answered any more, the server may have died, and DHCP001 tells it. Where the profile shows
that all silent clients are of one subnet and the served ones of another it is DHCP003; where the client's address was
used by another MAC in this capture it is DHCP004.

Why it matters
--------------
The virtual router answers only MACs it was told of: silence for one client is its way to say "I don't know you".

Common causes
-------------
CloudStack could not program the router; the guest's MAC is not the one CloudStack gave it; dnsmasq has no range for a
second subnet of a shared network (issue 8158); a lease of the former owner of the address stayed in memory (issues
10182, 10436).

What else it could be
---------------------
The client sits in another VLAN than it seems, or its requests never reach the router while its neighbours' do.

Next steps
----------
Look for the MAC in /etc/dhcphosts.txt and for "ignored" or "no address available" in dnsmasq's log.
"""

from collections.abc import Iterator

from dissectors.arp import Arp
from pcapdx.case import View
from pcapdx.frame import Segment
from pcapdx.model import Confidence, Evidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import ParticularsWithSteps, Rule
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.windows import DHCP_ANSWER
from pcapdx.rules.definitions.wording import cite, in_vlan, listed, times
from pcapdx.rules.dhcp import steps
from pcapdx.rules.dhcp.asking import Unanswered, unanswered


def silent(view: View) -> Iterator[Unanswered]:
    """Clients that are not answered while others of their VLAN are, by a server that was there all the time."""
    for one in unanswered(view):
        if any(other.last_ns >= one.first_ns - DHCP_ANSWER for other in one.others_served) or (
            one.others_served and one.enough
        ):
            yield one


def check_unknown(view: View) -> Iterator[Finding]:
    """DHCP002: one finding a client."""
    for one in silent(view):
        if died(view, one):
            continue
        served = sorted({other.chaddr for other in one.others_served})
        servers = sorted({server for other in one.others_served for server in other.servers})
        yield UNKNOWN.finding(
            severity=one.severity,
            confidence=Confidence.LIKELY if one.in_vain and one.enough else one.confidence,
            summary=(
                f"{one.mac} asked for an address {times(len(one.discovers))} ({in_vlan(one.vlan)}) and got no answer, "
                f"while {listed(servers)} served {listed(served[:3])}."
            ),
            **_particulars(view, one, (_served(view, one),)),
            alternatives=(
                "its requests do not reach the router although its neighbours' do (filter on its host, wrong VLAN)",
                *(("the server died after its last answer: nobody else has asked since",) if one.in_vain else ()),
            ),
        )


def died(view: View, one: Unanswered) -> bool:
    """Whether nobody is answered any more, and the profile gives no other reason why these clients are not."""
    return one.stopped and (one.segment, one.mac) not in _in_silent_subnets(view)


@once_a_view
def _in_silent_subnets(view: View) -> frozenset[tuple[Segment, str]]:
    return frozenset((one.segment, one.mac) for _, _, group in _silent_subnets(view) for one in group)


@once_a_view
def _silent_subnets(view: View) -> tuple[tuple[str, frozenset[str], tuple[Unanswered, ...]], ...]:
    """(subnet, subnets served, silent clients) where, by the profile, all silent clients of a segment are of one."""
    everyone = list(silent(view))
    found = []
    for key in dict.fromkeys(one.segment for one in everyone):
        group = tuple(one for one in everyone if one.segment == key)
        subnets = {_subnet(view, one.mac) for one in group}
        served = frozenset(
            _subnet_of(other.address) for one in group for other in one.others_served if other.address is not None
        )
        subnet = subnets.pop()
        if len(group) > 1 and subnet is not None and not subnets and subnet not in served:
            found.append((subnet, served, group))
    return tuple(found)


def check_subnet(view: View) -> Iterator[Finding]:
    """DHCP003: two or more silent clients whose addresses, by the profile, are of a subnet nobody is served in."""
    for subnet, served, group in _silent_subnets(view):
        first = group[0]
        yield SUBNET.finding(
            subject=Subject(vlan=first.vlan),
            summary=(
                f"No guest of {subnet}.0/24 is answered ({listed(one.mac for one in group)}), while guests of "
                f"{listed(f'{net}.0/24' for net in sorted(served))} in the same VLAN are served."
            ),
            evidence=(
                *(cite(view, one.frames, f"DISCOVER of {one.mac}, unanswered") for one in group),
                _served(view, first),
            ),
            filter="dhcp",
            first_ns=min(one.first_ns for one in group),
            last_ns=max(one.last_ns for one in group),
            next_steps=(
                NextStep(
                    where="virtual router of this network",
                    command="grep dhcp-range /etc/dnsmasq.d/cloud.conf",
                    meaning=f"no range for {subnet}.0: dnsmasq answers nobody of that subnet (issue 8158)",
                ),
            ),
        )


def check_stale(view: View) -> Iterator[Finding]:
    """DHCP004: the silent client's address, by the profile, was used by another MAC in this capture."""
    for one in silent(view):
        guest = view.site.guest_of(one.mac)
        if guest is None or not guest.ip:
            continue
        former = next(
            (
                bound
                for bound in view.bindings
                if bound.ip == guest.ip and bound.mac != one.mac and bound.vlan == one.vlan
            ),
            None,
        )
        if former is None:
            continue
        claims = [
            seen.number
            for seen in view.messages(Arp)
            if seen.message.sender_mac == former.mac and seen.message.sender_ip == guest.ip
        ]
        yield STALE.finding(
            severity=one.severity,
            confidence=one.confidence,
            summary=(
                f"{one.mac} is not answered; its address {guest.ip} was used by {former.mac} here, "
                "whose lease the router "
                "may still hold."
            ),
            **_particulars(
                view,
                one,
                (cite(view, claims or (former.first_frame, former.last_frame), f"{former.mac} used {guest.ip}"),),
            ),
        )


def _subnet(view: View, mac: str) -> str | None:
    guest = view.site.guest_of(mac)
    return _subnet_of(guest.ip) if guest is not None and guest.ip else None


def _subnet_of(address: str) -> str:
    """The first three numbers: ranges of a shared network differ at least there in practice."""
    return address.rsplit(".", 1)[0]


def _served(view: View, one: Unanswered) -> Evidence:
    frames = [other.server_messages[0].number for other in one.others_served if other.server_messages]
    return cite(view, frames[:6], "OFFER or ACK to other clients in the same VLAN")


def _particulars(view: View, one: Unanswered, more: tuple[Evidence, ...]) -> ParticularsWithSteps:
    return ParticularsWithSteps(
        subject=Subject(mac=one.mac, vlan=one.vlan),
        evidence=(cite(view, one.frames, one.what), *more),
        filter=f"dhcp.hw.mac_addr == {one.mac}",
        first_ns=one.first_ns,
        last_ns=one.last_ns,
        limits=one.limits,
        next_steps=(steps.router_hosts(one.mac), steps.router_log(one.mac), steps.management(one.mac)),
    )


UNKNOWN = Rule(
    code="DHCP002",
    name="client-unknown-to-vr",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check_unknown,
    explains=("DHCP022", "PWD011", "META007", "META011", "TMPL013"),
)
SUBNET = Rule(
    code="DHCP003",
    name="whole-subnet-silent",
    known=(8158,),
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check_subnet,
    explains=("DHCP002", "DHCP001", "DHCP022", "PWD011", "META007", "META011"),
)
STALE = Rule(
    code="DHCP004",
    name="stale-lease-suspected",
    known=(10436,),
    topic=Topic.DHCP,
    severity=Severity.WARNING,
    check=check_stale,
    explains=("DHCP002",),
)
