"""pcapng: sections, interfaces and damage; the frames are walked by :mod:`pcapdx.capture.pcapng_walk`.

Source: draft-ietf-opsawg-pcapng. Damage to one block costs that block where the lengths before and after it agree;
otherwise reading ends there.
"""

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from pcapdx.capture import pcapng_blocks as blocks
from pcapdx.capture.notes import note
from pcapdx.capture.pcapng_walk import (
    BLOCK_LIMIT,
    BLOCK_OVERHEAD,
    INTERFACE,
    INTERFACE_ROW,
    NAMES,
    OLD_PACKET,
    PACKET,
    SECRETS,
    SECTION,
    SIMPLE_PACKET,
    STATISTICS,
    walk_pcapng,
)
from pcapdx.capture.records import NO_TIME, CaptureFacts, Interface
from pcapdx.capture.source import Window
from pcapdx.capture.walk import COMMENTED, FIRST_NS, LAST_NS, LAST_TIME, TIMELESS, new_tally
from pcapdx.compiled import compiled
from pcapdx.errors import CaptureError

MAGIC = b"\x0a\x0d\x0d\x0a"
BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
SECTION_BYTES = 28
INTERFACES_LIMIT = 65_536


class Pcapng:
    """A pcapng being read. ``walk`` is all that a reader asks of a container."""

    protocol = "pcapng"

    def __init__(self, window: Window, facts: CaptureFacts, shown: str) -> None:
        """Read the first section header, whose magic was recognised. Raises CaptureError."""
        self.frames = 0
        self.tally = new_tally()
        self._window = window
        self._facts = facts
        self._order = "<"
        self._sections = 0
        self._first = 0
        """Place of the section's first interface among all."""
        self._rows = np.zeros(8, INTERFACE_ROW)
        self._odd_units: list[int] = []
        """Interfaces whose times Python has to work out."""
        facts.format = "pcapng"
        if not window.fill(BLOCK_OVERHEAD):
            raise CaptureError(f"{shown} ends within its pcapng section header")
        while need := self._section() or 0:
            if not window.fill(need):
                raise CaptureError(f"{shown} ends within its pcapng section header")
        if not self._sections:
            raise CaptureError(f"{shown} is no pcapng that can be read: {facts.anomalies[-1].what}")

    def walk(self, records: npt.NDArray[Any], fast: bool) -> tuple[int, int | None]:
        """Write the records of the frames at hand.

        Returns how many, and how many bytes must be at hand for the next: 0 when there is room for no more records,
        None when damage ends the capture here.
        """
        window = self._window
        begun = window.start
        kernel = compiled(walk_pcapng) if fast else walk_pcapng
        count = 0
        need: int | None = 0
        while need == 0:
            window.start, count, self.frames, why = kernel(
                window.array if fast else window.view,
                window.start,
                window.end,
                int(self._order == ">"),
                self._rows,
                self._first,
                len(self._facts.interfaces) - self._first,
                records,
                count,
                self.frames,
                self.tally,
            )
            if why == COMMENTED:
                self._comments()
            elif why >= 0:
                need = why
                break
            elif self._size() > BLOCK_LIMIT and window.start > begun:
                break  # passing over it takes the buffer that the records point into
            else:
                huge = self._size() > BLOCK_LIMIT
                need = self._block()
                if huge and need == 0:
                    break
        self._settle(records[:count])
        return count, need

    def _size(self, order: str | None = None) -> int:
        """Length of the block at hand, by its own word."""
        window = self._window
        return int(struct.unpack_from((order or self._order) + "I", window.view, window.start + 4)[0])

    def _body(self, order: str, size: int) -> bytes | None:
        """Body of the whole block at hand; None, and damage, if the length at its end is another."""
        window = self._window
        *_, again = struct.unpack_from(order + "I", window.view, window.start + size - 4)
        if again != size:
            self._damage("block-length-mismatch", f"A block of {size} bytes has the length {again} at its end.")
            return None
        return bytes(window.view[window.start + 8 : window.start + size - 4])

    def _damage(self, kind: str, what: str) -> None:
        """Note damage at the block at hand."""
        note(self._facts, self.protocol, kind, what, self._window.offset)

    def _section(self) -> int | None:
        """Begin the section whose header is at hand: 0, or the bytes needed for it, or None when it is damaged."""
        window, facts = self._window, self._facts
        order = BYTE_ORDERS.get(bytes(window.view[window.start + 8 : window.start + BLOCK_OVERHEAD]))
        if order is None:
            self._damage("bad-byte-order", "A section header has no byte-order magic.")
            return None
        size = self._size(order)
        if size < SECTION_BYTES or size % 4 or size > BLOCK_LIMIT:
            self._damage("bad-block-length", f"A section header claims a length of {size} bytes.")
            return None
        if window.end - window.start < size:
            return size
        body = self._body(order, size)
        if body is None:
            return None
        major, minor = struct.unpack_from(order + "HH", body, 4)
        if (major, minor) not in ((1, 0), (1, 2)):
            self._damage("unsupported-version", f"A section is of pcapng version {major}.{minor}.")
            return None
        blocks.section(body, order, facts, window.offset)
        self._order = order
        self._first = len(facts.interfaces)
        self._sections += 1
        if self._sections == 1:
            facts.detail = "little-endian" if order == "<" else "big-endian"
        else:
            facts.detail = f"{facts.detail.split(',')[0]}, {self._sections} sections"
        window.start += size
        return 0

    def _block(self) -> int | None:
        """Deal with the block at hand, which is no plain packet: 0, or the bytes needed for it, or None for damage."""
        window, facts = self._window, self._facts
        kind = struct.unpack_from(self._order + "I", window.view, window.start)[0]
        if kind == SECTION:
            return self._section()
        size = self._size()
        if size < BLOCK_OVERHEAD or size % 4:
            self._damage("bad-block-length", f"A block claims a length of {size} bytes; nothing after it was read.")
            return None
        if size > BLOCK_LIMIT:
            return self._pass_over(kind, size)
        body = self._body(self._order, size)
        if body is None:
            return None
        if kind == INTERFACE:
            if not self._interface(body):
                return None
        elif kind == STATISTICS:
            blocks.statistics(body, self._order, facts, window.offset, facts.interfaces[self._first :])
        elif kind == NAMES:
            blocks.names(body, self._order, facts, window.offset)
        elif kind == SECRETS:
            blocks.secrets(body, self._order, facts, window.offset)
        else:
            self._refused(kind, body)
        window.start += size
        return 0

    def _pass_over(self, kind: int, size: int) -> int | None:
        """Leave out a huge block, if the length at its end agrees that it is one."""
        window = self._window
        if kind in (PACKET, OLD_PACKET, SIMPLE_PACKET):
            self._damage("oversized-record", f"A packet block of {size} bytes was passed over.")
        else:
            self._damage("oversized-block", f"A block of {size} bytes was passed over.")
        if not window.skip(size - 4) or not window.fill(4):
            self._damage("cut-short", "The file ends within a block.")
            return None
        again = struct.unpack_from(self._order + "I", window.view, window.start)[0]
        if again != size:
            self._damage("block-length-mismatch", f"A block of {size} bytes has the length {again} at its end.")
            return None
        window.start += 4
        return 0

    def _refused(self, kind: int, body: bytes) -> None:
        """Say why the walk did not take a packet block; its frame is lost and takes no number."""
        known = len(self._facts.interfaces) - self._first
        if len(body) < (4 if kind == SIMPLE_PACKET else 20):
            self._damage("short-packet-block", "A packet block is too short to hold a packet.")
        elif kind == SIMPLE_PACKET and not known:
            self._damage("missing-interface", "A simple packet block comes before any interface of its section.")
        elif (
            kind != SIMPLE_PACKET
            and struct.unpack_from(self._order + ("I" if kind == PACKET else "H"), body)[0] >= known
        ):
            self._damage("missing-interface", f"A packet is of an interface its section has not: it has {known}.")
        else:
            self._damage("packet-overrun", "A packet block claims more bytes of packet than the block has.")

    def _interface(self, body: bytes) -> bool:
        """Take up an interface; False when there are too many."""
        facts = self._facts
        if len(body) < 8:
            self._damage("short-interface-block", "An interface block is too short; nothing after it was read.")
            return False
        index = len(facts.interfaces)
        if index == INTERFACES_LIMIT:
            self._damage("too-many-interfaces", f"There are more than {index} interfaces; nothing after was read.")
            return False
        interface = blocks.interface(body, self._order, facts, self._window.offset)
        interface.section = self._sections - 1
        facts.interfaces.append(interface)
        if index == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros(index, INTERFACE_ROW)])
        per_second = units_per_second(interface)
        factor, rest = divmod(10**9, per_second)
        offset_ns = interface.offset_s * 10**9
        if rest or abs(offset_ns) > LAST_TIME:
            self._odd_units.append(index)
            factor = limit = offset_ns = 0
        else:
            limit = (LAST_TIME - max(offset_ns, 0)) // factor
        self._rows[index] = (interface.link_type, factor, limit, offset_ns, interface.snap_length or 0, 0)
        return True

    def _comments(self) -> None:
        """Note the comments of the packet block at hand, whose frame is delivered, and pass it."""
        size = self._size()
        body = self._body(self._order, size) or b""
        blocks.frame_comments(body, self._order, self._facts, self._window.offset, self.frames)
        self._window.start += size

    def _settle(self, records: npt.NDArray[Any]) -> None:
        """After a walk: work out the times it could not, and bring to the facts the drops it counted."""
        facts, tally = self._facts, self.tally
        for index in self._odd_units:  # a stamp of 2**63 looks like no time here: a million years, or a lie
            rows = np.flatnonzero((records["interface"] == index) & (records["ts_ns"] != NO_TIME))
            times = [exact_ns(int(stamp) % 2**64, facts.interfaces[index]) for stamp in records["ts_ns"][rows]]
            known = [time for time in times if time != NO_TIME]
            records["ts_ns"][rows] = times
            tally[TIMELESS] += len(times) - len(known)
            tally[FIRST_NS] = min([int(tally[FIRST_NS]), *known])
            tally[LAST_NS] = max([int(tally[LAST_NS]), *known])
        for index in np.flatnonzero(self._rows["drops"]).tolist():
            interface = facts.interfaces[index]
            interface.dropped = max(interface.dropped or 0, int(self._rows["drops"][index]))


def units_per_second(interface: Interface) -> int:
    """How many units of an interface's timestamps are a second."""
    return int((2 if interface.resolution_binary else 10) ** -interface.resolution_exponent)


def exact_ns(stamp: int, interface: Interface) -> int:
    """Nanoseconds of a timestamp of any unit, rounded down; NO_TIME where 64 bits cannot hold them."""
    ns = stamp * 10**9 // units_per_second(interface) + interface.offset_s * 10**9
    return ns if NO_TIME < ns <= LAST_TIME else NO_TIME
