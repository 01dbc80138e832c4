"""A mark in an annotated capture that tells that its secrets were masked, and that it is still as it was written.

It is a comment on the first section with the SHA-256 of the whole file, taken with zeros in the place of the sum. It
does not prove who wrote the file; it tells a capture that was saved again with other packets from one that was not.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO, TypeVar

from pcapdx.annotate.blocks import BYTE_ORDER_MAGIC, COMMENT, SECTION

ABOUT = "pcapdx: secrets masked; SHA-256 of this file with zeros here: "
_DIGITS = 64
UNSEALED = ABOUT + "0" * _DIGITS
"""The comment before the sum is known."""
_PREFIX = ABOUT.encode()
_LONGEST_SECTION = 16 << 20
Piece = TypeVar("Piece", bytes, memoryview)


def is_seal(comment: bytes) -> bool:
    """Whether a comment is such a mark."""
    return comment.startswith(_PREFIX)


class Sum:
    """The sum of a file that is being written."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()

    def of(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The same pieces, which the file is made of."""
        for piece in pieces:
            self._total.update(piece)
            yield piece

    def seal(self, file: BinaryIO) -> None:
        """Puts the sum into the file, whose first section has the comment ``UNSEALED``; else nothing is done."""
        file.seek(0)
        at = _place(file.read(_LONGEST_SECTION))
        if at is not None:
            file.seek(at)
            file.write(self._total.hexdigest().encode())
        file.seek(0, 2)


def sealed(data: bytes) -> bytes:
    """A whole file with its sum put right; one without a seal stays as it is."""
    at = _place(data[:_LONGEST_SECTION])
    if at is None:
        return data
    blank = data[:at] + b"0" * _DIGITS + data[at + _DIGITS :]
    return data[:at] + hashlib.sha256(blank).hexdigest().encode() + data[at + _DIGITS :]


def has_seal(data: bytes) -> bool:
    """Whether a file says that it was masked, changed since or not."""
    return _place(data[:_LONGEST_SECTION]) is not None


def is_unbroken(data: bytes) -> bool:
    """Whether a file says that it was masked and is as it was written."""
    return has_seal(data) and sealed(data) == data


def _place(head: bytes) -> int | None:
    """Where the digits stand: in the first block, where no packet is, and last, after all that a capture says."""
    if len(head) < 28 or struct.unpack_from("<I", head)[0] != SECTION:
        return None
    order = "<" if struct.unpack_from("<I", head, 8)[0] == BYTE_ORDER_MAGIC else ">"
    (size,) = struct.unpack_from(order + "I", head, 4)
    whole = struct.pack(order + "HH", COMMENT, len(UNSEALED)) + _PREFIX
    at = head.rfind(whole, 24, min(size, len(head)))
    place = at + len(whole)
    return place if at >= 0 and place + _DIGITS <= size <= len(head) else None
