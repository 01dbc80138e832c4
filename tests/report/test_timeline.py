"""The time line: which messages, between whom, and how they are drawn."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from pcapdx.report import ladder
from pcapdx.report.svg import CHARACTER_IN
from pcapdx.report.timeline import EVERYONE, MOST_EVENTS, Event, TimeLine, label_of, timeline_of
from tests import labelled

SECOND = 1_000_000_000


def line_of(name: str) -> TimeLine:
    line = timeline_of(labelled.analysis(name))
    assert line is not None
    return line


def test_evidence_of_the_first_fault_is_shown() -> None:
    line = line_of("dhcp-unknown-mac-bridge")
    marked = {one.frame for one in line.events if one.evidence}
    assert marked == {1, 2, 4, 7, 8, 11, 12, 13}
    assert [one.ts_ns for one in line.events] == sorted(one.ts_ns for one in line.events)
    assert {one.receiver for one in line.events if one.frame == 1} == {EVERYONE}


def test_where_nothing_is_wrong_what_worked_is_shown() -> None:
    """The first proof of each rule, with the connection it went over."""
    line = line_of("password-delivered-g1")
    labels = {one.label for one in line.events}
    assert any(label.startswith("DHCP ACK") for label in labels)
    assert {"SYN port 8080", "SYN/ACK port 8080", "FIN"} <= labels


def test_an_end_is_one_by_mac_and_address() -> None:
    """A client is the same before it has an address and after."""
    ends = {end for one in line_of("password-delivered-g1").events for end in (one.sender, one.receiver)}
    assert ends == {"10.1.1.55\n02:01:00:11:00:16", "10.1.1.1\n02:01:00:11:00:01", EVERYONE}


def test_addresses_behind_one_router_are_apart() -> None:
    """Where one MAC stands for several addresses, each address is its own end."""
    names = [name for name in labelled.CASES if name.startswith("console-")]
    ends = {end for name in names if (line := timeline_of(labelled.analysis(name))) for one in line.events
            for end in (one.sender, one.receiver)}  # fmt: skip
    assert any("\n" not in end and end != EVERYONE for end in ends)


@pytest.mark.parametrize("name", sorted(labelled.CASES))
def test_every_time_line_is_a_page_at_most(name: str) -> None:
    line = timeline_of(labelled.analysis(name))
    if line is None:
        diagnosed = labelled.analysis(name).diagnosed
        verdicts = [one.finding for one in diagnosed.findings]
        cited = [piece for one in verdicts for piece in one.evidence if piece.frames]
        cited += [piece for one in diagnosed.proofs for piece in one.evidence if piece.frames]
        assert not cited or all(len(view.all_messages) == 0 or not view.flows.having(set()) for view in
                                labelled.analysis(name).case.views)  # fmt: skip
        return
    assert 0 < len(line.events) <= MOST_EVENTS
    view = labelled.analysis(name).case.view(line.capture)
    pieces = labelled.analysis(name).diagnosed.diagnoses[0].root.finding.evidence if not _evident(line) else ()
    frames = {number for piece in pieces if piece.capture == line.capture for number in piece.frames}
    # what is proved by frames that no dissector reads (bare TCP segments) is drawn by what went on around them
    assert _evident(line) or not frames & {one.number for one in view.all_messages}
    assert len({one.frame for one in line.events}) == len(line.events)


def _evident(line: TimeLine) -> bool:
    return any(one.evidence for one in line.events)


def texts(svg: str) -> list[str]:
    return [
        "".join(element.itertext()).strip()
        for element in ElementTree.fromstring(svg).iter()
        if str(element.tag).endswith("}text")
    ]


def event(ts_ns: int, frame: int, label: str = "DHCP DISCOVER", receiver: str = EVERYONE) -> Event:
    return Event(ts_ns=ts_ns, frame=frame, sender="02:01:00:cc:00:16", receiver=receiver, label=label, evidence=True)


def test_silence_is_drawn() -> None:
    line = TimeLine(capture="x", events=(event(0, 1), event(4 * SECOND, 2)), last_ns=14 * SECOND, left_out=0)
    words = texts(ladder.draw(line))
    assert "4.00 s later" in words
    assert "the capture ends 10.00 s later" in words
    assert "+4.00 s" in words


def test_what_is_left_out_is_told() -> None:
    line = TimeLine(capture="x", events=(event(0, 1),), last_ns=0, left_out=3)
    assert "3 more not drawn; the capture ends here" in texts(ladder.draw(line))


def test_long_labels_are_cut_to_the_room_there_is() -> None:
    line = TimeLine(capture="x", events=(event(0, 1, "Standard query A " + "a" * 300),), last_ns=0, left_out=0)
    label = next(text for text in texts(ladder.draw(line)) if text.startswith("Standard"))
    assert label.endswith("…")
    assert len(label) * CHARACTER_IN < ladder.WIDE_IN


def test_many_ends_are_too_many_to_draw() -> None:
    events = tuple(event(place, place + 1, receiver=f"10.0.0.{place}") for place in range(20))
    svg = ladder.draw(TimeLine(capture="x", events=events, last_ns=20, left_out=0))
    drawn = [text for text in texts(svg) if text.startswith("10.0.0.")]
    assert len(drawn) == ladder.MOST_COLUMNS - 1


def test_evidence_between_the_last_of_many_ends_is_drawn() -> None:
    """Columns go to the evidence first."""
    events = tuple(
        replace(event(place, place + 1, receiver=f"10.0.0.{place}"), sender=f"10.9.0.{place}", evidence=place > 15)
        for place in range(20)
    )
    drawn = texts(ladder.draw(TimeLine(capture="x", events=events, last_ns=20, left_out=0)))
    assert {"10.9.0.16", "10.0.0.16", "10.9.0.18", "10.0.0.18"} <= set(drawn)


def test_drawing_is_the_same_each_time_and_says_what_it_is() -> None:
    line = line_of("password-refused")
    svg = ladder.draw(line)
    assert svg == ladder.draw(replace(line))
    assert svg.startswith('<svg role="img" aria-label="Time line of ')
    assert "<metadata>" not in svg or "http" not in svg.partition("<metadata>")[2].partition("</metadata>")[0]


def test_nothing_to_draw() -> None:
    assert ladder.draw(None) == ""
    assert timeline_of(labelled.analysis("capture-of-nothing")) is None


def test_label_of() -> None:
    class Labelled:
        label = "hello"

    assert label_of(Labelled()) == "hello"
    assert label_of(3) == "int"
