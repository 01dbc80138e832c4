"""The text report: what comes first, what stands where, how it wraps."""

import re
import shlex
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdx.report import html, markdown, text, words
from pcapdx.report.document import Document
from pcapdx.report.words import cited, facts, frame_list, moment, sources_differ, span
from tests import labelled

FAULTY = "dhcp-unknown-mac-bridge"
HEALTHY = "password-delivered-g1"
TWO_POINTS = "dhcp-offers-dropped-by-switch"


def commands(document: Document) -> list[str]:
    return [step.command for one in document.findings for step in one.next_steps]


def test_the_sentence_comes_first_then_proof_and_what_to_do() -> None:
    document = labelled.document(FAULTY)
    written = text.render(document)
    assert " ".join(written.split()).startswith(document.diagnoses[0].summary)
    places = [written.index(f"\n  {label} ") for label in ("proof", "maybe", "do")]
    places += [written.index(f"\n{title} ") for title in ("Worked", "Cannot tell", "Not seen", "Captures")]
    assert places == sorted(places)
    assert document.findings[0].filter in written


def test_nothing_wrong_is_said_in_one_line() -> None:
    first, empty, *_ = text.render(labelled.document(HEALTHY)).split("\n")
    assert first == "No fault found in what this capture can show (tap, 1.6 s, 30 frames, complete)."
    assert not empty


def test_several_captures_are_named_beside_their_frames() -> None:
    written = text.render(labelled.document(TWO_POINTS))
    assert re.search(r"proof +router-host +frames 12 29 58", written)
    assert re.search(r"Captures +guest-host: nic", written)


def test_one_capture_is_not() -> None:
    assert re.search(r"proof +frames 1 2 7", text.render(labelled.document(FAULTY)))


@pytest.mark.parametrize("width", [60, 80, 110])
@pytest.mark.parametrize("name", [FAULTY, HEALTHY, TWO_POINTS, "password-retry-storm", "metadata-crawl-complete"])
def test_lines_fit(name: str, width: int) -> None:
    """Only what is to be copied may be wider, and only where one word of it is."""
    document = labelled.document(name)
    copied = {
        word for line in (*commands(document), *(one.filter for one in document.findings)) for word in line.split()
    }
    for line in text.render(document, width=width).splitlines():
        assert len(line) <= width or max(line.split(), key=len) in copied, line
        assert line == line.rstrip()


@pytest.mark.parametrize(("asked", "used"), [(20, 60), (200, 110)])
def test_width_has_bounds(asked: int, used: int) -> None:
    document = labelled.document(FAULTY)
    assert text.render(document, width=asked) == text.render(document, width=used)


@pytest.mark.parametrize("width", [60, 80, 110])
def test_commands_can_be_copied(width: int) -> None:
    """A shell reads the printed lines as the command that was meant."""
    document = labelled.document(FAULTY)
    printed = text.render(document, width=width).replace("\\\n", " ")
    for command in commands(document):
        assert " ".join(command.split()) in " ".join(printed.split())


@given(st.lists(st.sampled_from(["grep", "-E", "'a b|c'", '"d  e"', "/var/log/x.log", "|", "tail;"]), min_size=1))
def test_a_broken_command_is_the_same_command(words: list[str]) -> None:
    """It is broken between words, never within quotes."""
    command = " ".join(words)
    lines = text._broken(command, 30, " \\")
    assert "\n".join(lines).replace(" \\\n", " ") == command
    assert all(line.count("'") % 2 == line.count('"') % 2 == 0 for line in lines)


def test_a_shell_reads_a_broken_command_as_one() -> None:
    words = ["-E", "DhcpEntryCommand|Unable to apply dhcp entry", "/var/log/cloudstack/management-server.log"]
    lines = text._broken(shlex.join(["printf", "%s\\n", *words]), 40, " \\")
    assert len(lines) > 2
    run = subprocess.run(["sh", "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == words


def test_sql_is_broken_without_a_backslash() -> None:
    written = text.render(labelled.document("nic-duplicate-ip"), width=60)
    statement = written[written.index("select ") :].partition("the MAC that is there")[0]
    assert statement.count("\n") > 1
    assert "\\" not in statement


def test_of_many_diagnoses_the_first_are_told_in_full() -> None:
    document = labelled.document(FAULTY)
    many = replace(document, diagnoses=document.diagnoses * 40)
    written = text.render(many)
    assert written.count("\n  proof ") == text.MOST_IN_FULL
    assert written.count(f"(error, {document.findings[0].code})") == text.MOST_IN_SHORT
    assert f"and {40 - text.MOST_IN_FULL - text.MOST_IN_SHORT} more; the JSON report has them all" in written


def test_files_hold_more_of_them() -> None:
    document = labelled.document(FAULTY)
    many = replace(document, diagnoses=document.diagnoses * 1000)
    for written in (html.render(many), markdown.render(many)):
        assert written.count("dhcp.hw.mac_addr ==") == words.MOST_IN_FULL
        assert f"and {1000 - words.MOST_IN_FULL - words.MOST_IN_SHORT} more" in written


def test_of_many_proofs_a_few_are_told() -> None:
    document = labelled.document(HEALTHY)
    written = text.render(replace(document, proofs=document.proofs[:1] * 50))
    assert written.count("lease 10.1.1.55") == 6
    assert "and 44 more (lease obtained, DHCP031)" in written


def test_an_empty_capture_is_no_clean_bill() -> None:
    document = labelled.document(HEALTHY)
    empty = replace(document.captures[0], frames=0, first_ns=None, last_ns=None)
    written = text.render(replace(document, captures=(empty,), proofs=()))
    assert written.startswith("Nothing can be told: no frame was captured")


@pytest.mark.parametrize(
    ("ns", "words"),
    [(0, "0 ms"), (29_000_000, "29 ms"), (1_600_000_000, "1.6 s"), (300 * 10**9, "5 min"), (3 * 3600 * 10**9, "3 h")],
)
def test_span(ns: int, words: str) -> None:
    assert span(0, ns) == words
    assert span(None, ns) == "no time"


@pytest.mark.parametrize(
    ("ts_ns", "words"),
    [
        (None, "-"),
        (0, "1970-01-01 00:00:00.000 UTC"),
        (1_700_000_000_999_999_999, "2023-11-14 22:13:20.999 UTC"),
        (9 * 10**18, "2255-03-14 16:00:00.000 UTC"),
        (10**22, "10000000000000.000 s"),
    ],
)
def test_moment(ts_ns: int | None, words: str) -> None:
    """A time beyond the calendar is a number, no error."""
    assert moment(ts_ns) == words


def test_frame_list() -> None:
    assert frame_list(()) == "-"
    assert frame_list((3, 7)) == "3 7"
    assert frame_list(tuple(range(1, 1000))).endswith(" 23 … 999")


def test_facts_say_what_was_inferred() -> None:
    capture = labelled.document(HEALTHY).captures[0]
    vantage = replace(capture.vantage, inferred=True, interface="vnet3")
    assert facts(replace(capture, vantage=vantage)).startswith("tap (inferred), interface vnet3, 1.6 s")
    assert "place of capture not told" in facts(replace(capture, vantage=replace(vantage, role=None)))


def test_cited_names_the_capture_where_there_are_several() -> None:
    document = labelled.document(TWO_POINTS)
    assert cited(document.proofs[0], named=sources_differ(document)).startswith("guest-host ")
    alone = labelled.document(HEALTHY)
    assert cited(alone.proofs[0], named=sources_differ(alone)) == "1-4"
