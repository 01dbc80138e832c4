"""No password, key or user-data of a shipped capture is in anything that pcapdx writes of it, in no usual disguise."""

import base64
import shutil
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from pcapdx.case import Case
from pcapdx.diagnose import open_all, read_view
from pcapdx.listing import FORMATS, render
from pcapdx.report import decoded, html, json, markdown, passages, sarif, text
from pcapdx.report.document import document_of
from pcapdx.report.pictures import pictures_of
from pcapdx.site import Site
from tests import labelled

SECRETIVE = sorted(name for name, case in labelled.CASES.items() if case.truth["secrets"])
DECODED = ("password-delivered-g1", "password-delivered-g4", "metadata-crawl-complete", "metadata-crawl-router")


def disguises(secret: str) -> Iterator[bytes]:
    """A secret as a careless program would write it, in lower case."""
    raw = secret.encode()
    for form in (
        raw,
        raw.hex().encode(),
        raw.hex(":").encode(),
        raw.hex(" ").encode(),
        quote(secret, safe="").encode(),
    ):
        yield form.lower()
    for wide in ("utf-16-le", "utf-16-be"):
        yield secret.encode(wide).lower()
        yield secret.encode(wide).hex().encode()
    yield "\\x00".join(secret).encode().lower()
    for shift in range(3):  # as part of something longer: only the digits that its own bytes decide
        digits = base64.b64encode(bytes(shift) + raw)
        yield digits[-(-8 * shift // 6) : (8 * (shift + len(raw))) // 6].lower()


def outputs(name: str) -> Iterator[tuple[str, str]]:
    """Everything that is written of a case, with what it is."""
    analysis = labelled.analysis(name)
    document = document_of(analysis)
    yield "text", text.render(document)
    yield "JSON", json.render(document)
    frames = decoded.decoded(document, analysis.case, by_tshark=False)
    yield "HTML with pictures and frames", html.render(document, pictures_of(analysis, document), decoded=frames)
    yield "Markdown", markdown.render(document)
    yield "Jira", markdown.render(document, flavour=markdown.JIRA)
    yield "SARIF", sarif.render(document)
    yield "packets over points", passages.draw(document.path)
    readers = open_all(labelled.CASES[name].arguments)
    views = [read_view(one, reader, labelled.plugins().dissectors, Site(), thin_out=False) for one, reader in readers]
    for form in FORMATS:
        yield f"messages as {form}", "\n".join(render(Case(views=tuple(views)), form))


def assert_none(name: str, what: str, written: str) -> None:
    haystack = written.encode("utf-8", "surrogatepass").lower()
    for secret in labelled.CASES[name].truth["secrets"]:
        assert len(secret) >= 8, f"{name}: a secret this short may come by chance"
        for disguise in disguises(secret):
            assert disguise not in haystack, f"{what} of {name} holds {secret!r} as {disguise!r}"


@pytest.mark.parametrize("name", SECRETIVE)
def test_no_secret_is_written(name: str) -> None:
    for what, written in outputs(name):
        assert_none(name, what, written)


@pytest.mark.parametrize("name", DECODED)
def test_no_secret_is_decoded(name: str) -> None:
    """Wireshark shows everything; what ``--decode`` takes over is harmless, and still shows the frames."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    trees = decoded.by_wireshark(document_of(labelled.analysis(name)))
    assert trees.count(" frame ") > 3
    assert_none(name, "decoded frames", trees)


def test_there_are_secrets() -> None:
    """The captures hold enough of them, of every service that has any."""
    assert len(SECRETIVE) >= 20
    assert {name.partition("-")[0] for name in SECRETIVE} >= {"password", "metadata"}


@pytest.mark.parametrize(
    "leak",
    [
        "pw Zx9-lab-secret",
        "5a78392d6c61622d736563726574",
        "WlhaeDktbGFiLXNlY3JldA==",
        "Z\0x\x009\0-\0l\0a\0b\0-\0s\0e\0c\0r\0e\0t\0",
    ],
)
def test_a_leak_would_be_found(leak: str) -> None:
    """The disguises are looked for as they are written."""
    written = leak.lower().encode()
    assert any(disguise in written for disguise in disguises("Zx9-lab-secret"))
