"""ADMITS: capture filters read as libpcap reads them; tcpdump is the oracle."""

import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.utils import rdpcap, wrpcap

from pcapdx.path.admission import NO, UNKNOWN, YES, admits, admitted, packet
from pcapdx.path.trail import Trail
from pcapdx.plugins import load
from pcapdx.sieve.columns import Array
from pcapdx.sieve.engine import Sieve
from tests.rules.build import START
from tests.sieve.blocks import blocks_of

A, B, C = "10.1.1.7", "10.1.1.8", "192.168.4.9"
MACS = ("02:01:00:cc:00:16", "02:01:00:cc:00:17", "ff:ff:ff:ff:ff:ff")


LINK = Ether(src=MACS[0], dst=MACS[1])
UNTAGGED = (
    LINK / IP(src=A, dst=B) / UDP(sport=68, dport=67) / b"dhcp",
    LINK / IP(src=B, dst=A) / UDP(sport=67, dport=68) / b"dhcp",
    LINK / IP(src=A, dst=C) / UDP(sport=40000, dport=53) / b"dns",
    LINK / IP(src=A, dst=C) / TCP(sport=40001, dport=443, flags="S"),
    LINK / IP(src=C, dst=A) / TCP(sport=443, dport=40001, flags="SA"),
    LINK / IP(src=B, dst=C) / TCP(sport=5001, dport=22, flags="S"),
    LINK / IP(src=A, dst=B) / ICMP() / b"ping",
    LINK / IPv6(src="fd00::1", dst="fd00::2") / UDP(sport=546, dport=547) / b"dhcp6",
    Ether(src=MACS[0], dst=MACS[2]) / ARP(hwsrc=MACS[0], psrc=A, pdst=B),
)
TAGGED = tuple(Ether(src=one.src, dst=one.dst) / Dot1Q(vlan=101) / one.payload for one in UNTAGGED)
PRIMITIVES = (
    "port 67", "port 67 or 68", "udp port 53", "tcp port 443", "dst port 22", "src port 67", "portrange 60-70",
    f"host {A}", f"src host {C}", f"dst {B}", "net 192.168.0.0/16", "net 10.1", "src net 10.1.1.0 mask 255.255.255.0",
    "arp", "ip", "ip6", "tcp", "udp", "icmp", "ip proto 17", "ip proto \\udp", f"ether host {MACS[0]}",
    f"ether dst {MACS[1]}", "ether broadcast", "ether multicast", "ether proto 0x0806", "vlan", "vlan 101", "vlan 7",
    f"src or dst host {B}", f"src and dst {A}", "udp portrange 50-60", "port bootps", "host fd00::1",
)  # fmt: skip
EVERY = (*UNTAGGED, *TAGGED)
TAGS = np.array([0] * len(UNTAGGED) + [1] * len(TAGGED))


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Array]:
    """A capture of all of them, and its rows in that order."""
    path = tmp_path_factory.mktemp("filters") / "some.pcap"
    for number, one in enumerate(EVERY):
        one.time = START + 10 * number
    wrpcap(str(path), list(EVERY), linktype=1)
    trail, sieve = Trail(), Sieve(load().dissectors, fast=False)
    for block in blocks_of(path):
        trail.keep(sieve.sweep(block))
    return path, trail.rows


def admits_one(expression: str, row: Array, *, tags: int) -> int:
    """The verdict on one packet."""
    return int(admits(expression, row, np.array([tags]))[0])


def by_tcpdump(expression: str, path: Path) -> set[int]:
    """Places of the frames that tcpdump keeps."""
    words = ("tcpdump", "-r", str(path), "-w", "-", expression)
    kept = subprocess.run(words, check=True, capture_output=True).stdout
    return {round(float(one.time) - START) // 10 for one in rdpcap(BytesIO(kept))} if len(kept) > 24 else set()


def agrees(expression: str, path: Path, rows: Array) -> Array:
    """Holds what is known against tcpdump; returns the verdicts."""
    kept, verdicts = by_tcpdump(expression, path), admits(expression, rows, TAGS)
    for place, verdict in enumerate(verdicts.tolist()):
        if verdict != UNKNOWN:
            assert (verdict == YES) == (place in kept), (expression, EVERY[place].summary())
    return verdicts


@pytest.mark.parametrize("expression", PRIMITIVES)
def test_oracle_of_each(expression: str, some: tuple[Path, Array]) -> None:
    verdicts = agrees(expression, *some)
    assert set(verdicts[: len(UNTAGGED)].tolist()) & {NO, YES}


def _joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    words = st.sampled_from(["and", "or", "&&", "||"])
    return st.one_of(
        st.builds("{} {} {}".format, parts, words, parts),
        st.builds("({})".format, parts),
        st.builds("not ({})".format, parts),
        st.builds("not {}".format, st.sampled_from(PRIMITIVES)),
    )


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(st.sampled_from(PRIMITIVES), _joined, max_leaves=6))
def test_oracle_of_many_together(some: tuple[Path, Array], expression: str) -> None:
    try:
        agrees(expression, *some)
    except subprocess.CalledProcessError:
        return  # libpcap finds that it can never match, or that a word before it does not fit


@given(st.text(max_size=60) | st.lists(st.sampled_from([*PRIMITIVES, "(", ")", "not", "and", "[", "7"])).map(" ".join))
def test_anything_is_read_or_unknown(text: str) -> None:
    assert admits_one(text, packet(17, sport=67, dport=68), tags=0) in (NO, UNKNOWN, YES)


def test_very_long_ones_are_unknown() -> None:
    row = packet(17, sport=67, dport=68)
    assert admits_one(" or ".join(["port 7"] * 100_000), row, tags=0) == UNKNOWN
    assert admits_one("(" * 5_000 + "arp" + ")" * 5_000, row, tags=0) == UNKNOWN


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("port 67 or port 68", YES),
        ("udp dst port 67", NO),
        ("tcp", NO),
        ("host 10.1.1.1", UNKNOWN),
        ("ether host 02:01:00:cc:00:16", UNKNOWN),
        ("udp[8] & 1 != 0", UNKNOWN),
        ("less 100", UNKNOWN),
        ("host web-1", UNKNOWN),
        ("", YES),
    ],
)
def test_what_is_to_be_expected(expression: str, verdict: int) -> None:
    assert admits_one(expression, packet(17, sport=67, dport=68), tags=0) == verdict


def test_a_plain_filter_of_tagged_frames_depends_on_the_recorder() -> None:
    row = packet(17, sport=67, dport=68, vlan=101)
    assert admits_one("port 67", row, tags=1) == UNKNOWN
    assert admits_one("port 67 or (vlan and port 67)", row, tags=1) == YES
    assert admits_one("vlan 7 and port 67", row, tags=1) == NO


def test_interfaces_with_different_filters() -> None:
    row, tags = packet(17, sport=67, dport=68), np.array([0])
    assert admitted(["port 67", "udp"], row, tags).tolist() == [YES]
    assert admitted(["port 53", ""], row, tags).tolist() == [UNKNOWN]
    assert admitted(["port 53", "tcp"], row, tags).tolist() == [NO]
    assert admitted([], row, tags).tolist() == [YES]
