"""Words that the formats share: sizes, times of day, lists of frames."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import PurePath

from pcapdx.report.document import CaptureEntry, Document, EvidenceEntry, FindingEntry, ProofEntry

GRAVE = ("error", "warning")
MOST_PROOFS, MOST_FRAMES = 6, 24
MOST_HOPS = 10
CLOCK_NS = 1_000_000
"""Clocks closer than this count as one."""
MOST_IN_FULL, MOST_IN_SHORT = 40, 200
"""Diagnoses of a file: with their proof, and those after them with a sentence."""

Root = tuple[FindingEntry, list[FindingEntry]]
"""A diagnosis: the root finding and what it explains."""


def span(first_ns: int | None, last_ns: int | None) -> str:
    """How long a capture lasted: ``29 ms``, ``17.1 s``, ``5 min``, ``3 h``."""
    if first_ns is None or last_ns is None:
        return "no time"
    seconds = (last_ns - first_ns) / 1e9
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172800:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:,.0f} days"


def moment(ts_ns: int | None) -> str:
    """A time in UTC to the millisecond; ``-`` for none, the bare seconds for one that no calendar holds."""
    if ts_ns is None:
        return "-"
    try:
        whole = datetime.fromtimestamp(ts_ns // 1_000_000_000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return f"{ts_ns / 1e9:.3f} s"
    return f"{whole:%Y-%m-%d %H:%M:%S}.{ts_ns // 1_000_000 % 1000:03d} UTC"


def frame_list(frames: Sequence[int]) -> str:
    """``3 7 12``; of very many the first and the last; a dash where the point is that no frame came."""
    if len(frames) > MOST_FRAMES:
        return f"{' '.join(map(str, frames[: MOST_FRAMES - 1]))} … {frames[-1]}"
    return " ".join(map(str, frames)) or "-"


def frames_cited(frames: Sequence[int]) -> str:
    """``frames 3 7 12``, ``frame 3``, or ``no frame``."""
    return f"frame{'s' if len(frames) > 1 else ''} {frame_list(frames)}" if frames else "no frame"


def evidence_rows(entry: FindingEntry | ProofEntry) -> list[EvidenceEntry]:
    """The evidence as rows to print: pieces that say the same of one capture become one."""
    grouped: dict[tuple[str, str | None, str], set[int]] = {}
    for piece in entry.evidence:
        grouped.setdefault((piece.capture, piece.file, piece.what), set()).update(piece.frames)
    return [
        EvidenceEntry(capture=capture, file=file, frames=tuple(sorted(frames)), what=what)
        for (capture, file, what), frames in grouped.items()
    ]


def source(piece: EvidenceEntry) -> str:
    """What frames are cited by: the capture, or the file of a capture in several."""
    return PurePath(piece.file).name if piece.file else piece.capture


def sources_differ(document: Document) -> bool:
    """Frame numbers alone would not tell which frame is meant."""
    entries: tuple[FindingEntry | ProofEntry, ...] = (*document.findings, *document.proofs)
    return len(document.captures) > 1 or any(piece.file for one in entries for piece in one.evidence)


def vantage(capture: CaptureEntry) -> str:
    """``tap (inferred), interface eth0``, or that nobody told and the traffic does not tell either."""
    role = capture.vantage.role
    parts = [f"{role}{' (inferred)' if capture.vantage.inferred else ''}" if role else "place of capture not told"]
    if capture.vantage.interface:
        parts.append(f"interface {capture.vantage.interface}")
    return ", ".join(parts)


def facts(capture: CaptureEntry) -> str:
    """``tap, 41.0 s, 480 frames, complete``."""
    whole = "complete" if capture.complete else "partly readable"
    return f"{vantage(capture)}, {span(capture.first_ns, capture.last_ns)}, {capture.frames:,} frames, {whole}"


def issues(entry: FindingEntry) -> list[str]:
    """Published issues with this signature, in a line; empty without any."""
    return [f"apache/cloudstack {', '.join(f'#{number}' for number in entry.known)}"] if entry.known else []


def names(findings: Sequence[FindingEntry]) -> list[str]:
    """Consequences in short: ``discover-unanswered (DHCP001)``, each code once."""
    return list(dict.fromkeys(f"{one.name.replace('-', ' ')} ({one.code})" for one in findings))


def cited(entry: FindingEntry | ProofEntry, *, named: bool) -> str:
    """Frames of an entry for a line: ``3-6``, with the capture's name where ``named``."""
    parts = []
    for piece in entry.evidence:
        if piece.frames:
            text = str(piece.frames[0]) if len(piece.frames) == 1 else f"{piece.frames[0]}-{piece.frames[-1]}"
            parts.append(f"{source(piece)} {text}" if named else text)
    return ", ".join(dict.fromkeys(parts))


def roots(document: Document) -> tuple[list[Root], list[Root]]:
    """The diagnoses, best first: those at warning or above, and remarks."""
    known = {one.id: one for one in document.findings}
    pairs = [(known[one.finding], [known[other] for other in one.consequences]) for one in document.diagnoses]
    grave = [pair for pair in pairs if pair[0].severity in GRAVE]
    return grave, [pair for pair in pairs if pair[0].severity not in GRAVE]


def in_short(found: Sequence[Root], most: int) -> list[str]:
    """Diagnoses in a sentence each, for those after the ones that are told in full; beyond ``most`` only how many."""
    lines = [f"{root.summary} ({root.severity}, {root.code})" for root, _ in found[:most]]
    if len(found) > most:
        lines.append(f"and {len(found) - most:,} more; the JSON report has them all")
    return lines


def worked(document: Document) -> list[str]:
    """What worked, with frames; of many proofs by one rule the first few and how many more there are."""
    lines: list[str] = []
    named = sources_differ(document)
    by_rule: dict[str, list[ProofEntry]] = {}
    for proof in document.proofs:
        by_rule.setdefault(proof.code, []).append(proof)
    for code, proofs in by_rule.items():
        for proof in proofs[:MOST_PROOFS]:
            frames = cited(proof, named=named)
            lines.append(f"{proof.summary.rstrip('.')}{f' ({frames})' if frames else ''}")
        more = len(proofs) - MOST_PROOFS
        if more > 0:
            lines.append(f"and {more:,} more ({proofs[0].name.replace('-', ' ')}, {code})")
    return lines


def masked(document: Document) -> str:
    """What is not in the report for being secret: ``2 passwords, 1 web answer``; empty where nothing was."""
    return ", ".join(f"{one.count:,} {_several(one.what, one.count)}" for one in document.masked)


def _several(what: str, count: int) -> str:
    head, of, rest = what.partition(" in ")
    return f"{head}{'' if count == 1 else 's'}{of}{rest}"


Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Head and rows, as text."""


def points(document: Document) -> list[str]:
    """Names of the captures along the path with their roles: ``hostA:trunk``."""
    roles = {one.name: one.vantage.role for one in document.captures}
    path = document.path.captures if document.path else ()
    return [f"{name}:{roles[name]}" if roles.get(name) else name for name in path]


def hop_table(document: Document) -> Table | None:
    """What was compared from point to point; None where nothing was."""
    path = document.path
    if path is None or not path.hops:
        return None
    rows = []
    for one in path.hops[:MOST_HOPS]:
        kind = f"{one.what}, VLAN {one.vlan}" if one.vlan else one.what
        counts = tuple("-" if count is None else f"{count:,}" for count in one.counts)
        rows.append((kind, *counts, one.fate))
    return ("traffic", *points(document), "on the way"), rows


def passage_table(document: Document) -> Table | None:
    """The packets that prove the first diagnosis, by their frames at each point; None where there are none."""
    path = document.path
    if path is None or not path.passages:
        return None
    rows = [(one.what, *("-" if frame is None else str(frame) for frame in one.frames)) for one in path.passages]
    return ("packet", *points(document)), rows


def transits(document: Document) -> str:
    """How long packets take from point to point, in a line; empty where it does not show."""
    path = document.path
    if path is None:
        return ""
    legs = zip(pairwise(path.captures), path.transits_ns, strict=True)
    told = [f"{here} to {there} {short(ns)}" for (here, there), ns in legs if ns is not None]
    return f"{', '.join(told)} (half of what both ways take)" if told else ""


def short(ns: int) -> str:
    """A short time: ``80 µs``, ``1.2 ms``, ``0.3 s``."""
    if ns < 1_000_000:
        return f"{ns / 1000:.0f} µs"
    return f"{ns / 1e6:.1f} ms" if ns < 100_000_000 else f"{ns / 1e9:.1f} s"


def path_limits(document: Document) -> list[str]:
    """What limits the comparison of several captures: their order, their clocks, a sample."""
    path = document.path
    if path is None:
        return []
    lines = []
    if path.ordered_by:
        lines.append(f"order along the path, {', '.join(path.captures)}: inferred from {path.ordered_by}")
    for one in path.clocks:
        if one.offset_ns is None or one.error_ns is None:
            lines.append(f"clocks of {path.captures[0]} and {one.capture} could not be compared: no packet is in both")
        elif abs(one.offset_ns) > max(one.error_ns, CLOCK_NS):
            lines.append(
                f"the clock of {one.capture} is {span(0, abs(one.offset_ns))} "
                f"{'ahead of' if one.offset_ns > 0 else 'behind'} "
                f"that of {path.captures[0]} (± {one.error_ns / 1e6:.1f} ms)"
            )
    if path.sampled:
        lines.append("of very many packets a sample was compared; the counts are of the sample")
    return lines


def headline(document: Document) -> str:
    """The sentence a report leads with."""
    grave, _ = roots(document)
    if grave:
        return grave[0][0].summary
    if not any(one.frames for one in document.captures):
        return "Nothing can be told: no frame was captured"
    these = "this capture" if len(document.captures) < 2 else "these captures"
    return f"No fault found in what {these} can show"
