"""HYP015 and HYP017: who owns an address, and whose VLAN it is."""

from pathlib import Path

import pytest

from pcapdx.model import Confidence, Severity
from pcapdx.vantage import Role
from tests.rules.build import Tape, answer, arp_reply, arp_request, discover

ONE, TWO, ASKER = "02:01:00:cc:00:41", "00:21:5a:77:00:99", "02:01:00:cc:00:43"
IP = "10.1.0.59"


def both_answer(times: int) -> Tape:
    """Requests that two MACs answer."""
    tape = Tape()
    for n in range(times):
        tape.add(10 * n, arp_request(ASKER, "10.1.0.60", IP))
        tape.add(10 * n + 0.001, arp_reply(ONE, IP, ASKER, "10.1.0.60"))
        tape.add(10 * n + 0.002, arp_reply(TWO, IP, ASKER, "10.1.0.60"))
    return tape


def in_turn(*macs: str, every_s: float = 5, gratuitous: bool = False) -> Tape:
    """Claims of one address, each MAC twice in a row."""
    tape = Tape()
    for n, mac in enumerate(macs):
        first = arp_request(mac, IP, IP if gratuitous else "10.1.0.1")
        tape.add(n * every_s, first).add(n * every_s + 0.5, arp_request(mac, IP, "10.1.0.1"))
    return tape


def test_both_answer_each_time(tmp_path: Path) -> None:
    found = both_answer(3).finding(tmp_path, "HYP015")
    assert (found.severity, found.subject.ip) == (Severity.ERROR, IP)


def test_a_failover_in_that_second(tmp_path: Path) -> None:
    """One request with two answers, and a claim more of each, is only a warning."""
    tape = both_answer(1).add(5, arp_request(ONE, IP, "10.1.0.1")).add(0.5, arp_request(TWO, IP, "10.1.0.1"))
    assert tape.finding(tmp_path, "HYP015").severity is Severity.WARNING


def test_taking_turns(tmp_path: Path) -> None:
    assert in_turn(ONE, TWO, ONE, TWO).finding(tmp_path, "HYP015").severity is Severity.ERROR


def test_two_networks_on_all_interfaces_at_once(tmp_path: Path) -> None:
    """Tenants may have one address plan; without tags only common neighbours show that it is one network."""
    assert not in_turn(ONE, TWO, ONE, TWO).findings(tmp_path, "HYP015", role=Role.ANY)
    tape = in_turn(ONE, TWO, ONE, TWO)
    for mac, at in ((ONE, 1), (TWO, 6)):
        tape.add(at, arp_reply(mac, IP, ASKER, "10.1.0.60"))
    assert tape.findings(tmp_path, "HYP015", role=Role.ANY)
    assert both_answer(3).findings(tmp_path, "HYP015", role=Role.ANY)


def test_one_change_is_a_failover(tmp_path: Path) -> None:
    assert not in_turn(ONE, ONE, TWO, TWO).findings(tmp_path, "HYP015")


def test_announced_takeovers(tmp_path: Path) -> None:
    """A redundant pair that fails over and back says so each time."""
    assert not in_turn(ONE, TWO, ONE, TWO, gratuitous=True).findings(tmp_path, "HYP015")


def test_a_takeover_whose_announcements_overlap(tmp_path: Path) -> None:
    """Old and new owner announce at once; what the new one says next is still its takeover."""
    tape = in_turn(ONE, TWO, gratuitous=True)
    for n in range(3):
        tape.add(20 + n / 1000, arp_request(ONE, IP, IP)).add(20.0005 + n / 1000, arp_request(TWO, IP, IP))
    tape.add(20.3, arp_request(ONE, IP, "10.1.0.1"))
    assert not tape.findings(tmp_path, "HYP015")


def test_more_than_a_minute_apart(tmp_path: Path) -> None:
    assert not in_turn(ONE, TWO, ONE, TWO, every_s=40).findings(tmp_path, "HYP015")


def test_vrrp_beside_its_owner(tmp_path: Path) -> None:
    assert not in_turn(ONE, "00:00:5e:00:01:05", ONE, "00:00:5e:00:01:05").findings(tmp_path, "HYP015")


def test_a_proxy_answers_for_many(tmp_path: Path) -> None:
    tape = both_answer(3)
    for last in (70, 71):
        tape.add(1, arp_request(ASKER, "10.1.0.60", f"10.1.0.{last}"))
        tape.add(1.001, arp_reply(TWO, f"10.1.0.{last}", ASKER, "10.1.0.60"))
    assert not tape.findings(tmp_path, "HYP015")


def test_a_garbled_frame_claims_nothing(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(8):
        frame = arp_request(ONE, IP, "10.1.0.1")
        if n in (2, 5):
            frame["ARP"].hwsrc = "02:01:00:cc:ff:41"
        tape.add(n, frame)
    assert not tape.findings(tmp_path, "HYP015")


def test_one_host_with_two_nics(tmp_path: Path) -> None:
    """Both MACs answer for both addresses: ARP flux, no second machine."""
    tape = both_answer(3)
    for n in range(3):
        tape.add(10 * n + 1, arp_request(ASKER, "10.1.0.60", "10.1.0.58"))
        tape.add(10 * n + 1.001, arp_reply(ONE, "10.1.0.58", ASKER, "10.1.0.60"))
        tape.add(10 * n + 1.002, arp_reply(TWO, "10.1.0.58", ASKER, "10.1.0.60"))
    assert {one.severity for one in tape.findings(tmp_path, "HYP015")} == {Severity.WARNING}


def leases(first: str, second: str, *, shared: bool, lease: int = 0xFFFFFFFF, vlan: int = 101) -> Tape:
    """Two servers with a subnet each, that answer one client both, or one client each."""
    tape = Tape()
    clients = (ASKER, ASKER) if shared else (ASKER, ONE)
    for n, (server, client) in enumerate(zip((first, second), clients, strict=True)):
        tape.add(n if not shared else 0, discover(client, xid=7), vlan=vlan)
        offer = answer("offer", server, f"10.{n}.0.1", client, f"10.{n}.0.7", xid=7, lease=lease)
        tape.add((n if not shared else 0) + 0.01 * (n + 1), offer, vlan=vlan)
    return tape


def test_routers_of_two_networks(tmp_path: Path) -> None:
    found = leases("02:01:00:cc:00:01", "02:01:00:cd:00:01", shared=False).finding(tmp_path, "HYP017")
    assert (found.severity, found.confidence, found.subject.vlan) == (Severity.ERROR, Confidence.CERTAIN, 101)


def test_it_explains_the_second_server(tmp_path: Path) -> None:
    tape = leases("02:01:00:cc:00:01", "02:01:00:cd:00:01", shared=True)
    codes = {one.finding.code: one.explained_by for one in tape.analysis(tmp_path).diagnosed.findings}
    assert codes["HYP017"] is None
    assert codes["DHCP013"] is not None


def test_one_network_whose_guest_serves(tmp_path: Path) -> None:
    """The same network id in both MACs: the second one is a guest of it, not a router."""
    assert not leases("02:01:00:cc:00:01", "02:01:00:cc:00:60", shared=True).findings(tmp_path, "HYP017")


def test_a_home_router_is_no_network_of_cloudstacks(tmp_path: Path) -> None:
    assert not leases("02:01:00:cc:00:01", "00:1b:21:3c:9d:52", shared=True).findings(tmp_path, "HYP017")


def test_without_ids_leases_that_end_are_a_guests(tmp_path: Path) -> None:
    routers = ("02:00:0a:01:00:01", "02:00:0b:02:00:01")
    assert leases(*routers, shared=True).finding(tmp_path, "HYP017").confidence is Confidence.LIKELY
    assert not leases(*routers, shared=True, lease=3600).findings(tmp_path, "HYP017")


def members(*macs: str, vlan: int = 101) -> Tape:
    """Each MAC asks for something."""
    tape = Tape()
    for n, mac in enumerate(macs):
        tape.add(n, arp_request(mac, f"10.1.0.{10 + n}", "10.1.0.1"), vlan=vlan)
    return tape


FOUR = ("02:01:00:cc:00:01", "02:01:00:cc:00:02", "02:01:00:cd:00:01", "02:01:00:cd:00:02")


def test_two_members_of_two_networks(tmp_path: Path) -> None:
    assert members(*FOUR).finding(tmp_path, "HYP017", role=Role.TRUNK).severity is Severity.WARNING


def test_a_single_stranger_is_not_a_network(tmp_path: Path) -> None:
    assert not members(*FOUR[:3]).findings(tmp_path, "HYP017", role=Role.TRUNK)


@pytest.mark.parametrize("role", [Role.TRUNK, None, Role.ANY])
def test_untagged_frames_may_be_of_several_vlans(tmp_path: Path, role: Role | None) -> None:
    assert not members(*FOUR, vlan=0).findings(tmp_path, "HYP017", role=role)


def test_containers_have_no_network_id(tmp_path: Path) -> None:
    docker = ("02:42:ac:11:00:02", "02:42:ac:11:00:03", "02:42:ac:12:00:02", "02:42:ac:12:00:03")
    assert not members(*docker).findings(tmp_path, "HYP017", role=Role.TRUNK)
