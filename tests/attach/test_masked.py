"""What shows to be masked and what does not: content counts, names prove nothing."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pcapdx.annotate.seal import UNSEALED
from pcapdx.attach.masked import NotMaskedError, known
from pcapdx.bundle import packed
from pcapdx.cli import cli
from tests import labelled
from tests.annotate.annotating import annotated
from tests.attach.conftest import FAULTY, Attach
from tests.capture.writing import Packet, enhanced, interface, option, rich_pcapng, section

CAPTURE = Path(labelled.CASES[FAULTY].arguments[0].path)
PLAIN = labelled.CASES["password-delivered-g1"].arguments[0].path


def wrote(folder: Path, *arguments: str) -> Path:
    path = folder / "out"
    done = CliRunner().invoke(cli, [*arguments, "-o", str(path)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return path


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return wrote(tmp_path_factory.mktemp("sealed"), "annotate", str(PLAIN)).read_bytes()


@pytest.fixture(scope="module")
def zipped(bundle: Path) -> bytes:
    return bundle.read_bytes()


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {one: archive.read(one) for one in archive.namelist()}


def rezipped(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def test_bundles_captures_and_reports(zipped: bytes, sealed: bytes, tmp_path: Path) -> None:
    told = known("a", zipped)
    assert told.what == "bundle"
    assert told.report is not None
    assert told.report["schema"] == "pcapdx.report/1"
    assert known("a", sealed).capture
    for form in ("html", "json", "sarif"):
        assert known("a", wrote(tmp_path, "analyze", str(PLAIN), "--format", form).read_bytes()).what == "report"


@pytest.mark.parametrize("form", ["text", "md", "jira"])
def test_reports_that_nothing_shows(form: str, tmp_path: Path) -> None:
    with pytest.raises(NotMaskedError, match="html, json or sarif"):
        known("a", wrote(tmp_path, "analyze", str(PLAIN), "--format", form).read_bytes())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--no-mask",), "was not masked"),
        (("--keep-secrets",), "was not masked"),
        (("--no-mask", "--evidence-only"), "was not masked"),
    ],
)
def test_captures_with_secrets_left(options: tuple[str, ...], words: str, tmp_path: Path) -> None:
    with pytest.raises(NotMaskedError, match=words):
        known("masked.pcapng", wrote(tmp_path, "annotate", str(PLAIN), *options).read_bytes())


@pytest.mark.parametrize("options", [("--evidence-only",), ("--merge",), ("--merge", "--evidence-only")])
def test_captures_of_every_shape_are_sealed(options: tuple[str, ...], tmp_path: Path) -> None:
    assert known("a", wrote(tmp_path, "annotate", str(PLAIN), *options).read_bytes()).capture


@pytest.mark.parametrize("order", "<>")
def test_sections_of_either_byte_order(order: str, tmp_path: Path) -> None:
    data = annotated(rich_pcapng(order) + rich_pcapng("<"), tmp_path, suffix=".pcapng").read_bytes()
    assert data.count(b"secrets masked; SHA-256") == 1
    assert known("a", data).capture


def test_a_comment_of_the_capture_cannot_take_the_place_of_the_seal(tmp_path: Path) -> None:
    """A comment that spells the mark, before and in the middle of a line."""
    for words in (UNSEALED, f"x {UNSEALED}", UNSEALED[:-60]):
        capture = section(option(1, words.encode())) + interface() + enhanced(Packet(1, bytes(60)))
        data = annotated(capture, tmp_path, suffix=".pcapng").read_bytes()
        assert known("a", data).capture


def test_a_plain_capture_is_none_whatever_its_name() -> None:
    with pytest.raises(NotMaskedError, match="was not masked"):
        known("bundle-masked.zip", Path(PLAIN).read_bytes())
    with pytest.raises(NotMaskedError, match="nothing that shows"):
        known("a.gz", b"\x1f\x8b" + bytes(40))


def test_an_old_seal_is_replaced(sealed: bytes, tmp_path: Path) -> None:
    again = annotated(sealed, tmp_path, suffix=".pcapng").read_bytes()
    assert again != sealed
    assert again.count(b"secrets masked; SHA-256") == 1
    assert known("a", again).capture


def test_a_seal_of_a_capture_that_was_not_masked_means_nothing(sealed: bytes, tmp_path: Path) -> None:
    (tmp_path / "in.pcapng").write_bytes(sealed)
    again = wrote(tmp_path, "annotate", str(tmp_path / "in.pcapng"), "--no-mask").read_bytes()
    with pytest.raises(NotMaskedError):
        known("a", again)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_capture_that_was_changed_is_refused(sealed: bytes, place: float, bit: int) -> None:
    changed = bytearray(sealed)
    changed[int(place * len(changed))] ^= 1 << bit
    with pytest.raises(NotMaskedError):
        known("a", bytes(changed))


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_bundle_that_was_changed_is_refused_or_holds_the_same(zipped: bytes, place: float, bit: int) -> None:
    """Times and rights of members may change; what they hold may not."""
    changed = bytearray(zipped)
    changed[int(place * len(changed))] ^= 1 << bit
    try:
        told = known("a", bytes(changed))
    except NotMaskedError:
        return
    assert told == known("a", zipped)


def test_cut_at_every_byte(zipped: bytes, sealed: bytes) -> None:
    for whole in (sealed[:3000], zipped):
        for size in range(len(whole)):
            with pytest.raises(NotMaskedError):
                known("a", whole[:size])


@given(data=st.binary(max_size=300), begin=st.sampled_from([b"PK\x03\x04", b"\n\r\r\n", b"{", b"<!doctype html>", b""]))
def test_any_bytes_are_refused(data: bytes, begin: bytes) -> None:
    with pytest.raises(NotMaskedError):
        known("a", begin + data)


class TestBundles:
    def test_with_one_more_member(self, zipped: bytes) -> None:
        files = members(zipped)
        files["OPS-812/evidence/raw.pcap"] = Path(PLAIN).read_bytes()
        with pytest.raises(NotMaskedError, match=r"not as its manifest says: OPS-812/evidence/raw\.pcap"):
            known("a", rezipped(files))

    def test_with_a_member_in_place_of_another(self, zipped: bytes) -> None:
        files = members(zipped)
        files["OPS-812/evidence/evidence.pcapng"] = CAPTURE.read_bytes()
        with pytest.raises(NotMaskedError, match=r"not as its manifest says: OPS-812/evidence/evidence\.pcapng"):
            known("a", rezipped(files))

    def test_with_a_member_missing(self, zipped: bytes) -> None:
        files = members(zipped)
        del files["OPS-812/report.txt"]
        with pytest.raises(NotMaskedError, match=r"report\.txt"):
            known("a", rezipped(files))

    def test_with_a_manifest_that_was_made_to_fit(self, zipped: bytes) -> None:
        """The manifest agrees, and the capture in it says by itself that it was not masked."""
        bundle = known("a", zipped).bundle
        assert bundle is not None
        files = [(name, data) for name, data in bundle.files if not name.endswith(".pcapng")]
        with pytest.raises(NotMaskedError, match="was not masked"):
            known("a", packed(bundle.about, [*files, ("evidence/a.pcap", Path(PLAIN).read_bytes())]))

    @pytest.mark.parametrize("change", [{"masked": False}, {"schema": "pcapdx.bundle/0"}, {"masked": "yes"}])
    def test_that_do_not_say_so(self, zipped: bytes, change: dict[str, object]) -> None:
        bundle = known("a", zipped).bundle
        assert bundle is not None
        with pytest.raises(NotMaskedError, match="no bundle of pcapdx whose secrets were masked"):
            known("a", packed({**bundle.about, **change}, bundle.files))

    def test_with_a_capture_before_or_behind(self, zipped: bytes) -> None:
        raw = Path(PLAIN).read_bytes()
        for data in (zipped + raw, b"PK\x03\x04" + raw + zipped):
            with pytest.raises(NotMaskedError):
                known("a", data)

    def test_any_other_zip(self) -> None:
        with pytest.raises(NotMaskedError, match="no bundle of pcapdx"):
            known("a", rezipped({"a/manifest.json": b"{}"}))
        with pytest.raises(NotMaskedError, match="no bundle of pcapdx"):
            known("a", rezipped({"b.pcap": Path(PLAIN).read_bytes()}))

    def test_a_bomb(self) -> None:
        with pytest.raises(NotMaskedError, match="too much"):
            known("a", rezipped({f"a/{n}": b"" for n in range(1001)}))


@pytest.mark.parametrize(
    "told",
    [
        {"schema": "pcapdx.report/1"},
        {"schema": "pcapdx.report/1", "tool": {"name": "other"}, "findings": []},
        {"version": "2.1.0", "runs": []},
        {"password": "x"},
    ],
)
def test_other_json(told: dict[str, object]) -> None:
    with pytest.raises(NotMaskedError, match="no report of pcapdx"):
        known("a", json.dumps(told).encode())


def test_the_command_refuses_and_says_what_would_do(attach: Attach) -> None:
    said = attach("OPS-1", CAPTURE, "--url", "http://127.0.0.1:9", tracker="jira", secret="some-token")
    assert said.status == 2
    assert "was not masked; pcapdx annotate writes a masked one" in said.err
    assert "--i-know-it-is-not-masked" in said.err
