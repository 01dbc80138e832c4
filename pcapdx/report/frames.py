"""Evidence frames as pcapdx itself reads them: addresses, tags and every field of their messages, as text.

Messages hold no secret (:mod:`pcapdx.dissect`), so all of them is shown. With tshark there is Wireshark's tree beside
it, see :mod:`pcapdx.report.decoded`.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from pcapdx.case import Case, View
from pcapdx.dissect import Seen
from pcapdx.report.document import Document, FindingEntry, ProofEntry
from pcapdx.report.escape import plain
from pcapdx.report.timeline import label_of
from pcapdx.report.words import moment

MOST_FRAMES = 24
MOST_LINES = 60
"""Of one message; certificates and LLDP have the most."""
MOST_CHARACTERS = 240
MOST_DEPTH = 4


def read_frames(case: Case, document: Document) -> str:
    """The evidence of the first diagnoses first, ``MOST_FRAMES`` at most; empty where no message is in any of it."""
    lines: list[str] = []
    for view in case.views:
        wanted = _wanted(document, view.name)
        by_frame: dict[int, list[tuple[str, Seen[Any]]]] = {number: [] for number in wanted}
        for name, traffic in view.traffic.items():
            for one in traffic.seen:
                if one.number in by_frame:
                    by_frame[one.number].append((name, one))
        for number in sorted(by_frame):
            lines.extend(_frame(view, by_frame[number], len(case.views) > 1))
    return "\n".join(lines) + "\n" if lines else ""


def _wanted(document: Document, capture: str) -> list[int]:
    """Frames of a capture, each entry's in turn, of all captures together no more than there is room for."""
    entries: tuple[FindingEntry | ProofEntry, ...] = (*document.findings, *document.proofs)
    chosen: dict[tuple[str, int], None] = {}
    for piece in (piece for one in entries for piece in one.evidence):
        for number in piece.frames:
            if len(chosen) >= MOST_FRAMES:
                return [frame for name, frame in chosen if name == capture]
            chosen[piece.capture, number] = None
    return [frame for name, frame in chosen if name == capture]


def _frame(view: View, messages: list[tuple[str, Seen[Any]]], several: bool) -> Iterator[str]:
    if not messages:
        return
    frame = messages[0][1].frame
    named = f"{plain(view.name)} " if several else ""
    yield f"{named}frame {frame.number}  {moment(frame.ts_ns)}  {frame.wire_bytes} bytes"
    tags = "".join(f", VLAN {tag.vid} priority {tag.pcp}" for tag in frame.tags)
    if frame.eth_src:
        yield f"  Ethernet {frame.eth_src} to {frame.eth_dst or '?'}{tags}"
    if frame.tunnel:
        yield f"  tunnel {frame.outer_src} to {frame.outer_dst}, network {frame.vni}"
    if frame.src:
        ports = (f" port {frame.sport}", f" port {frame.dport}") if frame.sport or frame.dport else ("", "")
        yield f"  IPv{frame.ip_version} {frame.src}{ports[0]} to {frame.dst}{ports[1]}, TTL {frame.ttl}"
    for protocol, one in messages:
        yield f"  {protocol}: {_cut(label_of(one.message))}"
        shown = list(_fields(one.message, 2))
        yield from shown[:MOST_LINES]
        if len(shown) > MOST_LINES:
            yield f"    and {len(shown) - MOST_LINES} lines more"


def _fields(value: Any, depth: int) -> Iterator[str]:
    """Lines of a value's fields that tell something, those of values in it further in."""
    indent = "  " * depth
    for one in fields(value):
        content = getattr(value, one.name)
        if content is None or content in ("", (), False):
            continue
        if _is_value(content) and depth < MOST_DEPTH:
            yield f"{indent}{one.name}:"
            yield from _fields(content, depth + 1)
        elif isinstance(content, tuple) and any(map(_is_value, content)) and depth < MOST_DEPTH:
            for place, element in enumerate(content, 1):
                yield f"{indent}{one.name} {place}:"
                yield from _fields(element, depth + 1) if _is_value(element) else (f"{indent}  {_told(element)}",)
        else:
            yield f"{indent}{one.name}: {_told(content)}"


def _is_value(content: object) -> bool:
    return is_dataclass(content) and not isinstance(content, type)


def _told(content: object) -> str:
    if isinstance(content, Enum):
        return _cut(str(content.value))
    if isinstance(content, bytes):
        return _cut(content.hex())
    if isinstance(content, (tuple, frozenset)):
        return _cut(", ".join(map(_told, content)))
    return _cut(str(content))


def _cut(words: str) -> str:
    told = plain(words)
    return told if len(told) <= MOST_CHARACTERS else f"{told[: MOST_CHARACTERS - 1]}…"
