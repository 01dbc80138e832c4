"""All points of capture in one file: an interface for each, frames by time, clocks brought to the first one's."""

import heapq
import struct
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from pcapdx.annotate import blocks
from pcapdx.annotate.blocks import Option
from pcapdx.annotate.mask import Masking
from pcapdx.annotate.remarks import vantage_text
from pcapdx.capture.pcapng_walk import NAMES, STATISTICS
from pcapdx.capture.records import NO_TIME, Interface, Reader
from pcapdx.case import View
from pcapdx.values import dataclass

ORDER = "<"
STATS_RECEIVED, STATS_DROPPED = 4, 5
NAME_IPV4, NAME_IPV6 = 1, 2


class Packet(NamedTuple):
    """A frame on its way into the merged file; ordered by time, then by the path."""

    ts_ns: int
    source: int
    number: int
    interface: int
    wire_bytes: int
    direction: int
    data: bytes
    comments: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Merged:
    """One point of capture and what is written of it."""

    view: View
    reader: Reader
    masking: Masking | None
    offset_ns: int | None
    """How far its clock is ahead of the first one's; None where nothing tells."""
    remarks: Mapping[int, Sequence[str]]
    keep: frozenset[int] | None


def merged(points: Sequence[Merged], remarks: Sequence[str]) -> Iterator[bytes]:
    """The merged file, block by block; ``remarks`` are the comments on it as a whole."""
    pairs = [*blocks.comments(remarks), (blocks.APPLICATION, b"pcapdx")]
    yield blocks.section(pairs, ORDER)
    yield from _names(points)
    known: dict[tuple[int, int], int] = {}
    for packet in heapq.merge(*(_packets(point, place) for place, point in enumerate(points))):
        key = packet.source, packet.interface
        if key not in known:
            known[key] = len(known)
            yield _interface(points[packet.source], packet.interface)
        options: list[Option] = blocks.comments(packet.comments)
        if packet.direction:
            options.append((blocks.FLAGS, struct.pack(ORDER + "I", packet.direction)))
        stamp = max(packet.ts_ns, 0)
        yield blocks.packet(known[key], stamp, packet.wire_bytes, packet.data, options, ORDER)
    for (source, index), number in known.items():
        yield from _statistics(number, points[source].reader.facts.interfaces[index])


def _packets(point: Merged, place: int) -> Iterator[Packet]:
    """The frames of one capture, masked, their times corrected; copies, since blocks are reused."""
    facts, offset = point.reader.facts, point.offset_ns or 0
    name, last, told = point.view.name, 0, 0
    for stretch in point.reader.stretches():
        if point.masking is not None:
            point.masking.apply(stretch, fast=point.reader.fast)
        existing: dict[int, list[str]] = {}
        for number, comment in facts.frame_comments[told:]:
            existing.setdefault(number, []).append(point.masking.clean(comment) if point.masking else comment)
        told = len(facts.frame_comments)
        view = stretch.block.data.data
        for record in stretch.block.records.tolist():
            number, at, ts_ns, captured, wire, interface, _, direction = record
            last = ts_ns - offset if ts_ns != NO_TIME else last
            if point.keep is not None and number not in point.keep:
                continue
            ours = point.remarks.get(number, ())
            comments = (*existing.get(number, ()), *ours)
            if ours or point.keep is not None:
                comments = (*comments, f"frame {number} of {name}")
            yield Packet(last, place, number, interface, wire, direction, bytes(view[at : at + captured]), comments)


def _interface(point: Merged, index: int) -> bytes:
    told = point.reader.facts.interfaces[index]
    words = vantage_text(point.view.vantage)
    if point.offset_ns:
        words += f"; times are {-point.offset_ns / 1e9:+.9f} s from those captured"
    elif point.offset_ns is None:
        words += "; its clock could not be compared"
    pairs: list[Option] = [(blocks.IF_NAME, blocks.text(told.name or point.view.vantage.interface or point.view.name))]
    pairs += [(blocks.IF_DESCRIPTION, blocks.text(words)), (blocks.IF_RESOLUTION, b"\x09")]
    if told.filter:
        pairs.append((blocks.IF_FILTER, b"\0" + blocks.text(told.filter)))
    return blocks.interface(told.link_type, told.snap_length or 0, pairs, ORDER)


def _names(points: Sequence[Merged]) -> Iterator[bytes]:
    """One block of all names that the captures know; those of :mod:`pcapdx.capture.pcapng_blocks`' bounds."""
    names = {address: name for point in reversed(points) for address, name in point.view.capture.names.items()}
    if not names:
        return
    records: list[Option] = []
    for address, name in names.items():
        packed = ip_address(address).packed
        records.append((NAME_IPV4 if len(packed) == 4 else NAME_IPV6, packed + blocks.text(name) + b"\0"))
    yield blocks.block(NAMES, blocks.options(records, ORDER), ORDER)


def _statistics(number: int, told: Interface) -> Iterator[bytes]:
    counters = ((STATS_RECEIVED, told.received), (STATS_DROPPED, told.dropped))
    pairs = [(code, struct.pack(ORDER + "Q", value)) for code, value in counters if value is not None]
    if pairs:
        body = struct.pack(ORDER + "III", number, 0, 0) + blocks.options(pairs, ORDER)
        yield blocks.block(STATISTICS, body, ORDER)
