"""Kernels that look for words in bytes, whatever the case of their letters: where each stands, or whether any does.

Words have three letters or more, so that of every two neighbouring pairs of bytes one is the first or the second pair
of a word that stands there: only every other pair is looked up.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from pcapdx.compiled import compiled
from pcapdx.sieve.columns import Array
from pcapdx.sieve.layers import be8, be16, be32, place

MOST_HITS = 1 << 12
"""Of one call of the kernel; then it is called again for the rest."""
LETTER_A, LETTER_Z, TO_LOWER = 0x41, 0x5A, 0x20
ZERO, NINE, DIGIT = 0x30, 0x39, 0x23
"""``#`` in a word is any digit."""
FIRST, SECOND = 1, 2
"""What a pair of bytes may be of a word."""


class Letters(NamedTuple):
    """Words in lower case, in the order of the alphabet, as kernels read them."""

    letters: Array
    """Of all words."""
    ends: Array
    """By word: where in them it ends."""
    firsts: Array
    """By two bytes: the first word that begins with them, or -1."""
    pairs: Array
    """By two bytes: FIRST and SECOND."""
    kinds: Array
    """By word: what it stands for, bits."""


class Words:
    """Words in lower case, laid out for the kernels; ``kinds`` are bits by which a kernel is told which to look for."""

    def __init__(self, words: Sequence[bytes], kinds: Sequence[int] | None = None) -> None:
        self.words = tuple(words)
        self._order = sorted(range(len(words)), key=lambda one: words[one])
        ordered = [words[one] for one in self._order]
        firsts, pairs = np.full(1 << 16, -1, np.int16), np.zeros(1 << 16, np.uint8)
        for rank in reversed(range(len(ordered))):
            for part, first, second in ((FIRST, *ordered[rank][:2]), (SECOND, *ordered[rank][1:3])):
                for high, low in product(_forms(first), _forms(second)):
                    pairs[high << 8 | low] |= part
                    if part == FIRST:
                        firsts[high << 8 | low] = rank
        self.layout = Letters(
            letters=np.frombuffer(b"".join(ordered), np.uint8),
            ends=np.cumsum([len(one) for one in ordered], dtype=np.int64),
            firsts=firsts,
            pairs=pairs,
            kinds=np.array([kinds[one] if kinds else 1 for one in self._order], np.int64),
        )
        self._hits = np.zeros(MOST_HITS, np.int64)
        self._ranks = np.zeros(MOST_HITS, np.int64)

    def spots(self, data: bytes, *, kernel: Any = None) -> list[list[int]]:
        """Every place of each word, ascending, in the order the words were given."""
        found: list[list[int]] = [[] for _ in self.words]
        run = kernel or compiled(spot)
        array: Array = np.frombuffer(data, np.uint8)
        at = 0
        while at < len(data):
            count, at = run(array, at, self.layout, self._hits, self._ranks)
            for rank, hit in zip(self._ranks[:count].tolist(), self._hits[:count].tolist(), strict=True):
                found[self._order[rank]].append(hit)
        return found


def _forms(letter: int) -> bytes:
    """The bytes that a letter of a word stands for."""
    return b"0123456789" if letter == DIGIT else bytes({letter, bytes([letter]).upper()[0]})


def spot(data: Any, begin: int, words: Letters, hits: Array, ranks: Array) -> tuple[int, int]:
    """Fills ``hits`` and ``ranks``; returns how many there are, and where to go on. ``begin`` is even."""
    count, end, pairs = 0, len(data), words.pairs
    for at in range(begin, end - 1, 2):
        part = int(pairs[be16(data, at)])
        if part == 0:
            continue
        if count + 2 * len(words.ends) > len(hits):
            return count, at
        # a call that takes so many arrays costs as much as all else: what is no word is left before it
        if part & SECOND and at > 0 and pairs[be16(data, at - 1)] & FIRST:
            count = take_all(data, at - 1, end, words, hits, ranks, count)
        if part & FIRST and at + 2 < end and pairs[be16(data, at + 1)] & SECOND:
            count = take_all(data, at, end, words, hits, ranks, count)
    return count, end


def take_all(data: Any, at: int, end: int, words: Letters, hits: Array, ranks: Array, count: int) -> int:
    """Notes every word that begins at ``at``; how many hits there are then."""
    rank = int(words.firsts[be16(data, at)])
    while 0 <= rank < len(words.ends):
        same = compare(data, at, end, words, rank)
        if same < 0:
            break
        if same > 0:
            hits[count] = at
            ranks[count] = rank
            count += 1
        rank += 1
    return count


def tells(data: Any, begin: int, end: int, words: Letters, kinds: int) -> bool:
    """Whether a word of these kinds stands within."""
    pairs, at = words.pairs, begin
    while at < end - 1:
        if at < end - 7:  # most bytes begin no word: four pairs at once
            first, second = be32(data, at), be32(data, at + 4)
            parts = pairs[place(first >> 16)] | pairs[place(first & 0xFFFF)]
            parts |= pairs[place(second >> 16)] | pairs[place(second & 0xFFFF)]
            if parts == 0:
                at += 8
                continue
        part = int(pairs[be16(data, at)])
        before = part & SECOND and at > begin and pairs[be16(data, at - 1)] & FIRST
        if before and is_any(data, at - 1, end, words, kinds):
            return True
        here = part & FIRST and at + 2 < end and pairs[be16(data, at + 1)] & SECOND
        if here and is_any(data, at, end, words, kinds):
            return True
        at += 2
    return False


def is_any(data: Any, at: int, end: int, words: Letters, kinds: int) -> bool:
    """Whether a word of these kinds begins at ``at``."""
    rank = int(words.firsts[be16(data, at)])
    while 0 <= rank < len(words.ends):
        same = compare(data, at, end, words, rank)
        if same < 0:
            break
        if same > 0 and words.kinds[rank] & kinds:
            return True
        rank += 1
    return False


def compare(data: Any, at: int, end: int, words: Letters, rank: int) -> int:
    """1 where the word stands at ``at``, 0 where not, -1 where none that comes after it can, either."""
    start = int(words.ends[rank - 1]) if rank > 0 else 0
    size = int(words.ends[rank]) - start
    if int(words.letters[start]) != lower(data, at) or int(words.letters[start + 1]) > lower(data, at + 1):
        return -1
    if at + size > end:
        return 0
    for step in range(1, size):
        expected, letter = int(words.letters[start + step]), lower(data, at + step)
        if letter != expected and (expected != DIGIT or letter < ZERO or letter > NINE):
            return 0
    return 1


def lower(data: Any, at: int) -> int:
    """A byte, a capital as the small letter."""
    letter = be8(data, at)
    return letter + TO_LOWER if LETTER_A <= letter <= LETTER_Z else letter
