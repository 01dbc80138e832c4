"""UDP datagrams put together from the IP fragments of a capture, with where each byte of them stands."""

from collections.abc import Iterator
from dataclasses import field
from typing import Any

from pcapdx.capture.records import Block
from pcapdx.values import dataclass

UDP, UDP_HEAD = 17, 8
MOST = 256
"""Datagrams that wait for fragments."""
MOST_COPIES = 16
"""Recordings of one fragment that are kept."""
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A fragment, once or several times recorded."""

    offset: int
    """In the datagram, whose header counts."""
    data: bytes
    frames: list[tuple[int, int]]
    """Frame numbers, and where in each the data begin."""


@dataclass(slots=True)
class Whole:
    """A datagram, complete or still waiting."""

    parts: dict[int, Part] = field(default_factory=dict)
    size: int | None = None
    """Known once the last fragment came."""
    data: bytes = b""
    """All of it; empty while something is missing."""
    _got: int = 0

    def add(self, offset: int, data: bytes, *, last: bool) -> Part:
        """The fragment there; of two that begin alike the first one counts."""
        part = self.parts.get(offset)
        if part is None:
            part = self.parts[offset] = Part(offset, data, [])
            self._got += len(data)
            if last:
                self.size = offset + len(data)
            if self._got == self.size:  # joined once, not at each of up to eight thousand fragments
                self.data = self._joined()
        return part

    def _joined(self) -> bytes:
        offsets = sorted(self.parts)
        pieces = [self.parts[offset].data for offset in offsets]
        at = 0
        for offset, piece in zip(offsets, pieces, strict=True):
            if offset != at:
                return b""
            at += len(piece)
        return b"".join(pieces) if at >= UDP_HEAD else b""

    @property
    def ports(self) -> tuple[int, int]:
        """Source and destination."""
        head = self.parts[0].data
        return int.from_bytes(head[:2], "big"), int.from_bytes(head[2:4], "big")


class Pieces:
    """What waits, of one capture."""

    def __init__(self) -> None:
        self._waiting: dict[Key, Whole] = {}

    def block(self, block: Block, rows: Any) -> Iterator[tuple[Part, Whole]]:
        """Takes the UDP fragments of a block; each with the datagram it belongs to, as far as that has come."""
        wanted = (rows["ip_protocol"] == UDP) & ((rows["fragment_offset"] > 0) | (rows["more_fragments"] > 0))
        view = block.data.data
        for place in wanted.nonzero()[0].tolist():
            row, start = rows[place], int(block.records["offset"][place])
            begin, end = int(row["transport_offset"]), int(row["end_offset"])
            if 0 < begin < end:
                ends = tuple(int(row[f"{side}{word}"]) for side in ("src", "dst") for word in range(4))
                key = (int(row["ip_id"]), int(row["tag0_tci"]), int(row["vni"]), *ends)
                yield self._take(key, row, begin, bytes(view[start + begin : start + end]))

    def _take(self, key: Key, row: Any, begin: int, data: bytes) -> tuple[Part, Whole]:
        whole = self._waiting.get(key)
        if whole is None:
            if len(self._waiting) >= MOST:
                self._waiting.pop(next(iter(self._waiting)))
            whole = self._waiting[key] = Whole()
        part = whole.add(int(row["fragment_offset"]), data, last=not row["more_fragments"])
        if len(part.frames) < MOST_COPIES:
            part.frames.append((int(row["number"]), begin))
        return part, whole


def words(data: bytes) -> int:
    """The sum of 16-bit words that a checksum counts."""
    return (int.from_bytes(data, "big") << (8 if len(data) & 1 else 0)) % 0xFFFF
