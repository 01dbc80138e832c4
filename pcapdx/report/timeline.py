"""The time line of a diagnosis: who said what to whom and when, drawn by matplotlib as SVG.

Times run to the right, one lane an endpoint, an arrow a message; evidence is filled, the rest is hollow. Marks differ by
shape and fill, not by colour alone.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pcapdx.case import View
from pcapdx.diagnose import Analysis
from pcapdx.dissect import Flow, Seen
from pcapdx.frame import BROADCAST_MAC
from pcapdx.model import Finding
from pcapdx.report.escape import plain

MOST_EVENTS = 48
MOST_LANES = 8
AROUND_NS = 2_000_000_000
LABEL_CHARACTERS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One arrow."""

    ts_ns: int
    frame: int
    sender: str
    receiver: str
    label: str
    evidence: bool


def events_of(analysis: Analysis) -> tuple[Event, ...]:
    """The messages and TCP milestones around the first diagnosis, or the first proof; at most 48, evidence first kept."""
    diagnoses = analysis.diagnosed.diagnoses
    entry = diagnoses[0].root.finding if diagnoses else next(iter(analysis.diagnosed.proofs), None)
    if entry is None:
        return ()
    piece = next((one for one in entry.evidence if one.frames), None)
    if piece is None:
        return ()
    view = analysis.case.view(piece.capture)
    cited = {number for one in entry.evidence if one.capture == view.name for number in one.frames}
    if isinstance(entry, Finding):
        for other in diagnoses[0].consequences:
            cited.update(n for one in other.finding.evidence if one.capture == view.name for n in one.frames)
    found = sorted(
        {one.frame: one for one in (*_milestones(view, cited), *_messages(view, cited))}.values(),
        key=lambda one: (one.ts_ns, one.frame),
    )
    if len(found) > MOST_EVENTS:
        kept = [one for one in found if one.evidence][:MOST_EVENTS]
        found = kept or found[:MOST_EVENTS]
    return tuple(found)


def _messages(view: View, cited: set[int]) -> Iterator[Event]:
    """Messages in cited frames, and their neighbours between the same endpoints within two seconds."""
    everything = [one for one in view.all_messages() if one.frame.ts_ns >= 0]
    core = [one for one in everything if cited.intersection(one.frames)]
    if not core:
        return
    begin, end = core[0].ts_ns - AROUND_NS, core[-1].ts_ns + AROUND_NS
    ends = {end for one in core for end in (_sender(one), _receiver(one))}
    for one in everything:
        near = begin <= one.ts_ns <= end and _sender(one) in ends and _receiver(one) in ends
        if one in core or near:
            yield Event(
                ts_ns=one.ts_ns,
                frame=one.number,
                sender=_sender(one),
                receiver=_receiver(one),
                label=label_of(one.message),
                evidence=bool(cited.intersection(one.frames)),
            )


def _milestones(view: View, cited: set[int]) -> Iterator[Event]:
    """SYN, SYN/ACK, RST and FIN of flows that have a cited frame among them."""
    for flow in view.flows.having(cited):
        for ts_ns, frame, from_originator, label in _moments(flow):
            here, there = (flow.originator, flow.responder) if from_originator else (flow.responder, flow.originator)
            yield Event(
                ts_ns=ts_ns,
                frame=frame,
                sender=here.ip or "",
                receiver=f"{there.ip or ''}",
                label=label,
                evidence=frame in cited,
            )


def _moments(flow: Flow) -> Iterator[tuple[int, int, bool, str]]:
    port = flow.responder.port
    for half, mine, word in ((flow.originator, True, "SYN"), (flow.responder, False, "SYN/ACK")):
        if half.syn_frames and half.first_syn_ns is not None:
            yield half.first_syn_ns, half.syn_frames[0], mine, f"{word} {port}"
            if len(half.syn_frames) > 1 and half.last_syn_ns is not None and half.syn <= len(half.syn_frames):
                yield half.last_syn_ns, half.syn_frames[-1], mine, f"{word} {port} again ({half.syn})"
        if half.rst_frame is not None and half.rst_ns is not None:
            yield half.rst_ns, half.rst_frame, mine, "RST"
        if half.fin_frame is not None and half.fin_ns is not None:
            yield half.fin_ns, half.fin_frame, mine, "FIN"


def label_of(message: object) -> str:
    """A message in a few words: its own ``label`` where it has one, else the name of its class."""
    return str(getattr(message, "label", "") or type(message).__name__)


def _sender(one: Seen[object]) -> str:
    address = one.frame.src
    return address if address and address != "0.0.0.0" else one.frame.eth_src or "?"


def _receiver(one: Seen[object]) -> str:
    if one.frame.eth_dst_int == BROADCAST_MAC:
        return "everyone"
    return one.frame.dst or one.frame.eth_dst or "everyone"


def draw(events: tuple[Event, ...]) -> str:
    """The time line as an SVG element with alternative text; empty without events."""
    if not events:
        return ""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    lanes = list(dict.fromkeys(end for one in events for end in (one.sender, one.receiver)))[:MOST_LANES]
    shown = [one for one in events if one.sender in lanes and one.receiver in lanes]
    height = 1.2 + 0.75 * len(lanes)
    with mpl.rc_context({"svg.fonttype": "none", "font.family": "sans-serif", "svg.hashsalt": "pcapdx"}):
        figure = Figure(figsize=(10, height), layout="constrained")
        axes = figure.subplots()
        _draw_lanes(axes, lanes)
        _draw_arrows(axes, shown, lanes)
        picture = io.StringIO()
        figure.savefig(picture, format="svg", metadata={"Date": None, "Creator": None})
    svg = picture.getvalue()
    svg = svg[svg.index("<svg") :]
    words = f"Time line of {len(shown)} messages between {', '.join(plain(lane) for lane in lanes)}"
    return svg.replace("<svg", f'<svg role="img" aria-label="{words}"', 1)


def _draw_lanes(axes: Any, lanes: list[str]) -> None:
    for place, _ in enumerate(lanes):
        axes.axhline(-place, color="#8a8f98", linewidth=0.8, zorder=1)
    axes.set_yticks([-place for place in range(len(lanes))], [plain(lane).replace("$", r"\$") for lane in lanes])
    axes.set_ylim(-len(lanes) + 0.4, 0.9)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _draw_arrows(axes: Any, events: list[Event], lanes: list[str]) -> None:
    """Arrows in order of frames, evenly spaced; the axis tells each one's time, for real gaps hide what is close."""
    begin = events[0].ts_ns
    for place, one in enumerate(events):
        start, end = -lanes.index(one.sender), -lanes.index(one.receiver)
        colour = "#0b5394" if one.evidence else "#6b7280"
        if start != end:
            axes.annotate(
                "",
                xy=(place, end),
                xytext=(place, start),
                arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.6 if one.evidence else 1.0},
            )
        axes.plot(
            place, start, marker="o", markersize=5, color=colour, markerfacecolor=colour if one.evidence else "white"
        )
        text = f"{one.frame} {plain(one.label)[:LABEL_CHARACTERS]}".replace("$", r"\$")
        axes.text(place + 0.08, max(start, end) + 0.06, text, rotation=60 if len(events) > 8 else 20, fontsize=7)
    labels = [f"+{(one.ts_ns - begin) / 1e9:.3g} s" for one in events]
    axes.set_xticks(range(len(events)), labels, rotation=60, fontsize=7)
    axes.set_xlim(-0.5, max(len(events) - 0.2, 1.5))
