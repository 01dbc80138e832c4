"""Charts: drawn whatever they hold, in words too, and true to the capture they are of."""

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdx.case import View
from pcapdx.chart import MOST_LANES, Chart, Lane, Mark, MarkKind
from pcapdx.report import lanes
from pcapdx.report.pictures import pictures_of
from pcapdx.rule import TopicPage
from tests import labelled
from tests.report.hostile import STRINGS

YEAR_NS = 365 * 86_400 * 10**9
times = st.integers(-YEAR_NS, 2 * YEAR_NS)
some_lanes = st.builds(
    Lane,
    label=st.sampled_from(STRINGS),
    bars=st.lists(st.tuples(times, times), max_size=3).map(tuple),
    marks=st.lists(st.builds(Mark, at_ns=times, kind=st.sampled_from(MarkKind)), max_size=5).map(tuple),
    note=st.sampled_from(STRINGS),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(some_lanes, max_size=4), st.integers(0, YEAR_NS), st.booleans())
def test_anything_is_drawn(rows: list[Lane], span_ns: int, logarithmic: bool) -> None:
    """Hostile words, no time at all, a year, moments out of the span."""
    chart = Chart(title="t", legend="l", lanes=tuple(rows), begin_ns=0, end_ns=span_ns, logarithmic=logarithmic)
    drawn = lanes.draw(chart)
    assert len(drawn) < 200_000
    root = ElementTree.fromstring(drawn)
    assert root.get("role") == "img"
    assert not {element.tag.rpartition("}")[2] for element in root.iter()} & {"script", "a", "foreignObject"}


def chart(name: str, topic: str) -> Chart:
    """A topic's chart of a labelled capture."""
    analysis = labelled.analysis(name)
    page = next(one for one in analysis.topics if one.topic.value == topic)
    assert page.chart is not None
    found = page.chart(analysis.case.views[0])
    assert found is not None
    return found


def failed(lane: Lane) -> int:
    return sum(one.kind is MarkKind.FAILED for one in lane.marks)


def test_a_vlan_that_is_not_carried() -> None:
    rows = {one.label: one for one in chart("vlan-missing-nested-hosts", "vlan-trunk").lanes}
    silent = [label for label, lane in rows.items() if lane.marks and failed(lane) == len(lane.marks)]
    (fault,) = labelled.CASES["vlan-missing-nested-hosts"].truth["faults"]
    assert f"VLAN {fault['subject']['vlan']}" in silent


def test_dhcp_without_an_answer_comes_first() -> None:
    first, *_ = chart("dhcp-unknown-mac-bridge", "dhcp").lanes
    assert first.note == "no answer"
    assert failed(first) == len(first.marks) > 0


def test_a_lease() -> None:
    notes = [one.note for one in chart("vlan-healthy-trunk", "dhcp").lanes]
    assert len(notes) == 3
    assert all(note.startswith("got 10.7") for note in notes)


def test_a_rejected_certificate() -> None:
    found = chart("console-name-mismatch", "console-proxy-tls")
    assert [one.note for one in found.lanes] == ["client: bad_certificate"] * 2
    assert all(failed(one) for one in found.lanes)


@pytest.mark.parametrize("name", sorted(labelled.CASES)[::7])
def test_every_chart_can_be_drawn(name: str) -> None:
    analysis = labelled.analysis(name)
    for picture in pictures_of(analysis, labelled.document(name)).charts:
        assert picture.svg.startswith("<svg"), picture.legend
    for view in analysis.case.views:
        for page in analysis.topics:
            found = page.chart(view) if page.chart else None
            assert found is None or 0 < len(found.lanes) <= MOST_LANES


def test_a_broken_chart_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    analysis = labelled.analysis("vlan-healthy-trunk")

    def broken(view: View) -> Chart | None:
        raise ValueError(view.name)

    page = TopicPage(topic=analysis.topics[0].topic, title="Mine", seen=lambda view: None, absent="", chart=broken)
    monkeypatch.setattr(analysis, "topics", (page,))
    (picture,) = pictures_of(analysis, labelled.document("vlan-healthy-trunk")).charts
    assert (picture.title, picture.svg) == ("Mine", "")
    assert "ValueError" in picture.legend
