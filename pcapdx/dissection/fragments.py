"""UDP datagrams put together from IP fragments (RFC 791, RFC 8200, 4.5), as few and as small as memory allows.

The sieve hands on later fragments of a datagram whose first one was claimed. The datagram stands on the frame that
completed it, as in Wireshark. What never becomes whole is given back as its first fragment alone.
"""

from collections.abc import Iterator
from dataclasses import field

from pcapdx.dissect import Layer
from pcapdx.frame import CUT, Frame
from pcapdx.values import dataclass

MOST_DATAGRAMS = 64
MOST_BYTES = 65_535
"""An IP packet is never longer."""
MOST_PIECES = 128
PATIENCE_NS = 30_000_000_000
"""Linux gives up after this long (ipfrag_time)."""
UDP, UDP_HEADER = 17, 8

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Datagram:
    """What dissectors get: the bytes from the UDP header on, and the frame they stand on."""

    frame: Frame
    mask: int
    data: bytes
    frames: tuple[int, ...]
    wire_bytes: int
    """From the UDP header on."""

    def part(self, layer: Layer) -> tuple[bytes, int]:
        """Bytes of a layer and their length on the wire."""
        skipped = UDP_HEADER if layer is Layer.PAYLOAD else 0
        return self.data[skipped:], self.wire_bytes - skipped


@dataclass(slots=True)
class _Pending:
    first: Frame
    mask: int
    pieces: dict[int, bytes]
    numbers: list[int]
    length: int | None = None
    """Known since the last fragment came."""
    kept: int = 0
    broken: bool = field(default=False)


class Fragments:
    """Datagrams of one capture that wait for their fragments."""

    def __init__(self) -> None:
        self._pending: dict[Key, _Pending] = {}

    def add(self, frame: Frame, mask: int, data: bytes) -> Iterator[Datagram]:
        """Takes the IP payload of a fragment; yields what became whole, or whose time is over."""
        yield from self._expired(frame.ts_ns)
        key = (frame.segment, frame.src, frame.dst, frame.ip_id)
        if frame.fragment_offset == 0:
            before = self._pending.pop(key, None)
            if before is not None:
                yield _alone(before)
            elif len(self._pending) >= MOST_DATAGRAMS:
                yield _alone(self._pending.pop(next(iter(self._pending))))
            self._pending[key] = _Pending(frame, mask, {}, [])
        waiting = self._pending.get(key)
        if waiting is None:
            return
        _put(waiting, frame, data)
        if waiting.broken:
            yield _alone(self._pending.pop(key))
        elif waiting.length is not None and waiting.kept == waiting.length:
            yield _whole(self._pending.pop(key), frame)

    def flush(self) -> Iterator[Datagram]:
        """The first fragments of all that still wait; the capture is over."""
        waiting, self._pending = self._pending, {}
        yield from map(_alone, waiting.values())

    def _expired(self, now: int) -> Iterator[Datagram]:
        for key in [key for key, one in self._pending.items() if abs(now - one.first.ts_ns) > PATIENCE_NS]:
            yield _alone(self._pending.pop(key))


def _put(waiting: _Pending, frame: Frame, data: bytes) -> None:
    """Keeps one fragment. A repetition is left out; overlaps, lengths that disagree, and cuts spoil the datagram."""
    begin, end = frame.fragment_offset, frame.fragment_offset + len(data)
    if begin in waiting.pieces and waiting.pieces[begin] == data:
        return
    last = not frame.more_fragments
    if frame.flags & CUT or not data or _spoils(waiting, begin, end, last=last):
        waiting.broken = True
        return
    waiting.pieces[begin] = data
    waiting.numbers.append(frame.number)
    waiting.kept += len(data)
    waiting.length = end if last else waiting.length


def _spoils(waiting: _Pending, begin: int, end: int, *, last: bool) -> bool:
    """Whether a fragment does not fit those that are there."""
    if end > MOST_BYTES or len(waiting.pieces) >= MOST_PIECES:
        return True
    if waiting.length is not None and (last or end > waiting.length):
        return True
    spans = [(at, at + len(piece)) for at, piece in waiting.pieces.items()]
    return any(begin < stop and at < end for at, stop in spans) or (last and any(stop > end for _, stop in spans))


def _whole(waiting: _Pending, completed: Frame) -> Datagram:
    data = b"".join(waiting.pieces[at] for at in sorted(waiting.pieces))
    frame = waiting.first.replaced(
        number=completed.number,
        ts_ns=completed.ts_ns,
        more_fragments=0,
        payload_wire_bytes=max(len(data) - UDP_HEADER, 0),
    )
    return Datagram(frame, waiting.mask, data, tuple(waiting.numbers), len(data))


def _alone(waiting: _Pending) -> Datagram:
    """The first fragment, as if nobody had waited."""
    first = waiting.first
    data = waiting.pieces.get(0, b"")
    wire_bytes = first.payload_offset - first.transport_offset + first.payload_wire_bytes
    return Datagram(first, waiting.mask, data, (first.number,), wire_bytes)
