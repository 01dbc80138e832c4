"""Classic pcap: the file header and the record walk.

Source: draft-ietf-opsawg-pcap; libpcap ``sf-pcap.c`` for the modified form of Alexey Kuznetsov (longer record headers)
and for versions before 2.4, which had the two lengths the other way round.
"""

import struct
from typing import Any

import numpy.typing as npt

from pcapdx.capture.notes import note
from pcapdx.capture.records import CaptureFacts, Interface
from pcapdx.capture.source import Window
from pcapdx.capture.walk import HAND_BACK, new_tally, put, u32
from pcapdx.compiled import compiled
from pcapdx.errors import CaptureError

FILE_HEADER_BYTES = 24
MAGICS = {
    0xA1B2C3D4: ("microseconds", 1000, 16),
    0xA1B23C4D: ("nanoseconds", 1, 16),
    0xA1B2CD34: ("microseconds, modified records", 1000, 24),
}
"""Magic: its name, nanoseconds in a unit of the fraction, bytes of a record header."""
USUAL_FRAME_LIMIT = 256 * 1024
"""No tool keeps more of a frame unless its snap length says so."""
FRAME_LIMIT = 16 * 1024 * 1024
"""More than this no snap length can ask for."""
LENGTHS_PLAIN, LENGTHS_SWAPPED, LENGTHS_DOUBTFUL = 0, 1, 2
"""How a record header holds captured and wire length: so, the other way round, or whichever is the lesser first."""
HEADER_MAGICS = (0xA1B2C3D4, 0xA1B23C4D)
HEADER_VERSIONS = (0x0004_0002, 0x0002_0004)
"""How a file header would begin if it were taken for a record header, in either byte order."""


def is_pcap(head: bytes) -> bool:
    """Whether a file that begins with these four bytes is a classic pcap."""
    return _order(head) is not None


def _order(head: bytes) -> str | None:
    return next((order for order in "<>" if len(head) == 4 and struct.unpack(order + "I", head)[0] in MAGICS), None)


class Pcap:
    """A classic pcap being read. ``walk`` is all that a reader asks of a container."""

    protocol = "pcap"

    def __init__(self, window: Window, facts: CaptureFacts, shown: str) -> None:
        """Read the file header, whose magic was recognised. Raises CaptureError."""
        if not window.fill(FILE_HEADER_BYTES):
            raise CaptureError(f"{shown} ends within its pcap file header")
        header = bytes(window.view[window.start : window.start + FILE_HEADER_BYTES])
        order = _order(header[:4]) or "<"
        magic, major, minor, _, _, snap_length, link = struct.unpack(order + "IHHiIII", header)
        if major != 2:
            raise CaptureError(f"{shown} is a pcap of version {major}.{minor}, only version 2 is known")
        unit, self._unit_ns, self._header_bytes = MAGICS[magic]
        self._big = int(order == ">")
        self._lengths = LENGTHS_PLAIN
        if minor <= 3:
            self._lengths = LENGTHS_SWAPPED if minor < 3 else LENGTHS_DOUBTFUL
        self._frame_limit = min(FRAME_LIMIT, max(USUAL_FRAME_LIMIT, snap_length))
        self._link_type = link & 0xFFFF
        self._window = window
        self._facts = facts
        self.frames = 0
        self.tally = new_tally()
        window.start += FILE_HEADER_BYTES
        facts.format = "pcap"
        facts.detail = f"{unit}, {'big' if self._big else 'little'}-endian"
        facts.interfaces.append(
            Interface(
                link_type=self._link_type,
                snap_length=snap_length or None,
                resolution_exponent=-9 if self._unit_ns == 1 else -6,
            )
        )
        if link & 0x0BFF_0000:  # bits 26 and 28 to 31 tell the length of a frame check sequence
            what = f"The link type field is {link:#010x}; its reserved high bits are ignored."
            note(facts, "pcap", "link-high-bits", what, 20, lost=False)

    def walk(self, records: npt.NDArray[Any], fast: bool) -> tuple[int, int | None]:
        """Write the records of the frames at hand.

        Returns how many, and how many bytes must be at hand for the next: 0 when there is room for no more records,
        None when damage ends the capture here.
        """
        window = self._window
        window.start, count, need = (compiled(walk_pcap) if fast else walk_pcap)(
            window.array if fast else window.view,
            window.start,
            window.end,
            self._big,
            self._header_bytes,
            self._unit_ns,
            self._lengths,
            self._frame_limit,
            self._link_type,
            records,
            self.frames,
            self.tally,
        )
        self.frames += count
        if need == HAND_BACK:
            self._tell()
            return count, None
        return count, need

    def _tell(self) -> None:
        """Say what is wrong with the record at hand."""
        at, offset = self._window.start, self._window.offset
        if u32(self._window.view, at, self._big) in HEADER_MAGICS and not u32(self._window.view, at + 8, self._big):
            what = (
                "A second pcap file begins inside this one (files joined with cat?); it was not read. mergecap joins."
            )
            note(self._facts, "pcap", "second-header", what, offset)
            return
        what = f"Record {self.frames + 1} claims more than {self._frame_limit} bytes; nothing after it was read."
        note(self._facts, "pcap", "oversized-record", what, offset)


def walk_pcap(
    data: Any,
    at: int,
    end: int,
    big: int,
    header_bytes: int,
    unit_ns: int,
    lengths: int,
    frame_limit: int,
    link_type: int,
    records: Any,
    number: int,
    tally: Any,
) -> tuple[int, int, int]:
    """Kernel: the records in ``data[at:end]``; where it stopped, how many there were, and why.

    Why: bytes needed at hand for the next record, 0 for room for no more records, or HAND_BACK.
    """
    count = 0
    while count < len(records):
        if at + header_bytes > end:
            return at, count, header_bytes
        seconds = u32(data, at, big)
        fraction = u32(data, at + 4, big)
        captured = u32(data, at + 8, big)
        wire = u32(data, at + 12, big)
        if wire == 0 and captured == 0 and seconds in HEADER_MAGICS and fraction in HEADER_VERSIONS:
            return at, count, HAND_BACK
        if lengths == LENGTHS_SWAPPED or (lengths == LENGTHS_DOUBTFUL and captured > wire):
            captured, wire = wire, captured
        if captured > frame_limit:
            return at, count, HAND_BACK
        if at + header_bytes + captured > end:
            return at, count, header_bytes + captured
        ts_ns = seconds * 1_000_000_000 + fraction * unit_ns
        put(records, count, tally, number + count + 1, at + header_bytes, ts_ns, captured, wire, link_type)
        at += header_bytes + captured
        count += 1
    return at, count, 0
