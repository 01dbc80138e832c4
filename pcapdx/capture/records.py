"""What the containers hand on: blocks of bytes, and one record a frame saying where in the block it lies."""

from collections.abc import Iterator
from dataclasses import field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pcapdx.model import Anomaly
from pcapdx.values import dataclass

NO_TIME = -(2**63)
"""``ts_ns`` of a frame whose container keeps no time for it (a pcapng Simple Packet Block)."""

RECORD = np.dtype(
    [
        ("number", "i8"),  # frame number as Wireshark counts, from 1 (it counts custom and journal blocks too)
        ("offset", "i8"),  # of the frame's first byte in Block.data
        ("ts_ns", "i8"),  # nanoseconds since 1970, or NO_TIME
        ("captured_bytes", "u4"),  # bytes present in the block
        ("wire_bytes", "u4"),  # bytes the frame had on the wire
        ("interface", "u4"),  # index into CaptureFacts.interfaces
        ("link_type", "u2"),  # LINKTYPE_ value of that interface
        ("direction", "u1"),  # 0 not told, 1 received, 2 sent (pcapng epb_flags)
    ]
)


@dataclass(slots=True)
class Block:
    """Some frames in one go. ``data`` and ``records`` are reused: valid only until the next block is asked for."""

    data: npt.NDArray[np.uint8]
    """The raw bytes that the records point into."""
    records: npt.NDArray[Any]
    """One :data:`RECORD` a frame, in file order."""


@dataclass(slots=True, kw_only=True)
class Stretch:
    """Bytes of a file as they lie in it, whole records or blocks, for who copies a capture; as short-lived as a block.

    Together the stretches of a file are all that was read of it, save a huge block that was passed over.
    """

    block: Block
    """The frames among them; there may be none."""
    begin: int
    end: int
    """Where in ``block.data`` the bytes lie."""
    opens: bool
    """A file begins here, with its header."""
    facts: "CaptureFacts"
    """What is known of that file so far."""


@dataclass(slots=True)
class Interface:
    """What a capture says of one interface it was taken on; all of it may be missing."""

    link_type: int
    name: str | None = None
    description: str | None = None
    filter: str | None = None
    snap_length: int | None = None
    """Bytes kept of each frame at most; None for no limit."""
    resolution_exponent: int = -6
    """Timestamp unit as a power of ten, or of two when ``resolution_binary``."""
    resolution_binary: bool = False
    offset_s: int = 0
    section: int = 0
    hardware: str | None = None
    os: str | None = None
    received: int | None = None
    """Frames received, by the interface's own statistics (isb_ifrecv)."""
    dropped: int | None = None
    """Frames lost, by the interface's own statistics (isb_ifdrop + isb_osdrop)."""


@dataclass(slots=True)
class Piece:
    """One of the files that a capture lies in; more than one only for a rotated set."""

    path: str
    before: int = 0
    """Frames of the capture in the pieces before: frame ``n`` of the capture is frame ``n - before`` of this file."""
    frames: int = 0
    bytes: int = 0
    """Bytes read from the file, before decompression."""


@dataclass(slots=True)
class CaptureFacts:
    """What is known of a capture besides its frames; complete once its blocks have been read."""

    name: str
    path: str
    """As given on the command line; ``-`` for standard input."""
    format: str = "unknown"
    """``pcap``, ``pcapng``, with ``ns`` or ``us`` and byte order in :attr:`detail`."""
    detail: str = ""
    compression: str = "none"
    bytes: int = 0
    """Bytes read from the file, before decompression."""
    frames: int = 0
    """As Wireshark counts: custom and journal blocks too, of which there is no record."""
    first_ns: int | None = None
    """Earliest timestamp of any frame (frames may be out of time order)."""
    last_ns: int | None = None
    interfaces: list[Interface] = field(default_factory=list)
    application: str | None = None
    """The program that wrote the capture, by its own word (shb_userappl)."""
    hardware: str | None = None
    os: str | None = None
    comments: list[str] = field(default_factory=list)
    """Section comments; comments on frames are in ``frame_comments``."""
    frame_comments: list[tuple[int, str]] = field(default_factory=list)
    """(frame number, comment), the first 10,000."""
    names: dict[str, str] = field(default_factory=dict)
    """Address to name, of name resolution blocks."""
    secrets: list[tuple[int, int]] = field(default_factory=list)
    """(type, length in bytes) of each decryption secrets block; never the secrets themselves."""
    cut_frames: int = 0
    """Frames of which the snap length cut something off."""
    pieces: list[Piece] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)
    complete: bool = True
    """False when the file is damaged or cut short, and what could be read is all there is."""


class Reader(Protocol):
    """A capture being read."""

    facts: CaptureFacts

    @property
    def fast(self) -> bool:
        """Whether the frames at hand are worth the compiled kernels: more than the first 256 KiB were seen.

        A file says so from its first block on, a pipe as soon as it has brought so much; it never goes back.
        """
        ...

    def blocks(self) -> Iterator[Block]:
        """The frames, block by block, in file order; to be called once, closes the capture at its end.

        Damage ends the iteration and is noted in ``facts``.
        """
        ...

    def stretches(self) -> Iterator[Stretch]:
        """The same with all bytes around the frames, in place of :meth:`blocks`."""
        ...

    def close(self) -> None:
        """Let go of the file, for a reader whose blocks are not wanted (any more)."""
        ...
