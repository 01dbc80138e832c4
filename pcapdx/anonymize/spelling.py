"""Words replaced by words of the same length and shape: letters by letters, digits by digits, the rest as it is.

A permutation of all words of one shape, so that no two become one and each can be translated back: every character is
shifted by what a keyed hash says of all the others, in several rounds.
"""

from collections.abc import Iterable
from hashlib import blake2b

ROUNDS = 3
LETTERS, DIGITS, TAILS = 26, 10, 64
"""How many there are of each kind; the last bytes of longer UTF-8 characters are a kind, too."""


class Spelling:
    """The permutation that a key stands for."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def hide(self, word: str) -> str:
        """The pseudonym of a word; capitals stay capitals."""
        return self._shifted(word, range(ROUNDS), 1)

    def reveal(self, word: str) -> str:
        """The word whose pseudonym this is."""
        return self._shifted(word, reversed(range(ROUNDS)), -1)

    def _shifted(self, word: str, rounds: Iterable[int], sign: int) -> str:
        raw = bytearray(word.encode("utf-8", "surrogatepass"))
        kinds = [_kind(raw, place) for place in range(len(raw))]
        places = [place for place, (size, _) in enumerate(kinds) if size]
        shape = bytes(first & 0xDF if size == LETTERS else first for size, first in kinds)
        values = [raw[place] - first if size else raw[place] for place, (size, first) in enumerate(kinds)]
        for number in rounds:
            for place in places[::sign]:
                size = kinds[place][0]
                others = bytes(values[:place]) + b"\xff" + bytes(values[place + 1 :])
                told = blake2b(others + shape, key=self._key, digest_size=8, person=bytes([number, place & 0xFF]))
                values[place] = (values[place] + sign * int.from_bytes(told.digest(), "big")) % size
        for place in places:
            raw[place] = values[place] + kinds[place][1]
        return raw.decode("utf-8", "surrogatepass")


def _kind(raw: bytearray, place: int) -> tuple[int, int]:
    """How many characters may stand in a place, and the first of them; none and itself where it stays."""
    byte = raw[place]
    for first, last, size in ((0x61, 0x7A, LETTERS), (0x41, 0x5A, LETTERS), (0x30, 0x39, DIGITS)):
        if first <= byte <= last:
            return size, first
    ends = place + 1 == len(raw) or raw[place + 1] & 0xC0 != 0x80
    before = raw[place - 1]
    last = byte & 0xC0 == 0x80 and ends and (0xC3 <= before < 0xE0 or before & 0xC0 == 0x80)
    return (TAILS, 0x80) if last else (0, byte)
