"""How files are made to fit: names, parts, evidence only, comments."""

import dataclasses
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdx.annotate.seal import is_unbroken
from pcapdx.annotate.trim import trimmed
from pcapdx.attach.masked import known
from pcapdx.attach.parts import MOST_PARTS, Given, mark_of, packing
from pcapdx.attach.tracker import AttachError, Limits
from pcapdx.attach.words import NOT_MASKED, diagnosis, notes
from tests.annotate.annotating import annotated, tshark
from tests.capture.writing import Packet, pcap
from tests.conftest import ROOT

FAULTY = ROOT / "captures/password-delivered-g1.pcap"


def limits(file: int, note: int | None = None) -> Limits:
    return Limits(file=file, note=note, told_by="a test")


def raw(name: str, data: bytes) -> Given:
    return Given(name=name, data=data, known=None)


@given(data=st.binary(min_size=1, max_size=4000), most=st.integers(100, 5000))
def test_parts_put_together_are_the_file(data: bytes, most: int) -> None:
    packed = packing([raw("a.bin", data)], limits(most, most), evidence_only=False)
    uploads = [one for group in packed.groups for one in group]
    assert b"".join(one.data for one in sorted(uploads, key=lambda one: one.name)) == data
    assert all(0 < len(one.data) <= most for one in uploads)
    assert all(sum(len(one.data) for one in group) <= most for group in packed.groups)
    assert bool(packed.said) is (len(data) > most)


def test_the_mark_of_one_file_is_its_own_sum() -> None:
    assert mark_of([b"x"]) == hashlib.sha256(b"x").hexdigest()[:12]
    assert mark_of([b"x", b"y"]) == mark_of([b"y", b"x"]) != mark_of([b"x"])


def test_names_are_harmless_each_once_and_bear_the_mark() -> None:
    files = [
        raw("a b/../\x1b[31m.zip", b"1"),
        raw("x.zip", b"2"),
        raw("x.zip", b"3"),
        raw("...", b"4"),
        raw("ü" * 300, b"5"),
    ]
    packed = packing(files, limits(100), evidence_only=False)
    names = [one.name for group in packed.groups for one in group]
    assert len(set(names)) == 5
    for name in names:
        assert packed.mark in name
        assert name.isascii()
        assert len(name) < 120
        assert not set(name) & set('/\\ "\x1b')


def test_too_many_parts_are_refused() -> None:
    with pytest.raises(AttachError, match="more than 50 parts"):
        packing([raw("a", bytes(10 * MOST_PARTS + 1))], limits(10), evidence_only=False)


def test_files_share_comments_as_far_as_they_fit() -> None:
    files = [raw(f"{n}.bin", bytes(40) + bytes([n])) for n in range(5)]
    assert [len(group) for group in packing(files, limits(100, 100), evidence_only=False).groups] == [2, 2, 1]
    assert [len(group) for group in packing(files, limits(100), evidence_only=False).groups] == [5]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An annotated capture with all its frames."""
    return annotated(FAULTY.read_bytes(), tmp_path_factory.mktemp("whole")).read_bytes()


class TestEvidenceOnly:
    def test_frames_that_prove_something_stay(self, whole: bytes, tmp_path: Path) -> None:
        before, after = tmp_path / "a.pcapng", tmp_path / "b.pcapng"
        before.write_bytes(whole)
        after.write_bytes(trimmed(whole, "a"))
        proving = tshark(before, "frame.number", options=("-Y", "frame.comment"))
        assert 0 < len(proving) < 30
        assert len(tshark(after, "frame.number")) == len(proving)
        comments = "\n".join(tshark(after, "frame.comment"))
        assert all(f"frame {number} of a" in comments for number in proving)
        assert tshark(after, "frame.time_epoch") == tshark(before, "frame.time_epoch", options=("-Y", "frame.comment"))
        assert is_unbroken(after.read_bytes())
        assert trimmed(after.read_bytes(), "b") == after.read_bytes()

    def test_a_capture_that_is_too_large_is_cut_and_it_is_said(self, whole: bytes) -> None:
        file = Given(name="a.pcapng", data=whole, known=known("a", whole))
        packed = packing([file], limits(len(whole) - 1), evidence_only=True)
        ((upload,),) = packed.groups
        assert upload.data == trimmed(whole, "a")
        assert "frames without a proof left out" in packed.said[0]
        assert packing([file], limits(len(whole)), evidence_only=True).groups[0][0].data == whole

    def test_a_bundle_stays_a_bundle(self, bundle: Path) -> None:
        data = bundle.read_bytes()
        file = Given(name="a.zip", data=data, known=known("a", data))
        packed = packing([file], limits(len(data) - 1), evidence_only=True)
        cut = b"".join(one.data for group in packed.groups for one in group)
        assert len(cut) < len(data)
        assert known("a", cut).bundle is not None

    @given(data=st.binary(max_size=400))
    def test_any_bytes(self, data: bytes) -> None:
        trimmed(b"\n\r\r\n" + data, "a")

    def test_cut_at_every_byte(self, whole: bytes) -> None:
        for size in range(3000):
            trimmed(whole[:size], "a")


def test_the_comment_tells_findings_files_masking_and_the_mark(tmp_path: Path) -> None:
    report = {
        "findings": [
            {
                "id": f"F{n}",
                "severity": "error",
                "confidence": "certain",
                "code": "DHCP002",
                "summary": "no\x1b[31m answer " * 40,
            }
            for n in range(7)
        ],
        "diagnoses": [{"finding": f"F{n}", "consequences": ["F9"] * n} for n in range(7)],
    }
    told = dataclasses.replace(
        known("a", annotated(pcap([Packet(1, bytes(60), 60)]), tmp_path).read_bytes()), report=report
    )
    given = [Given(name="a.json", data=b"12345", known=told), raw("b.pcap", b"raw")]
    packed = packing(given, limits(3, 5), evidence_only=False)
    made = notes(given, packed, "first\nsecond")
    assert made[0].lines[:2] == ("first", "second")
    assert sum("DHCP002" in line for line in made[0].lines) == 5
    assert "And 2 more, in the report." in made[0].lines
    assert f"b.pcap: {NOT_MASKED}" in made[0].lines
    assert not any("Secrets are masked" in line for line in made[0].lines)
    assert made[0].signature == f"pcapdx mark {packed.mark} 1/{len(made)}"
    assert "\x1b" not in "".join(line for note in made for line in note.lines)
    assert all(len(line) <= 400 for note in made for line in note.lines)


@pytest.mark.parametrize(
    "report", [{}, {"findings": [], "diagnoses": [{"finding": "F1"}]}, {"findings": 5, "diagnoses": 3}]
)
def test_a_report_of_another_shape_says_nothing(report: dict[str, object]) -> None:
    assert diagnosis(report) == []
