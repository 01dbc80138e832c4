"""The dissector contract: bytes in, messages out.

A dissector is one module that ends in a constant ``DISSECTOR``. Its ``read`` takes a :class:`Cursor` over contiguous
bytes (a frame's payload, or one direction of a reassembled TCP stream) and yields frozen message dataclasses. It knows
no file, socket, clock, log or global; the engine puts frame numbers and times on what it yields. Its ``pair`` joins
messages into exchanges (a request with its answer) for the rules.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from enum import IntEnum, StrEnum
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

from pcapdx.frame import Frame
from pcapdx.values import dataclass

M_co = TypeVar("M_co", covariant=True)


class Malformed(Exception):
    """The bytes break the protocol. Becomes an anomaly row; the run goes on."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(what)
        self.what = what
        self.offset = offset


class Truncated(Exception):
    """The bytes end before the message does, for a reason outside the protocol: snap length, gap, end of capture."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(what)
        self.what = what
        self.offset = offset


class Cursor:
    """The only way to the bytes: checks every length, knows where it is, and words every error.

    ``wire_bytes`` is how long the bytes were on the wire; running past what was captured but not past the wire is
    :class:`Truncated`, running past the wire is :class:`Malformed`. None means the end is unknown (an open stream).
    """

    __slots__ = ("_data", "_start", "at", "closed", "end", "frame", "wire_end")

    def __init__(
        self, data: bytes, *, wire_bytes: int | None = None, closed: bool = False, frame: Frame | None = None
    ) -> None:
        self._data = data
        self._start = 0
        self.at = 0
        """Offset of the next byte."""
        self.end = len(data)
        self.wire_end = wire_bytes
        self.closed = closed
        """The sender ended the stream (FIN) right after the last byte."""
        self.frame = frame
        """The frame a datagram came in; None for a stream."""

    @property
    def left(self) -> int:
        """Bytes not yet taken."""
        return self.end - self.at

    def take(self, count: int, what: str) -> bytes:
        """The next ``count`` bytes; ``what`` names them in the error."""
        at = self._pass(count, what)
        return self._data[at : at + count]

    def peek(self, count: int) -> bytes:
        """Up to ``count`` bytes ahead, without taking them; fewer at the end."""
        return self._data[self.at : min(self.at + count, self.end)]

    def rest(self) -> bytes:
        """All bytes that are left; takes them."""
        return self.take(self.left, "the rest")

    def skip(self, count: int, what: str) -> None:
        """Passes over ``count`` bytes."""
        self._pass(count, what)

    def u8(self, what: str) -> int:
        """One byte."""
        return self._data[self._pass(1, what)]

    def u16(self, what: str) -> int:
        """Two bytes, big endian."""
        at = self._pass(2, what)
        return self._data[at] << 8 | self._data[at + 1]

    def u24(self, what: str) -> int:
        """Three bytes, big endian."""
        return int.from_bytes(self.take(3, what), "big")

    def u32(self, what: str) -> int:
        """Four bytes, big endian."""
        return int.from_bytes(self.take(4, what), "big")

    def sub(self, count: int, what: str) -> "Cursor":
        """A cursor over the next ``count`` bytes, which this one passes over.

        Its errors are Malformed: the length that bounds it was part of the protocol. Offsets go on counting from the
        outermost start.
        """
        at = self._pass(count, what)
        inner = Cursor(self._data, wire_bytes=at + count, closed=True, frame=self.frame)
        inner.at, inner.end = at, at + count
        return inner

    def _pass(self, count: int, what: str) -> int:
        """Passes over ``count`` bytes that must be there; returns where they begin."""
        at = self.at
        behind = at + count
        if at <= behind <= self.end:
            self.at = behind
            return at
        if count < 0:
            raise Malformed(f"{what}: negative length", at)
        on_wire = not self.closed if self.wire_end is None else behind <= self.wire_end
        problem = f"{what}: {count} bytes needed, {self.left} left"
        raise Truncated(problem, at) if on_wire else Malformed(problem, at)


class Layer(IntEnum):
    """Where the bytes handed to a dissector begin. They end where that layer ends, padding excluded."""

    TAGS = 0
    """At the TPID of the first VLAN tag."""
    LINK = 1
    """After the last ethertype, or at the LLC header of an 802.3 frame."""
    NETWORK = 2
    """At the IP header."""
    TRANSPORT = 3
    """At the TCP, UDP or ICMP header."""
    PAYLOAD = 4
    """After the UDP header; for TCP, the reassembled stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Which of many alike frames are worth a message: the first ``first`` of each kind, then one every ``every_ns``.

    Frames are alike when VLAN, addresses, MACs and the bytes from ``key_start`` on (64 at most) are equal; ports do not
    count. For :attr:`Layer.TAGS` they are alike when sender and VLAN are. The rest is counted and the report says so;
    that keeps a storm of a million ARP requests as cheap as a hundred.
    """

    first: int
    every_ns: int
    key_start: int = 0
    by_ends: bool = True
    """False: frames of other addresses and MACs in the same VLAN may be alike, too."""
    stream_key_bytes: int = 8
    """Of streams: how many of the first bytes of payload must be equal; few where a message's number is there."""


class End(StrEnum):
    """How one direction of a TCP stream ended, as far as the dissector's bytes go."""

    FIN = "fin"
    RST = "rst"
    GAP = "gap"
    """Bytes are missing in the capture; what followed them was not read."""
    CUT = "cut"
    """The snap length cut a segment."""
    LIMIT = "limit"
    """More was sent than the dissector asked to see."""
    OPEN = "open"
    """The capture ended first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen(Generic[M_co]):
    """A message and the frames that carried it."""

    message: M_co
    frame: Frame
    """The frame that completed the message."""
    frames: tuple[int, ...]
    """Numbers of all frames that carried its bytes, in stream order."""
    from_originator: bool = True
    """Sent by the flow's originator (the client, where the capture saw the SYN)."""

    @property
    def number(self) -> int:
        """Number of the frame that completed the message."""
        return self.frame.number

    @property
    def ts_ns(self) -> int:
        """Time of the frame that completed the message."""
        return self.frame.ts_ns


class Half(NamedTuple):
    """What one side of a flow sent. Counts leave out twins (the same packet recorded twice)."""

    ip: str | None
    port: int
    mac: str | None
    """Source MAC of its latest frame."""
    mac_changes: int
    """Times another MAC than before sent for it."""
    packets: int
    wire_bytes: int
    payload_bytes: int
    """Bytes of payload by the IP headers, retransmissions included."""
    stream_bytes: int
    """TCP: bytes of stream from the first sequence number seen to the highest; 0 for others."""
    syn: int
    """SYN segments (SYN/ACK for the responder)."""
    fin: int
    rst: int
    retransmissions: int
    zero_windows: int
    first_ns: int | None
    last_ns: int | None
    first_frame: int | None
    last_frame: int | None
    syn_frames: tuple[int, ...]
    """Frames of the first eight SYN (or SYN/ACK) segments."""
    last_syn_ns: int | None
    first_syn_ns: int | None
    rst_frame: int | None
    rst_ns: int | None
    fin_frame: int | None
    fin_ns: int | None
    payload_frame: int | None
    """First frame with payload."""
    payload_ns: int | None
    last_payload_ns: int | None
    mss: int | None
    """MSS option of the SYN."""
    acked_bytes: int
    """TCP: bytes of this side's stream that the other side acknowledged."""
    largest_payload: int
    stuck_retransmissions: int
    """Most retransmissions of one and the same unacknowledged segment."""
    stuck_bytes: int
    """Payload bytes of that segment."""
    stuck_frame: int | None
    """First frame of that segment."""
    sums_right: int = 0
    """Frames with right checksums, of those that were judged: SYNs, the first with payload, what was sent again."""
    sums_wrong: int = 0
    """Of them, frames with a wrong one that no offload explains."""
    sums_partial: int = 0
    """Of them, frames whose checksum holds what a kernel leaves for the NIC to complete."""
    wrong_frames: tuple[int, ...] = ()
    """The first four frames with a wrong checksum."""


class Closing(NamedTuple):
    """The first FIN or RST of a flow. Earlier ones sort first."""

    ts_ns: int
    frame: int
    how: End
    by_originator: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One 5-tuple within one VLAN or tunnel, both ways."""

    index: int
    protocol: int
    """IP protocol number: 6 TCP, 17 UDP."""
    vlan: int
    """Outermost VLAN id, 0 when untagged."""
    inner_vlan: int | None
    vni: int | None
    originator: Half
    responder: Half
    began: bool
    """TCP: its first SYN was seen; otherwise who is the originator is a guess by port."""
    twins: int
    """Frames left out of the counts since they were recorded before."""

    @property
    def closing(self) -> Closing | None:
        """Who ended a TCP flow first, and how; None while nobody has."""
        ends = [
            Closing(ts_ns, frame, how, half is self.originator)
            for half in (self.originator, self.responder)
            for how, ts_ns, frame in ((End.FIN, half.fin_ns, half.fin_frame), (End.RST, half.rst_ns, half.rst_frame))
            if ts_ns is not None and frame is not None
        ]
        return min(ends, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A TCP flow with what one dissector read from it, both directions in time order."""

    flow: Flow
    seen: tuple[Seen[Any], ...]
    originator_end: End
    responder_end: End


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """All that one dissector's ``pair`` may look at, of one capture."""

    seen: tuple[Seen[Any], ...] = ()
    """Its messages in time order, twins left out."""
    conversations: tuple[Conversation, ...] = ()
    """By TCP flow: flows whose bytes it was given, also where no message came of them."""
    exchanges: tuple[Any, ...] = ()
    """For one that builds on another: what the other's ``pair`` made of its traffic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dissector:
    """What a dissector module declares as ``DISSECTOR``. Claims are data, so a new one changes no code.

    Either it reads bytes (``read`` and claims), or it builds on another dissector's messages, which are then parsed
    once.
    """

    name: str
    """Wireshark's protocol name where there is one."""
    spec: str
    """RFC, standard, or CloudStack source file."""
    messages: tuple[type, ...]
    """The message classes that ``read`` or ``refine`` yields."""
    read: Callable[[Cursor], Iterator[object]] | None = None
    """Bytes to messages; None for one that builds on another's messages."""
    builds_on: str | None = None
    """Name of the dissector whose messages this one refines and whose traffic it pairs; it claims nothing itself."""
    refine: Callable[[Seen[Any]], Iterator[object]] | None = None
    """A message of that dissector to messages of this one; None takes them as they are."""
    layer: Layer = Layer.PAYLOAD
    ethertypes: frozenset[int] = frozenset()
    llc_saps: frozenset[int] = frozenset()
    """Destination SAP of 802.3 frames (0x42 STP, 0xAA SNAP)."""
    eth_dsts: frozenset[int] = frozenset()
    """Destination MACs as 48-bit integers."""
    ip_protocols: frozenset[int] = frozenset()
    udp_ports: frozenset[int] = frozenset()
    tcp_ports: frozenset[int] = frozenset()
    tcp_starts: frozenset[bytes] = frozenset()
    """The two bytes that a TCP direction begins with, on any port."""
    tcp_late: frozenset[bytes] = frozenset()
    """The two bytes that a segment begins with when hardly anything it can use will follow in that direction: it gets
    this segment and the next such one, no more."""
    stream_sample: Sample | None = None
    """Which of many alike streams are worth reading: alike when VLAN, server port and the first bytes of payload are
    equal (and the addresses, where ``by_ends``)."""
    stream_bytes: int = 65_536
    """How much of each direction of a TCP stream it can use."""
    fragments: bool = False
    """Reads first fragments of UDP datagrams as they come; others get datagrams put together."""
    sample: Sample | None = None
    """None: every claimed frame becomes messages."""
    pair: Callable[[Traffic], Iterator[object]] | None = None
    exchanges: tuple[type, ...] = ()
    """The exchange classes that ``pair`` yields."""
    names: frozenset[str] = frozenset()
    """Message fields (dotted where they lie within others) that name hosts, domains, users or whoever owns something:
    what is replaced by pseudonyms where a capture is to be given away."""
    withheld: Callable[[Any], str | None] | None = None
    """What secret a message of its own was read past or masked, in words of one thing ("password"); None of none."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Message fields that stand for something secret, and why; for the reader of ``pcapdx dissectors``."""


def in_time_order(seen: Sequence[Seen[Any]]) -> tuple[Seen[Any], ...]:
    """Messages ordered by time, then frame number (captures may hold frames out of order)."""
    return tuple(sorted(seen, key=_WHEN))


_WHEN = attrgetter("frame.ts_ns", "frame.number")
