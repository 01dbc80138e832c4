"""All pictures of a page: the time line, the packets along the path, and the charts that topics declare."""

from collections.abc import Iterator

from pcapdx.diagnose import Analysis
from pcapdx.report import ladder, lanes, passages, timeline
from pcapdx.report.document import Document
from pcapdx.rule import TopicPage
from pcapdx.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One chart with its words."""

    title: str
    legend: str
    svg: str
    """Empty where it could not be drawn; then the legend says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """SVG elements; empty where there is nothing to show."""

    timeline: str = ""
    ladder: str = ""
    charts: tuple[Picture, ...] = ()


def pictures_of(analysis: Analysis, document: Document) -> Pictures:
    """Draws them all; matplotlib is imported here and nowhere before."""
    return Pictures(
        timeline=ladder.draw(timeline.timeline_of(analysis)),
        ladder=passages.draw(document.path),
        charts=tuple(_charts(analysis)),
    )


def _charts(analysis: Analysis) -> Iterator[Picture]:
    for page in analysis.topics:
        try:
            yield from _of_topic(analysis, page)
        except Exception as bug:  # a plug-in's bug must not end the run
            yield Picture(title=page.title, legend=f"not drawn: {type(bug).__name__}: {bug}", svg="")


def _of_topic(analysis: Analysis, page: TopicPage) -> Iterator[Picture]:
    """The chart of the first capture that has one."""
    if page.chart is None:
        return
    views = analysis.case.views
    for view in views:
        chart = page.chart(view)
        if chart is not None:
            where = f", {view.name}" if len(views) > 1 else ""
            more = f"; {chart.left_out} more not drawn" if chart.left_out else ""
            yield Picture(title=f"{chart.title}{where}", legend=f"{chart.legend}{more}", svg=lanes.draw(chart))
            return
