"""HOST004, HOST005, HOST006, HOST010 and HOST015: agents' links, and hosts that go."""

from pathlib import Path

import pytest

from pcapdx.model import Confidence, Severity
from pcapdx.site import Management, Public, Site, Storage
from tests.rules.build import Tape
from tests.rules.host_connectivity.talking import HOST, OTHER, SERVER, SSVM, End, Talk, life, silent

GUEST: End = ("02:01:00:cc:00:16", "10.1.1.57")
NAS: End = ("00:a0:98:00:00:30", "192.168.10.30")
WORLD: End = ("00:1b:21:00:00:01", "91.198.174.77")


def link(
    tape: Tape, until_s: float, *, every_s: float = 60, host: End = HOST, at_s: float = 0, source: int = 42_001
) -> Talk:
    """An agent's link with pings."""
    talk = Talk(tape, host, SERVER, 8250, source=source).open(at_s)
    at = at_s + 0.1
    while at <= until_s:
        talk.says(at, host, 60).says(at + 0.1, SERVER, 40)
        at += every_s
    return talk


def test_agent_goes_quiet(tmp_path: Path) -> None:
    tape = life(Tape(), 430, HOST, SERVER)
    link(tape, 190)
    found = tape.finding(tmp_path, "HOST004")
    assert (found.severity, found.subject.ip, found.subject.server) == (Severity.WARNING, HOST[1], SERVER[1])


@pytest.mark.parametrize("until_s", [300, 325])
def test_not_quiet_for_long_enough(tmp_path: Path, until_s: float) -> None:
    tape = life(Tape(), until_s, HOST, SERVER)
    link(tape, 190)
    assert not tape.findings(tmp_path, "HOST004")


def test_a_slow_rhythm_is_no_silence(tmp_path: Path) -> None:
    tape = life(Tape(), 1000, HOST, SERVER)
    link(tape, 700, every_s=200)
    assert not tape.findings(tmp_path, "HOST004")


def test_a_host_that_says_nothing_at_all_is_not_judged(tmp_path: Path) -> None:
    tape = life(Tape(), 430, OTHER, SERVER)
    link(tape, 190)
    assert not tape.findings(tmp_path, "HOST004")


def test_an_agent_that_took_another_link(tmp_path: Path) -> None:
    tape = life(Tape(), 430, HOST, SERVER)
    link(tape, 190)
    link(tape, 430, at_s=200, source=42_002)
    assert not tape.findings(tmp_path, "HOST004")


def cut(tape: Tape, host: End, at_s: float, age_s: float, source: int, *, by: End = SERVER) -> None:
    talk = Talk(tape, host, SERVER, 8250, source=source).open(at_s)
    talk.says(at_s + 0.1, host, 60).says(at_s + 0.2, SERVER, 40).says(at_s + 0.3, host, 60)
    talk.ends(at_s + 0.3 + age_s, by)


def test_cut_at_the_same_age(tmp_path: Path) -> None:
    tape = Tape()
    cut(tape, HOST, 0, 50, 42_001)
    cut(tape, OTHER, 17, 51, 42_002)
    found = tape.finding(tmp_path, "HOST005")
    assert (found.severity, found.subject.server) == (Severity.WARNING, SERVER[1])


@pytest.mark.parametrize(
    ("ages", "starts", "by"),
    [
        ((50, 33), (0, 17), SERVER),  # a restart: other ages, one moment
        ((50, 50), (0, 1), SERVER),  # one age, one moment
        ((50, 58), (0, 17), SERVER),
        ((50, 50), (0, 17), None),  # the agents themselves hang up
        ((3, 3), (0, 17), SERVER),
    ],
)
def test_no_balancer(tmp_path: Path, ages: tuple[int, int], starts: tuple[int, int], by: End | None) -> None:
    tape = Tape()
    for host, age, start, source in zip((HOST, OTHER), ages, starts, (42_001, 42_002), strict=True):
        cut(tape, host, start, age, source, by=by or host)
    assert not tape.findings(tmp_path, "HOST005")


def test_a_server_gives_up_on_tls(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(3):
        talk = Talk(tape, HOST, SERVER, 8250, source=42_000 + n).open(n * 40)
        talk.says(n * 40 + 0.1, HOST, 200).says(n * 40 + 0.2, SERVER, 900).ends(n * 40 + 30, SERVER)
    assert not tape.findings(tmp_path, "HOST005")


def test_system_vm_by_its_public_nic(tmp_path: Path) -> None:
    tape = silent(life(Tape(), 20, SSVM, WORLD), SSVM, (WORLD[0], "10.50.0.5"), 8250)
    found = tape.finding(tmp_path, "HOST006")
    assert (found.confidence, found.subject.server) == (Confidence.LIKELY, "10.50.0.5")
    site = Site(public=Public(networks=("185.15.246.0/24",)), management=Management(networks=("10.50.0.0/24",)))
    assert tape.finding(tmp_path, "HOST006", site=site).confidence is Confidence.CERTAIN


def test_nfs_alone_may_be_a_guests_behind_a_router(tmp_path: Path) -> None:
    tape = silent(life(Tape(), 20, SSVM, WORLD), SSVM, (WORLD[0], "10.50.0.30"), 2049)
    assert not tape.findings(tmp_path, "HOST006")
    site = Site(public=Public(networks=("185.15.246.0/24",)), storage=Storage(networks=("10.50.0.0/24",)))
    assert tape.findings(tmp_path, "HOST006", site=site)


def test_a_public_management_server_is_none_of_it(tmp_path: Path) -> None:
    tape = silent(life(Tape(), 20, SSVM, WORLD), SSVM, (WORLD[0], "91.198.174.5"), 8250)
    assert not tape.findings(tmp_path, "HOST006")


def stall(tape: Tape, stalled_s: float) -> None:
    """Writes to NFS that are not answered any more from second 5 on."""
    talk = Talk(tape, HOST, NAS, 2049).open(0)
    for n in range(5):
        talk.says(n + 0.5, HOST, 900)
    talk.says(5, HOST, 900, acked=False)
    at, pause = 5.0, 1.0
    while at + pause <= 5 + stalled_s:
        at, pause = at + pause, pause * 2
        talk.again(at, HOST, 900)
    talk.again(5 + stalled_s, HOST, 900)


def test_storage_stalls_and_the_host_is_gone(tmp_path: Path) -> None:
    tape = life(Tape(), 120, OTHER, SERVER)
    stall(tape, 70)
    found = tape.finding(tmp_path, "HOST010")
    assert (found.severity, found.subject.ip) == (Severity.ERROR, HOST[1])


def test_a_short_stall_or_a_living_host(tmp_path: Path) -> None:
    tape = life(Tape(), 120, OTHER, SERVER)
    stall(tape, 40)
    assert not tape.findings(tmp_path, "HOST010")
    living = life(life(Tape(), 120, OTHER, SERVER), 120, HOST, SERVER)
    stall(living, 70)
    assert not living.findings(tmp_path, "HOST010")


def test_the_capture_ends_with_the_host(tmp_path: Path) -> None:
    tape = life(Tape(), 80, OTHER, SERVER)
    stall(tape, 70)
    assert not tape.findings(tmp_path, "HOST010")


@pytest.mark.parametrize(("client", "told"), [(WORLD, True), (OTHER, False), (SSVM, False)])
def test_open_to_the_public(tmp_path: Path, client: End, told: bool) -> None:
    tape = Tape()
    request = b"GET /?command=listUsers HTTP/1.1\r\nHost: a\r\n\r\n"
    Talk(tape, client, SERVER, 8096).open(0).says(0.1, client, request).says(0.2, SERVER, b"HTTP/1.1 200 OK\r\n\r\n")
    assert bool(tape.findings(tmp_path, "HOST015")) is told


def test_another_service_on_that_port(tmp_path: Path) -> None:
    tape = Tape()
    Talk(tape, WORLD, SERVER, 8096).open(0).says(0.1, WORLD, b"GET /web/index.html HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not tape.findings(tmp_path, "HOST015")
    assert tape.findings(tmp_path, "HOST015", site=Site(management=Management(servers=(SERVER[1],))))
