"""What recorders do to a capture beside recording: lost tags, copies, filters noted in the file.

Steps as in `captures.lab.post`, made for captures of tagged links.
"""

import struct
from collections.abc import Collection
from pathlib import Path

from captures.lab.post import Record, Step, read, write

_TPIDS = (b"\x81\x00", b"\x88\xa8")


def receive_tags_lost(local: Collection[str]) -> Step:
    """Take the tag off every frame that was received, as receive VLAN offload does under an old libpcap.

    ``local`` are the MACs of this side: what they send keeps its tag.
    """
    ours = {bytes.fromhex(mac.replace(":", "")) for mac in local}

    def step(path: Path) -> Path:
        header, records = read(path)
        return write(path.with_suffix(".notags.pcap"), header, [_untagged(one, ours) for one in records])

    return step


def blanked(length: int) -> Step:
    """Overwrite what follows so many bytes of each frame with zeros, as is done before a capture is handed on."""

    def step(path: Path) -> Path:
        header, records = read(path)
        blank = [(sec, frac, size, data[:length].ljust(len(data), b"\0")) for sec, frac, size, data in records]
        return write(path.with_suffix(".blank.pcap"), header, blank)

    return step


def _untagged(record: Record, ours: Collection[bytes]) -> Record:
    seconds, fraction, size, data = record
    if data[6:12] in ours or data[12:14] not in _TPIDS:
        return record
    return seconds, fraction, size - 4, data[:12] + data[16:]


def mirrored(microseconds: int) -> Step:
    """Record every frame a second time so much later, as a mirror of both directions of a switch port does."""

    def step(path: Path) -> Path:
        header, records = read(path)
        copies = [(*_later(seconds, fraction, microseconds), size, data) for seconds, fraction, size, data in records]
        both = sorted([*records, *copies], key=lambda one: one[:2])
        return write(path.with_suffix(".span.pcap"), header, both)

    return step


def _later(seconds: int, fraction: int, microseconds: int) -> tuple[int, int]:
    carry, fraction = divmod(fraction + microseconds, 1_000_000)
    return seconds + carry, fraction


def noting_filter(expression: str, interface: str) -> Step:
    """Convert to pcapng with the capture filter and the interface noted, as dumpcap does."""

    def step(path: Path) -> Path:
        header, records = read(path)
        nano = header[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d")
        units = 1_000_000_000 if nano else 1_000_000
        out = path.with_suffix(".pcapng")
        options = _option(9, b"\x09") if nano else b""
        options += _option(2, interface.encode()) + _option(11, b"\0" + expression.encode()) + _option(0, b"")
        with out.open("wb") as file:
            file.write(_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
            file.write(_block(1, struct.pack("<HHI", 1, 0, 262144) + options))
            for seconds, fraction, size, data in records:
                stamp = seconds * units + fraction
                start = struct.pack("<5I", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(data), size)
                file.write(_block(6, start + data + bytes(-len(data) % 4)))
        return out

    return step


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length
