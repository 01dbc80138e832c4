"""PHYS002, PHYS003, PHYS004 and PHYS006: traffic in the wrong VLAN or by the wrong NIC."""

from pathlib import Path

import pytest

from pcapdx.model import Confidence
from pcapdx.site import Management, Site, Storage
from pcapdx.vantage import Role
from tests.rules.build import Tape, arp_reply, arp_request, echo
from tests.rules.host_connectivity.talking import End, Talk

HOST: End = ("b8:59:9f:00:00:11", "10.60.0.11")
SECOND: End = ("b8:59:9f:00:00:12", "10.60.0.12")
GATEWAY: End = ("00:1b:21:00:00:01", "10.60.0.1")
PROXY: End = ("1e:00:44:00:00:21", "10.60.0.121")
GUEST: End = ("02:01:00:d2:00:05", "10.60.0.77")


def asks(tape: Tape, who: End, target: End, at_s: float, *, vlan: int = 0, answered: bool = True) -> Tape:
    tape.add(at_s, arp_request(*who, target[1]), vlan=vlan)
    if answered:
        tape.add(at_s + 0.001, arp_reply(*target, *who), vlan=vlan, wire=True)
    return tape


def misplaced(*, asker: End = HOST, proxy: End = PROXY) -> Tape:
    """A system VM asks untagged for what answers the host in VLAN 210."""
    tape = Tape()
    for at in range(4):
        asks(tape, proxy, GATEWAY, at, answered=False)
    for moment in (0.5, 9):
        asks(tape, asker, GATEWAY, moment, vlan=210)
    return tape


def test_management_untagged(tmp_path: Path) -> None:
    found = misplaced().finding(tmp_path, "PHYS002", role=Role.NIC)
    assert (found.subject.mac, found.confidence) == (PROXY[0], Confidence.LIKELY)
    site = Site(management=Management(networks=("10.60.0.0/24",)))
    assert misplaced().finding(tmp_path, "PHYS002", role=Role.NIC, site=site).confidence is Confidence.CERTAIN


@pytest.mark.parametrize(
    "tape",
    [
        misplaced(asker=GUEST),  # a guest network that has the same gateway
        misplaced(asker=(HOST[0], "10.99.0.11")),
        misplaced(proxy=SECOND),  # a host, not a system VM
        asks(misplaced(), PROXY, SECOND, 5),  # somebody answers it there
    ],
)
def test_not_misplaced(tmp_path: Path, tape: Tape) -> None:
    assert not tape.findings(tmp_path, "PHYS002", role=Role.NIC)


def test_a_subnet_that_is_larger_than_24_bits(tmp_path: Path) -> None:
    proxy = PROXY[0], "10.60.1.121"  # of 10.60.0.0/23
    assert misplaced(proxy=proxy).findings(tmp_path, "PHYS002", role=Role.NIC)
    at_home = asks(misplaced(proxy=proxy), SECOND, HOST, 6)  # others of the subnet are untagged, too
    assert not at_home.findings(tmp_path, "PHYS002", role=Role.NIC)


def test_a_guessed_gateway(tmp_path: Path) -> None:
    """It also asks for what nobody has anywhere; the better proof is told."""
    tape = misplaced()
    for at in range(4):
        asks(tape, PROXY, (GATEWAY[0], "10.60.0.254"), at, answered=False)
    (found,) = tape.findings(tmp_path, "PHYS002", role=Role.NIC)
    assert f"asks for {GATEWAY[1]} untagged" in found.summary


def test_storage_untagged(tmp_path: Path) -> None:
    tape = misplaced()
    Talk(tape, HOST, GATEWAY, 2049, vlan=210).open(1).says(1.1, HOST, 90).says(1.2, GATEWAY, 90)
    assert tape.findings(tmp_path, "PHYS003", role=Role.NIC)
    assert not tape.findings(tmp_path, "PHYS002", role=Role.NIC)


def taken(*, others_served: bool = True, vm_at_s: float = 4, retried: bool = True) -> Tape:
    """A host's storage dies at second 5, and the storage sends to it again and again."""
    tape = Tape()
    talk = Talk(tape, HOST, GATEWAY, 3260, vlan=230).open(0)
    for at in range(1, 6):
        talk.says(at, GATEWAY, 500)
    talk.says(5.3, GATEWAY, 500, acked=False)
    for moment in (5.5, 6, 7, 9, 13, 21) if retried else ():
        talk.again(moment, GATEWAY, 500)
    other = Talk(tape, SECOND, GATEWAY, 3260, source=40_002, vlan=230).open(0)
    for at in range(1, 30 if others_served else 6):
        other.says(at + 0.1, GATEWAY, 500)
    tape.add(vm_at_s, arp_request(*PROXY, PROXY[1]), vlan=230)
    return tape.add(30, arp_request(*GATEWAY, "10.60.0.200"), vlan=230)


def test_storage_taken_away(tmp_path: Path) -> None:
    found = taken().finding(tmp_path, "PHYS003", role=Role.NIC)
    assert (found.subject.mac, found.subject.server) == (HOST[0], GATEWAY[1])


@pytest.mark.parametrize("tape", [taken(others_served=False), taken(vm_at_s=9), taken(retried=False)])
def test_storage_not_taken_away(tmp_path: Path, tape: Tape) -> None:
    """All lose it; the system VM came later; the host just has nothing to read."""
    assert not tape.findings(tmp_path, "PHYS003", role=Role.NIC)


def in_vain(*, guests: bool = True, pings: bool = False, vlan: int = 240) -> Tape:
    tape = Tape()
    for at in range(6):
        asks(tape, HOST, GATEWAY, at, vlan=vlan)
        if pings:
            tape.add(at + 0.1, echo(*HOST, *GATEWAY, number=at), vlan=vlan)
    if guests:
        asks(tape, GUEST, GATEWAY, 2.5, vlan=vlan)
    return tape


def test_vlan_of_the_host_taken(tmp_path: Path) -> None:
    found = in_vain().finding(tmp_path, "PHYS004", role=Role.NIC)
    assert (found.subject.mac, found.subject.vlan) == (HOST[0], 240)


@pytest.mark.parametrize("tape", [in_vain(guests=False), in_vain(pings=True), in_vain(vlan=0)])
def test_vlan_not_taken(tmp_path: Path, tape: Tape) -> None:
    assert not tape.findings(tmp_path, "PHYS004", role=Role.NIC)


def storage(near: End, far: End, *, segments: int = 20) -> Tape:
    tape = Tape()
    talk = Talk(tape, near, far, 2049).open(0)
    for n in range(segments):
        talk.says(1 + n * 0.1, near, 800)
    return tape


PLAN = Site(
    management=Management(servers=("10.60.0.5",), networks=("10.60.0.0/24",)),
    storage=Storage(networks=("10.9.0.0/24",)),
)
NAS: End = (GATEWAY[0], "10.9.0.20")


def test_storage_by_management(tmp_path: Path) -> None:
    assert storage(HOST, NAS).findings(tmp_path, "PHYS006", site=PLAN)
    assert not storage(HOST, NAS).findings(tmp_path, "PHYS006")


@pytest.mark.parametrize(
    "tape",
    [
        storage(PROXY, NAS),  # secondary storage
        storage((SECOND[0], "10.60.0.5"), NAS),  # of the management server
        storage(HOST, (NAS[0], "10.60.0.30")),  # storage that lies in the management network
        storage((HOST[0], "10.9.0.11"), NAS),
        storage(HOST, NAS, segments=4),
    ],
)
def test_storage_where_it_belongs(tmp_path: Path, tape: Tape) -> None:
    assert not tape.findings(tmp_path, "PHYS006", site=PLAN)


def test_the_same_nic_is_beside_the_storage(tmp_path: Path) -> None:
    tape = storage(HOST, NAS)
    tape.add(0.5, arp_request(HOST[0], "10.9.0.11", "10.9.0.12"), vlan=251)
    assert tape.findings(tmp_path, "PHYS006")


def test_what_follows_from_it(tmp_path: Path) -> None:
    """That the system VM does not reach its management server is a consequence."""
    tape = misplaced()
    for at in range(4):
        asks(tape, PROXY, (GATEWAY[0], "10.60.0.5"), at, answered=False)
    Talk(tape, ("00:1b:21:00:00:91", "192.168.7.1"), ("00:1b:21:00:00:92", "192.168.7.2"), 80).open(1)
    found = tape.analysis(tmp_path, role=Role.NIC, site=Site(management=Management(servers=("10.60.0.5",))))
    codes = {one.finding.code: one.explained_by for one in found.diagnosed.findings}
    assert codes["PHYS002"] is None
    assert codes["HOST001"] is not None


def test_somebody_else_of_the_subnet_is_untagged(tmp_path: Path) -> None:
    tape = misplaced()
    asks(tape, SECOND, (HOST[0], "10.60.0.13"), 4, answered=False)
    assert not tape.findings(tmp_path, "PHYS002", role=Role.NIC)


@pytest.mark.parametrize(
    ("role", "vlan", "told"), [(Role.NIC, 210, True), (Role.NIC, 0, False), (Role.BRIDGE, 210, False)]
)
def test_only_the_profile_knows_the_vlan(tmp_path: Path, role: Role, vlan: int, told: bool) -> None:
    tape = Tape()
    for at in range(4):
        asks(tape, PROXY, GATEWAY, at, answered=False)
    Talk(tape, ("00:1b:21:00:00:91", "192.168.7.1"), ("00:1b:21:00:00:92", "192.168.7.2"), 80).open(9)
    site = Site(management=Management(networks=("10.60.0.0/24",), vlan=vlan))
    assert bool(tape.findings(tmp_path, "PHYS002", role=role, site=site)) is told


def test_a_mac_that_is_on_both_sides(tmp_path: Path) -> None:
    """An instance's MAC was given twice: what its twin beyond asks comes in by the wire, and so do all answers."""
    tape = asks(Tape(), GUEST, GATEWAY, 2.5, vlan=240)
    for at in range(6):
        tape.add(at, arp_request(*HOST, GATEWAY[1]), vlan=240, wire=True)
        tape.add(at + 0.001, arp_reply(*GATEWAY, *HOST), vlan=240, wire=True)
        tape.add(at + 0.5, arp_request(HOST[0], SECOND[1], f"10.60.0.{150 + at}"), vlan=240)
    assert not tape.findings(tmp_path, "PHYS004", role=Role.NIC)
