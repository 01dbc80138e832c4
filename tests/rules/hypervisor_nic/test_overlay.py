"""HYP021 and HYP023: tunnels whose ends disagree, and those that only look so."""

from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, UDP, IPerror, UDPerror
from scapy.layers.l2 import GRE, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet

from pcapdx.model import Severity
from tests.rules.build import Tape, arp_reply, arp_request

A, B = "172.31.9.11", "172.31.9.12"
MAC_A, MAC_B = "b8:59:9f:00:00:0a", "b8:59:9f:00:00:0b"
NEAR, FAR = "02:01:00:cc:00:21", "02:01:00:cc:00:22"


def vxlan(src: str, dst: str, vni: int, inner: Packet, port: int = 8472) -> Packet:
    outer = IP(src=src, dst=dst, flags=0) / UDP(sport=50000, dport=port) / VXLAN(vni=vni, flags=8)
    return Ether(src=MAC_A if src == A else MAC_B, dst=MAC_B if src == A else MAC_A) / outer / inner


def gre(src: str, dst: str, key: int, inner: Packet) -> Packet:
    outer = IP(src=src, dst=dst) / GRE(key_present=1, key=key, proto=0x6558)
    return Ether(src=MAC_A if src == A else MAC_B, dst=MAC_B if src == A else MAC_A) / outer / inner


def ask(n: int, *, back: bool = False) -> Packet:
    if back:
        return arp_request(FAR, "10.9.0.22", "10.9.0.21")
    return arp_request(NEAR, "10.9.0.21", "10.9.0.22")


def test_two_ports(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(4):
        tape.add(n, vxlan(A, B, 5001, ask(n), 8472)).add(n + 0.5, vxlan(B, A, 5001, ask(n, back=True), 4789))
    found = tape.finding(tmp_path, "HYP021")
    assert found.severity is Severity.ERROR
    assert "8472" in found.summary
    assert "4789" in found.summary


@pytest.mark.parametrize("asked_back", [True, False])
def test_two_identifiers(tmp_path: Path, asked_back: bool) -> None:
    tape = Tape()
    for n in range(4):
        tape.add(n, vxlan(A, B, 5001, ask(n)))
        other = ask(n, back=True) if asked_back else arp_request(FAR, "10.9.0.22", "10.9.0.99")
        tape.add(n + 0.5, vxlan(B, A, 5002, other))
    assert tape.finding(tmp_path, "HYP021").severity is (Severity.ERROR if asked_back else Severity.WARNING)


def test_two_quiet_networks(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(4):
        tape.add(n, vxlan(A, B, 5001, arp_request(NEAR, "10.9.0.21", "10.9.0.77")))
        tape.add(n + 0.5, vxlan(B, A, 5002, arp_request(FAR, "10.8.0.22", "10.8.0.77")))
    assert not tape.findings(tmp_path, "HYP021")


def test_a_key_for_each_direction(tmp_path: Path) -> None:
    """Open vSwitch may send one key and take another: what is asked is answered then."""
    tape = Tape()
    for n in range(4):
        tape.add(n, gre(A, B, 5, ask(n)))
        tape.add(n + 0.1, gre(B, A, 6, arp_reply(FAR, "10.9.0.22", NEAR, "10.9.0.21")))
        tape.add(n + 0.5, gre(B, A, 6, ask(n, back=True)))
    assert not tape.findings(tmp_path, "HYP021")


def refusal(src: str, dst: str, port: int = 8472) -> Packet:
    quoted = IPerror(src=src, dst=dst) / UDPerror(sport=50000, dport=port, len=100)
    return Ether(src=MAC_B, dst=MAC_A) / IP(src=dst, dst=src) / ICMP(type=3, code=3) / quoted


def test_refused_and_asked_in_vain(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(5):
        tape.add(2 * n, vxlan(A, B, 5001, ask(n))).add(2 * n + 0.1, refusal(A, B))
    tape.add(20, arp_request(MAC_A, A, B))
    assert tape.finding(tmp_path, "HYP021").severity is Severity.ERROR


def test_two_refusals_are_a_network_that_was_just_stopped(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(2):
        tape.add(2 * n, vxlan(A, B, 5001, ask(n))).add(2 * n + 0.1, refusal(A, B))
    assert not tape.findings(tmp_path, "HYP021")


def test_another_port_is_refused(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(5):
        tape.add(2 * n, refusal(A, B, 33434 + n))
    assert not tape.findings(tmp_path, "HYP021")


def too_big(times: int) -> Tape:
    tape = Tape()
    for n in range(times):
        quoted = IPerror(src=A, dst=B, len=1550) / UDPerror(sport=50000, dport=4789, len=1530)
        error = IP(src="172.31.9.1", dst=A) / ICMP(type=3, code=4, nexthopmtu=1500) / quoted
        tape.add(n * 1.5, Ether(src=MAC_B, dst=MAC_A) / error)
    return tape


def test_too_big_again_and_again(tmp_path: Path) -> None:
    assert too_big(4).finding(tmp_path, "HYP023").severity is Severity.ERROR


def test_path_mtu_learnt_once(tmp_path: Path) -> None:
    assert too_big(1).finding(tmp_path, "HYP023").severity is Severity.INFO
