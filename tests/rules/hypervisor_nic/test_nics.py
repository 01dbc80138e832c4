"""HYP004, HYP006 and HYP008: guests without a tag, frames with two, links that hear nothing."""

from pathlib import Path

import pytest

from pcapdx.model import Confidence, Severity
from pcapdx.vantage import Role
from tests.rules.build import Tape, arp_reply, arp_request, discover, echo, rarp

LOST, GUEST, FAR, HOST = "02:01:00:cc:00:31", "02:01:00:cc:00:32", "02:01:00:cc:00:33", "b8:59:9f:00:00:01"


def tagged_guests(*, padded: bool = True, vlan: int = 101) -> Tape:
    """A guest here and one elsewhere talk in a VLAN."""
    tape = Tape()
    for n in range(4):
        tape.add(n, arp_request(GUEST, "10.1.0.7", "10.1.0.8"), vlan=vlan)
        tape.add(n + 0.001, arp_reply(FAR, "10.1.0.8", GUEST, "10.1.0.7"), vlan=vlan, wire=padded)
    return tape


def lost(tape: Tape, count: int = 3, *, mac: str = LOST, wire: bool = False) -> Tape:
    """A guest of the same network asks untagged."""
    for n in range(count):
        tape.add(n + 0.5, arp_request(mac, "10.1.0.9", "10.1.0.8"), wire=wire)
    return tape


def test_a_guest_without_its_tag(tmp_path: Path) -> None:
    found = lost(tagged_guests()).finding(tmp_path, "HYP004", role=Role.NIC)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)
    assert (found.subject.mac, found.subject.vlan) == (LOST, 0)


def test_two_frames_are_not_enough(tmp_path: Path) -> None:
    assert not lost(tagged_guests(), 2).findings(tmp_path, "HYP004", role=Role.NIC)


def test_announcements_of_a_migration_do_not_count(tmp_path: Path) -> None:
    tape = lost(tagged_guests(), 2)
    for n in range(4):
        tape.add(n / 10, rarp(LOST))
    assert not tape.findings(tmp_path, "HYP004", role=Role.NIC)


def test_what_comes_in_untagged_left_another_host(tmp_path: Path) -> None:
    """Their host, or a switch: VLAN004's matter."""
    tape = lost(tagged_guests(), wire=True)
    assert not tape.findings(tmp_path, "HYP004", role=Role.NIC)


def test_guests_from_elsewhere_without_the_tag_they_have_here(tmp_path: Path) -> None:
    """Nothing of VLAN 101 arrives tagged, VLAN 102 does."""
    tape = lost(Tape(), wire=True).add(0, arp_request(GUEST, "10.1.0.8", "10.1.0.1"), vlan=101)
    for n in range(3):
        tape.add(n, arp_request("02:01:00:cd:00:01", "10.2.0.8", "10.2.0.1"), vlan=102, wire=True)
    found = tape.finding(tmp_path, "VLAN004", role=Role.NIC)
    assert (found.severity, found.subject.vlan) == (Severity.WARNING, 101)


def test_a_port_that_lost_its_tag(tmp_path: Path) -> None:
    tape = lost(tagged_guests())
    for n in range(3):
        tape.add(n / 10, arp_request(LOST, "10.1.0.9", "10.1.0.8"), vlan=101)
    assert tape.findings(tmp_path, "HYP004", role=Role.NIC)


def test_a_tap_and_a_nic_in_one_file(tmp_path: Path) -> None:
    """Each frame is there without its tag and with it."""
    tape = lost(tagged_guests(), 6)
    for n in range(6):
        tape.add(n + 0.5001, arp_request(LOST, "10.1.0.9", "10.1.0.8"), vlan=101)
    assert not tape.findings(tmp_path, "HYP004", role=Role.NIC)


def test_where_the_host_itself_is_untagged(tmp_path: Path) -> None:
    tape = lost(tagged_guests()).add(2, arp_request(HOST, "10.1.0.200", "10.1.0.1"))
    assert not tape.findings(tmp_path, "HYP004", role=Role.NIC)


def test_a_guest_that_is_answered_lives_there(tmp_path: Path) -> None:
    tape = tagged_guests(vlan=102)
    for n in range(4):
        tape.add(n, arp_request("02:01:00:ee:00:01", "10.9.0.9", "10.9.0.1"))
        tape.add(n + 0.001, arp_reply("02:01:00:ee:00:02", "10.9.0.1", "02:01:00:ee:00:01", "10.9.0.9"), wire=True)
    assert not tape.findings(tmp_path, "HYP004", role=Role.NIC)


def test_a_system_vm_is_a_remark(tmp_path: Path) -> None:
    tape = lost(tagged_guests(), mac="1e:00:b2:00:00:11")
    assert tape.finding(tmp_path, "HYP004", role=Role.NIC).severity is Severity.INFO


def test_no_trunk_no_finding(tmp_path: Path) -> None:
    assert not lost(Tape(), 6).findings(tmp_path, "HYP004", role=Role.NIC)


def doubled(mac: str, *, count: int = 3, single: bool = False) -> Tape:
    """Frames with 30 inside 101, and of others with 101 alone."""
    tape = Tape()
    for n in range(count):
        tape.add(n, echo(mac, "10.1.0.7", FAR, "10.1.0.8", number=n), vlan=101, inner=30)
        if single:
            tape.add(n, echo(FAR, "10.1.0.8", mac, "10.1.0.7", number=n), vlan=101)
    return tape


@pytest.mark.parametrize(
    ("tape", "severity"),
    [
        (doubled(LOST), Severity.WARNING),
        (doubled("00:13:c3:df:ae:18", single=True), Severity.WARNING),
        (doubled("00:13:c3:df:ae:18"), Severity.INFO),
    ],
    ids=["of a guest", "beside single tags", "on all frames"],
)
def test_two_tags(tmp_path: Path, tape: Tape, severity: Severity) -> None:
    assert tape.finding(tmp_path, "HYP006", role=Role.TRUNK).severity is severity


def test_two_frames_with_two_tags_are_chance(tmp_path: Path) -> None:
    assert not doubled(LOST, count=2).findings(tmp_path, "HYP006", role=Role.TRUNK)


def test_a_deaf_link_by_slow_askers(tmp_path: Path) -> None:
    """Who asks every three seconds is not answered, either: an answer is kept for longer."""
    tape = Tape()
    for n in range(0, 80, 3):
        tape.add(n, arp_request(GUEST, "10.1.0.7", "10.1.0.1"), vlan=101)
    assert tape.findings(tmp_path, "HYP008", role=Role.NIC)


def deaf(seconds: int = 64, *, padded: bool = False) -> Tape:
    """A guest asks for a minute and more; nothing comes in."""
    tape = Tape()
    for n in range(8):
        tape.add(n * seconds / 7, discover(LOST))
    for n in range(seconds):
        tape.add(n, arp_request(GUEST, "10.1.0.7", "10.1.0.1"), vlan=101, wire=padded)
    return tape


def test_a_link_that_hears_nothing(tmp_path: Path) -> None:
    assert deaf().finding(tmp_path, "HYP008", role=Role.NIC).severity is Severity.ERROR


def test_less_than_a_minute(tmp_path: Path) -> None:
    assert not deaf(50).findings(tmp_path, "HYP008", role=Role.NIC)


def test_padded_frames_came_in(tmp_path: Path) -> None:
    """A bond's idle member: all of it is the broadcasts of others."""
    assert not deaf(padded=True).findings(tmp_path, "HYP008", role=Role.BOND)


def test_one_frame_of_others_is_enough(tmp_path: Path) -> None:
    tape = deaf().add(30, arp_request(FAR, "10.1.0.8", "10.1.0.7"), vlan=101, wire=True)
    assert not tape.findings(tmp_path, "HYP008", role=Role.NIC)


@pytest.mark.parametrize("role", [Role.TAP, Role.BRIDGE])
def test_a_tap_is_no_link(tmp_path: Path, role: Role) -> None:
    assert not deaf().findings(tmp_path, "HYP008", role=role)
