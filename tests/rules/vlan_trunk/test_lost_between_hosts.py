"""VLAN002: what leaves one NIC and never comes to the other, by IPv4 and IPv6, at all or from a moment on."""

from pathlib import Path

import pytest

from pcapdx.model import Confidence, Severity
from pcapdx.vantage import Role
from tests.rules.build import Tape, along, arp_reply, arp_request, by_code, echo, solicit

GUEST, OTHER, ROUTER = "02:01:00:cc:00:31", "02:01:00:cc:00:32", "02:01:00:cc:00:01"
NEAR, FAR = "02:01:00:cd:00:31", "02:01:00:cd:00:32"
GUEST_6, ROUTER_6 = "2001:db8:1::31", "2001:db8:1::1"


TRANSIT_S = 0.0002


def pinged(
    near: Tape, far: Tape, at_s: float, number: int, vlan: int, asker: tuple[str, str], server: tuple[str, str]
) -> None:
    """A ping from the near host to the far one, and its answer."""
    there = echo(*asker, *server, number=number)
    back = echo(*server, *asker, number=number, reply=True)
    near.add(at_s, there, vlan=vlan).add(at_s + 3 * TRANSIT_S, back, vlan=vlan)
    far.add(at_s + TRANSIT_S, there, vlan=vlan).add(at_s + 2 * TRANSIT_S, back, vlan=vlan)


def crossing(near: Tape, far: Tape, seconds: int = 40) -> None:
    """A VLAN that works."""
    for n in range(seconds):
        pinged(near, far, n, n, 102, (NEAR, "10.2.0.31"), (FAR, "10.2.0.32"))


def six(target: str, *, router: str = ROUTER_6) -> tuple[Tape, Tape]:
    """A guest asks for an IPv6 address in VLAN 101; at the far NIC only the router's own requests are seen."""
    near, far = Tape(), Tape()
    crossing(near, far)
    for n in range(2, 30, 3):
        near.add(n, solicit(GUEST, GUEST_6, target), vlan=101)
        far.add(n, solicit(ROUTER, router, "2001:db8:1::77"), vlan=101)
    return near, far


def test_neighbour_discovery_that_never_arrives(tmp_path: Path) -> None:
    near, far = six(ROUTER_6)
    found = by_code(along(tmp_path, ("near", Role.NIC, near), ("far", Role.NIC, far)))["VLAN002"]
    assert (found.subject.vlan, found.severity) == (101, Severity.ERROR)
    assert "IPv6 neighbour discovery" in found.summary


def test_a_group_that_the_other_host_never_joined(tmp_path: Path) -> None:
    """A switch that snoops MLD sends it nowhere else."""
    near, far = six("2001:db8:1::99")
    assert "VLAN002" not in by_code(along(tmp_path, ("near", Role.NIC, near), ("far", Role.NIC, far)))


def pruned(*, asks_s: int = 30, moved: bool = False, comes_back: bool = False) -> tuple[Tape, Tape]:
    """Two guests and their router in VLAN 101 talk for ten seconds; then the guests ask and are not heard."""
    near, far = Tape(), Tape()
    crossing(near, far, seconds=60)
    for tape in (near, far):
        tape.add(0, arp_request(NEAR, "10.2.0.31", "10.2.0.32"), vlan=102)
    guests = ((GUEST, "10.1.0.31"), (OTHER, "10.1.0.32"))
    for n in range(10):
        for guest in guests:
            pinged(near, far, n + 0.1, n, 101, guest, (ROUTER, "10.1.0.1"))
    for n in range(12, 12 + asks_s, 2):
        for mac, ip in guests:
            near.add(n, arp_request(mac, ip, "10.1.0.1"), vlan=101)
            if moved:
                near.add(n + 0.001, arp_reply(ROUTER, "10.1.0.1", mac, ip), vlan=101)
    if comes_back:
        pinged(near, far, 50, 50, 101, guests[0], (ROUTER, "10.1.0.1"))
    return near, far


def test_cut_off_from_a_moment_on(tmp_path: Path) -> None:
    near, far = pruned()
    found = by_code(along(tmp_path, ("near", Role.NIC, near), ("far", Role.NIC, far)))["VLAN002"]
    assert (found.subject.vlan, found.confidence) == (101, Confidence.LIKELY)
    assert "no longer carried" in found.summary


@pytest.mark.parametrize(
    "points",
    [pruned(asks_s=6), pruned(moved=True), pruned(comes_back=True)],
    ids=["for a few seconds", "the router has moved to another host", "it comes back"],
)
def test_what_is_not_cut_off(tmp_path: Path, points: tuple[Tape, Tape]) -> None:
    near, far = points
    assert "VLAN002" not in by_code(along(tmp_path, ("near", Role.NIC, near), ("far", Role.NIC, far)))
