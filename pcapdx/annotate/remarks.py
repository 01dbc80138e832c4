"""What is written where: the sentences of a diagnosis, by capture and frame, and the words on a whole capture."""

from collections.abc import Mapping, Sequence

from pcapdx import __version__
from pcapdx.diagnose import Analysis
from pcapdx.model import Evidence
from pcapdx.vantage import Vantage

MOST_ON_A_FRAME = 32
MOST_LINES = 60
"""Diagnoses and proofs told of a whole capture."""

Remarks = Mapping[str, Mapping[int, Sequence[str]]]
"""Comments by capture and frame number."""


def remarks_of(analysis: Analysis) -> Remarks:
    """Every finding and proof on each of its evidence frames, gravest first."""
    found: dict[str, dict[int, list[str]]] = {view.name: {} for view in analysis.case.views}
    for one in analysis.diagnosed.findings:
        finding = one.finding
        cause = f"; explained by {one.explained_by}" if one.explained_by else ""
        head = f"{one.id} {finding.code} {finding.severity.value}, {finding.confidence.value}{cause}"
        _put(found, f"{head}: {finding.summary}", finding.evidence)
    for number, proof in enumerate(analysis.diagnosed.proofs, 1):
        _put(found, f"P{number} {proof.code} worked: {proof.summary}", proof.evidence)
    return found


def _put(found: dict[str, dict[int, list[str]]], head: str, evidence: Sequence[Evidence]) -> None:
    for piece in evidence:
        for frame in piece.frames:
            there = found[piece.capture].setdefault(frame, [])
            if len(there) < MOST_ON_A_FRAME:
                there.append(f"{head} [{piece.what}]")


def summary_of(analysis: Analysis, masked: str) -> str:
    """The comment on a section: what found it, the diagnosis, what is healthy, what was masked."""
    diagnosed = analysis.diagnosed
    lines = [f"pcapdx {__version__}"]
    known = {one.id: one for one in diagnosed.findings}
    for diagnosis in diagnosed.diagnoses[:MOST_LINES]:
        root = known[diagnosis.root.id]
        finding = root.finding
        after = "".join(f", {other.id} {other.finding.code}" for other in diagnosis.consequences)
        follows = f" Explains{after[1:]}." if after else ""
        grade = f"{finding.severity.value}, {finding.confidence.value}"
        lines.append(f"{root.id} {finding.code} ({grade}): {finding.summary}{follows}")
    if not diagnosed.diagnoses:
        lines.append("No fault found.")
    for number, proof in enumerate(diagnosed.proofs[:MOST_LINES], 1):
        lines.append(f"P{number} {proof.code} (worked): {proof.summary}")
    unsure = [f"{one.topic.value}: {one.why}" for one in diagnosed.topics if one.state.value == "cannot-tell"]
    lines += [f"Cannot tell: {one}" for one in unsure]
    return "\n".join([*lines, masked])


def vantage_text(vantage: Vantage) -> str:
    """``hostA, bridge (inferred)``, for the description of an interface."""
    role = vantage.role.value if vantage.role else "place of capture not told"
    return f"{vantage.name}, {role}{' (inferred)' if vantage.role and vantage.inferred else ''}"
