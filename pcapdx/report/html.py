"""The report as one self-contained HTML file: no network, no script, readable on a phone and on paper."""

from typing import TYPE_CHECKING

from pcapdx.report.document import Document
from pcapdx.report.escape import plain
from pcapdx.report.words import (
    MOST_IN_FULL,
    MOST_IN_SHORT,
    evidence_rows,
    facts,
    frame_list,
    frames_cited,
    headline,
    hop_table,
    in_short,
    issues,
    moment,
    passage_table,
    path_limits,
    roots,
    source,
    sources_differ,
    transits,
    worked,
)

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_ANOMALIES = 60
MARK = "pcapdx; secrets are never in a report"
"""In the page's head, so that it can be told from any other page."""


def render(document: Document, *, timeline: str = "", ladder: str = "", decoded: str = "") -> str:
    """The whole page; ``timeline`` and ``ladder`` are SVG elements by :mod:`pcapdx.report.ladder` and
    :mod:`pcapdx.report.passages`, ``decoded`` Wireshark's trees.
    """
    from markupsafe import Markup

    grave, remarks = roots(document)
    template = _environment().get_template("page.html.j2")
    return template.render(
        document=document,
        mark=MARK,
        headline=headline(document),
        several=len(document.captures) > 1,
        sources_differ=sources_differ(document),
        grave=grave[:MOST_IN_FULL],
        remarks=remarks[:MOST_IN_FULL],
        also=in_short([*grave[MOST_IN_FULL:], *remarks[MOST_IN_FULL:]], MOST_IN_SHORT),
        worked=worked(document),
        hops=hop_table(document),
        passages=passage_table(document),
        transits=transits(document),
        path_limits=path_limits(document),
        ladder=Markup(ladder),
        most_anomalies=MOST_ANOMALIES,
        decoded=decoded,
        timeline=Markup(timeline),  # drawn by us, its words escaped by matplotlib
    )


def _environment() -> "Environment":
    """Everything is escaped for HTML by Jinja; ``shown`` takes control characters out before."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    page = Environment(
        loader=PackageLoader("pcapdx.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    page.filters.update(
        shown=lambda value: plain(str(value)),
        frames=frame_list,
        cited_frames=frames_cited,
        evidence=evidence_rows,
        source=source,
        moment=moment,
        facts=facts,
        issues=issues,
    )
    return page
