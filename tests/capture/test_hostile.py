"""Whatever is cut or flipped: no exception but CaptureError, and both twins agree on what is left."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdx.errors import CaptureError
from tests.capture.writing import Packet, Reading, pcap, read, read_fast, rich_pcapng
from tests.fuzz import fuzz_containers

PCAP = pcap([Packet(n, bytes(range(n)), n) for n in range(12)])
PCAPNG = rich_pcapng("<") + rich_pcapng(">")


def outcome(data: bytes, *, fast: bool = False, block_bytes: int = 4096) -> Reading | str:
    try:
        return (read_fast if fast else read)(data, block_bytes=block_bytes)
    except CaptureError as error:
        return str(error)


@pytest.mark.parametrize("whole", [PCAP, PCAPNG], ids=["pcap", "pcapng"])
def test_cut_at_every_byte(whole: bytes) -> None:
    frames = read(whole).frames
    clean_ends = 0
    for size in range(len(whole)):
        reading = outcome(whole[:size], block_bytes=64)
        if isinstance(reading, str):
            assert size < (24 if whole is PCAP else 64), "the header of the file"
            continue
        assert reading.frames == frames[: len(reading.frames)]
        assert reading.kinds == ([] if reading.facts.complete else ["cut-short"])
        clean_ends += reading.facts.complete
    assert clean_ends == (12 if whole is PCAP else 2 * 18 - 1), "only between records is an end a clean one"


flips = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6)


@pytest.mark.parametrize("whole", [PCAP, PCAPNG], ids=["pcap", "pcapng"])
@settings(deadline=None, max_examples=300)
@given(changes=flips, cut=st.integers(0, 40))
def test_flipped_bytes(whole: bytes, changes: list[tuple[float, int]], cut: int) -> None:
    data = bytearray(whole)
    for place, value in changes:
        data[int(place * len(data))] = value
    hostile = bytes(data[: len(data) - cut])
    plain = outcome(hostile, block_bytes=64)
    assert plain == outcome(hostile, fast=True, block_bytes=64)
    roomy = outcome(hostile)
    if isinstance(plain, Reading) and isinstance(roomy, Reading):
        assert plain.facts.bytes <= roomy.facts.bytes
        plain.facts.bytes, plain.facts.pieces = roomy.facts.bytes, roomy.facts.pieces
    assert plain == roomy, "but for the bytes read beyond damage, the size of the buffer changes nothing"


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([PCAP[:24], PCAPNG[:28], rich_pcapng()[:120], b""]), st.binary(max_size=300))
def test_noise_behind_a_header(header: bytes, noise: bytes) -> None:
    plain = outcome(header + noise)
    assert plain == outcome(header + noise, fast=True)
    if isinstance(plain, str):
        assert plain.startswith("standard input ") and "\n" not in plain


@settings(deadline=None)
@given(st.sampled_from(fuzz_containers.seeds()), flips)
def test_the_fuzz_target_holds(seed: bytes, changes: list[tuple[float, int]]) -> None:
    fuzz_containers.check(seed)
    data = bytearray(seed)
    for place, value in changes:
        data[int(place * len(data))] = value
    fuzz_containers.check(bytes(data))
