"""Datagrams that came in IP fragments: what is written over each fragment, since names may lie across two of them."""

from collections.abc import Iterator
from dataclasses import field

from pcapdx.anonymize.datagrams import reader_of
from pcapdx.anonymize.packet import Change
from pcapdx.anonymize.pseudonyms import Pseudonyms
from pcapdx.values import dataclass

MOST = 256
"""Datagrams that wait for fragments."""
UDP_HEAD = 8
Key = tuple[object, ...]


@dataclass(slots=True)
class _Waiting:
    """What came of one datagram."""

    parts: dict[int, tuple[bytes, list[int]]] = field(default_factory=dict)
    """By offset: bytes, and the frames they came in."""
    bytes: int | None = None
    """Of the whole, once the last fragment came."""


@dataclass(slots=True)
class Fragments:
    """Fragments of one capture; each is blanked unless its datagram could be put together."""

    told: Pseudonyms
    changes: dict[int, bytes] = field(default_factory=dict)
    """By frame: what is written over all of its payload."""
    far: dict[int, int] = field(default_factory=dict)
    """By first fragment's frame: by how much words of later fragments have changed."""
    _waiting: dict[Key, _Waiting] = field(default_factory=dict)

    def take(self, key: Key, number: int, offset: int, data: bytes, more: bool) -> None:
        """A fragment; ``data`` is what follows the IP header."""
        one = self._waiting.get(key)
        if one is None:
            if len(self._waiting) >= MOST:
                self._waiting.pop(next(iter(self._waiting)))
            one = self._waiting[key] = _Waiting()
        known = one.parts.setdefault(offset, (data, []))
        known[1].append(number)
        if offset:
            self.changes[number] = bytes(len(data))
        if not more:
            one.bytes = offset + len(data)
        self._try(one)

    def _try(self, one: _Waiting) -> None:
        if one.bytes is None:
            return
        whole = b""
        for offset in sorted(one.parts):
            if offset != len(whole):
                return
            whole += one.parts[offset][0]
        if len(whole) == one.bytes and len(whole) >= UDP_HEAD:
            self._spread(one, whole, bytes(self._hidden(one, whole)))

    def _hidden(self, one: _Waiting, whole: bytes) -> bytearray:
        new = bytearray(whole)
        reader = reader_of(*_ports(whole))
        if reader is None:  # a tunnel's, or nobody knows: what the first fragment holds is read as it is
            first = len(one.parts[0][0])
            new[first:] = bytes(len(whole) - first)
            return new
        for at, fresh in _within(reader(whole[UDP_HEAD:], self.told), len(whole) - UDP_HEAD):
            new[UDP_HEAD + at : UDP_HEAD + at + len(fresh)] = fresh
        return new

    def _spread(self, one: _Waiting, old: bytes, new: bytes) -> None:
        far = 0
        for offset, (data, numbers) in one.parts.items():
            fresh = new[offset : offset + len(data)]
            for number in numbers if fresh != data or offset else ():
                self.changes[number] = fresh
            if offset:
                far += _words(fresh) - _words(data)
        for number in one.parts[0][1]:
            self.far[number] = far


def _ports(datagram: bytes) -> tuple[int, int]:
    return int.from_bytes(datagram[2:4], "big"), int.from_bytes(datagram[:2], "big")


def _words(data: bytes) -> int:
    return (int.from_bytes(data, "big") << (8 if len(data) & 1 else 0)) % 0xFFFF


def _within(changes: Iterator[Change], size: int) -> Iterator[Change]:
    for at, fresh in changes:
        yield at, fresh[: max(size - at, 0)]
