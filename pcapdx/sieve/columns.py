"""The schema of the sieve: every column, declared once, with its type, unit and meaning.

Docs, tests and the kernel all read these tables. One row a frame lives only as long as its block; the other tables live
as long as the run and have caps. All types are signed, and wide enough for what an unsigned field of the wire can hold:
compiled code that mixes signed and unsigned 64-bit integers computes in floats.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Column(NamedTuple):
    """One column: name, NumPy type (with a shape where a cell holds several values), and what it means."""

    name: str
    type: str
    doc: str
    shape: tuple[int, ...] = ()


FRAME_COLUMNS = (
    Column("number", "i8", "frame number as Wireshark counts, from 1"),
    Column("ts_ns", "i8", "time, ns since 1970"),
    Column("captured_bytes", "i8", "bytes in the capture"),
    Column("wire_bytes", "i8", "bytes on the wire"),
    Column("interface", "i8", "index into the capture's interfaces"),
    Column("link_type", "i4", "LINKTYPE_ value"),
    Column("direction", "i2", "0 not told, 1 received, 2 sent (pcapng flags, or Linux cooked packet type)"),
    Column("flags", "i4", "bits: 1 twin, 2 later fragment, 4 cut by the snap length"),
    Column("eth_src_int", "i8", "source MAC, -1 where there is none"),
    Column("eth_dst_int", "i8", "destination MAC, -1 where there is none"),
    Column("tag_count", "i2", "VLAN tags in all"),
    Column("tag0_tpid", "i4", "TPID of the outermost tag"),
    Column("tag0_tci", "i4", "priority, DEI and id of the outermost tag, -1 without"),
    Column("tag1_tpid", "i4", "TPID of the second tag"),
    Column("tag1_tci", "i4", "TCI of the second tag, -1 without"),
    Column("ethertype", "i4", "after all tags; below 1536 a length (802.3)"),
    Column("tunnel", "i2", "0 none, 1 VXLAN, 2 GENEVE, 3 GRE"),
    Column("vni", "i8", "VXLAN/GENEVE network identifier or GRE key, -1 without"),
    Column("outer_ip_version", "i2", "of the outermost tunnel header, 0 without"),
    *(Column(f"outer_src{i}", "i8", "outer source address, word") for i in range(4)),
    *(Column(f"outer_dst{i}", "i8", "outer destination address, word") for i in range(4)),
    Column("outer_tci", "i4", "TCI of the tag outside the tunnel, -1 without"),
    Column("outer_dport", "i4", "destination port of the outermost tunnel, 0 without (GRE has none)"),
    Column("ip_version", "i2", "0 no IP, 4 or 6"),
    *(Column(f"src{i}", "i8", "source address, word (IPv4 in the last)") for i in range(4)),
    *(Column(f"dst{i}", "i8", "destination address, word (IPv4 in the last)") for i in range(4)),
    Column("ip_protocol", "i2", "after IPv6 extension headers"),
    Column("ttl", "i2", "TTL or hop limit"),
    Column("ip_id", "i8", "IPv4 identification, or that of the IPv6 fragment header"),
    Column("fragment_offset", "i8", "bytes"),
    Column("more_fragments", "i2", "1 when more follow"),
    Column("sport", "i4", "source port; 0 without"),
    Column("dport", "i4", "destination port; 0 without"),
    Column("tcp_flags", "i4", "as Wireshark: FIN 1, SYN 2, RST 4, PSH 8, ACK 16"),
    Column("tcp_seq", "i8", "raw sequence number"),
    Column("tcp_ack", "i8", "raw acknowledgement number"),
    Column("tcp_window", "i8", "as in the header, not scaled"),
    Column("tcp_mss", "i4", "MSS option, 0 without"),
    Column("tag_offset", "i8", "of the first tag, from the start of the frame"),
    Column("link_offset", "i8", "of what follows the last ethertype"),
    Column("network_offset", "i8", "of the IP header"),
    Column("transport_offset", "i8", "of what follows the IP header"),
    Column("payload_offset", "i8", "of what follows the TCP or UDP header"),
    Column("end_offset", "i8", "end of the captured bytes of this packet, link padding excluded"),
    Column("payload_wire_bytes", "i8", "payload on the wire, by the IP length"),
    Column("flow", "i4", "index into the flow table, -1 without"),
    Column("from_originator", "i2", "1 when the flow's originator sent it"),
    Column("claims", "i8", "bit i set: dissector i should see this frame"),
    Column("fingerprint", "i8", "63-bit hash of what does not change on the way (tags, MACs, NAT, TTL excluded)"),
    Column("anomaly", "i2", "what is wrong with the headers, see ANOMALIES"),
    Column("anomaly_offset", "i8", "where, from the start of the frame"),
)

FLOW_COLUMNS = (
    Column("vlan_key", "i8", "outermost VLAN id | inner << 12 | tunnel and VNI << 24"),
    *(Column(f"src{i}", "i8", "originator's address, word") for i in range(4)),
    *(Column(f"dst{i}", "i8", "responder's address, word") for i in range(4)),
    Column("sport", "i4", "originator's port"),
    Column("dport", "i4", "responder's port"),
    Column("ip_version", "i2", "4 or 6"),
    Column("protocol", "i2", "IP protocol"),
    Column("next_index", "i4", "chain of the hash index"),
    Column("claims", "i8", "dissectors that want this stream"),
    Column("declined", "i8", "dissectors that have seen enough streams like it"),
    Column("stream_limit", "i4", "stream bytes a direction that the most demanding of them wants"),
    Column("vlan", "i4", "outermost VLAN id, 0 untagged"),
    Column("inner_vlan", "i4", "second VLAN id, -1 without"),
    Column("began", "i4", "1 when the originator's first SYN was seen"),
    Column("vni", "i8", "-1 without"),
    Column("twins", "i8", "frames left out since recorded before"),
)

SIDE_COLUMNS = (
    # two rows a flow: 2 * flow is the originator's side, 2 * flow + 1 the responder's; the often written ones first
    Column("mac", "i8", "source MAC of the latest frame, -1 before any"),
    Column("packets", "i4", "frames sent, twins left out"),
    Column("wire_bytes", "i8", "bytes of them"),
    Column("payload_bytes", "i8", "by the IP headers, retransmissions included"),
    Column("last_ns", "i8", "time of the latest frame"),
    Column("last_frame", "i4", "its number"),
    Column("last_payload_ns", "i8", "latest frame with payload"),
    Column("base_seq", "i8", "sequence number of the first stream byte, -1 unknown"),
    Column("next_seq", "i8", "highest sequence number sent, relative to base_seq"),
    Column("acked", "i8", "highest of these bytes the other side acknowledged, relative"),
    Column("largest_payload", "i4", "bytes"),
    Column("spooled", "i4", "stream bytes handed to dissectors"),
    Column("first_ns", "i8", "time of the first frame"),
    Column("first_frame", "i4", "its number"),
    Column("payload_frame", "i4", "first with payload"),
    Column("payload_ns", "i8", "first with payload"),
    Column("mac_changes", "i4", "times another MAC than before sent for this side"),
    Column("syn", "i4", "SYN (responder: SYN/ACK) segments"),
    Column("fin", "i4", "FIN segments"),
    Column("rst", "i4", "RST segments"),
    Column("retransmissions", "i4", "segments whose bytes had been seen"),
    Column("zero_windows", "i4", "segments that advertise no window"),
    Column("mss", "i4", "of the SYN, 0 without"),
    Column("repeat_count", "i4", "times in a row that the segment at repeat_seq was sent again"),
    Column("repeat_seq", "i8", "relative number of the segment last retransmitted"),
    Column("stuck_count", "i4", "most retransmissions of one unacknowledged segment"),
    Column("stuck_bytes", "i4", "payload of it"),
    Column("stuck_frame", "i4", "frame of its first retransmission"),
    Column("first_syn_ns", "i8", "first SYN"),
    Column("last_syn_ns", "i8", "last SYN"),
    Column("fin_frame", "i4", "first FIN"),
    Column("fin_ns", "i8", "first FIN"),
    Column("rst_frame", "i4", "first RST"),
    Column("rst_ns", "i8", "first RST"),
    Column("syn_frames", "i4", "frames of the first eight SYN segments", (8,)),
    Column("sums_right", "i4", "of the frames whose checksum is judged, those with right ones"),
    Column("sums_wrong", "i4", "those with a wrong one"),
    Column("sums_partial", "i4", "those whose checksum was left to the NIC (offload)"),
    Column("wrong_frames", "i4", "the first four with a wrong one", (4,)),
)

TALKER_COLUMNS = (
    Column("vlan_key", "i8", "as in flows"),
    Column("mac", "i8", ""),
    Column("vlan", "i4", "outermost VLAN id, 0 untagged"),
    Column("vni", "i8", "-1 without"),
    Column("sent", "i8", "frames with this source MAC"),
    Column("received", "i8", "frames with this destination MAC"),
    Column("broadcasts", "i8", "group-addressed frames sent"),
    Column("short", "i8", "frames sent that were below 60 bytes: not yet padded, seen on the way out of their host"),
    Column("padded", "i8", "ARP and other small frames sent that carried link padding"),
    Column("out", "i8", "frames sent that the capture itself marks as outgoing"),
    Column("into", "i8", "frames sent that the capture itself marks as incoming"),
    Column("ip_frames", "i8", "IP frames sent"),
    Column("first_ns", "i8", ""),
    Column("last_ns", "i8", ""),
    Column("first_frame", "i8", ""),
    Column("last_frame", "i8", ""),
    Column("frames", "i8", "its first eight frames", (8,)),
    Column("first_received_ns", "i8", ""),
    Column("last_received_ns", "i8", ""),
    Column("addresses", "i8", "distinct IPs bound to it, as far as kept"),
    Column("odd_ttl", "i8", "IP frames sent with a TTL that has passed a router (not 64, 128, 255, 1)"),
    Column("tagged", "i8", "frames sent with a VLAN tag, priority tags included"),
    Column("tags_read", "i4", "its frames handed to dissectors of tags"),
    Column("tags_ns", "i8", "when the last of them was"),
    Column("next_index", "i4", "chain of the hash index"),
)

BINDING_COLUMNS = (
    Column("vlan_key", "i8", "as in flows"),
    Column("mac", "i8", ""),
    Column("vlan", "i4", "outermost VLAN id, 0 untagged"),
    Column("vni", "i8", "-1 without"),
    Column("ip_version", "i2", ""),
    Column("ip", "i8", "address, words", (4,)),
    Column("arp", "i8", "ARP frames in which the MAC claimed the address"),
    Column("packets", "i8", "IP frames from it"),
    Column("first_ns", "i8", ""),
    Column("last_ns", "i8", ""),
    Column("first_frame", "i8", ""),
    Column("last_frame", "i8", ""),
    Column("next_index", "i4", "chain of the hash index"),
)

REPEAT_COLUMNS = (
    Column("digest", "i8", "hash of a whole group-addressed frame"),
    Column("window_ns", "i8", "start of its current second"),
    Column("count", "i8", "times seen in that second"),
    Column("worst", "i8", "most in any second"),
    Column("worst_ns", "i8", "start of that second"),
    Column("frames", "i8", "its first eight frames in that second", (8,)),
    Column("window_frames", "i8", "the same of the current second", (8,)),
    Column("mac", "i8", "source MAC"),
    Column("vlan", "i4", "outermost VLAN id"),
    Column("total", "i8", "times seen in all"),
)

COUNTER_COLUMNS = (
    Column("frames", "i8", "all frames"),
    Column("ip_frames", "i8", "frames with IP"),
    Column("ip_twins", "i8", "of them, recorded before within 5 ms, whatever the tag"),
    Column("same_vlan_twins", "i8", "of them, in the same VLAN"),
    Column("cut", "i8", "frames cut by the snap length"),
    Column("backwards", "i8", "frames earlier than the one before"),
    Column("backwards_ns", "i8", "greatest step back"),
    Column("gap_ns", "i8", "longest silence"),
    Column("gap_frame", "i8", "frame that ended it"),
    Column("last_ns", "i8", "time of the latest frame"),
    Column("tagged", "i8", "frames with a tag of a VLAN id above 0"),
    Column("double_tagged", "i8", "frames with two tags of ids above 0"),
    Column("priority_tagged", "i8", "frames whose only tag has id 0"),
    Column("fragments", "i8", "IP fragments"),
    Column("group", "i8", "group-addressed frames"),
    Column("second_ns", "i8", "start of the current second, for the storm count"),
    Column("second_group", "i8", "broadcasts in it"),
    Column("second_distinct", "i8", "distinct ones of them"),
    Column("storm_run", "i8", "seconds in a row with more than 1000 broadcasts, less than a fifth distinct"),
    Column("storm_worst", "i8", "longest such run, seconds"),
    Column("storm_frame", "i8", "first frame of its last second"),
    Column("untracked_flows", "i8", "frames of flows beyond the table's cap"),
    Column("untracked_talkers", "i8", "frames of MACs beyond the table's cap"),
    Column("untracked_bindings", "i8", "frames with addresses beyond the table's cap"),
    Column("unknown_link", "i8", "frames of a link type that is not read"),
)

ANOMALIES = (
    "",
    "header-cut",  # a header runs past the captured bytes, which are fewer than on the wire
    "header-short",  # a header runs past the end of the frame as it was on the wire
    "length-lies",  # a length field says more than the frame holds, or less than its own header
    "too-many-tags",  # more VLAN tags than are followed
    "too-many-headers",  # more IPv6 extension headers than are followed
    "unknown-link-type",
)
ANOMALY_LAYERS = ("ethernet", "vlan", "ip", "ipv6", "tcp", "udp", "tunnel", "sll")


def dtype(columns: tuple[Column, ...]) -> np.dtype[Any]:
    """The record type of a table."""
    return np.dtype([(column.name, column.type, column.shape) for column in columns])


FRAME = dtype(FRAME_COLUMNS)
FLOW = dtype(FLOW_COLUMNS)
SIDE = dtype(SIDE_COLUMNS)
TALKER = dtype(TALKER_COLUMNS)
BINDING = dtype(BINDING_COLUMNS)
REPEAT = dtype(REPEAT_COLUMNS)
COUNTERS = dtype(COUNTER_COLUMNS)
