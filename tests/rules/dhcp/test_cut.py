"""DHCP whose options the snap length cut off: what can still be said, and what cannot."""

from pathlib import Path

import pytest

from pcapdx.model import Confidence, Severity
from tests.rules.build import Tape, answer, arp_reply, arp_request, discover, request

GUEST, OTHER, ROUTER = "02:01:00:cc:00:16", "02:01:00:cc:00:17", "02:01:00:cc:00:01"
GATEWAY = "10.1.1.1"
SNAP = 96


def both_ways(tape: Tape, until_s: float) -> Tape:
    """ARP that shows that the capture has both directions, and runs on."""
    tape.add(0.5, arp_request(OTHER, "10.1.1.9", GATEWAY)).add(0.6, arp_reply(ROUTER, GATEWAY, OTHER, "10.1.1.9"))
    return tape.add(until_s, arp_request(OTHER, "10.1.1.9", "10.1.1.77"))


def asking(*moments: float, xid: int = 7) -> Tape:
    tape = Tape()
    for moment in moments:
        tape.add(moment, discover(GUEST, xid=xid), snap=SNAP)
    return tape


def test_nobody_answers(tmp_path: Path) -> None:
    found = both_ways(asking(0, 3, 9, 21), 40).finding(tmp_path, "DHCP001")
    assert (found.severity, found.confidence) == (Severity.ERROR, Confidence.LIKELY)
    assert "options" in found.limits[0]


def test_others_are_served(tmp_path: Path) -> None:
    tape = both_ways(asking(0, 3, 9, 21), 40)
    tape.add(10, discover(OTHER, xid=9), snap=SNAP)
    tape.add(10.1, answer("offer", ROUTER, GATEWAY, OTHER, "10.1.1.9", xid=9), snap=SNAP)
    assert tape.finding(tmp_path, "DHCP002").confidence is Confidence.LIKELY
    assert not tape.findings(tmp_path, "DHCP001")


def test_answered_is_answered(tmp_path: Path) -> None:
    tape = both_ways(asking(0, 3, 9), 40)
    tape.add(9.1, answer("offer", ROUTER, GATEWAY, GUEST, "10.1.1.57", xid=7), snap=SNAP)
    tape.add(9.2, request(GUEST, "10.1.1.57", GATEWAY, xid=7), snap=SNAP)
    tape.add(9.3, answer("ack", ROUTER, GATEWAY, GUEST, "10.1.1.57", xid=7), snap=SNAP)
    assert tape.grave(tmp_path) == set()
    assert "DHCP031" not in tape.proofs(tmp_path)
    tape.add(12, arp_request(GUEST, "10.1.1.57", GATEWAY))
    assert "DHCP031" in tape.proofs(tmp_path)


def test_another_address_in_use_proves_no_lease(tmp_path: Path) -> None:
    tape = both_ways(asking(0), 40)
    tape.add(0.1, answer("nak", ROUTER, GATEWAY, GUEST, "0.0.0.0", xid=7), snap=SNAP)
    tape.add(1, arp_request(GUEST, "10.1.1.99", GATEWAY))
    assert "DHCP031" not in tape.proofs(tmp_path)


def test_one_direction_of_a_client_that_is_served(tmp_path: Path) -> None:
    """DISCOVER and REQUEST come close together, boot after boot; the answers are not in the capture."""
    tape = Tape()
    for boot in range(4):
        tape.add(10 * boot, discover(GUEST, xid=boot), snap=SNAP)
        tape.add(10 * boot + 0.1, request(GUEST, "10.1.1.57", GATEWAY, xid=boot), snap=SNAP)
    tape.add(60, arp_request(OTHER, "10.1.1.9", GATEWAY))
    assert tape.grave(tmp_path) == set()


def test_one_direction_of_a_client_that_goes_on_to_speak(tmp_path: Path) -> None:
    tape = asking(0, 4, 12, 20)
    tape.add(21, arp_request(GUEST, "10.1.1.57", GATEWAY)).add(40, arp_request(OTHER, "10.1.1.9", GATEWAY))
    assert tape.grave(tmp_path) == set()


def test_one_direction_of_a_client_that_asks_in_vain(tmp_path: Path) -> None:
    tape = asking(0, 4, 12, 20).add(40, arp_request(OTHER, "10.1.1.9", GATEWAY))
    found = tape.finding(tmp_path, "DHCP001")
    assert (found.severity, found.confidence) == (Severity.ERROR, Confidence.LIKELY)
    assert len(found.limits) == 2


@pytest.mark.parametrize("inner", [0, 20])
def test_servers_of_two_customers_are_no_rivals(tmp_path: Path, inner: int) -> None:
    """Two servers of one outer VLAN are rivals only within one inner VLAN."""
    tape = Tape()
    for n, (server, customer) in enumerate(((ROUTER, 10), (OTHER, inner or 10), (ROUTER, 10), (OTHER, inner or 10))):
        tape.add(n, discover(GUEST, xid=n), vlan=88, inner=customer)
        tape.add(n + 0.1, answer("offer", server, GATEWAY, GUEST, "10.1.1.57", xid=n), vlan=88, inner=customer)
    assert bool(tape.findings(tmp_path, "DHCP013")) is (inner == 0)
