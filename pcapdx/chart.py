"""A chart as data: lanes over time, with marks of what was asked, answered and failed.

A topic's package may declare one (:attr:`pcapdx.rule.TopicPage.chart`); :mod:`pcapdx.report.lanes` draws it.
"""

from enum import StrEnum

from pcapdx.values import dataclass

MOST_LANES = 24
"""Lanes that a reader takes in, and a sheet of paper; a chart that could have more says how many are left out."""
MOST_MARKS = 200
"""Marks of one lane: more of them stand on each other."""


class MarkKind(StrEnum):
    """What a moment meant. Each is drawn as a shape of its own, for colours are not seen by everybody."""

    ASKED = "asked"
    ANSWERED = "answered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One moment."""

    at_ns: int
    kind: MarkKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One row: a VLAN, a client, a connection."""

    label: str
    bars: tuple[tuple[int, int], ...]
    """Stretches of time, ns, in which it was heard."""
    marks: tuple[Mark, ...]
    note: str
    """What came of it, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lanes over one span of time."""

    title: str
    legend: str
    """What bars and marks stand for."""
    lanes: tuple[Lane, ...]
    begin_ns: int
    end_ns: int
    logarithmic: bool = False
    """Times count from each lane's own beginning, and ten times as long is one step further."""
    left_out: int = 0
    """Lanes there was no room for."""
