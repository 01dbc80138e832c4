"""Checksums of the frames that tell most of a flow: right, wrong, or left to the NIC; tshark is the oracle."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from captures.accuracy import HERE
from pcapdx.plugins import load
from pcapdx.sieve.engine import Sieve
from tests.sieve.blocks import block_of, blocks_of

DISSECTORS = load().dissectors
CHECKED = ("-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")


def judged(frames: list[bytes], **how: int) -> tuple[int, int, int]:
    """(right, wrong, left to the NIC) of the first side."""
    sieve = Sieve(DISSECTORS, fast=False)
    sieve.sweep(block_of(frames, **how))
    side = sieve.tables.sides[0]
    return int(side["sums_right"]), int(side["sums_wrong"]), int(side["sums_partial"])


def made(network: IP | IPv6, transport: TCP | UDP, payload: bytes) -> bytearray:
    return bytearray(bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / network / transport / payload))


NETWORKS = (IP(src="10.1.1.1", dst="10.1.1.2"), IPv6(src="fd00::1", dst="fd00::2"))
TRANSPORTS = (TCP(sport=40000, dport=80, flags="PA"), UDP(sport=40000, dport=9999))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NETWORKS), st.sampled_from(TRANSPORTS), st.binary(min_size=1, max_size=90), st.integers(0, 719))
def test_a_changed_bit_is_found(network: IP | IPv6, transport: TCP | UDP, payload: bytes, bit: int) -> None:
    frame = made(network, transport, payload)
    assert judged([bytes(frame)]) == (1, 0, 0)
    at = len(frame) - 1 - bit // 8 % len(payload)
    frame[at] ^= 1 << bit % 8
    assert judged([bytes(frame)]) == (0, 1, 0)


def test_padding_of_the_link_is_not_summed() -> None:
    assert judged([bytes(made(NETWORKS[0], TRANSPORTS[1], b"x")).ljust(60, b"\xff")]) == (1, 0, 0)


def test_the_header_counts_too() -> None:
    frame = made(NETWORKS[0], TRANSPORTS[0], b"x")
    frame[22] ^= 1  # TTL
    assert judged([bytes(frame)]) == (0, 1, 0)


@pytest.mark.parametrize("network", NETWORKS)
def test_what_is_left_to_the_nic(network: IP | IPv6) -> None:
    frame = made(network, TRANSPORTS[0], b"GET /")
    at = len(frame) - 5 - 4
    words = frame[26:34] if isinstance(network, IP) else frame[22:54]
    total = 6 + 25 + sum(int.from_bytes(words[n : n + 2], "big") for n in range(0, len(words), 2))
    frame[at : at + 2] = (total % 0xFFFF).to_bytes(2, "big")
    assert judged([bytes(frame)]) == (0, 0, 1)


def test_a_datagram_without_a_checksum_is_not_judged() -> None:
    assert judged([bytes(made(NETWORKS[0], UDP(sport=40000, dport=9999, chksum=0), b"x"))]) == (0, 0, 0)


def test_what_is_cut_is_not_judged() -> None:
    assert judged([bytes(made(NETWORKS[0], TRANSPORTS[0], b"x" * 60))], cut_to=80) == (0, 0, 0)


@pytest.mark.parametrize("name", ["checksum-segments-spoiled.pcap", "checksum-dns-answers-spoiled.pcap"])
def test_oracle(name: str) -> None:
    """Every frame called wrong is so by tshark, and none of those it calls right is."""
    sieve = Sieve(DISSECTORS, fast=False)
    for block in blocks_of(HERE / name):
        sieve.sweep(block)
    sides = sieve.tables.sides
    ours = {number for row in sides for number in row["wrong_frames"][: min(int(row["sums_wrong"]), 4)].tolist()}
    bad = "tcp.checksum.status == 0 || udp.checksum.status == 0 || ip.checksum.status == 0"
    words = ("tshark", "-r", str(Path(HERE / name)), *CHECKED, "-Y", bad, "-T", "fields", "-e", "frame.number")
    theirs = {int(line) for line in subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()}
    assert ours
    assert ours <= theirs
