"""The report as lightweight markup for tickets and merge requests: Markdown, or the wiki markup of Jira."""

from collections.abc import Callable, Iterator, Sequence

from pcapdx.report.document import CaptureEntry, Document, FindingEntry
from pcapdx.report.escape import code, jira, jira_code, markdown, plain
from pcapdx.report.words import (
    MOST_IN_FULL,
    MOST_IN_SHORT,
    Table,
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
    transits,
    worked,
)
from pcapdx.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """How one kind of markup says things; ``text`` and ``code`` also escape."""

    text: Callable[[str], str]
    code: Callable[[str], str]
    heading: tuple[str, str]
    """Before a title of the first and of the second level."""
    bold: str
    bullets: tuple[str, str]
    """Before an item of the first and of the second level."""
    number: str
    """Before an item of a numbered list; ``{}`` is its number."""
    head: tuple[str, str]
    """Around and between the cells of a table's head; cells of rows have one stroke."""
    rule: bool
    """A line of dashes below a table's head."""
    verbatim: str
    """Before and after preformatted text; empty where four spaces make it."""


MARKDOWN = Flavour(
    text=markdown, code=code, heading=("# ", "## "), bold="**", bullets=("- ", "  - "), number="{}. ",
    head=("| ", " | "), rule=True, verbatim="",
)  # fmt: skip
JIRA = Flavour(
    text=jira, code=jira_code, heading=("h1. ", "h2. "), bold="*", bullets=("* ", "** "), number="# ",
    head=("||", "||"), rule=False, verbatim="{noformat}",
)  # fmt: skip


def render(document: Document, *, decoded: str = "", flavour: Flavour = MARKDOWN) -> str:
    """The whole report, ending in a newline; ``decoded`` are the evidence frames."""
    return "\n".join(_Writer(flavour).lines(document, decoded)).rstrip("\n") + "\n"


class _Writer:
    """Writes in one flavour."""

    def __init__(self, flavour: Flavour) -> None:
        self._f = flavour
        self._text, self._code = flavour.text, flavour.code

    def lines(self, document: Document, decoded: str) -> Iterator[str]:
        """The report's lines."""
        grave, remarks = roots(document)
        yield f"{self._f.heading[0]}{self._text(headline(document))}"
        yield ""
        found = [*grave, *remarks]
        for place, (finding, after) in enumerate(found[:MOST_IN_FULL]):
            if place or not grave:
                yield from self._title(self._text(finding.summary))
            yield from self._finding(finding, after)
        yield from self._section("Also", in_short(found[MOST_IN_FULL:], MOST_IN_SHORT))
        yield from self._section("What worked", worked(document))
        yield from self._table("Path", hop_table(document))
        told = transits(document)
        yield from [f"Transit: {self._text(told)}", ""] if told else []
        yield from self._table("Packets of the proof", passage_table(document))
        topics: list[tuple[str, ...]] = [(one.topic, one.state, one.why) for one in document.topics]
        yield from self._table("Topics", (("topic", "state", "why"), topics))
        yield from self._title("Captures")
        for capture in document.captures:
            yield from self._capture(capture)
        for limit in path_limits(document):
            yield f"{self._f.bullets[0]}limit: {self._text(limit)}"
        if document.masked:
            yield f"{self._f.bullets[0]}masked: {self._text(masked(document))}"
        yield ""
        failed = [f"{one.plugin}: {one.what}" for one in document.internal_errors]
        yield from self._section("Plug-ins that failed", failed)
        yield from self._verbatim(decoded)

    def _title(self, escaped: str) -> Iterator[str]:
        yield f"{self._f.heading[1]}{escaped}"
        yield ""

    def _section(self, title: str, items: Sequence[str]) -> Iterator[str]:
        if items:
            yield from self._title(title)
            yield from self._listed(items)

    def _listed(self, items: Sequence[str]) -> Iterator[str]:
        yield from (f"{self._f.bullets[0]}{self._text(item)}" for item in items)
        yield ""

    def _part(self, title: str, items: Sequence[str]) -> Iterator[str]:
        """A titled list within a finding; nothing without items."""
        if items:
            yield f"{self._f.bold}{title}{self._f.bold}"
            yield ""
            yield from self._listed(items)

    def _table(self, title: str, table: Table | None) -> Iterator[str]:
        if table is None:
            return
        head, rows = table
        outer, inner = self._f.head
        yield from self._title(title)
        yield f"{outer}{inner.join(map(self._text, head))}{outer[::-1]}"
        if self._f.rule:
            yield f"|{'---|' * len(head)}"
        for row in rows:
            yield f"| {' | '.join(map(self._text, row))} |"
        yield ""

    def _finding(self, one: FindingEntry, after: Sequence[FindingEntry]) -> Iterator[str]:
        grade = f"{self._f.bold}{one.severity}, {one.confidence}{self._f.bold}"
        yield f"{grade} {self._code(one.code)} {self._text(one.name.replace('-', ' '))}"
        yield ""
        for piece in evidence_rows(one):
            cited = f"{self._code(source(piece))} {frames_cited(piece.frames)}"
            yield f"{self._f.bullets[0]}{cited}: {self._text(piece.what)}"
        if one.filter:
            yield f"{self._f.bullets[0]}Wireshark filter: {self._code(one.filter)}"
        yield ""
        yield from self._part("Explains", names(after))
        yield from self._part("Could also be", one.alternatives)
        yield from self._part("Limits", one.limits)
        yield from self._part("Known as", issues(one))
        if one.next_steps:
            yield f"{self._f.bold}Do next{self._f.bold}"
            yield ""
            for place, step in enumerate(one.next_steps, 1):
                said = f"{self._text(step.where)}: {self._code(step.command)} {self._text(step.meaning)}"
                yield f"{self._f.number.format(place)}{said}".rstrip()
            yield ""

    def _capture(self, capture: CaptureEntry) -> Iterator[str]:
        first, second = self._f.bullets
        yield f"{first}{self._code(capture.name)} ({self._code(capture.file)}): {self._text(facts(capture))}"
        for limit in capture.limits:
            yield f"{second}limit: {self._text(limit)}"

    def _verbatim(self, decoded: str) -> Iterator[str]:
        if not decoded:
            return
        yield from self._title("Evidence frames")
        if not self._f.verbatim:
            yield from (f"    {line}" for line in decoded.splitlines())
            return
        yield self._f.verbatim
        # the macro ends at its own name, which no frame may spell
        yield from (plain(line).replace("{noformat", "{ noformat") for line in decoded.splitlines())
        yield self._f.verbatim
