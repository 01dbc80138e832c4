"""PHYS008: two masters at once, and one after the other."""

from pathlib import Path

import pytest
from scapy.utils import wrpcap

from pcapdx.diagnose import analyze
from pcapdx.model import Confidence, Severity
from pcapdx.vantage import CaptureArgument, Role
from tests.rules.build import Tape, plugins
from tests.rules.control import vrrp

FIRST, SECOND, ELSEWHERE = "02:01:00:cc:00:01", "02:01:00:cc:00:02", "02:01:00:ee:00:02"
VIRTUAL = "00:00:5e:00:01:33"


def masters(
    seconds: int = 14,
    *,
    first: tuple[int, int] = (0, 99),
    second: tuple[int, int] = (0, 99),
    vlan: int = 0,
    macs: tuple[str, str] = (FIRST, SECOND),
    address: str = "10.1.1.1",
    version: int = 2,
    priority: int = 80,
) -> Tape:
    """Advertisements of two routers, each within some seconds."""
    tape = Tape()
    for n in range(seconds):
        if first[0] <= n < first[1]:
            tape.add(n, vrrp(macs[0], "10.1.1.2"), vlan=vlan)
        if second[0] <= n < second[1]:
            tape.add(n + 0.5, vrrp(macs[1], "10.1.1.3", address=address, version=version, priority=priority), vlan=vlan)
    return tape


@pytest.mark.parametrize("macs", [(FIRST, SECOND), (VIRTUAL, VIRTUAL)], ids=["own", "virtual"])
def test_two_masters(tmp_path: Path, macs: tuple[str, str]) -> None:
    found = masters(macs=macs).finding(tmp_path, "PHYS008")
    assert (found.severity, found.confidence) == (Severity.ERROR, Confidence.CERTAIN)


def test_why_they_do_not_hear_each_other(tmp_path: Path) -> None:
    assert "their versions differ, 2 and 3" in masters(version=3).finding(tmp_path, "PHYS008").summary


@pytest.mark.parametrize(
    "tape",
    [
        masters(first=(0, 7), second=(7, 99)),
        masters(20, first=(0, 7), second=(7, 13)),
        masters(7),
        masters(priority=0),
        masters(macs=(FIRST, FIRST)),
    ],
    ids=["failover", "ends with the second", "a few seconds", "gives up", "one machine with two addresses"],
)
def test_one_master(tmp_path: Path, tape: Tape) -> None:
    assert not tape.findings(tmp_path, "PHYS008")


def test_a_master_that_comes_back(tmp_path: Path) -> None:
    tape = masters(24, first=(0, 8), second=(8, 15))
    for n in range(15, 24):
        tape.add(n, vrrp(FIRST, "10.1.1.2"))
    assert not tape.findings(tmp_path, "PHYS008")


def test_one_id_for_different_addresses_is_a_remark(tmp_path: Path) -> None:
    assert masters(address="10.1.1.129").finding(tmp_path, "PHYS008").severity is Severity.INFO


def test_of_all_interfaces_at_once(tmp_path: Path) -> None:
    """Untagged frames there are of many networks, and each has such a pair."""
    assert not masters().findings(tmp_path, "PHYS008", role=Role.ANY)


def two_points(first: Tape, second: Tape, folder: Path) -> set[str]:
    arguments = []
    for name, tape in (("kvm1", first), ("kvm2", second)):
        wrpcap(str(folder / name), tape.packets, linktype=1)
        arguments.append(CaptureArgument(name=name, role=Role.NIC, path=str(folder / name), named=True))
    found = analyze(arguments, plugins(), strict=True).diagnosed.findings
    return {one.finding.code for one in found if one.finding.severity is not Severity.INFO}


def side(number: int, vlan: int = 101, mac: str = "") -> Tape:
    never = (99, 99)
    macs = (mac or FIRST, mac or SECOND)
    return masters(second=never, vlan=vlan, macs=macs) if number == 1 else masters(first=never, vlan=vlan, macs=macs)


def test_each_side_sees_its_own_master(tmp_path: Path) -> None:
    assert two_points(side(1), side(2), tmp_path) == {"PHYS008"}


@pytest.mark.parametrize(
    ("first", "second"),
    [(side(1, 101), side(2, 102)), (side(1, 0), side(2, 0)), (side(1), side(2, mac=ELSEWHERE)), (side(1), side(1))],
    ids=["two VLANs", "untagged", "two networks", "the same router"],
)
def test_two_networks_with_the_same_addresses(tmp_path: Path, first: Tape, second: Tape) -> None:
    assert not two_points(first, second, tmp_path)
