"""TMPL001 to TMPL004 and TMPL014: what a guest does, or does not do, when it boots."""

from pathlib import Path

import pytest

from pcapdx.model import Severity
from pcapdx.vantage import Role
from tests.rules.build import Tape, arp_request, tcp
from tests.rules.console_proxy_tls.browsing import answer, get, spoken
from tests.rules.templates.booting import (
    G_IP,
    GUEST,
    O_IP,
    OTHER,
    R_IP,
    ROUTER,
    SITE,
    advertisement,
    ask,
    boot,
    report,
    solicitation,
    tell,
)

ROM = [("vendor_class_id", b"PXEClient:Arch:00000:UNDI:002001")]


def neighbours(tape: Tape, until_s: float) -> Tape:
    """Somebody else's broadcasts, every half minute."""
    for at_s in range(0, int(until_s) + 1, 30):
        tape.add(at_s, arp_request(OTHER, O_IP, "10.1.1.99"))
    return tape


@pytest.mark.parametrize(("until_s", "severity"), [(150, Severity.WARNING), (330, Severity.ERROR)])
def test_silent_at_its_own_tap(tmp_path: Path, until_s: float, severity: Severity) -> None:
    found = neighbours(Tape(), until_s).finding(tmp_path, "TMPL001", role=Role.TAP, site=SITE)
    assert (found.severity, found.subject.mac) == (severity, GUEST)


@pytest.mark.parametrize(
    ("tape", "role"),
    [
        (neighbours(Tape(), 90), Role.TAP),  # too short: firmware, file system checks
        (neighbours(Tape(), 330), Role.BRIDGE),  # it may be on another host
        (neighbours(Tape(), 330), None),
        (neighbours(Tape(), 330).add(200, arp_request(GUEST, G_IP, R_IP)), Role.TAP),
    ],
)
def test_silence_that_proves_nothing(tmp_path: Path, tape: Tape, role: Role | None) -> None:
    assert tape.findings(tmp_path, "TMPL001", role=role, site=SITE) == ()


def noise(until_s: float, mac: str = GUEST) -> Tape:
    return neighbours(Tape().add(0, report(mac)).add(1, solicitation(mac)).add(5, solicitation(mac)), until_s)


def test_nothing_but_ipv6_noise(tmp_path: Path) -> None:
    found = noise(150).finding(tmp_path, "TMPL002")
    assert (found.severity, found.subject.mac) == (Severity.WARNING, GUEST)


@pytest.mark.parametrize(
    "tape",
    [
        noise(90),
        noise(150, "fe:01:00:71:00:16"),  # the host's side of a tap
        noise(150).add(2, advertisement()),  # a network with IPv6 routers may be IPv6 only
        noise(150).add(100, ask("discover")),
        noise(150).add(100, arp_request(GUEST, G_IP, R_IP)),
    ],
)
def test_ipv6_noise_of_healthy_guests(tmp_path: Path, tape: Tape) -> None:
    assert tape.findings(tmp_path, "TMPL002") == ()


def test_boot_rom_alone(tmp_path: Path) -> None:
    tape = neighbours(boot(Tape(), 0, says=ROM), 210)
    found = tape.finding(tmp_path, "TMPL003")
    assert (found.severity, found.subject.mac) == (Severity.WARNING, GUEST)


@pytest.mark.parametrize(
    "tape",
    [
        neighbours(boot(Tape(), 0, says=ROM), 150),
        neighbours(boot(boot(Tape(), 0, says=ROM), 40, xid=2), 300),  # the system follows
        neighbours(boot(Tape(), 0), 300),  # no ROM
        neighbours(boot(Tape(), 0, says=ROM), 300).add(
            120, tcp(GUEST, G_IP, 40_000, ROUTER, R_IP, 2049, "S")
        ),  # diskless
    ],
)
def test_boot_rom_with_a_system(tmp_path: Path, tape: Tape) -> None:
    assert tape.findings(tmp_path, "TMPL003") == ()


def remembered(ip: str) -> Tape:
    """A lease of before is asked for, refused, and a new one given."""
    tape = Tape().add(0, ask("request", xid=9, says=[("requested_addr", ip)])).add(0.01, tell("nak", ip=ip, xid=9))
    return boot(tape, 5)


def test_lease_of_another_network(tmp_path: Path) -> None:
    found = remembered("192.168.77.5").finding(tmp_path, "TMPL004")
    assert found.severity is Severity.INFO
    assert "192.168.77.5" in found.summary
    assert remembered("10.1.1.200").findings(tmp_path, "TMPL004") == ()
    alone = Tape().add(0, ask("request", xid=9, says=[("requested_addr", "192.168.77.5")]))
    assert alone.findings(tmp_path, "TMPL004") == ()  # nobody tells which network this is


def served(at_s: float) -> Tape:
    tape = boot(Tape(), 0)
    for n, path in enumerate(("instance-id", "")):
        said = [get(f"/latest/meta-data/{path}", R_IP), answer("200 OK", b"i-2-15-VM")]
        spoken(tape, at_s + n, 80, said, client=(GUEST, G_IP), server=(ROUTER, R_IP))
    return tape


def test_clean_first_boot(tmp_path: Path) -> None:
    assert "TMPL014" in served(20).proofs(tmp_path)
    assert "TMPL014" not in served(300).proofs(tmp_path)
    assert "TMPL014" not in boot(Tape(), 0).proofs(tmp_path)
