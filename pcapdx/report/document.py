"""The report as data: the contract ``pcapdx.report/1`` that JSON carries and every other format renders.

Fields are added, never renamed. :mod:`pcapdx.report.schema` makes the JSON Schema from these classes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from pcapdx import __version__
from pcapdx.capture.linktypes import link_type_name
from pcapdx.capture.records import Piece
from pcapdx.case import Case, View
from pcapdx.diagnose import Analysis
from pcapdx.limits import limits_of
from pcapdx.model import Evidence, Finding, NextStep
from pcapdx.report.path import PathEntry, path_of
from pcapdx.values import dataclass

SCHEMA = "pcapdx.report/1"

Pieces = Mapping[str, Sequence[Piece]]
"""Files of each capture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageEntry:
    """Where a capture was taken."""

    host: str
    interface: str | None
    role: str | None
    inferred: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureEntry:
    """One capture."""

    name: str
    file: str
    bytes: int
    sha256: str | None
    """Null unless asked for: hashing costs more than the analysis."""
    vantage: VantageEntry
    format: str
    link_types: tuple[str, ...]
    frames: int
    first_ns: int | None
    last_ns: int | None
    limits: tuple[str, ...]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicEntry:
    """What can be said of one topic."""

    topic: str
    state: str
    """healthy, faulty, not-seen or cannot-tell."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisEntry:
    """A root and what it explains; best first."""

    finding: str
    """Id of the root."""
    consequences: tuple[str, ...]
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceEntry:
    """Frames of one capture and what they prove."""

    capture: str
    file: str | None
    """Only of a capture in several files: the one that these frames are in; numbers are then of that file."""
    frames: tuple[int, ...]
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEntry:
    """A command to run next."""

    where: str
    command: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingEntry:
    """A fault, or a limit of the capture."""

    id: str
    code: str
    name: str
    topic: str
    severity: str
    confidence: str
    subject: Mapping[str, str | int]
    summary: str
    evidence: tuple[EvidenceEntry, ...]
    filter: str
    alternatives: tuple[str, ...]
    limits: tuple[str, ...]
    next_steps: tuple[StepEntry, ...]
    known: tuple[int, ...]
    """Published issues of apache/cloudstack with this signature."""
    explained_by: str | None
    first_ns: int | None
    last_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofEntry:
    """Something that worked."""

    id: str
    code: str
    name: str
    topic: str
    subject: Mapping[str, str | int]
    summary: str
    evidence: tuple[EvidenceEntry, ...]
    filter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyEntry:
    """Odd or cut bytes."""

    capture: str
    frame: int | None
    protocol: str
    kind: str
    what: str
    offset: int | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEntry:
    """A plug-in that failed."""

    plugin: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedEntry:
    """Secrets of one kind that were in the captures and are not in the report."""

    what: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolEntry:
    """What made the report."""

    name: str
    version: str
    packs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole report."""

    schema: str
    tool: ToolEntry
    captures: tuple[CaptureEntry, ...]
    topics: tuple[TopicEntry, ...]
    diagnoses: tuple[DiagnosisEntry, ...]
    findings: tuple[FindingEntry, ...]
    path: PathEntry | None
    """Only of several captures."""
    proofs: tuple[ProofEntry, ...]
    anomalies: tuple[AnomalyEntry, ...]
    internal_errors: tuple[ErrorEntry, ...]
    masked: tuple[MaskedEntry, ...] = ()
    """As far as messages were read; of frames alike only some are."""

    def finding(self, identity: str) -> FindingEntry:
        """The finding with this id."""
        return next(one for one in self.findings if one.id == identity)


def document_of(analysis: Analysis, digests: Mapping[str, str] | None = None) -> Document:
    """The report of an analysis; ``digests`` are SHA-256 by capture name, where they were asked for."""
    diagnosed = analysis.diagnosed
    pieces = {view.name: view.capture.pieces for view in analysis.case.views}
    return Document(
        schema=SCHEMA,
        tool=ToolEntry(name="pcapdx", version=__version__, packs=analysis.packs),
        captures=tuple(_capture(view, (digests or {}).get(view.name)) for view in analysis.case.views),
        topics=tuple(TopicEntry(topic=one.topic.value, state=one.state.value, why=one.why) for one in diagnosed.topics),
        diagnoses=tuple(
            DiagnosisEntry(
                finding=one.root.id,
                consequences=tuple(other.id for other in one.consequences),
                summary=one.root.finding.summary,
            )
            for one in diagnosed.diagnoses
        ),
        findings=tuple(_finding(one.id, one.finding, one.explained_by, pieces) for one in diagnosed.findings),
        path=path_of(analysis.case, diagnosed),
        proofs=tuple(
            ProofEntry(
                id=f"P{number}",
                code=one.code,
                name=one.name,
                topic=one.topic.value,
                subject=one.subject.as_dict(),
                summary=one.summary,
                evidence=_evidence(one.evidence, pieces),
                filter=one.filter,
            )
            for number, one in enumerate(diagnosed.proofs, 1)
        ),
        anomalies=_anomalies(analysis.case),
        internal_errors=tuple(ErrorEntry(plugin=one.plugin, what=one.what) for one in analysis.errors),
        masked=_masked(analysis.case),
    )


def as_json(value: Any) -> Any:
    """A document (or part of one) as what :mod:`json` takes."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: as_json(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    return value


def _capture(view: View, digest: str | None) -> CaptureEntry:
    facts, vantage = view.capture, view.vantage
    return CaptureEntry(
        name=view.name,
        file=facts.path,
        bytes=facts.bytes,
        sha256=digest,
        vantage=VantageEntry(
            host=vantage.name,
            interface=vantage.interface,
            role=vantage.role.value if vantage.role else None,
            inferred=vantage.inferred,
        ),
        format=", ".join(part for part in (facts.format, facts.detail, facts.compression) if part and part != "none"),
        link_types=tuple(dict.fromkeys(link_type_name(one.link_type) for one in facts.interfaces)),
        frames=facts.frames,
        first_ns=facts.first_ns,
        last_ns=facts.last_ns,
        limits=limits_of(view),
        complete=facts.complete,
    )


def _finding(identity: str, one: Finding, explained_by: str | None, pieces: Pieces) -> FindingEntry:
    return FindingEntry(
        id=identity,
        code=one.code,
        name=one.name,
        topic=one.topic.value,
        severity=one.severity.value,
        confidence=one.confidence.value,
        subject=one.subject.as_dict(),
        summary=one.summary,
        evidence=_evidence(one.evidence, pieces),
        filter=one.filter,
        alternatives=one.alternatives,
        limits=one.limits,
        next_steps=tuple(_step(step) for step in one.next_steps),
        known=one.known,
        explained_by=explained_by,
        first_ns=one.first_ns,
        last_ns=one.last_ns,
    )


def _evidence(evidence: tuple[Evidence, ...], pieces: Pieces) -> tuple[EvidenceEntry, ...]:
    return tuple(entry for one in evidence for entry in _by_file(one, pieces[one.capture]))


def _by_file(one: Evidence, pieces: Sequence[Piece]) -> Iterator[EvidenceEntry]:
    """As it is; of a capture in several files one entry for each file that has a frame, with the file's own numbers."""
    if len(pieces) < 2 or not one.frames:
        yield EvidenceEntry(capture=one.capture, file=None, frames=one.frames, what=one.what)
        return
    for piece in pieces:
        inside = tuple(n - piece.before for n in one.frames if piece.before < n <= piece.before + piece.frames)
        if inside:
            yield EvidenceEntry(capture=one.capture, file=piece.path, frames=inside, what=one.what)


def _step(step: NextStep) -> StepEntry:
    return StepEntry(where=step.where, command=step.command, meaning=step.meaning)


def _anomalies(case: Case) -> tuple[AnomalyEntry, ...]:
    return tuple(
        AnomalyEntry(
            capture=view.name,
            frame=one.frame,
            protocol=one.protocol,
            kind=one.kind,
            what=one.what,
            offset=one.offset,
            count=one.count,
        )
        for view in case.views
        for one in view.anomalies
    )


def _masked(case: Case) -> tuple[MaskedEntry, ...]:
    """What dissectors read past or masked, counted."""
    counted: Counter[str] = Counter()
    for view in case.views:
        for dissector in view.dissectors:
            traffic = view.traffic.get(dissector.name)
            if dissector.withheld is not None and traffic is not None:
                counted.update(what for seen in traffic.seen if (what := dissector.withheld(seen.message)) is not None)
    return tuple(MaskedEntry(what=what, count=count) for what, count in sorted(counted.items()))
