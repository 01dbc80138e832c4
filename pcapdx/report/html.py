"""The report as one self-contained HTML file: no network, readable without script, on a phone and on paper.

The one script it has (``page.js``: fold, filter, sort, copy) is named to the browser by its digest, so that no other
runs, whatever a capture holds.
"""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from pcapdx.report.document import Document
from pcapdx.report.escape import plain
from pcapdx.report.pictures import Pictures
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
    masked,
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
MOST_CONSEQUENCES = 24
MARK = "pcapdx; secrets are never in a report"
"""In the page's head, so that it can be told from any other page."""


def render(document: Document, pictures: Pictures | None = None, *, decoded: str = "") -> str:
    """The whole page; ``decoded`` are the evidence frames, and in the first line by whom."""
    from markupsafe import Markup

    pictures = pictures or Pictures()
    grave, remarks = roots(document)
    script = _script()
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
        ladder=Markup(pictures.ladder),
        charts=[(one.title, one.legend, Markup(one.svg)) for one in pictures.charts],
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        masked=masked(document),
        most_anomalies=MOST_ANOMALIES,
        most_consequences=MOST_CONSEQUENCES,
        decoded=decoded,
        timeline=Markup(pictures.timeline),  # drawn by us, its words escaped by matplotlib
    )


@cache
def _script() -> str:
    return files("pcapdx.report").joinpath("page.js").read_text(encoding="utf-8")


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
