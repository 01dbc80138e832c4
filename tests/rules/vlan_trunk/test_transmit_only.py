"""VLAN001: what makes silence in a VLAN a finding, and what does not."""

from pathlib import Path

import pytest

from pcapdx.model import Confidence, Severity
from pcapdx.vantage import Role
from tests.rules.build import Tape, answer, arp_reply, arp_request, discover, request

GUEST, OTHER, FAR, ROUTER = "02:01:00:cc:00:16", "02:01:00:cc:00:17", "02:01:00:cd:00:02", "02:01:00:cc:00:01"


def trunk(*, padded: bool = True) -> Tape:
    """VLAN 102 works: a local machine and a remote one ask for each other, twenty times."""
    tape = Tape()
    for n in range(20):
        tape.add(n, arp_request(OTHER, "10.2.0.7", "10.2.0.8"), vlan=102)
        tape.add(n + 0.001, arp_reply(FAR, "10.2.0.8", OTHER, "10.2.0.7"), vlan=102, wire=padded)
    return tape


def test_discovers_in_vain(tmp_path: Path) -> None:
    tape = trunk()
    for at in (0.5, 4, 11):
        tape.add(at, discover(GUEST), vlan=101)
    found = tape.finding(tmp_path, "VLAN001", role=Role.NIC)
    assert found.subject.vlan == 101
    assert found.severity is Severity.WARNING
    assert "three times" in found.summary


def test_two_discovers_are_not_enough(tmp_path: Path) -> None:
    tape = trunk().add(0.5, discover(GUEST), vlan=101).add(12, discover(GUEST), vlan=101)
    assert not tape.findings(tmp_path, "VLAN001", role=Role.NIC)


def test_a_client_that_goes_on_was_answered(tmp_path: Path) -> None:
    """The router is on the same host: its answers never pass the NIC, the client's REQUEST does."""
    tape = trunk()
    for at in (0.5, 4, 11):
        tape.add(at, discover(GUEST), vlan=101)
    tape.add(11.1, request(GUEST, "10.1.0.7", "10.1.0.1"), vlan=101)
    assert not tape.findings(tmp_path, "VLAN001", role=Role.NIC)


def test_one_asker_of_one_address_is_a_remark(tmp_path: Path) -> None:
    """It may be asking for a machine that is off."""
    tape = trunk()
    for at in range(12):
        tape.add(at + 0.5, arp_request(GUEST, "10.1.0.7", "10.1.0.1"), vlan=101)
    assert tape.finding(tmp_path, "VLAN001", role=Role.NIC).severity is Severity.INFO


def test_two_askers_are_a_warning(tmp_path: Path) -> None:
    tape = trunk()
    for at in range(12):
        tape.add(at + 0.5, arp_request(GUEST, "10.1.0.7", "10.1.0.1"), vlan=101)
        tape.add(at + 0.6, arp_request("02:01:00:cc:00:18", "10.1.0.8", "10.1.0.1"), vlan=101)
    found = tape.finding(tmp_path, "VLAN001", role=Role.NIC)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)


def test_a_remote_asker_says_nothing_of_this_port(tmp_path: Path) -> None:
    tape = trunk()
    for at in range(12):
        for n in (7, 8):
            tape.add(at + n / 10, arp_request(f"02:01:00:cc:00:1{n}", f"10.1.0.{n}", "10.1.0.1"), vlan=101, wire=True)
    assert not tape.findings(tmp_path, "VLAN001", role=Role.NIC)


def test_any_frame_of_others_in_the_vlan_ends_it(tmp_path: Path) -> None:
    tape = trunk()
    for at in (0.5, 4, 11):
        tape.add(at, discover(GUEST), vlan=101)
    tape.add(5, arp_request(ROUTER, "10.1.0.1", "10.1.0.9"), vlan=101, wire=True)
    assert not tape.findings(tmp_path, "VLAN001", role=Role.NIC)


def test_nothing_heard_elsewhere_is_no_vlan_fault(tmp_path: Path) -> None:
    tape = Tape()
    for at in (0.5, 4, 11, 20):
        tape.add(at, discover(GUEST), vlan=101)
    assert not tape.findings(tmp_path, "VLAN001", role=Role.NIC)


@pytest.mark.parametrize("role", [Role.ANY, Role.TAP, Role.BRIDGE])
def test_only_at_a_wire(tmp_path: Path, role: Role) -> None:
    tape = trunk()
    for at in (0.5, 4, 11):
        tape.add(at, discover(GUEST), vlan=101)
    assert not tape.findings(tmp_path, "VLAN001", role=role)


def test_without_padding_it_is_only_possible(tmp_path: Path) -> None:
    tape = trunk(padded=False)
    for at in (0.5, 4, 11):
        tape.add(at, discover(GUEST), vlan=101)
    assert tape.finding(tmp_path, "VLAN001", role=Role.NIC).confidence is Confidence.POSSIBLE


def test_it_explains_the_lease_that_never_came(tmp_path: Path) -> None:
    tape = trunk()
    tape.add(1, arp_request(GUEST, "10.1.0.7", "10.1.0.1"), vlan=101)
    for at in (0.5, 4, 11):
        tape.add(at, discover(GUEST), vlan=101)
    diagnosed = tape.analysis(tmp_path, role=Role.NIC).diagnosed
    assert diagnosed.diagnoses[0].root.finding.code == "VLAN001"


def test_answered_vlans_are_proved(tmp_path: Path) -> None:
    tape = trunk()
    tape.add(1, discover(GUEST), vlan=101)
    tape.add(1.1, answer("offer", ROUTER, "10.1.0.1", GUEST, "10.1.0.7"), vlan=101)
    proofs = tape.analysis(tmp_path, role=Role.NIC).diagnosed.proofs
    assert {one.subject.vlan for one in proofs if one.code == "VLAN020"} == {101, 102}


def test_who_asks_again_after_minutes_was_answered(tmp_path: Path) -> None:
    """Guests whose router is on the same host renew what they know of it by broadcast; the answers stay there."""
    tape = trunk()
    for at in range(0, 300, 30):
        tape.add(at, arp_request(GUEST, "10.1.0.7", "10.1.0.1"), vlan=101)
        tape.add(at + 0.1, arp_request("02:01:00:cc:00:18", "10.1.0.8", "10.1.0.1"), vlan=101)
        tape.add(at + 0.2, arp_reply(FAR, "10.2.0.8", OTHER, "10.2.0.7"), vlan=102, wire=True)
    assert not tape.findings(tmp_path, "VLAN001", role=Role.NIC)


def falls_silent(*askers: str, until: int = 40) -> Tape:
    """The router, alone elsewhere in VLAN 101, answers for eight seconds and then no more; VLAN 102 goes on."""
    tape = Tape()
    for n in range(until):
        tape.add(n, arp_request(OTHER, "10.2.0.7", "10.2.0.8"), vlan=102)
        tape.add(n + 0.001, arp_reply(FAR, "10.2.0.8", OTHER, "10.2.0.7"), vlan=102, wire=True)
        for k, asker in enumerate(askers):
            tape.add(n + 0.1 * (k + 1), arp_request(asker, f"10.1.0.{7 + k}", "10.1.0.1"), vlan=101)
            if n < 8:
                reply = arp_reply(ROUTER, "10.1.0.1", asker, f"10.1.0.{7 + k}")
                tape.add(n + 0.1 * (k + 1) + 0.001, reply, vlan=101, wire=True)
    return tape


def test_the_only_machine_elsewhere_falls_silent(tmp_path: Path) -> None:
    """Two guests go on asking, of whose equal requests only a few are read: a remark that names both reasons."""
    found = falls_silent(GUEST, "02:01:00:cc:00:18").finding(tmp_path, "VLAN001", role=Role.NIC)
    assert found.severity is Severity.INFO
    assert f"{ROUTER} is not heard any more" in found.summary
    assert "was switched off" in found.alternatives[0]


def test_one_guest_and_one_machine_that_falls_silent_are_no_vlan(tmp_path: Path) -> None:
    assert not falls_silent(GUEST).findings(tmp_path, "VLAN001", role=Role.NIC)


def test_silence_of_a_few_seconds_is_no_vlan(tmp_path: Path) -> None:
    assert not falls_silent(GUEST, "02:01:00:cc:00:18", until=14).findings(tmp_path, "VLAN001", role=Role.NIC)
