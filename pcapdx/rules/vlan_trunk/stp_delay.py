"""VLAN009 stp-delay-after-linkup: a switch port waits half a minute before it forwards.

What it does
------------
At a physical NIC, finds a time of ten seconds to a minute in which this host asks in vain and hears nothing but control
protocols, spanning tree units among them, and after which it is answered. That the port was the reason is told by the
switch's own rapid units, which say that it discards and then that it forwards, or by two peers and more that begin to
answer (one, where three machines begin to speak) within two seconds.

Why it matters
--------------
Who boots or moves in that time is cut off: network boot and DHCP give up, agents and storage reconnect late.

Common causes
-------------
A switch port towards a host that is no edge port (portfast); a bridge on the host with a forward delay of its own.

What else it could be
---------------------
A peer that boots slowly: then others answer before it. A port that is in a bundle waits for LACP, not for the tree.

Next steps
----------
Make the switch's ports towards hosts edge ports, with BPDU guard.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from dissectors.arp import Arp, ArpExchange
from dissectors.dhcp import Dhcp, DhcpExchange
from dissectors.icmp import Icmp
from dissectors.lacp import Lacp
from dissectors.stp import Bpdu
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import mac_text
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.switch_ports import switch_port
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import at_least, cite, duration
from pcapdx.values import dataclass
from pcapdx.vantage import Role

SHORTEST, LONGEST = 10 * SECOND, 60 * SECOND
"""Two forward delays of four seconds at least (802.1D allows no less), of fifteen by default."""
SHORTEST_BY_TIME = 24 * SECOND
"""Longer than the twenty seconds for which repeated ARP frames of one kind may only be counted."""
TOGETHER = 2 * SECOND
HELLO = 4 * SECOND
"""A hello time and its jitter twice: a unit that says that the port forwards comes as late as that."""
PEERS = 2
MOST_WAITS = 16
"""Of ports in a capture that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dark:
    """A time without answers."""

    asked: tuple[tuple[int, int], ...]
    """(Time, frame) of each request in it."""
    targets: frozenset[str]
    """Addresses asked for by ARP in it."""
    first_ns: int
    opened_ns: int
    """When the first frame that is no control protocol came in."""
    own: bool
    """The capture proves that those who asked are this host's."""


def check(view: View) -> Iterator[Finding]:
    """One finding at most."""
    role = view.vantage.role
    if role is Role.ANY or (role is not None and not role.is_wire):
        return
    units = [
        one for one in view.messages(Bpdu) if not one.frame.tunnel and is_local(view, one.frame.eth_src) is not True
    ]
    told = _told_by_flags(view, units)
    if told is not None:
        yield _finding(view, *told, sure=True)
        return
    dark = _dark(view) if units else None
    if dark is None:
        return
    within = [one for one in units if dark.first_ns - TOGETHER <= one.ts_ns <= dark.opened_ns]
    if len(within) < REPETITION or any(one.message.forwards for one in within if one.ts_ns < dark.opened_ns - HELLO):
        return
    if _by_time(view, dark):
        yield _finding(view, dark, within, sure=False)


def _told_by_flags(view: View, units: Sequence[Seen[Bpdu]]) -> tuple[Dark, Sequence[Seen[Bpdu]]] | None:
    """A port whose rapid units say that it does not forward, and then that it does, while this host asks in vain."""
    ports: dict[tuple[object, ...], list[Seen[Bpdu]]] = {}
    for one in units:
        ports.setdefault((one.frame.eth_src, one.frame.vlan, one.message.port, one.message.pvst_vlan), []).append(one)
    looked_at = 0
    for port in ports.values():
        waiting: list[Seen[Bpdu]] = []
        for one in port:
            if one.message.forwards is False and one.message.role == "designated":
                waiting.append(one)
                continue
            long = len(waiting) >= REPETITION and one.ts_ns - waiting[0].ts_ns >= SHORTEST
            if one.message.forwards and long and looked_at < MOST_WAITS:
                looked_at += 1
                dark = _asked_meanwhile(view, waiting, one.ts_ns)
                if dark is not None:
                    return dark, waiting
            waiting = []
    return None


def _asked_meanwhile(view: View, waiting: Sequence[Seen[Bpdu]], opened_ns: int) -> Dark | None:
    """What was asked in vain while a port waited; None where anything was answered, or too little was asked."""
    first_ns = waiting[0].ts_ns
    # a unit for one VLAN speaks of that VLAN's frames only
    only = waiting[0].frame.vlan if waiting[0].message.pvst else None
    arp = [one for one in view.exchanges(ArpExchange) if only in (None, one.vlan) and one.vni is None]
    dhcp = [one for one in view.exchanges(DhcpExchange) if only in (None, one.vlan) and one.vni is None]
    answers = [
        *(reply for one in arp for reply in one.replies),
        *(sent for one in dhcp for sent in one.server_messages),
    ]
    if any(first_ns + TOGETHER < one.ts_ns < opened_ns - HELLO for one in answers):
        return None
    asked = sorted(one for one in _asked(view) if first_ns <= one[0] < opened_ns and only in (None, one[4]))
    if len(asked) < REPETITION:
        return None
    return Dark(
        asked=tuple(one[:2] for one in asked),
        targets=frozenset(one[2] for one in asked if one[2]),
        first_ns=first_ns,
        opened_ns=opened_ns,
        own=True,
    )


def _by_time(view: View, dark: Dark) -> bool:
    """Whether the time alone tells: long enough, ended for many at once, and nothing else heard in between."""
    if not dark.own or dark.opened_ns - dark.first_ns < SHORTEST_BY_TIME:
        return False
    if any(dark.first_ns <= one.ts_ns <= dark.opened_ns for one in view.messages(Lacp)):
        return False
    woken = {
        one.frame.eth_src
        for kind in (Arp, Icmp, Dhcp)
        for one in view.messages(kind)
        if dark.opened_ns <= one.ts_ns <= dark.opened_ns + TOGETHER and is_local(view, one.frame.eth_src) is False
    }
    answered = len(_answered_at_once(view, dark))
    if answered < PEERS and not (answered and len(woken) >= REPETITION):
        return False
    sides = view.flows.sides
    spanning = sides[(sides["packets"] > 0) & (sides["first_ns"] < dark.opened_ns) & (sides["last_ns"] > dark.first_ns)]
    senders = {mac_text(mac) for mac in set(spanning["mac"].tolist())}
    return all(is_local(view, mac) or (is_local(view, mac) is None and mac in _asking(view)) for mac in senders)


@once_a_view
def _asking(view: View) -> frozenset[str]:
    """Those who asked for anything."""
    arp = {one.asker_mac for one in view.exchanges(ArpExchange)}
    return frozenset(arp | {one.chaddr for one in view.exchanges(DhcpExchange)})


def _dark(view: View) -> Dark | None:
    """The first stretch in which this host asked and nobody else was heard, and which somebody ended."""
    heard = sorted(_heard_ns(view))
    asked = sorted(_asked(view))
    for before, opened in pairwise([view.first_ns, *heard]):
        if opened - before < SHORTEST:
            continue
        within = asked[bisect_left(asked, (before,)) : bisect_left(asked, (opened,))]
        if len(within) < REPETITION or not SHORTEST <= opened - within[0][0] <= LONGEST:
            continue
        return Dark(
            asked=tuple(one[:2] for one in within),
            targets=frozenset(target for _, _, target, _, _ in within if target),
            first_ns=within[0][0],
            opened_ns=opened,
            own=all(own for _, _, _, own, _ in within),
        )
    return None


def _asked(view: View) -> Iterator[tuple[int, int, str, bool, int]]:
    """Requests that left by this NIC, or may have: time, frame, address asked for by ARP, whether they did, VLAN."""
    for arp in view.exchanges(ArpExchange):
        local = is_local(view, arp.asker_mac)
        if arp.vni is None and arp.asker_ip != "0.0.0.0" and local is not False:
            yield from ((one.ts_ns, one.number, arp.target_ip, local is True, arp.vlan) for one in arp.requests)
    for dhcp in view.exchanges(DhcpExchange):
        if dhcp.vni is None and is_local(view, dhcp.chaddr) is not False:
            # a client that came from elsewhere would be heard, and its frames are too long to tell
            yield from ((one.ts_ns, one.number, "", True, dhcp.vlan) for one in dhcp.discovers)


def _heard_ns(view: View) -> Iterator[int]:
    """Times of frames that came in and are no control protocol, as far as they are known one by one."""
    senders: Mapping[str, bool | None] = {one.mac: is_local(view, one.mac) for one in view.talkers if one.sent}
    asking = _asking(view)
    for kind in (Arp, Icmp, Dhcp):
        seen: Sequence[Seen[object]] = view.messages(kind)
        for one in seen:
            mac = one.frame.eth_src
            if mac is not None and not one.frame.tunnel and _came_in(mac, senders.get(mac), asking):
                yield one.ts_ns
    for talker in view.talkers:
        if talker.sent and talker.vni is None and senders.get(talker.mac) is False and talker.mac in _speaking(view):
            yield from (moment for moment in (talker.first_ns, talker.last_ns) if moment is not None)


def _came_in(mac: str, local: bool | None, asking: frozenset[str]) -> bool:
    return local is False or (local is None and mac not in asking)


@once_a_view
def _speaking(view: View) -> frozenset[str]:
    """Senders of more than control protocols: of IP, of ARP, or of unicast frames."""
    more = {one.mac for one in view.talkers if one.ip_frames or one.sent > one.broadcasts}
    return frozenset(more | {one.mac for one in view.bindings})


def _answered_at_once(view: View, dark: Dark) -> list[tuple[str, int]]:
    """Those who were asked for in vain and speak within two seconds of the first frame: who, and the frame."""
    end_ns = dark.opened_ns + TOGETHER
    found: dict[str, int] = {}
    for one in view.messages(Arp):
        if dark.opened_ns <= one.ts_ns <= end_ns and one.message.sender_ip in dark.targets:
            found.setdefault(one.message.sender_ip, one.number)
    for other in view.messages(Icmp):
        if dark.opened_ns <= other.ts_ns <= end_ns and other.frame.src in dark.targets:
            found.setdefault(other.frame.src, other.number)
    for answer in (one for exchange in view.exchanges(DhcpExchange) for one in exchange.server_messages):
        if dark.opened_ns <= answer.ts_ns <= end_ns and answer.frame.eth_src is not None:
            found.setdefault(answer.frame.eth_src, answer.number)
    return list(found.items())


def _finding(view: View, dark: Dark, units: Sequence[Seen[Bpdu]], *, sure: bool) -> Finding:
    answered = _answered_at_once(view, dark)
    waited = duration(dark.opened_ns - dark.first_ns)
    bridge = next((one.message.bridge.mac for one in units if one.message.bridge is not None), "")
    said = (
        "the switch's units say that it discards and learns" if sure else "of the switch only spanning tree was heard"
    )
    return RULE.finding(
        subject=Subject(),
        confidence=Confidence.CERTAIN if sure else Confidence.LIKELY,
        summary=(
            f"The switch port kept this host waiting: it asked {at_least(view, len(dark.asked), 'arp')} in {waited} "
            f"without an answer while {said}; then answers came."
        ),
        evidence=(
            cite(view, (number for _, number in dark.asked), "requests in that time, none answered"),
            cite(view, (one.number for one in units), f"spanning tree units of bridge {bridge} meanwhile"),
            *((cite(view, (frame for _, frame in answered), "then peers answer at once"),) if answered else ()),
        ),
        filter="stp || arp || dhcp",
        first_ns=dark.first_ns,
        last_ns=dark.opened_ns,
        alternatives=() if sure else ("a link or switch further on that came up in this very second",),
        next_steps=(
            NextStep(
                where=switch_port(view),
                command="show spanning-tree interface PORT detail; show running-config interface PORT",
                meaning="no edge (portfast) port: make it one, on trunks too (spanning-tree portfast trunk)",
            ),
            NextStep(
                where="this host",
                command="grep . /sys/class/net/*/bridge/forward_delay",
                meaning="a bridge with an uplink and a delay above 0 adds its own wait",
            ),
        ),
    )


RULE = Rule(
    code="VLAN009",
    name="stp-delay-after-linkup",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.WARNING,
    check=check,
    explains=("DHCP001", "DHCP010", "DHCP020", "DHCP022", "VLAN001", "VLAN019", "HOST001", "HOST007", "META002"),
)
