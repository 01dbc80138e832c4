"""The pcapng walk over packet blocks. Kernel code: see :mod:`pcapdx.compiled` for its rules.

Source: draft-ietf-opsawg-pcapng. Everything else in a file, and everything odd, is handed back to Python.
"""

from typing import Any

import numpy as np

from pcapdx.capture.records import NO_TIME
from pcapdx.capture.walk import (
    BAD_OPTIONS,
    COMMENTED,
    HAND_BACK,
    TIMELESS,
    put,
    u16,
    u32,
)

SECTION = 0x0A0D0D0A
INTERFACE, OLD_PACKET, SIMPLE_PACKET, NAMES, STATISTICS, PACKET = 1, 2, 3, 4, 5, 6
JOURNAL, SECRETS = 9, 10
CUSTOM, CUSTOM_NO_COPY = 0xBAD, 0x40000BAD
SYSDIG_EVENT, SYSDIG_EVENT_V2, SYSDIG_EVENT_LARGE = 0x204, 0x216, 0x221

COMMENT, FLAGS, DROPS, OLD_DROPS_UNKNOWN = 1, 2, 4, 0xFFFF

BLOCK_OVERHEAD = 12
"""Type, length and the length once more at the end."""
BLOCK_LIMIT = 17 * 1024 * 1024
"""A frame of 16 MiB with its options; larger blocks are passed over."""

INTERFACE_ROW = np.dtype(
    [
        ("link_type", "i8"),
        ("factor", "i8"),  # nanoseconds in a unit of the timestamp; 0 where that is no whole number
        ("limit", "i8"),  # the largest timestamp whose nanoseconds 64 bits can hold
        ("offset_ns", "i8"),
        ("snap_length", "i8"),  # 0 for no limit
        ("drops", "i8"),  # frames lost by the word of the frames after them
    ]
)


def walk_pcapng(
    data: Any,
    at: int,
    end: int,
    big: int,
    interfaces: Any,
    first_interface: int,
    known_interfaces: int,
    records: Any,
    count: int,
    number: int,
    tally: Any,
) -> tuple[int, int, int, int]:
    """Kernel: the packet blocks in ``data[at:end]``, of which ``count`` records are there already.

    ``number`` is that of the last frame. Custom, journal and sysdig blocks take a number as in Wireshark, other unknown
    ones are passed over. Returns where it stopped, count and number then, and why: bytes needed at hand for the next
    block, 0 for room for no more records, HAND_BACK for a block (whole, unless it is a section header or its length is
    odd), or COMMENTED for a packet block delivered but not passed.
    """
    while count < len(records):
        if at + BLOCK_OVERHEAD > end:
            return at, count, number, BLOCK_OVERHEAD
        kind = u32(data, at, big)
        size = u32(data, at + 4, big)
        if kind == SECTION or size < BLOCK_OVERHEAD or size % 4 or size > BLOCK_LIMIT:
            return at, count, number, HAND_BACK
        if at + size > end:
            return at, count, number, size
        if u32(data, at + size - 4, big) != size:
            return at, count, number, HAND_BACK
        if kind in (PACKET, OLD_PACKET):
            why = _packet(
                data, at, size, big, interfaces, first_interface, known_interfaces, records, count, number + 1, tally
            )
            if why == HAND_BACK:
                return at, count, number, HAND_BACK
            count += 1
            number += 1
            if why == COMMENTED:
                return at, count, number, COMMENTED
        elif kind == SIMPLE_PACKET:
            if known_interfaces == 0 or size < 16:
                return at, count, number, HAND_BACK
            captured = wire = u32(data, at + 8, big)
            row = interfaces[first_interface]
            if int(row["snap_length"]):
                captured = min(captured, int(row["snap_length"]))
            if captured > size - 16:
                return at, count, number, HAND_BACK
            number += 1
            put(records, count, tally, number, at + 12, NO_TIME, captured, wire, int(row["link_type"]))
            records[count]["interface"] = first_interface
            count += 1
        elif kind in (INTERFACE, NAMES, STATISTICS, SECRETS):
            return at, count, number, HAND_BACK
        elif kind in (CUSTOM, CUSTOM_NO_COPY, JOURNAL, SYSDIG_EVENT, SYSDIG_EVENT_V2, SYSDIG_EVENT_LARGE):
            number += 1
        at += size
    return at, count, number, 0


def _packet(
    data: Any,
    at: int,
    size: int,
    big: int,
    interfaces: Any,
    first_interface: int,
    known_interfaces: int,
    records: Any,
    count: int,
    number: int,
    tally: Any,
) -> int:
    """Write the record of an enhanced or old packet block, whose fixed parts are as long; 0 when all is well.

    Where the interface has no whole factor, ``ts_ns`` is the timestamp itself, as a signed number, for Python to
    work out.
    """
    if size < 32:
        return HAND_BACK
    drops = 0
    if u32(data, at, big) == PACKET:
        interface = u32(data, at + 8, big)
    else:
        interface = u16(data, at + 8, big)
        drops = u16(data, at + 10, big)
        if drops == OLD_DROPS_UNKNOWN:
            drops = 0
    captured = u32(data, at + 20, big)
    if interface >= known_interfaces or captured > size - 32:
        return HAND_BACK
    row = interfaces[first_interface + interface]
    high, low = u32(data, at + 12, big), u32(data, at + 16, big)
    ts_ns = _time(row, high, low, tally)
    put(records, count, tally, number, at + 28, ts_ns, captured, u32(data, at + 24, big), int(row["link_type"]))
    records[count]["interface"] = first_interface + interface
    if int(row["factor"]) == 0:
        records[count]["ts_ns"] = (high if high < 2**31 else high - 2**32) * 2**32 + low
    why = 0
    here = at + 28 + (captured + 3) // 4 * 4
    stop = at + size - 4
    while here + 4 <= stop:
        code = u16(data, here, big)
        length = u16(data, here + 2, big)
        if code == 0:
            break
        if here + 4 + length > stop:
            tally[BAD_OPTIONS] += 1
            break
        if code == COMMENT:
            why = COMMENTED
        elif code == FLAGS and length == 4:
            direction = u32(data, here + 4, big) % 4
            if direction != 3:
                records[count]["direction"] = direction
        elif code == DROPS and length == 8:
            drops = u32(data, here + (8 if big else 4), big)  # of the low half: nobody loses four thousand million
        here += 4 + (length + 3) // 4 * 4
    row["drops"] = min(int(row["drops"]) + drops, 2**62)
    return why


def _time(row: Any, high: int, low: int, tally: Any) -> int:
    """Nanoseconds of a timestamp; NO_TIME where they do not fit 64 bits, or where Python has to work them out."""
    if int(row["factor"]) == 0:
        return NO_TIME
    if high >= 2**31 or high * 2**32 + low > int(row["limit"]):
        tally[TIMELESS] += 1
        return NO_TIME
    return (high * 2**32 + low) * int(row["factor"]) + int(row["offset_ns"])
