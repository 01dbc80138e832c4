"""ARP-DEAD: a target that nobody answers for.

At least three requests by one asker for one target over two seconds; no reply, and no ARP and no IP frame from that
target in that VLAN from the first request on; the capture would have shown an answer and runs on two seconds.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from dissectors.arp import Arp, ArpExchange
from pcapdx.case import Binding, View
from pcapdx.dissect import Flow, Half, Seen
from pcapdx.frame import Segment, ip_words, mac_int, segment_of
from pcapdx.path.admission import address, packet
from pcapdx.path.trail import ARP
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.observable import hears
from pcapdx.rules.definitions.windows import ARP_AFTER, ARP_RETRY, ARP_SPREAD, ARP_TRIES
from pcapdx.sieve.columns import Array
from pcapdx.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ArpDead:
    """One asker's unanswered requests for one target."""

    asker_mac: str
    asker_ip: str
    target_ip: str
    vlan: int
    vni: int | None
    frames: tuple[int, ...]
    segment: Segment
    """Broadcast domain: under one outer VLAN id there may be several."""
    moments: tuple[int, ...]
    """When each of these requests was sent."""
    first_ns: int
    last_ns: int

    @property
    def retried(self) -> bool:
        """Asked again and again within seconds: who is answered asks again minutes later, if at all."""
        return any(
            later - first <= ARP_RETRY
            for first, later in zip(self.moments, self.moments[ARP_TRIES - 1 :], strict=False)
        )

    @property
    def probe(self) -> bool:
        """Asked from 0.0.0.0 (RFC 5227): nobody is expected to answer."""
        return self.asker_ip == "0.0.0.0"


def arp_dead(view: View) -> Iterator[ArpDead]:
    """Every (asker, target) that is ARP-DEAD; probes (sender 0.0.0.0) are not asked for and so left out."""
    return (one for one in arp_silent(view) if hears(view, one.asker_mac, one.vlan, one.vni, answer=_answer(one)))


def _answer(one: ArpDead) -> Array:
    """What its target would say."""
    return packet(ARP, src=address(one.target_ip), dst=address(one.asker_ip), eth_dst=mac_int(one.asker_mac))


@once_a_view
def arp_silent(view: View) -> tuple[ArpDead, ...]:
    """As :func:`arp_dead`, also where the capture may not show what comes *to* the asker."""
    return tuple(one for one, was_there in _silent(view) if not was_there)


def arp_died(view: View) -> Iterator[ArpDead]:
    """Every (asker, target) that is ARP-DEAD from the target's last word to the end of the capture."""
    return (
        one
        for one, was_there in _silent(view)
        if was_there and hears(view, one.asker_mac, one.vlan, one.vni, answer=_answer(one))
    )


@once_a_view
def _silent(view: View) -> tuple[tuple[ArpDead, bool], ...]:
    """Who asks in vain to the end, and whether the target was heard after the asker had begun to ask."""
    grouped: dict[tuple[Segment, str, str, str], list[ArpExchange]] = {}
    for exchange in view.exchanges(ArpExchange):
        key = exchange.segment, exchange.asker_mac, exchange.asker_ip, exchange.target_ip
        grouped.setdefault(key, []).append(exchange)
    found = []
    for (segment, asker_mac, asker_ip, target_ip), exchanges in grouped.items():
        if asker_ip == "0.0.0.0":
            continue
        begun_ns = exchanges[0].requests[0].ts_ns
        answered_ns = max((reply.ts_ns for one in exchanges for reply in one.replies), default=0)
        requests = _after(view, exchanges, answered_ns)
        if not _insist(requests):
            continue
        heard_ns = max(answered_ns, _last_word(view, target_ip, segment))
        was_there = heard_ns >= begun_ns
        if was_there:
            requests = _after(view, exchanges, heard_ns)
        if not _insist(requests):
            continue
        dead = ArpDead(
            asker_mac=asker_mac,
            asker_ip=asker_ip,
            target_ip=target_ip,
            vlan=exchanges[0].vlan,
            vni=exchanges[0].vni,
            segment=segment,
            frames=tuple(one.number for one in requests),
            moments=tuple(one.ts_ns for one in requests),
            first_ns=requests[0].ts_ns,
            last_ns=requests[-1].ts_ns,
        )
        found.append((dead, was_there))
    return tuple(found)


def _after(view: View, exchanges: Sequence[ArpExchange], since_ns: int) -> list[Seen[Arp]]:
    """Requests later than a moment that had time to be answered."""
    every = (request for one in exchanges for request in one.requests)
    return [one for one in every if one.ts_ns > since_ns and view.remains_ns(one.ts_ns) >= ARP_AFTER]


def _insist(requests: Sequence[Seen[Arp]]) -> bool:
    """Often enough and for long enough."""
    return len(requests) >= ARP_TRIES and requests[-1].ts_ns - requests[0].ts_ns >= ARP_SPREAD


def spoke_in(view: View, ip: str, segment: Segment, since_ns: int) -> bool:
    """Whether an address sent anything, ARP or IP, in one broadcast domain from a moment on."""
    heard_ns = _last_word(view, ip, segment)
    return heard_ns > 0 and heard_ns >= since_ns


def _last_word(view: View, ip: str, segment: Segment) -> int:
    """When an address last sent anything, ARP or IP, in one broadcast domain; 0 where it never did."""
    bound = (one.last_ns for one in _bindings(view).get(ip, ()) if one.segment == segment)
    flows = (
        half.last_ns or 0
        for flow, half in _sides(view, ip)
        if segment_of(flow.vlan, flow.inner_vlan or None, flow.vni) == segment
    )
    return max(chain(bound, flows), default=0)


def speaks(view: View, ip: str, vlan: int | None, vni: int | None, since_ns: int) -> bool:
    """Whether an address sent anything, ARP or IP, in a VLAN from a moment on."""
    for binding in _bindings(view).get(ip, ()):
        if (vlan is None or binding.vlan == vlan) and binding.vni == vni and binding.last_ns >= since_ns:
            return True
    return any(
        (vlan is None or flow.vlan == vlan) and (half.last_ns or 0) >= since_ns for flow, half in _sides(view, ip)
    )


def _sides(view: View, ip: str) -> Iterator[tuple[Flow, Half]]:
    """Flows in which an address sent anything, with its side."""
    if not _in_flows(view, ip):
        return
    flows = (
        *view.flows.where(server=ip),
        *view.flows.where(client=ip),
        *view.flows.where(protocol=17, server=ip),
    )
    for flow in flows:
        for half in (flow.originator, flow.responder):
            if half.ip == ip and half.packets:
                yield flow, half


@once_a_view
def _bindings(view: View) -> Mapping[str, Sequence[Binding]]:
    found: dict[str, list[Binding]] = {}
    for one in view.bindings:
        found.setdefault(one.ip, []).append(one)
    return found


def _in_flows(view: View, ip: str) -> bool:
    """Whether an address may be an end of some flow: a sweep asks for thousands that are not."""
    return ip_words(ip)[-1] in _last_words(view)


@once_a_view
def _last_words(view: View) -> frozenset[int]:
    rows = view.flows.rows
    return frozenset(np.concatenate((rows["src3"], rows["dst3"])).tolist())
