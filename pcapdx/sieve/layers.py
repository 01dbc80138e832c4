"""Kernel: one frame's headers, from the link layer to TCP and UDP, through up to two tunnels.

Theory of operation: :func:`read_frame` fills one FRAME row. A frame is Ethernet (or a Linux cooked, raw or loopback
header) around at most ``MAX_TAGS`` tags around IP around TCP or UDP; where that holds VXLAN, GENEVE or GRE, the outer
addresses are set aside and the same steps read the inner frame. Every read stands behind a comparison with the end of
the captured bytes; what does not fit becomes the row's anomaly, and the columns read before it stay.

Offsets in here are absolute in the block; columns hold them from the start of the frame. The functions run plain and
compiled (see :mod:`pcapdx.compiled`).
"""

from typing import Any

from pcapdx.sieve.columns import Array

MAX_TAGS = 32
MAX_EXTENSION_HEADERS = 16
MAX_TUNNELS = 2

HEADER_CUT, HEADER_SHORT, LENGTH_LIES, TOO_MANY_TAGS, TOO_MANY_HEADERS, UNKNOWN_LINK = 1, 2, 3, 4, 5, 6
AT_ETHERNET, AT_VLAN, AT_IP, AT_IPV6, AT_TCP, AT_UDP, AT_TUNNEL, AT_SLL = 0, 16, 32, 48, 64, 80, 96, 112

ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_BRIDGED = 0x0800, 0x86DD, 0x6558
VXLAN, GENEVE, GRE = 1, 2, 3
NO_MAC = -1

place = int
"""How bytes are indexed; see :mod:`pcapdx.compiled`."""


def be8(data: Any, at: int) -> int:
    """One byte."""
    return int(data[place(at)])


def be16(data: Any, at: int) -> int:
    """Two bytes, big endian."""
    return (int(data[place(at)]) << 8) | int(data[place(at + 1)])


def be32(data: Any, at: int) -> int:
    """Four bytes, big endian."""
    return (be16(data, at) << 16) | be16(data, at + 2)


def be48(data: Any, at: int) -> int:
    """Six bytes, big endian: a MAC address."""
    return (be16(data, at) << 32) | be32(data, at + 2)


def note(row: Array, kind: int, layer: int, at: int, start: int) -> None:
    """Keeps the first thing that is wrong with a frame."""
    if row["anomaly"] == 0:
        row["anomaly"] = kind | layer
        row["anomaly_offset"] = at - start


def short(row: Array, layer: int, at: int, start: int) -> None:
    """A header does not fit: cut by the snap length, or never whole."""
    cut = row["captured_bytes"] < row["wire_bytes"]
    note(row, HEADER_CUT if cut else HEADER_SHORT, layer, at, start)


def clear(row: Array) -> None:
    """Sets the columns below the record to "nothing there"."""
    row["flags"] = 0
    row["eth_src_int"] = NO_MAC
    row["eth_dst_int"] = NO_MAC
    row["tunnel"] = 0
    row["vni"] = -1
    row["outer_ip_version"] = 0
    row["outer_tci"] = -1
    row["outer_dport"] = 0
    row["outer_src0"] = row["outer_src1"] = row["outer_src2"] = row["outer_src3"] = 0
    row["outer_dst0"] = row["outer_dst1"] = row["outer_dst2"] = row["outer_dst3"] = 0
    row["anomaly"] = 0
    row["anomaly_offset"] = 0
    row["flow"] = -1
    row["from_originator"] = 1
    row["claims"] = 0
    row["fingerprint"] = 0
    clear_link(row)
    clear_network(row)


def clear_link(row: Array) -> None:
    """No tags, no ethertype."""
    row["tag_count"] = 0
    row["tag0_tpid"] = 0
    row["tag0_tci"] = -1
    row["tag1_tpid"] = 0
    row["tag1_tci"] = -1
    row["ethertype"] = 0
    row["tag_offset"] = 0
    row["link_offset"] = 0


def clear_network(row: Array) -> None:
    """No IP, no ports."""
    row["ip_version"] = 0
    row["src0"] = row["src1"] = row["src2"] = row["src3"] = 0
    row["dst0"] = row["dst1"] = row["dst2"] = row["dst3"] = 0
    row["ip_protocol"] = 0
    row["ttl"] = 0
    row["ip_id"] = 0
    row["fragment_offset"] = 0
    row["more_fragments"] = 0
    row["network_offset"] = 0
    clear_transport(row)


def clear_transport(row: Array) -> None:
    """No ports, no payload."""
    row["sport"] = 0
    row["dport"] = 0
    row["tcp_flags"] = 0
    row["tcp_seq"] = 0
    row["tcp_ack"] = 0
    row["tcp_window"] = 0
    row["tcp_mss"] = 0
    row["transport_offset"] = 0
    row["payload_offset"] = 0
    row["payload_wire_bytes"] = 0


def read_frame(data: Any, start: int, row: Array) -> None:
    """Reads the frame at ``start`` of ``data`` into ``row``, whose record columns are set already."""
    clear(row)
    end = start + int(row["captured_bytes"])
    row["end_offset"] = end - start
    if row["captured_bytes"] < row["wire_bytes"]:
        row["flags"] = 4
    link_type = int(row["link_type"])
    if link_type == 1:
        read_ethernet(data, start, end, start, row)
    elif link_type == 113:
        read_cooked(data, start, end, row)
    elif link_type == 276:
        read_cooked_v2(data, start, end, row)
    elif link_type in (12, 14, 101, 228, 229):
        row["link_offset"] = 0
        read_raw_ip(data, start, end, start, row)
    elif link_type in (0, 108):
        if end - start < 4:
            short(row, AT_ETHERNET, start, start)
        else:
            row["link_offset"] = 4
            read_raw_ip(data, start + 4, end, start, row)
    else:
        note(row, UNKNOWN_LINK, AT_ETHERNET, start, start)
    follow_tunnels(data, start, row)


def read_ethernet(data: Any, at: int, end: int, start: int, row: Array) -> None:
    """IEEE 802.3 header at ``at``, then what it carries."""
    if end - at < 14:
        short(row, AT_ETHERNET, at, start)
        return
    row["eth_dst_int"] = be48(data, at)
    row["eth_src_int"] = be48(data, at + 6)
    read_ethertype(data, at + 12, end, start, row)


def read_cooked(data: Any, start: int, end: int, row: Array) -> None:
    """Linux cooked capture v1 (LINKTYPE_LINUX_SLL): no destination MAC, packet type 4 is outgoing."""
    if end - start < 16:
        short(row, AT_SLL, start, start)
        return
    set_cooked(data, row, be16(data, start), be16(data, start + 4), start + 6)
    read_ethertype(data, start + 14, end, start, row)


def read_cooked_v2(data: Any, start: int, end: int, row: Array) -> None:
    """Linux cooked capture v2 (LINKTYPE_LINUX_SLL2): the protocol comes first, so it is read apart from its place."""
    if end - start < 20:
        short(row, AT_SLL, start, start)
        return
    set_cooked(data, row, be8(data, start + 10), be8(data, start + 11), start + 12)
    read_payload(data, be16(data, start), start + 20, end, start, row)


def set_cooked(data: Any, row: Array, packet_type: int, address_bytes: int, address_at: int) -> None:
    """Direction and source MAC of a cooked header."""
    row["direction"] = 2 if packet_type == 4 else 1
    if address_bytes == 6:
        row["eth_src_int"] = be48(data, address_at)


def read_ethertype(data: Any, at: int, end: int, start: int, row: Array) -> None:
    """The ethertype (or 802.3 length) at ``at`` and what follows; the caller has checked its two bytes."""
    read_payload(data, be16(data, at), at + 2, end, start, row)


def read_payload(data: Any, ethertype: int, at: int, end: int, start: int, row: Array) -> None:
    """Passes tags and LLC/SNAP, then reads IP where that is what ``ethertype`` says."""
    tags = 0
    while ethertype in (0x8100, 0x88A8, 0x9100, 0x9200):
        if tags == MAX_TAGS:
            note(row, TOO_MANY_TAGS, AT_VLAN, at, start)
            return
        if end - at < 4:
            short(row, AT_VLAN, at, start)
            break
        if tags == 0:
            row["tag0_tpid"] = ethertype
            row["tag0_tci"] = be16(data, at)
            row["tag_offset"] = at - 2 - start
        elif tags == 1:
            row["tag1_tpid"] = ethertype
            row["tag1_tci"] = be16(data, at)
        tags += 1
        row["tag_count"] = tags
        ethertype = be16(data, at + 2)
        at += 4
    row["ethertype"] = ethertype
    row["link_offset"] = at - start
    if ethertype < 1536:
        # 802.3: the field is a length; SNAP with OUI 0 carries an ethertype of its own (RFC 1042)
        if ethertype <= 1500 and ethertype > 4 and at + ethertype < end:
            end = at + ethertype
            row["end_offset"] = end - start
        if end - at < 8 or be8(data, at) != 0xAA or be8(data, at + 1) != 0xAA or be32(data, at + 2) >> 8 != 0x030000:
            return
        if be8(data, at + 5) != 0:
            return
        ethertype = be16(data, at + 6)
        at += 8
    if ethertype == ETHERTYPE_IPV4:
        read_ipv4(data, at, end, start, row)
    elif ethertype == ETHERTYPE_IPV6:
        read_ipv6(data, at, end, start, row)


def read_raw_ip(data: Any, at: int, end: int, start: int, row: Array) -> None:
    """IP of the version its first nibble says (raw and loopback link types)."""
    if end - at < 1:
        short(row, AT_IP, at, start)
        return
    version = be8(data, at) >> 4
    if version == 4:
        row["ethertype"] = ETHERTYPE_IPV4
        read_ipv4(data, at, end, start, row)
    elif version == 6:
        row["ethertype"] = ETHERTYPE_IPV6
        read_ipv6(data, at, end, start, row)


def read_ipv4(data: Any, at: int, end: int, start: int, row: Array) -> None:
    """RFC 791 header with options, then the transport header of a first or only fragment."""
    if end - at < 20:
        short(row, AT_IP, at, start)
        return
    header = (be8(data, at) & 15) * 4
    total = be16(data, at + 2)
    if be8(data, at) >> 4 != 4 or header < 20:
        note(row, LENGTH_LIES, AT_IP, at, start)
        return
    row["network_offset"] = at - start
    row["ip_version"] = 4
    row["src3"] = be32(data, at + 12)
    row["dst3"] = be32(data, at + 16)
    row["ip_protocol"] = be8(data, at + 9)
    row["ttl"] = be8(data, at + 8)
    row["ip_id"] = be16(data, at + 4)
    fragment = be16(data, at + 6)
    row["fragment_offset"] = (fragment & 0x1FFF) * 8
    row["more_fragments"] = fragment >> 13 & 1
    wire_end = start + int(row["wire_bytes"])
    if total == 0:
        # segmentation offload: the kernel had not yet filled the length in
        packet_end = wire_end
    elif total < header:
        note(row, LENGTH_LIES, AT_IP, at + 2, start)
        return
    else:
        packet_end = at + total
        if packet_end > wire_end:
            note(row, LENGTH_LIES, AT_IP, at + 2, start)
            packet_end = wire_end
    read_transport(data, be8(data, at + 9), at + header, packet_end, end, start, row)


def read_ipv6(data: Any, at: int, end: int, start: int, row: Array) -> None:
    """RFC 8200 header and extension headers, then the transport header."""
    if end - at < 40:
        short(row, AT_IPV6, at, start)
        return
    if be8(data, at) >> 4 != 6:
        note(row, LENGTH_LIES, AT_IPV6, at, start)
        return
    row["network_offset"] = at - start
    row["ip_version"] = 6
    row["src0"] = be32(data, at + 8)
    row["src1"] = be32(data, at + 12)
    row["src2"] = be32(data, at + 16)
    row["src3"] = be32(data, at + 20)
    row["dst0"] = be32(data, at + 24)
    row["dst1"] = be32(data, at + 28)
    row["dst2"] = be32(data, at + 32)
    row["dst3"] = be32(data, at + 36)
    row["ttl"] = be8(data, at + 7)
    wire_end = start + int(row["wire_bytes"])
    length = be16(data, at + 4)
    packet_end = wire_end if length == 0 else at + 40 + length
    if packet_end > wire_end:
        note(row, LENGTH_LIES, AT_IPV6, at + 4, start)
        packet_end = wire_end
    protocol = be8(data, at + 6)
    at += 40
    for _ in range(MAX_EXTENSION_HEADERS):
        if protocol not in (0, 43, 44, 51, 60, 135):
            read_transport(data, protocol, at, packet_end, end, start, row)
            return
        if end - at < 8:
            row["ip_protocol"] = protocol
            short(row, AT_IPV6, at, start)
            return
        if protocol == 44:
            size = 8
            row["fragment_offset"] = be16(data, at + 2) & 0xFFF8
            row["more_fragments"] = be8(data, at + 3) & 1
            row["ip_id"] = be32(data, at + 4)
        elif protocol == 51:
            size = (be8(data, at + 1) + 2) * 4
        else:
            size = (be8(data, at + 1) + 1) * 8
        protocol = be8(data, at)
        at += size
        if row["fragment_offset"] > 0:
            break
    else:
        note(row, TOO_MANY_HEADERS, AT_IPV6, at, start)
        return
    read_transport(data, protocol, at, packet_end, end, start, row)


def read_transport(data: Any, protocol: int, at: int, packet_end: int, end: int, start: int, row: Array) -> None:
    """TCP or UDP at ``at``; ``packet_end`` is where the IP packet ends on the wire, ``end`` where the capture does."""
    row["ip_protocol"] = protocol
    row["transport_offset"] = at - start
    if packet_end < end:
        end = packet_end
    row["end_offset"] = end - start
    if row["fragment_offset"] > 0:
        row["flags"] = row["flags"] | 2
        return
    if at > packet_end:
        note(row, LENGTH_LIES, AT_IP, at, start)
        return
    if protocol == 6:
        read_tcp(data, at, packet_end, end, start, row)
    elif protocol == 17:
        read_udp(data, at, packet_end, end, start, row)
    else:
        row["payload_offset"] = at - start
        row["payload_wire_bytes"] = packet_end - at


def read_tcp(data: Any, at: int, packet_end: int, end: int, start: int, row: Array) -> None:
    """RFC 9293 header and its MSS option."""
    if end - at < 20:
        if end - at >= 4:
            row["sport"] = be16(data, at)
            row["dport"] = be16(data, at + 2)
        short(row, AT_TCP, at, start)
        return
    row["sport"] = be16(data, at)
    row["dport"] = be16(data, at + 2)
    row["tcp_seq"] = be32(data, at + 4)
    row["tcp_ack"] = be32(data, at + 8)
    row["tcp_flags"] = be16(data, at + 12) & 0x1FF
    row["tcp_window"] = be16(data, at + 14)
    header = (be8(data, at + 12) >> 4) * 4
    if header < 20 or at + header > packet_end:
        note(row, LENGTH_LIES, AT_TCP, at + 12, start)
        return
    row["payload_offset"] = min(at + header, end) - start
    row["payload_wire_bytes"] = packet_end - at - header
    if row["tcp_flags"] & 2:
        row["tcp_mss"] = read_mss(data, at + 20, min(at + header, end))


def read_mss(data: Any, at: int, end: int) -> int:
    """The MSS option (kind 2) among TCP options, 0 without; at most 40 steps, as every option is a byte at least."""
    for _ in range(40):
        if at >= end or be8(data, at) == 0:
            return 0
        if be8(data, at) == 1:
            at += 1
            continue
        if end - at < 2 or be8(data, at + 1) < 2:
            return 0
        if be8(data, at) == 2 and be8(data, at + 1) == 4 and end - at >= 4:
            return be16(data, at + 2)
        at += be8(data, at + 1)
    return 0


def read_udp(data: Any, at: int, packet_end: int, end: int, start: int, row: Array) -> None:
    """RFC 768 header. A length beyond the IP packet is noted and not followed."""
    if end - at < 8:
        if end - at >= 4:
            row["sport"] = be16(data, at)
            row["dport"] = be16(data, at + 2)
        short(row, AT_UDP, at, start)
        return
    row["sport"] = be16(data, at)
    row["dport"] = be16(data, at + 2)
    length = be16(data, at + 4)
    # a length of 0 is a jumbogram or offload (RFC 2675); fragments hold less than the datagram's length
    if length != 0 and row["more_fragments"] == 0:
        if length < 8 or at + length > packet_end:
            note(row, LENGTH_LIES, AT_UDP, at + 4, start)
        else:
            packet_end = at + length
    row["payload_offset"] = at + 8 - start
    row["payload_wire_bytes"] = packet_end - at - 8
    if packet_end < end:
        row["end_offset"] = packet_end - start


def follow_tunnels(data: Any, start: int, row: Array) -> None:
    """Replaces the columns by the inner frame's, as long as there is one."""
    for _ in range(MAX_TUNNELS):
        at = start + int(row["payload_offset"])
        end = start + int(row["end_offset"])
        if row["ip_version"] == 0 or row["fragment_offset"] > 0 or row["more_fragments"] == 1 or at >= end:
            return
        if row["ip_protocol"] == 17:
            port = int(row["dport"])
            if port in (4789, 8472) and end - at >= 22 and be8(data, at) & 8:
                enter(row, VXLAN, be32(data, at + 4) >> 8)
                read_ethernet(data, at + 8, end, start, row)
                continue
            if port == 6081 and end - at >= 8 and be8(data, at) >> 6 == 0:
                inner = at + 8 + (be8(data, at) & 63) * 4
                kind = be16(data, at + 2)
                vni = be32(data, at + 4) >> 8
                if kind == ETHERTYPE_BRIDGED and end - inner >= 14:
                    enter(row, GENEVE, vni)
                    read_ethernet(data, inner, end, start, row)
                    continue
                if kind in (ETHERTYPE_IPV4, ETHERTYPE_IPV6) and end - inner >= 20:
                    enter(row, GENEVE, vni)
                    read_payload(data, kind, inner, end, start, row)
                    continue
            return
        if row["ip_protocol"] != 47 or not read_gre(data, at, end, start, row):
            return


def read_gre(data: Any, at: int, end: int, start: int, row: Array) -> bool:
    """GRE (RFC 2784, 2890) with Ethernet, IP or ERSPAN inside; False when there is nothing to enter."""
    if end - at < 4 or be8(data, at + 1) & 7:
        return False
    kind = be16(data, at + 2)
    inner = at + 4
    if be8(data, at) & 0x80:
        inner += 4
    key = -1
    if be8(data, at) & 0x20:
        if end - inner < 4:
            return False
        key = be32(data, inner)
        inner += 4
    sequenced = be8(data, at) & 0x10
    if sequenced:
        inner += 4
    if kind == 0x88BE and sequenced:
        # ERSPAN type II; type I has neither sequence number nor header
        inner += 8
    elif kind == 0x22EB:
        if end - inner < 12:
            return False
        inner += 20 if be8(data, inner + 11) & 1 else 12
    if kind in (ETHERTYPE_BRIDGED, 0x88BE, 0x22EB):
        if end - inner < 14:
            return False
        enter(row, GRE, key)
        read_ethernet(data, inner, end, start, row)
        return True
    if kind in (ETHERTYPE_IPV4, ETHERTYPE_IPV6) and end - inner >= 20:
        enter(row, GRE, key)
        read_payload(data, kind, inner, end, start, row)
        return True
    return False


def enter(row: Array, tunnel: int, vni: int) -> None:
    """Sets the outermost addresses aside and clears the way for the inner frame's columns."""
    if row["tunnel"] == 0:
        row["outer_ip_version"] = row["ip_version"]
        row["outer_src0"] = row["src0"]
        row["outer_src1"] = row["src1"]
        row["outer_src2"] = row["src2"]
        row["outer_src3"] = row["src3"]
        row["outer_dst0"] = row["dst0"]
        row["outer_dst1"] = row["dst1"]
        row["outer_dst2"] = row["dst2"]
        row["outer_dst3"] = row["dst3"]
        row["outer_tci"] = row["tag0_tci"]
        row["outer_dport"] = row["dport"]
    row["tunnel"] = tunnel
    row["vni"] = vni
    clear_link(row)
    clear_network(row)
