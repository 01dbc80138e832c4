"""Reports in Jira's wiki markup and as SARIF."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdx.report import markdown, sarif
from pcapdx.report.escape import jira, jira_code
from tests import labelled

FAULTY = "dhcp-unknown-mac-bridge"
TWO_POINTS = "path-vlan-not-on-near-port"


@pytest.mark.parametrize("name", [FAULTY, TWO_POINTS, "dhcp-lease-dhclient"])
def test_jira_says_what_markdown_says(name: str) -> None:
    document = labelled.document(name)
    wiki = markdown.render(document, flavour=markdown.JIRA)
    assert wiki.startswith("h1. ")
    assert len(wiki.splitlines()) == len(markdown.render(document).splitlines()) - sum(
        line.startswith("|---") for line in markdown.render(document).splitlines()
    )
    for line in wiki.splitlines():
        if line.startswith("||"):
            assert line.endswith("||")
    for finding in document.findings:
        assert finding.code in wiki


def test_jira_verbatim_text_cannot_end_itself() -> None:
    wiki = markdown.render(
        labelled.document(FAULTY), decoded="a {noformat} b\n{noformat}\nh1. x", flavour=markdown.JIRA
    )
    assert wiki.count("{noformat}") == 2


@given(st.text(max_size=80))
def test_no_text_is_wiki_markup(text: str) -> None:
    for written in (jira(text), jira_code(text)[2:-2]):
        bare = re.sub(r"\\.", "", written)
        assert not re.search(r"[{}\[\]*_|!]", bare)
        assert "\n" not in written
        assert not re.match(r"(h[1-6]|bq)\.", written)


def test_sarif_has_what_collectors_ask_for() -> None:
    document = labelled.document(TWO_POINTS)
    written = json.loads(sarif.render(document))
    assert written["version"] == "2.1.0"
    (run,) = written["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({one["id"] for one in rules}) == len(rules)
    assert len(run["results"]) == len(document.findings)
    for result, finding in zip(run["results"], document.findings, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.code
        assert result["level"] in ("error", "warning", "note")
        assert finding.summary in result["message"]["text"]
        for place in result["locations"]:
            artifact = place["physicalLocation"]["artifactLocation"]
            assert run["artifacts"][artifact["index"]]["location"]["uri"] == artifact["uri"]
    assert run["results"][0]["properties"]["frames"]["hostA"]


def test_sarif_of_nothing_found_is_an_empty_list() -> None:
    (run,) = json.loads(sarif.render(labelled.document("dhcp-lease-dhclient")))["runs"]
    assert run["results"] == []
