"""Overwrites bytes of a frame and repairs its checksum: as right, or as wrong, as it was.

A checksum that was right stays right, one that was off stays off by as much (RFC 1624); one that the sender's kernel
left to the NIC, with the sum of the pseudo-header alone, and one that was not made stay as they are.
"""

from collections.abc import Iterable
from typing import Any

TCP, UDP, ICMP, ICMPV6, VRRP = 6, 17, 1, 58, 112
FIELDS = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2, VRRP: 6}
"""Where from the transport header on the checksum lies."""
ADDRESSES = ("src0", "src1", "src2", "src3", "dst0", "dst1", "dst2", "dst3")

Change = tuple[int, bytes]
"""Where from the frame's beginning, and what to write."""


def overwrite(data: memoryview, start: int, row: Any, changes: Iterable[Change]) -> int:
    """Writes over the frame at ``start`` of ``data``, whose columns are ``row``; how many bytes became others."""
    transport = int(row["transport_offset"])
    delta = changed = 0
    for begin, new in changes:
        at = start + begin
        for place, byte in enumerate(new):
            old = data[at + place]
            if old != byte:
                changed += 1
                data[at + place] = byte
                if begin + place >= transport:
                    weight = 1 if (begin + place - transport) % 2 else 256
                    delta += (byte - old) * weight
    if delta and transport:
        repair(data, start, row, delta)
    return changed


def repair(data: memoryview, start: int, row: Any, delta: int) -> None:
    """Adds to the sum of the words that the checksum covers."""
    protocol, transport = int(row["ip_protocol"]), int(row["transport_offset"])
    where = FIELDS.get(protocol)
    if where is None or not row["ip_version"] or row["fragment_offset"] or transport + where + 2 > row["end_offset"]:
        return
    at = start + transport + where
    written = data[at] << 8 | data[at + 1]
    if protocol == UDP and not written:
        return
    if protocol in (TCP, UDP):
        length = int(row["payload_offset"]) - transport + int(row["payload_wire_bytes"])
        if written == _folded(sum(int(row[name]) for name in ADDRESSES) + protocol + length):
            return
    total = (0xFFFF - written + delta) % 0xFFFF or 0xFFFF
    fresh = 0xFFFF - total
    if protocol == UDP and not fresh:
        fresh = 0xFFFF
    data[at], data[at + 1] = fresh >> 8, fresh & 0xFF


def _folded(total: int) -> int:
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total
