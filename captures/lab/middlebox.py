"""A cable with a will of its own: two interfaces joined by a function that may drop, change, delay or repeat frames."""

import heapq
import itertools
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import Literal

from captures.lab.cloud import veth
from captures.lab.namespaces import Namespace, Workspace

Direction = Literal["out", "in"]
"""``out``: from the machine towards the bridge; ``in``: towards the machine."""
Behaviour = Callable[[bytes, Direction], Iterable[tuple[float, bytes]]]
"""What becomes of a frame: any number of frames, each with its delay in seconds."""

_ETH_P_ALL = 3
_OUTGOING = 4
_SOL_PACKET, _AUXDATA, _VLAN_VALID = 263, 8, 0x10


def insert(lab: Workspace, where: Namespace, tap: str, bridge: str, behave: Behaviour) -> str:
    """Put a cable between a machine's tap, which must not be in a bridge yet, and the bridge.

    Returns the bridge's end, where frames are seen on the far side of whatever the cable does.
    """
    far = splice(lab, where, tap, behave)
    where.ip("link", "set", far, "master", bridge)
    return far


def splice(lab: Workspace, where: Namespace, tap: str, behave: Behaviour) -> str:
    """As `insert`, with the far end in no bridge yet."""
    far = f"{tap}-far"
    veth(where, far, where, f"{tap}-in")
    for end in (f"{tap}-in", far):
        where.ip("link", "set", end, "up")
    machine, network = _open(where, tap), _open(where, f"{tap}-in")
    lab.thread(lambda: _run(lab, machine, network, behave))
    return far


def udp_checksum_spoiled(frame: bytes, port: int) -> bytes:
    """The frame with a wrong UDP checksum, if it is UDP over IPv4 from this source port."""
    if not is_udp_from(frame, port):
        return frame
    at = 14 + (frame[14] & 15) * 4 + 6
    wrong = (struct.unpack_from("!H", frame, at)[0] ^ 0x5A5A) or 1
    return frame[:at] + struct.pack("!H", wrong) + frame[at + 2 :]


def tcp_checksum_spoiled(frame: bytes, port: int, *, least: int = 0) -> bytes:
    """The frame with a wrong TCP checksum, if it is TCP over IPv4 from this port and carries so many bytes at least."""
    at = _tcp_from(frame, port)
    if at is None or len(tcp_payload(frame)) < least:
        return frame
    return (
        frame[: at + 16]
        + struct.pack("!H", (struct.unpack_from("!H", frame, at + 16)[0] ^ 0x2400) or 1)
        + frame[at + 18 :]
    )


def tcp_checksum_left(frame: bytes, port: int) -> bytes:
    """The frame with no more than the pseudo-header's sum for a checksum, if it is TCP over IPv4 from this port.

    A tag is passed over.
    """
    if frame[12:14] == b"\x81\x00":
        return frame[:16] + tcp_checksum_left(frame[:12] + frame[16:], port)[12:]
    at = _tcp_from(frame, port)
    if at is None:
        return frame
    total = 6 + struct.unpack_from("!H", frame, 16)[0] - (at - 14) + sum(struct.unpack_from("!4H", frame, 26))
    return frame[: at + 16] + struct.pack("!H", total % 0xFFFF) + frame[at + 18 :]


def _tcp_from(frame: bytes, port: int) -> int | None:
    """Where the TCP header is, if the frame is TCP over IPv4 from this source port."""
    if frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return None
    at = 14 + (frame[14] & 15) * 4
    return at if struct.unpack_from("!H", frame, at)[0] == port else None


def is_udp_from(frame: bytes, port: int) -> bool:
    """Whether the frame is UDP over IPv4 from this source port."""
    at = 14 + (frame[14] & 15) * 4
    return frame[12:14] == b"\x08\x00" and frame[23] == 17 and struct.unpack_from("!H", frame, at)[0] == port


def tcp_payload(frame: bytes) -> bytes:
    """What a TCP over IPv4 frame carries; empty for anything else."""
    if frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return b""
    start = 14 + (frame[14] & 15) * 4
    end = 14 + struct.unpack_from("!H", frame, 16)[0]
    return frame[start + (frame[start + 12] >> 4) * 4 : end]


def _open(where: Namespace, interface: str) -> socket.socket:
    with where.inside():
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        index = socket.if_nametoindex(interface)
    raw.bind((interface, _ETH_P_ALL))
    promiscuous = struct.pack("iHH8s", index, 1, 0, b"")
    raw.setsockopt(_SOL_PACKET, 1, promiscuous)  # PACKET_ADD_MEMBERSHIP
    raw.setsockopt(_SOL_PACKET, _AUXDATA, 1)
    return raw


def _tagged(frame: bytes, beside: Iterable[tuple[int, int, bytes]]) -> bytes:
    """The frame with its outer VLAN tag, which the kernel hands over beside it (packet(7), PACKET_AUXDATA)."""
    for level, kind, data in beside:
        if level == _SOL_PACKET and kind == _AUXDATA:
            status, *_, tci, tpid = struct.unpack_from("=3I4H", data)
            if status & _VLAN_VALID:
                return frame[:12] + struct.pack("!HH", tpid or 0x8100, tci) + frame[12:]
    return frame


def _run(lab: Workspace, machine: socket.socket, network: socket.socket, behave: Behaviour) -> None:
    other: dict[socket.socket, tuple[socket.socket, Direction]] = {machine: (network, "out"), network: (machine, "in")}
    waiting: list[tuple[float, int, socket.socket, bytes]] = []
    order = itertools.count()
    while not lab.stopping.is_set():
        patience = min(0.2, max(0.0, waiting[0][0] - time.monotonic())) if waiting else 0.2
        for ready in select.select(list(other), [], [], patience)[0]:
            frame, beside, _, address = ready.recvmsg(65536, 64)
            if address[2] == _OUTGOING:
                continue
            frame = _tagged(frame, beside)
            target, direction = other[ready]
            for delay, changed in behave(frame, direction):
                heapq.heappush(waiting, (time.monotonic() + delay, next(order), target, changed))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, target, frame = heapq.heappop(waiting)
            target.send(frame)
    machine.close()
    network.close()
