"""What a capture cannot show, in sentences: damage, drops, cut frames, filters, caps that were hit."""

from collections.abc import Iterator

from pcapdx.capture.linktypes import link_type_name
from pcapdx.case import View
from pcapdx.dissect import Layer

READ_LINK_TYPES = frozenset({0, 1, 12, 14, 101, 108, 113, 228, 229, 276})
CLOCK_STEP_NS = 10_000_000
"""Smaller steps back are frames of two queues or interfaces, recorded in the order they were fetched."""


def limits_of(view: View) -> tuple[str, ...]:
    """Every limit of one capture that a reader of its report must know, gravest first."""
    return tuple(_limits(view))


def _limits(view: View) -> Iterator[str]:
    facts, counters = view.capture, view.counters
    if not facts.complete:
        damage = next((one.what for one in facts.anomalies if one.what), "the file is damaged")
        yield f"only part of the file could be read: {damage.rstrip('.')}"
    dropped = sum(one.dropped or 0 for one in facts.interfaces)
    if dropped:
        yield f"{_counted(dropped, 'frame was', 'frames were')} dropped while capturing, by the capture's own count"
    if facts.cut_frames:
        share = 100 * facts.cut_frames / max(facts.frames, 1)
        lengths = sorted({one.snap_length for one in facts.interfaces if one.snap_length})
        length = f" (snap length {lengths[0]:,})" if lengths and lengths[0] < 65535 else ""
        yield f"{facts.cut_frames:,} of {facts.frames:,} frames ({share:.0f} %) were cut short while capturing{length}"
    for expression in dict.fromkeys(one.filter for one in facts.interfaces if one.filter):
        yield f'captured with the filter "{expression}"'
    unread = sorted({one.link_type for one in facts.interfaces} - READ_LINK_TYPES)
    if counters["unknown_link"] and unread:
        names = ", ".join(link_type_name(one) for one in unread)
        yield f"of link type {names} only the number of frames is known: {counters['unknown_link']:,}"
    if counters["backwards_ns"] >= CLOCK_STEP_NS:
        step = f"{counters['backwards_ns'] / 1e9:.3g} s"
        backwards = _counted(counters["backwards"], "frame is", "frames are")
        yield f"{backwards} earlier than the one before, by up to {step}"
    if counters["same_vlan_twins"] * 20 > counters["ip_frames"]:
        twins = _counted(counters["same_vlan_twins"], "packet was", "packets were")
        yield f"{twins} recorded more than once; each counts once"
    beyond = counters["untracked_flows"] + counters["untracked_talkers"] + counters["untracked_bindings"]
    if beyond:
        yield f"of flows and addresses beyond the tables' caps only the number of frames is known: {beyond:,}"
    # tags are read by the sieve in every frame; their dissector only samples them
    tags = {one.name for one in view.dissectors if one.layer is Layer.TAGS}
    alike = {name: count for name, count in sorted(view.left_out.items()) if name not in tags}
    if alike:
        yield f"of frames that repeat earlier ones only the number is known: {', '.join(map(_of, alike.items()))}"


def _of(pair: tuple[str, int]) -> str:
    name, count = pair
    return f"{count:,} {name}"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
