"""OVS003, OVS005 and OVS006: what a host's switch keeps in, a restart of it, and a bond's member without a VLAN."""

from pathlib import Path

import pytest

from pcapdx.model import Severity
from pcapdx.vantage import Role
from tests.rules.build import Tape, along, arp_reply, arp_request, codes, echo

GUEST, MORE, FAR = "02:01:00:cc:00:31", "02:01:00:cc:00:32", "02:01:00:cc:00:41"
OTHER, OTHER_FAR = "02:01:00:dd:00:31", "02:01:00:dd:00:41"
HERE, THERE = "10.1.0.7", "10.1.0.9"


def neighbours(nic: Tape, *, vlan: int = 102, count: int = 40) -> Tape:
    """Another network's guest of this host talks by the NIC."""
    for n in range(count):
        nic.add(n * 0.5, arp_request(OTHER, "10.2.0.7", "10.2.0.9"), vlan=vlan)
        nic.add(n * 0.5 + 0.01, arp_reply(OTHER_FAR, "10.2.0.9", OTHER, "10.2.0.7"), vlan=vlan, wire=True)
    return nic


def kept_in(*macs: str, count: int = 12) -> Tape:
    tap = Tape()
    for n in range(count):
        for k, mac in enumerate(macs):
            tap.add(1 + n + k / 10, arp_request(mac, f"10.1.0.{7 + k}", THERE))
    return tap


def test_two_guests_of_one_network(tmp_path: Path) -> None:
    found = along(tmp_path, ("vm", Role.TAP, kept_in(GUEST, MORE)), ("hostA", Role.TRUNK, neighbours(Tape())))
    (one,) = (one.finding for one in found.diagnosed.findings if one.finding.code == "OVS003")
    assert one.severity is Severity.WARNING, "the NIC may be another host's"


def test_one_guest_has_a_fault_of_its_own(tmp_path: Path) -> None:
    found = along(tmp_path, ("vm", Role.TAP, kept_in(GUEST)), ("hostA", Role.TRUNK, neighbours(Tape())))
    assert "OVS003" not in codes(found)


def test_nobody_else_gets_out_either(tmp_path: Path) -> None:
    nic = Tape()
    for n in range(30):
        nic.add(n * 0.5, arp_request(OTHER_FAR, "10.2.0.9", "10.2.0.1"), vlan=102, wire=True)
    assert "OVS003" not in codes(along(tmp_path, ("vm", Role.TAP, kept_in(GUEST, MORE)), ("hostA", Role.TRUNK, nic)))


def test_a_neighbour_of_the_same_network_gets_out(tmp_path: Path) -> None:
    nic = neighbours(Tape())
    for n in range(10):
        nic.add(n, arp_request("02:01:00:cc:00:39", "10.1.0.30", "10.1.0.31"), vlan=101)
    assert "OVS003" not in codes(along(tmp_path, ("vm", Role.TAP, kept_in(GUEST, MORE)), ("hostA", Role.TRUNK, nic)))


def restarted(folder: Path, begin: float, end: float, *, back: bool = False, again: bool = False) -> set[str]:
    """Pings every quarter of a second through a switch that is dark for a while (``back``: not for what comes in)."""
    tap, nic = Tape(), Tape()
    for n in range(120):
        at_s = n * 0.25
        dark = begin <= at_s < end or (again and begin + 12 <= at_s < end + 12)
        tap.add(at_s, echo(GUEST, HERE, FAR, THERE, number=n))
        if not dark:
            nic.add(at_s + 0.0002, echo(GUEST, HERE, FAR, THERE, number=n), vlan=101)
            nic.add(at_s + 0.0012, echo(FAR, THERE, GUEST, HERE, number=n, reply=True), vlan=101)
            tap.add(at_s + 0.0014, echo(FAR, THERE, GUEST, HERE, number=n, reply=True))
        nic.add(at_s + 0.1, echo(FAR, THERE, GUEST, HERE, number=5000 + n), vlan=101)
        if back or not dark:
            tap.add(at_s + 0.1002, echo(FAR, THERE, GUEST, HERE, number=5000 + n))
    return codes(along(folder, ("vm", Role.TAP, tap), ("hostA", Role.TRUNK, nic)))


def test_dark_for_three_seconds(tmp_path: Path) -> None:
    assert "OVS005" in restarted(tmp_path, 10, 13)


@pytest.mark.parametrize(("begin", "end"), [(10, 10.6), (0, 4), (27, 40)])
def test_too_short_or_not_between(tmp_path: Path, begin: float, end: float) -> None:
    assert "OVS005" not in restarted(tmp_path, begin, end)


def test_what_comes_in_passes(tmp_path: Path) -> None:
    assert "OVS005" not in restarted(tmp_path, 10, 13, back=True)


def test_twice_is_no_restart(tmp_path: Path) -> None:
    assert "OVS005" not in restarted(tmp_path, 10, 13, again=True)


def members(*, carried: bool = False, answered: bool = True, reflected: bool = False) -> tuple[Tape, Tape]:
    """Two members of a bond; by the second one VLAN 101 is asked in vain."""
    good, lacking = neighbours(Tape()), neighbours(Tape())
    for n in range(12):
        good.add(n, arp_request(MORE, "10.1.0.8", THERE), vlan=101)
        if answered:
            good.add(n + 0.01, arp_reply(FAR, THERE, MORE, "10.1.0.8"), vlan=101, wire=True)
        lacking.add(n + 0.2, arp_request(GUEST, HERE, THERE), vlan=101)
        if reflected:
            good.add(n + 0.2001, arp_request(GUEST, HERE, THERE), vlan=101, wire=True)
        if carried:
            lacking.add(n + 0.3, arp_request(FAR, THERE, "10.1.0.99"), vlan=101, wire=True)
    return good, lacking


@pytest.mark.parametrize(
    ("how", "named", "expected"),
    [
        ({}, True, True),
        ({"carried": True}, True, False),
        ({"answered": False}, True, False),
        ({"reflected": True}, True, False),
        ({}, False, False),
    ],
)
def test_a_member_without_a_vlan(tmp_path: Path, how: dict[str, bool], named: bool, expected: bool) -> None:
    good, lacking = members(**how)
    names = ("kvm1-eth0", "kvm1-eth1") if named else ("kvm1-eth0", "kvm2-eth0")
    found = along(tmp_path, (names[0], Role.BOND, good), (names[1], Role.BOND, lacking))
    assert ("OVS006" in codes(found)) is expected
