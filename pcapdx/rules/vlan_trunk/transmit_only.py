"""VLAN001 vlan-transmit-only: requests leave in a VLAN and nothing ever comes back in it.

What it does
------------
At a NIC that carries tags, finds a VLAN in which this host's guests ask (three DHCP DISCOVERs or five ARP requests,
over ten seconds) and from which no frame of anybody else arrives, while other VLANs or the untagged network are heard.
Where machines elsewhere were heard in it until a moment, two or more or the only one there is, and since then none
although two guests or more ask, that is a remark: the host that they are on may have gone down.

Why it matters
--------------
Every guest of that network on this host is cut off from its router and from guests elsewhere.

Common causes
-------------
The VLAN is not in the list of VLANs that the switch port allows, or not in the switch's VLAN table; the same at the
port of the other host.

What else it could be
---------------------
A network whose only other member is on this host, so that answers never pass the NIC: a client that is answered goes on
to DHCP REQUEST and does not repeat its ARP requests. A peer that is switched off. A private or isolated VLAN.

Next steps
----------
Capture the same VLAN at the other host's NIC at once; look at the list of VLANs of both switch ports.
"""

from collections.abc import Iterator, Mapping, Sequence

from dissectors.arp import DISSECTOR as ARP
from dissectors.arp import ArpExchange
from dissectors.dhcp import DhcpExchange
from pcapdx.case import Talker, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import ArpDead, arp_died, arp_silent
from pcapdx.rules.definitions.crossings import crossings
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.observable import tags_expected, tags_observable
from pcapdx.rules.definitions.switch_ports import neighbour, switch_port
from pcapdx.rules.definitions.two_way import answered_vlans
from pcapdx.rules.definitions.windows import ARP_AFTER, BURST, DHCP_SPREAD, DHCP_TRIES, TWO_PATHS
from pcapdx.rules.definitions.wording import at_least, cite, duration, listed, times
from pcapdx.values import dataclass
from pcapdx.vantage import Role

VLAN_SPREAD = DHCP_SPREAD
SEVERAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What went unanswered in one VLAN."""

    clients: tuple[str, ...]
    """MACs that sent DISCOVERs and nothing after them."""
    discovers: int
    arp_askers: tuple[str, ...]
    arp_targets: tuple[str, ...]
    arp_requests: int
    arp_times: str
    """That many, in words."""
    frames: tuple[int, ...]
    first_ns: int
    last_ns: int

    @property
    def plain(self) -> bool:
        """A client that was answered would have gone on; two askers of one target are not both mistaken."""
        return self.discovers >= DHCP_TRIES or (len(self.arp_askers) > 1 and self.arp_requests >= BURST)

    @property
    def words(self) -> str:
        """Who asked for what, and how often."""
        span = duration(self.last_ns - self.first_ns)
        parts = []
        if self.discovers:
            parts.append(f"{listed(self.clients)} asked for an address {times(self.discovers)}")
        if self.arp_requests:
            parts.append(f"{listed(self.arp_askers)} asked for {listed(self.arp_targets)} {self.arp_times}")
        return f"{listed(parts)} in {span}"


def check(view: View) -> Iterator[Finding]:
    """One finding a VLAN."""
    if not tags_expected(view) or not tags_observable(view) or view.vantage.role is Role.ANY:
        return
    crossed = {one.asked for one in crossings(view)}
    answered = answered_vlans(view)
    for vlan in view.vlans:
        asking = unanswered(view, vlan)
        if not vlan or asking is None or vlan in crossed or vlan in answered:
            continue
        talkers = [one for one in view.talkers if one.vlan == vlan and one.vni is None]
        own = _own(view, [one for one in talkers if one.sent])
        if own is None or any(one.sent and one.received for one in talkers):
            continue
        heard = _heard_elsewhere(view, vlan, known=own)
        if heard:
            yield from _judge(view, vlan, asking, own, heard)
    if view.vantage.role is not Role.BOND:
        died = _died(view)
        for vlan in view.vlans:
            if vlan and vlan in answered and vlan not in crossed:
                yield from _fallen_silent(view, vlan, died.get(vlan, ()))


def unanswered(view: View, vlan: int) -> Asking | None:
    """Requests in one VLAN that nobody answered, where they are enough to say so."""
    return _unanswered(view).get(vlan)


@once_a_view
def _unanswered(view: View) -> Mapping[int, Asking]:
    exchanges: dict[int, list[DhcpExchange]] = {}
    for exchange in view.exchanges(DhcpExchange):
        if exchange.vni is None:
            exchanges.setdefault(exchange.vlan, []).append(exchange)
    silent: dict[int, list[ArpDead]] = {}
    for dead in arp_silent(view):
        if dead.vni is None and dead.retried:
            silent.setdefault(dead.vlan, []).append(dead)
    found = {vlan: _asking(view, vlan, exchanges.get(vlan, ()), silent.get(vlan, ())) for vlan in {*exchanges, *silent}}
    return {vlan: asking for vlan, asking in found.items() if asking is not None}


def _asking(view: View, vlan: int, exchanges: Sequence[DhcpExchange], silent: Sequence[ArpDead]) -> Asking | None:
    by_client: dict[str, list[tuple[int, int]]] = {}
    served = {one.chaddr for one in exchanges if one.answered or one.requests or one.chosen_server}
    for exchange in exchanges:
        asked = [(one.ts_ns, one.number) for one in exchange.discovers if view.remains_ns(one.ts_ns) >= ARP_AFTER]
        by_client.setdefault(exchange.chaddr, []).extend(asked)
    clients = {mac: asked for mac, asked in by_client.items() if asked and mac not in served}
    moments = [moment for asked in clients.values() for moment in asked]
    arp_frames = [number for one in silent for number in one.frames]
    askers = {one.asker_mac for one in silent}
    # of many equal requests only some are read; an asker that is not answered asks until its last frame
    until = [one.last_ns for one in view.talkers if one.mac in askers and one.vlan == vlan and one.last_ns is not None]
    bounds = [*(ts_ns for ts_ns, _ in moments), *(one.first_ns for one in silent), *until]
    if not bounds or max(bounds) - min(bounds) < VLAN_SPREAD:
        return None
    if len(moments) < DHCP_TRIES and len(moments) + len(arp_frames) < BURST:
        return None
    return Asking(
        clients=tuple(clients),
        discovers=len(moments),
        arp_askers=tuple(sorted(askers)),
        arp_targets=tuple(dict.fromkeys(one.target_ip for one in silent)),
        arp_requests=len(arp_frames),
        arp_times=at_least(view, len(arp_frames), "arp"),
        frames=tuple(sorted([*(number for _, number in moments), *arp_frames])),
        first_ns=min(bounds),
        last_ns=max(bounds),
    )


def _own(view: View, senders: Sequence[Talker]) -> bool | None:
    """Whether all senders of a VLAN are this host's: None when one is not, False when the capture does not tell."""
    local = [is_local(view, one.mac) for one in senders]
    if not local or False in local:
        return None
    return None not in local


def _heard_elsewhere(view: View, vlan: int, *, known: bool) -> tuple[int, ...]:
    """Other VLANs (0 untagged) from which this NIC receives; empty when fewer than twenty frames show it."""
    others = [one for one in view.talkers if one.vlan != vlan and one.vni is None and one.sent]
    if known:
        others = [one for one in others if is_local(view, one.mac) is False]
    else:
        others = [one for one in others if one.vlan in answered_vlans(view)]
    if sum(one.sent for one in others) < TWO_PATHS:
        return ()
    return tuple(sorted({one.vlan for one in others}))


def _judge(view: View, vlan: int, asking: Asking, own: bool, heard: tuple[int, ...]) -> Iterator[Finding]:
    sure = own or asking.discovers >= DHCP_TRIES
    where = listed("the untagged network" if other == 0 else f"VLAN {other}" for other in heard[:4])
    verb = "is" if len(heard) == 1 else "are"
    limits = ["one capture cannot tell where on the way the frames are lost"]
    if not own:
        limits.append("the capture does not tell which senders are on this host")
    yield RULE.finding(
        subject=Subject(vlan=vlan),
        severity=Severity.WARNING if asking.plain and sure else Severity.INFO,
        confidence=Confidence.LIKELY if asking.plain and own else Confidence.POSSIBLE,
        summary=f"Nothing comes back in VLAN {vlan}: {asking.words}, while {where} {verb} heard at the same NIC.",
        evidence=(cite(view, asking.frames, f"requests tagged {vlan}; no frame of anybody else has that tag"),),
        filter=f"vlan.id == {vlan}",
        first_ns=asking.first_ns,
        last_ns=asking.last_ns,
        alternatives=(
            "the only other member of this network is on the same host, so that its answers never pass this NIC",
            "whoever should answer is switched off: look for its own frames in this VLAN on its host",
        ),
        limits=tuple(limits),
        next_steps=next_steps(view, vlan),
    )


def _died(view: View) -> Mapping[int, Sequence[ArpDead]]:
    """By VLAN, who of this host asks in vain for somebody who was there."""
    found: dict[int, list[ArpDead]] = {}
    for dead in arp_died(view):
        if dead.vlan and dead.vni is None and is_local(view, dead.asker_mac):
            found.setdefault(dead.vlan, []).append(dead)
    return found


def _asks_often(view: View, vlan: int, since_ns: int) -> list[ArpDead]:
    """Who of this host asks so often that of the equal requests one in a while is read, and is not answered since."""
    if "arp" not in view.left_out or ARP.sample is None:
        return []
    grouped: dict[tuple[str, str], list[ArpExchange]] = {}
    for one in view.exchanges(ArpExchange):
        if one.vlan == vlan and one.vni is None and one.asker_ip != "0.0.0.0" and is_local(view, one.asker_mac):
            grouped.setdefault((one.asker_mac, one.target_ip), []).append(one)
    found = []
    for (asker_mac, target_ip), exchanges in grouped.items():
        requests = [seen for one in exchanges for seen in one.requests]
        since = [seen for seen in requests if seen.ts_ns > since_ns and view.remains_ns(seen.ts_ns) >= ARP_AFTER]
        late = any(reply.ts_ns > since_ns for one in exchanges for reply in one.replies)
        if len(requests) <= ARP.sample.first or not since or late:
            continue
        found.append(
            ArpDead(
                asker_mac=asker_mac,
                asker_ip=exchanges[0].asker_ip,
                target_ip=target_ip,
                vlan=vlan,
                vni=None,
                frames=tuple(seen.number for seen in since),
                segment=exchanges[0].segment,
                moments=tuple(seen.ts_ns for seen in since),
                first_ns=since[0].ts_ns,
                last_ns=since[-1].ts_ns,
            )
        )
    return found


def _fallen_silent(view: View, vlan: int, died: Sequence[ArpDead]) -> Iterator[Finding]:
    """All that were heard from elsewhere have been silent since a moment, and this host's guests ask for them."""
    senders = [one for one in view.talkers if one.vlan == vlan and one.vni is None and one.sent]
    remote = {one.mac: one.last_ns or 0 for one in senders if is_local(view, one.mac) is False}
    silence_ns = max(remote.values(), default=0)
    owners = {one.ip: one.mac for one in view.bindings if one.vlan == vlan and one.vni is None and one.mac in remote}
    often = _asks_often(view, vlan, silence_ns)
    asked = [dead for dead in (*died, *often) if dead.target_ip in owners]
    together = sorted(mac for mac, last_ns in remote.items() if silence_ns - last_ns <= VLAN_SPREAD)
    pairs = {dead.asker_mac for dead in asked}, {dead.target_ip for dead in asked}
    until_ns = max((dead.last_ns for dead in asked), default=0)
    frames = sorted({number for dead in asked for number in dead.frames})
    if len(together) < min(SEVERAL, len(remote)) or max(map(len, pairs)) < SEVERAL:
        return
    if len(frames) < BURST and not often:
        return
    if until_ns - silence_ns < VLAN_SPREAD:
        return
    if any(is_local(view, one.mac) is None and (one.last_ns or 0) > silence_ns for one in senders):
        return
    others = [
        one
        for one in view.talkers
        if one.vlan != vlan and one.vni is None and is_local(view, one.mac) is False and (one.last_ns or 0) >= until_ns
    ]
    if sum(one.sent for one in others) < TWO_PATHS:
        return
    heard = sorted({one.vlan for one in others})
    alone = len(together) == 1
    are = "is" if alone else "are"
    names = listed(f"VLAN {other}" if other else "the untagged network" for other in heard[:4])
    yield RULE.finding(
        subject=Subject(vlan=vlan),
        severity=Severity.INFO,
        confidence=Confidence.POSSIBLE,
        summary=(
            f"VLAN {vlan} fell silent {duration(silence_ns - view.first_ns)} after the first frame: "
            f"{listed(together[:4])} {are} not heard any more, and {listed(sorted(pairs[1])[:4])} asked for by ARP in "
            f"vain {at_least(view, len(frames), 'arp')}, while {names} goes on."
        ),
        evidence=(cite(view, frames, f"requests tagged {vlan}; no frame of anybody elsewhere has that tag any more"),),
        filter=f"vlan.id == {vlan}",
        first_ns=silence_ns,
        last_ns=until_ns,
        alternatives=(
            *((f"{together[0]}, the only one elsewhere that was heard in it, was switched off",) if alone else ()),
            f"the host that {listed(together[:4])} {are} on went down, or its link did",
            f"VLAN {vlan} was taken off a switch port on the way at that moment",
        ),
        limits=("one capture cannot tell where on the way the frames are lost",),
        next_steps=next_steps(view, vlan),
    )


def next_steps(view: View, vlan: int) -> tuple[NextStep, ...]:
    """Where to look when a VLAN is not carried."""
    interface = view.vantage.interface or "NIC"
    return (
        NextStep(
            where="the router's host, at the same time",
            command=f"tcpdump -enni NIC 'vlan {vlan}'",
            meaning=f"none of these requests arrives: the switch loses VLAN {vlan} between the two ports",
        ),
        NextStep(
            where=f"{switch_port(view)}, and the other host's port"
            if neighbour(view)
            else "switch, ports of both hosts",
            command=f"show interfaces trunk; show vlan id {vlan}",
            meaning=f"{vlan} must be allowed, active and forwarding on both ports",
        ),
        NextStep(
            where="this host",
            command=f"lldpctl {interface}; ip -d link show; bridge vlan show",
            meaning="names the switch port to look at, and whether the host itself has the VLAN",
        ),
    )


RULE = Rule(
    code="VLAN001",
    name="vlan-transmit-only",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.WARNING,
    check=check,
    explains=(
        "DHCP001",
        "DHCP002",
        "DHCP006",
        "DHCP010",
        "DHCP020",
        "DHCP022",
        "VLAN019",
        "HOST001",
        "HOST007",
        "HOST011",
        "HOST017",
        "META002",
        "META007",
        "PHYS008",
        "PWD003",
        "PWD011",
        "SG001",
        "TMPL013",
    ),
)
