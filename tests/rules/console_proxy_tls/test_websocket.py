"""CPVM014, CPVM020 to CPVM022 and CPVM024: the websocket in clear. CPVM017 to CPVM019: VNC behind it."""

from pathlib import Path

import pytest

from pcapdx.model import Severity
from pcapdx.site import Console, Site
from tests.rules.build import Tape
from tests.rules.console_proxy_tls.browsing import (
    H_IP,
    HYPERVISOR,
    PROXY,
    answer,
    get,
    refused,
    rfb,
    spoken,
    websocket,
)
from tests.rules.console_proxy_tls.test_certificates import codes

OPENED = (websocket(), answer("101 Switching Protocols"))
INSIDE = (PROXY, "10.250.1.112")
HOST = (HYPERVISOR, H_IP)
STRANGER = ("00:50:56:00:00:09", "10.250.1.77")
AT_HOME, PROXY_AT_HOME = ("a4:bb:6d:00:00:01", "10.1.1.7"), (PROXY, "10.1.1.45")


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden", "302 Found"])
def test_upgrade_refused(tmp_path: Path, status: str) -> None:
    tape = spoken(Tape(), 0, 8080, (websocket(), answer(status)))
    assert codes(tape, tmp_path) == {"CPVM014": Severity.ERROR}
    assert "Zx9" not in tape.finding(tmp_path, "CPVM014").summary


def test_other_paths_are_nobodys_websocket(tmp_path: Path) -> None:
    tape = spoken(Tape(), 0, 8080, (get("/chat", "www.example.org", "Upgrade: websocket"), answer("404 Not Found")))
    assert codes(tape, tmp_path) == {}


def test_dies_early(tmp_path: Path) -> None:
    tape = spoken(Tape(), 0, 8080, OPENED, ends="<F")
    assert codes(tape, tmp_path) == {"CPVM022": Severity.WARNING}
    assert "CPVM020" in codes(spoken(tape, 5, 8080, OPENED, ends="<F"), tmp_path)


@pytest.mark.parametrize(("ends", "ends_s"), [(">F", 0.5), ("<F", 5.0), ("", 0.0)])
def test_lives_or_was_closed_by_the_user(tmp_path: Path, ends: str, ends_s: float) -> None:
    tape = spoken(spoken(Tape(), 0, 8080, OPENED, ends=ends, ends_s=ends_s), 9, 8080, OPENED, ends=ends, ends_s=ends_s)
    assert codes(tape, tmp_path) == {"CPVM022": Severity.WARNING}


@pytest.mark.parametrize(("after_s", "said"), [(180.0, True), (60.0, False), (400.0, False)])
def test_idle_cut(tmp_path: Path, after_s: float, said: bool) -> None:
    tape = spoken(Tape(), 0, 8080, (*OPENED, (">", b"\x81\x80key!")), ends="<F", ends_s=after_s)
    assert ("CPVM021" in codes(tape, tmp_path)) is said


def test_in_clear_at_home_is_a_remark(tmp_path: Path) -> None:
    tape = spoken(Tape(), 0, 8080, OPENED, client=AT_HOME, server=PROXY_AT_HOME)
    assert tape.finding(tmp_path, "CPVM022").severity is Severity.INFO


def screen(*, seconds: int, kilobytes: int) -> tuple[tuple[str, bytes], ...]:
    return (*OPENED, *(("<", bytes(1000 * kilobytes // seconds)) for _ in range(seconds)))


@pytest.mark.parametrize(("seconds", "kilobytes", "proven"), [(8, 20, True), (8, 4, False), (2, 20, False)])
def test_console_works(tmp_path: Path, seconds: int, kilobytes: int, proven: bool) -> None:
    tape = spoken(Tape(), 0, 8080, screen(seconds=seconds, kilobytes=kilobytes), apart_s=1)
    assert ("CPVM024" in tape.proofs(tmp_path)) is proven


def test_vnc_refused_right_after_a_websocket_explains_its_end(tmp_path: Path) -> None:
    tape = Tape()
    for at_s in (0, 5):
        spoken(tape, at_s, 8080, OPENED, ends="<F")
        refused(tape, at_s + 0.1, 5904, 1, client=("02:00:00:00:00:09", INSIDE[1]), server=HOST)
    found = {one.finding.code: one for one in tape.analysis(tmp_path).diagnosed.findings}
    assert found["CPVM017"].finding.severity is Severity.ERROR
    assert found["CPVM020"].explained_by == found["CPVM017"].id


def test_vnc_refused_to_somebody_else(tmp_path: Path) -> None:
    assert codes(refused(Tape(), 0, 5904, client=STRANGER, server=HOST), tmp_path) == {}
    site = Site(console=Console(addresses=(STRANGER[1],)))
    tape = refused(Tape(), 0, 5904, client=STRANGER, server=HOST)
    assert tape.finding(tmp_path, "CPVM017", site=site).severity is Severity.ERROR


def test_vnc_refused_after_a_migration(tmp_path: Path) -> None:
    tape = refused(Tape(), 0, 5904, 1, client=INSIDE, server=HOST)
    assert tape.finding(tmp_path, "CPVM017").severity is Severity.ERROR
    other = ("a0:36:9f:00:00:22", "10.250.1.22")
    spoken(tape, 2, 5901, rfb(b"\x01", chosen=b"\x01", result=0), client=INSIDE, server=other)
    assert tape.finding(tmp_path, "CPVM017").severity is Severity.INFO


def test_vnc_password(tmp_path: Path) -> None:
    wrong, right = rfb(b"\x02", chosen=b"\x02", result=1), rfb(b"\x02", chosen=b"\x02", result=0)
    assert codes(spoken(Tape(), 0, 5905, wrong, client=INSIDE, server=HOST), tmp_path) == {"CPVM018": Severity.ERROR}
    assert codes(spoken(Tape(), 0, 5905, wrong, client=STRANGER, server=HOST), tmp_path) == {"CPVM018": Severity.INFO}
    assert codes(spoken(Tape(), 0, 5905, right, client=INSIDE, server=HOST), tmp_path) == {}


def test_vnc_security(tmp_path: Path) -> None:
    leaves, refuses = rfb(b"\x13", chosen=b"", result=None), rfb(b"", chosen=b"", result=None)
    for said in (leaves, refuses):
        tape = spoken(Tape(), 0, 5905, said, client=INSIDE, server=HOST)
        assert codes(tape, tmp_path) == {"CPVM019": Severity.ERROR}
    agrees = rfb(b"\x13", chosen=b"\x13", result=None)
    assert codes(spoken(Tape(), 0, 5905, agrees, client=INSIDE, server=HOST), tmp_path) == {}
    later = spoken(Tape(), 0, 5905, leaves, client=INSIDE, server=HOST, ends_s=20)
    assert codes(later, tmp_path) == {}


def test_nothing_is_said_of_the_address_alone(tmp_path: Path) -> None:
    tape = spoken(Tape(), 0, 8080, (get("/", "www.example.org"), answer("200 OK", b"hello")))
    assert codes(tape, tmp_path) == {}
    assert tape.proofs(tmp_path) == set()
