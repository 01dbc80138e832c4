"""The copy keeps what a capture holds: numbers, times of any unit, comments, names, statistics, options."""

import gzip
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdx.annotate import blocks
from pcapdx.annotate.annotate import Settings
from pcapdx.capture.records import NO_TIME
from tests.annotate.annotating import annotated, tshark
from tests.capture.writing import Packet, enhanced, interface, option, pcap, read, rich_pcapng, section

ORDERS = pytest.mark.parametrize("order", "<>")


@ORDERS
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34])
def test_a_classic_capture_keeps_times_and_lengths(order: str, magic: int, tmp_path: Path) -> None:
    unit = 10**9 if magic == 0xA1B23C4D else 10**6
    packets = [Packet(1_700_000_000 * unit + n * 7, bytes([2, n]) * (7 + n), n) for n in range(9)]
    source = pcap(packets, order=order, magic=magic, snap_length=96, link=113)
    before, after = read(source), read(annotated(source, tmp_path).read_bytes())
    assert after.frames == before.frames
    assert after.facts.interfaces[0].snap_length == 96
    assert after.facts.interfaces[0].resolution_exponent == (-9 if unit == 10**9 else -6)


@ORDERS
def test_everything_of_a_rich_file_stays(order: str, tmp_path: Path) -> None:
    source = rich_pcapng(order)
    before, after = read(source), read(annotated(source, tmp_path, suffix=".pcapng").read_bytes())
    assert after.frames == before.frames
    for name in ("frame_comments", "names", "hardware", "os", "application", "first_ns", "last_ns"):
        assert getattr(after.facts, name) == getattr(before.facts, name)
    assert not after.facts.secrets
    assert after.facts.comments[0] == before.facts.comments[0]
    for old, new in zip(before.facts.interfaces, after.facts.interfaces, strict=True):
        assert (new.name, new.filter, new.offset_s, new.received) == (old.name, old.filter, old.offset_s, old.received)
        assert (new.resolution_exponent, new.resolution_binary) == (old.resolution_exponent, old.resolution_binary)
        assert (old.description or "") in (new.description or "")


@ORDERS
def test_secrets_to_decrypt_with_stay_only_where_asked_for(order: str, tmp_path: Path) -> None:
    kept = annotated(rich_pcapng(order), tmp_path, Settings(keep_secrets=True), ".pcapng")
    assert b"secret!!" in kept.read_bytes()
    assert b"secret!!" not in annotated(rich_pcapng(order), tmp_path, suffix=".pcapng").read_bytes()


def test_what_custom_blocks_hold_is_blanked(tmp_path: Path) -> None:
    source = rich_pcapng()
    out = annotated(source, tmp_path, suffix=".pcapng").read_bytes()
    assert b"data" in source
    assert b"data" not in out
    assert b"__REALTIME_TIMESTAMP=12" in out


def test_frames_without_time_keep_none(tmp_path: Path) -> None:
    out = read(annotated(rich_pcapng(), tmp_path, suffix=".pcapng").read_bytes())
    assert NO_TIME in [one.ts_ns for one in out.frames]


@ORDERS
def test_tshark_counts_the_same(order: str, tmp_path: Path) -> None:
    source = b"".join(
        [
            section(order=order),
            interface(option(2, b"eth0", order) + option(9, b"\x09", order), order),
            *(enhanced(Packet(10**18 + n, b"\2" * 60), order, options=option(1, b"old", order)) for n in range(3)),
        ]
    )
    out = annotated(source, tmp_path, suffix=".pcapng")
    fields = ("frame.number", "frame.time_epoch", "frame.interface_name", "frame.comment")
    assert tshark(out, *fields) == tshark(tmp_path / "in.pcapng", *fields)


def test_compressed_and_cut_captures(tmp_path: Path) -> None:
    source = pcap([Packet(10**15 + n, bytes([2]) * 60) for n in range(5)])
    whole = read(annotated(gzip.compress(source), tmp_path, suffix=".pcap.gz").read_bytes())
    assert len(whole.frames) == 5
    cut = read(annotated(source[:-3], tmp_path).read_bytes())
    assert len(cut.frames) == 4
    assert not cut.kinds


@given(
    order=st.sampled_from("<>"),
    texts=st.lists(st.text(max_size=300), max_size=5),
    raw=st.lists(st.tuples(st.integers(2, 60), st.binary(max_size=300)), max_size=4),
    data=st.binary(max_size=200),
    stamp=st.integers(0, 2**63 - 1),
)
def test_whatever_is_written_can_be_read(
    order: str, texts: list[str], raw: list[tuple[int, bytes]], data: bytes, stamp: int
) -> None:
    pairs = [*((code, value) for code, value in raw if code not in (2, 4)), *blocks.comments(texts)]
    made = b"".join(
        [
            blocks.section(blocks.comments(texts), order),
            blocks.interface(1, 0, [(blocks.IF_RESOLUTION, b"\x09"), (blocks.IF_NAME, b"eth0")], order),
            blocks.packet(0, stamp, len(data) + 3, data, pairs, order),
        ]
    )
    seen = read(made)
    assert not seen.kinds
    (frame,) = seen.frames
    assert (frame.data, frame.ts_ns, frame.wire_bytes) == (data, stamp, len(data) + 3)
    told = [comment for _, comment in seen.facts.frame_comments]
    assert len(told) == len(texts) == len(seen.facts.comments)
    for comment in told:
        assert all(char.isprintable() or char == "\n" for char in comment)


def test_long_texts_are_cut_between_characters() -> None:
    made = blocks.text("ä" * 60_000)
    assert len(made) <= blocks.LONGEST_OPTION
    assert set(made.decode()) == {"ä"}


def test_hostile_texts_are_escaped() -> None:
    assert blocks.text("a\x1b[31m\u202eb\r\nc").decode() == "a\\x1b[31m\\u202eb\\x0d\nc"


def test_options_are_padded() -> None:
    made = blocks.options([(1, b"abc")], "<")
    assert made == struct.pack("<HH", 1, 3) + b"abc\0" + bytes(4)
