"""Each escape keeps a text from being more than text in its place, and loses nothing of it."""

import csv
import html
import io
import unicodedata

import pytest
from hypothesis import given
from markdown_it import MarkdownIt

from pcapdx.report.escape import cell, code, markdown, markup, plain
from tests.report.hostile import STRINGS, texts

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


@given(texts)
def test_plain_is_printable_on_one_line(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable() or not shown
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in shown)
    assert plain(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("lab-1", "lab-1"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb", "a\\x0ab"),
        ("\u202eexe", "\\u202eexe"),
        ("\U000e0041", "\\U000e0041"),
        ("é漢字🙂", "é漢字🙂"),
    ],
)
def test_plain_shows_what_was_there(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(texts)
def test_markup_is_text_to_a_browser(text: str) -> None:
    escaped = markup(text)
    assert not set(escaped) & set("<>\"'")
    assert html.unescape(escaped) == plain(text)


@given(texts)
def test_markdown_is_text_and_nothing_else(text: str) -> None:
    """In a list item, as the report has it, it is one paragraph of plain text that reads as the text did."""
    parsed = MARKDOWN.parse(f"- x {markdown(text)}")
    assert [one.type for one in parsed] == [
        "bullet_list_open", "list_item_open", "paragraph_open", "inline", "paragraph_close", "list_item_close",
        "bullet_list_close",
    ]  # fmt: skip
    words = next(one for one in parsed if one.type == "inline").children or []
    assert {one.type for one in words} <= {"text", "text_special"}
    read = "".join(one.content for one in words).replace("\u200b", "").strip()
    assert read == f"x {plain(text).strip()}".strip()


@pytest.mark.parametrize("text", [text for text in STRINGS if plain(text).strip()])
def test_markdown_is_text_at_the_start_of_a_line(text: str) -> None:
    parsed = MARKDOWN.parse(markdown(text))
    assert [one.type for one in parsed] == ["paragraph_open", "inline", "paragraph_close"]


@pytest.mark.parametrize(
    "text", ["see http://evil.example", "www.evil.example", "root@evil.example", "WWW.evil.example"]
)
def test_markdown_makes_no_link_of_an_address(text: str) -> None:
    """Trackers turn bare addresses into links and mentions."""
    shown = markdown(text)
    assert not any(mark in shown.lower() for mark in ("://", "www.", "@e"))
    assert shown.replace("\u200b", "") == text


@given(texts)
def test_code_is_a_code_span(text: str) -> None:
    words = MARKDOWN.parse(f"x {code(text)} y")[1].children or []
    if plain(text).strip():
        assert [one.type for one in words] == ["text", "code_inline", "text"]
        assert words[1].content.strip() == plain(text).strip()


@given(texts)
def test_cell_is_no_formula(text: str) -> None:
    line = io.StringIO()
    csv.writer(line).writerow([cell(text), "next"])
    [[read, after]] = csv.reader(io.StringIO(line.getvalue()))
    assert not read.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert read.removeprefix("'") == plain(text).removeprefix("'")
    assert after == "next"
