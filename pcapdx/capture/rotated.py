"""Rotated sets: one capture that its tool wrote into many files.

Names: ``tcpdump -C`` (``x.pcap``, ``x.pcap1``, …), with ``-W`` (``x.pcap00`` to ``x.pcap09``, a ring), ``-G`` with a
time in the name; dumpcap's ``-b`` (``x_00001_20260131120000.pcap``, or with the time first). Sources: tcpdump(1) and
dumpcap(1).
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import groupby
from typing import BinaryIO

from pcapdx.capture.notes import note
from pcapdx.capture.open import BLOCK_BYTES, open_capture
from pcapdx.capture.records import NO_TIME, Block, CaptureFacts, Piece, Reader, Stretch
from pcapdx.errors import CaptureError

PEEK_BLOCK_BYTES = 64 * 1024
OVERLAP_NS = 1_000_000_000
"""Tools that read several queues write frames a little out of order."""
EXTENSION = r"\.(?:pcap|pcapng|cap|dump|dmp|trc)"
COMPRESSED = r"(?:\.(?:gz|zst|lz4|xz|bz2))?"
DATE = r"(?:19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d"
TIME = r"[0-2]\d[-_.:hH]?[0-5]\d(?:[-_.:mM]?[0-5]\d)?"

NUMBERED = re.compile(rf"(?P<stem>.*{EXTENSION})\d{{0,6}}{COMPRESSED}", re.IGNORECASE)
"""``tcpdump -C``: the number is behind the extension; the first file has none, unless -W makes it a ring."""
RING = re.compile(
    rf"(?P<stem>.*)_(?:\d{{5,}}_\d{{14}}|\d{{14}}_\d{{5,}})(?P<end>{EXTENSION}){COMPRESSED}", re.IGNORECASE
)
"""dumpcap, Wireshark and tshark ``-b``."""
DATED = re.compile(rf"(?P<stem>.*?)(?:{DATE}[-_.T ]?{TIME}|(?<!\d)1\d{{9}}(?!\d))(?P<end>\D.*|)", re.IGNORECASE)
"""``tcpdump -G``: date and time of day, or seconds since 1970."""


def set_of(path: str) -> tuple[str, str]:
    """What the names of all pieces of a rotated set have in common; for any other name, the name itself."""
    if match := RING.fullmatch(path):
        return match["stem"], match["end"]
    folder, slash, file = path.rpartition("/")
    if match := DATED.fullmatch(file):
        end = NUMBERED.fullmatch(match["end"])  # -G and -C together
        return folder + slash + match["stem"], end["stem"] if end else match["end"]
    if match := NUMBERED.fullmatch(path):
        return match["stem"], ""
    return path, ""


def rotated_sets(paths: Sequence[str]) -> list[list[str]]:
    """The paths, those grouped that follow one another and by their names are pieces of one capture."""
    groups: list[list[str]] = []
    for _, group in groupby(paths, key=set_of):
        members = list(group)
        if len({re.sub(f"{COMPRESSED}$", "", member) for member in members}) == len(members):
            groups.append(members)
        else:  # the same file twice, or packed beside unpacked, is no set
            groups.extend([member] for member in members)
    return groups


def open_captures(
    paths: Sequence[str], *, name: str, stdin: BinaryIO | None = None, block_bytes: int = BLOCK_BYTES
) -> Reader:
    """A reader of one capture in pieces, in time order of their first frames whatever the order of ``paths``.

    A ring that has wrapped around is so put right. A piece that cannot be read is an anomaly; CaptureError if none can.
    """
    if len(paths) == 1:
        return open_capture(paths[0], name=name, stdin=stdin, block_bytes=block_bytes)
    return JoinedReader(paths, name=name, block_bytes=block_bytes)


class JoinedReader:
    """A :class:`pcapdx.capture.records.Reader` of one capture in several files; one is open at a time."""

    def __init__(self, paths: Sequence[str], *, name: str, block_bytes: int) -> None:
        self.facts = CaptureFacts(name=name, path=paths[0])
        self._block_bytes = block_bytes
        self._reader: Reader | None = None
        self._fast = False
        starts: list[tuple[int, str, str]] = []
        refusals: list[CaptureError] = []
        for path in paths:
            try:
                starts.append((_first_ns(path, name), _natural(path), path))
            except CaptureError as error:
                refusals.append(error)
                note(self.facts, "file", "unreadable-piece", f"{error}.", None)
        if not starts:
            raise refusals[0]
        self._paths = [path for *_, path in sorted(starts)]
        self.facts.path = self._paths[0]

    @property
    def fast(self) -> bool:
        """See :class:`pcapdx.capture.records.Reader`."""
        self._fast = self._fast or (self._reader is not None and self._reader.fast)
        return self._fast

    def blocks(self) -> Iterator[Block]:
        """See :class:`pcapdx.capture.records.Reader`."""
        for stretch in self.stretches():
            if len(stretch.block.records):
                yield stretch.block

    def stretches(self) -> Iterator[Stretch]:
        """See :class:`pcapdx.capture.records.Reader`."""
        facts = self.facts
        for path in self._paths:
            try:
                self._reader = open_capture(path, name=facts.name, block_bytes=self._block_bytes)
            except CaptureError as error:  # it was taken away since the first look
                note(facts, "file", "unreadable-piece", f"{error}.", None)
                continue
            piece = self._reader.facts
            bytes_before, frames_before, interfaces_before = facts.bytes, facts.frames, len(facts.interfaces)
            for stretch in self._reader.stretches():
                block = stretch.block
                self._take_interfaces(piece, interfaces_before)
                facts.bytes = bytes_before + piece.bytes
                block.records["number"] += frames_before
                block.records["interface"] += interfaces_before
                yield stretch
            facts.bytes = bytes_before + piece.bytes
            self._take_interfaces(piece, interfaces_before)
            self._take_over(piece)

    def close(self) -> None:
        """See :class:`pcapdx.capture.records.Reader`."""
        if self._reader is not None:
            self._reader.close()

    def _take_interfaces(self, piece: CaptureFacts, before: int) -> None:
        """Add the interfaces that a piece has told of since the last call; their sections count on."""
        known = self.facts.interfaces
        sections = known[before - 1].section + 1 if before else 0
        for interface in piece.interfaces[len(known) - before :]:
            interface.section += sections
            known.append(interface)

    def _take_over(self, piece: CaptureFacts) -> None:
        """Add what is known of a piece that was read, besides its bytes and interfaces."""
        facts = self.facts
        if not facts.pieces:
            facts.format, facts.detail, facts.compression = piece.format, piece.detail, piece.compression
        facts.pieces.append(Piece(piece.path, facts.frames, piece.frames, piece.bytes))
        facts.frame_comments += [(facts.frames + frame, comment) for frame, comment in piece.frame_comments]
        facts.frames += piece.frames
        facts.cut_frames += piece.cut_frames
        if piece.first_ns is not None and piece.last_ns is not None:
            if facts.last_ns is not None and piece.first_ns < facts.last_ns - OVERLAP_NS:
                what = f"{piece.path} overlaps the piece before it in time: they may be two captures, not one."
                note(facts, "file", "pieces-overlap", what, None, lost=False)
            facts.first_ns = min(piece.first_ns, piece.first_ns if facts.first_ns is None else facts.first_ns)
            facts.last_ns = max(piece.last_ns, piece.last_ns if facts.last_ns is None else facts.last_ns)
        facts.application = facts.application or piece.application
        facts.hardware = facts.hardware or piece.hardware
        facts.os = facts.os or piece.os
        facts.comments += [comment for comment in piece.comments if comment not in facts.comments]
        facts.names = piece.names | facts.names
        facts.secrets += piece.secrets
        for anomaly in piece.anomalies:
            what = f"{piece.path}: {anomaly.what}"
            note(facts, anomaly.protocol, anomaly.kind, what, anomaly.offset, lost=False, count=anomaly.count)
        facts.complete = facts.complete and piece.complete


def _first_ns(path: str, name: str) -> int:
    """Time of a file's first frame; NO_TIME, which is before all others, when it has none."""
    with closing(open_capture(path, name=name, block_bytes=PEEK_BLOCK_BYTES)) as reader:
        block = next(iter(reader.blocks()), None)
    return NO_TIME if block is None else int(block.records["ts_ns"][0])


def _natural(path: str) -> str:
    """A sort key by which ``x.pcap9`` comes before ``x.pcap10``."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(20), path)
