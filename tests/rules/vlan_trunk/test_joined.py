"""VLAN007, VLAN008 and VLAN013: what appears twice, and what may."""

from pathlib import Path

import pytest

from pcapdx.model import Severity
from pcapdx.vantage import Role
from tests.rules.build import Tape, arp_request, discover, echo, udp

GUEST, OTHER, ROUTER = "02:01:00:cc:00:16", "02:01:00:cd:00:16", "00:1c:73:00:00:01"


def leaking(count: int, *, apart_s: float = 0.002, second: int = 102, alone: bool = False) -> Tape:
    """Broadcasts of VLAN 101 that come out in another one."""
    tape = Tape()
    if not alone:
        tape = crossed(second)
    for n in range(count):
        frame = arp_request(GUEST, "10.1.0.7", f"10.1.0.{20 + n}")
        tape.add(n, frame, vlan=101).add(n + apart_s, frame, vlan=second)
    return tape


def crossed(second: int = 102) -> Tape:
    """Another machine is heard in both VLANs, too."""
    frame = arp_request(OTHER, "10.1.0.8", "10.1.0.99")
    return Tape().add(0.3, frame, vlan=101).add(0.4, frame, vlan=second)


def test_a_gateway_of_two_tenants_is_alone_in_both_vlans(tmp_path: Path) -> None:
    assert not leaking(5, alone=True).findings(tmp_path, "VLAN007", role=Role.TRUNK)


def test_three_broadcasts_in_two_vlans(tmp_path: Path) -> None:
    found = leaking(3).finding(tmp_path, "VLAN007", role=Role.TRUNK)
    assert found.severity is Severity.ERROR
    assert "VLANs 101 and 102" in found.summary


def test_each_leak_of_several_has_its_name(tmp_path: Path) -> None:
    tape = leaking(3)
    tape.packets += leaking(3, second=103).packets
    found = {one.subject.name for one in tape.findings(tmp_path, "VLAN007", role=Role.TRUNK)}
    assert "VLANs 101 and 102" in found


def test_two_are_not_enough(tmp_path: Path) -> None:
    assert not leaking(2).findings(tmp_path, "VLAN007", role=Role.TRUNK)


def test_not_at_once_is_not_the_same_broadcast(tmp_path: Path) -> None:
    assert not leaking(5, apart_s=0.06).findings(tmp_path, "VLAN007", role=Role.TRUNK)


@pytest.mark.parametrize("role", [Role.ANY])
def test_interfaces_mixed_show_every_frame_twice(tmp_path: Path, role: Role) -> None:
    assert not leaking(5).grave(tmp_path, role=role)


def test_a_mirror_that_strips_one_copy(tmp_path: Path) -> None:
    """Untagged beside tagged is no second VLAN."""
    assert not leaking(5, second=0).findings(tmp_path, "VLAN007", role=Role.TRUNK)


def test_dhcp_in_two_vlans(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(3):
        tape.add(n, discover(GUEST, xid=n), vlan=101).add(n + 0.001, discover(GUEST, xid=n), vlan=102)
    assert tape.findings(tmp_path, "VLAN007", role=Role.TRUNK)


def in_two(
    first_ip: str,
    second_ip: str,
    *,
    mac: str = GUEST,
    ttl_route: bool = False,
    later: float = 0.5,
    alone: bool = False,
) -> Tape:
    """One MAC in two VLANs, three frames and more in each."""
    tape = Tape() if alone else crossed()
    for n in range(4):
        one, two = echo(mac, first_ip, ROUTER, "10.9.0.1"), echo(mac, second_ip, ROUTER, "10.9.0.1")
        if ttl_route:
            one["IP"].ttl = two["IP"].ttl = 63
        tape.add(n, arp_request(mac, first_ip, "10.1.0.1"), vlan=101).add(n + 0.1, one, vlan=101)
        tape.add(n + later, arp_request(mac, second_ip, "10.1.0.2"), vlan=102).add(n + later + 0.1, two, vlan=102)
    return tape


def test_one_address_in_two_vlans(tmp_path: Path) -> None:
    found = in_two("10.1.0.7", "10.1.0.7").finding(tmp_path, "VLAN008", role=Role.TRUNK)
    assert (found.severity, found.subject.mac) == (Severity.WARNING, GUEST)


def test_a_gateway_with_one_address_for_two_tenants(tmp_path: Path) -> None:
    assert not in_two("10.1.0.1", "10.1.0.1", alone=True).findings(tmp_path, "VLAN008", role=Role.TRUNK)


def test_link_local_addresses_are_of_each_link(tmp_path: Path) -> None:
    assert not in_two("169.254.7.7", "169.254.7.7").findings(tmp_path, "VLAN008", role=Role.TRUNK)


def test_a_router_has_an_address_in_each(tmp_path: Path) -> None:
    assert not in_two("10.1.0.1", "10.2.0.1").findings(tmp_path, "VLAN008", role=Role.TRUNK)


def test_who_passes_on_packets_is_a_router(tmp_path: Path) -> None:
    assert not in_two("10.1.0.7", "10.1.0.7", ttl_route=True).findings(tmp_path, "VLAN008", role=Role.TRUNK)


def test_a_machine_that_moved(tmp_path: Path) -> None:
    assert not in_two("10.1.0.7", "10.1.0.7", later=20).findings(tmp_path, "VLAN008", role=Role.TRUNK)


def test_vrrp_addresses_are_in_many_vlans(tmp_path: Path) -> None:
    tape = in_two("10.1.0.1", "10.1.0.1", mac="00:00:5e:00:01:05")
    assert not tape.findings(tmp_path, "VLAN008", role=Role.TRUNK)


def looping(copies: int, *macs: str) -> Tape:
    """Equal ARP requests of each MAC within a second."""
    tape = Tape()
    for mac in macs:
        for n in range(copies):
            tape.add(n / (copies + 1), arp_request(mac, "10.1.0.7", "10.1.0.9"), vlan=101)
    return tape


def test_broadcasts_of_two_senders_go_round(tmp_path: Path) -> None:
    found = looping(10, GUEST, OTHER).finding(tmp_path, "VLAN013", role=Role.TRUNK)
    assert (found.severity, found.subject.vlan) == (Severity.ERROR, 101)


def test_nine_copies_are_below_the_limit(tmp_path: Path) -> None:
    assert not looping(9, GUEST, OTHER).findings(tmp_path, "VLAN013", role=Role.TRUNK)


def test_more_than_a_program_sends(tmp_path: Path) -> None:
    assert looping(250, GUEST).finding(tmp_path, "VLAN013", role=Role.TRUNK).severity is Severity.ERROR


def test_one_sender_of_arp_may_flood(tmp_path: Path) -> None:
    assert looping(30, GUEST).finding(tmp_path, "VLAN013", role=Role.TRUNK).severity is Severity.WARNING


def asking_often(*rates: int) -> Tape:
    """Hosts that ask for the same address so many times in one second."""
    tape = Tape()
    for host, rate in enumerate(rates):
        frame = arp_request(f"02:01:00:cc:01:{host:02x}", f"10.1.0.{20 + host}", "10.1.0.1")
        for n in range(rate):
            tape.add(n / rate + host / 1000, frame, vlan=101)
    return tape


def test_hosts_that_ask_too_often_are_no_loop(tmp_path: Path) -> None:
    """A loop would bring their neighbours' broadcasts round as often."""
    tape = asking_often(12, 10, 4, 3, 5)
    assert tape.finding(tmp_path, "VLAN013", role=Role.TRUNK).severity is Severity.INFO
    assert not tape.grave(tmp_path, role=Role.TRUNK)


def test_a_loop_spares_no_broadcast(tmp_path: Path) -> None:
    assert asking_often(12, 10, 15, 13, 5).finding(tmp_path, "VLAN013", role=Role.TRUNK).severity is Severity.ERROR


def test_a_heartbeat_is_a_remark(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(60):
        tape.add(n / 20, udp(GUEST, "10.1.0.7", "239.192.7.7", 5405, to_mac="01:00:5e:40:07:07"), vlan=101)
    assert tape.finding(tmp_path, "VLAN013", role=Role.TRUNK).severity is Severity.INFO
    assert not tape.grave(tmp_path, role=Role.TRUNK)


def test_copies_of_all_interfaces_are_no_loop(tmp_path: Path) -> None:
    assert not looping(40, GUEST, OTHER).findings(tmp_path, "VLAN013", role=Role.ANY)
