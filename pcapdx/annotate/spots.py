"""Where in bytes any of some words stands, whatever the case of its letters: a kernel, for large bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pcapdx.compiled import compiled
from pcapdx.sieve.columns import Array

MOST_HITS = 1 << 12
"""Of one call of the kernel; then it is called again for the rest."""
LETTER_A, LETTER_Z, TO_LOWER = 0x41, 0x5A, 0x20


class Words:
    """Words in lower case, laid out for the kernel."""

    def __init__(self, words: Sequence[bytes]) -> None:
        self.words = tuple(words)
        self._order = sorted(range(len(words)), key=lambda place: words[place])
        sizes = [len(words[place]) for place in self._order]
        self._letters = np.frombuffer(b"".join(words[place] for place in self._order), np.uint8)
        self._ends = np.cumsum(sizes, dtype=np.int64)
        self._firsts = np.full(256, -1, np.int64)
        for rank in reversed(range(len(self._order))):
            self._firsts[words[self._order[rank]][0]] = rank
        self._hits = np.zeros(MOST_HITS, np.int64)
        self._ranks = np.zeros(MOST_HITS, np.int64)

    def spots(self, data: bytes, *, kernel: Any = None) -> list[list[int]]:
        """Every place of each word, ascending, in the order the words were given."""
        found: list[list[int]] = [[] for _ in self.words]
        run = kernel or compiled(spot)
        array: Array = np.frombuffer(data, np.uint8)
        at = 0
        while at < len(data):
            count, at = run(array, at, self._letters, self._ends, self._firsts, self._hits, self._ranks)
            for rank, place in zip(self._ranks[:count].tolist(), self._hits[:count].tolist(), strict=True):
                found[self._order[rank]].append(place)
        return found


def spot(
    data: Array, begin: int, letters: Array, ends: Array, firsts: Array, hits: Array, ranks: Array
) -> tuple[int, int]:
    """Fills ``hits`` and ``ranks``; returns how many there are, and where to go on."""
    count = 0
    for at in range(begin, len(data)):
        first = int(data[at])
        if LETTER_A <= first <= LETTER_Z:
            first += TO_LOWER
        rank = int(firsts[first])
        if rank < 0:
            continue
        if count + len(ends) > len(hits):
            return count, at
        while rank < len(ends):
            start = int(ends[rank - 1]) if rank > 0 else 0
            size = int(ends[rank]) - start
            if int(letters[start]) != first:
                break
            same = at + size <= len(data)
            step = 1
            while same and step < size:
                letter = int(data[at + step])
                if LETTER_A <= letter <= LETTER_Z:
                    letter += TO_LOWER
                same = letter == int(letters[start + step])
                step += 1
            if same:
                hits[count] = at
                ranks[count] = rank
                count += 1
            rank += 1
    return count, len(data)
