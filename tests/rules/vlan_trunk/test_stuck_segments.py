"""VLAN017 from one capture: full-size segments that never arrive, between ends that live."""

from pathlib import Path

import pytest

from pcapdx.model import Confidence, Severity
from pcapdx.vantage import Role
from tests.rules.build import START, Tape, tcp

CLIENT, SERVER = ("02:01:00:cc:00:16", "10.1.1.7"), ("02:01:00:cc:00:17", "10.1.1.8")
FULL = 1448


def download(tape: Tape, at_s: float, port: int, *, repeats: int = 4, acked: int = 0, alive: bool = True) -> Tape:
    """A request, and an answer of full segments that are sent again; ``acked`` of them did arrive before."""
    there, back = (*CLIENT, port, *SERVER, 8000), (*SERVER, 8000, *CLIENT, port)
    tape.add(at_s, tcp(*there, "S", seq=0, mss=1460)).add(at_s + 0.01, tcp(*back, "SA", seq=0, ack=1, mss=1460))
    tape.add(at_s + 0.02, tcp(*there, "PA", seq=1, ack=1, size=80))
    for n in range(acked):
        tape.add(at_s + 0.03 + n / 100, tcp(*back, "PA", seq=1 + n * FULL, ack=81, size=FULL))
        tape.add(at_s + 0.035 + n / 100, tcp(*there, "A", seq=81, ack=1 + (n + 1) * FULL))
    for n in range(repeats + 1):
        tape.add(at_s + 0.2 + n, tcp(*back, "PA", seq=1 + acked * FULL, ack=81, size=FULL))
    if alive:
        tape.add(at_s + repeats + 1, tcp(*there, "FA", seq=81, ack=1 + acked * FULL))
    return tape


def test_two_connections(tmp_path: Path) -> None:
    found = download(download(Tape(), 0, 40000), 8, 40001).finding(tmp_path, "VLAN017")
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)


def test_cut_segments_may_have_wrong_checksums(tmp_path: Path) -> None:
    tape, cut = download(download(Tape(), 0, 40000), 8, 40001), Tape()
    for packet in tape.packets:
        cut.add(float(packet.time) - START, packet, snap=96)
    assert cut.finding(tmp_path, "VLAN017").severity is Severity.INFO


def test_one_connection_is_a_remark(tmp_path: Path) -> None:
    assert download(Tape(), 0, 40000).finding(tmp_path, "VLAN017").severity is Severity.INFO


@pytest.mark.parametrize("how", [{"repeats": 2}, {"alive": False}, {"acked": 3}])
def test_too_few_a_dead_receiver_or_segments_that_pass(tmp_path: Path, how: dict[str, int]) -> None:
    tape = download(download(Tape(), 0, 40000, **how), 8, 40001, **how)  # type: ignore[arg-type] # a bool is an int
    assert not tape.findings(tmp_path, "VLAN017")


def test_another_connection_gets_them_through(tmp_path: Path) -> None:
    tape = download(download(Tape(), 0, 40000), 8, 40001)
    assert not download(tape, 16, 40002, acked=4, repeats=0).findings(tmp_path, "VLAN017")


def test_at_the_receivers_own_tap(tmp_path: Path) -> None:
    """They did come: what drops them is the receiver."""
    tape = download(download(Tape(), 0, 40000), 8, 40001)
    tape.add(17, tcp(*CLIENT, 41000, "02:01:00:cc:00:18", "10.1.1.9", 22, "S"))
    assert not tape.findings(tmp_path, "VLAN017", role=Role.TAP)
