"""Compressed captures: every codec, whole, in members, cut, flipped, padded; and without the optional one."""

import bz2
import gzip
import io
import lzma
import os
import random
import sys
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from pcapdx.capture.open import open_capture
from pcapdx.errors import CaptureError
from tests.capture.writing import Packet, Reading, drain, pcap, read

CODECS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "lz4": lambda data: bytes(lz4.frame.compress(data, content_checksum=True)),
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}
noise = random.Random(7)
SMALL = pcap([Packet(n, noise.randbytes(20)) for n in range(30)])
LARGE = pcap([Packet(n, noise.randbytes(1400) + bytes(300)) for n in range(900)])

every_codec = pytest.mark.parametrize("codec", CODECS)


@every_codec
@pytest.mark.parametrize("plain", [SMALL, LARGE], ids=["small", "large"])
def test_read_back(codec: str, plain: bytes) -> None:
    packed = CODECS[codec](plain)
    reading = read(packed)
    assert reading.frames == read(plain).frames
    assert (reading.facts.compression, reading.facts.bytes) == (codec, len(packed))
    assert reading.facts.complete and not reading.kinds


@every_codec
def test_members_one_after_another(codec: str) -> None:
    parts = [CODECS[codec](LARGE[at : at + 40_000]) for at in range(0, len(LARGE), 40_000)]
    parts.insert(1, CODECS[codec](b""))
    reading = read(b"".join(parts))
    assert reading.frames == read(LARGE).frames
    assert reading.facts.complete and not reading.kinds


def test_zstd_behind_a_skippable_frame() -> None:
    assert read(b"\x50\x2a\x4d\x18\4\0\0\0size" + CODECS["zstd"](SMALL)).frames == read(SMALL).frames


@every_codec
def test_zeros_behind_the_end_are_padding(codec: str) -> None:
    reading = read(CODECS[codec](SMALL) + bytes(100_000))
    assert (len(reading.frames), reading.kinds, reading.facts.complete) == (30, [], True)


@every_codec
@pytest.mark.parametrize("junk", [b"j", b"junk of some length"])
def test_junk_behind_the_end_is_told(codec: str, junk: bytes) -> None:
    reading = read(CODECS[codec](SMALL) + junk)
    assert (len(reading.frames), reading.kinds, reading.facts.complete) == (30, ["trailing-bytes"], True)
    assert reading.facts.anomalies[0].protocol == codec


def cut(packed: bytes, size: int) -> Reading | None:
    """The reading of the first ``size`` bytes; None if not even the file header came out."""
    try:
        return read(packed[:size])
    except CaptureError as error:
        assert str(error).startswith("standard input ")
        return None


@every_codec
def test_cut_at_every_byte(codec: str) -> None:
    packed = CODECS[codec](SMALL)
    frames = read(SMALL).frames
    for size in range(len(packed)):
        reading = cut(packed, size)
        if reading is not None:
            assert reading.frames == frames[: len(reading.frames)]
            assert (reading.kinds, reading.facts.complete) == (["cut-short"], False)
            assert reading.facts.anomalies[0].protocol == codec


@every_codec
def test_the_frames_before_a_cut_come(codec: str) -> None:
    packed = CODECS[codec](LARGE)
    reading = cut(packed, len(packed) * 9 // 10)
    frames = len(reading.frames) if reading else 0
    assert (500 if codec == "bzip2" else 700) <= frames < 900, "bzip2 packs 900 kB in one go"


@every_codec
def test_flipped_bytes(codec: str) -> None:
    packed = bytearray(CODECS[codec](SMALL))
    for at in range(len(packed)):
        packed[at] ^= 0x55
        try:
            reading = read(bytes(packed))
        except CaptureError:
            pass
        else:
            assert len(reading.frames) <= 30 or reading.kinds
        packed[at] ^= 0x55


@pytest.mark.parametrize("codec", ["gzip", "zstd", "lz4"])
def test_a_wrong_checksum_costs_no_frame(codec: str) -> None:
    packed = bytearray(CODECS[codec](SMALL))
    packed[-7 if codec == "gzip" else -1] ^= 1
    reading = read(bytes(packed))
    assert (len(reading.frames), reading.kinds, reading.facts.complete) == (30, ["corrupt"], False)


def test_gzip_without_the_optional_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal.igzip_lib", None)
    test_read_back("gzip", LARGE)
    test_members_one_after_another("gzip")
    test_junk_behind_the_end_is_told("gzip", b"junk")
    test_cut_at_every_byte("gzip")
    test_a_wrong_checksum_costs_no_frame("gzip")


def test_a_needed_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(CaptureError, match=r"^standard input is zstd data, which needs Python package zstandard$"):
        read(CODECS["zstd"](SMALL))


@every_codec
def test_packed_twice_is_refused(codec: str) -> None:
    with pytest.raises(CaptureError, match=f"is gzip data that hold {codec} data again; unpack it once"):
        read(CODECS["gzip"](CODECS[codec](SMALL)))


@every_codec
def test_nothing_inside(codec: str) -> None:
    with pytest.raises(CaptureError, match=f"^standard input is {codec} data that hold nothing$"):
        read(CODECS[codec](b""))
    with pytest.raises(CaptureError, match=f"^standard input is {codec} data that hold a text file"):
        read(CODECS[codec](b"text\n"))


@every_codec
def test_memory_is_flat_whatever_comes_out(codec: str) -> None:
    plain = pcap([Packet(n, bytes(60_000)) for n in range(3000)])
    packed = CODECS[codec](plain)
    expected = 3000
    del plain
    tracemalloc.start()
    frames = sum(len(block.records) for block in open_capture("-", name="t", stdin=io.BytesIO(packed)).blocks())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert frames == expected
    assert peak < 60_000_000, f"{peak} bytes for 180 MB of capture"


def test_a_real_file(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap.gz"
    path.write_bytes(CODECS["gzip"](LARGE))
    reading = drain(open_capture(str(path), name="t"))
    assert (len(reading.frames), reading.facts.path) == (900, str(path))


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_packed_pipe_is_read_as_it_comes(compression: str) -> None:
    """Packets of a live capture are not kept until a block is full, once the sender has flushed them."""
    packets = [Packet(n, bytes(60), n) for n in range(1, 30)]
    plain = pcap(packets)
    cut = len(pcap(packets[:10]))
    if compression == "gzip":
        packer = zlib.compressobj(wbits=31)
        first = packer.compress(plain[:cut]) + packer.flush(zlib.Z_SYNC_FLUSH)
        rest = packer.compress(plain[cut:]) + packer.flush()
    else:
        zstd = zstandard.ZstdCompressor().compressobj()
        first = zstd.compress(plain[:cut]) + zstd.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        rest = zstd.compress(plain[cut:]) + zstd.flush()
    source, sink = os.pipe()
    with os.fdopen(source, "rb") as stdin:
        os.write(sink, first)
        blocks = open_capture("-", name="pipe", stdin=stdin).blocks()
        timer = threading.Timer(20, os.close, [sink])  # a reader that waits for more would hang
        timer.start()
        early = len(next(blocks).records)
        timer.cancel()
        assert early >= 8
        os.write(sink, rest)
        os.close(sink)
        assert early + sum(len(block.records) for block in blocks) == 29
