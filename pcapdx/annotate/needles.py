"""Looks for many values at once, in every usual disguise: raw, hexadecimal, base64, URL encoding, UTF-16.

Of few bytes every four that begin a value are looked up. Of many a kernel looks at some places only: as all values have
eight bytes or more, of five neighbouring places one is at hand in each value, and a table says which four bytes may
stand there. What passes is searched for in the list of all values by bisection, so that no bytes make it slow.
"""

import base64
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote_from_bytes

import numpy as np
import numpy.typing as npt

from pcapdx.compiled import compiled
from pcapdx.sieve.columns import Array
from pcapdx.sieve.layers import be8, be32

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
MOST_STEP = 8
"""Places of which one is looked at."""
FEW = 1 << 16
"""So few bytes are searched without the kernel."""
MOST_HITS = 1 << 12
SMALLEST_TABLE, LARGEST_TABLE, CELLS_EACH = 1 << 16, 1 << 22, 32


class Haystack(NamedTuple):
    """All values as the kernel reads them."""

    letters: Array
    """One behind the other, in the order of their bytes."""
    ends: Array
    """By value: where in them it ends."""
    parents: Array
    """By value: the longest other one that it begins with, or -1."""
    table: Array
    """By cell of four bytes: bits of the places in a value where they may stand."""


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
        self._by_start: dict[bytes, set[bytes]] = {}
        self._haystack: tuple[Haystack, int, int] | None = None
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
        self._by_start.setdefault(one[:PROBE], set()).add(one)
        self.longest = max(self.longest, len(one))
        self._haystack = None

    def __bool__(self) -> bool:
        return bool(self._by_start)

    def find(self, data: npt.NDArray[np.uint8], *, kernel: Any = None) -> Iterator[tuple[int, int]]:
        """Begin and end of each place of a value, in order; places may overlap."""
        if self and (kernel or len(data) > FEW):
            yield from self._by_kernel(data, kernel or compiled(seek))
        elif self:
            raw = data.tobytes()
            for at in range(len(raw) - PROBE + 1):
                for one in sorted(self._by_start.get(raw[at : at + PROBE], ())):
                    if raw.startswith(one, at):
                        yield at, at + len(one)

    def _by_kernel(self, data: Array, kernel: Any) -> Iterator[tuple[int, int]]:
        if self._haystack is None:
            self._haystack = _haystack(sorted(one for same in self._by_start.values() for one in same))
        values, step, most = self._haystack
        begins, ends = np.zeros(MOST_HITS + most, np.int64), np.zeros(MOST_HITS + most, np.int64)
        at = 0
        while at < len(data):
            count, at = kernel(data, at, step, most, values, begins, ends)
            yield from sorted(zip(begins[:count].tolist(), ends[:count].tolist(), strict=True))


def _haystack(values: list[bytes]) -> tuple[Haystack, int, int]:
    """With how many places there are for one look, and how many values may be found by one."""
    step = min(min(map(len, values)) - PROBE + 1, MOST_STEP)
    parents, depths, above = [], [], list[int]()
    for place, value in enumerate(values):
        while above and not value.startswith(values[above[-1]]):
            above.pop()
        parents.append(above[-1] if above else -1)
        above.append(place)
        depths.append(len(above))
    probes = [[int.from_bytes(value[at : at + PROBE], "big") for value in values] for at in range(step)]
    cells = SMALLEST_TABLE
    while cells < min(CELLS_EACH * step * len(values), LARGEST_TABLE):
        cells *= 2
    table = np.zeros(cells, np.uint8)
    for at, numbers in enumerate(probes):
        table[cell(np.array(numbers, np.int64), cells)] |= 1 << at
    made = Haystack(
        letters=np.frombuffer(b"".join(values), np.uint8),
        ends=np.cumsum([len(one) for one in values], dtype=np.int64),
        parents=np.array(parents, np.int64),
        table=table,
    )
    return made, step, step * max(depths)


def cell(four: Any, cells: int) -> Any:
    """The cell of four bytes."""
    mixed = (four & 0xFFFF) * 0x9E3B + (four >> 16) * 0x5F35
    return (mixed ^ (mixed >> 11)) & (cells - 1)


def seek(data: Any, begin: int, step: int, most: int, values: Haystack, begins: Array, ends: Array) -> tuple[int, int]:
    """Fills ``begins`` and ``ends``; returns how many there are, and where to go on."""
    count, size, table = 0, len(data), values.table
    for at in range(begin, size - 3, step):
        places = int(table[cell(be32(data, at), len(table))])
        if places == 0:
            continue
        if count + most > len(begins):
            return count, at
        for back in range(step):
            # the call costs as much as many looks: what does not begin like a value, either, is left before it
            if places >> back & 1 and at >= back and table[cell(be32(data, at - back), len(table))] & 1:
                count = take(data, at - back, size, values, begins, ends, count)
    return count, size


def take(data: Any, at: int, size: int, values: Haystack, begins: Array, ends: Array, count: int) -> int:
    """Notes every value that stands at ``at``; how many were found then."""
    low, high = 0, len(values.ends)
    while low < high:  # all that stand there are the last value that is not behind these bytes, or what it begins with
        middle = (low + high) >> 1
        if order(data, at, size, values, middle) > 0:
            high = middle
        else:
            low = middle + 1
    found = low - 1
    while found >= 0 and order(data, at, size, values, found) != 0:
        found = int(values.parents[found])
    while found >= 0:
        begins[count] = at
        ends[count] = at + int(values.ends[found]) - (int(values.ends[found - 1]) if found > 0 else 0)
        count += 1
        found = int(values.parents[found])
    return count


def order(data: Any, at: int, size: int, values: Haystack, which: int) -> int:
    """0 where the value stands at ``at``; -1 where it comes before the bytes that do, 1 where behind them."""
    start = int(values.ends[which - 1]) if which > 0 else 0
    for step in range(int(values.ends[which]) - start):
        if at + step >= size:
            return 1
        ours, theirs = be8(values.letters, start + step), be8(data, at + step)
        if ours != theirs:
            return 1 if ours > theirs else -1
    return 0


def _pieces(value: bytes) -> Iterator[bytes]:
    if len(value) <= SLICE:
        if tells(value):
            yield value
        return
    for begin in range(0, min(len(value), MOST_SLICES * SLICE), SLICE):
        piece = value[begin : begin + SLICE].strip()
        if len(piece) >= SLICE // 2 and tells(piece):
            yield piece
