"""The HTML page in a real browser: whole, calm, readable on a phone, on paper, and without eyes."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pcapdx.report import html, ladder, lanes, passages, svg
from pcapdx.report.decoded import decoded
from pcapdx.report.document import Document
from pcapdx.report.pictures import pictures_of
from pcapdx.report.words import headline
from tests import labelled
from tests.report.hostile import STRINGS, poisoned

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PHONE, DESK = 390, 1280
CASES = ("dhcp-unknown-mac-bridge", "dhcp-offers-dropped-by-switch", "password-retry-storm", "password-delivered-g1")
CONTRAST = 4.5
"""WCAG 2.1, 1.4.3, for text of ordinary size."""

pytestmark = pytest.mark.xdist_group("browser")

each_case = pytest.mark.parametrize("name", CASES)

STYLES = """() => [...document.querySelectorAll('body *')]
  .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && !e.closest('svg'))
  .map(e => {
    let at = e, back = 'rgba(0, 0, 0, 0)';
    while (at && back === 'rgba(0, 0, 0, 0)') { back = getComputedStyle(at).backgroundColor; at = at.parentElement; }
    return [e.tagName, e.textContent.trim().slice(0, 40), getComputedStyle(e).color, back];
  })"""


def page_of(name: str, document: Document | None = None) -> str:
    document, analysis = document or labelled.document(name), labelled.analysis(name)
    frames = decoded(document, analysis.case, by_tshark=False)
    return html.render(document, pictures_of(analysis, document), decoded=frames)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=ARGUMENTS)
        yield chromium
        chromium.close()


class Opened:
    """A page, with all it asked for and all it complained of."""

    def __init__(self, browser: "Browser", path: Path, width: int) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 844}, java_script_enabled=True)
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._dismiss)
        self.page.goto(path.as_uri())

    def _dismiss(self, dialog: "Dialog") -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def evaluate(self, script: str) -> Any:
        return self.page.evaluate(script)


def opened(browser: "Browser", folder: Path, text: str, width: int) -> Opened:
    path = folder / "report.html"
    path.write_text(text, encoding="utf-8")
    return Opened(browser, path, width)


@each_case
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_page_is_whole_and_fits(name: str, width: int, browser: "Browser", tmp_path: Path) -> None:
    """Nothing is fetched, nothing fails, and nothing but a table or the drawing scrolls sideways."""
    seen = opened(browser, tmp_path, page_of(name), width)
    assert seen.asked == [seen.page.url]
    assert not seen.complaints
    assert seen.evaluate("document.documentElement.scrollWidth") <= width
    assert seen.page.locator("h1").inner_text().rstrip(".") == headline(labelled.document(name)).rstrip(".")
    assert seen.page.locator("script").count() == 1
    assert seen.page.locator("figure svg").count() >= 2


WIDE = """[...document.querySelectorAll('main *')].filter(one => !one.closest('.scroll')
  && one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 200)).slice(0, 3)"""
"""What sticks out of the page, outside of what scrolls by itself."""


def test_hostile_strings_run_nothing(browser: "Browser", tmp_path: Path) -> None:
    """A browser sees text where a string tried to be more."""
    supply = iter(STRINGS * 100)
    document = poisoned(labelled.document("password-retry-storm"), lambda old: f"{next(supply)}{old[:20]}")
    seen = opened(browser, tmp_path, page_of("password-retry-storm", document), PHONE)
    assert seen.asked == [seen.page.url]
    assert not seen.complaints
    assert seen.page.locator("img, iframe, form, a").count() == 0
    assert seen.page.locator("script").count() == 1  # the page's own
    assert seen.evaluate("document.documentElement.scrollWidth") <= PHONE, seen.evaluate(WIDE)


@each_case
def test_page_prints(name: str, browser: "Browser", tmp_path: Path) -> None:
    """A PDF of a few sheets, in which nothing is wider than the paper."""
    seen = opened(browser, tmp_path, page_of(name), DESK)
    pdf = seen.page.pdf(format="A4")
    assert pdf.startswith(b"%PDF-")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 4
    seen.page.emulate_media(media="print")
    seen.page.set_viewport_size({"width": 673, "height": 1000})  # A4 without its margins
    assert seen.evaluate("document.documentElement.scrollWidth") <= 673


@each_case
def test_page_reads_without_script(name: str, browser: "Browser", tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page_of(name), encoding="utf-8")
    page = browser.new_page(java_script_enabled=False)
    page.goto(path.as_uri())
    words = page.locator("main").inner_text()
    document = labelled.document(name)
    for summary in (*(one.summary for one in document.diagnoses[:1]), *(one.summary for one in document.proofs[:1])):
        assert summary.rstrip(".") in " ".join(words.split())


@each_case
def test_page_can_be_heard(name: str, browser: "Browser", tmp_path: Path) -> None:
    """Headings step down one at a time, the drawing has words, tables have heads, regions that scroll have names."""
    seen = opened(browser, tmp_path, page_of(name), DESK)
    levels = [int(tag[1]) for tag in seen.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => e.tagName)")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    pictures = [one.get_attribute("aria-label") or "" for one in seen.page.locator("figure svg[role=img]").all()]
    assert pictures[0].startswith("Time line of")
    assert all(len(words) > 20 for words in pictures)
    tables = seen.page.locator("table").count()
    assert seen.page.locator("table thead th[scope=col]").count() >= 2 * tables
    for region in seen.page.locator(".scroll").all():
        assert region.get_attribute("aria-label")
        assert region.get_attribute("tabindex") == "0"
    assert seen.page.locator("html[lang=en]").count() == 1


def luminance(colour: str) -> float:
    """Relative luminance of ``rgb(…)``, WCAG 2.1."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@each_case
def test_contrast(name: str, browser: "Browser", tmp_path: Path) -> None:
    seen = opened(browser, tmp_path, page_of(name), DESK)
    found = seen.evaluate(STYLES)
    assert len(found) > 20
    for tag, words, ink, paper in found:
        assert contrast(ink, paper) >= CONTRAST, f"{tag} {words!r}: {ink} on {paper}"
    for ink in (svg.INK, svg.SOFT, ladder.EVIDENCE, passages.SEEN, passages.MISSED, lanes.DONE, lanes.FAILED):
        assert contrast(f"rgb{tuple(bytes.fromhex(ink[1:]))}", "rgb(255, 255, 255)") >= CONTRAST


def test_contrast_is_wcag() -> None:
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)
    assert contrast("rgb(119, 119, 119)", "rgb(255, 255, 255)") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(
    "name", ["dhcp-unknown-mac-bridge", "password-retry-storm", "metadata-crawl-complete", "password-timeout"]
)
def test_labels_of_the_time_line_do_not_touch(name: str, browser: "Browser", tmp_path: Path) -> None:
    """No text of the drawing stands on another, as the browser draws them with its own fonts, and none is cut off."""
    seen = opened(browser, tmp_path, page_of(name), DESK)
    boxes = seen.evaluate("""() => [...document.querySelector('figure svg').querySelectorAll('text')].map(e => {
      const b = e.getBoundingClientRect(); return [e.textContent, b.left, b.top, b.right, b.bottom]; })""")
    left, right = seen.evaluate("""() => {
      const b = document.querySelector('figure svg').getBoundingClientRect(); return [b.left, b.right]; }""")
    assert len(boxes) > 6
    for place, (text, *box) in enumerate(boxes):
        assert box[0] >= left - 1, text
        assert box[2] <= right + 1, text
        for other, *against in boxes[place + 1 :]:
            apart = box[2] <= against[0] or against[2] <= box[0] or box[3] <= against[1] + 3 or against[3] <= box[1] + 3
            assert apart, f"{text!r} touches {other!r}"


def test_axe_finds_nothing(browser: "Browser", tmp_path: Path) -> None:
    """Deque's accessibility checks: structure, names, contrast, with script and its buttons."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for name in CASES:
        found = axe.run(opened(browser, tmp_path, page_of(name), DESK).page)
        assert not found.violations_count, found.generate_report()


def test_another_script_does_not_run(browser: "Browser", tmp_path: Path) -> None:
    """Only the page's own, by its digest; a string that came to be one would not."""
    page = page_of(CASES[0]).replace("</main>", "<script>document.title = 'taken'</script></main>")
    seen = opened(browser, tmp_path, page, DESK)
    assert seen.page.title() != "taken"
    assert seen.page.locator("button.fold").count() > 3


def test_fold(browser: "Browser", tmp_path: Path) -> None:
    """A heading hides what is below it, and shows it again; paper shows it in any case."""
    page = opened(browser, tmp_path, page_of(CASES[0]), DESK).page
    button, table = page.get_by_role("button", name="Topics"), page.locator("table.topics")
    assert button.get_attribute("aria-expanded") == "true"
    button.click()
    assert not table.is_visible()
    assert button.get_attribute("aria-expanded") == "false"
    page.emulate_media(media="print")
    assert table.is_visible()
    page.emulate_media(media="screen")
    button.click()
    assert table.is_visible()


def test_sort(browser: "Browser", tmp_path: Path) -> None:
    page = opened(browser, tmp_path, page_of(CASES[0]), DESK).page
    states = page.locator("table.topics tbody td.state")
    before = states.all_inner_texts()
    for order, expected in (("ascending", sorted(before)), ("descending", sorted(before, reverse=True))):
        page.locator("table.topics").get_by_role("button", name="state").click()
        assert states.all_inner_texts() == expected
        assert page.locator("table.topics th[aria-sort]").get_attribute("aria-sort") == order


def test_filter(browser: "Browser", tmp_path: Path) -> None:
    page = opened(browser, tmp_path, page_of(CASES[0]), DESK).page
    rows = page.locator("table.topics tbody tr")
    every = rows.count()
    page.get_by_role("searchbox").fill("console proxy")
    assert [row.inner_text().split("\t")[0] for row in rows.all() if row.is_visible()] == ["console proxy tls"]
    assert page.locator("h1").is_visible()
    page.get_by_role("searchbox").fill("")
    assert sum(row.is_visible() for row in rows.all()) == every


def test_copy(browser: "Browser", tmp_path: Path) -> None:
    """The clipboard gets the very text of the filter."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    path = tmp_path / "report.html"
    path.write_text(page_of(CASES[0]), encoding="utf-8")
    page = context.new_page()
    page.goto(path.as_uri())
    wanted = page.locator("code.command").first.inner_text()
    page.locator("button.copy").first.click()
    page.get_by_text("Copied").first.wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == wanted
    context.close()
