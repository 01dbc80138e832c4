"""VLAN005, VLAN009 to VLAN012: what spanning tree tells, and what it does not."""

from pathlib import Path

import pytest

from pcapdx.model import Confidence, Severity
from pcapdx.site import Site, Uplink
from pcapdx.vantage import Role
from tests.rules.build import Tape, arp_reply, arp_request, discover
from tests.rules.control import NIC, SWITCH, bpdu, cdp, lacp, lldp, pvst

GUEST, FAR, OTHER = "02:01:00:cc:00:16", "02:01:00:cc:00:41", "02:01:00:cc:00:42"
TC, DISCARDS, FORWARDS = 0x01, 0x0E, 0x3C


def chatting(seconds: int, *, far_until: int | None = None) -> Tape:
    """A guest here asks on and on; two machines elsewhere are heard (until some second)."""
    tape = Tape()
    for n in range(seconds):
        tape.add(n, arp_request(GUEST, "10.1.1.7", f"10.1.1.{60 + n}"))
        if far_until is None or n < far_until:
            tape.add(n + 0.2, arp_request(FAR, "10.1.1.41", f"10.1.1.{160 + n}"), wire=True)
            tape.add(n + 0.4, arp_reply(OTHER, "10.1.1.42", GUEST, "10.1.1.7"), wire=True)
    return tape


def test_a_host_that_speaks_spanning_tree(tmp_path: Path) -> None:
    tape = chatting(10)
    for n in range(4):
        tape.add(2 * n, bpdu(NIC))
    found = tape.finding(tmp_path, "VLAN010", role=Role.NIC)
    assert (found.severity, found.subject.mac) == (Severity.WARNING, NIC)
    assert "This host" in found.summary


def test_a_guest_that_bridges_is_called_so(tmp_path: Path) -> None:
    tape = chatting(10)
    for n in range(4):
        tape.add(2 * n, bpdu(GUEST))
    assert "The guest" in tape.finding(tmp_path, "VLAN010", role=Role.NIC).summary


@pytest.mark.parametrize("role", [Role.NIC, None, Role.TAP])
def test_the_switchs_own_units_are_no_fault(tmp_path: Path, role: Role | None) -> None:
    tape = chatting(10)
    for n in range(4):
        tape.add(2 * n, bpdu(SWITCH), wire=True)
    assert not tape.grave(tmp_path, role=role)


def test_where_nothing_is_padded_nobody_is_this_host(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(6):
        tape.add(2 * n, bpdu(NIC)).add(n, arp_request(GUEST, "10.1.1.7", f"10.1.1.{60 + n}"))
    assert not tape.findings(tmp_path, "VLAN010", role=Role.NIC)


@pytest.mark.parametrize(("mac", "severity"), [(GUEST, Severity.WARNING), (NIC, Severity.INFO)])
def test_a_machine_that_bridges_where_nothing_is_padded(tmp_path: Path, mac: str, severity: Severity) -> None:
    tape = Tape()
    for n in range(6):
        tape.add(2 * n, bpdu(mac)).add(n, arp_request(mac, "10.1.1.7", f"10.1.1.{60 + n}"))
    assert tape.finding(tmp_path, "VLAN010", role=Role.NIC).severity is severity
    assert not tape.findings(tmp_path, "VLAN010", role=Role.TAP)


def guarded(*, heard_until: int, first_unit_s: float, seconds: int = 40) -> Tape:
    tape = chatting(seconds, far_until=heard_until)
    for n in range(int(seconds - first_unit_s) // 2):
        tape.add(first_unit_s + 2 * n, bpdu(NIC))
    return tape


def test_a_port_that_shuts_at_the_first_unit(tmp_path: Path) -> None:
    tape = guarded(heard_until=12, first_unit_s=11)
    found = tape.finding(tmp_path, "VLAN011", role=Role.NIC)
    assert (found.severity, found.confidence) == (Severity.ERROR, Confidence.LIKELY)
    (root,) = (one for one in tape.analysis(tmp_path, role=Role.NIC).diagnosed.diagnoses if one.root.finding == found)
    assert {one.finding.code for one in root.consequences} >= {"VLAN010"}


@pytest.mark.parametrize(
    ("heard_until", "first_unit_s", "seconds"),
    [(20, 4, 40), (12, 25, 40), (12, 11, 20), (40, 11, 40)],
    ids=["units long before", "silence before the unit", "too short a silence", "all goes on"],
)
def test_no_guard(tmp_path: Path, heard_until: int, first_unit_s: float, seconds: int) -> None:
    tape = guarded(heard_until=heard_until, first_unit_s=first_unit_s, seconds=seconds)
    assert not tape.findings(tmp_path, "VLAN011", role=Role.NIC)


def test_a_quiet_link_proves_no_silence(tmp_path: Path) -> None:
    tape = chatting(60, far_until=0)
    for n in range(6):
        tape.add(8 * n, arp_request(FAR, "10.1.1.41", "10.1.1.99"), wire=True)
    for n in range(8):
        tape.add(39 + 2 * n, bpdu(NIC))
    assert not tape.findings(tmp_path, "VLAN011", role=Role.NIC)


def changing(times: int, every: float, *, units: int = 3) -> Tape:
    tape = Tape()
    for n in range(int(times * every / 2) + 4):
        tape.add(2 * n, bpdu(SWITCH), wire=True)
    for n in range(times):
        for unit in range(units):
            tape.add(n * every + unit * 2 + 0.5, bpdu(SWITCH, flags=TC), wire=True)
    return tape


def test_a_tree_without_rest(tmp_path: Path) -> None:
    found = changing(7, 20).finding(tmp_path, "VLAN012")
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.CERTAIN)
    assert "changed seven times in 2 min" in found.summary or "changed seven times in 1" in found.summary


@pytest.mark.parametrize(
    ("times", "every", "units"), [(5, 20, 3), (7, 70, 3), (1, 20, 40)], ids=["five", "too seldom", "one long change"]
)
def test_changes_that_are_no_storm(tmp_path: Path, times: int, every: float, units: int) -> None:
    assert not changing(times, every, units=units).findings(tmp_path, "VLAN012")


def test_trees_of_different_vlans_are_counted_apart(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(8):
        unit = bytearray(bytes(pvst(101 + n, 101 + n)))
        unit[30] |= TC
        tape.packets.append(type(pvst(1))(bytes(unit)))
        tape.packets[-1].time = 1_760_000_000 + 10 * n
    assert not tape.findings(tmp_path, "VLAN012", role=Role.TRUNK)


def waiting(
    dark_s: int, *, peers: int = 2, version: int = 0, forwards_early: bool = False, bundle: bool = False
) -> Tape:
    """A guest asks for two machines in vain, then both answer."""
    tape = Tape()
    targets = ((FAR, "10.1.1.41"), (OTHER, "10.1.1.42"))
    for n in range(dark_s):
        for _, ip in targets:
            tape.add(n + 0.1, arp_request(GUEST, "10.1.1.7", ip))
    for n in range(dark_s // 2 + 4):
        flags = (FORWARDS if forwards_early or 2 * n >= dark_s else DISCARDS) if version else 0
        tape.add(2 * n, bpdu(SWITCH, flags=flags, version=version), wire=True)
        if bundle:
            tape.add(2 * n, lacp(SWITCH, system=SWITCH, partner=NIC))
    for mac, ip in targets[:peers]:
        tape.add(dark_s + 0.2, arp_reply(mac, ip, GUEST, "10.1.1.7"), wire=True)
    tape.add(dark_s + 6, arp_request(GUEST, "10.1.1.7", "10.1.1.41"))
    return tape


def test_a_port_that_waits(tmp_path: Path) -> None:
    found = waiting(30).finding(tmp_path, "VLAN009", role=Role.NIC)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)


def test_its_own_units_make_it_certain(tmp_path: Path) -> None:
    """Then one peer is enough, and half the time."""
    found = waiting(14, peers=1, version=2).finding(tmp_path, "VLAN009", role=Role.NIC)
    assert found.confidence is Confidence.CERTAIN


def test_its_own_units_where_nothing_is_padded(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(16):
        tape.add(n, arp_request(GUEST, "10.1.1.7", "10.1.1.41"))
        tape.add(2 * n, bpdu(SWITCH, flags=FORWARDS if n > 7 else DISCARDS, version=2))
    tape.add(16.5, arp_reply(FAR, "10.1.1.41", GUEST, "10.1.1.7"))
    assert tape.finding(tmp_path, "VLAN009", role=Role.NIC).confidence is Confidence.CERTAIN
    tape.add(8, arp_reply(FAR, "10.1.1.41", GUEST, "10.1.1.7"))
    assert not tape.findings(tmp_path, "VLAN009", role=Role.NIC)


@pytest.mark.parametrize(
    "tape",
    [
        waiting(14),
        waiting(30, peers=1),
        waiting(90),
        waiting(30, version=2, forwards_early=True),
        waiting(30, bundle=True),
    ],
    ids=["too short", "one peer may boot", "too long", "it forwards", "a bundle's wait"],
)
def test_no_wait_for_the_tree(tmp_path: Path, tape: Tape) -> None:
    assert not tape.findings(tmp_path, "VLAN009", role=Role.NIC)


def test_others_are_heard_meanwhile(tmp_path: Path) -> None:
    tape = waiting(30)
    for n in range(4):
        tape.add(8 * n, arp_request("02:01:00:cc:00:99", "10.1.1.99", "10.1.1.98"), wire=True)
    assert not tape.findings(tmp_path, "VLAN009", role=Role.NIC)


def units(*pairs: tuple[int, int], times: int = 3) -> Tape:
    tape = chatting(8)
    for n in range(times):
        for pvid, tag in pairs:
            tape.add(2 * n, pvst(pvid, tag), wire=True)
    return tape


def test_a_unit_in_another_vlan_than_its_own(tmp_path: Path) -> None:
    found = units((1, 0), (101, 102), (103, 103)).finding(tmp_path, "VLAN005", role=Role.TRUNK)
    assert (found.severity, found.subject.vlan) == (Severity.WARNING, 102)


@pytest.mark.parametrize(
    ("tape", "role"),
    [
        (units((5, 0), (1, 1), (101, 101)), Role.TRUNK),
        (units((101, 102), times=1), Role.NIC),
        (units((101, 0)), Role.NIC),
    ],
    ids=["all right", "once", "untagged is the native one"],
)
def test_units_that_fit(tmp_path: Path, tape: Tape, role: Role) -> None:
    assert not tape.findings(tmp_path, "VLAN005", role=role)


def tagging(vlan: int, *, untagged_answers: bool) -> Tape:
    """A guest asks in a VLAN, and is answered untagged, or not at all."""
    tape = chatting(8)
    for n in range(16):
        tape.add(n, arp_request("02:01:00:dd:00:16", "10.2.0.7", "10.2.0.1"), vlan=vlan)
        tape.add(n + 0.3, discover("02:01:00:dd:00:17", xid=7), vlan=vlan)
        if untagged_answers:
            tape.add(n + 0.01, arp_reply("02:01:00:dd:00:01", "10.2.0.1", "02:01:00:dd:00:16", "10.2.0.7"), wire=True)
    return tape


@pytest.mark.parametrize("packet", [lldp(native=455), cdp(native=455)], ids=["LLDP", "CDP"])
def test_the_native_vlan_is_one_that_the_host_tags(tmp_path: Path, packet: object) -> None:
    tape = tagging(455, untagged_answers=True).add(1, packet, wire=True)  # type: ignore[arg-type] # scapy's is Any
    assert tape.finding(tmp_path, "VLAN005", role=Role.NIC).subject.vlan == 455
    silent = tagging(455, untagged_answers=False).add(1, packet, wire=True)  # type: ignore[arg-type] # as above
    assert silent.finding(tmp_path, "VLAN005", role=Role.NIC).confidence is Confidence.POSSIBLE


def test_another_native_vlan_is_none_of_its_business(tmp_path: Path) -> None:
    assert (
        not tagging(455, untagged_answers=True)
        .add(1, lldp(native=1), wire=True)
        .findings(tmp_path, "VLAN005", role=Role.NIC)
    )


def test_the_native_vlan_of_the_plan(tmp_path: Path) -> None:
    tape = chatting(8).add(1, lldp(native=5), wire=True)
    for vlan, count in ((5, 0), (6, 1)):
        site = Site(uplink=(Uplink(name="tape", native_vlan=vlan),))
        assert len(tape.findings(tmp_path, "VLAN005", role=Role.NIC, site=site)) == count
