"""One frame as the sieve saw it: every column of :data:`pcapdx.sieve.columns.FRAME`, by the same names in the same
order.

Only the few frames that a dissector claims ever become such a Python value. It keeps the row's bytes and unpacks a
column when somebody reads it (as Python integers the columns would take six times the memory); addresses become text
then, too.
"""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import NamedTuple, Self

RECEIVED, SENT = 1, 2

BROADCAST_MAC = 0xFFFF_FFFF_FFFF

TWIN = 1
"""Flag: the same packet in the same VLAN came less than 5 ms before (tap and bridge, SPAN, ``-i any``)."""
FRAGMENT = 2
"""Flag: an IP fragment other than the first; its ports are unknown."""
CUT = 4
"""Flag: the snap length cut bytes off this frame."""


class Tag(NamedTuple):
    """One VLAN tag (IEEE 802.1Q-2018, 9.6)."""

    tpid: int
    """0x8100 customer, 0x88a8 service, 0x9100 older QinQ."""
    pcp: int
    """Priority, 0-7."""
    dei: int
    """Drop eligible, 0 or 1 (the former CFI bit)."""
    vid: int
    """VLAN id; 0 is a priority tag, no VLAN."""


class Packed:
    """A column of a frame: where in the row's bytes it stands, and how it is packed (a :mod:`struct` format)."""

    __slots__ = ("_read", "at", "format")

    def __init__(self, format: str) -> None:
        self.format = format
        self.at = 0
        self._read = Struct("<" + format).unpack_from

    def __get__(self, frame: "Frame", owner: type) -> int:
        value: int = self._read(frame.packed, self.at)[0]
        return value


class Address:
    """An address in four columns, as text; None where there is none."""

    __slots__ = ("_first", "_version")

    def __init__(self, version: Packed, first: Packed) -> None:
        self._version = version
        self._first = first

    def __get__(self, frame: "Frame", owner: type) -> str | None:
        version = self._version.__get__(frame, owner)
        return ip_text(version, *_ADDRESS(frame.packed, self._first.at)) if version else None


Segment = tuple[int, int, int]
"""Ids of outermost and second VLAN tag and the VNI, -1 without: what tells broadcast domains apart."""


def segment_of(vlan: int, inner_vlan: int | None, vni: int | None) -> Segment:
    """The segment of what keeps its parts with None for "without"."""
    return vlan, -1 if inner_vlan is None else inner_vlan, -1 if vni is None else vni


class Frame:
    """The columns of one frame. Of a tunnelled frame these are the innermost frame's, and the outer addresses."""

    __slots__ = ("number", "packed", "ts_ns")

    packed: bytes
    number: int
    ts_ns: int

    def __init__(self, packed: bytes) -> None:
        """``packed`` is a row of :data:`pcapdx.sieve.columns.FRAME`."""
        self.packed = packed
        self.number, self.ts_ns = _HEAD.unpack_from(packed)

    captured_bytes = Packed("q")
    wire_bytes = Packed("q")
    interface = Packed("q")
    link_type = Packed("i")
    direction = Packed("h")
    flags = Packed("i")
    eth_src_int = Packed("q")
    eth_dst_int = Packed("q")
    tag_count = Packed("h")
    tag0_tpid = Packed("i")
    tag0_tci = Packed("i")
    tag1_tpid = Packed("i")
    tag1_tci = Packed("i")
    ethertype = Packed("i")
    tunnel = Packed("h")
    vni = Packed("q")
    outer_ip_version = Packed("h")
    outer_src0 = Packed("q")
    outer_src1 = Packed("q")
    outer_src2 = Packed("q")
    outer_src3 = Packed("q")
    outer_dst0 = Packed("q")
    outer_dst1 = Packed("q")
    outer_dst2 = Packed("q")
    outer_dst3 = Packed("q")
    outer_tci = Packed("i")
    outer_dport = Packed("i")
    ip_version = Packed("h")
    src0 = Packed("q")
    src1 = Packed("q")
    src2 = Packed("q")
    src3 = Packed("q")
    dst0 = Packed("q")
    dst1 = Packed("q")
    dst2 = Packed("q")
    dst3 = Packed("q")
    ip_protocol = Packed("h")
    ttl = Packed("h")
    ip_id = Packed("q")
    fragment_offset = Packed("q")
    more_fragments = Packed("h")
    sport = Packed("i")
    dport = Packed("i")
    tcp_flags = Packed("i")
    tcp_seq = Packed("q")
    tcp_ack = Packed("q")
    tcp_window = Packed("q")
    tcp_mss = Packed("i")
    tag_offset = Packed("q")
    link_offset = Packed("q")
    network_offset = Packed("q")
    transport_offset = Packed("q")
    payload_offset = Packed("q")
    end_offset = Packed("q")
    payload_wire_bytes = Packed("q")
    flow = Packed("i")
    from_originator = Packed("h")
    claims = Packed("q")
    fingerprint = Packed("q")
    anomaly = Packed("h")
    anomaly_offset = Packed("q")

    src = Address(ip_version, src0)
    """Source IP address."""
    dst = Address(ip_version, dst0)
    outer_src = Address(outer_ip_version, outer_src0)
    """Source of the outermost tunnel header (a VTEP)."""
    outer_dst = Address(outer_ip_version, outer_dst0)

    @classmethod
    def at(cls, packed: bytes, place: int) -> Self:
        """The frame at a place of many rows packed one after the other."""
        return cls(packed[place * _ROW.size : (place + 1) * _ROW.size])

    @classmethod
    def made(cls, **columns: int) -> Self:
        """A frame with these columns, all others 0."""
        return cls(bytes(_ROW.size)).replaced(**columns)

    def replaced(self, **columns: int) -> Self:
        """The same frame but for these columns."""
        places = {name: place for place, name in enumerate(COLUMNS)}
        values = list(_ROW.unpack(self.packed))
        for name, value in columns.items():
            values[places[name]] = value
        return type(self)(_ROW.pack(*values))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frame) and self.packed == other.packed

    def __hash__(self) -> int:
        return hash(self.packed)

    def __repr__(self) -> str:
        return f"<Frame {self.number}>"

    @property
    def eth_src(self) -> str | None:
        """Source MAC as text; None where the link layer has none (raw IP, loopback)."""
        return mac_text(self.eth_src_int)

    @property
    def eth_dst(self) -> str | None:
        """Destination MAC as text; None where the link layer keeps none (Linux cooked captures, raw IP)."""
        return mac_text(self.eth_dst_int)

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The first two VLAN tags, outermost first; ``tag_count`` tells how many there were."""
        pairs = ((self.tag0_tpid, self.tag0_tci), (self.tag1_tpid, self.tag1_tci))
        return tuple(Tag(tpid, tci >> 13, tci >> 12 & 1, tci & 0xFFF) for tpid, tci in pairs if tci >= 0)

    @property
    def vlan(self) -> int:
        """The VLAN this frame is in: id of the outermost tag, 0 when untagged or only priority-tagged."""
        tci = self.tag0_tci
        return tci & 0xFFF if tci >= 0 else 0

    @property
    def segment(self) -> Segment:
        """Ids of outermost and second VLAN tag and the VNI, -1 without: equal for frames of one broadcast domain."""
        outer, inner, vni = _SEGMENT(self.packed, _SEGMENT_AT)
        return outer & 0xFFF if outer >= 0 else 0, inner & 0xFFF or -1 if inner >= 0 else -1, vni

    @property
    def twin(self) -> bool:
        """This frame is one more recording of the same packet; counting it would count the packet twice."""
        return bool(self.flags & TWIN)


def _laid_out() -> dict[str, str]:
    """Column name to format, in the order of a row; tells each column its place."""
    formats = {"number": "q", "ts_ns": "q"}
    for name, column in vars(Frame).items():
        if isinstance(column, Packed):
            column.at = Struct("<" + "".join(formats.values())).size
            formats[name] = column.format
    return formats


def _between(*wanted: str) -> Callable[..., tuple[int, ...]]:
    """Unpacks some columns at once from where the first of them begins; they are asked for very often together."""
    formats, behind = "<", 0
    for name in wanted:
        column = vars(Frame)[name]
        formats += f"{column.at - behind}x" * bool(behind) + column.format
        behind = column.at + Struct("<" + column.format).size
    return Struct(formats).unpack_from


_HEAD = Struct("<qq")
_ADDRESS = Struct("<4q").unpack_from
COLUMNS = _laid_out()
"""A frame's columns and their formats."""
_ROW = Struct("<" + "".join(COLUMNS.values()))
_SEGMENT_AT = Frame.__dict__["tag0_tci"].at
_SEGMENT = _between("tag0_tci", "tag1_tci", "vni")


@lru_cache(maxsize=1 << 14)
def mac_text(address: int) -> str | None:
    """``aa:bb:cc:dd:ee:ff`` of a 48-bit integer; None of a negative one."""
    if address < 0:
        return None
    digits = f"{address:012x}"
    return ":".join((digits[0:2], digits[2:4], digits[4:6], digits[6:8], digits[8:10], digits[10:12]))


def mac_int(text: str) -> int:
    """The inverse of :func:`mac_text`, case-insensitive; ValueError when it is no MAC address."""
    parts = text.split(":")
    if len(parts) != 6 or not all(1 <= len(part) <= 2 for part in parts):
        raise ValueError(f"not a MAC address: {text!r}")
    return int("".join(part.zfill(2) for part in parts), 16)


@lru_cache(maxsize=1 << 14)
def ip_text(version: int, w0: int, w1: int, w2: int, w3: int) -> str | None:
    """An address kept as four 32-bit words (IPv4 in the last) as text; None when ``version`` is neither 4 nor 6."""
    if version == 4:
        return f"{w3 >> 24}.{w3 >> 16 & 255}.{w3 >> 8 & 255}.{w3 & 255}"
    if version == 6:
        return str(IPv6Address(w0 << 96 | w1 << 64 | w2 << 32 | w3))
    return None


def ip_words(text: str) -> tuple[int, int, int, int, int]:
    """(version, four words) of an address as the columns keep it; ValueError when it is no address."""
    if ":" in text:
        value = int(IPv6Address(text))
        return 6, value >> 96, value >> 64 & 0xFFFF_FFFF, value >> 32 & 0xFFFF_FFFF, value & 0xFFFF_FFFF
    return 4, 0, 0, 0, int(IPv4Address(text))
