"""SG001, SG002 and SG011: who is silent, and who says no."""

from pathlib import Path

from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from pcapdx.model import Confidence, Severity
from pcapdx.site import Router, Site
from pcapdx.vantage import Role
from tests.rules.build import Tape, along, arp_reply, arp_request, by_code, echo, echo6, tcp

CLIENT, SERVER, OTHER = "02:01:00:cc:00:31", "02:01:00:cc:00:32", "02:01:00:cc:00:33"
C_IP, S_IP = "10.1.0.49", "10.1.0.50"


def syns(tape: Tape, server: str = S_IP, *, port: int = 5432, at_s: float = 5) -> Tape:
    """A SYN, sent again after 1, 2 and 4 s."""
    for at in (0, 1, 3, 7):
        tape.add(at_s + at, tcp(CLIENT, C_IP, 40000, SERVER, server, port, "S", seq=100))
    return tape


def alive(tape: Tape, server: str = S_IP, *, by: str = "ping") -> Tape:
    """The server answers something; the capture runs on."""
    tape.add(0, arp_request(CLIENT, C_IP, server)).add(0.001, arp_reply(SERVER, server, CLIENT, C_IP))
    if by == "ping":
        tape.add(1, echo(CLIENT, C_IP, SERVER, server)).add(1.001, echo(SERVER, server, CLIENT, C_IP, reply=True))
    if by == "port":
        tape.add(1, tcp(CLIENT, C_IP, 40001, SERVER, server, 22, "S", seq=5))
        tape.add(1.001, tcp(SERVER, server, 22, CLIENT, C_IP, 40001, "SA", seq=9, ack=6))
    return tape.add(20, arp_request(CLIENT, C_IP, server)).add(20.001, arp_reply(SERVER, server, CLIENT, C_IP))


def test_a_silent_port_of_a_living_machine(tmp_path: Path) -> None:
    found = alive(syns(Tape())).finding(tmp_path, "SG001", role=Role.BRIDGE)
    assert (found.severity, found.subject.server, found.subject.port) == (Severity.INFO, S_IP, 5432)
    assert "before or after here" in found.summary


def test_another_port_shows_life(tmp_path: Path) -> None:
    assert "port 22" in alive(syns(Tape()), by="port").finding(tmp_path, "SG001", role=Role.BRIDGE).summary


def test_in_a_zone_without_groups_it_is_a_fault(tmp_path: Path) -> None:
    found = alive(syns(Tape())).finding(tmp_path, "SG001", role=Role.BRIDGE, site=Site(security_groups=False))
    assert found.severity is Severity.WARNING


def test_a_dead_machine_has_no_filter(tmp_path: Path) -> None:
    tape = syns(Tape()).add(20, arp_request(CLIENT, C_IP, "10.1.0.1"))
    assert not tape.findings(tmp_path, "SG001", role=Role.BRIDGE)


def test_a_refusal_is_not_silence(tmp_path: Path) -> None:
    tape = alive(syns(Tape())).add(5.001, tcp(SERVER, S_IP, 5432, CLIENT, C_IP, 40000, "RA", ack=101))
    assert not tape.findings(tmp_path, "SG001", role=Role.BRIDGE)


def test_a_routers_ports_have_rules_of_their_own(tmp_path: Path) -> None:
    site = Site(router=(Router(ips=(S_IP,)),))
    assert not alive(syns(Tape())).findings(tmp_path, "SG001", role=Role.BRIDGE, site=site)


def test_at_the_servers_tap_the_host_let_it_pass(tmp_path: Path) -> None:
    tape = alive(syns(Tape()))
    tape.add(2, echo(OTHER, "10.1.0.60", SERVER, S_IP)).add(2.001, echo(SERVER, S_IP, OTHER, "10.1.0.60", reply=True))
    found = tape.finding(tmp_path, "SG001", role=Role.TAP)
    assert found.confidence is Confidence.LIKELY
    assert "by the guest itself" in found.summary


def test_one_port_silent_everywhere_is_the_clients_way_out(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(3):
        server = f"10.1.0.{80 + n}"
        alive(syns(tape, server, port=443, at_s=5 + n), server)
    assert tape.finding(tmp_path, "SG002", role=Role.TAP).subject.port == 443
    assert not tape.findings(tmp_path, "SG001", role=Role.TAP)


def unreachable(code: int, sender_ip: str, *, port: int = 5432, sender: str = SERVER) -> Packet:
    """An ICMP error of somebody about the client's SYN."""
    quoted = bytes(tcp(CLIENT, C_IP, 40000, SERVER, S_IP, port, "S", seq=100)[IP])[:28]
    return Ether(src=sender, dst=CLIENT) / IP(src=sender_ip, dst=C_IP) / ICMP(type=3, code=code) / quoted


def test_the_target_itself_says_no(tmp_path: Path) -> None:
    found = syns(Tape()).add(5.001, unreachable(10, S_IP)).finding(tmp_path, "SG011")
    assert found.severity is Severity.INFO
    assert "the target itself" in found.summary


def test_a_router_says_no(tmp_path: Path) -> None:
    found = syns(Tape()).add(5.001, unreachable(13, "10.1.0.1", sender=OTHER)).finding(tmp_path, "SG011")
    assert "10.1.0.1, a router" in found.summary


def test_port_unreachable_for_tcp_is_a_firewall(tmp_path: Path) -> None:
    assert syns(Tape()).add(5.001, unreachable(3, S_IP)).findings(tmp_path, "SG011")


def test_host_unreachable_is_no_policy(tmp_path: Path) -> None:
    assert not syns(Tape()).add(5.001, unreachable(1, "10.1.0.1")).findings(tmp_path, "SG011")


MADE, PRIVATE = "2001:db8::1:ff:fecc:31", "2001:db8::59d1:7a0e:33c2:8f41"


def speaking_ipv6(*, private_passes: bool) -> tuple[Tape, Tape]:
    """A guest pings by IPv6 from the address made of its MAC and from a privacy address."""
    tap, nic = Tape(), Tape()
    for n in range(20):
        for at, source, passes in ((n, MADE, True), (n + 0.3, PRIVATE, private_passes)):
            tap.add(at, echo6(CLIENT, source, SERVER, "2001:db8::51", number=n))
            if passes:
                nic.add(at + 0.0001, echo6(CLIENT, source, SERVER, "2001:db8::51", number=n), vlan=101)
        tap.add(n + 0.1, echo(CLIENT, C_IP, SERVER, S_IP, number=n))
        nic.add(n + 0.1001, echo(CLIENT, C_IP, SERVER, S_IP, number=n), vlan=101)
        nic.add(n + 0.1002, echo(SERVER, S_IP, CLIENT, C_IP, number=n, reply=True), vlan=101)
        tap.add(n + 0.1003, echo(SERVER, S_IP, CLIENT, C_IP, number=n, reply=True))
    return tap, nic


def test_a_privacy_address_dies_on_its_host(tmp_path: Path) -> None:
    tap, nic = speaking_ipv6(private_passes=False)
    found = by_code(along(tmp_path, ("tap", Role.TAP, tap), ("nic", Role.NIC, nic)))["SG006"]
    assert (found.severity, found.subject.ip) == (Severity.ERROR, PRIVATE)


def test_a_privacy_address_that_passes(tmp_path: Path) -> None:
    tap, nic = speaking_ipv6(private_passes=True)
    assert "SG006" not in by_code(along(tmp_path, ("tap", Role.TAP, tap), ("nic", Role.NIC, nic)))
