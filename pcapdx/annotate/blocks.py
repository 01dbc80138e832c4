"""Writes pcapng blocks. ``order`` is ``<`` or ``>``, the byte order of the section.

Source: draft-ietf-opsawg-pcapng, sections 3.5 and 4. Reading them back is :mod:`pcapdx.capture.pcapng_blocks`.
"""

import struct
from collections.abc import Iterable

from pcapdx.report.escape import plain

COMMENT, END = 1, 0
IF_NAME, IF_DESCRIPTION, IF_RESOLUTION, IF_FILTER, FLAGS = 2, 3, 9, 11, 2
APPLICATION = 4
LONGEST_OPTION = 65_535
BYTE_ORDER_MAGIC = 0x1A2B3C4D
SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
PACKET_HEAD = 28
"""Bytes of an enhanced packet block before the packet."""

Option = tuple[int, bytes]


def block(kind: int, body: bytes, order: str) -> bytes:
    """A block; ``body`` is padded to four bytes."""
    body += bytes(-len(body) % 4)
    size = len(body) + 12
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


def options(pairs: Iterable[Option], order: str) -> bytes:
    """A list of options with its end; nothing where there are none. A value too long for an option is cut."""
    parts = []
    for code, value in pairs:
        kept = value[:LONGEST_OPTION]
        parts.append(struct.pack(order + "HH", code, len(kept)) + kept + bytes(-len(kept) % 4))
    return b"".join([*parts, bytes(4)]) if parts else b""


def text(words: str) -> bytes:
    """A text as the value of an option: line by line without control characters, cut between characters."""
    clean = "\n".join(plain(line) for line in words.split("\n"))
    return clean.encode("utf-8", "replace")[:LONGEST_OPTION].decode("utf-8", "ignore").encode()


def comments(texts: Iterable[str]) -> list[Option]:
    """Comment options."""
    return [(COMMENT, text(one)) for one in texts]


def section(pairs: Iterable[Option], order: str) -> bytes:
    """A section header of a length not told."""
    return block(SECTION, struct.pack(order + "IHHq", BYTE_ORDER_MAGIC, 1, 0, -1) + options(pairs, order), order)


def interface(link_type: int, snap_length: int, pairs: Iterable[Option], order: str) -> bytes:
    """An interface description; a snap length of 0 is none."""
    return block(INTERFACE, struct.pack(order + "HHI", link_type, 0, snap_length) + options(pairs, order), order)


def packet(index: int, stamp: int, wire_bytes: int, data: bytes, pairs: Iterable[Option], order: str) -> bytes:
    """An enhanced packet block; ``stamp`` in the interface's units, within 64 bits."""
    head = struct.pack(order + "IIIII", index, stamp >> 32, stamp & 0xFFFF_FFFF, len(data), wire_bytes)
    return block(PACKET, head + data + bytes(-len(data) % 4) + options(pairs, order), order)
