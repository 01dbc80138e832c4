"""Classic pcap: what is written is read back, and damage ends it with a sentence."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdx.capture.pcap import FRAME_LIMIT, USUAL_FRAME_LIMIT
from pcapdx.errors import CaptureError
from tests.capture.writing import Frame, Packet, pcap, read, read_fast

MICRO, NANO, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34

packets = st.builds(Packet, st.integers(0, 2**32 * 10**6 - 1), st.binary(max_size=90), st.integers(0, 2000))


@settings(deadline=None)  # the first example may wait for the compiler
@given(
    st.lists(packets, max_size=40),
    st.sampled_from("<>"),
    st.sampled_from([MICRO, NANO, MODIFIED]),
    st.sampled_from([0, 1, 96, 65535, 2**32 - 1]),
    st.integers(0, 0xFFFF),
    st.integers(64, 300),
)
def test_read_back(
    written: list[Packet], order: str, magic: int, snap_length: int, link: int, block_bytes: int
) -> None:
    data = pcap(written, order=order, magic=magic, snap_length=snap_length, link=link)
    unit_ns = 1 if magic == NANO else 1000
    expected = [
        Frame(number, packet.stamp * unit_ns, packet.data, len(packet.data) + packet.beyond, link_type=link)
        for number, packet in enumerate(written, 1)
    ]
    for reading in (read(data, block_bytes=block_bytes), read_fast(data, block_bytes=block_bytes)):
        facts = reading.facts
        assert reading.frames == expected
        assert facts.complete and not facts.anomalies
        assert (facts.frames, facts.bytes) == (len(written), len(data))
        assert facts.first_ns == min((frame.ts_ns for frame in expected), default=None)
        assert facts.last_ns == max((frame.ts_ns for frame in expected), default=None)
        assert facts.cut_frames == sum(packet.beyond > 0 for packet in written)
        assert facts.interfaces[0].snap_length == (snap_length or None)


def test_facts_of_the_header() -> None:
    facts = read(pcap(order=">", magic=NANO, link=113)).facts
    assert (facts.format, facts.detail, facts.frames, facts.complete) == ("pcap", "nanoseconds, big-endian", 0, True)
    assert facts.interfaces[0].link_type == 113
    assert facts.interfaces[0].resolution_exponent == -9


def test_many_frames_of_few_bytes_come_in_several_blocks() -> None:
    data = pcap([Packet(n, b"") for n in range(140_000)])
    reading = read_fast(data, block_bytes=4 * 1024 * 1024)
    assert [frame.number for frame in reading.frames] == list(range(1, 140_001))
    assert reading.frames[-1].ts_ns == 139_999_000


def test_fraction_beyond_a_second_is_kept() -> None:
    data = pcap() + struct.pack("<IIII", 1, 2_000_000, 0, 0) + struct.pack("<IIII", 2**32 - 1, 2**32 - 1, 0, 0)
    assert [frame.ts_ns for frame in read(data).frames] == [3_000_000_000, 4_294_967_295 * (10**9 + 1000)]


@pytest.mark.parametrize(
    ("version", "first", "second", "captured"),
    [((2, 2), 9, 4, 4), ((2, 3), 9, 4, 4), ((2, 3), 4, 9, 4), ((2, 4), 4, 9, 4), ((2, 4), 4, 2, 4)],
)
def test_lengths_of_old_versions(version: tuple[int, int], first: int, second: int, captured: int) -> None:
    data = pcap(version=version) + struct.pack("<IIII", 0, 0, first, second) + b"abcd"
    frames = read(data).frames
    assert [(frame.data, frame.wire_bytes) for frame in frames] == [(b"abcd", first + second - captured)]


def test_other_versions_are_refused() -> None:
    with pytest.raises(CaptureError, match=r"^standard input is a pcap of version 1\.4, only version 2 is known$"):
        read(pcap(version=(1, 4)))


def test_high_bits_of_the_link_type_are_told() -> None:
    reading = read(pcap([Packet()], link=0x0030_0001))
    assert reading.kinds == ["link-high-bits"]
    assert reading.facts.complete and reading.frames[0].link_type == 1
    assert not read(pcap([Packet()], link=0x2400_0001)).kinds, "the length of the check sequence is no oddity"


def test_header_cut() -> None:
    with pytest.raises(CaptureError, match=r"^standard input ends within its pcap file header$"):
        read(pcap()[:23])


@pytest.mark.parametrize("length", [USUAL_FRAME_LIMIT + 1, FRAME_LIMIT + 1, 2**32 - 1])
def test_absurd_length_ends_it(length: int) -> None:
    data = pcap([Packet()], snap_length=65535) + struct.pack("<IIII", 0, 0, length, length) + b"rest"
    reading = read(data)
    assert (len(reading.frames), reading.kinds, reading.facts.complete) == (1, ["oversized-record"], False)
    assert reading.facts.anomalies[0].offset == 24 + 16 + 14


def test_the_buffer_grows_for_what_the_snap_length_allows() -> None:
    long = Packet(1, bytes(range(256)) * 4096)
    reading = read(pcap([Packet(), long, Packet()], snap_length=len(long.data)))
    assert [len(frame.data) for frame in reading.frames] == [14, len(long.data), 14]
    assert reading.frames[1].data == long.data


@pytest.mark.parametrize("order", "<>")
def test_two_files_joined_with_cat(order: str) -> None:
    data = pcap([Packet(), Packet()], order=order)
    reading = read(data + data)
    assert (len(reading.frames), reading.kinds, reading.facts.complete) == (2, ["second-header"], False)


@pytest.mark.parametrize("size", [1, 15, 16, 17, 29])
def test_cut_within_a_record(size: int) -> None:
    reading = read(pcap([Packet(), Packet()])[: 24 + 30 + size])
    assert (len(reading.frames), reading.kinds, reading.facts.complete) == (1, ["cut-short"], False)
    assert reading.facts.anomalies[0].offset == 24 + 30
    assert reading.facts.anomalies[0].what == "The file ends within a record, after frame 1."
