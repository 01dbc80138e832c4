"""Cuts an annotated capture down to the frames that prove something: for trackers that take no large files."""

import re
import struct
from collections.abc import Iterator

from pcapdx.annotate import blocks
from pcapdx.annotate.copy import options_of
from pcapdx.annotate.seal import sealed
from pcapdx.capture.pcapng import BYTE_ORDERS
from pcapdx.capture.pcapng_walk import OLD_PACKET, PACKET, SECTION, SIMPLE_PACKET

_PROOF = re.compile(rb"[FP]\d+ [A-Z]+\d{3} ")
"""How the comment on a frame begins that proves a finding or that something worked."""
_NUMBER = re.compile(rb"frame \d+ of ")
_SHORTEST = 12


def trimmed(data: bytes, name: str) -> bytes:
    """The capture with the frames only that have a finding or a proof; each tells its number in ``name``."""
    return sealed(b"".join(_kept(data, name)))


def _kept(data: bytes, name: str) -> Iterator[bytes]:
    at, number, order = 0, 0, "<"
    while at + _SHORTEST <= len(data):
        if data[at : at + 4] == struct.pack("<I", SECTION):
            order = BYTE_ORDERS.get(data[at + 8 : at + 12], order)
        kind, size = struct.unpack_from(order + "II", data, at)
        if size < _SHORTEST or size % 4 or at + size > len(data):
            return
        block = data[at : at + size]
        at += size
        if kind in (PACKET, OLD_PACKET, SIMPLE_PACKET):
            number += 1
            if kind != SIMPLE_PACKET:
                yield _proof(block, order, f"frame {number} of {name}")
        else:
            yield block


def _proof(block: bytes, order: str, told: str) -> bytes:
    """The frame with its number; nothing where no comment of ours names what it proves."""
    if len(block) < blocks.PACKET_HEAD + 4:
        return b""
    (captured,) = struct.unpack_from(order + "I", block, 20)
    begin = blocks.PACKET_HEAD + (captured + 3) // 4 * 4
    pairs = list(options_of(block[begin:-4], order))
    comments = [value for code, value in pairs if code == blocks.COMMENT]
    if not any(_PROOF.match(one) for one in comments):
        return b""
    if any(_NUMBER.match(one) for one in comments):
        return block
    (kind,) = struct.unpack_from(order + "I", block)
    return blocks.block(kind, block[8:begin] + blocks.options([*pairs, *blocks.comments([told])], order), order)
