"""What a capture cannot show is said, in words that fit the number."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pcapdx.case import View
from pcapdx.diagnose import analyze
from pcapdx.doctor import checks
from pcapdx.limits import limits_of
from pcapdx.plugins import Plugins
from pcapdx.progress import on_terminal
from pcapdx.vantage import parse_argument
from tests import labelled
from tests.capture.writing import Packet, enhanced, interface, option, padded, section

FRAME = bytes.fromhex("ffffffffffff0201000000010806") + bytes(46)


def view_of(path: Path) -> View:
    return analyze([parse_argument(str(path))], labelled.plugins()).case.views[0]


@pytest.fixture
def wrote(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "x.pcapng"


def test_a_good_capture_has_none() -> None:
    assert limits_of(labelled.analysis("password-delivered-g1").case.views[0]) == ()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dhcp-lease-short-snap-length", "frames (29 %) were cut short while capturing (snap length 128)"),
        ("dhcp-lease-any", "packets were recorded more than once; each counts once"),
        ("template-nic-silent", "of frames that repeat earlier ones only the number is known: "),
    ],
)
def test_limits_of_shipped_captures(name: str, said: str) -> None:
    assert any(said in limit for limit in limits_of(labelled.analysis(name).case.views[0]))


def test_filter_drops_and_steps_back(wrote: Path) -> None:
    drops = option(5, (7).to_bytes(8, "little"))
    wrote.write_bytes(
        section()
        + interface(option(2, b"eth1") + option(11, b"\0port 67"))
        + enhanced(Packet(5_000_000, FRAME))
        + enhanced(Packet(4_000_000, FRAME))
        + (lambda body: (5).to_bytes(4, "little") + (len(body) + 12).to_bytes(4, "little") + body
           + (len(body) + 12).to_bytes(4, "little"))(bytes(12) + padded(drops))
    )  # fmt: skip
    limits = limits_of(view_of(wrote))
    assert limits == (
        "7 frames were dropped while capturing, by the capture's own count",
        'captured with the filter "port 67"',
        "1 frame is earlier than the one before, by up to 1 s",
    )


def test_small_steps_back_are_no_limit() -> None:
    """Two queues of one NIC are written in the order they were fetched."""
    view = labelled.analysis("dhcp-unknown-mac-any").case.views[0]
    assert view.counters["backwards"] > 0
    assert not any("earlier" in limit for limit in limits_of(view))


def test_link_types_that_are_not_read(wrote: Path) -> None:
    wrote.write_bytes(section() + interface(link=105) + enhanced(Packet(1, FRAME)))
    [limit] = limits_of(view_of(wrote))
    assert limit.startswith("of link type ")
    assert limit.endswith("only the number of frames is known: 1")


def test_damage_comes_first(wrote: Path) -> None:
    data = section() + interface() + enhanced(Packet(1, FRAME)) + enhanced(Packet(2, FRAME))
    wrote.write_bytes(data[:-9])
    assert limits_of(view_of(wrote))[0].startswith("only part of the file could be read: ")


def test_doctor_looks_at_everything_that_may_be_missing(plugins: Plugins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = {one.what: one for one in checks(plugins)}
    assert found["packs"].ok
    assert found["packs"].needed
    assert not found["tshark"].ok
    assert "not installed" in found["tshark"].detail
    assert found["live capture"].detail.startswith("would use scapy")


class Terminal:
    """A standard error that is a terminal."""

    def __init__(self) -> None:
        self.written = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.written += text

    def flush(self) -> None:
        pass


@contextmanager
def watching(monkeypatch: pytest.MonkeyPatch, quiet_s: float) -> Iterator[Terminal]:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("pcapdx.progress.QUIET_S", quiet_s)
    ticks = iter(range(10_000))
    monkeypatch.setattr("pcapdx.progress.time.monotonic", lambda: next(ticks))
    yield terminal


def test_progress_is_shown_and_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = labelled.CASES["password-delivered-g1"].arguments
    with watching(monkeypatch, 0) as terminal:
        with on_terminal(arguments) as progress:
            analyze(arguments, labelled.plugins(), progress=progress)
        assert "100 %  30 frames of password-delivered-g1" in terminal.written
        assert terminal.written.endswith("\r\x1b[K")


def test_short_runs_show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = labelled.CASES["password-delivered-g1"].arguments
    with watching(monkeypatch, 1_000_000) as terminal:
        with on_terminal(arguments) as progress:
            analyze(arguments, labelled.plugins(), progress=progress)
        assert terminal.written == ""


def test_no_progress_without_a_terminal() -> None:
    run = subprocess.run(["true"], check=True)  # whatever standard error is under pytest, it is captured
    assert run.returncode == 0
    with on_terminal(()) as progress:
        assert progress is None
