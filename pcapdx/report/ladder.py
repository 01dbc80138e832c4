"""Draws a time line as a ladder, by matplotlib, as an SVG element: time runs down, a column an end, an arrow a message.

Rows are evenly spaced, so that what is close in time stays readable; the times stand beside them, and a silence of a
second or more is a gap that says how long it was. Evidence is thick, filled and bold: nothing hangs on colour alone.
"""

import textwrap
from collections.abc import Sequence
from typing import Any

from pcapdx.report.escape import plain
from pcapdx.report.svg import CHARACTER_IN, INK, LINE, SOFT, svg
from pcapdx.report.timeline import EVERYONE, Event, TimeLine
from pcapdx.values import dataclass

MOST_COLUMNS = 6
GAP_NS = 1_000_000_000
ROW_IN, GAP_IN, HEAD_IN, FOOT_IN = 0.32, 0.28, 0.52, 0.3
LEFT_IN, RIGHT_IN = 1.75, 0.75
"""Room for frame and time on the left, and for half a column's name on the right."""
WIDE_IN = 7.5
EVIDENCE = "#0b4a8f"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """Where things stand, in inches from the top."""

    y: float
    event: Event | None
    text: str


def draw(line: TimeLine | None) -> str:
    """The SVG element with its alternative text; empty without a time line."""
    if line is None:
        return ""
    names = _ends(line.events)
    events = [one for one in line.events if one.sender in names and one.receiver in names]
    rows, height = _rows(events, line)

    def paint(axes: Any) -> None:
        places = _columns(axes, names, height)
        for row in rows:
            _row(axes, row, places)

    return svg(WIDE_IN, height, paint, _words(events, line))


def _ends(events: Sequence[Event]) -> list[str]:
    """The columns: those of the evidence before others, both ends of an arrow or none; everyone is the last."""
    kept: set[str] = set()
    for one in sorted(events, key=lambda event: not event.evidence):
        both = kept | {one.sender, one.receiver}
        if len(both) <= MOST_COLUMNS:
            kept = both
    seen = dict.fromkeys(end for one in events for end in (one.sender, one.receiver) if end in kept)
    return sorted(seen, key=EVERYONE.__eq__)


def _rows(events: list[Event], line: TimeLine) -> tuple[list[_Row], float]:
    """Arrows, silences between them, and the capture's end; and the height of it all."""
    rows: list[_Row] = []
    at, before = HEAD_IN, events[0].ts_ns
    for one in events:
        if one.ts_ns - before >= GAP_NS:
            at += GAP_IN
            rows.append(_Row(y=at, event=None, text=f"{_seconds(one.ts_ns - before)} later"))
        at += ROW_IN
        rows.append(_Row(y=at, event=one, text=f"+{_seconds(one.ts_ns - events[0].ts_ns)}"))
        before = one.ts_ns
    more = f"{line.left_out} more not drawn; " if line.left_out else ""
    silence = max(line.last_ns - before, 0)
    end = f"the capture ends {_seconds(silence)} later" if silence else "the capture ends here"
    at += ROW_IN
    rows.append(_Row(y=at, event=None, text=f"{more}{end}"))
    return rows, at + FOOT_IN


def _seconds(ns: int) -> str:
    """Short, with as many digits as tell something: ``0``, ``0.82 ms``, ``4.03 s``, ``312 s``."""
    if abs(ns) >= 100_000_000:
        return f"{ns / 1e9:.2f} s" if abs(ns) < 100_000_000_000 else f"{ns / 1e9:,.0f} s"
    return f"{ns / 1e6:.2f} ms" if ns else "0"


def _columns(axes: Any, names: list[str], height: float) -> dict[str, float]:
    """Draws each end's line and name; the names' places from the left, in inches."""
    room = WIDE_IN - LEFT_IN - RIGHT_IN
    step = room / (len(names) - 1) if len(names) > 1 else room
    places = {name: LEFT_IN + step * place for place, name in enumerate(names)}
    fitting = max(10, int((step if len(names) > 2 else 2.2) / CHARACTER_IN) - 1)
    for name, x in places.items():
        words = [part for text in name.split("\n") for part in textwrap.wrap(plain(text), fitting)][:3]
        axes.text(
            x, HEAD_IN - 0.04, "\n".join(words), ha="center", va="bottom", color=INK, parse_math=False, linespacing=1.1
        )
        axes.plot([x, x], [HEAD_IN, height - FOOT_IN], color=LINE, linewidth=1, zorder=1)
    return places


def _row(axes: Any, row: _Row, places: dict[str, float]) -> None:
    one = row.event
    if one is None:
        axes.text(
            (LEFT_IN + WIDE_IN - RIGHT_IN) / 2, row.y, row.text, ha="center", va="center", color=SOFT, style="italic",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1}, zorder=3,
        )  # fmt: skip
        return
    colour = EVIDENCE if one.evidence else SOFT
    weight = "bold" if one.evidence else "normal"
    axes.text(0.1, row.y, f"{one.frame}", va="center", color=colour, weight=weight)
    axes.text(LEFT_IN - 0.75, row.y, row.text, ha="right", va="center", color=SOFT)
    start, end = places[one.sender], places[one.receiver]
    if start != end:
        width = 1.8 if one.evidence else 1.0
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", xy=(end, row.y), xytext=(start, row.y), arrowprops=arrow, zorder=2)
    fill = colour if one.evidence else "white"
    axes.plot(start, row.y, marker="o", markersize=5, color=colour, markerfacecolor=fill, zorder=3)
    middle = (start + end) / 2
    words = _fitted(one.label, 2 * min(middle - LEFT_IN + 0.6, WIDE_IN - middle))
    axes.text(
        middle, row.y - 0.045, words, ha="center", va="bottom", color=INK, weight=weight, parse_math=False,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5}, zorder=1.5,
    )  # fmt: skip


def _fitted(label: str, inches: float) -> str:
    """As much of a label as there is room for: it may stand over other columns, for no other arrow is in its row."""
    words, fitting = plain(label), int(inches / CHARACTER_IN)
    return words if len(words) <= fitting else f"{words[: fitting - 1].rstrip()}…"


def _words(events: list[Event], line: TimeLine) -> str:
    """The picture in words, for those who cannot see it."""
    ends = list(dict.fromkeys(end.partition("\n")[0] for one in events for end in (one.sender, one.receiver)))
    return f"Time line of {len(events)} messages between {', '.join(ends)} in {line.capture}"
