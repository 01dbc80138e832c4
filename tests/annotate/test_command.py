"""The command: one file, a folder, standard input, what is refused, and what it says."""

import os
import subprocess
import sys
from pathlib import Path

from tests.annotate.annotating import tshark
from tests.conftest import ROOT

SECRETIVE = ROOT / "captures/password-delivered-g1.pcap"


def run(*arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "pcapdx", "annotate", *arguments], input=stdin, capture_output=True, check=False
    )


def test_it_says_what_it_did(tmp_path: Path) -> None:
    done = run(str(SECRETIVE), "-o", str(tmp_path / "a.pcapng"))
    assert done.returncode == 0
    assert not done.stdout
    assert b"30 frames, comments on 10. Masked: 2 password server answers." in done.stderr
    assert b"Masked: 2 password server answers." in (tmp_path / "a.pcapng").read_bytes()
    assert [one.name for one in tmp_path.iterdir()] == ["a.pcapng"]


def test_standard_input(tmp_path: Path) -> None:
    done = run("-", "-o", str(tmp_path / "a.pcapng"), stdin=SECRETIVE.read_bytes())
    assert done.returncode == 0, done.stderr
    assert len(tshark(tmp_path / "a.pcapng", "frame.number")) == 30


def test_several_go_into_a_folder(tmp_path: Path) -> None:
    done = run(f"one={SECRETIVE}", f"two={SECRETIVE}", "-o", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["one.pcapng", "two.pcapng"]


def test_a_capture_is_never_written_over(tmp_path: Path) -> None:
    capture = tmp_path / "a.pcap"
    capture.write_bytes(SECRETIVE.read_bytes())
    done = run(str(capture), "-o", str(capture))
    assert done.returncode == 2
    assert b"is a capture that is read" in done.stderr
    assert capture.read_bytes() == SECRETIVE.read_bytes()


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = run(str(SECRETIVE), "-o", str(tmp_path / "pipe"))
    assert done.returncode == 2
    assert b"is no file that could be replaced" in done.stderr
    assert (tmp_path / "pipe").is_fifo()


def test_damaged_input_is_told(tmp_path: Path) -> None:
    capture = tmp_path / "a.pcap"
    capture.write_bytes(SECRETIVE.read_bytes()[:-5])
    assert run(str(capture), "-o", str(tmp_path / "b.pcapng")).returncode == 3


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    done = run(str(SECRETIVE), "-o", str(tmp_path / "no/such/a.pcapng"))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
