"""PHYS001: a guest VLAN by another NIC than on other hosts, and two NICs that are one bond."""

from pathlib import Path

import pytest

from pcapdx.diagnose import analyze
from pcapdx.vantage import CaptureArgument, Role
from tests.rules.build import Tape, arp_reply, arp_request, plugins

GUEST, FAR, HOST, SERVER = "02:01:00:0f:00:07", "02:01:00:0f:00:09", "b8:59:9f:00:00:01", "b8:59:9f:00:00:05"


def codes(tmp_path: Path, tapes: dict[str, Tape]) -> set[str]:
    arguments = []
    for name, tape in tapes.items():
        (tmp_path / name).mkdir()
        tape.analysis(tmp_path / name)
        path = str(tmp_path / name / "tape.pcap")
        arguments.append(CaptureArgument(name=name, role=Role.NIC, path=path, named=True))
    return {one.finding.code for one in analyze(arguments, plugins(), strict=True).diagnosed.findings}


def three_points(*, answered_by_other: bool = False, neighbour: str = "kvm2-eth1") -> dict[str, Tape]:
    """A guest asks tagged 15 at eth0 of one host; a machine of another host speaks there, heard at eth1."""
    eth0, eth1, other = Tape(), Tape(), Tape()
    for at in range(8):
        eth0.add(at, arp_request(GUEST, "10.15.0.7", "10.15.0.9"), vlan=15)
        eth0.add(at + 0.3, arp_request(SERVER, "10.1.0.5", "10.1.0.1"), wire=True)
        eth1.add(at + 0.5, arp_request(FAR, "10.15.0.9", "10.15.0.77"), vlan=15, wire=True)
        eth1.add(at + 0.6, arp_request(HOST, "10.1.0.21", "10.1.0.5"))
        other.add(at + 0.5, arp_request(FAR, "10.15.0.9", "10.15.0.77"), vlan=15)
        other.add(at + 0.6, arp_request(HOST, "10.1.0.21", "10.1.0.5"), wire=True)
        if answered_by_other:
            eth1.add(at + 0.001, arp_reply(FAR, "10.15.0.9", GUEST, "10.15.0.7"), vlan=15, wire=True)
    return {"kvm1-eth0": eth0, "kvm1-eth1": eth1, neighbour: other}


def test_crossed(tmp_path: Path) -> None:
    assert "PHYS001" in codes(tmp_path, three_points())


@pytest.mark.parametrize(
    "tapes",
    [
        three_points(answered_by_other=True),  # one bond: the answers come in by the other NIC
        three_points(neighbour="kvm2-eth0"),  # the other host has the VLAN on the NIC of the same name
        three_points(neighbour="hostB"),  # a name that tells no NIC
    ],
)
def test_not_crossed(tmp_path: Path, tapes: dict[str, Tape]) -> None:
    assert "PHYS001" not in codes(tmp_path, tapes)
