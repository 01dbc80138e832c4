"""Payload that is blanked: all of it, or what no dissector reads. Lengths stay, so that nothing else is told.

What a dissector reads hangs on what came before in the capture. A segment that is read in one of several captures of an
incident is kept in all, for packets are found again by their first bytes.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import field, replace
from enum import StrEnum
from typing import Any

import numpy as np

from pcapdx.annotate.ledger import Side, unwrapped
from pcapdx.annotate.overwrite import repair
from pcapdx.capture.records import Reader
from pcapdx.dissect import Dissector, Layer
from pcapdx.sieve.columns import Array
from pcapdx.sieve.engine import Sieve
from pcapdx.values import dataclass

ARP, RARP = 0x0806, 0x8035
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
SYN = 2
ICMP_HEAD = 8
DISCOVERY = range(133, 138)
LLC_HEAD = 8


class Payload(StrEnum):
    """How much of it is written."""

    NONE = "none"
    """What follows the headers of TCP, UDP and ICMP is blanked; ARP and neighbour discovery stay."""
    HEADERS = "headers"
    """What no dissector reads is blanked."""
    KEEP = "keep"


def unsampled(dissectors: Sequence[Dissector]) -> list[Dissector]:
    """The same ones, asking for all frames that are like those they read."""
    return [replace(one, sample=None, stream_sample=None) for one in dissectors]


@dataclass(slots=True)
class Read:
    """How far the streams of one capture are read."""

    ends: dict[Side, int] = field(default_factory=dict)
    """By side: bytes from its base."""
    bases: dict[Side, int] = field(default_factory=dict)
    fingerprints: set[int] = field(default_factory=set)
    """Of segments that lie within."""

    def pass_over(self, reader: Reader, dissectors: Sequence[Dissector]) -> None:
        """Goes over a whole capture."""
        sieve = Sieve(unsampled(dissectors), fast=reader.fast)
        with closing(reader):
            for block in reader.blocks():
                sieve.fast = reader.fast
                rows = sieve.sweep(block)
                tcp = (rows["ip_protocol"] == TCP) & (rows["flow"] >= 0) & (rows["payload_offset"] > 0)
                for place in np.flatnonzero(tcp & (rows["fragment_offset"] == 0)).tolist():
                    self._segment(rows[place])

    def _segment(self, row: Any) -> None:
        side, begin = self.offset(row, learn=True)
        if row["claims"]:
            end = begin + int(row["end_offset"]) - int(row["payload_offset"])
            self.ends[side] = max(self.ends.get(side, 0), end)
            self.fingerprints.add(int(row["fingerprint"]))

    def offset(self, row: Any, *, learn: bool = False) -> tuple[Side, int]:
        """Side and stream offset of a segment."""
        side = int(row["flow"]), 1 - int(row["from_originator"])
        sequence = int(row["tcp_seq"]) + (int(row["tcp_flags"]) & SYN > 0)
        if learn:
            self.bases.setdefault(side, sequence)
        return side, unwrapped(sequence, self.bases.get(side, sequence), self.ends.get(side, 0))


class Blanking:
    """The second pass: says what of each frame is blanked, by the rows of a sieve with :func:`unsampled` dissectors."""

    def __init__(
        self, payload: Payload, dissectors: Sequence[Dissector], read: Read, elsewhere: frozenset[int]
    ) -> None:
        self._all = payload is Payload.NONE
        self._dissectors = unsampled(dissectors)
        tags = sum(1 << bit for bit, one in enumerate(dissectors) if one.layer is Layer.TAGS)
        self._claims = ~tags
        self._read = read
        self._elsewhere = elsewhere
        self.bytes = 0
        """Bytes that were blanked."""

    def sieve(self, *, fast: bool) -> Sieve:
        """One whose rows tell what is needed here."""
        return Sieve(self._dissectors, fast=fast)

    def ranges(self, data: Any, starts: Sequence[int], rows: Array) -> Iterator[tuple[int, int, int]]:
        """Place among the rows, begin and end of what is to be blanked."""
        ends = rows["end_offset"]
        begins = np.where(rows["payload_offset"] > 0, rows["payload_offset"], rows["transport_offset"])
        link = (rows["ip_version"] == 0) & (rows["ethertype"] != ARP) & (rows["ethertype"] != RARP)
        snap = rows["link_offset"] + np.where(rows["ethertype"] < 1536, LLC_HEAD, 0)
        begins = np.where(link, snap, np.where(rows["ip_version"] == 0, ends, begins))
        wanted = (begins < ends) & (rows["link_offset"] >= 0)
        tcp = (rows["ip_protocol"] == TCP) & (rows["flow"] >= 0)
        if not self._all:
            wanted &= tcp | ((rows["claims"] & self._claims) == 0)
        for place in np.flatnonzero(wanted).tolist():
            row, begin = rows[place], int(begins[place])
            if tcp[place] and not self._all:
                if row["payload_offset"] and not row["fragment_offset"]:
                    begin = self._unread(row, begin)
            elif row["ip_protocol"] in (ICMP, ICMPV6) and not row["fragment_offset"]:
                kind = data[starts[place] + begin]
                begin += ICMP_HEAD
                if row["ip_protocol"] == ICMPV6 and kind in DISCOVERY:
                    continue
            if begin < ends[place]:
                self.bytes += int(ends[place]) - begin
                yield place, begin, int(ends[place])

    def _unread(self, row: Any, begin: int) -> int:
        """Where of a segment that begins which is not read."""
        if int(row["fingerprint"]) in self._elsewhere:
            return int(row["end_offset"])
        side, offset = self._read.offset(row)
        return begin + min(max(self._read.ends.get(side, 0) - offset, 0), int(row["end_offset"]) - begin)


def blank(data: memoryview, start: int, row: Any, begin: int, end: int) -> None:
    """Writes zeros over a range of a frame, and repairs its checksum."""
    transport = int(row["transport_offset"])
    old = bytes(data[start + begin : start + end])
    data[start + begin : start + end] = bytes(len(old))
    if transport and begin >= transport:
        shift = 8 * ((end - transport) & 1)
        repair(data, start, row, -((int.from_bytes(old, "big") << shift) % 0xFFFF))
