"""Draws a chart of lanes by matplotlib, as an SVG element: a row a lane, time to the right, words on both sides.

A circle is what was asked, a filled one what was answered, a cross what failed: nothing hangs on colour alone.
"""

import math
from collections.abc import Callable
from typing import Any

from pcapdx.chart import Chart, Lane, MarkKind
from pcapdx.report.escape import plain
from pcapdx.report.svg import CHARACTER_IN, INK, LINE, SOFT, svg

WIDE_IN, LEFT_IN, RIGHT_IN = 7.5, 2.7, 2.0
HEAD_IN, ROW_IN, FOOT_IN = 0.12, 0.27, 0.42
MARGIN_IN = 0.1
DONE, FAILED = "#0b4a8f", "#a3161a"
MOST_TICKS = 5
_MS = 1_000_000
_STYLES: dict[MarkKind, dict[str, Any]] = {
    MarkKind.ASKED: {"marker": "o", "markersize": 5, "markerfacecolor": "white", "color": DONE},
    MarkKind.ANSWERED: {"marker": "o", "markersize": 4, "color": DONE},
    MarkKind.FAILED: {"marker": "x", "markersize": 6, "markeredgewidth": 1.8, "color": FAILED},
}
"""In the order in which they are drawn: what failed lies on top."""


def draw(chart: Chart) -> str:
    """The SVG element with its alternative text."""
    height = HEAD_IN + ROW_IN * len(chart.lanes) + FOOT_IN
    place = _logarithmic(chart) if chart.logarithmic else _linear(chart)

    def paint(axes: Any) -> None:
        _ticks(axes, chart, place, height)
        for row, lane in enumerate(chart.lanes):
            _lane(axes, lane, HEAD_IN + ROW_IN * (row + 0.5), place)

    words = f"{chart.title}: {'; '.join(f'{plain(one.label)}: {plain(one.note)}' for one in chart.lanes)}"
    return svg(WIDE_IN, height, paint, words)


def _linear(chart: Chart) -> Callable[[int], float]:
    """Where a moment stands, in inches from the left."""
    span = max(chart.end_ns - chart.begin_ns, 1)
    return lambda at_ns: _within((at_ns - chart.begin_ns) / span)


def _logarithmic(chart: Chart) -> Callable[[int], float]:
    """The same where the first millisecond is as wide as the ten after it."""
    reach = math.log10(1 + max(chart.end_ns - chart.begin_ns, _MS) / _MS)
    return lambda at_ns: _within(math.log10(1 + max(at_ns - chart.begin_ns, 0) / _MS) / reach)


def _within(share: float) -> float:
    room = WIDE_IN - LEFT_IN - RIGHT_IN - 2 * MARGIN_IN
    return LEFT_IN + MARGIN_IN + room * min(max(share, 0), 1)


def _ticks(axes: Any, chart: Chart, place: Callable[[int], float], height: float) -> None:
    bottom = height - FOOT_IN + 0.05
    for after_ns in _powers(chart) if chart.logarithmic else _even(chart):
        x = place(chart.begin_ns + after_ns)
        axes.plot([x, x], [HEAD_IN, bottom], color=LINE, linewidth=0.7, zorder=0)
        axes.text(x, bottom + 0.05, _told(after_ns), ha="center", va="top", color=SOFT)


def _even(chart: Chart) -> list[int]:
    """Round times from the beginning on, a few of them."""
    span = max(chart.end_ns - chart.begin_ns, 1)
    least = span / MOST_TICKS
    power = 10 ** math.floor(math.log10(least))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
    return [round(step * number) for number in range(int(span / step) + 1)]


def _powers(chart: Chart) -> list[int]:
    """No time at all, and every power of ten of milliseconds that is within."""
    span = chart.end_ns - chart.begin_ns
    every = [10**power * _MS for power in range(12) if 10**power * _MS <= span]
    return [0, *every[:: 1 + len(every) // (MOST_TICKS + 1)]]


def _told(ns: int) -> str:
    """Without more digits than it needs: ``0``, ``250 ms``, ``1 s``, ``2 h``."""
    for unit, name in ((86_400_000 * _MS, "d"), (3_600_000 * _MS, "h"), (1000 * _MS, "s"), (_MS, "ms"), (1000, "µs")):
        if ns >= unit:
            return f"{ns / unit:,.4g} {name}"
    return f"{ns} ns" if ns else "0"


def _lane(axes: Any, lane: Lane, y: float, place: Callable[[int], float]) -> None:
    axes.text(0.05, y, _fitted(lane.label, LEFT_IN - 0.1), va="center", color=INK, parse_math=False)
    axes.text(WIDE_IN - RIGHT_IN + 0.1, y, _fitted(lane.note, RIGHT_IN - 0.1), va="center", color=INK, parse_math=False)
    for begin, end in lane.bars:
        axes.plot([place(begin), max(place(end), place(begin) + 0.02)], [y, y], color=LINE, linewidth=5, zorder=1)
    for order, (kind, style) in enumerate(_STYLES.items()):
        at = [place(one.at_ns) for one in lane.marks if one.kind is kind]
        axes.plot(at, [y] * len(at), linestyle="none", zorder=2 + order, **style)


def _fitted(words: str, inches: float) -> str:
    """As much as there is room for."""
    fitting, told = int(inches / CHARACTER_IN), plain(words)
    return told if len(told) <= fitting else f"{told[: fitting - 1].rstrip()}…"
