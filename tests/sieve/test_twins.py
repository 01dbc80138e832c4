"""The plain kernel and the compiled one are the same function: every column and every table comes out equal."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from captures.accuracy import HERE
from pcapdx.capture.records import Block
from pcapdx.errors import CaptureError
from pcapdx.plugins import load
from pcapdx.sieve.engine import Sieve
from tests.sieve.blocks import block_of, blocks_of

DISSECTORS = load().dissectors
CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpus"
PUBLIC = (
    [CORPUS / one["file"] for one in json.loads((CORPUS / "manifest.json").read_text())["files"]]
    if CORPUS.exists()
    else []
)
SHIPPED = sorted(path for path in HERE.iterdir() if ".pcap" in path.name)
TABLES = ("flows", "sides", "talkers", "bindings", "repeats", "twins", "counters", "state")
PACKET = bytes.fromhex(
    "0201000000010201000000028100006508004500002c1234400040060000c0a80101c0a80102"
    "1f90d43100000001000000025018200000000000474554202f"
)


def assert_twins(blocks: list[Block]) -> None:
    """Feeds both kernels the same blocks and compares all they leave behind."""
    plain, fast = Sieve(DISSECTORS, fast=False), Sieve(DISSECTORS, fast=True)
    # tables differ in size only, to spare a small capture their zeros and a large one their growth
    fast.tables = type(plain.tables)(*(table.copy() for table in plain.tables))
    for block in blocks:
        ours, theirs = plain.sweep(block), fast.sweep(block)
        for column in ours.dtype.names or ():
            np.testing.assert_array_equal(ours[column], theirs[column], err_msg=column)
    for name in TABLES:
        np.testing.assert_array_equal(getattr(plain.tables, name), getattr(fast.tables, name), err_msg=name)
    np.testing.assert_array_equal(plain.claims.settings, fast.claims.settings)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_capture(path: Path) -> None:
    assert_twins(list(blocks_of(path)))


@pytest.mark.skipif(not PUBLIC, reason="the corpus of public captures is not beside this checkout")
@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.name)
def test_public_capture(path: Path) -> None:
    try:
        blocks = list(blocks_of(path))
    except CaptureError:
        return  # refused as a whole, see tests/capture/test_corpus.py
    if sum(len(block.records) for block in blocks) <= 20_000:
        assert_twins(blocks)


def mutated() -> st.SearchStrategy[bytes]:
    """A real packet with some bytes changed, cut or repeated: most headers stay plausible."""

    def change(edits: list[tuple[int, int]], length: int, tags: int) -> bytes:
        tagged = PACKET[:12] + bytes.fromhex("81000065") * tags + PACKET[16:]
        data = bytearray(tagged)
        for place, value in edits:
            data[place % len(data)] = value
        return bytes(data[:length])

    edits = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=12)
    return st.builds(change, edits, st.integers(0, 260), st.integers(0, 40))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.one_of(mutated(), st.binary(max_size=120)), min_size=1, max_size=12),
    st.sampled_from([0, 1, 12, 101, 113, 228, 229, 276, 147]),
    st.one_of(st.none(), st.integers(0, 80)),
)
def test_generated_frames(frames: list[bytes], link_type: int, cut_to: int | None) -> None:
    assert_twins([block_of(frames, link_type=link_type, cut_to=cut_to)])


def test_tables_grow_alike() -> None:
    """More flows, MACs and addresses than the first arrays hold: rows keep their places through growth."""
    frames = []
    for number in range(900):
        packet = bytearray(PACKET)
        packet[8:12] = number.to_bytes(4, "big")  # source MAC
        packet[30:34] = (0x0A000000 + number).to_bytes(4, "big")  # source address
        packet[38:40] = (1024 + number).to_bytes(2, "big")  # source port
        frames.append(bytes(packet))
    assert_twins([block_of(frames), block_of(frames)])
