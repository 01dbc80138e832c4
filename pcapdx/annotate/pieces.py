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

    @property
    def data(self) -> bytes:
        """All of it; empty while something is missing."""
        joined = b""
        for offset in sorted(self.parts):
            if offset != len(joined):
                return b""
            joined += self.parts[offset].data
        return joined if len(joined) == self.size and len(joined) >= UDP_HEAD else b""

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
        offset = int(row["fragment_offset"])
        part = whole.parts.setdefault(offset, Part(offset, data, []))
        if len(part.frames) < MOST_COPIES:
            part.frames.append((int(row["number"]), begin))
        if not row["more_fragments"]:
            whole.size = offset + len(data)
        return part, whole


def words(data: bytes) -> int:
    """The sum of 16-bit words that a checksum counts."""
    return (int.from_bytes(data, "big") << (8 if len(data) & 1 else 0)) % 0xFFFF
