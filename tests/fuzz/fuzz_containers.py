"""Fuzzes the reading of captures: ``python tests/fuzz/fuzz_containers.py [-runs=N] [any libFuzzer option]``.

No input may raise anything but CaptureError or be told of in more than one line, every record must lie within its
block, and frame numbers must grow. The seeds are written from code into a folder among the temporary files.
"""

import bz2
import gzip
import io
import lzma
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import lz4.frame
import zstandard

from pcapdx.capture.open import open_capture
from pcapdx.errors import CaptureError
from tests.capture.writing import Packet, pcap, rich_pcapng
from tests.fuzz.handover import fuzz


def seeds() -> list[bytes]:
    """A small capture of each form, plain and packed."""
    packets = [Packet(n, bytes(range(n)), n) for n in range(4)]
    plain = [
        pcap(packets, order=order, magic=magic) for order in "<>" for magic in (0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34)
    ]
    plain += [rich_pcapng("<"), rich_pcapng(">")]
    pack = (gzip.compress, bz2.compress, lzma.compress, lz4.frame.compress, zstandard.ZstdCompressor().compress)
    return plain + [compress(plain[0]) for compress in pack]


def check(data: bytes) -> None:
    """Read ``data`` as a capture."""
    try:
        reader = open_capture("-", name="fuzz", stdin=io.BytesIO(data), block_bytes=256)
        last = 0
        for block in reader.blocks():
            for record in block.records:
                assert last < int(record["number"])
                last = int(record["number"])
                assert int(record["offset"]) + int(record["captured_bytes"]) <= len(block.data)
        assert last <= reader.facts.frames
        assert all("\n" not in anomaly.what for anomaly in reader.facts.anomalies)
    except CaptureError as error:
        assert "\n" not in str(error)


if __name__ == "__main__":
    sys.exit(fuzz("containers", seeds(), check))
