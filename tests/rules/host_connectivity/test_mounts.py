"""HOST008 and HOST026: mounts that are denied or granted."""

import struct
from pathlib import Path

import pytest

from dissectors.rpc import Program
from pcapdx.model import Severity
from tests.dissectors.test_rpc import COMPOUND, GETPORT, LOOKUP, MNT, call, denied, record, reply, text
from tests.rules.build import Tape
from tests.rules.host_connectivity.talking import HOST, OTHER, Talk

STEP = call(Program.NFS, 4, 1, text("") + struct.pack(">III", 0, 2, 22) + text("handle00") + LOOKUP + text("primary"))


def asked(
    tape: Tape,
    at_s: float,
    question: bytes,
    answer: bytes,
    *,
    port: int = 2049,
    source: int = 40_001,
    late_s: float = 0.1,
) -> Talk:
    talk = Talk(tape, HOST, OTHER, port, source=source).open(at_s)
    return talk.says(at_s + late_s, HOST, record(question)).says(at_s + late_s + 0.01, OTHER, record(answer))


@pytest.mark.parametrize("status", [1, 2, 13])
def test_mount_denied(tmp_path: Path, status: int) -> None:
    tape = Tape()
    asked(tape, 0, MNT, reply(status), port=20048)
    found = tape.finding(tmp_path, "HOST008")
    assert found.severity is Severity.ERROR
    assert "/export/primary" in found.summary


def test_mount_granted(tmp_path: Path) -> None:
    tape = Tape()
    asked(tape, 0, MNT, reply(0, 8, 1, 2), port=20048)
    assert not tape.findings(tmp_path, "HOST008")
    assert "HOST026" in tape.proofs(tmp_path)


def test_granted_later(tmp_path: Path) -> None:
    tape = Tape()
    asked(tape, 0, MNT, reply(13), port=20048)
    asked(tape, 5, MNT, reply(0, 8, 1, 2), port=20048, source=40_002)
    assert tape.finding(tmp_path, "HOST008").severity is Severity.INFO


def test_version_4_from_the_root(tmp_path: Path) -> None:
    tape = Tape()
    asked(tape, 0, COMPOUND, reply(2, 0, 3, 24, 0, 15, 0, 15, 2))
    assert "/export/a" in tape.finding(tmp_path, "HOST008").summary


def test_version_4_falls_back_to_3(tmp_path: Path) -> None:
    tape = Tape()
    asked(tape, 0, COMPOUND, reply(2, 0, 3, 24, 0, 15, 0, 15, 2))
    asked(tape, 2, MNT, reply(0, 8, 1, 2), port=20048, source=40_002)
    assert tape.finding(tmp_path, "HOST008").severity is Severity.INFO


def test_version_4_step_by_step(tmp_path: Path) -> None:
    """A client that leaves after it was mounting; one that stays only misses a file."""
    tape = Tape()
    talk = asked(tape, 0, STEP, reply(2, 0, 2, 22, 0, 15, 2))
    assert not tape.findings(tmp_path, "HOST008")
    talk.ends(0.5, HOST)
    assert tape.findings(tmp_path, "HOST008")


def test_a_file_that_is_missing_later_on(tmp_path: Path) -> None:
    tape = Tape()
    asked(tape, 0, STEP, reply(2, 0, 2, 22, 0, 15, 2), late_s=4).ends(5, HOST)
    assert not tape.findings(tmp_path, "HOST008")


def test_no_mount_service(tmp_path: Path) -> None:
    tape = Tape()
    asked(tape, 0, GETPORT, reply(0), port=111)
    assert "not registered" in tape.finding(tmp_path, "HOST008").summary
    asked(tape, 1, COMPOUND, reply(0, 0, 4, 24, 0, 15, 0, 15, 0), source=40_002)
    assert tape.finding(tmp_path, "HOST008").severity is Severity.INFO


def test_credentials(tmp_path: Path) -> None:
    tape = Tape()
    asked(tape, 0, MNT, denied(), port=20048)
    assert "credentials" in tape.finding(tmp_path, "HOST008").summary
