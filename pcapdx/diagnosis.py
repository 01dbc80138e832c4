"""Findings linked cause to consequence, and ranked: one root at the top, not fifty alerts.

Edges are declared by the rules as codes. An edge holds between two findings only where their subjects agree, the cause
did not begin later than the consequence, and both speak of the same capture (or of the same address in two).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from pcapdx.case import Case
from pcapdx.model import Doubt, Finding, Proof, Severity, Subject, Topic
from pcapdx.rule import Rule, TopicPage
from pcapdx.values import dataclass

MOST_EVIDENCE = 6
"""Pieces of evidence that a merged finding keeps: the first ones prove it, and a report should fit a screen."""
CAUSE_SLACK_NS = 2_000_000_000
"""A cause may be seen this much later than its consequence: a host tries three times before it says so."""


class State(StrEnum):
    """What can be said of a topic."""

    HEALTHY = "healthy"
    FAULTY = "faulty"
    NOT_SEEN = "not-seen"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicState:
    """One row of the topics table."""

    topic: Topic
    state: State
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedFinding:
    """A finding with its place in the chain of causes."""

    id: str
    """``F1`` … in order of rank."""
    finding: Finding
    explained_by: str | None
    """Id of the finding that causes it; None for a root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A root and what it explains."""

    root: LinkedFinding
    consequences: tuple[LinkedFinding, ...]
    """All that follow from it, directly or through others, in order of rank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed:
    """What is reported of a case's verdicts."""

    findings: tuple[LinkedFinding, ...]
    diagnoses: tuple[Diagnosis, ...]
    """Best first; every root, whatever its severity."""
    proofs: tuple[Proof, ...]
    topics: tuple[TopicState, ...]


def diagnose(
    case: Case,
    findings: Sequence[Finding],
    proofs: Sequence[Proof],
    doubts: Sequence[Doubt],
    rules: Iterable[Rule],
    topics: Iterable[TopicPage],
) -> Diagnosed:
    """Links and ranks findings, and sums up each topic."""
    edges = {rule.code: frozenset(rule.explains) for rule in rules}
    merged = merge(findings)
    causes = _causes(merged, edges)
    explained = _count_explained(causes, len(merged))
    order = sorted(range(len(merged)), key=lambda i: _rank(merged[i], causes[i] is not None, explained[i]))
    ids = {place: f"F{n}" for n, place in enumerate(order, 1)}
    linked = {
        place: LinkedFinding(
            id=ids[place],
            finding=merged[place],
            explained_by=None if (cause := causes[place]) is None else ids[cause],
        )
        for place in order
    }
    followers: dict[int, list[int]] = {place: [] for place in order if causes[place] is None}
    for place in order:
        root = _root(causes, place)
        if root != place:
            followers[root].append(place)
    diagnoses = tuple(
        Diagnosis(root=linked[root], consequences=tuple(linked[place] for place in places))
        for root, places in followers.items()
    )
    return Diagnosed(
        findings=tuple(linked[place] for place in order),
        diagnoses=diagnoses,
        proofs=tuple(sorted(merge_proofs(proofs), key=lambda one: (one.code, one.first_ns or 0, one.summary))),
        topics=tuple(_state(page, case, merged, proofs, doubts) for page in topics),
    )


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each (code, subject): the gravest, with the evidence of all.

    The same seen from another point of capture is the same, too, where no field of the subjects contradicts the other.
    """
    grouped: dict[tuple[str, Subject], list[Finding]] = {}
    for one in findings:
        grouped.setdefault((one.code, one.subject), []).append(one)
    merged = [_merged(same) for same in grouped.values()]
    several = len({piece.capture for one in merged for piece in one.evidence}) > 1
    return _across_captures(merged) if several else merged


def _across_captures(findings: list[Finding]) -> list[Finding]:
    """What several captures show of one thing as one finding: of those that compare captures, or of the gravest."""
    kept: list[Finding] = []
    about: dict[tuple[str, str, object], list[int]] = {}
    for one in sorted(findings, key=lambda one: (-len(_captures(one)), one.severity.rank, one.confidence.rank)):
        keys = [(one.code, name, value) for name, value in _whose(one.subject).items()]
        able = sorted({place for key in keys for place in about.get(key, ())})
        same = next((place for place in able if _is_same(one, kept[place])), None)
        if same is None:
            same = len(kept)
            kept.append(one)
        else:
            kept[same] = _with_evidence(kept[same], one)
        for key in keys:
            about.setdefault(key, []).append(same)
    return kept


def _whose(subject: Subject) -> dict[str, str | int]:
    """What tells a subject apart at every point: all but the tag, or that where there is nothing else."""
    fields = subject.as_dict()
    return {name: value for name, value in fields.items() if name != "vlan"} or fields


def _captures(finding: Finding) -> frozenset[str]:
    return frozenset(piece.capture for piece in finding.evidence)


def _is_same(one: Finding, other: Finding) -> bool:
    """One fault seen from another point: its tag may be another there, or none."""
    mine, theirs = _captures(one), _captures(other)
    if one.code != other.code or (mine == theirs and len(mine) == 1):
        return False
    own, others = _whose(one.subject), _whose(other.subject)
    return all(own[name] == others[name] for name in own.keys() & others.keys())


def _with_evidence(kept: Finding, other: Finding) -> Finding:
    evidence = tuple(dict.fromkeys((*kept.evidence, *other.evidence)))[:MOST_EVIDENCE]
    subject = replace(kept.subject, vlan=kept.subject.vlan or other.subject.vlan)
    return replace(kept, evidence=evidence, subject=subject)


def _merged(same: list[Finding]) -> Finding:
    same.sort(key=lambda one: (one.severity.rank, one.confidence.rank))
    first = same[0]
    if len(same) == 1:
        return first
    evidence = tuple(dict.fromkeys(piece for one in same for piece in one.evidence))[:MOST_EVIDENCE]
    begun = [one.first_ns for one in same if one.first_ns is not None]
    ended = [one.last_ns for one in same if one.last_ns is not None]
    return Finding(
        **{
            **{name: getattr(first, name) for name in Finding.__slots__},
            "evidence": evidence,
            "first_ns": min(begun, default=None),
            "last_ns": max(ended, default=None),
        }
    )


def merge_proofs(proofs: Iterable[Proof]) -> list[Proof]:
    """The first proof of each (code, subject): worked once is worked.

    The same at another point of capture is the same, whatever its tag there.
    """
    kept: dict[tuple[str, Subject], Proof] = {}
    for one in proofs:
        kept.setdefault((one.code, one.subject), one)
    first: dict[tuple[str, Subject], Proof] = {}
    for one in kept.values():
        whose = replace(one.subject, vlan=None)
        before = first.get((one.code, whose))
        if whose == Subject() or (before is not None and _places(before) == _places(one)):
            first[one.code, one.subject] = one
        elif before is None:
            first[one.code, whose] = one
    return list(first.values())


def _places(proof: Proof) -> frozenset[str]:
    return frozenset(piece.capture for piece in proof.evidence)


def agrees(cause: Finding, consequence: Finding) -> bool:
    """Whether one may explain the other: subjects agree, times allow it, and they meet in a capture or an address."""
    same, shared = 0, 0
    elsewhere = _captures(cause) != _captures(consequence)
    for name in Subject.__slots__:
        mine, theirs = getattr(cause.subject, name), getattr(consequence.subject, name)
        if mine is None or theirs is None or (name == "vlan" and elsewhere and 0 in (mine, theirs)):
            continue
        shared += 1
        same += mine == theirs
    if same < shared or (shared == 0 and cause.subject != Subject()):
        return False
    if not _captures(cause) & _captures(consequence) and shared == 0:
        return False
    if cause.first_ns is None or consequence.first_ns is None:
        return True
    return cause.first_ns <= consequence.first_ns + CAUSE_SLACK_NS or (
        consequence.last_ns is not None and cause.first_ns <= consequence.last_ns
    )


def _causes(findings: Sequence[Finding], edges: Mapping[str, frozenset[str]]) -> list[int | None]:
    """For each finding the place of the one that best explains it; never a circle."""
    causes: list[int | None] = [None] * len(findings)
    explaining: dict[str, list[int]] = {}
    for place, cause in enumerate(findings):
        for code in edges.get(cause.code, ()):
            explaining.setdefault(code, []).append(place)
    for place, finding in enumerate(findings):
        able = [
            other for other in explaining.get(finding.code, ()) if other != place and agrees(findings[other], finding)
        ]
        able.sort(key=lambda other: (findings[other].severity.rank, findings[other].confidence.rank, other))
        for other in able:
            causes[place] = other
            if _root(causes, other) != place and not _circular(causes, place):
                break
            causes[place] = None
    return causes


def _circular(causes: Sequence[int | None], place: int) -> bool:
    seen = {place}
    at = causes[place]
    while at is not None:
        if at in seen:
            return True
        seen.add(at)
        at = causes[at]
    return False


def _root(causes: Sequence[int | None], place: int) -> int:
    for _ in range(len(causes)):
        cause = causes[place]
        if cause is None:
            return place
        place = cause
    return place


def _count_explained(causes: Sequence[int | None], count: int) -> list[int]:
    explained = [0] * count
    for place in range(count):
        root = _root(causes, place)
        if root != place:
            explained[root] += 1
    return explained


def _rank(finding: Finding, explained: bool, explains: int) -> tuple[object, ...]:
    """Roots first, then the graver, the surer, the more telling, the earlier; the rest only makes the order firm."""
    capture_last = finding.topic is Topic.CAPTURE
    return (
        explained,
        finding.severity.rank,
        capture_last,
        finding.confidence.rank,
        -explains,
        finding.first_ns or 0,
        finding.code,
        finding.summary,
    )


def _state(
    page: TopicPage, case: Case, findings: Sequence[Finding], proofs: Sequence[Proof], doubts: Sequence[Doubt]
) -> TopicState:
    faults = [one for one in findings if one.topic is page.topic and one.severity is not Severity.INFO]
    if faults:
        worst = min(faults, key=lambda one: (one.severity.rank, one.confidence.rank))
        return TopicState(topic=page.topic, state=State.FAULTY, why=f"{worst.code} {worst.name}")
    worked = [one for one in proofs if one.topic is page.topic]
    unsure = [one for one in doubts if one.topic is page.topic]
    if worked:
        return TopicState(topic=page.topic, state=State.HEALTHY, why=worked[0].summary)
    if unsure:
        return TopicState(topic=page.topic, state=State.CANNOT_TELL, why=unsure[0].why)
    seen = [what for what in (page.seen(view) for view in case.views) if what]
    if seen:
        return TopicState(topic=page.topic, state=State.CANNOT_TELL, why=f"{seen[0]}, but nothing that proves it works")
    return TopicState(topic=page.topic, state=State.NOT_SEEN, why=page.absent)
