"""Words that the formats share: sizes, times of day, lists of frames."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pcapdx.report.document import CaptureEntry, Document, FindingEntry, ProofEntry

GRAVE = ("error", "warning")


def span(first_ns: int | None, last_ns: int | None) -> str:
    """How long a capture lasted: ``0.4 s``, ``17.1 s``, ``5 min``, ``3 h``."""
    if first_ns is None or last_ns is None:
        return "no time"
    seconds = (last_ns - first_ns) / 1e9
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
    """``3 7 12``; a dash where the point is that no frame came."""
    return " ".join(map(str, frames)) if frames else "-"


def vantage(capture: CaptureEntry) -> str:
    """``tap of eth0, inferred``; empty when nothing is known."""
    role = capture.vantage.role
    parts = [f"{role}{' (inferred)' if capture.vantage.inferred else ''}" if role else "vantage not told"]
    if capture.vantage.interface:
        parts.append(f"interface {capture.vantage.interface}")
    return ", ".join(parts)


def facts(capture: CaptureEntry) -> str:
    """``tap, 41.0 s, 480 frames, complete``."""
    whole = "complete" if capture.complete else "partly readable"
    return f"{vantage(capture)}, {span(capture.first_ns, capture.last_ns)}, {capture.frames:,} frames, {whole}"


def names(findings: Sequence[FindingEntry]) -> list[str]:
    """Consequences in short: ``discover-unanswered (DHCP001)``, each code once."""
    return list(dict.fromkeys(f"{one.name.replace('-', ' ')} ({one.code})" for one in findings))


def cited(document: Document, entry: FindingEntry | ProofEntry) -> str:
    """Frames of an entry for a line: ``3-6``, with the capture's name where there are several."""
    parts = []
    for piece in entry.evidence:
        if piece.frames:
            text = str(piece.frames[0]) if len(piece.frames) == 1 else f"{piece.frames[0]}-{piece.frames[-1]}"
            parts.append(f"{piece.capture} {text}" if len(document.captures) > 1 else text)
    return ", ".join(dict.fromkeys(parts))


def headline(document: Document) -> str:
    """The sentence a report leads with."""
    if document.diagnoses and document.finding(document.diagnoses[0].finding).severity in GRAVE:
        return document.diagnoses[0].summary
    return "No fault found in what this capture can show" if len(document.captures) < 2 else "No fault found"
