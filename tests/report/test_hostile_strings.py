"""Hostile strings in every field that is printed stay text: in the terminal, HTML, SVG, Markdown, CSV and JSON."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import cycle
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pcapdx.case import Case
from pcapdx.diagnose import analyze, open_all, read_view
from pcapdx.listing import FORMATS, render
from pcapdx.report import html, ladder, markdown, terminal, text, timeline
from pcapdx.report import json as as_json
from pcapdx.report.document import Document, document_of
from pcapdx.report.pictures import pictures_of
from pcapdx.site import Site
from pcapdx.vantage import parse_argument
from tests import labelled
from tests.report.hostile import poisoned, texts
from tests.report.hostile_captures import write_all

CASES = ("dhcp-unknown-mac-bridge", "dhcp-offers-dropped-by-switch", "password-retry-storm", "metadata-crawl-complete")
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
SVG_TAGS = {"svg", "g", "path", "text", "tspan", "defs", "style", "use", "clipPath", "rect"}
OURS = "\n\u200b"
"""Line ends, and what keeps a tracker from making a link of an address."""
COLOUR = re.compile(r"\x1b\[[\d;]*m")


def poison(name: str, strings: list[str]) -> Document:
    """A case's report in which every text is one of these strings with some of its own words."""
    supply = cycle(strings)
    return poisoned(labelled.document(name), lambda old: f"{next(supply)}{old[:20]}")


def harmless(name: str, strings: list[str]) -> Document:
    """The same report with words in their places, equal where they are equal."""
    return poison(name, [f"word {strings.index(one)} " for one in strings])


each = given(st.sampled_from(CASES), st.lists(texts, min_size=1, max_size=40))
quick = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def assert_is_text(written: str) -> None:
    assert written.endswith("\n")
    assert not {char for char in written if char not in OURS and not char.isprintable()}


@quick
@each
def test_text(name: str, strings: list[str]) -> None:
    document = poison(name, strings)
    for width in (60, 80, 110):
        assert_is_text(text.render(document, width=width))


@quick
@each
def test_colour_is_the_only_escape(name: str, strings: list[str]) -> None:
    """Without its colours the report is the one without colour."""
    document = poison(name, strings)
    coloured = text.render(document, style=terminal.style)
    assert COLOUR.sub("", coloured) == text.render(document)


class Tags(HTMLParser):
    """Counts elements with their attributes' names and all values that are no words of the report."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: Counter[tuple[str, ...]] = Counter()
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[(tag, *(name if name == "aria-label" else f"{name}={value}" for name, value in attrs))] += 1

    def handle_comment(self, data: str) -> None:
        self.found[("!--", data)] += 1

    def handle_decl(self, decl: str) -> None:
        self.found[("!", decl)] += 1

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@quick
@each
def test_html(name: str, strings: list[str]) -> None:
    """The page has the elements and attributes of the harmless one, none more; its words have no control character."""
    parsed = Tags(html.render(poison(name, strings)))
    assert parsed.found == Tags(html.render(harmless(name, strings))).found
    assert not {char for word in parsed.words for char in word if char != "\n" and not char.isprintable()}


@quick
@each
def test_markdown(name: str, strings: list[str]) -> None:
    written = markdown.render(poison(name, strings))
    assert_is_text(written)
    blocks = MARKDOWN.parse(written)
    inline = [word for block in blocks for word in block.children or ()]
    unwanted = {"html_block", "html_inline", "link_open", "image", "em_open", "s_open", "fence", "code_block", "hr"}
    assert not unwanted & {one.type for one in (*blocks, *inline)}
    kinds = [one.type for one in blocks]
    assert kinds == [one.type for one in MARKDOWN.parse(markdown.render(harmless(name, strings)))]


@quick
@each
def test_json(name: str, strings: list[str]) -> None:
    """Nothing is changed, and nothing but ASCII is written."""
    document = poison(name, strings)
    written = as_json.render(document)
    assert_is_text(written)
    assert written.isascii()
    assert [one["summary"] for one in json.loads(written)["proofs"]] == [one.summary for one in document.proofs]


@settings(max_examples=10, deadline=None)
@given(st.lists(texts, min_size=3, max_size=8))
def test_svg(strings: list[str]) -> None:
    """The drawing is well-formed XML of the elements that matplotlib draws with, and refers to nothing outside."""
    line = timeline.timeline_of(labelled.analysis("password-retry-storm"))
    assert line is not None
    ends = cycle(strings)
    names = {end: next(ends) for one in line.events for end in (one.sender, one.receiver)}
    events = tuple(
        replace(one, label=label, sender=names[one.sender], receiver=names[one.receiver])
        for one, label in zip(line.events, cycle(strings), strict=False)
    )
    root = ElementTree.fromstring(ladder.draw(replace(line, events=events, capture=strings[0])))
    for element in root.iter():
        assert str(element.tag).rpartition("}")[2] in SVG_TAGS
        for key, value in element.attrib.items():
            assert not key.lower().startswith("on")
            assert not key.endswith("href") or value.startswith("#")
        assert all(char.isprintable() for char in (element.text or "").strip())


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_all(tmp_path_factory.mktemp("hostile"))


REPORTS: tuple[Callable[[Document], str], ...] = (text.render, markdown.render, as_json.render)


@pytest.mark.parametrize("kind", ["dhcp", "dns", "http", "tls", "pcapng"])
def test_hostile_capture(kind: str, captures: dict[str, Path]) -> None:
    """The same strings where they come from: host names, questions, headers, certificates, a file's own words."""
    path = captures[kind]
    arguments = [parse_argument(str(path))]
    analysis = analyze(arguments, labelled.plugins(), strict=True)
    document = document_of(analysis)
    for report in REPORTS:
        assert_is_text(report(document))
    page = html.render(document, pictures_of(analysis, document))
    parsed = Tags(page)
    tags = [tag for tag, *_ in parsed.found]
    assert not set(tags) & {"img", "iframe", "a", "object", "form", "link"}
    assert tags.count("script") == 1  # the page's own
    views = [
        read_view(one, reader, labelled.plugins().dissectors, Site(), thin_out=False)
        for one, reader in open_all(arguments)
    ]
    for form in FORMATS:
        assert_is_text("\n".join(render(Case(views=tuple(views)), form)) + "\n")
    rows = csv.reader(io.StringIO("\n".join(render(Case(views=tuple(views)), "csv"))))
    assert {len(row) for row in rows} == {8}


def strings_of(value: object) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from strings_of(one)


@pytest.mark.parametrize(
    ("kind", "mark"),
    [("dhcp", "\x1b[2J"), ("dns", "<script>"), ("http", "<img src=x"), ("tls", "\x1b[2J"), ("pcapng", "<script>")],
)
def test_hostile_captures_are_hostile(kind: str, mark: str, captures: dict[str, Path]) -> None:
    """The strings get as far as the messages: what the tests above see escaped was there to be escaped."""
    [(one, reader)] = open_all([parse_argument(str(captures[kind]))])
    view = read_view(one, reader, labelled.plugins().dissectors, Site(), thin_out=False)
    said = [text for line in render(Case(views=(view,)), "jsonl") for text in strings_of(json.loads(line))]
    assert any(mark in text for text in (*said, *(str(one.filter) for one in view.capture.interfaces)))
