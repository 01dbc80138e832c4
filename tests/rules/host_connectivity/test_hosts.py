"""HOST001, HOST002, HOST003, HOST007, HOST009 and HOST016: agents and storage."""

from pathlib import Path

import pytest

from pcapdx.model import Severity
from pcapdx.site import Management, Site
from tests.rules.build import Tape, arp_reply, arp_request, tcp

HOST, OTHER, SERVER = "b8:59:9f:00:00:11", "b8:59:9f:00:00:12", "b8:59:9f:00:00:05"
H_IP, O_IP, S_IP = "192.168.10.11", "192.168.10.12", "192.168.10.5"


def life(tape: Tape, until_s: float) -> Tape:
    """ARP between host and server, at the start and at the end."""
    for at in (0, until_s):
        tape.add(at, arp_request(HOST, H_IP, S_IP)).add(at + 0.001, arp_reply(SERVER, S_IP, HOST, H_IP))
    return tape


def silent(tape: Tape, port: int, at_s: float = 1) -> Tape:
    """Four SYNs and no answer."""
    for at in (0, 1, 3, 7):
        tape.add(at_s + at, tcp(HOST, H_IP, 40000 + port % 1000, SERVER, S_IP, port, "S", seq=100))
    return tape


def refused(tape: Tape, port: int, times: int, *, every_s: float = 5, at_s: float = 1) -> Tape:
    """Connections that are refused."""
    for n in range(times):
        at, source = at_s + n * every_s, 41000 + n
        tape.add(at, tcp(HOST, H_IP, source, SERVER, S_IP, port, "S", seq=100 + n))
        tape.add(at + 0.001, tcp(SERVER, S_IP, port, HOST, H_IP, source, "RA", ack=101 + n))
    return tape


def linked(tape: Tape, at_s: float, *, port: int = 8250, source: int = 42001, size: int = 20) -> Tape:
    """A connection with data both ways for some seconds."""
    tape.add(at_s, tcp(HOST, H_IP, source, SERVER, S_IP, port, "S", seq=100))
    tape.add(at_s + 0.001, tcp(SERVER, S_IP, port, HOST, H_IP, source, "SA", seq=500, ack=101))
    for n in range(4):
        mine, theirs = 101 + size * n, 501 + 20 * n
        tape.add(at_s + n + 0.1, tcp(HOST, H_IP, source, SERVER, S_IP, port, "PA", seq=mine, ack=theirs, size=size))
        tape.add(
            at_s + n + 0.2, tcp(SERVER, S_IP, port, HOST, H_IP, source, "PA", seq=theirs, ack=mine + size, size=20)
        )
    return tape.add(at_s + 4, tcp(HOST, H_IP, source, SERVER, S_IP, port, "A", seq=101 + 4 * size, ack=581))


def test_agent_port_silent(tmp_path: Path) -> None:
    found = life(silent(Tape(), 8250), 20).finding(tmp_path, "HOST001")
    assert (found.severity, found.subject.server, found.subject.port) == (Severity.ERROR, S_IP, 8250)


def test_agent_port_silent_for_a_while(tmp_path: Path) -> None:
    tape = linked(life(silent(Tape(), 8250), 40), 30)
    assert tape.finding(tmp_path, "HOST001").severity is Severity.INFO


def test_the_capture_ends_too_early(tmp_path: Path) -> None:
    tape = Tape()
    for at in (0, 1, 3):
        tape.add(1 + at, tcp(HOST, H_IP, 40000, SERVER, S_IP, 8250, "S", seq=100))
    assert not life(tape, 5).findings(tmp_path, "HOST001")


def test_nobody_has_the_management_servers_address(tmp_path: Path) -> None:
    tape = Tape()
    for at in range(4):
        tape.add(at, arp_request(HOST, H_IP, S_IP))
    tape.add(1, arp_request(HOST, H_IP, O_IP)).add(1.001, arp_reply(OTHER, O_IP, HOST, H_IP))
    tape.add(9, arp_request(OTHER, O_IP, "192.168.10.1"))
    assert tape.findings(tmp_path, "HOST001", site=Site(management=Management(servers=(S_IP,))))
    assert not tape.findings(tmp_path, "HOST001")


@pytest.mark.parametrize(("times", "every_s", "told"), [(3, 5, True), (2, 5, False), (3, 40, False)])
def test_agent_port_refused(tmp_path: Path, times: int, every_s: float, told: bool) -> None:
    tape = life(refused(Tape(), 8250, times, every_s=every_s), 130)
    assert bool(tape.findings(tmp_path, "HOST002")) is told


def test_a_restart_is_a_remark(tmp_path: Path) -> None:
    tape = linked(refused(Tape(), 8250, 4), 30)
    assert tape.finding(tmp_path, "HOST002").severity is Severity.INFO
    assert "HOST016" in tape.proofs(tmp_path)


def test_a_service_that_went_away(tmp_path: Path) -> None:
    """It worked before, and does not come back."""
    tape = refused(linked(Tape(), 0), 8250, 4, at_s=10)
    assert tape.finding(tmp_path, "HOST002").severity is Severity.ERROR


def test_a_connection_without_data_proves_no_link(tmp_path: Path) -> None:
    tape = Tape()
    tape.add(0, tcp(HOST, H_IP, 42000, SERVER, S_IP, 8250, "S", seq=100))
    tape.add(0.001, tcp(SERVER, S_IP, 8250, HOST, H_IP, 42000, "SA", seq=500, ack=101))
    tape.add(0.002, tcp(HOST, H_IP, 42000, SERVER, S_IP, 8250, "FA", seq=101, ack=501))
    assert "HOST016" not in tape.proofs(tmp_path)
    assert not tape.grave(tmp_path)


def test_nfs_silent_and_refused(tmp_path: Path) -> None:
    assert life(silent(Tape(), 2049), 20).finding(tmp_path, "HOST007").severity is Severity.ERROR
    assert life(refused(Tape(), 2049, 3), 30).finding(tmp_path, "HOST007").severity is Severity.ERROR


def test_nfs_refused_twice_is_a_race(tmp_path: Path) -> None:
    assert not life(refused(Tape(), 2049, 2), 30).findings(tmp_path, "HOST007")


def test_nfs_needs_no_portmapper(tmp_path: Path) -> None:
    tape = linked(refused(Tape(), 111, 4), 30, port=2049)
    assert tape.finding(tmp_path, "HOST007").severity is Severity.INFO


def test_both_ports_are_one_finding(tmp_path: Path) -> None:
    tape = life(silent(silent(Tape(), 2049), 111), 20)
    assert tape.finding(tmp_path, "HOST007").subject.port == 2049


def writes(*, mss: int = 8960, size: int = 8948, again: int = 4, acked: bool = False, small: bool = True) -> Tape:
    """A small call that is acknowledged, then a large segment that is sent again and again."""
    tape = Tape()
    tape.add(0, tcp(HOST, H_IP, 42000, SERVER, S_IP, 2049, "S", seq=100, mss=mss))
    tape.add(0.001, tcp(SERVER, S_IP, 2049, HOST, H_IP, 42000, "SA", seq=500, ack=101, mss=mss))
    begin = 101
    if small:
        tape.add(0.1, tcp(HOST, H_IP, 42000, SERVER, S_IP, 2049, "PA", seq=101, ack=501, size=180))
        tape.add(0.101, tcp(SERVER, S_IP, 2049, HOST, H_IP, 42000, "A", seq=501, ack=281))
        begin = 281
    for n in range(again + 1):
        tape.add(1 + 2**n / 5, tcp(HOST, H_IP, 42000, SERVER, S_IP, 2049, "PA", seq=begin, ack=501, size=size))
    if acked:
        tape.add(9, tcp(SERVER, S_IP, 2049, HOST, H_IP, 42000, "A", seq=501, ack=begin + size))
    return life(tape, 12)


def test_large_segments_never_arrive(tmp_path: Path) -> None:
    found = writes().finding(tmp_path, "HOST009")
    assert (found.severity, found.subject.server) == (Severity.ERROR, S_IP)


@pytest.mark.parametrize(
    "tape",
    [
        writes(acked=True),
        linked(writes(), 15, port=2049, size=8948),
        writes(again=2),
        writes(mss=1460, size=1460),
        writes(size=1400),
        writes(small=False),
    ],
    ids=[
        "it got through",
        "others get through",
        "sent again twice",
        "no jumbo frames",
        "a small one",
        "none acknowledged",
    ],
)
def test_plain_loss(tmp_path: Path, tape: Tape) -> None:
    assert not tape.findings(tmp_path, "HOST009")


@pytest.mark.parametrize(("seconds", "said"), [((0, 1, 2, 3, 4, 5, 7), True), ((0, 1, 3, 7), True), ((0, 1, 3), False)])
def test_the_capture_ends_with_a_repeated_syn(tmp_path: Path, seconds: tuple[int, ...], said: bool) -> None:
    """An operator in a hurry: the last SYN had no time, the first three had."""
    tape = life(Tape(), 0)
    for at in seconds:
        tape.add(at, tcp(HOST, H_IP, 40_000, SERVER, S_IP, 2049, "S", seq=100))
    assert bool(tape.findings(tmp_path, "HOST007")) is said
