"""The report as Markdown, for tickets and merge requests."""

from collections.abc import Iterator, Sequence

from pcapdx.report.document import CaptureEntry, Document, FindingEntry
from pcapdx.report.escape import code, markdown
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
    names,
    passage_table,
    path_limits,
    roots,
    source,
    transits,
    worked,
)


def render(document: Document, *, decoded: str = "") -> str:
    """The whole report, ending in a newline; ``decoded`` are Wireshark's trees of the evidence frames."""
    trees = ["", "## Evidence frames", "", *(f"    {line}" for line in decoded.splitlines())] if decoded else []
    return "\n".join([*_lines(document), *trees]).rstrip("\n") + "\n"


def _lines(document: Document) -> Iterator[str]:
    grave, remarks = roots(document)
    yield f"# {markdown(headline(document))}"
    yield ""
    found = [*grave, *remarks]
    for place, (finding, after) in enumerate(found[:MOST_IN_FULL]):
        if place or not grave:
            yield f"## {markdown(finding.summary)}"
            yield ""
        yield from _finding(finding, after)
    yield from _items("## Also", [markdown(one) for one in in_short(found[MOST_IN_FULL:], MOST_IN_SHORT)])
    yield from _items("## What worked", [markdown(one) for one in worked(document)])
    yield from _table("## Path", hop_table(document))
    told = transits(document)
    yield from [f"Transit: {markdown(told)}", ""] if told else []
    yield from _table("## Packets of the proof", passage_table(document))
    yield "## Topics"
    yield ""
    yield "| topic | state | why |"
    yield "|---|---|---|"
    for topic in document.topics:
        yield f"| {topic.topic} | {topic.state} | {markdown(topic.why)} |"
    yield ""
    yield "## Captures"
    yield ""
    for capture in document.captures:
        yield from _capture(capture)
    yield from (f"- limit: {markdown(one)}" for one in path_limits(document))
    yield ""
    failed = [f"{code(one.plugin)}: {markdown(one.what)}" for one in document.internal_errors]
    yield from _items("## Plug-ins that failed", failed)


def _table(title: str, table: Table | None) -> Iterator[str]:
    if table is None:
        return
    head, rows = table
    yield title
    yield ""
    yield f"| {' | '.join(map(markdown, head))} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(markdown, row))} |"
    yield ""


def _finding(one: FindingEntry, after: Sequence[FindingEntry]) -> Iterator[str]:
    yield f"**{one.severity}, {one.confidence}** {code(one.code)} {markdown(one.name.replace('-', ' '))}"
    yield ""
    for piece in evidence_rows(one):
        yield f"- {code(source(piece))} {frames_cited(piece.frames)}: {markdown(piece.what)}"
    if one.filter:
        yield f"- Wireshark filter: {code(one.filter)}"
    yield ""
    yield from _items("**Explains**", [markdown(item) for item in names(after)])
    yield from _items("**Could also be**", [markdown(item) for item in one.alternatives])
    yield from _items("**Limits**", [markdown(item) for item in one.limits])
    yield from _items("**Known as**", [markdown(item) for item in issues(one)])
    if one.next_steps:
        yield "**Do next**"
        yield ""
        for place, step in enumerate(one.next_steps, 1):
            yield f"{place}. {markdown(step.where)}: {code(step.command)} {markdown(step.meaning)}".rstrip()
        yield ""


def _capture(capture: CaptureEntry) -> Iterator[str]:
    yield f"- {code(capture.name)} ({code(capture.file)}): {markdown(facts(capture))}"
    for limit in capture.limits:
        yield f"  - limit: {markdown(limit)}"


def _items(title: str, items: Sequence[str]) -> Iterator[str]:
    """A titled list; nothing without items."""
    if items:
        yield title
        yield ""
        yield from (f"- {item}" for item in items)
        yield ""
