"""The report as Markdown, for tickets and merge requests."""

from collections.abc import Iterator

from pcapdx.report.document import Document, FindingEntry
from pcapdx.report.escape import code, markdown
from pcapdx.report.words import GRAVE, cited, facts, frame_list, headline, names


def render(document: Document, *, decoded: str = "") -> str:
    """The whole report, ending in a newline; ``decoded`` are Wireshark's trees of the evidence frames."""
    trees = ["", "## Evidence frames", "", *(f"    {line}" for line in decoded.splitlines())] if decoded else []
    return "\n".join([*_lines(document), *trees]).rstrip("\n") + "\n"


def _lines(document: Document) -> Iterator[str]:
    yield f"# {markdown(headline(document))}"
    yield ""
    for root in document.diagnoses:
        finding = document.finding(root.finding)
        after = [document.finding(one) for one in root.consequences]
        yield from _finding(finding, after, first=root is document.diagnoses[0] and finding.severity in GRAVE)
    yield "## Topics"
    yield ""
    yield "| topic | state | why |"
    yield "|---|---|---|"
    for topic in document.topics:
        yield f"| {topic.topic} | {topic.state} | {markdown(topic.why)} |"
    yield ""
    if document.proofs:
        yield "## Worked"
        yield ""
        for proof in document.proofs:
            frames = cited(document, proof)
            yield f"- {markdown(proof.summary)}{f' (frames {frames})' if frames else ''}"
        yield ""
    yield "## Captures"
    yield ""
    for capture in document.captures:
        yield f"- {code(capture.name)}: {code(capture.file)}, {markdown(facts(capture))}"
        for limit in capture.limits:
            yield f"  - {markdown(limit)}"


def _finding(one: FindingEntry, after: list[FindingEntry], *, first: bool) -> Iterator[str]:
    if not first:
        yield f"## {markdown(one.summary)}"
        yield ""
    yield f"**{one.severity}, {one.confidence}** {code(one.code)} {one.name}"
    yield ""
    for piece in one.evidence:
        frames = f"frames {frame_list(piece.frames)}" if piece.frames else "no frame"
        yield f"- {code(piece.capture)} {frames}: {markdown(piece.what)}"
    if one.filter:
        yield f"- filter: {code(one.filter)}"
    yield ""
    for title, items in (("Explains", names(after)), ("Could also be", one.alternatives), ("Limits", one.limits)):
        if items:
            yield f"**{title}**"
            yield ""
            yield from (f"- {markdown(item)}" for item in items)
            yield ""
    if one.next_steps:
        yield "**Do next**"
        yield ""
        for place, step in enumerate(one.next_steps, 1):
            yield f"{place}. {markdown(step.where)}: {code(step.command)} {markdown(step.meaning)}".rstrip()
        yield ""
