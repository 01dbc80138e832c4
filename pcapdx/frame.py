"""One frame as the sieve saw it: every column of :data:`pcapdx.sieve.columns.FRAME`, by the same names in the same
order.

Only the few frames that a dissector claims ever become such a Python value. Addresses are kept as integers, as in the
columns, and turned into text when somebody reads them.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

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


class Frame(NamedTuple):
    """The columns of one frame. Of a tunnelled frame these are the innermost frame's, and the outer addresses."""

    number: int
    ts_ns: int
    captured_bytes: int
    wire_bytes: int
    interface: int
    link_type: int
    direction: int
    flags: int
    eth_src_int: int
    eth_dst_int: int
    tag_count: int
    tag0_tpid: int
    tag0_tci: int
    tag1_tpid: int
    tag1_tci: int
    ethertype: int
    tunnel: int
    vni: int
    outer_ip_version: int
    outer_src0: int
    outer_src1: int
    outer_src2: int
    outer_src3: int
    outer_dst0: int
    outer_dst1: int
    outer_dst2: int
    outer_dst3: int
    outer_tci: int
    ip_version: int
    src0: int
    src1: int
    src2: int
    src3: int
    dst0: int
    dst1: int
    dst2: int
    dst3: int
    ip_protocol: int
    ttl: int
    ip_id: int
    fragment_offset: int
    more_fragments: int
    sport: int
    dport: int
    tcp_flags: int
    tcp_seq: int
    tcp_ack: int
    tcp_window: int
    tcp_mss: int
    tag_offset: int
    link_offset: int
    network_offset: int
    transport_offset: int
    payload_offset: int
    end_offset: int
    payload_wire_bytes: int
    flow: int
    from_originator: int
    claims: int
    fingerprint: int
    anomaly: int
    anomaly_offset: int

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
        return self.tag0_tci & 0xFFF if self.tag0_tci >= 0 else 0

    @property
    def segment(self) -> tuple[int, int, int]:
        """Ids of outermost and second VLAN tag and the VNI, -1 without: equal for frames of one broadcast domain."""
        inner = self.tag1_tci & 0xFFF if self.tag1_tci >= 0 else -1
        return self.vlan, inner, self.vni

    @property
    def src(self) -> str | None:
        """Source IP address as text; None where there is no IP."""
        return ip_text(self.ip_version, self.src0, self.src1, self.src2, self.src3)

    @property
    def dst(self) -> str | None:
        """Destination IP address as text; None where there is no IP."""
        return ip_text(self.ip_version, self.dst0, self.dst1, self.dst2, self.dst3)

    @property
    def outer_src(self) -> str | None:
        """Source of the outermost tunnel header (a VTEP)."""
        return ip_text(self.outer_ip_version, self.outer_src0, self.outer_src1, self.outer_src2, self.outer_src3)

    @property
    def outer_dst(self) -> str | None:
        """Destination of the outermost tunnel header."""
        return ip_text(self.outer_ip_version, self.outer_dst0, self.outer_dst1, self.outer_dst2, self.outer_dst3)

    @property
    def twin(self) -> bool:
        """This frame is one more recording of the same packet; counting it would count the packet twice."""
        return bool(self.flags & TWIN)


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
