"""HYP021 vxlan-port-mismatch: two ends of an overlay do not mean the same tunnel.

What it does
------------
Finds tunnel endpoints that send the same network to each other (or to one multicast group) on different UDP ports; that
send each other different network identifiers while the inner frames ask for one another; or of which one refuses the
other's packets by ICMP (port unreachable, quoting a tunnel port).

Why it matters
--------------
Neither host takes the other's frames. Guests on one host never reach those on the other, router included.

Common causes
-------------
One host made its VXLAN device by the multicast script (Linux' own port 8472), the other by the EVPN script, Open
vSwitch or NSX (4789); a device made by hand with another identifier; the device of the network is missing on a host.

What else it could be
---------------------
Tunnels with a key of its own for each direction: then inner requests are answered. Two overlays side by side: each then
has an identifier and two-way traffic of its own. A host whose last instance of a network was stopped refuses what still
comes for a while. A network whose members on one host are all quiet.

Next steps
----------
Compare the VXLAN devices of both hosts.
"""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from itertools import combinations, islice

from dissectors.icmp import Icmp
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.model import Confidence, Evidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import arp_silent
from pcapdx.rules.definitions.overlay import PORTS, Leg, Way, legs
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import cite, frames_filter, listed, times
from pcapdx.rules.dhcp.asking import unanswered
from pcapdx.values import dataclass

SPREAD = 2 * SECOND
MOST_TOLD = 4
"""Pairs told of one pair of endpoints or one group: the rest is the same fault."""
MOST_WAYS = 200
"""Ways of one pair or group that are held against each other; a group with more hosts shows a fault among these."""
UDP = 17
PORT_UNREACHABLE = {(4, 3, 3), (6, 1, 4)}
"""IP version, type and code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One pair of endpoints and what is wrong between them."""

    ends: tuple[str, str]
    summary: str
    evidence: tuple[Evidence, ...]
    severity: Severity
    confidence: Confidence
    moments: tuple[int, int]
    vni: int


def check(view: View) -> Iterator[Finding]:
    """One finding a pair of endpoints and network."""
    claims = [*_ports(view), *_identifiers(view)]
    named = {frozenset(one.ends) for one in claims}
    claims.extend(one for one in _refused(view) if frozenset(one.ends) not in named)
    for one in claims:
        yield _finding(one, alone=len(claims) == 1)


def _ports(view: View) -> Iterator[Claim]:
    """The same network on two ports, each port one way only."""
    for here, near, there, far in _one_way(view):
        if (here.tunnel, here.vni) == (there.tunnel, there.vni) and here.port != there.port:
            yield Claim(
                ends=(here.src, there.src),
                summary=(
                    f"{here.src} sends VXLAN {here.vni} on port {here.port}, {there.src} sends the same network on "
                    f"port {there.port}: neither takes the other's frames."
                ),
                evidence=(_cited(view, here, near), _cited(view, there, far)),
                severity=Severity.ERROR,
                confidence=Confidence.CERTAIN if near.wants(far) and far.wants(near) else Confidence.LIKELY,
                moments=_span(near, far),
                vni=here.vni,
            )


def _identifiers(view: View) -> Iterator[Claim]:
    """Two identifiers between one pair of endpoints, each one way only, whose inner frames ask for one another."""
    for here, near, there, far in _one_way(view):
        if here.src == there.dst and (here.tunnel, here.port) == (there.tunnel, there.port) and here.vni != there.vni:
            both = near.wants(far) and far.wants(near)
            wanted = sorted((near.asked & far.speakers) | (far.asked & near.speakers))
            yield Claim(
                ends=(here.src, there.src),
                summary=(
                    f"{here.src} sends {here.words} to {there.src}, which sends {there.words} back: two identifiers, "
                    f"and {listed(wanted[:3])} {'is' if len(wanted) == 1 else 'are'} asked for across them in vain."
                ),
                evidence=(_cited(view, here, near), _cited(view, there, far)),
                severity=Severity.ERROR if both else Severity.WARNING,
                confidence=Confidence.CERTAIN if both else Confidence.POSSIBLE,
                moments=_span(near, far),
                vni=here.vni,
            )


def _refused(view: View) -> Iterator[Claim]:
    """Endpoints that answer tunnel packets with ICMP port unreachable."""
    grouped: dict[tuple[str, str, int], list[Seen[Icmp]]] = {}
    for one in view.messages(Icmp):
        icmp, quoted = one.message, one.message.quoted
        if (icmp.version, icmp.type, icmp.code) not in PORT_UNREACHABLE or quoted is None:
            continue
        if quoted.protocol == UDP and quoted.dport in PORTS and one.frame.src == quoted.dst:
            grouped.setdefault((quoted.src, quoted.dst, quoted.dport), []).append(one)
    by_sender: dict[str, list[tuple[Way, Leg]]] = {}
    for way, leg in legs(view).items():
        by_sender.setdefault(way.src, []).append((way, leg))
    for (src, dst, port), refusals in grouped.items():
        first, last = refusals[0], refusals[-1]
        if len(refusals) < REPETITION or last.ts_ns - first.ts_ns < SPREAD:
            continue
        sent = {way: leg for way, leg in by_sender.get(src, ()) if (way.dst, way.port) == (dst, port)}
        back = by_sender.get(dst, ())
        if any((way.dst, way.port) == (src, port) and leg.moments[-1] > first.ts_ns for way, leg in back):
            continue  # it does speak by this port: what was refused is another matter
        others = sorted({way.port for way, _ in back if way.port not in (0, port)})
        vnis = sorted({way.vni for way in sent})
        vain = _in_vain(view, vnis)
        uses = f" and itself sends on {listed(others)}" if others else ""
        yield Claim(
            ends=(src, dst),
            summary=(
                f"{dst} refuses the tunnel packets of {src} to port {port}, {times(len(refusals))}{uses}: "
                f"nothing listens there{f' (network {listed(vnis[:4])})' if vnis else ''}."
            ),
            evidence=(
                cite(view, (one.number for one in refusals), f"ICMP port unreachable, quoting UDP {port}"),
                *(_cited(view, way, leg) for way, leg in list(sent.items())[:2]),
            ),
            severity=Severity.ERROR if vain or others else Severity.WARNING,
            confidence=Confidence.CERTAIN if vain else Confidence.LIKELY,
            moments=(first.ts_ns, last.ts_ns),
            vni=vnis[0] if vnis else -1,
        )


def _in_vain(view: View, vnis: Sequence[int]) -> bool:
    """Whether somebody in one of these networks asks and is not answered by anybody."""
    silent = any(one.vni in vnis for one in arp_silent(view))
    return silent or any(one.vni in vnis and one.enough for one in unanswered(view))


def _one_way(view: View) -> Iterator[tuple[Way, Leg, Way, Leg]]:
    """Pairs of legs that meet (each other's endpoints, or one multicast group), neither of which anybody sends back."""
    every = legs(view)
    back = {(one.dst, one.tunnel, one.port, one.vni) for one in every}
    alone = {
        way: leg
        for way, leg in every.items()
        if len(leg.frames) >= REPETITION and (way.src, way.tunnel, way.port, way.vni) not in back
    }
    meeting: dict[object, list[Way]] = {}
    for way in alone:
        group = ip_address(way.dst).is_multicast
        meeting.setdefault(way.dst if group else frozenset((way.src, way.dst)), []).append(way)
    for ways in meeting.values():
        pairs = ((here, there) for here, there in combinations(ways[:MOST_WAYS], 2) if here.src != there.src)
        apart = ((here, there) for here, there in pairs if _apart(alone[here], alone[there]))
        for here, there in islice(apart, MOST_TOLD):
            yield here, alone[here], there, alone[there]


def _apart(near: Leg, far: Leg) -> bool:
    """Whether one leg asks for who speaks in the other, and nobody answers across them."""
    return (near.wants(far) or far.wants(near)) and not near.answers(far) and not far.answers(near)


def _span(near: Leg, far: Leg) -> tuple[int, int]:
    return min(near.moments[0], far.moments[0]), max(near.moments[-1], far.moments[-1])


def _cited(view: View, way: Way, leg: Leg) -> Evidence:
    return cite(view, leg.frames, f"{way.words}, from {way.src} to {way.dst}")


def _finding(one: Claim, *, alone: bool) -> Finding:
    device = f"vxlan{one.vni}" if one.vni >= 0 else "vxlanN"
    return RULE.finding(
        # a single such pair explains whatever is strange in the overlay; of several each explains its own
        subject=Subject() if alone else Subject(name=f"{one.ends[0]} and {one.ends[1]}, {one.vni}"),
        severity=one.severity,
        confidence=one.confidence,
        summary=one.summary,
        evidence=one.evidence,
        filter=frames_filter(frame for piece in one.evidence for frame in piece.frames),
        first_ns=one.moments[0],
        last_ns=one.moments[1],
        alternatives=(
            "two overlays side by side, whose members on one host are all quiet",
            "the last instance of this network on one of the hosts was just stopped",
        ),
        next_steps=(
            NextStep(
                where=f"hosts {one.ends[0]} and {one.ends[1]}",
                command=f"ip -d link show {device}; ss -lnu '( sport = :4789 or sport = :8472 )'",
                meaning="id and dstport must be equal on both; no such device: the network is not set up there",
            ),
            NextStep(
                where="the same hosts, with Open vSwitch",
                command="ovs-vsctl --columns=name,type,options list interface",
                meaning="key and dst_port of the tunnel port must be those of the other host",
            ),
        ),
    )


RULE = Rule(
    code="HYP021",
    name="vxlan-port-mismatch",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.ERROR,
    check=check,
    explains=("DHCP001", "DHCP002", "DHCP010", "DHCP020", "DHCP022", "DHCP027", "META002", "PWD003", "VLAN019"),
)
