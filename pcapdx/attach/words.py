"""The short comment on a ticket: what was found, what is attached, what was masked, and the mark."""

from collections.abc import Mapping, Sequence
from typing import Any

from pcapdx import __version__
from pcapdx.attach.parts import Given, Packing
from pcapdx.attach.tracker import Note
from pcapdx.report.escape import plain

MOST_DIAGNOSES = 5
LONGEST_LINE = 400
LONGEST_SUBJECT = 120
NOT_MASKED = "NOT known to be masked: it may hold whatever secrets were on the wire."


def notes(given: Sequence[Given], packing: Packing, comment: str) -> list[Note]:
    """A comment for each group of files; the first one tells what was found."""
    reports = [one.known.report for one in given if one.known is not None and one.known.report is not None]
    found = [line for report in reports[:1] for line in diagnosis(report)]
    head = [*comment.splitlines(), *found]
    made = []
    for place, uploads in enumerate(packing.groups, 1):
        count = f" {place}/{len(packing.groups)}" if len(packing.groups) > 1 else ""
        signature = f"pcapdx mark {packing.mark}{count}"
        lines = [*(head if place == 1 else []), *(f"Attached: {one.name}, {len(one.data):,} bytes" for one in uploads)]
        if place == 1:
            lines += [*_masking(given), *packing.said]
        made.append(
            Note(
                lines=tuple(plain(line)[:LONGEST_LINE] for line in [*lines, f"{signature}, pcapdx {__version__}"]),
                uploads=tuple(uploads),
                mark=packing.mark,
                signature=signature,
                subject=plain((found or head or [f"Attached: {uploads[0].name}"])[0])[:LONGEST_SUBJECT] + count,
            )
        )
    return made


def diagnosis(report: Mapping[str, Any]) -> list[str]:
    """The diagnoses at warning or above of a report as data, best first, a line each."""
    try:
        known = {str(one["id"]): one for one in report["findings"]}
        roots = [(known[str(one["finding"])], len(one["consequences"])) for one in report["diagnoses"]]
        grave = [pair for pair in roots if pair[0]["severity"] in ("error", "warning")]
        lines = [_line(root, consequences) for root, consequences in grave[:MOST_DIAGNOSES]]
    except (LookupError, TypeError):
        return []
    if len(grave) > MOST_DIAGNOSES:
        lines.append(f"And {len(grave) - MOST_DIAGNOSES} more, in the report.")
    return lines or ["No fault found in what the captures can show."]


def _line(root: Mapping[str, Any], consequences: int) -> str:
    explains = f", explains {consequences} more" if consequences else ""
    tail = f" ({root['severity']}, {root['confidence']}, {root['code']}{explains})"
    summary = plain(str(root["summary"]))
    room = LONGEST_LINE - len(tail)
    return (summary if len(summary) <= room else f"{summary[: room - 2]} …") + tail


def _masking(given: Sequence[Given]) -> list[str]:
    unknown = [one.name for one in given if one.known is None]
    if not unknown:
        return ["Secrets are masked in all of it; addresses and names are not."]
    return [f"{name}: {NOT_MASKED}" for name in unknown]
