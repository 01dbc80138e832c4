"""VLAN004, CAP001 and VLAN006: tags that change on the way, in the recorder, or never come in."""

from pathlib import Path

import pytest

from pcapdx.model import Confidence, Severity
from pcapdx.vantage import Role
from tests.rules.build import EVERYBODY, Tape, answer, arp_reply, arp_request, discover, echo, request, udp

GUEST, PEER, NEAR, FAR = "02:01:00:cc:00:16", "02:01:00:cc:00:01", "02:01:00:cd:00:03", "02:01:00:cd:00:04"


def asked_again(tape: Tape, back: int = 0) -> Tape:
    """The guest asks in VLAN 101 every second, the answers come in ``back``, and it asks again."""
    for at in range(5):
        tape.add(at, arp_request(GUEST, "10.1.0.7", "10.1.0.1"), vlan=101)
        tape.add(at + 0.001, arp_reply(PEER, "10.1.0.1", GUEST, "10.1.0.7"), vlan=back, wire=True)
    return tape


def took_it(tape: Tape) -> Tape:
    """The guest asks in VLAN 101, is answered untagged, and goes on to talk."""
    for at in range(0, 40, 10):
        tape.add(at, arp_request(GUEST, "10.1.0.7", "10.1.0.1"), vlan=101)
        tape.add(at + 0.001, arp_reply(PEER, "10.1.0.1", GUEST, "10.1.0.7"), wire=True)
        tape.add(at + 0.002, echo(GUEST, "10.1.0.7", PEER, "10.1.0.1", number=at), vlan=101)
        tape.add(at + 0.003, echo(PEER, "10.1.0.1", GUEST, "10.1.0.7", number=at, reply=True), wire=True)
    return tape


def test_answers_that_are_not_taken(tmp_path: Path) -> None:
    found = asked_again(Tape()).finding(tmp_path, "VLAN004", role=Role.NIC)
    assert (found.severity, found.confidence, found.subject.vlan) == (Severity.ERROR, Confidence.CERTAIN, 101)


def test_answers_in_another_vlan(tmp_path: Path) -> None:
    found = asked_again(Tape(), back=201).finding(tmp_path, "VLAN004")
    assert "in VLAN 201" in found.summary


def test_two_crossed_answers_are_chance(tmp_path: Path) -> None:
    tape = Tape()
    for at in range(2):
        tape.add(at, arp_request(GUEST, "10.1.0.7", "10.1.0.1"), vlan=101)
        tape.add(at + 0.001, arp_reply(PEER, "10.1.0.1", GUEST, "10.1.0.7"), wire=True)
    assert not tape.findings(tmp_path, "VLAN004", role=Role.NIC)


def test_an_answer_in_both_vlans_is_no_crossing(tmp_path: Path) -> None:
    tape = asked_again(Tape())
    for at in range(5):
        tape.add(at + 0.002, arp_reply(PEER, "10.1.0.1", GUEST, "10.1.0.7"), vlan=101, wire=True)
    assert not tape.findings(tmp_path, "VLAN004", role=Role.NIC)


def test_the_same_addresses_of_two_tenants(tmp_path: Path) -> None:
    """10.1.0.1 exists in both networks; the answer in 201 goes to another MAC."""
    tape = Tape()
    for at in range(5):
        tape.add(at, arp_request(GUEST, "10.1.0.7", "10.1.0.1"), vlan=101)
        tape.add(at, arp_request(NEAR, "10.1.0.7", "10.1.0.1"), vlan=201)
        tape.add(at + 0.001, arp_reply(FAR, "10.1.0.1", NEAR, "10.1.0.7"), vlan=201, wire=True)
    assert not tape.findings(tmp_path, "VLAN004", role=Role.NIC)


def test_a_recorder_that_lost_tags(tmp_path: Path) -> None:
    tape = took_it(Tape())
    assert tape.finding(tmp_path, "CAP001", role=Role.NIC).severity is Severity.INFO
    assert not tape.findings(tmp_path, "VLAN004", role=Role.NIC)
    assert not tape.grave(tmp_path, role=Role.NIC)


def test_tags_of_others_arrive_so_the_recorder_is_sound(tmp_path: Path) -> None:
    """Answers are taken although they come untagged, and VLAN 102 arrives tagged: by design, so a remark."""
    tape = took_it(Tape())
    for at in range(4):
        tape.add(at, arp_request(FAR, "10.2.0.8", "10.2.0.7"), vlan=102, wire=True)
    assert not tape.findings(tmp_path, "CAP001", role=Role.NIC)
    assert tape.finding(tmp_path, "VLAN004", role=Role.NIC).severity is Severity.INFO


def test_dhcp_whose_offers_cross(tmp_path: Path) -> None:
    tape = Tape()
    for at in (0, 4, 11, 20):
        tape.add(at, discover(GUEST), vlan=101)
        tape.add(at + 0.01, answer("offer", PEER, "10.1.0.1", GUEST, "10.1.0.7"))
    found = tape.finding(tmp_path, "VLAN004", role=Role.NIC)
    assert found.severity is Severity.ERROR
    assert tape.analysis(tmp_path, role=Role.NIC).diagnosed.diagnoses[0].root.finding.code == "VLAN004"


def test_dhcp_that_goes_on_lost_its_tags_in_the_recorder(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(3):
        at = 10 * n
        tape.add(at, discover(GUEST, xid=n), vlan=101)
        tape.add(at + 0.01, answer("offer", PEER, "10.1.0.1", GUEST, "10.1.0.7", xid=n))
        tape.add(at + 0.02, request(GUEST, "10.1.0.7", "10.1.0.1", xid=n), vlan=101)
        tape.add(at + 0.03, answer("ack", PEER, "10.1.0.1", GUEST, "10.1.0.7", xid=n))
    assert tape.findings(tmp_path, "CAP001", role=Role.NIC)


def access_port(*, answered: bool = False, seconds: int = 40) -> Tape:
    """Two guests of two VLANs ask in vain; others chat untagged."""
    tape = Tape()
    for vlan, guest in ((101, GUEST), (102, NEAR)):
        for n in range(6):
            tape.add(n * seconds / 6, discover(guest, xid=vlan), vlan=vlan)
        tape.add(0.5, arp_request(guest, f"10.{vlan}.0.7", "10.9.0.9"), vlan=vlan)
    for at in range(seconds):
        tape.add(at, udp("3c:52:82:00:00:01", "192.168.30.7", "192.168.30.255", 1947, size=3), wire=True)
    if answered:
        tape.add(3, arp_request(GUEST, "10.1.0.7", "10.1.0.1"), vlan=101)
        tape.add(3.001, arp_reply(PEER, "10.1.0.1", GUEST, "10.1.0.7"), vlan=101, wire=True)
    return tape


def test_an_access_port(tmp_path: Path) -> None:
    found = access_port().finding(tmp_path, "VLAN006", role=Role.NIC)
    assert found.severity is Severity.ERROR
    assert access_port().analysis(tmp_path, role=Role.NIC).diagnosed.diagnoses[0].root.finding is not None


def several_networks(vlans: int, *, native_works: bool = False) -> Tape:
    """One guest in each VLAN asks for its gateway in vain; others chat untagged."""
    tape = Tape()
    for n in range(vlans):
        for at in range(40):
            tape.add(at + n / 10, arp_request(f"02:01:00:0{n}:00:07", f"10.{n}.0.7", f"10.{n}.0.1"), vlan=101 + n)
    for at in range(40):
        tape.add(at, udp("3c:52:82:00:00:01", "192.168.30.7", "192.168.30.255", 1947, size=3), wire=True)
    if native_works:
        tape.add(3, arp_request("b8:59:9f:00:00:01", "192.168.30.5", "192.168.30.7"))
        tape.add(3.001, arp_reply("3c:52:82:00:00:01", "192.168.30.7", "b8:59:9f:00:00:01", "192.168.30.5"), wire=True)
    return tape


def test_three_silent_networks_are_one_port(tmp_path: Path) -> None:
    found = several_networks(3).finding(tmp_path, "VLAN006", role=Role.NIC)
    assert found.severity is Severity.WARNING


@pytest.mark.parametrize("tape", [several_networks(2), several_networks(3, native_works=True)])
def test_networks_that_may_be_silent_for_reasons_of_their_own(tmp_path: Path, tape: Tape) -> None:
    assert not tape.findings(tmp_path, "VLAN006", role=Role.NIC)


def test_one_answered_request_clears_the_port(tmp_path: Path) -> None:
    assert not access_port(answered=True).findings(tmp_path, "VLAN006", role=Role.NIC)


def test_half_a_minute_is_needed(tmp_path: Path) -> None:
    assert not access_port(seconds=25).findings(tmp_path, "VLAN006", role=Role.NIC)


def test_one_vlan_beside_a_native_network_that_works_is_a_missing_vlan(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(12):
        tape.add(3 * n, discover(GUEST), vlan=101)
        tape.add(3 * n, arp_request("b8:59:9f:00:00:01", "192.168.1.1", "192.168.1.2"))
        tape.add(
            3 * n + 0.01, arp_reply("b8:59:9f:00:00:02", "192.168.1.2", "b8:59:9f:00:00:01", "192.168.1.1"), wire=True
        )
        tape.add(
            3 * n + 0.02,
            udp("b8:59:9f:00:00:02", "192.168.1.2", "192.168.1.255", 1947, to_mac=EVERYBODY, size=2),
            wire=True,
        )
    assert not tape.findings(tmp_path, "VLAN006", role=Role.NIC)
    assert tape.findings(tmp_path, "VLAN001", role=Role.NIC)
