"""Kernel: checksums of the frames that tell most of a flow, judged as their receiver would judge them (RFC 1071).

Summing every frame would cost as much as all else; only a side's SYNs, its first payload and what it sends again are
judged. Since 2**16 is 1 modulo 0xFFFF, 32-bit words may be summed whole.
"""

from typing import Any

from pcapdx.sieve.columns import Array
from pcapdx.sieve.layers import be8, be16, be32

TCP, UDP = 6, 17
SYN = 2
CUT, FRAGMENT = 4, 2
FIRST = 2
"""Frames with payload of each side that are judged before any is sent again."""
MOST = 64
"""Frames of each side that are judged at all."""
MOST_NOTED = 4


def is_telling(row: Array, side: Array, resent: int) -> bool:
    """Whether a counted frame is one of those to judge; ``resent`` is what the side had sent again before it."""
    if side["sums_right"] + side["sums_wrong"] + side["sums_partial"] >= MOST:
        return False
    if row["ip_protocol"] == TCP:
        if row["tcp_flags"] & SYN or side["retransmissions"] > resent:
            return True
        return bool(row["payload_wire_bytes"] > 0 and side["payload_bytes"] <= FIRST * row["payload_wire_bytes"])
    return bool(side["packets"] <= 2 * FIRST)


def count_checksum(data: Any, start: int, row: Array, side: Array) -> None:
    """Judges a whole frame's checksums; what is cut, in fragments or without a checksum is not counted."""
    if row["flags"] & (CUT | FRAGMENT) or row["more_fragments"] == 1 or row["anomaly"] != 0:
        return
    at, end = start + int(row["transport_offset"]), start + int(row["end_offset"])
    tcp = row["ip_protocol"] == TCP
    field = at + 16 if tcp else at + 6
    if end < field + 2:
        return
    if not tcp:
        if be16(data, field) == 0:
            return
        end = min(end, at + be16(data, at + 4))
    addresses = (
        int(row["src0"]) + int(row["src1"]) + int(row["src2"]) + int(row["src3"])
        + int(row["dst0"]) + int(row["dst1"]) + int(row["dst2"]) + int(row["dst3"])
    )  # fmt: skip
    pseudo = addresses + int(row["ip_protocol"])
    written = be16(data, field)
    if folded(pseudo + end - at + summed(data, at, end)) != 0xFFFF:
        # the kernel leaves the pseudo-header's sum to the NIC, for segments that it will cut without their length
        if written == 0 or written == folded(pseudo + end - at) or written == folded(pseudo):
            side["sums_partial"] += 1
            return
    elif row["ip_version"] == 6 or header_is_right(data, start + int(row["network_offset"])):
        side["sums_right"] += 1
        return
    noted = int(side["sums_wrong"])
    if noted < MOST_NOTED:
        side["wrong_frames"][noted] = row["number"]
    side["sums_wrong"] = noted + 1


def header_is_right(data: Any, at: int) -> bool:
    """Whether the IPv4 header's own checksum is right, or left to the NIC."""
    return be16(data, at + 10) == 0 or folded(summed(data, at, at + (be8(data, at) & 15) * 4)) == 0xFFFF


def summed(data: Any, at: int, end: int) -> int:
    """Sum of the 16-bit words, the last one filled with a zero, congruent modulo 0xFFFF."""
    total = 0
    while end - at >= 4:
        total += be32(data, at)
        at += 4
    if end - at >= 2:
        total += be16(data, at)
        at += 2
    if end > at:
        total += be8(data, at) << 8
    return total


def folded(total: int) -> int:
    """One's complement sum in 16 bits."""
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total
