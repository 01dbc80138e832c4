"""What a time line shows: who said what to whom and when, around the first diagnosis or the first proof.

:mod:`pcapdx.report.ladder` draws it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from pcapdx.case import View
from pcapdx.diagnose import Analysis
from pcapdx.diagnosis import Diagnosed
from pcapdx.dissect import Dissector, Flow, Half, Seen
from pcapdx.frame import BROADCAST_MAC
from pcapdx.model import Evidence, Severity
from pcapdx.values import dataclass

MOST_EVENTS = 24
"""Rows that a reader takes in, and a sheet of paper."""
AROUND_NS = 2_000_000_000
"""Messages this near to the evidence are shown with it."""
EVERYONE = "everyone"
_GROUP_BIT = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One arrow."""

    ts_ns: int
    frame: int
    sender: str
    receiver: str
    label: str
    evidence: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLine:
    """Arrows in time order, and when the capture they are of ended: silence lasts until then."""

    capture: str
    events: tuple[Event, ...]
    last_ns: int
    left_out: int
    """Messages that would have been shown too, had there been room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """An arrow whose ends are not yet named."""

    ts_ns: int
    frame: int
    sender: tuple[str | None, str | None]
    """MAC and address, as far as known."""
    receiver: tuple[str | None, str | None]
    label: str
    evidence: bool
    telling: tuple[bool, int, str] = (False, -1, "")
    """Of several steps in one frame the most telling are shown."""


def timeline_of(analysis: Analysis) -> TimeLine | None:
    """The exchange that the first fault (with what it explains), else the first proof, else the first remark is about.

    None where none of them cites a frame. Of too many messages the evidence is kept first, then what is nearest to it.
    """
    pieces = _about(analysis.diagnosed)
    capture = next((piece.capture for piece in pieces if piece.frames), None)
    if capture is None:
        return None
    view = analysis.case.view(capture)
    cited = {number for piece in pieces if piece.capture == capture for number in piece.frames}
    steps = _one_a_frame([*_milestones(view, cited), *_messages(view, cited)])
    nearest = sorted(steps, key=lambda one: (not one.evidence, _distance(one.frame, cited), one.frame))
    kept = sorted(nearest[:MOST_EVENTS], key=lambda one: (one.ts_ns, one.frame))
    if not kept:
        return None
    return TimeLine(capture=capture, events=_named(kept), last_ns=view.last_ns, left_out=len(steps) - len(kept))


def _one_a_frame(steps: list[_Step]) -> list[_Step]:
    """The most telling step of each frame; several that are equally so become one."""
    kept: dict[int, _Step] = {}
    for one in sorted(steps, key=lambda step: step.telling):
        before = kept.get(one.frame)
        if before is not None and before.telling == one.telling and one.label not in before.label:
            one = replace(one, label=f"{before.label}, {one.label}", evidence=before.evidence or one.evidence)
        kept[one.frame] = one
    return list(kept.values())


def _about(diagnosed: Diagnosed) -> list[Evidence]:
    """The evidence that the time line is of."""
    first = diagnosed.diagnoses[0] if diagnosed.diagnoses else None
    if first is not None and (first.root.finding.severity is not Severity.INFO or not diagnosed.proofs):
        return [piece for one in (first.root, *first.consequences) for piece in one.finding.evidence]
    by_rule = {one.code: one for one in reversed(diagnosed.proofs)}
    return [piece for code in sorted(by_rule) for piece in by_rule[code].evidence]


def label_of(message: object) -> str:
    """A message in a few words: its own ``label`` where it has one, else the name of its class."""
    return str(getattr(message, "label", "") or type(message).__name__)


def _distance(frame: int, cited: Iterable[int]) -> int:
    return min(abs(frame - other) for other in cited)


def _messages(view: View, cited: set[int]) -> Iterator[_Step]:
    """Messages in cited frames, and others between the same ends near by."""
    everything = [(one, _telling(dissector)) for dissector in view.dissectors for one in _seen(view, dissector)]
    core = [one for one, _ in everything if cited.intersection(one.frames)]
    if not core:
        return
    begin = min(one.ts_ns for one in core) - AROUND_NS
    end = max(one.ts_ns for one in core) + AROUND_NS
    ends = {_ends(one) for one in core}
    ends |= {(receiver, sender) for sender, receiver in ends}
    for one, telling in everything:
        evidence = bool(cited.intersection(one.frames))
        if evidence or (begin <= one.ts_ns <= end and _ends(one) in ends):
            sender, receiver = _ends(one)
            yield _Step(
                ts_ns=one.ts_ns,
                frame=one.number,
                sender=sender,
                receiver=receiver,
                label=label_of(one.message),
                evidence=evidence,
                telling=telling,
            )


def _seen(view: View, dissector: Dissector) -> tuple[Seen[Any], ...]:
    traffic = view.traffic.get(dissector.name)
    return traffic.seen if traffic else ()


def _telling(dissector: Dissector) -> tuple[bool, int, str]:
    """What builds on another dissector's messages says more than that one, and a higher layer more than a lower one."""
    return dissector.builds_on is not None, dissector.layer, dissector.name


def _ends(one: Seen[Any]) -> tuple[tuple[str | None, str | None], tuple[str | None, str | None]]:
    frame = one.frame
    source = None if frame.src in ("0.0.0.0", "::") else frame.src
    group = frame.eth_dst_int >= 0 and bool(frame.eth_dst_int & _GROUP_BIT)
    everyone = frame.eth_dst_int == BROADCAST_MAC or (group and frame.dst is None)
    receiver = (None, EVERYONE) if everyone else (None if group else frame.eth_dst, frame.dst)
    return (frame.eth_src, source), receiver


def _milestones(view: View, cited: set[int]) -> Iterator[_Step]:
    """SYN, SYN/ACK, RST and FIN of flows that have a cited frame among them."""
    for flow in view.flows.having(cited):
        for ts_ns, frame, here, there, label in _moments(flow):
            yield _Step(
                ts_ns=ts_ns,
                frame=frame,
                sender=(here.mac, here.ip),
                receiver=(there.mac, there.ip),
                label=label,
                evidence=frame in cited,
            )


def _moments(flow: Flow) -> Iterator[tuple[int, int, Half, Half, str]]:
    client, server = flow.originator, flow.responder
    for half, other, word in ((client, server, "SYN"), (server, client, "SYN/ACK")):
        if half.syn_frames and half.first_syn_ns is not None:
            yield half.first_syn_ns, half.syn_frames[0], half, other, f"{word} port {server.port}"
            if 1 < half.syn <= len(half.syn_frames) and half.last_syn_ns is not None:
                again = f"{word} port {server.port}, {half.syn}th time" if half.syn > 3 else f"{word} again"
                yield half.last_syn_ns, half.syn_frames[-1], half, other, again
        if half.rst_frame is not None and half.rst_ns is not None:
            yield half.rst_ns, half.rst_frame, half, other, "RST"
        if half.fin_frame is not None and half.fin_ns is not None:
            yield half.fin_ns, half.fin_frame, half, other, "FIN"


def _named(steps: list[_Step]) -> tuple[Event, ...]:
    """Arrows between named ends. A MAC and an address that only ever came together are one end."""
    pairs = {end for one in steps for end in (one.sender, one.receiver) if None not in end}
    names: dict[str, str] = {}
    for mac, address in sorted(pairs, key=str):
        alone = sum(mac in pair for pair in pairs) == 1 and sum(address in pair for pair in pairs) == 1
        if alone and mac and address:
            names[mac] = names[address] = f"{address}\n{mac}"

    def name(end: tuple[str | None, str | None]) -> str:
        mac, address = end
        known = address or mac or "?"
        return names.get(known, known)

    return tuple(
        Event(
            ts_ns=one.ts_ns,
            frame=one.frame,
            sender=name(one.sender),
            receiver=name(one.receiver),
            label=one.label,
            evidence=one.evidence,
        )
        for one in steps
    )
