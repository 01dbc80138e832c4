"""Copies a capture as pcapng, block by block, with comments added.

What a pcapng holds is kept as it stands, byte order and units included, so that frame numbers and times are the same;
a classic pcap becomes one section. Packet blocks that the reader refuses take no number and are left out, as are blocks
of a kind that nobody here knows and, unless asked for, secrets to decrypt with.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pcapdx.annotate import blocks
from pcapdx.annotate.blocks import Option
from pcapdx.annotate.seal import UNSEALED, is_seal
from pcapdx.annotate.weave import HEAD, pass_over, weave
from pcapdx.capture.pcapng import BYTE_ORDERS
from pcapdx.capture.pcapng_walk import (
    CUSTOM,
    CUSTOM_NO_COPY,
    INTERFACE,
    JOURNAL,
    NAMES,
    OLD_PACKET,
    PACKET,
    SECRETS,
    SECTION,
    SIMPLE_PACKET,
    STATISTICS,
    SYSDIG_EVENT,
    SYSDIG_EVENT_LARGE,
    SYSDIG_EVENT_V2,
)
from pcapdx.capture.records import Interface, Stretch
from pcapdx.capture.source import FAST_BYTES
from pcapdx.compiled import compiled
from pcapdx.sieve.columns import Array
from pcapdx.values import dataclass

NUMBERED = {CUSTOM: 12, CUSTOM_NO_COPY: 12, JOURNAL: 8, SYSDIG_EVENT: 28, SYSDIG_EVENT_V2: 32, SYSDIG_EVENT_LARGE: 32}
"""Blocks without a packet that take a frame number; and where what they say begins."""
NANOSECONDS = 9
STAMP = b"__REALTIME_TIMESTAMP="


Part = bytes | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is to be written besides what is there."""

    remarks: Mapping[int, Sequence[str]]
    """Comments by frame number."""
    section: str
    """The comment on every section."""
    vantage: str
    """Where it was captured, for the descriptions of interfaces."""
    keep: frozenset[int] | None = None
    """Frames to keep; None for all. What is not a packet is left out then."""
    keep_secrets: bool = False
    blank: bool = True
    """Overwrite what blocks hold that are neither packets nor of a known kind (journals, custom blocks)."""
    seal: bool = False
    """Leave a place for a seal in the first section."""


class Copy:
    """Copies one capture, stretch after stretch."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._remarked = np.array(sorted(wishes.remarks), np.int64)
        self._kept = None if wishes.keep is None else np.array(sorted(wishes.keep), np.int64)
        self._order = "<"
        self._header_bytes = 0
        """Of a classic pcap's records; 0 for pcapng."""
        self._number = 0
        self._sections = 0
        self.homeless: list[str] = []
        """Comments for which a simple packet block has no place."""
        self.dropped_secrets = 0

    def of(self, stretch: Stretch) -> Iterator[memoryview]:
        """What is to be written of a stretch, its bytes as they are now; small parts are joined."""
        joined: list[Part] = []
        for part in self._parts(stretch):
            joined.append(part)
            if len(part) > FAST_BYTES:
                if len(joined) > 1:
                    yield memoryview(b"".join(joined[:-1]))
                yield memoryview(part)
                joined = []
        yield memoryview(b"".join(joined))

    def _parts(self, stretch: Stretch) -> Iterator[Part]:
        """Those that are views of the stretch itself are small."""
        at = stretch.begin
        if stretch.opens:
            magic = bytes(stretch.block.data[at : at + 4])
            self._header_bytes = 0
            if struct.unpack("<I", magic)[0] != SECTION:
                yield from self._open_pcap(stretch, magic)
        yield from self._pcap(stretch) if self._header_bytes else self._pcapng(stretch, at)

    def _open_pcap(self, stretch: Stretch, magic: bytes) -> Sequence[bytes]:
        self._order = "<" if magic[0] in (0xD4, 0x4D, 0x34) else ">"
        self._header_bytes = 24 if magic in (b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34") else 16
        told = stretch.facts.interfaces[-1]
        self._unit_ns = 10 ** (NANOSECONDS + told.resolution_exponent)
        pairs: list[Option] = [*self._section_comments(), (blocks.APPLICATION, b"pcapdx")]
        described = blocks.interface(told.link_type, told.snap_length or 0, self._described(told), self._order)
        return blocks.section(pairs, self._order), described

    def _section_comments(self) -> list[Option]:
        """Ours on a section; the first one also has a place for the seal."""
        texts = [self._wishes.section]
        if self._wishes.seal and not self._sections:
            texts.append(UNSEALED)
        self._sections += 1
        return blocks.comments(texts)

    def _described(self, told: Interface) -> list[Option]:
        resolution = bytes([-told.resolution_exponent])
        return [(blocks.IF_DESCRIPTION, blocks.text(self._wishes.vantage)), (blocks.IF_RESOLUTION, resolution)]

    def _pcap(self, stretch: Stretch) -> Iterator[Part]:
        """Frames of a classic pcap: heads by NumPy; those that stay as they are in runs."""
        records, data = stretch.block.records, stretch.block.data
        if self._kept is not None:
            records = records[np.isin(records["number"], self._kept)]
        captured = records["captured_bytes"].astype(np.int64)
        stamps = (records["ts_ns"] // self._unit_ns).astype(np.uint64)
        heads = np.zeros(len(records), [(name, f"{self._order}u4") for name in ("kind", "size", "if", "high", "low")]
                         + [("captured", f"{self._order}u4"), ("wire", f"{self._order}u4")])  # fmt: skip
        heads["kind"], heads["size"] = PACKET, 32 + (captured + 3) // 4 * 4
        heads["high"], heads["low"] = stamps >> np.uint64(32), stamps & np.uint64(0xFFFF_FFFF)
        heads["captured"], heads["wire"] = captured, records["wire_bytes"]
        starts, packed = np.ascontiguousarray(records["offset"]), heads.view(np.uint8)
        done, fast = 0, stretch.end - stretch.begin > FAST_BYTES
        for place in np.flatnonzero(np.isin(records["number"], self._remarked)).tolist():
            yield from woven(data, starts, captured, packed, done, place, fast=fast)
            start, size, done = int(starts[place]), int(captured[place]), place + 1
            pairs = blocks.options(blocks.comments(self._wishes.remarks[int(records["number"][place])]), self._order)
            yield from self._longer(heads[place].tobytes(), [data.data[start : start + size], PADDING[size % 4], pairs])
        yield from woven(data, starts, captured, packed, done, len(records), fast=fast)

    def _longer(self, head: bytes, rest: Sequence[Part]) -> list[Part]:
        """A packet block whose size has changed."""
        size = struct.pack(self._order + "I", 32 + sum(map(len, rest)))
        return [head[:4], size, head[8:], *rest, size]

    def _pcapng(self, stretch: Stretch, at: int) -> Iterator[Part]:
        """Whole blocks; runs of those that stay as they are go out in one piece."""
        data, records = stretch.block.data, stretch.block.records
        view, offsets = data.data, np.ascontiguousarray(records["offset"])
        touched, keep = self._touched(records["number"]), self._kept
        left_out = np.zeros(len(records), np.bool_) if keep is None else ~np.isin(records["number"], keep)
        odd = [*np.flatnonzero(touched | left_out).tolist(), len(records)][::-1]
        run, place = at, 0
        while at < stretch.end:
            if stretch.end - at > FAST_BYTES:
                at, place = compiled(pass_over)(data, at, stretch.end, int(self._order == ">"), offsets, place, odd[-1])
                if at == stretch.end:
                    break
            kind, size = struct.unpack_from(self._order + "II", view, at)
            if kind == SECTION:
                self._order = BYTE_ORDERS[bytes(view[at + 8 : at + 12])]
                (size,) = struct.unpack_from(self._order + "I", view, at + 4)
            fresh: Sequence[Part] | None = None
            if kind in (PACKET, OLD_PACKET, SIMPLE_PACKET):
                head = 12 if kind == SIMPLE_PACKET else HEAD
                if place < len(offsets) and offsets[place] == at + head:
                    self._number = int(records["number"][place])
                    if left_out[place]:
                        fresh = ()
                    elif touched[place]:
                        fresh = self._commented(bytes(view[at : at + size]), kind)
                    place += 1
                    if odd[-1] < place:
                        odd.pop()
                else:
                    fresh = ()
            else:
                fresh = self._other(kind, bytes(view[at : at + size]))
            if fresh is not None:
                yield bytes(view[run:at])
                yield from fresh
                run = at + size
            at += size
        yield bytes(view[run:at])

    def _touched(self, numbers: Array) -> Array:
        """Which frames of a pcapng are written otherwise than they are."""
        return np.isin(numbers, self._remarked)

    def _commented(self, block: bytes, kind: int) -> Sequence[Part]:
        added = self._wishes.remarks[self._number]
        if kind == SIMPLE_PACKET:
            self.homeless += [f"frame {self._number}: {one}" for one in added]
            return (block,)
        (captured,) = struct.unpack_from(self._order + "I", block, 20)
        begin = 28 + (captured + 3) // 4 * 4
        kept = [*options_of(block[begin:-4], self._order), *blocks.comments(added)]
        return self._longer(block[:28], [block[28:begin], blocks.options(kept, self._order)])

    def _other(self, kind: int, block: bytes) -> Sequence[bytes] | None:
        """What is written in place of a block without a packet; None for the block itself."""
        wishes, order = self._wishes, self._order
        if kind == SECTION:
            there = [(code, value) for code, value in options_of(block[24:-4], order) if not is_seal(value)]
            return (blocks.section([*there, *self._section_comments()], order),)
        if kind == INTERFACE and len(block) >= 20:
            link_type, _, snap_length = struct.unpack_from(order + "HHI", block, 8)
            pairs = [one for one in options_of(block[16:-4], order) if one[0] != blocks.IF_DESCRIPTION]
            told = [value for code, value in options_of(block[16:-4], order) if code == blocks.IF_DESCRIPTION]
            words = b"; ".join([*told, blocks.text(wishes.vantage)])
            return (blocks.interface(link_type, snap_length, [*pairs, (blocks.IF_DESCRIPTION, words)], order),)
        if kind == SECRETS:
            self.dropped_secrets += not wishes.keep_secrets
            return None if wishes.keep_secrets else ()
        if kind in NUMBERED:
            if wishes.keep is not None:
                return ()
            return (_blanked(kind, block),) if wishes.blank else None
        return None if kind in (NAMES, STATISTICS) or not wishes.blank else ()


FEW = 50
"""So few frames are joined faster than the kernel is called."""
PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


def woven(
    data: Array, starts: Array, sizes: Array, heads: Array, first: int, last: int, *, fast: bool
) -> Iterator[Part]:
    """Packet blocks of frames without comments: of a large capture by the kernel, unless they are a few."""
    if fast and last - first > FEW:
        out = np.empty(int(sizes[first:last].sum()) + (HEAD + 7) * (last - first), np.uint8)
        yield out.data[: compiled(weave)(data, starts, sizes, heads, first, last, out)]
        return
    view = data.data
    for place in range(first, last):
        start, size, head = int(starts[place]), int(sizes[place]), heads[HEAD * place : HEAD * (place + 1)].tobytes()
        yield from (head, view[start : start + size], PADDING[size % 4], head[4:8])


def options_of(data: bytes, order: str) -> Iterator[Option]:
    """The options of a block, as far as they are sound."""
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from(order + "HH", data, at)
        if code == blocks.END or at + 4 + length > len(data):
            return
        yield code, data[at + 4 : at + 4 + length]
        at += 4 + (length + 3) // 4 * 4


def _blanked(kind: int, block: bytes) -> bytes:
    """The block with zeros for what it says; of a journal's entry the time stays."""
    begin, body = NUMBERED[kind], block[:-4]
    if kind == JOURNAL:
        lines = body[begin:].split(b"\n")
        kept = b"\n".join(line if line.startswith(STAMP) else b"x" * len(line) for line in lines)
        return body[:begin] + kept + block[-4:]
    return body[:begin] + bytes(max(len(body) - begin, 0)) + block[-4:]
