"""The report as one self-contained HTML file: no network, no script, readable on a phone and on paper."""

from pcapdx.report.document import Document
from pcapdx.report.escape import plain
from pcapdx.report.words import GRAVE, cited, facts, frame_list, headline, moment


def render(document: Document, *, timeline: str = "", decoded: str = "") -> str:
    """The whole page; ``timeline`` is an SVG element (see :mod:`pcapdx.report.timeline`), ``decoded`` Wireshark's trees."""
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    page = Environment(
        loader=PackageLoader("pcapdx.report", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page.filters.update(
        shown=lambda value: plain(str(value)),
        frames=frame_list,
        moment=moment,
        facts=facts,
        cited=lambda proof: cited(document, proof),
    )
    roots = [
        (document.finding(one.finding), [document.finding(other) for other in one.consequences])
        for one in document.diagnoses
    ]
    return page.get_template("page.html.j2").render(
        document=document,
        headline=headline(document),
        grave=[pair for pair in roots if pair[0].severity in GRAVE],
        remarks=[pair for pair in roots if pair[0].severity not in GRAVE],
        decoded=decoded,
        timeline=Markup(timeline),  # drawn by us, its words escaped by matplotlib
    )
