"""CROSSING: a request in one VLAN whose answer, to the very asker, comes in another (untagged counts as one).

Either a recorder lost the tags of what was received, and the asker was answered all the same; or something on the way
changed the tag, and the asker goes on asking. What the asker does next tells which.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from dissectors.arp import Arp
from dissectors.dhcp import DhcpExchange
from dissectors.icmp import Icmp
from pcapdx.case import View
from pcapdx.dissect import Flow, Seen
from pcapdx.flowtable import TCP
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.values import dataclass
from pcapdx.vantage import Role

M = TypeVar("M")
Key = tuple[object, ...]

ANSWERED_WITHIN = 1 * SECOND
ASKED_AGAIN_WITHIN = 3 * SECOND
MOST_FLOWS = 20_000
"""One-sided TCP flows looked at; a port scan has more of them and proves no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """One request and its answer in another VLAN."""

    what: str
    """``ARP``, ``ping``, ``DHCP`` or ``TCP``."""
    asker_mac: str | None
    asked: int
    """VLAN of the request, 0 untagged."""
    answered: int
    """VLAN of the answer."""
    frames: tuple[int, ...]
    ts_ns: int
    went_on: bool
    """The asker acted on the answer: it was answered."""
    asked_again: bool
    """The asker asked the same once more, right after the answer."""


@once_a_view
def crossings(view: View) -> tuple[Crossing, ...]:
    """Every crossing, in time order; none where all interfaces were recorded at once."""
    if view.vantage.role is Role.ANY or len(view.vlans) < 2:
        return ()
    found = [*_of_arp(view), *_of_pings(view), *_of_dhcp(view), *_of_tcp(view)]
    return tuple(sorted(found, key=lambda one: (one.ts_ns, one.frames)))


def _of_arp(view: View) -> Iterator[Crossing]:
    asked: dict[Key, list[Seen[Arp]]] = {}
    replies: list[tuple[Key, Seen[Arp]]] = []
    for one in view.messages(Arp):
        arp = one.message
        if one.frame.vni >= 0 or arp.gratuitous:
            continue
        if arp.request:
            asked.setdefault((arp.sender_mac, arp.sender_ip, arp.target_ip), []).append(one)
        elif arp.reply and one.frame.eth_dst == arp.target_mac:
            replies.append(((arp.target_mac, arp.target_ip, arp.sender_ip), one))
    for key, request, reply in _crossed(asked, replies):
        again = any(0 < one.ts_ns - reply.ts_ns < ASKED_AGAIN_WITHIN for one in asked[key])
        yield Crossing(
            what="ARP",
            asker_mac=request.message.sender_mac,
            asked=request.frame.vlan,
            answered=reply.frame.vlan,
            frames=(request.number, reply.number),
            ts_ns=request.ts_ns,
            went_on=not again and _spoken_to(view, reply.frame.eth_src, request.frame.vlan, reply.ts_ns),
            asked_again=again,
        )


def _of_pings(view: View) -> Iterator[Crossing]:
    asked: dict[Key, list[Seen[Icmp]]] = {}
    replies: list[tuple[Key, Seen[Icmp]]] = []
    for one in view.messages(Icmp):
        frame, icmp = one.frame, one.message
        if frame.vni >= 0:
            continue
        if icmp.echo_request:
            asked.setdefault((frame.src, frame.dst, icmp.identifier, icmp.sequence, frame.eth_src), []).append(one)
        elif icmp.echo_reply:
            replies.append(((frame.dst, frame.src, icmp.identifier, icmp.sequence, frame.eth_dst), one))
    for _, request, reply in _crossed(asked, replies):
        yield Crossing(
            what="ping",
            asker_mac=request.frame.eth_src,
            asked=request.frame.vlan,
            answered=reply.frame.vlan,
            frames=(request.number, reply.number),
            ts_ns=request.ts_ns,
            went_on=False,  # ping goes on in any case
            asked_again=False,
        )


def _crossed(
    asked: Mapping[Key, Sequence[Seen[M]]], replies: Iterable[tuple[Key, Seen[M]]]
) -> Iterator[tuple[Key, Seen[M], Seen[M]]]:
    """Replies without a request in their own VLAN, with the latest request in another that no reply of its own had."""
    at_home: set[int] = set()
    away: list[tuple[Key, Seen[M], Seen[M]]] = []
    for key, reply in replies:
        before = [one for one in asked.get(key, ()) if 0 <= reply.ts_ns - one.ts_ns < ANSWERED_WITHIN]
        home = [one.number for one in before if one.frame.segment == reply.frame.segment]
        at_home.update(home)
        if before and not home:
            away.append((key, before[-1], reply))
    for key, request, reply in away:
        if request.number not in at_home:
            yield key, request, reply


def _of_dhcp(view: View) -> Iterator[Crossing]:
    by_client: dict[tuple[str, int], list[DhcpExchange]] = {}
    for one in view.exchanges(DhcpExchange):
        if one.vni is None:
            by_client.setdefault((one.chaddr, one.xid), []).append(one)
    for halves in by_client.values():
        for asking in halves:
            if not asking.client_messages or asking.server_messages:
                continue
            for answering in halves:
                if answering.client_messages or answering.vlan == asking.vlan:
                    continue
                yield from _dhcp_answers(asking, answering)


def _dhcp_answers(asking: DhcpExchange, answering: DhcpExchange) -> Iterator[Crossing]:
    for answer in answering.server_messages:
        before = [one for one in asking.client_messages if 0 <= answer.ts_ns - one.ts_ns < ANSWERED_WITHIN]
        if not before or answer.message.relayed:
            continue
        later = [one for one in asking.discovers if one.ts_ns > answer.ts_ns]
        yield Crossing(
            what="DHCP",
            asker_mac=asking.chaddr,
            asked=asking.vlan,
            answered=answering.vlan,
            frames=(before[-1].number, answer.number),
            ts_ns=before[-1].ts_ns,
            went_on=any(one.ts_ns > answer.ts_ns for one in asking.requests),
            asked_again=bool(later),
        )


def _of_tcp(view: View) -> Iterator[Crossing]:
    table = view.flows
    asking = table.originator("packets") > 0
    answering = table.responder("packets") > 0
    one_sided = np.flatnonzero((table.rows["protocol"] == TCP) & (asking != answering) & (table.rows["vni"] < 0))
    answers: dict[Key, Flow] = {}
    unanswered: list[Flow] = []
    for index in one_sided[:MOST_FLOWS].tolist():
        flow = table.at(index)
        near, far = flow.originator, flow.responder
        if flow.began and not far.packets:
            unanswered.append(flow)
        elif far.packets:
            answers[near.ip, near.port, far.ip, far.port] = flow
        else:
            answers[far.ip, far.port, near.ip, near.port] = flow
    for flow in unanswered:
        near, far = flow.originator, flow.responder
        other = answers.get((near.ip, near.port, far.ip, far.port))
        if other is None or other.vlan == flow.vlan or near.first_syn_ns is None:
            continue
        spoke = other.responder if other.responder.packets else other.originator
        if spoke.first_ns is None or not 0 <= spoke.first_ns - near.first_syn_ns < ANSWERED_WITHIN:
            continue
        yield Crossing(
            what="TCP",
            asker_mac=near.mac,
            asked=flow.vlan,
            answered=other.vlan,
            frames=(near.syn_frames[0], spoke.first_frame or 0),
            ts_ns=near.first_syn_ns,
            went_on=near.packets > near.syn + near.rst,
            asked_again=near.syn > 1,
        )


def _spoken_to(view: View, mac: str | None, vlan: int, since_ns: int) -> bool:
    """Whether anybody sent unicast frames to a MAC in a VLAN from a moment on."""
    return _last_received(view).get((mac, vlan), 0) > since_ns


@once_a_view
def _last_received(view: View) -> Mapping[tuple[str | None, int], int]:
    return {(one.mac, one.vlan): one.last_received_ns or 0 for one in view.talkers}
