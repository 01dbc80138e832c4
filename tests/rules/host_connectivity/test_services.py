"""HOST011, HOST012, HOST013, HOST014, HOST017 to HOST025: services between the machines of a cloud."""

from email.utils import formatdate
from pathlib import Path

import pytest

from pcapdx.model import Severity
from pcapdx.site import Management, Site
from pcapdx.vantage import Role
from tests.dissectors import test_iscsi, test_mysql, test_openflow
from tests.rules.build import START, Tape, arp_reply, arp_request
from tests.rules.host_connectivity.talking import HOST, OTHER, SERVER, End, Talk, life, prohibits, refused, silent, syn

GUEST: End = ("02:01:00:cc:00:16", "10.1.1.57")
CPVM: End = ("1e:00:31:00:00:52", "192.168.10.60")
CONTROL_END: End = ("52:54:00:00:00:01", "169.254.0.1")
CONTROL: End = ("0e:00:a9:fe:3d:07", "169.254.61.7")
KNOWN = Site(management=Management(servers=(SERVER[1],)))


@pytest.mark.parametrize("port", [16509, 16514])
def test_libvirt_silent(tmp_path: Path, port: int) -> None:
    tape = silent(life(Tape(), 20, HOST, OTHER), HOST, OTHER, port)
    assert tape.finding(tmp_path, "HOST011").severity is Severity.ERROR


def test_one_refusal_of_libvirt_is_a_warning(tmp_path: Path) -> None:
    assert refused(Tape(), HOST, OTHER, 16514, 1).finding(tmp_path, "HOST011").severity is Severity.WARNING


def test_the_other_port_works(tmp_path: Path) -> None:
    tape = refused(Tape(), HOST, OTHER, 16514, 1)
    Talk(tape, HOST, OTHER, 16509).open(3).says(3.1, HOST, 30).says(3.2, OTHER, 30)
    assert tape.finding(tmp_path, "HOST011").severity is Severity.INFO


def test_ports_of_the_migration_need_libvirt_beside_them(tmp_path: Path) -> None:
    tape = silent(life(Tape(), 20, HOST, OTHER), HOST, OTHER, 49152, at_s=2)
    assert not tape.findings(tmp_path, "HOST011")
    Talk(tape, HOST, OTHER, 16514, source=43_000).open(1).says(1.1, HOST, 30).says(1.2, OTHER, 30)
    assert tape.findings(tmp_path, "HOST011")


@pytest.mark.parametrize(("client", "told"), [(CPVM, True), (HOST, False)])
def test_vnc_prohibited(tmp_path: Path, client: End, told: bool) -> None:
    asked = syn(client, OTHER, 5901)
    tape = Tape().add(0, asked).add(0.001, prohibits(OTHER, client, asked, code=10))
    assert bool(tape.findings(tmp_path, "HOST011")) is told


def test_who_scans_is_no_host(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(40):
        refused(tape, HOST, (OTHER[0], f"192.168.10.{100 + n}"), 16509, 1, at_s=1 + n * 0.1)
    assert not tape.findings(tmp_path, "HOST011")


@pytest.mark.parametrize(("every_s", "told"), [(50, True), (30, False)])
def test_system_vm_not_reached(tmp_path: Path, every_s: float, told: bool) -> None:
    tape = life(silent(Tape(), CONTROL_END, CONTROL, 3922, every_s=every_s), 200, CONTROL_END, CONTROL)
    assert bool(tape.findings(tmp_path, "HOST012")) is told
    tape = refused(Tape(), CONTROL_END, CONTROL, 3922, 4, every_s=every_s)
    assert bool(tape.findings(tmp_path, "HOST012")) is told


@pytest.mark.parametrize(
    ("asker", "target", "told"),
    [
        (CONTROL_END, "169.254.98.14", True),
        (CONTROL_END, "169.254.169.254", False),
        (GUEST, "169.254.98.14", False),
        (CONTROL_END, "10.1.1.9", False),
    ],
)
def test_control_address_of_nobody(tmp_path: Path, asker: End, target: str, told: bool) -> None:
    tape = life(Tape(), 170, CONTROL_END, CONTROL)
    for n in range(15):
        for again in range(3):
            tape.add(n * 10 + again, arp_request(*asker, target))
    assert bool(tape.findings(tmp_path, "HOST012")) is told


@pytest.mark.parametrize(
    ("role", "vlan", "told"),
    [(Role.NIC, 0, True), (Role.BRIDGE, 0, False), (Role.BRIDGE, 7, True), (Role.ANY, 7, False), (None, 0, False)],
)
def test_control_traffic_leaks(tmp_path: Path, role: Role | None, vlan: int, told: bool) -> None:
    tape = Tape()
    for at in range(3):
        tape.add(at, arp_request(*CONTROL, "169.254.0.1"), vlan=vlan)
    assert bool(tape.findings(tmp_path, "HOST013", role=role)) is told


def test_control_mac_of_another_address(tmp_path: Path) -> None:
    tape = Tape()
    for at in range(3):
        tape.add(at, arp_request(CONTROL[0], "169.254.61.8", "169.254.0.1"))
    found = tape.finding(tmp_path, "HOST013", role=Role.BRIDGE)
    assert found.severity is Severity.WARNING
    assert "169.254.61.7" in found.summary


def both_answer(tape: Tape, ips: tuple[str, ...], macs: tuple[str, str]) -> Tape:
    for n, ip in enumerate(ips * 3):
        tape.add(n, arp_request(*SERVER, ip))
        for late, mac in enumerate(macs):
            tape.add(n + 0.001 * (late + 1), arp_reply(mac, ip, *SERVER))
    return tape


def test_arp_flux(tmp_path: Path) -> None:
    """Both MACs for both addresses is one host; both for one address may be two."""
    tape = both_answer(Tape(), ("192.168.10.11", "192.168.10.12"), (HOST[0], OTHER[0]))
    assert {one.subject.ip for one in tape.findings(tmp_path, "HOST014")} == {"192.168.10.11", "192.168.10.12"}
    assert not tape.findings(tmp_path, "HYP015")
    tape = both_answer(Tape(), ("192.168.10.11",), (HOST[0], OTHER[0]))
    assert not tape.findings(tmp_path, "HOST014")
    assert tape.findings(tmp_path, "HYP015")


@pytest.mark.parametrize("port", [22, 443, 3306])
def test_only_a_management_servers_tries_count(tmp_path: Path, port: int) -> None:
    quiet = silent(life(Tape(), 20, SERVER, OTHER), SERVER, OTHER, port)
    assert not quiet.findings(tmp_path, "HOST017")
    assert quiet.finding(tmp_path, "HOST017", site=KNOWN).severity is Severity.ERROR
    closed = refused(Tape(), SERVER, OTHER, port, 3)
    assert not closed.findings(tmp_path, "HOST018")
    assert closed.finding(tmp_path, "HOST018", site=KNOWN).severity is Severity.ERROR


def test_an_answered_agent_port_tells_the_management_server(tmp_path: Path) -> None:
    tape = refused(Tape(), SERVER, OTHER, 3306, 3)
    Talk(tape, HOST, SERVER, 8250, source=43_000).open(0).says(0.1, HOST, 30).says(0.2, SERVER, 30)
    assert tape.findings(tmp_path, "HOST018")


@pytest.mark.parametrize(("client", "told"), [(HOST, True), (GUEST, False)])
def test_iscsi_of_hosts_and_of_instances(tmp_path: Path, client: End, told: bool) -> None:
    assert bool(refused(Tape(), client, OTHER, 3260, 3).findings(tmp_path, "HOST018")) is told


def test_works_again(tmp_path: Path) -> None:
    tape = refused(Tape(), HOST, OTHER, 3260, 4)
    Talk(tape, HOST, OTHER, 3260).open(40).says(40.1, HOST, 48).says(40.2, OTHER, 48)
    assert tape.finding(tmp_path, "HOST018").severity is Severity.INFO


def test_prohibited(tmp_path: Path) -> None:
    asked = syn(SERVER, OTHER, 22)
    tape = Tape().add(0, asked).add(0.001, prohibits(OTHER, SERVER, asked))
    assert not tape.findings(tmp_path, "HOST019")
    assert "own firewall" in tape.finding(tmp_path, "HOST019", site=KNOWN).summary


def hung_up(times: int, after_s: float, *, by: End = OTHER, said: int = 0) -> Tape:
    tape = Tape()
    for n in range(times):
        talk = Talk(tape, SERVER, OTHER, 443, source=43_000 + n).open(n * 100)
        if said:
            talk.says(n * 100 + 0.1, SERVER, said)
        talk.ends(n * 100 + after_s, by, flags="RA")
    return tape


def test_hangs_up(tmp_path: Path) -> None:
    assert hung_up(2, 0.2).findings(tmp_path, "HOST020", site=KNOWN)
    assert hung_up(2, 60, said=200).findings(tmp_path, "HOST020", site=KNOWN)


@pytest.mark.parametrize("tape", [hung_up(1, 0.2), hung_up(2, 0.2, by=SERVER), hung_up(2, 60)])
def test_does_not_hang_up(tmp_path: Path, tape: Tape) -> None:
    """Once; a port check; an unused connection that timed out."""
    assert not tape.findings(tmp_path, "HOST020", site=KNOWN)


def test_database(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(2):
        talk = Talk(tape, SERVER, OTHER, 3306, source=43_000 + n).open(n)
        talk.says(n + 0.1, OTHER, test_mysql.NOT_ALLOWED).ends(n + 0.2, OTHER)
    assert tape.finding(tmp_path, "HOST022").severity is Severity.INFO
    assert tape.finding(tmp_path, "HOST022", site=KNOWN).severity is Severity.ERROR


def test_the_user_tells_that_it_is_cloudstacks_database(tmp_path: Path) -> None:
    tape = Tape()
    talk = Talk(tape, HOST, OTHER, 3306).open(0).says(0.1, OTHER, test_mysql.GREETING)
    talk.says(0.2, HOST, test_mysql.LOGIN).says(0.3, OTHER, test_mysql.DENIED)
    assert tape.finding(tmp_path, "HOST022").severity is Severity.ERROR
    later = Talk(tape, HOST, OTHER, 3306, source=43_000).open(5).says(5.1, OTHER, test_mysql.GREETING)
    later.says(5.2, HOST, test_mysql.LOGIN).says(5.3, OTHER, test_mysql.OK)
    assert tape.finding(tmp_path, "HOST022").severity is Severity.INFO


@pytest.mark.parametrize(("status", "severity"), [(0x0203, Severity.ERROR), (0x0101, None), (0x0000, None)])
def test_iscsi_login(tmp_path: Path, status: int, severity: Severity | None) -> None:
    tape = Tape()
    talk = Talk(tape, HOST, OTHER, 3260).open(0).says(0.1, HOST, test_iscsi.LOGIN)
    talk.says(0.2, OTHER, test_iscsi.pdu(0x23, status=status))
    found = tape.findings(tmp_path, "HOST023")
    assert (found[0].severity if found else None) is severity
    assert ("HOST026" in tape.proofs(tmp_path)) is (status == 0)


def test_openflow_versions(tmp_path: Path) -> None:
    tape = Tape()
    talk = Talk(tape, HOST, OTHER, 6653).open(0).says(0.1, HOST, test_openflow.HELLO)
    talk.says(0.2, OTHER, test_openflow.OLD_HELLO + test_openflow.FAILED)
    assert "1.5 here, 1.3 there" in tape.finding(tmp_path, "HOST025").summary
    good = Talk(tape, HOST, OTHER, 6653, source=43_000).open(5).says(5.1, HOST, test_openflow.OLD_HELLO)
    good.says(5.2, OTHER, test_openflow.OLD_HELLO).says(5.3, HOST, test_openflow.FEATURES)
    assert not tape.findings(tmp_path, "HOST025")


def answers(server: End, at_s: tuple[float, ...], off_s: float, *, tape: Tape, still: bool = False) -> Tape:
    for n, at in enumerate(at_s):
        date = formatdate(START + (at_s[0] if still else at) + off_s, usegmt=True)
        head = f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n".encode()
        source = 44_000 + n + 100 * int(server[1].rpartition(".")[2])
        talk = Talk(tape, HOST, server, 80, source=source).open(at)
        talk.says(at + 0.1, HOST, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").says(at + 0.2, server, head)
    return tape


def test_clock(tmp_path: Path) -> None:
    assert answers(SERVER, (0, 5), -2820, tape=Tape()).findings(tmp_path, "HOST024")
    assert answers(SERVER, (0,), 2820, tape=Tape()).findings(tmp_path, "HOST024")
    assert not answers(SERVER, (0, 5), -120, tape=Tape()).findings(tmp_path, "HOST024")
    assert not answers(SERVER, (0, 5), -2820, tape=Tape(), still=True).findings(tmp_path, "HOST024")


def test_the_captures_own_clock(tmp_path: Path) -> None:
    tape = answers(OTHER, (1, 6), -7200, tape=answers(SERVER, (0, 5), -7200, tape=Tape()))
    assert "capturing host" in tape.finding(tmp_path, "HOST024").summary
