"""The report for a terminal or a plain-text ticket: one screen, top down.

What, where, why we are sure, what it explains, what it is not, what to do; then what worked and what cannot be told.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence

from pcapdx.report.document import Document, FindingEntry, StepEntry
from pcapdx.report.escape import plain
from pcapdx.report.words import (
    evidence_rows,
    facts,
    frames_cited,
    headline,
    hop_table,
    in_short,
    issues,
    masked,
    names,
    passage_table,
    path_limits,
    roots,
    source,
    sources_differ,
    transits,
    worked,
)

WIDEST, NARROWEST = 110, 60
LABEL, TITLE = 12, 14
"""Columns of the labels on the left: of a finding's parts (indent included), of the sections below."""
FRAMES = 36
"""Columns for a list of frames beside what they show; a third of a narrow report."""
LAST = 20
"""Columns that its last column needs at least."""
MOST_ROWS = 8
"""Rows of such a table; the other formats have more."""
CELL = 44
"""Columns for a cell of a table at most."""
CAPTURE = 20
"""Columns for a capture's name beside its frames."""

MOST_IN_FULL, MOST_IN_SHORT = 8, 24
"""Diagnoses with their proof, and those after them with a sentence: a report is to be read."""

Style = Callable[[str, str], str]
"""Marks a text as ``error``, ``warning``, ``info``, ``label``, ``good`` or ``command``; the words stay the same."""


def render(document: Document, *, width: int = WIDEST, style: Style = lambda text, kind: text) -> str:
    """The whole report as text, ending in a newline, ``width`` columns at most (60 to 110).

    Only a command or a filter may be wider, where breaking it would spoil what is to be copied.
    """
    width = max(NARROWEST, min(width, WIDEST))
    return "\n".join(line.rstrip() for line in _lines(document, width, style)).rstrip("\n") + "\n"


def _lines(document: Document, width: int, style: Style) -> Iterator[str]:
    grave, remarks = roots(document)
    if not grave:
        about = "; ".join(f"{_of(document, one.name)}{facts(one)}" for one in document.captures)
        yield from _hanging(f"{headline(document)} ({about}).", width, style=style, kind="good")
        yield ""
    found = [*grave, *remarks]
    for root, after in found[:MOST_IN_FULL]:
        yield from _finding(document, root, after, width, style)
        yield ""
    yield from _path(document, width, style)
    yield from _transits(document, width, style)
    also = in_short(found[MOST_IN_FULL:], MOST_IN_SHORT)
    yield from _tail(document, also, width, style, captures=bool(grave))


def _finding(
    document: Document, one: FindingEntry, after: Sequence[FindingEntry], width: int, style: Style
) -> Iterator[str]:
    grade = f"{one.severity}, {one.confidence}   {one.code}"
    *lines, last = _wrap(one.summary, width)
    yield from lines
    if len(last) + 3 + len(grade) > width:
        yield last
        last = ""
    yield f"{last}{style(grade.rjust(width - len(last)), one.severity)}"
    yield ""
    yield from _evidence(document, one, width, style)
    yield from _listed("explains", names(after), width, style)
    yield from _listed("maybe", one.alternatives, width, style)
    yield from _listed("limits", one.limits, width, style)
    yield from _listed("known as", issues(one), width, style)
    yield from _steps(one.next_steps, width, style)


def _evidence(document: Document, one: FindingEntry, width: int, style: Style) -> Iterator[str]:
    """A table: capture (where there are several), frames, what they show; the filter below the frames."""
    rows = [(plain(source(piece)), frames_cited(piece.frames), piece.what) for piece in evidence_rows(one)]
    several = sources_differ(document)
    first = min(CAPTURE, max((len(name) for name, _, _ in rows), default=0)) if several else 0
    widest = max((len(frames) for _, frames, _ in rows), default=0)
    second = max(min(widest, FRAMES, width // 3), len("Wireshark filter") if one.filter else 0)
    for place, (name, frames, what) in enumerate(rows):
        columns = [(name, first), (frames, second), (what, 0)]
        yield from _row("proof" if place == 0 else "", columns if several else columns[1:], width, style)
    if one.filter:
        indent = LABEL + (first + 2 if several else 0)
        lines = _broken(plain(one.filter), width - indent - second - 2, "")
        label = f"{' ' * indent}{'Wireshark filter':<{second}}  "
        for place, line in enumerate(lines):
            yield f"{label if place == 0 else ' ' * len(label)}{style(line, 'command')}"


def _row(label: str, columns: Sequence[tuple[str, int]], width: int, style: Style) -> Iterator[str]:
    """Cells side by side, each wrapped in its own column; the last one takes what is left."""
    taken = LABEL + sum(size + 2 for _, size in columns[:-1])
    cells = [_wrap(text, size, hang=len("frames ") if text.startswith("frames ") else 0) for text, size in columns[:-1]]
    cells.append(_wrap(columns[-1][0], width - taken))
    for place in range(max(map(len, cells))):
        parts = [cell[place] if place < len(cell) else "" for cell in cells]
        padded = [f"{part:<{size}}  " for part, (_, size) in zip(parts, columns[:-1], strict=False)]
        yield f"{_label(label if place == 0 else '', style)}{''.join(padded)}{parts[-1]}"


def _listed(label: str, items: Iterable[str], width: int, style: Style) -> Iterator[str]:
    for place, item in enumerate(items):
        yield from _hanging(item, width, lead=_label(label if place == 0 else "", style), columns=LABEL)


def _steps(steps: Sequence[StepEntry], width: int, style: Style) -> Iterator[str]:
    """Where, the command on lines of its own (a shell's unless it is SQL), and what its answer means."""
    where = None
    for step in steps:
        if step.where != where:
            label = _label("do" if where is None else "", style)
            yield from _hanging(f"{step.where}:", width, lead=label, columns=LABEL)
            where = step.where
        glue = "" if step.command.lower().startswith("select ") else " \\"
        for line in _broken(plain(step.command), width - LABEL - 4, glue):
            yield f"{' ' * (LABEL + 4)}{style(line, 'command')}"
        if step.meaning:
            yield from _hanging(step.meaning, width, lead=" " * (LABEL + 2), columns=LABEL + 2)


def _path(document: Document, width: int, style: Style) -> Iterator[str]:
    """The table of hops, and the packets of the proof from point to point."""
    for title, table in (("Path", hop_table(document)), ("Packets", passage_table(document))):
        if table is None:
            continue
        yield from _table(title, *table, width, style)
        yield ""


def _transits(document: Document, width: int, style: Style) -> Iterator[str]:
    told = transits(document)
    if told:
        yield from _hanging(told, width, lead=style(f"{'Transit':<{TITLE}}", "label"), columns=TITLE)
        yield ""


def _table(
    title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], width: int, style: Style
) -> Iterator[str]:
    """Columns where they fit; else a line a row that says each cell's head."""
    sizes = [min(max(len(plain(row[n])) for row in (head, *rows)), CELL) for n in range(len(head))]
    taken = TITLE + sum(size + 2 for size in sizes[:-1])
    narrow = width - taken < min(sizes[-1], LAST)
    for place, row in enumerate((head, *rows[:MOST_ROWS])):
        lead = style(f"{title:<{TITLE}}", "label") if place == 0 else " " * TITLE
        if narrow:
            cells = zip(head[1:], row[1:], strict=True)
            words = f"{row[0]}: {', '.join(f'{name} {cell}' for name, cell in cells)}" if place else "by " + row[0]
            yield from _hanging(words, width, lead=lead, columns=TITLE)
            continue
        padded = [plain(cell)[: sizes[n]].ljust(sizes[n]) for n, cell in enumerate(row[:-1])]
        first, *more = _wrap(row[-1], max(width - taken, LAST))
        text = "  ".join([*padded, first])
        yield f"{lead}{style(text, 'label') if place == 0 else text}"
        yield from (f"{' ' * taken}{line}" for line in more)


def _tail(document: Document, also: list[str], width: int, style: Style, *, captures: bool) -> Iterator[str]:
    sections = [("Also", also), ("Worked", worked(document))]
    unsure = [f"{one.topic}: {one.why}" for one in document.topics if one.state == "cannot-tell"]
    absent = [one.topic for one in document.topics if one.state == "not-seen"]
    sections += [("Cannot tell", unsure), ("Not seen", [", ".join(absent)] if absent else [])]
    if captures:
        sections.append(("Captures", [f"{one.name}: {facts(one)}" for one in document.captures]))
    limits = [f"{_of(document, one.name)}{limit}" for one in document.captures for limit in one.limits]
    limits += path_limits(document)
    odd = [one for one in document.anomalies if one.frame is not None]
    kinds = ", ".join(list(dict.fromkeys(f"{one.protocol} {one.kind}" for one in odd))[:6])
    counted = f"{sum(one.count for one in odd):,} times ({kinds})"
    broken = [f"{one.plugin}: {one.what}" for one in document.internal_errors]
    hidden = masked(document)
    sections += [("Limits", limits), ("Masked", [hidden] if hidden else [])]
    sections += [("Odd bytes", [counted] if odd else []), ("pcapdx failed", broken)]
    for title, items in sections:
        for place, item in enumerate(items):
            lead = style(f"{title:<{TITLE}}", "label") if place == 0 else " " * TITLE
            yield from _hanging(item, width, lead=lead, columns=TITLE)


def _of(document: Document, name: str) -> str:
    return f"{name}: " if len(document.captures) > 1 else ""


def _label(label: str, style: Style) -> str:
    return style(f"  {label:<{LABEL - 2}}", "label") if label else " " * LABEL


def _hanging(
    text: str, width: int, *, lead: str = "", columns: int = 0, style: Style | None = None, kind: str = ""
) -> Iterator[str]:
    """Wrapped text with something of ``columns`` before its first line, and as many spaces before the others."""
    for place, line in enumerate(_wrap(text, width - columns)):
        yield f"{lead if place == 0 else ' ' * columns}{style(line, kind) if style else line}"


def _wrap(text: str, width: int, *, hang: int = 0) -> list[str]:
    return textwrap.wrap(plain(text), width, subsequent_indent=" " * hang, break_on_hyphens=False) or [""]


_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"[^"]*"|['"])+\s*|\s+""")
_OPERATORS = (";", "|", "&&")


def _broken(text: str, width: int, glue: str) -> list[str]:
    """A command or filter over lines of ``width``, broken between words outside quotes, after an operator if possible.

    ``glue`` ends every line but the last: with the shell's backslash the lines can be copied as they stand.
    """
    lines: list[str] = []
    line: list[str] = []
    for word in _WORD.findall(text.strip()):
        while line and len("".join(line)) + len(word.rstrip()) + len(glue) > width:
            ends = (place for place in range(len(line), 0, -1) if line[place - 1].rstrip().endswith(_OPERATORS))
            cut = next(ends, len(line))
            lines.append(f"{''.join(line[:cut]).rstrip()}{glue}")
            line = line[cut:]
        line.append(word)
    return [*lines, "".join(line).rstrip()]
