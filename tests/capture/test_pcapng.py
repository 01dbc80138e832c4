"""pcapng: what is written is read back, in any byte order and unit; one damaged block costs that block."""

import shutil
import struct
import subprocess
from fractions import Fraction
from math import floor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdx.capture import pcapng, pcapng_blocks
from pcapdx.capture.pcapng_walk import BLOCK_LIMIT
from pcapdx.capture.records import NO_TIME
from pcapdx.errors import CaptureError
from tests.capture.writing import (
    Frame,
    Packet,
    block,
    enhanced,
    interface,
    old,
    option,
    read,
    read_fast,
    rich_pcapng,
    section,
    simple,
)

START = section() + interface()
ONE = enhanced(Packet(1))


@st.composite
def captures(draw: st.DrawFn) -> tuple[bytes, list[Frame]]:
    """A pcapng of several sections and interfaces, and the frames that are in it."""
    data: list[bytes] = []
    frames: list[Frame] = []
    interfaces = 0
    for _ in range(draw(st.integers(1, 3))):
        order = draw(st.sampled_from("<>"))
        data.append(section(order=order))
        units: list[tuple[int, int, int]] = []
        for _ in range(draw(st.integers(1, 3))):
            link, unit, offset_s = (
                draw(st.integers(0, 0xFFFF)),
                draw(st.integers(0, 255)),
                draw(st.integers(-(2**34), 2**34)),
            )
            units.append((link, unit, offset_s))
            options = option(9, bytes([unit]), order) + option(14, struct.pack(order + "q", offset_s), order)
            data.append(interface(options, order, link=link))
        for _ in range(draw(st.integers(0, 12))):
            index = draw(st.integers(0, len(units) - 1))
            link, unit, offset_s = units[index]
            stamp = draw(st.integers(0, 2**64 - 1).filter(lambda stamp: stamp != 2**63) | st.integers(0, 2**51))
            packet = Packet(stamp, draw(st.binary(max_size=70)), draw(st.integers(0, 9)))
            direction = draw(st.integers(0, 2))
            flags = option(2, struct.pack(order + "I", direction), order) if direction else b""
            data.append(draw(st.sampled_from([enhanced, old]))(packet, order, index=index, options=flags))
            per_second = (2 if unit & 0x80 else 10) ** (unit & 0x7F)
            ts_ns = floor(Fraction(stamp * 10**9, per_second)) + offset_s * 10**9
            frames.append(
                Frame(
                    len(frames) + 1,
                    ts_ns if abs(ts_ns) < 2**63 else NO_TIME,
                    packet.data,
                    len(packet.data) + packet.beyond,
                    interfaces + index,
                    link,
                    direction,
                )
            )
        interfaces += len(units)
    return b"".join(data), frames


@settings(deadline=None)  # the first example may wait for the compiler
@given(captures(), st.integers(64, 300))
def test_read_back(capture: tuple[bytes, list[Frame]], block_bytes: int) -> None:
    data, frames = capture
    times = [frame.ts_ns for frame in frames if frame.ts_ns != NO_TIME]
    for reading in (read(data, block_bytes=block_bytes), read_fast(data, block_bytes=block_bytes)):
        facts = reading.facts
        assert reading.frames == frames
        assert facts.complete
        assert set(reading.kinds) == ({"time-out-of-range"} if len(times) < len(frames) else set())
        assert sum(anomaly.count for anomaly in facts.anomalies) == len(frames) - len(times)
        assert (facts.first_ns, facts.last_ns) == (min(times, default=None), max(times, default=None))
        assert facts.bytes == len(data)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("block_bytes", [64, 100_000])
def test_everything_there_is(order: str, block_bytes: int) -> None:
    reading = read(rich_pcapng(order), block_bytes=block_bytes)
    facts = reading.facts
    assert reading.frames == [
        Frame(1, 10**18, b"a" * 61, 70, 0, 1, 0),
        Frame(3, NO_TIME, b"b" * 20, 20, 0, 1, 0),
        Frame(4, 3600 * 10**9 + 5000, b"c" * 7, 7, 1, 113, 2),
        Frame(6, 3600 * 10**9 + 6000, b"", 0, 1, 113, 1),
        Frame(7, 17 * 10**9 // 8, b"e" * 30, 30, 2, 0, 0),
        Frame(8, 18 * 10**9 // 8, b"f" * 31, 31, 2, 0, 0),
        Frame(9, 19 * 10**9 // 8, b"g" * 32, 32, 2, 0, 0),
    ]
    assert facts.complete and not facts.anomalies
    assert (facts.format, facts.frames, facts.cut_frames) == ("pcapng", 9, 1)
    assert facts.detail == ("little-endian, 2 sections" if order == "<" else "big-endian, 2 sections")
    assert (facts.first_ns, facts.last_ns) == (17 * 10**9 // 8, 10**18)
    assert (facts.comments, facts.application, facts.hardware, facts.os) == (["one"], "writer", "cpu", "os")
    assert facts.frame_comments == [(1, "first")]
    assert facts.names == {"10.0.0.1": "gateway", "::1": "six"}
    assert facts.secrets == [(0x544C534B, 8)]
    first, second, third = facts.interfaces
    assert (first.name, first.filter, first.snap_length, first.received) == ("eth0", "udp", 96, 9)
    assert (first.resolution_exponent, first.resolution_binary, first.dropped) == (-9, False, None)
    assert (second.description, second.link_type, second.offset_s, second.dropped) == ("second", 113, 3600, 3)
    assert (third.section, third.resolution_exponent, third.resolution_binary, third.dropped) == (1, -3, True, 5)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_numbers_and_times_are_those_of_tshark(tmp_path: Path) -> None:
    path = tmp_path / "rich.pcapng"
    path.write_bytes(rich_pcapng("<") + rich_pcapng(">"))
    fields = ("number", "time_epoch", "cap_len", "len")
    command = [
        "tshark",
        "-n",
        "-r",
        str(path),
        "-T",
        "fields",
        *(part for name in fields for part in ("-e", f"frame.{name}")),
    ]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    reading = read(path.read_bytes())
    assert len(lines) == reading.facts.frames == 18
    shown = {int(line.split("\t")[0]): line.split("\t") for line in lines}
    for frame in reading.frames:
        time = "" if frame.ts_ns == NO_TIME else f"{frame.ts_ns // 10**9}.{frame.ts_ns % 10**9:09}"
        assert shown[frame.number] == [str(frame.number), time, str(len(frame.data)), str(frame.wire_bytes)]


def test_drops_are_the_greater_of_both_counts() -> None:
    counted = block(5, struct.pack("<III", 0, 0, 0) + option(5, struct.pack("<Q", 7)) + option(7, struct.pack("<Q", 2)))
    told = enhanced(Packet(1), options=option(4, struct.pack("<Q", 4)))
    assert read(START + told + counted).facts.interfaces[0].dropped == 9
    assert read(START + told * 3 + counted).facts.interfaces[0].dropped == 12
    assert read(START + old(Packet(1), drops=0xFFFF)).facts.interfaces[0].dropped is None


def test_simple_packets_are_cut_by_the_snap_length() -> None:
    reading = read(section() + interface(snap_length=3) + simple(b"abc", wire=900))
    assert reading.frames == [Frame(1, NO_TIME, b"abc", 900)]
    assert (reading.facts.first_ns, reading.facts.cut_frames) == (None, 1)


@pytest.mark.parametrize("kind", [0xBAD, 0x40000BAD, 9, 0x204, 0x216, 0x221])
def test_blocks_that_take_a_frame_number(kind: int) -> None:
    reading = read(START + ONE + block(kind, bytes(40)) + ONE)
    assert ([frame.number for frame in reading.frames], reading.facts.frames) == ([1, 3], 3)


@pytest.mark.parametrize("kind", [0, 7, 8, 11, 0x80000001, 0xFFFFFFFF])
def test_unknown_blocks_are_passed_over(kind: int) -> None:
    reading = read(START + ONE + block(kind, b"") + ONE)
    assert ([frame.number for frame in reading.frames], reading.kinds) == ([1, 2], [])


def test_texts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcapng_blocks, "TEXTS_LIMIT", 3)
    long = option(1, b"x" * 60_000 + b"\xff")
    names = block(4, b"".join(option(1, bytes([10, 0, 0, n]) + b"n\0") for n in range(9)))
    secret = block(10, struct.pack("<II", 1, 0))
    reading = read(section(long * 5) + interface() + enhanced(Packet(1), options=long * 5) + names + secret * 5)
    facts = reading.facts
    assert facts.comments == ["x" * 4096] * 3
    assert facts.frame_comments == [(1, "x" * 4096)] * 3
    assert (len(facts.names), len(facts.secrets)) == (3, 3)
    kinds = ["too-many-comments", "too-many-comments-on-frames", "too-many-names", "too-many-secrets"]
    assert (reading.kinds, facts.complete) == (kinds, True)


def test_text_of_no_encoding() -> None:
    assert read(section(option(1, b"a\xffb\0"))).facts.comments == ["a\ufffdb"]


BODY = struct.pack("<IIIII", 0, 0, 1, 4, 4) + b"abcd"
COST_A_BLOCK = {
    "missing-interface": enhanced(Packet(1), index=1),
    "packet-overrun": block(6, struct.pack("<IIIII", 0, 0, 1, 5, 5) + b"abcd"),
    "short-packet-block": block(6, bytes(16)),
    "bad-statistics": block(5, struct.pack("<III", 9, 0, 0)),
    "option-overrun": block(5, struct.pack("<III", 0, 0, 0) + struct.pack("<HH", 4, 9) + bytes(4)),
}
END_IT = {
    "bad-block-length": block(6, BODY, claimed=0),
    "block-length-mismatch": block(6, BODY, again=40),
    "bad-byte-order": block(0x0A0D0D0A, bytes(20)),
    "unsupported-version": section(version=(2, 0)),
    "short-interface-block": block(1, b"abcd"),
    "cut-short": ONE[:-1],
}


@pytest.mark.parametrize("kind", COST_A_BLOCK)
def test_damage_that_costs_a_block(kind: str) -> None:
    for reading in (read(START + ONE + COST_A_BLOCK[kind] + ONE), read_fast(START + ONE + COST_A_BLOCK[kind] + ONE)):
        assert ([frame.number for frame in reading.frames], reading.kinds) == ([1, 2], [kind])
        assert not reading.facts.complete
        assert reading.facts.anomalies[0].offset == len(START + ONE)


@pytest.mark.parametrize("kind", END_IT)
def test_damage_that_ends_it(kind: str) -> None:
    data = START + ONE + END_IT[kind] + (b"" if kind == "cut-short" else ONE)
    for reading in (read(data), read_fast(data)):
        assert ([frame.number for frame in reading.frames], reading.kinds) == ([1], [kind])
        assert not reading.facts.complete
        assert reading.facts.anomalies[0].offset == len(START + ONE)


@pytest.mark.parametrize("length", [1, 13, 2**32 - 1])
def test_block_length_that_is_none(length: int) -> None:
    assert read(START + ONE + block(99, b"", claimed=length) + ONE).kinds == ["bad-block-length"]


def test_simple_packets_before_any_interface() -> None:
    reading = read(section() + simple(b"abcd") + interface() + ONE)
    assert (len(reading.frames), reading.kinds) == (1, ["missing-interface"])
    assert read(START + simple(b"abcd", wire=5) + ONE).kinds == ["packet-overrun"]
    assert read(START + block(3, b"") + ONE).kinds == ["short-packet-block"]


def test_broken_options_of_a_frame_do_not_cost_it() -> None:
    broken = enhanced(Packet(1), options=struct.pack("<HH", 2, 60) + bytes(4))
    reading = read(START + broken + broken)
    assert (len(reading.frames), reading.kinds, reading.facts.complete) == (2, ["bad-frame-options"], False)
    assert reading.facts.anomalies[0].count == 2


def test_huge_blocks_are_passed_over() -> None:
    body = bytes(BLOCK_LIMIT)
    for kind, told in ((6, "oversized-record"), (77, "oversized-block")):
        reading = read(START + ONE + block(kind, body) + ONE)
        assert ([frame.number for frame in reading.frames], reading.kinds) == ([1, 2], [told])
        assert not reading.facts.complete
    assert read(START + block(77, body, again=12) + ONE).kinds == ["oversized-block", "block-length-mismatch"]
    assert read(START + block(77, body)[:-1]).kinds == ["oversized-block", "cut-short"]


def test_too_many_interfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcapng, "INTERFACES_LIMIT", 20)
    reading = read(section() + interface() * 21 + ONE)
    assert (len(reading.facts.interfaces), reading.kinds, reading.frames) == (20, ["too-many-interfaces"], [])
    last = read(section() + interface() * 20 + enhanced(Packet(1), index=19))
    assert (last.frames[0].interface, last.kinds) == (19, [])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (section()[:11], "ends within its pcapng section header"),
        (section()[:27], "ends within its pcapng section header"),
        (section(version=(1, 1)), "is no pcapng that can be read: A section is of pcapng version 1.1."),
        (block(0x0A0D0D0A, bytes(16)), "is no pcapng that can be read: A section header has no byte-order magic."),
    ],
)
def test_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(CaptureError) as caught:
        read(data)
    assert str(caught.value) == f"standard input {sentence}"
