"""HYP010, HYP011, HYP025: what LACP says of a bond; HYP008 beside it."""

from pathlib import Path

import pytest
from scapy.utils import wrpcap

from pcapdx.diagnose import analyze
from pcapdx.model import Severity
from pcapdx.vantage import CaptureArgument, Role
from tests.rules.build import Tape, arp_reply, arp_request, discover, plugins
from tests.rules.control import DEFAULTED, NIC, NOBODY, SWITCH, lacp

GUEST, FAR = "02:01:00:cc:00:16", "02:01:00:cc:00:17"
STANDBY = 0x05


def lonely(*moments: float, source: str = NIC) -> Tape:
    """Units without a partner."""
    tape = Tape()
    for at in moments:
        tape.add(at, lacp(source, system=source, state=DEFAULTED, partner=NOBODY, partner_state=0))
    return tape


def synced(seconds: int = 10, start: float = 0) -> Tape:
    tape = Tape()
    for n in range(seconds):
        tape.add(start + n, lacp()).add(
            start + n + 0.5, lacp(SWITCH, system=SWITCH, key=33, port=7, partner=NIC, partner_key=9)
        )
    return tape


def test_nobody_answers(tmp_path: Path) -> None:
    found = lonely(0, 1, 31, 61).finding(tmp_path, "HYP010", role=Role.NIC)
    assert found.severity is Severity.WARNING
    assert "One end's LACP" in found.summary


def test_of_this_host_it_is_an_error(tmp_path: Path) -> None:
    tape = lonely(0, 1, 31, 61).add(2, arp_request(NIC, "10.0.0.1", "10.0.0.9"))
    tape.add(3, arp_request(FAR, "10.0.0.7", "10.0.0.8"), wire=True)
    found = tape.finding(tmp_path, "HYP010", role=Role.NIC)
    assert found.severity is Severity.ERROR
    assert "This host's LACP" in found.summary


def test_a_bond_told_as_such(tmp_path: Path) -> None:
    assert lonely(0, 1, 31, 61).finding(tmp_path, "HYP010", role=Role.BOND).severity is Severity.ERROR


def test_a_link_that_works_without_a_partner(tmp_path: Path) -> None:
    tape = lonely(0, 1, 31, 61).add(2, arp_request(GUEST, "10.0.0.1", "10.0.0.9"))
    tape.add(2.01, arp_reply(FAR, "10.0.0.9", GUEST, "10.0.0.1"), wire=True)
    assert tape.finding(tmp_path, "HYP010", role=Role.BOND).severity is Severity.WARNING
    assert tape.finding(tmp_path, "HYP010", role=Role.NIC).severity is Severity.INFO


@pytest.mark.parametrize("moments", [(0, 30), (0, 1, 2, 3, 4, 5, 6, 7, 8)], ids=["two units", "just linked"])
def test_too_little_to_tell(tmp_path: Path, moments: tuple[float, ...]) -> None:
    assert not lonely(*moments).findings(tmp_path, "HYP010", role=Role.BOND)


def test_a_partner_came_later(tmp_path: Path) -> None:
    tape = lonely(0, 1, 2, 32)
    tape.packets += synced(4, start=40).packets
    assert not tape.findings(tmp_path, "HYP010", role=Role.BOND)
    assert "HYP025" in tape.proofs(tmp_path, role=Role.BOND)


@pytest.mark.parametrize(("every", "count"), [(30, 1), (5, 0)])
def test_a_partner_that_does_not_agree(tmp_path: Path, every: int, count: int) -> None:
    tape = Tape()
    for n in range(5):
        tape.add(n * every, lacp(state=STANDBY))
    found = tape.findings(tmp_path, "HYP010", role=Role.BOND)
    assert len(found) == count
    assert all(one.severity is Severity.WARNING for one in found)
    assert "HYP025" not in tape.proofs(tmp_path, role=Role.BOND)


@pytest.mark.parametrize(("seconds", "count"), [(95, 1), (40, 0)])
def test_a_partner_that_is_lost(tmp_path: Path, seconds: int, count: int) -> None:
    tape = synced(5)
    tape.packets += lonely(*(6 + n * 5 for n in range(seconds // 5 + 1))).packets
    found = tape.findings(tmp_path, "HYP010", role=Role.BOND)
    assert len(found) == count
    assert all("lost its LACP partner" in one.summary for one in found)


def test_in_sync(tmp_path: Path) -> None:
    proofs = [one for one in synced().analysis(tmp_path, role=Role.BOND).diagnosed.proofs if one.code == "HYP025"]
    assert len(proofs) == 1
    assert not synced().grave(tmp_path, role=Role.BOND)


def test_a_switch_that_speaks_is_heard(tmp_path: Path) -> None:
    """The host is cut off by the bundle, not by a dead link."""
    tape = lonely(0, 30, 60, source=SWITCH)
    for n in range(9):
        tape.add(n * 8, discover(GUEST))
    for n in range(64):
        tape.add(n, arp_request(GUEST, "10.1.0.7", "10.1.0.1"), vlan=101)
    assert tape.grave(tmp_path, role=Role.NIC) & {"HYP008", "HYP010"} == {"HYP010"}


def members(first: Tape, second: Tape, folder: Path) -> set[str]:
    """Codes found in two captures, one of each member."""
    arguments = []
    for name, tape in (("eth1", first), ("eth2", second)):
        wrpcap(str(folder / name), tape.packets, linktype=1)
        arguments.append(CaptureArgument(name=name, role=Role.BOND, path=str(folder / name), named=True))
    found = analyze(arguments, plugins(), strict=True).diagnosed.findings
    return {one.finding.code for one in found if one.finding.severity is not Severity.INFO}


def member(port: int, partner: str = SWITCH, key: int = 33, *, system: str = NIC, start: float = 0) -> Tape:
    tape = Tape()
    for n in range(5):
        tape.add(start + n, lacp(system=system, port=port, partner=partner, partner_key=key))
    return tape


def test_two_switches_and_two_bundles(tmp_path: Path) -> None:
    assert members(member(1), member(2, "00:1c:73:00:00:08"), tmp_path) == {"HYP011"}
    assert members(member(1), member(2, key=34), tmp_path) == {"HYP011"}


def test_in_one_capture(tmp_path: Path) -> None:
    tape = member(1)
    tape.packets += member(2, "00:1c:73:00:00:08").packets
    assert tape.finding(tmp_path, "HYP011", role=Role.BOND).subject.mac == NIC


@pytest.mark.parametrize(
    "second",
    [member(2), member(2, "00:1c:73:00:00:08", system="b8:59:9f:00:00:02"), member(1, "00:1c:73:00:00:08")],
    ids=["one pair", "two bonds", "one link whose switch was replaced"],
)
def test_one_partner(tmp_path: Path, second: Tape) -> None:
    assert not members(member(1), second, tmp_path)


def test_not_at_one_time(tmp_path: Path) -> None:
    assert not members(member(1), member(2, "00:1c:73:00:00:08", start=600), tmp_path)
