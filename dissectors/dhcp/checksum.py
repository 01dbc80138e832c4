"""The UDP checksum of a DHCP message, judged as its receiver would judge it (RFC 768, RFC 1071)."""

import struct
from enum import StrEnum

from pcapdx.frame import CUT, FRAGMENT, Frame

_UDP = 17


class Checksum(StrEnum):
    """What the UDP checksum of a datagram says."""

    OK = "ok"
    ABSENT = "absent"
    """Zero: the sender made none, which IPv4 allows."""
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """Cannot be judged: cut, a fragment, or no IP addresses known."""


def udp_checksum(datagram: bytes, frame: Frame | None) -> tuple[Checksum, bool]:
    """The verdict on a whole datagram, and whether a wrong one is checksum offload.

    With offload the kernel leaves the sum of the pseudo-header in the field, for the NIC to complete. On the way out of
    the sender's host that is no fault; a receiver to whom nobody completed it may drop the packet all the same.
    """
    if frame is None or not frame.ip_version or frame.flags & (CUT | FRAGMENT):
        return Checksum.UNKNOWN, False
    written = int.from_bytes(datagram[6:8], "big")
    if written == 0:
        return Checksum.ABSENT, False
    addresses = (frame.src0, frame.src1, frame.src2, frame.src3, frame.dst0, frame.dst1, frame.dst2, frame.dst3)
    pseudo_header = sum(addresses) + _UDP + len(datagram)
    padded = datagram + b"\0" * (len(datagram) % 2)
    total = pseudo_header + sum(struct.unpack(f">{len(padded) // 2}H", padded))
    if _folded(total) == 0xFFFF:
        return Checksum.OK, False
    return Checksum.WRONG, written == _folded(pseudo_header)


def _folded(total: int) -> int:
    """One's complement sum in 16 bits. Since 2**16 is 1 modulo 0xFFFF, 32-bit words may be summed whole."""
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total
