"""The truth files are well formed, and true of the captures beside them."""

import gzip
import hashlib
import lzma
import re
import shutil
import subprocess
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import pytest

from captures.lab.scenario import CAPTURES, scenarios
from captures.lab.truth import TOPICS
from pcapdx.model import Subject, Topic
from pcapdx.site import Site, load_site

TRUTHS = sorted(path for path in CAPTURES.glob("*.toml") if not path.name.endswith(".site.toml"))
KEYS = {"file", "sha256", "taken_at", "role", "captures", "scenario", "story", "healthy", "secrets", "site",
        "faults", "consequences", "infos", "proofs"}  # fmt: skip
ROLES = {"tap", "bridge", "vlan", "nic", "bond", "trunk", "router", "any"}
SUBJECT = {field.name for field in fields(Subject)}

each_truth = pytest.mark.parametrize("path", TRUTHS, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    """One truth file."""
    return tomllib.loads(path.read_text())


def captures_of(truth: dict[str, Any]) -> list[dict[str, Any]]:
    """Its captures, one or several, each with file, sha256, taken_at and perhaps role."""
    found: list[dict[str, Any]] = truth.get("captures", [truth])
    return found


def unpacked(file: Path) -> bytes:
    """The bytes of a capture without its compression."""
    match file.suffix:
        case ".gz":
            return gzip.decompress(file.read_bytes())
        case ".xz":
            return lzma.decompress(file.read_bytes())
        case ".zst" | ".lz4":
            program = {".zst": "zstd", ".lz4": "lz4"}[file.suffix]
            if not shutil.which(program):
                pytest.skip(f"{program} is not installed")
            return subprocess.run([program, "-dc", str(file)], capture_output=True, check=True).stdout
        case _:
            return file.read_bytes()


def frame_count(data: bytes) -> int:
    """How many records a classic pcap or a pcapng of the lab has."""
    count = 0
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        at = 0
        while at < len(data):
            kind, length = (int.from_bytes(data[at + shift : at + shift + 4], "little") for shift in (0, 4))
            count += kind == 6
            at += length
        return count
    at = 24
    order: Literal["big", "little"] = "big" if data[:2] == b"\xa1\xb2" else "little"
    while at < len(data):
        at += 16 + int.from_bytes(data[at + 8 : at + 12], order)
        count += 1
    return count


def test_there_are_captures() -> None:
    """The tests below run on something."""
    assert len(TRUTHS) > 100


@each_truth
def test_keys_codes_and_subjects(path: Path) -> None:
    """Every key is known, every code has the topic of its letters, and subjects are pcapdx's."""
    truth = load(path)
    assert truth.keys() <= KEYS
    assert truth["healthy"] is not bool(truth.get("faults"))
    for one in captures_of(truth):
        assert one["taken_at"] in ROLES
        assert one.get("role", one["taken_at"]) == one["taken_at"]
    for label in (label for kind in ("faults", "consequences", "infos", "proofs") for label in truth.get(kind, ())):
        assert label.keys() <= {"code", "topic", "subject", "decisive"}
        assert label["topic"] == Topic(TOPICS[re.sub(r"\d{3}$", "", label["code"])])
        assert label.get("subject", {}).keys() <= SUBJECT


@each_truth
def test_file_is_the_one_that_was_recorded(path: Path) -> None:
    """The hash is the file's."""
    for one in captures_of(load(path)):
        assert hashlib.sha256((CAPTURES / one["file"]).read_bytes()).hexdigest() == one["sha256"]


@each_truth
def test_decisive_frames_exist(path: Path) -> None:
    """Every fault has decisive frames, and the capture has so many frames."""
    truth = load(path)
    counts = {one.get("name", ""): frame_count(unpacked(CAPTURES / one["file"])) for one in captures_of(truth)}
    for fault in truth.get("faults", ()):
        decisive = fault["decisive"]
        by_capture = decisive if isinstance(decisive, dict) else {"": decisive}
        assert any(by_capture.values())
        for name, frames in by_capture.items():
            assert all(1 <= frame <= counts[name] for frame in frames)


@each_truth
def test_secrets_are_in_the_capture(path: Path) -> None:
    """A secret that is nowhere would prove nothing of what is written without it."""
    truth = load(path)
    data = b"".join(unpacked(CAPTURES / one["file"]) for one in captures_of(truth))
    for secret in truth["secrets"]:
        assert secret.encode() in data


@each_truth
def test_site_profile_is_readable(path: Path) -> None:
    """Where a truth names a site profile, it lies beside it, and pcapdx takes it."""
    truth = load(path)
    if "site" in truth:
        assert load_site(CAPTURES / truth["site"]) != Site()


def test_every_scenario_has_its_capture_and_every_capture_its_scenario() -> None:
    """Nothing is left over on either side, and no story changed after the recording."""
    known = scenarios()
    assert {path.stem for path in TRUTHS} == set(known)
    for path in TRUTHS:
        truth, scenario = load(path), known[path.stem]
        assert (truth["scenario"], truth["story"]) == (scenario.source, scenario.story)


def test_nothing_lies_about() -> None:
    """Every capture file belongs to a truth, and all of them stay small."""
    named = {one["file"] for path in TRUTHS for one in captures_of(load(path))}
    files = [path for path in CAPTURES.iterdir() if ".pcap" in path.name]
    assert {path.name for path in files} == named
    assert sum(path.stat().st_size for path in files) < 10_000_000
