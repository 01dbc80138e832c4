"""The report as SARIF 2.1.0 (OASIS), for pipelines that collect findings of many tools.

Frames have no place in SARIF: they stand in each result's message and in its property bag, the capture is the artifact.
"""

import json
from typing import Any

from pcapdx.report.document import Document, EvidenceEntry, FindingEntry
from pcapdx.report.escape import plain
from pcapdx.report.words import frames_cited

SCHEMA_URI = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def render(document: Document) -> str:
    """One run, a result a finding, ending in a newline."""
    files = list(dict.fromkeys(one.file for one in document.captures))
    kinds = {one.code: one for one in document.findings}
    run = {
        "tool": {
            "driver": {
                "name": document.tool.name,
                "version": document.tool.version,
                "rules": [_rule(one) for one in kinds.values()],
            }
        },
        "artifacts": [{"location": {"uri": _uri(file)}} for file in files],
        "results": [_result(document, one, list(kinds), files) for one in document.findings],
    }
    return json.dumps({"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=True) + "\n"


def _rule(one: FindingEntry) -> dict[str, Any]:
    return {
        "id": one.code,
        "name": "".join(word.capitalize() for word in one.name.split("-")),
        "shortDescription": {"text": one.name.replace("-", " ")},
        "properties": {"topic": one.topic},
    }


def _result(document: Document, one: FindingEntry, codes: list[str], files: list[str]) -> dict[str, Any]:
    by_name = {capture.name: capture.file for capture in document.captures}
    proof = "; ".join(f"{piece.capture} {frames_cited(piece.frames)}: {piece.what}" for piece in one.evidence)
    return {
        "ruleId": one.code,
        "ruleIndex": codes.index(one.code),
        "level": LEVELS[one.severity],
        "message": {"text": plain(f"{one.summary} Proof: {proof}.")},
        "locations": [_location(piece, by_name, files) for piece in one.evidence],
        "partialFingerprints": {"subject/v1": plain(f"{one.code} {json.dumps(dict(one.subject), sort_keys=True)}")},
        "properties": {
            "confidence": one.confidence,
            "explainedBy": one.explained_by,
            "filter": one.filter,
            "frames": {piece.capture: list(piece.frames) for piece in one.evidence},
            "knownIssues": list(one.known),
        },
    }


def _location(piece: EvidenceEntry, by_name: dict[str, str], files: list[str]) -> dict[str, Any]:
    file = by_name[piece.capture]
    return {
        "physicalLocation": {"artifactLocation": {"uri": _uri(piece.file or file), "index": files.index(file)}},
        "message": {"text": plain(piece.what)},
    }


def _uri(path: str) -> str:
    """A relative or absolute reference (RFC 3986)."""
    from urllib.parse import quote

    return quote(path)
