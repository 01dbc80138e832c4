"""What was masked is counted in every report."""

import json as plain_json

from pcapdx.report import html, json, markdown, text
from pcapdx.report.document import MaskedEntry
from tests import labelled

SECRETIVE, NOTHING = "password-delivered-g4", "dhcp-unknown-mac-bridge"


def test_every_format_counts() -> None:
    document = labelled.document(SECRETIVE)
    assert MaskedEntry(what="password", count=1) in document.masked
    assert "Masked        1 password" in text.render(document)
    assert "- masked: 1 password" in markdown.render(document)
    assert "* masked: 1 password" in markdown.render(document, flavour=markdown.JIRA)
    assert "<p>Masked: 1 password" in html.render(document)
    told = plain_json.loads(json.render(document))["masked"]
    assert {"what": "password", "count": 1} in told


def test_nothing_is_said_of_nothing() -> None:
    document = labelled.document(NOTHING)
    assert document.masked == ()
    for written in (text.render(document), markdown.render(document), html.render(document)):
        assert "Masked" not in written
