"""What is kept of a capture's frames to find them again in another: a row a frame, thinned out by a consistent sample.

Frames whose loss tells most (DHCP, ARP, the first segments of connections, ICMP) are counted apart; of the others, if
there are very many, those are kept whose fingerprint has enough zero bits, which are the same ones in every capture
(trajectory sampling, Duffield & Grossglauser, SIGCOMM 2000).
"""

import numpy as np

from pcapdx.frame import FRAGMENT, TWIN, ip_words
from pcapdx.sieve.columns import Array, Column, dtype

ARP, RARP, OTHER = -1, -2, -3
"""``protocol`` of frames without IP."""
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
SYN, RST = 2, 4
DHCP_PORTS = (67, 68, 546, 547)
SMALLEST = 60
"""Of an Ethernet frame on the wire, without its checksum; NICs pad what is shorter when they send it."""
MOST_ROWS = 1 << 15
"""Of each of the two kinds; beyond it every second one is dropped."""

TRAIL_COLUMNS = (
    Column("fingerprint", "i8", "hash of what the packet keeps on its way"),
    Column("ts_ns", "i8", "time by the capture's own clock"),
    Column("number", "i8", "frame number"),
    Column("eth_src", "i8", "source MAC, -1 without"),
    Column("eth_dst", "i8", "destination MAC, -1 without"),
    Column("src", "i8", "source IPv4 address; a hash of an IPv6 address, above 2^62; -1 without"),
    Column("dst", "i8", "destination, likewise"),
    Column("vni", "i8", "VXLAN/GENEVE network identifier or GRE key, -1 without"),
    Column("vlan", "i4", "outermost VLAN id, 0 untagged or only a priority tag"),
    Column("inner_vlan", "i4", "second VLAN id, -1 without"),
    Column("priority", "i2", "1 when its outermost tag is a priority tag (id 0)"),
    Column("protocol", "i4", "IP protocol; -1 ARP, -2 RARP, -3 anything else"),
    Column("service", "i4", "port of the side that was asked, 0 without ports"),
    Column("sport", "i4", "source port"),
    Column("dport", "i4", "destination port"),
    Column("flow", "i4", "index into the capture's flow table, -1 without"),
    Column("asks", "i2", "1 when the flow's originator sent it"),
    Column("tcp_flags", "i4", "as in frames"),
    Column("wire_bytes", "i8", "bytes on the wire"),
    Column("payload", "i8", "payload bytes by the IP header"),
)
TRAIL = dtype(TRAIL_COLUMNS)


class Trail:
    """The rows kept of one capture so far."""

    def __init__(self) -> None:
        self._telling: list[Array] = []
        self._rest: list[Array] = []
        self.telling_mask = 0
        """A telling row is kept when these bits of its fingerprint are zero; 0 keeps all."""
        self.mask = 0
        """Likewise for the other rows."""
        self.cut_at: int | None = None
        """Bytes that long frames were cut to; None where all are whole."""
        self._merged: Array | None = None

    def keep(self, frames: Array) -> None:
        """Takes what it needs of a block's FRAME rows: not copies, nor later fragments, which have no ports."""
        cut = frames["captured_bytes"] < frames["wire_bytes"]
        if np.any(cut):
            self.cut_at = max(self.cut_at or 0, int(frames["captured_bytes"][cut].max()))
        wanted = (frames["flags"] & (TWIN | FRAGMENT)) == 0
        if self.mask:
            # most of a large capture is not in the sample: leave it before the columns are made
            wanted &= ((frames["fingerprint"] & self.mask) == 0) | _may_tell(frames)
        self.take(_rows(frames[wanted]))

    def take(self, rows: Array) -> None:
        """Adds rows, TRAIL, as far as they are in the sample."""
        self._merged = None
        telling = _is_telling(rows)
        self.telling_mask = _append(self._telling, rows[telling], self.telling_mask)
        self.mask = _append(self._rest, rows[~telling], self.mask)

    @property
    def rows(self) -> Array:
        """All kept rows by time."""
        if self._merged is None:
            merged = np.concatenate([*self._telling, *self._rest, np.zeros(0, TRAIL)])
            self._merged = merged[np.argsort(merged["ts_ns"], kind="stable")]
        return self._merged

    @property
    def homes(self) -> Array:
        """MACs of the host that a NIC is of: their ARP frames are not padded yet, while those of others are."""
        rows = self.rows[self.rows["protocol"] == ARP]
        short = np.unique(rows["eth_src"][rows["wire_bytes"] < SMALLEST])
        padded = np.unique(rows["eth_src"][rows["wire_bytes"] >= SMALLEST])
        return np.setdiff1d(short, padded) if len(padded) else short[:0]

    @property
    def sampled(self) -> bool:
        """Some of its frames were left out for their number."""
        return bool(self.mask or self.telling_mask)


def in_sample(rows: Array, one: Trail, other: Trail) -> Array:
    """Which of a trail's rows both trails would have kept (a mask)."""
    if not one.sampled and not other.sampled:
        return np.ones(len(rows), np.bool_)
    masks = np.where(_is_telling(rows), one.telling_mask | other.telling_mask, one.mask | other.mask)
    kept: Array = (rows["fingerprint"] & masks) == 0
    return kept


def _append(parts: list[Array], rows: Array, mask: int) -> int:
    """Adds the rows of the sample, halving it until it fits; returns the mask in use."""
    parts.append(rows[(rows["fingerprint"] & mask) == 0])
    while sum(map(len, parts)) > MOST_ROWS:
        mask = mask << 1 | 1
        whole = np.concatenate(parts)
        parts[:] = [whole[(whole["fingerprint"] & mask) == 0]]
        if mask > 1 << 40:  # rows all alike: no hash divides them
            parts[:] = [parts[0][:MOST_ROWS]]
            break
    return mask


def _is_telling(rows: Array) -> Array:
    """DHCP, ARP, ICMP and what opens or refuses a connection: few, and decisive when lost."""
    protocol = rows["protocol"]
    opens = (protocol == TCP) & ((rows["tcp_flags"] & (SYN | RST)) != 0)
    found: Array = (
        opens
        | (protocol == ARP)
        | (protocol == RARP)
        | (protocol == ICMP)
        | (protocol == ICMPV6)
        | np.isin(rows["service"], DHCP_PORTS)
    )
    return found


def _may_tell(frames: Array) -> Array:
    """FRAME rows that could be telling ones (a mask), all of them and some more."""
    protocol, version = frames["ip_protocol"], frames["ip_version"]
    ports = np.isin(frames["dport"], DHCP_PORTS) | np.isin(frames["sport"], DHCP_PORTS)
    flagged = (protocol == TCP) & ((frames["tcp_flags"] & (SYN | RST)) != 0)
    found: Array = (version == 0) | flagged | (protocol == ICMP) | (protocol == ICMPV6) | ports
    return found


def _rows(frames: Array) -> Array:
    rows = np.zeros(len(frames), TRAIL)
    for name in ("fingerprint", "ts_ns", "number", "vni", "sport", "dport", "flow", "tcp_flags", "wire_bytes"):
        rows[name] = frames[name]
    rows["eth_src"], rows["eth_dst"] = frames["eth_src_int"], frames["eth_dst_int"]
    rows["payload"] = frames["payload_wire_bytes"]
    rows["asks"] = frames["from_originator"]
    rows["vlan"] = np.where(frames["tag0_tci"] >= 0, frames["tag0_tci"] & 0xFFF, 0)
    rows["inner_vlan"] = np.where(frames["tag1_tci"] >= 0, frames["tag1_tci"] & 0xFFF, -1)
    rows["priority"] = (frames["tag0_tci"] >= 0) & (rows["vlan"] == 0)
    ethertype, version = frames["ethertype"], frames["ip_version"]
    link = np.select([ethertype == 0x0806, ethertype == 0x8035], [ARP, RARP], OTHER)
    rows["protocol"] = np.where(version > 0, frames["ip_protocol"], link)
    rows["service"] = np.where(frames["from_originator"] == 1, frames["dport"], frames["sport"])
    # both ports of DHCP are its own, and an answer may come first
    dhcp = np.isin(frames["sport"], DHCP_PORTS) & np.isin(frames["dport"], DHCP_PORTS)
    rows["service"][dhcp] = np.where(frames["dport"][dhcp] < 500, 67, 547)
    rows["src"] = _address(frames, "src", version)
    rows["dst"] = _address(frames, "dst", version)
    return rows


def row_address(ip: str) -> int:
    """An address as rows have it."""
    version, first, second, third, last = ip_words(ip)
    mixed = last ^ (third << 17) ^ (second << 29) ^ (first << 11)
    return last if version == 4 else (mixed & ((1 << 62) - 1)) | 1 << 62


def _address(frames: Array, side: str, version: Array) -> Array:
    """IPv4 addresses as they are, IPv6 addresses hashed into what IPv4 leaves free."""
    words = [frames[f"{side}{i}"] for i in range(4)]
    mixed = words[3] ^ (words[2] << 17) ^ (words[1] << 29) ^ (words[0] << 11)
    hashed = (mixed & ((1 << 62) - 1)) | 1 << 62
    return np.where(version == 4, words[3], np.where(version == 6, hashed, -1))
