"""HYP026: wrong checksums that a receiver does not take, apart from offload."""

from pathlib import Path

import pytest
from scapy.layers.inet import TCP
from scapy.packet import Packet

from pcapdx.model import Confidence
from pcapdx.vantage import Role
from tests.rules.build import Tape, arp_reply, arp_request, tcp, udp

CLIENT, SERVER = ("02:01:00:cc:00:16", "10.1.1.7", 40000), ("02:01:00:cc:00:17", "10.1.1.8", 80)
PSEUDO = 0x0A01 + 0x0107 + 0x0A01 + 0x0108 + 6 + 20


def syn(mac: str = CLIENT[0], *, checksum: int | None) -> Packet:
    """The client's SYN; without a checksum given, with the right one."""
    packet = tcp(*(mac, *CLIENT[1:]), *SERVER, "S")
    packet[TCP].chksum = checksum
    return packet


def dying(checksum: int | None, *, wire: bool = False) -> Tape:
    """Four SYNs, sent again each second, and nothing back."""
    tape = Tape()
    for n in range(4):
        tape.add(n, syn(checksum=checksum), wire=wire)
    for n in range(4):
        tape.add(
            n + 0.2, udp(SERVER[0], SERVER[1], "10.1.1.9", 514, to_mac="02:01:00:cc:00:99", size=n + 30), wire=wire
        )
        tape.add(2 * n + 0.5, arp_request(SERVER[0], SERVER[1], "10.1.1.9"))
        tape.add(2 * n + 0.6, arp_reply("02:01:00:cc:00:99", "10.1.1.9", SERVER[0], SERVER[1]), wire=wire)
    return tape


def test_wrong_ones(tmp_path: Path) -> None:
    found = dying(0x1234).finding(tmp_path, "HYP026")
    assert (found.confidence, found.subject.server) == (Confidence.LIKELY, SERVER[1])


def test_right_ones(tmp_path: Path) -> None:
    assert not dying(None).findings(tmp_path, "HYP026")


@pytest.mark.parametrize("role", [Role.TAP, Role.BRIDGE, None])
def test_left_to_the_nic_inside_a_host(tmp_path: Path, role: Role | None) -> None:
    assert not dying(PSEUDO).findings(tmp_path, "HYP026", role=role)


def test_left_to_the_nic_on_its_way_out(tmp_path: Path) -> None:
    """Caught before its NIC filled it in."""
    assert not dying(PSEUDO).findings(tmp_path, "HYP026", role=Role.NIC)


def test_not_filled_in_and_off_the_wire(tmp_path: Path) -> None:
    assert dying(PSEUDO, wire=True).finding(tmp_path, "HYP026", role=Role.NIC).confidence is Confidence.CERTAIN


def test_a_sender_whose_wrong_ones_are_acknowledged(tmp_path: Path) -> None:
    """Its recorder sees checksums too early, in a form of its own."""
    tape = dying(0x1234)
    one = tcp(CLIENT[0], CLIENT[1], 40001, *SERVER, "PA", seq=100, ack=1, size=50)
    one[TCP].chksum = 0x1234
    tape.add(6, one).add(6.1, tcp(*SERVER, CLIENT[0], CLIENT[1], 40001, "A", seq=1, ack=150))
    assert not tape.findings(tmp_path, "HYP026")


def test_three_are_needed(tmp_path: Path) -> None:
    tape = dying(None)
    for n in range(2):
        tape.add(n + 0.3, syn(checksum=0x1234))
    assert not tape.findings(tmp_path, "HYP026")


def test_a_file_without_one_that_is_right(tmp_path: Path) -> None:
    """Addresses were made anonymous, and the checksums left."""
    tape = Tape()
    for n in range(4):
        tape.add(n, syn(checksum=0x1234))
    tape.add(9, arp_request(SERVER[0], SERVER[1], "10.1.1.9"))
    assert not tape.findings(tmp_path, "HYP026")
