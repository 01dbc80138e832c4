"""Draws the packets of the proof over the points of capture, by matplotlib, as an SVG element.

A column a point, a row a packet: a filled dot with its frame number where it was, a cross where it was not. Nothing
hangs on colour alone.
"""

import textwrap
from typing import Any

from pcapdx.report.escape import plain
from pcapdx.report.path import PassageEntry, PathEntry
from pcapdx.report.svg import CHARACTER_IN, INK, LINE, SOFT, svg

WIDE_IN, LEFT_IN, RIGHT_IN = 7.5, 2.6, 0.6
HEAD_IN, ROW_IN, FOOT_IN = 0.6, 0.36, 0.25
SEEN, MISSED = "#0b4a8f", "#a3161a"


def draw(path: PathEntry | None) -> str:
    """The SVG element with its alternative text; empty without packets to show."""
    if path is None or not path.passages:
        return ""
    height = HEAD_IN + ROW_IN * len(path.passages) + FOOT_IN
    words = f"{len(path.passages)} packets at {', '.join(path.captures)}: {'; '.join(map(_words, path.passages))}"

    def paint(axes: Any) -> None:
        places = _points(axes, path.captures, height)
        for row, one in enumerate(path.passages):
            _passage(axes, one, HEAD_IN + ROW_IN * (row + 0.7), places)

    return svg(WIDE_IN, height, paint, words)


def _words(one: PassageEntry) -> str:
    frames = ", ".join("not seen" if frame is None else f"frame {frame}" for frame in one.frames)
    return f"{one.what}: {frames}"


def _points(axes: Any, names: tuple[str, ...], height: float) -> list[float]:
    """Draws each point's name and line; their places from the left, in inches."""
    step = (WIDE_IN - LEFT_IN - RIGHT_IN) / max(len(names) - 1, 1)
    places = [LEFT_IN + step * place for place in range(len(names))]
    for name, x in zip(names, places, strict=True):
        words = textwrap.wrap(plain(name), max(6, int(step / CHARACTER_IN) - 1))[:2]
        axes.text(x, HEAD_IN - 0.08, "\n".join(words), ha="center", va="bottom", color=INK, parse_math=False)
        axes.plot([x, x], [HEAD_IN, height - FOOT_IN], color=LINE, linewidth=1, zorder=1)
    return places


def _passage(axes: Any, one: PassageEntry, y: float, places: list[float]) -> None:
    fitting = int((LEFT_IN - 0.7) / CHARACTER_IN)
    words = plain(one.what)
    words = words if len(words) <= fitting else f"{words[: fitting - 1].rstrip()}…"
    axes.text(0.1, y, words, va="center", color=INK, parse_math=False)
    seen = [x for x, frame in zip(places, one.frames, strict=True) if frame is not None]
    if len(seen) > 1:
        axes.plot([min(seen), max(seen)], [y, y], color=SEEN, linewidth=1.6, zorder=2)
    for x, frame in zip(places, one.frames, strict=True):
        if frame is None:
            axes.plot(x, y, marker="x", markersize=7, color=MISSED, markeredgewidth=1.8, zorder=3)
            continue
        axes.plot(x, y, marker="o", markersize=5, color=SEEN, zorder=3)
        axes.text(x + 0.08, y - 0.04, f"{frame}", ha="left", va="bottom", color=SOFT, zorder=3)
