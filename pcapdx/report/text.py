"""The report for a terminal or a plain-text ticket: one screen, top down.

What, where, why we are sure, what it explains, what it is not, what to do; then what worked and what cannot be told.
"""

import textwrap
from collections.abc import Callable, Iterator

from pcapdx.report.document import Document, FindingEntry
from pcapdx.report.escape import plain
from pcapdx.report.words import GRAVE, cited, facts, frame_list, headline, names

WIDEST, NARROWEST = 110, 60
LABEL = 12
"""Columns of the labels on the left, indent included."""

Style = Callable[[str, str], str]
"""Marks a text as one of ``error``, ``warning``, ``info``, ``label``, ``good``; what it returns shows the same words."""


def render(document: Document, *, width: int = WIDEST, style: Style = lambda text, kind: text) -> str:
    """The whole report as text, ``width`` columns at most (60 to 110), ending in a newline."""
    width = max(NARROWEST, min(width, WIDEST))
    return "\n".join(_lines(document, width, style)).rstrip("\n") + "\n"


def _lines(document: Document, width: int, style: Style) -> Iterator[str]:
    roots = [(document.finding(one.finding), one.consequences) for one in document.diagnoses]
    grave = [(root, after) for root, after in roots if root.severity in GRAVE]
    remarks = [(root, after) for root, after in roots if root.severity not in GRAVE]
    if not grave:
        yield from _nothing_found(document, width, style)
    for place, (root, after) in enumerate(grave):
        if place:
            yield ""
        yield from _finding(document, root, [document.finding(one) for one in after], width, style)
    for root, after in remarks:
        yield ""
        yield from _finding(document, root, [document.finding(one) for one in after], width, style)
    yield ""
    yield from _tail(document, width, style)


def _nothing_found(document: Document, width: int, style: Style) -> Iterator[str]:
    about = "; ".join(f"{_named(document, one.name)}{facts(one)}" for one in document.captures)
    yield from _wrapped(style(headline(document), "good") + f" ({plain(about)}).", "", width)


def _named(document: Document, name: str) -> str:
    return f"{plain(name)}: " if len(document.captures) > 1 else ""


def _finding(
    document: Document, one: FindingEntry, after: list[FindingEntry], width: int, style: Style
) -> Iterator[str]:
    grade = f"{one.severity}, {one.confidence}   {one.code}"
    summary = textwrap.wrap(plain(one.summary), width) or [""]
    if len(summary) == 1 and len(summary[0]) + len(grade) + 3 <= width:
        yield f"{summary[0]}{' ' * (width - len(summary[0]) - len(grade))}{style(grade, one.severity)}"
    else:
        yield from summary
        yield style(grade.rjust(width) if width >= len(grade) else grade, one.severity)
    yield ""
    yield from _evidence(document, one, width, style)
    yield from _listed("explains", names(after), width, style)
    yield from _listed("maybe", one.alternatives, width, style)
    yield from _listed("limits", one.limits, width, style)
    steps = [(f"{step.where}: ", step.command, step.meaning) for step in one.next_steps]
    for place, (where, command, meaning) in enumerate(steps):
        label = "do" if place == 0 else ""
        yield from _labelled(label, f"{plain(where)}{plain(command)}", width, style)
        if meaning:
            yield from _labelled("", f"  {plain(meaning)}", width, style)


def _evidence(document: Document, one: FindingEntry, width: int, style: Style) -> Iterator[str]:
    several = len(document.captures) > 1
    for place, piece in enumerate(one.evidence):
        frames = frame_list(piece.frames)
        where = f"{plain(piece.capture)}  " if several else ""
        noun = "frame " if len(piece.frames) == 1 else "frames " if piece.frames else ""
        yield from _labelled("proof" if place == 0 else "", f"{where}{noun}{frames}: {plain(piece.what)}", width, style)
    if one.filter:
        yield from _labelled("", f"filter  {plain(one.filter)}", width, style)


def _tail(document: Document, width: int, style: Style) -> Iterator[str]:
    worked = []
    for proof in document.proofs:
        frames = cited(document, proof)
        worked.append(f"{proof.summary.rstrip('.')}{f' ({frames})' if frames else ''}")
    yield from _section("Worked", worked, width, style)
    unsure = [one for one in document.topics if one.state == "cannot-tell"]
    yield from _section("Cannot tell", [f"{one.topic}: {one.why}" for one in unsure], width, style)
    absent = [one.topic for one in document.topics if one.state == "not-seen"]
    yield from _section("Not seen", [", ".join(absent)] if absent else [], width, style)
    limits = [f"{_named(document, one.name)}{limit}" for one in document.captures for limit in one.limits]
    yield from _section("Limits", limits, width, style)
    odd = sum(one.count for one in document.anomalies if one.frame is not None)
    if odd:
        kinds = list(dict.fromkeys(f"{one.protocol} {one.kind}" for one in document.anomalies if one.frame is not None))
        yield from _section("Odd bytes", [f"{odd:,} ({', '.join(kinds[:6])})"], width, style)
    broken = [f"{one.plugin}: {one.what}" for one in document.internal_errors]
    yield from _section("pcapdx failed", broken, width, style)


def _section(title: str, items: list[str], width: int, style: Style) -> Iterator[str]:
    for place, item in enumerate(items):
        label = style(f"{title:<14}", "label") if place == 0 else " " * 14
        yield from _hanging(label, 14, plain(item), width)


def _listed(label: str, items: "tuple[str, ...] | list[str]", width: int, style: Style) -> Iterator[str]:
    for place, item in enumerate(items):
        yield from _labelled(label if place == 0 else "", plain(item), width, style)


def _labelled(label: str, text: str, width: int, style: Style) -> Iterator[str]:
    shown = style(f"  {label:<{LABEL - 2}}", "label") if label else " " * LABEL
    yield from _hanging(shown, LABEL, text, width)


def _hanging(label: str, columns: int, text: str, width: int) -> Iterator[str]:
    leading = len(text) - len(text.lstrip(" "))
    pad = " " * leading
    lines = textwrap.wrap(text, width - columns - leading, break_long_words=False, break_on_hyphens=False) or [""]
    for place, line in enumerate(lines):
        yield f"{label if place == 0 else ' ' * columns}{pad}{line}"


def _wrapped(text: str, indent: str, width: int) -> Iterator[str]:
    yield from textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False)
