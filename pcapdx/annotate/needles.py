"""Looks for many values at once, in every usual disguise: raw, hexadecimal, base64, URL encoding, UTF-16.

A table of 65,536 cells says which four bytes may begin a value; what passes it is compared in full.
"""

import base64
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote_from_bytes

import numpy as np
import numpy.typing as npt

SHORTEST, FEWEST_DIFFERENT = 8, 5
"""Shorter or duller values may stand anywhere by chance."""
SLICE = 48
"""Of longer values every piece of this length is looked for; a leak of twice that is always found."""
MOST_SLICES = 256
WORDS = frozenset(
    {b"password", b"saved_password", b"bad_request", b"send_my_password", b"undefined", b"anonymous", b"administrator"}
)
"""Values that are words of protocols; where they stand, nothing is told."""
PROBE = 4
CHUNK = 1 << 20


def disguises(value: bytes) -> Iterator[bytes]:
    """A value as programs write it; of base64 the digits that its own bytes decide, at each of three places."""
    yield value
    yield value.hex().encode()
    yield value.hex().upper().encode()
    quoted = quote_from_bytes(value, safe="").encode()
    if quoted != value:
        yield quoted
    for shift in range(3):
        digits = base64.b64encode(bytes(shift) + value)
        yield digits[-(-8 * shift // 6) : (8 * (shift + len(value))) // 6]
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return
    yield text.encode("utf-16-le")
    yield text.encode("utf-16-be")


def tells(value: bytes) -> bool:
    """Whether finding a value means anything."""
    return len(value) >= SHORTEST and len(set(value)) >= FEWEST_DIFFERENT and value.lower() not in WORDS


class Needles:
    """Values made ready to be looked for."""

    def __init__(self, values: Iterable[bytes]) -> None:
        self._by_start: dict[bytes, list[bytes]] = {}
        self._table = np.zeros(1 << 16, np.bool_)
        self.longest = 0
        for value in values:
            for piece in _pieces(value.strip()):
                for one in disguises(piece):
                    self._add(one)

    def exactly(self, value: bytes) -> None:
        """Adds a value that is looked for as it stands."""
        if len(value) >= PROBE:
            self._add(value)

    def _add(self, one: bytes) -> None:
        same = self._by_start.setdefault(one[:PROBE], [])
        if one not in same:
            same.append(one)
            self.longest = max(self.longest, len(one))
            self._table[_cells(np.frombuffer(one[:PROBE], np.uint8))] = True

    def __bool__(self) -> bool:
        return bool(self._by_start)

    def find(self, data: npt.NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
        """Begin and end of each place of a value; places may overlap."""
        if not self:
            return
        for begin in range(0, len(data), CHUNK):
            part = data[begin : begin + CHUNK + PROBE - 1]
            if len(part) < PROBE:
                return
            for at in (np.flatnonzero(self._table[_cells(part)]) + begin).tolist():
                for one in self._by_start.get(data[at : at + PROBE].tobytes(), ()):
                    if data[at : at + len(one)].tobytes() == one:
                        yield at, at + len(one)


def _cells(data: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """The cell of each four bytes."""
    wide = data.astype(np.uint16)
    cells: npt.NDArray[Any] = (wide[:-3] * 31 + wide[1:-2]) * 31 + wide[2:-1] * 256 + wide[3:] * 7
    return cells


def _pieces(value: bytes) -> Iterator[bytes]:
    if len(value) <= SLICE:
        if tells(value):
            yield value
        return
    for begin in range(0, min(len(value), MOST_SLICES * SLICE), SLICE):
        piece = value[begin : begin + SLICE].strip()
        if len(piece) >= SLICE // 2 and tells(piece):
            yield piece
