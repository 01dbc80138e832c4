"""Tiny writers of captures for the tests, and a reading of them that outlives its blocks."""

import io
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from pcapdx.capture import source
from pcapdx.capture.open import open_capture
from pcapdx.capture.records import CaptureFacts, Reader


class Frame(NamedTuple):
    """A frame as it was read, its bytes copied."""

    number: int
    ts_ns: int
    data: bytes
    wire_bytes: int
    interface: int = 0
    link_type: int = 1
    direction: int = 0


@dataclass
class Reading:
    """All that came of a capture."""

    facts: CaptureFacts
    frames: list[Frame]

    @property
    def kinds(self) -> list[str]:
        """The kinds of its anomalies."""
        return [anomaly.kind for anomaly in self.facts.anomalies]


def drain(reader: Reader) -> Reading:
    """Read to the end."""
    frames = []
    for block in reader.blocks():
        for record in block.records:
            offset, size = int(record["offset"]), int(record["captured_bytes"])
            assert 0 <= offset <= offset + size <= len(block.data)
            frames.append(
                Frame(
                    int(record["number"]),
                    int(record["ts_ns"]),
                    block.data[offset : offset + size].tobytes(),
                    int(record["wire_bytes"]),
                    int(record["interface"]),
                    int(record["link_type"]),
                    int(record["direction"]),
                )
            )
    return Reading(reader.facts, frames)


def read(data: bytes, *, block_bytes: int = 4096) -> Reading:
    """Read a capture from memory."""
    return drain(open_capture("-", name="t", stdin=io.BytesIO(data), block_bytes=block_bytes))


def read_fast(data: bytes, *, block_bytes: int = 4096) -> Reading:
    """The same by the compiled kernels, whatever its size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "FAST_BYTES", -1)
        return read(data, block_bytes=block_bytes)


class Packet(NamedTuple):
    """A frame to be written."""

    stamp: int = 1_700_000_000_000_000
    """In units of the container."""
    data: bytes = b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0"
    beyond: int = 0
    """Bytes that the frame had on the wire beyond those captured."""


def pcap(
    packets: Iterable[Packet] = (),
    *,
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    version: tuple[int, int] = (2, 4),
    snap_length: int = 262144,
    link: int = 1,
) -> bytes:
    """A classic pcap of any form."""
    per_second = 10**9 if magic == 0xA1B23C4D else 10**6
    parts = [struct.pack(order + "IHHiIII", magic, *version, 0, 0, snap_length, link)]
    for packet in packets:
        seconds, fraction = divmod(packet.stamp, per_second)
        size = len(packet.data)
        parts.append(struct.pack(order + "IIII", seconds, fraction, size, size + packet.beyond))
        if magic == 0xA1B2CD34:
            parts.append(struct.pack(order + "IHBx", 1, 0x0800, 0))
        parts.append(packet.data)
    return b"".join(parts)


def padded(data: bytes) -> bytes:
    """To a multiple of four bytes."""
    return data + bytes(-len(data) % 4)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    """One option of a pcapng block."""
    return struct.pack(order + "HH", code, len(value)) + padded(value)


def block(kind: int, body: bytes, order: str = "<", *, claimed: int | None = None, again: int | None = None) -> bytes:
    """A pcapng block; its lengths may lie."""
    size = len(body) + 12
    claimed = size if claimed is None else claimed
    return (
        struct.pack(order + "II", kind, claimed) + body + struct.pack(order + "I", claimed if again is None else again)
    )


def section(options: bytes = b"", order: str = "<", version: tuple[int, int] = (1, 0)) -> bytes:
    """A section header block."""
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, *version, -1) + options, order)


def interface(options: bytes = b"", order: str = "<", *, link: int = 1, snap_length: int = 0) -> bytes:
    """An interface description block."""
    return block(1, struct.pack(order + "HHI", link, 0, snap_length) + options, order)


def enhanced(packet: Packet, order: str = "<", *, index: int = 0, options: bytes = b"") -> bytes:
    """An enhanced packet block."""
    size = len(packet.data)
    fixed = struct.pack(
        order + "IIIII", index, packet.stamp >> 32, packet.stamp & 0xFFFF_FFFF, size, size + packet.beyond
    )
    return block(6, fixed + padded(packet.data) + options, order)


def old(packet: Packet, order: str = "<", *, index: int = 0, drops: int = 0, options: bytes = b"") -> bytes:
    """A packet block, which enhanced ones replaced."""
    size = len(packet.data)
    fixed = struct.pack(
        order + "HHIIII", index, drops, packet.stamp >> 32, packet.stamp & 0xFFFF_FFFF, size, size + packet.beyond
    )
    return block(2, fixed + padded(packet.data) + options, order)


def simple(data: bytes, order: str = "<", *, wire: int | None = None) -> bytes:
    """A simple packet block."""
    return block(3, struct.pack(order + "I", len(data) if wire is None else wire) + padded(data), order)


def rich_pcapng(order: str = "<") -> bytes:
    """One of everything that a pcapng can hold; nine frames by Wireshark's count, seven of them packets."""
    o = order
    nanoseconds = option(9, b"\x09", o)
    return b"".join(
        [
            section(option(1, b"one", o) + option(4, b"writer", o) + option(2, b"cpu", o) + option(3, b"os", o), o),
            interface(option(2, b"eth0", o) + option(11, b"\0udp", o) + nanoseconds, o, snap_length=96),
            enhanced(Packet(10**18, b"a" * 61, 9), o, options=option(1, b"first", o) + option(0, b"", o)),
            block(4, option(1, b"\x0a\0\0\1gateway\0gw\0", o) + option(2, bytes(15) + b"\1six\0", o) + bytes(4), o),
            block(0xBAD, struct.pack(o + "I", 1) + b"data", o),
            simple(b"b" * 20, o),
            interface(option(3, b"second", o) + option(14, struct.pack(o + "q", 3600), o), o, link=113),
            old(Packet(5, b"c" * 7), o, index=1, drops=3, options=option(2, struct.pack(o + "I", 2), o)),
            block(10, struct.pack(o + "II", 0x544C534B, 8) + b"secret!!", o),
            block(9, b"__REALTIME_TIMESTAMP=12\n", o),
            enhanced(Packet(6, b""), o, index=1, options=option(2, struct.pack(o + "I", 1), o)),
            block(5, struct.pack(o + "III", 0, 0, 0) + option(4, struct.pack(o + "Q", 9), o), o),
            section(order=o),
            interface(option(9, b"\x83", o), o, link=0),
            enhanced(Packet(17, b"e" * 30), o),
            block(0xBEEF, b"odd!", o),
            enhanced(Packet(18, b"f" * 31), o, options=option(4, struct.pack(o + "Q", 5), o)),
            enhanced(Packet(19, b"g" * 32), o),
        ]
    )
