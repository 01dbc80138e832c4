"""The report as data: what becomes of an analysis, and the schema of it."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pcapdx.capture.records import Piece
from pcapdx.diagnose import Analysis
from pcapdx.diagnosis import State
from pcapdx.model import Confidence, InternalError, Severity
from pcapdx.report import document, html, markdown, path, text
from pcapdx.report import json as as_json
from pcapdx.report.document import Document, document_of
from pcapdx.report.schema import json_schema
from tests import labelled

FAULTY = "dhcp-unknown-mac-bridge"


def analysis() -> Analysis:
    return labelled.analysis(FAULTY)


def test_ids_refer_to_findings() -> None:
    for name in labelled.CASES:
        report = labelled.document(name)
        ids = [one.id for one in report.findings]
        assert ids == [f"F{number}" for number in range(1, len(ids) + 1)]
        for diagnosis in report.diagnoses:
            assert {diagnosis.finding, *diagnosis.consequences} <= set(ids)
            assert diagnosis.summary == report.finding(diagnosis.finding).summary
        told = [one for diagnosis in report.diagnoses for one in (diagnosis.finding, *diagnosis.consequences)]
        assert sorted(told) == sorted(ids)


def test_nothing_is_called_lost_where_nothing_is_wrong() -> None:
    """The two legs of a bond, an old and a new host: what is at one of them is not at the other."""
    differ = 0
    for name, case in labelled.CASES.items():
        report = labelled.document(name)
        if case.truth["healthy"] and report.path is not None:
            fates = [one.fate for one in report.path.hops]
            assert not any("lost" in fate for fate in fates), name
            differ += any(" not at " in fate for fate in fates)
    assert differ > 3


def test_evidence_frames_exist() -> None:
    for name in labelled.CASES:
        report = labelled.document(name)
        frames = {one.name: one.frames for one in report.captures}
        pieces = [piece for one in report.findings for piece in one.evidence]
        pieces += [piece for one in report.proofs for piece in one.evidence]
        for piece in pieces:
            assert all(1 <= number <= frames[piece.capture] for number in piece.frames)
            assert list(piece.frames) == sorted(set(piece.frames))


def test_words_are_closed() -> None:
    for name in labelled.CASES:
        report = labelled.document(name)
        assert {one.severity for one in report.findings} <= {one.value for one in Severity}
        assert {one.confidence for one in report.findings} <= {one.value for one in Confidence}
        assert {one.state for one in report.topics} <= {one.value for one in State}


def test_pieces_are_cited_by_file_and_its_own_numbers() -> None:
    case = analysis().case
    facts = case.views[0].capture
    before, facts.pieces = facts.pieces, [Piece("/x/a.pcap", 0, 6, 1), Piece("/x/b.pcap", 6, 7, 1)]
    try:
        report = document_of(analysis())
    finally:
        facts.pieces = before
    whole = document_of(analysis()).findings[0].evidence[0]
    inside = [piece for piece in report.findings[0].evidence if piece.what == whole.what]
    assert [piece.file for piece in inside] == ["/x/a.pcap", "/x/b.pcap"]
    assert (*inside[0].frames, *(number + 6 for number in inside[1].frames)) == whole.frames
    assert "b.pcap" in text.render(report)


def test_digests_are_given_or_null() -> None:
    assert document_of(analysis()).captures[0].sha256 is None
    assert document_of(analysis(), {FAULTY: "ab"}).captures[0].sha256 == "ab"


def test_a_failed_plugin_is_told_in_every_format() -> None:
    failed = replace(analysis(), errors=(InternalError(plugin="DHCP999", what="ZeroDivisionError: division by zero"),))
    report = document_of(failed)
    for written in (text.render(report), html.render(report), markdown.render(report), as_json.render(report)):
        assert "DHCP999" in written
        assert "ZeroDivisionError: division by zero" in written.replace("\\:", ":")


def keys(value: Any) -> set[str]:
    return set(value) if isinstance(value, dict) else set()


def test_schema_describes_every_field() -> None:
    schema = json_schema()
    written = json.loads(as_json.render(labelled.document(FAULTY)))
    assert keys(schema["properties"]) == keys(written) == {one.name for one in fields(Document)}
    for kind, definition in schema["$defs"].items():
        assert keys(definition["properties"]) == {
            one.name for one in fields(getattr(document, kind, None) or getattr(path, kind))
        }
        assert definition["description"]
    assert written["schema"] == schema["properties"]["schema"]["const"] == "pcapdx.report/1"


def test_file_names_are_as_given() -> None:
    file = labelled.CASES[FAULTY].arguments[0].path
    assert document_of(analysis()).captures[0].file == file
    assert labelled.document(FAULTY).captures[0].file == Path(file).name


def test_a_published_issue_is_cited_in_every_format() -> None:
    cited = labelled.document("password-refused-at-own-address")
    assert cited.findings[0].known == (11877, 12107, 13720)
    for written in (text.render(cited), markdown.render(cited), html.render(cited), as_json.render(cited)):
        assert "11877" in written
    assert "apache/cloudstack" not in text.render(labelled.document(FAULTY))
