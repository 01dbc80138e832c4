"""Prefix-preserving encryption of bit strings: Crypto-PAn (Xu, Fan, Ammar, Moon, ICNP 2002) with branches held fast.

Two values that agree in their first ``n`` bits and no further do so afterwards, too. Each branch of the tree of
prefixes is swapped or not, as AES says; a branch that is held fast is never swapped, so that what lies below stays
there.
"""

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KEY_BYTES = 32
BLOCK_BITS = 128

Fast = Callable[[int], int]
"""Of a value the bits that must stay; whether one does may hang on the bits before it alone."""


def nothing(value: int) -> int:
    """Holds no branch fast: Crypto-PAn as published."""
    return 0


class Trie:
    """A permutation of all values of ``bits`` bits."""

    def __init__(self, key: bytes, bits: int, fast: Fast = nothing, *, restless: bool = False) -> None:
        """``key`` are 32 bytes: the cipher's key, and what the padding is made of. ``restless``: the first branch that
        is not held fast is always swapped, so that no value is its own pseudonym that can be another.
        """
        self._encrypt = Cipher(algorithms.AES(key[:16]), modes.ECB()).encryptor().update
        self._pad = int.from_bytes(self._encrypt(key[16:KEY_BYTES]), "big")
        self._bits = bits
        self._fast = fast
        self._restless = restless
        tops = [(1 << BLOCK_BITS) - (1 << (BLOCK_BITS - place)) for place in range(bits)]
        self._masks = [(top, self._pad & ~top) for top in tops]

    def hide(self, value: int) -> int:
        """The pseudonym of a value."""
        wide = value << (BLOCK_BITS - self._bits)
        blocks = b"".join([(wide & top | pad).to_bytes(16, "big") for top, pad in self._masks])
        swaps = 0
        for byte in self._encrypt(blocks)[::16]:
            swaps = swaps << 1 | byte >> 7
        free = ~self._fast(value) & ((1 << self._bits) - 1)
        first = 1 << (free.bit_length() - 1) if free and self._restless else 0
        return value ^ (swaps & free | first)

    def reveal(self, pseudonym: int) -> int:
        """The value whose pseudonym this is: bit by bit, for each swap hangs on the bits before it."""
        value, resting = 0, self._restless
        for place, (top, pad) in enumerate(self._masks):
            bit = 1 << (self._bits - 1 - place)
            wide = value << (BLOCK_BITS - self._bits)
            free = not self._fast(value) & bit
            swapped = free and (resting or self._encrypt((wide & top | pad).to_bytes(16, "big"))[0] >> 7)
            resting = resting and not free
            value |= (pseudonym & bit) ^ (bit if swapped else 0)
        return value
