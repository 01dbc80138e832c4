"""HYP026 bad-checksums: what one machine sends arrives with wrong checksums, and its receiver takes none of it.

What it does
------------
Finds TCP segments that come again three times and more with a wrong TCP or IP checksum each time and are never
acknowledged, and DNS answers with a wrong one whose questions are asked again. At a NIC, for frames that came off the
wire, a checksum that nobody completed counts, too.

Why it matters
--------------
The receiver's kernel drops such packets without a word: connections do not open or hang, and every firewall and route
looks right.

Common causes
-------------
A NIC, its firmware or its driver that computes or leaves out checksums wrongly (offload); a virtual router whose kernel
leaves them to a NIC that never does it; memory of a switch or NIC that changes bits on the way.

What else it could be
---------------------
A checksum that is only not yet filled in is normal where the sender is on the host of the capture: it has a form of its
own, by which it is told apart. Where wrong ones are acknowledged all the same, the recorder saw them too early; where
no checksum of the file is right, its addresses were changed afterwards. Then nothing is said.

Next steps
----------
Look at the receiver's counters of wrong checksums, then switch the sender's checksum offload off and try again.
"""

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from dissectors.dns import DnsExchange
from pcapdx.case import View
from pcapdx.dissect import Flow, Half
from pcapdx.frame import mac_int
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.local import is_local, owner
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.windows import REPETITION, SECOND, SYN_AFTER
from pcapdx.rules.definitions.wording import cite, listed, times
from pcapdx.sieve.columns import Array
from pcapdx.values import dataclass
from pcapdx.vantage import Role

TCP, UDP, DNS = 6, 17, 53
MOST_FLOWS = 4096
"""Flows with wrong checksums that are looked at; one that floods proves no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoiled:
    """One direction of a conversation that its receiver does not take."""

    flow: Flow
    sender: Half
    receiver: Half
    count: int
    what: str
    completed: bool
    """Somebody did fill the checksum in, wrongly."""


def check(view: View) -> Iterator[Finding]:
    """HYP026: one finding a sender and receiver."""
    sides = view.flows.sides
    if not int(np.sum(sides["sums_wrong"])) and not _at_wire(view):
        return
    if int(np.sum(sides["sums_right"])) < REPETITION:
        return  # a file whose addresses were changed without its checksums has no right one
    found: dict[tuple[str | None, str | None], list[Spoiled]] = {}
    for one in (*_segments(view), *_answers(view)):
        found.setdefault((one.sender.ip, one.receiver.ip), []).append(one)
    for members in found.values():
        yield _finding(view, members)


def _at_wire(view: View) -> bool:
    role = view.vantage.role
    return role is not None and role.is_wire


def _arrived(view: View, half: Half) -> bool | None:
    """Whether frames of this sender came to this point over a wire; None where the sender may be right here."""
    local = is_local(view, half.mac)
    if local is False and _at_wire(view):
        return True
    own = view.vantage.role in (Role.TAP, Role.ROUTER) and half.mac == owner(view)
    return False if local or own or half.mac is None else None


def _wrong(view: View, half: Half) -> int:
    """Frames of this side whose checksum its receiver cannot take; 0 where they may be fine."""
    arrived = _arrived(view, half)
    if arrived is False or half.mac is None or mac_int(half.mac) in _taken(view):
        return 0
    return half.sums_wrong + (half.sums_partial if arrived else 0)


@once_a_view
def _taken(view: View) -> Collection[int]:
    """MACs of senders whose segments were acknowledged though each one looked at was wrong."""
    sides = view.flows.sides
    tcp = np.repeat(view.flows.rows["protocol"] == TCP, 2)
    odd = (sides["sums_wrong"] + sides["sums_partial"] > 0) & (sides["sums_right"] == 0)
    return frozenset(np.unique(sides["mac"][tcp & odd & (sides["acked"] > 0)]).tolist())


def _segments(view: View) -> Iterator[Spoiled]:
    for flow in view.flows.take(_candidates(view))[:MOST_FLOWS]:
        for sender, receiver in ((flow.originator, flow.responder), (flow.responder, flow.originator)):
            wrong = _wrong(view, sender)
            if wrong < REPETITION:
                continue
            what = _stuck(view, flow, sender, receiver, wrong)
            if what:
                yield Spoiled(
                    flow=flow,
                    sender=sender,
                    receiver=receiver,
                    count=wrong,
                    what=what,
                    completed=sender.sums_wrong > 0,
                )


def _candidates(view: View) -> Array:
    """TCP flows with a side that has three wrong ones, one bool a row."""
    sides = view.flows.sides
    odd = (sides["sums_wrong"] + sides["sums_partial"] * _at_wire(view)) >= REPETITION
    return np.asarray((odd[0::2] | odd[1::2]) & (view.flows.rows["protocol"] == TCP))


def _stuck(view: View, flow: Flow, sender: Half, receiver: Half, wrong: int) -> str:
    """What of the sender is never taken; empty where that does not show."""
    if sender.first_ns is None or view.remains_ns(sender.first_ns) < SECOND:
        return ""
    if sender.syn >= REPETITION and sender.sums_right == 0 and not sender.acked_bytes:
        opening = sender is flow.originator
        waited = sender.last_syn_ns is not None and view.remains_ns(sender.last_syn_ns) >= SYN_AFTER
        if opening and not receiver.packets and waited:
            return "SYN"
        if not opening and receiver.packets == receiver.syn:
            return "SYN/ACK"
    held = sender.stream_bytes - sender.acked_bytes >= sender.stuck_bytes > 0
    if held and sender.stuck_retransmissions >= REPETITION and wrong >= sender.stuck_retransmissions:
        return "segments"
    return ""


def _answers(view: View) -> Iterator[Spoiled]:
    """DNS answers that arrived and whose question was asked again under its number."""
    for (client, server), again in _asked_again(view).items():
        flows = view.flows.where(protocol=UDP, ports=(DNS,), server=server, client=client)[:MOST_FLOWS]
        judged = [flow for flow in flows if flow.responder.packets]
        wrong = [_wrong(view, flow.responder) for flow in judged]
        if again < REPETITION - 1 or not wrong or any(flow.responder.sums_right for flow in judged):
            continue
        if min(wrong) > 0 and sum(wrong) >= REPETITION:
            flow = judged[0]
            yield Spoiled(
                flow=flow,
                sender=flow.responder,
                receiver=flow.originator,
                count=sum(wrong),
                what="DNS answers",
                completed=any(one.responder.sums_wrong for one in judged),
            )


def _asked_again(view: View) -> Mapping[tuple[str, str], int]:
    """By client and server: questions that came again more than a second after their answer."""
    answered: dict[tuple[str, str, int, str, int], int] = {}
    again: dict[tuple[str, str], int] = {}
    for one in view.exchanges(DnsExchange):
        key = one.client, one.server, one.id, one.name, one.type
        if key in answered and one.queries[0].ts_ns - answered[key] > SECOND:
            again[key[:2]] = again.get(key[:2], 0) + 1
        if one.answer is not None:
            answered.setdefault(key, one.answer.ts_ns)
    return again


def _finding(view: View, members: list[Spoiled]) -> Finding:
    first = members[0]
    sender, receiver, flow = first.sender, first.receiver, first.flow
    server, client = flow.responder, flow.originator
    total = sum(one.count for one in members)
    frames = [number for one in members for number in (*one.sender.wrong_frames, *_shown(one))]
    filled = "a wrong checksum" if first.completed else "a checksum that nobody has filled in"
    kinds = listed(sorted({one.what for one in members}))
    times_ns = [ns for one in members for ns in (one.sender.first_ns, one.sender.last_ns) if ns is not None]
    certain = _arrived(view, sender) is True
    return RULE.finding(
        subject=Subject(
            vlan=flow.vlan or None, ip=client.ip, server=server.ip, port=server.port if len(members) == 1 else None
        ),
        confidence=Confidence.CERTAIN if certain else Confidence.LIKELY,
        summary=(
            f"{total:,} packets from {sender.ip} ({sender.mac}) to {receiver.ip} came with {filled}, and {receiver.ip} "
            f"took none: {kinds} are sent again ({times(max(one.count for one in members))} on one connection)."
        ),
        evidence=(cite(view, frames, f"{kinds} of {sender.ip} with {filled}, sent again"),),
        filter=f"ip.src == {sender.ip} && ip.dst == {receiver.ip} && {'tcp' if flow.protocol == TCP else 'dns'}",
        first_ns=min(times_ns, default=None),
        last_ns=max(times_ns, default=None),
        alternatives=(
            *(() if certain else ("the sender is on this very host, and its checksums are completed further on",)),
            *(
                ("bits change on the way (memory of a switch or NIC): then frames differ at the point before",)
                if first.completed
                else ()
            ),
        ),
        limits=(
            "Wireshark marks wrong checksums only where it is told to: Preferences, Protocols, TCP (or UDP), validate",
        ),
        next_steps=(
            NextStep(
                where=f"{receiver.ip}",
                command="nstat -az | grep -iE 'TcpInCsumErrors|UdpInCsumErrors|IpInHdrErrors'",
                meaning="a counter that grows with each try: the kernel drops the packets for their checksum",
            ),
            NextStep(
                where=f"sender {sender.mac} ({sender.ip}), then its host's NIC",
                command="ethtool -K <nic> tx off; ethtool -i <nic>",
                meaning="works with offload off: driver or firmware computes checksums wrongly, update it",
            ),
            NextStep(
                where=f"switch and host next to {sender.ip}",
                command=f"tcpdump -nvvs0 host {sender.ip} and host {receiver.ip} | grep -i incorrect",
                meaning="right there and wrong here: what lies between changes the packets",
            ),
        ),
    )


def _shown(one: Spoiled) -> tuple[int, ...]:
    """Frames that were sent again."""
    if one.what.startswith("SYN"):
        return one.sender.syn_frames
    return tuple(number for number in (one.sender.stuck_frame,) if number is not None)


RULE = Rule(
    code="HYP026",
    name="bad-checksums",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.ERROR,
    check=check,
    explains=(
        "HOST001", "HOST007", "HOST009", "HOST011", "HOST012", "HOST017", "META002", "META009", "META011", "PWD003",
        "CPVM004", "CPVM005", "CPVM016", "CPVM001", "PWD018", "SG001", "SG002", "SG009",
    ),
)  # fmt: skip
