"""VLAN023: of what has a priority tag nothing arrives, and the same without it does."""

from pathlib import Path

from scapy.layers.l2 import Dot1Q
from scapy.packet import Packet

from pcapdx.model import Finding, Severity
from pcapdx.vantage import Role
from tests.rules.build import Tape, along, arp_request, echo, tcp

HOST, FILER = ("b8:59:9f:00:00:11", "10.9.0.11"), ("00:a0:98:00:00:20", "10.9.0.20")


def with_priority(packet: Packet) -> Packet:
    """The same with a tag of id 0."""
    ether, rest = packet.copy(), packet.payload
    ether.remove_payload()
    return ether / Dot1Q(vlan=0, prio=5) / rest


def findings(folder: Path, near: Tape, far: Tape) -> tuple[Finding, ...]:
    found = along(folder, ("host", Role.NIC, near), ("filer", Role.NIC, far)).diagnosed.findings
    return tuple(one.finding for one in found if one.finding.code == "VLAN023")


def pings(near: Tape, far: Tape, count: int = 30) -> None:
    """Both ways, whole."""
    for tape in (near, far):
        tape.add(0, arp_request(*HOST, FILER[1]))
    for n in range(count):
        for at_s, packet in (
            (n * 0.4, echo(*HOST, *FILER, number=n)),
            (n * 0.4 + 0.01, echo(*FILER, *HOST, number=n, reply=True)),
        ):
            near.add(at_s, packet)
            far.add(at_s + 0.001 if packet.src == HOST[0] else at_s - 0.001, packet)


def test_the_tag_makes_the_difference(tmp_path: Path) -> None:
    near, far = Tape(), Tape()
    pings(near, far)
    for n in range(8):
        near.add(3 + n * 0.5, with_priority(echo(*HOST, *FILER, number=500 + n)))
    (found,) = findings(tmp_path, near, far)
    assert found.severity is Severity.WARNING


def test_a_service_that_never_goes_without_it_may_be_filtered(tmp_path: Path) -> None:
    near, far = Tape(), Tape()
    pings(near, far)
    for n in range(8):
        near.add(3 + n * 0.5, with_priority(tcp(*HOST, 40000 + n, *FILER, 3260, "S", seq=77 * n)))
    (found,) = findings(tmp_path, near, far)
    assert found.severity is Severity.INFO


def test_the_tag_may_be_taken_off_on_the_way(tmp_path: Path) -> None:
    near, far = Tape(), Tape()
    pings(near, far)
    for n in range(8):
        one = echo(*HOST, *FILER, number=500 + n)
        near.add(3 + n * 0.5, with_priority(one))
        far.add(3.001 + n * 0.5, one)
    assert not findings(tmp_path, near, far)


def test_untagged_ones_are_lost_as_well(tmp_path: Path) -> None:
    near, far = Tape(), Tape()
    pings(near, far)
    for n in range(8):
        near.add(3 + n * 0.5, with_priority(echo(*HOST, *FILER, number=500 + n)))
        near.add(3.2 + n * 0.5, echo(*HOST, *FILER, number=600 + n))
    assert not findings(tmp_path, near, far)
