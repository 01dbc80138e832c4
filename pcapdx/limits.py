"""What a capture cannot show, in sentences: damage, drops, cut frames, filters, caps that were hit."""

from collections.abc import Iterator

from pcapdx.capture.linktypes import link_type_name
from pcapdx.case import View

READ_LINK_TYPES = frozenset({0, 1, 12, 14, 101, 108, 113, 228, 229, 276})


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
        yield f"{dropped:,} frames were dropped while capturing, by the capture's own count"
    if facts.cut_frames:
        share = 100 * facts.cut_frames / max(facts.frames, 1)
        lengths = sorted({one.snap_length for one in facts.interfaces if one.snap_length})
        length = f" (snap length {lengths[0]:,})" if lengths and lengths[0] < 65535 else ""
        yield f"{facts.cut_frames:,} frames ({share:.0f} %) were cut short while capturing{length}"
    for expression in dict.fromkeys(one.filter for one in facts.interfaces if one.filter):
        yield f'captured with the filter "{expression}"'
    unread = sorted({one.link_type for one in facts.interfaces} - READ_LINK_TYPES)
    if counters["unknown_link"] and unread:
        names = ", ".join(link_type_name(one) for one in unread)
        yield f"{counters['unknown_link']:,} frames of link type {names} were counted and not read"
    if counters["backwards"]:
        yield f"{counters['backwards']:,} frames are earlier than the one before them, by up to {counters['backwards_ns'] / 1e9:.3g} s"
    if counters["same_vlan_twins"] * 20 > counters["ip_frames"]:
        yield f"{counters['same_vlan_twins']:,} packets were recorded more than once; each was counted once"
    beyond = counters["untracked_flows"] + counters["untracked_talkers"] + counters["untracked_bindings"]
    if beyond:
        yield f"{beyond:,} frames belong to flows or addresses beyond the tables' caps and were only counted"
    if view.left_out:
        parts = ", ".join(f"{count:,} {name}" for name, count in sorted(view.left_out.items()))
        yield f"frames like ones already read were only counted: {parts}"
