"""Kernel: the flow table.

A flow is a 5-tuple within one VLAN or tunnel, both ways. Its originator is who sent the first SYN, or, where the capture
began later, the side with the higher port. A SYN with another initial number on ports that were used before begins a new
row (the old one stays); the hash index then points to the newer. Twins are counted and otherwise left out.

Stream positions are relative to ``base_seq`` and unwrapped to 63 bits, so they grow through 2**32.
"""

from pcapdx.compiled import MASK63
from pcapdx.sieve.columns import Array
from pcapdx.sieve.tables import mix, vlan_id

FIN, SYN, RST, ACK = 1, 2, 4, 16
TCP = 6
MASK32 = 0xFFFF_FFFF


def hash_flow(key: int, row: Array) -> int:
    """Equal for both directions: the sum of the two endpoints' hashes."""
    a = mix(
        mix(int(row["src0"]) << 32 | int(row["src1"]), int(row["src2"]) << 32 | int(row["src3"])), int(row["sport"])
    )
    b = mix(
        mix(int(row["dst0"]) << 32 | int(row["dst1"]), int(row["dst2"]) << 32 | int(row["dst3"])), int(row["dport"])
    )
    return mix(mix((a + b) & MASK63, key), int(row["ip_protocol"]))


def hash_row(flow: Array) -> int:
    """The same hash of a row of the table."""
    a = mix(
        mix(int(flow["src"][0]) << 32 | int(flow["src"][1]), int(flow["src"][2]) << 32 | int(flow["src"][3])),
        int(flow["port"][0]),
    )
    b = mix(
        mix(int(flow["dst"][0]) << 32 | int(flow["dst"][1]), int(flow["dst"][2]) << 32 | int(flow["dst"][3])),
        int(flow["port"][1]),
    )
    return mix(mix((a + b) & MASK63, int(flow["vlan_key"])), int(flow["protocol"]))


def is_side(row: Array, flow: Array, side: int) -> bool:
    """Whether ``side`` (0 originator, 1 responder) of the flow sent this frame."""
    src, dst = flow["src"], flow["dst"]
    if side == 1:
        src, dst = flow["dst"], flow["src"]
    return bool(
        row["sport"] == flow["port"][side]
        and row["dport"] == flow["port"][1 - side]
        and row["src3"] == src[3]
        and row["dst3"] == dst[3]
        and row["src2"] == src[2]
        and row["dst2"] == dst[2]
        and row["src1"] == src[1]
        and row["dst1"] == dst[1]
        and row["src0"] == src[0]
        and row["dst0"] == dst[0]
    )


def find_flow(key: int, row: Array, flows: Array, index: Array, state: Array) -> int:
    """Row of the frame's flow, made when new, and sets ``from_originator``; -1 when the table is full."""
    slot = hash_flow(key, row) & (len(index) - 1)
    at = int(index[slot]) - 1
    while at >= 0:
        flow = flows[at]
        if (
            flow["vlan_key"] == key
            and flow["protocol"] == row["ip_protocol"]
            and flow["ip_version"] == row["ip_version"]
        ):
            if is_side(row, flow, 0):
                row["from_originator"] = 1
                break
            if is_side(row, flow, 1):
                row["from_originator"] = 0
                break
        at = int(flow["next_index"])
    if at >= 0 and not starts_anew(row, flows[at]):
        return at
    at = int(state[0])
    if at == len(flows):
        return -1
    state[0] = at + 1
    open_flow(key, row, flows[at])
    flows[at]["next_index"] = index[slot] - 1
    index[slot] = at + 1
    return at


def starts_anew(row: Array, flow: Array) -> bool:
    """Whether a SYN reuses the ports of a flow that is over or had another initial sequence number."""
    if flow["protocol"] != TCP or row["tcp_flags"] & (SYN | ACK) != SYN:
        return False
    side = 1 - int(row["from_originator"])
    if flow["base_seq"][side] < 0 or flow["syn"][side] == 0:
        return bool(flow["fin"][0] + flow["fin"][1] + flow["rst"][0] + flow["rst"][1] > 0)
    return bool(flow["base_seq"][side] != (int(row["tcp_seq"]) + 1) & MASK32)


def open_flow(key: int, row: Array, flow: Array) -> None:
    """Fills the columns that say which flow this is."""
    flags = int(row["tcp_flags"])
    tcp = row["ip_protocol"] == TCP
    opening = tcp and flags & (SYN | ACK) == SYN
    answering = tcp and flags & (SYN | ACK) == SYN | ACK
    turned = answering or (not opening and row["sport"] < row["dport"])
    flow["vlan_key"] = key
    flow["ip_version"] = row["ip_version"]
    flow["protocol"] = row["ip_protocol"]
    flow["vlan"] = vlan_id(row)
    flow["inner_vlan"] = int(row["tag1_tci"]) & 0xFFF if row["tag1_tci"] >= 0 else -1
    flow["vni"] = row["vni"]
    flow["began"] = 1 if opening else 0
    src, dst = flow["src"], flow["dst"]
    if turned:
        src, dst = flow["dst"], flow["src"]
    src[0], src[1], src[2], src[3] = row["src0"], row["src1"], row["src2"], row["src3"]
    dst[0], dst[1], dst[2], dst[3] = row["dst0"], row["dst1"], row["dst2"], row["dst3"]
    side = 1 if turned else 0
    flow["port"][side] = row["sport"]
    flow["port"][1 - side] = row["dport"]
    row["from_originator"] = 1 - side
    for i in range(2):
        flow["mac"][i] = -1
        flow["base_seq"][i] = -1
        flow["repeat_seq"][i] = -1
        flow["first_ns"][i] = flow["last_ns"][i] = flow["first_frame"][i] = flow["last_frame"][i] = -1


def count_flow(row: Array, flow: Array) -> bool:
    """Counts a frame that is no twin; True when it is the side's first, or its MAC changed."""
    side = 1 - int(row["from_originator"])
    now, number, payload = int(row["ts_ns"]), int(row["number"]), int(row["payload_wire_bytes"])
    first = flow["packets"][side] == 0
    fresh = first or flow["mac"][side] != row["eth_src_int"]
    if fresh and not first:
        flow["mac_changes"][side] += 1
    flow["mac"][side] = row["eth_src_int"]
    if first:
        flow["first_ns"][side] = now
        flow["first_frame"][side] = number
    flow["packets"][side] += 1
    flow["wire_bytes"][side] += row["wire_bytes"]
    flow["last_ns"][side] = now
    flow["last_frame"][side] = number
    if payload > 0:
        if flow["payload_bytes"][side] == 0:
            flow["payload_frame"][side] = number
            flow["payload_ns"][side] = now
        flow["payload_bytes"][side] += payload
        flow["last_payload_ns"][side] = now
        if payload > flow["largest_payload"][side]:
            flow["largest_payload"][side] = payload
    if flow["protocol"] == TCP:
        count_flags(row, flow, side)
        count_stream(row, flow, side, payload)
    return bool(fresh)


def count_flags(row: Array, flow: Array, side: int) -> None:
    """SYN, FIN, RST and windows of one TCP segment."""
    flags, now, number = int(row["tcp_flags"]), int(row["ts_ns"]), int(row["number"])
    if flags & SYN:
        count = int(flow["syn"][side])
        if count < 8:
            flow["syn_frames"][side, count] = number
        if count == 0:
            flow["first_syn_ns"][side] = now
        flow["syn"][side] = count + 1
        flow["last_syn_ns"][side] = now
        flow["mss"][side] = row["tcp_mss"]
    if flags & FIN:
        if flow["fin"][side] == 0:
            flow["fin_frame"][side] = number
            flow["fin_ns"][side] = now
        flow["fin"][side] += 1
    if flags & RST:
        if flow["rst"][side] == 0:
            flow["rst_frame"][side] = number
            flow["rst_ns"][side] = now
        flow["rst"][side] += 1
    elif row["tcp_window"] == 0 and flags & SYN == 0:
        flow["zero_windows"][side] += 1


def unwrap(sequence: int, base: int, near: int) -> int:
    """Position of a raw sequence number relative to ``base``, taken to lie within 2**31 of ``near``."""
    delta = (sequence - base - near) & MASK32
    if delta >= 0x8000_0000:
        delta -= 0x1_0000_0000
    return near + delta


def count_stream(row: Array, flow: Array, side: int, payload: int) -> None:
    """Positions, retransmissions and acknowledgements of one TCP segment."""
    flags, sequence = int(row["tcp_flags"]), int(row["tcp_seq"])
    if flow["base_seq"][side] < 0 and flags & RST == 0:
        flow["base_seq"][side] = (sequence + 1) & MASK32 if flags & SYN else sequence
    if payload > 0 and flow["base_seq"][side] >= 0:
        at = unwrap(sequence, int(flow["base_seq"][side]), int(flow["next_seq"][side]))
        if at + payload > flow["next_seq"][side]:
            flow["next_seq"][side] = at + payload
            if flow["repeat_seq"][side] != at:
                flow["repeat_count"][side] = 0
        elif at + payload > flow["acked"][side] or payload > 1:
            # a keep-alive repeats one acknowledged byte and is no retransmission
            count_retransmission(row, flow, side, at, payload)
    other = 1 - side
    if flags & ACK and flow["base_seq"][other] >= 0:
        acked = unwrap(int(row["tcp_ack"]), int(flow["base_seq"][other]), int(flow["acked"][other]))
        # an acknowledgement of a FIN counts one beyond the stream
        acked = min(acked, int(flow["next_seq"][other]))
        if acked > flow["acked"][other]:
            flow["acked"][other] = acked


def count_retransmission(row: Array, flow: Array, side: int, at: int, payload: int) -> None:
    """One segment whose bytes had been seen; keeps the worst case of one segment that is never acknowledged."""
    flow["retransmissions"][side] += 1
    if flow["repeat_seq"][side] == at:
        flow["repeat_count"][side] += 1
    else:
        flow["repeat_seq"][side] = at
        flow["repeat_count"][side] = 1
    if at >= flow["acked"][side] and flow["repeat_count"][side] > flow["stuck_count"][side]:
        flow["stuck_count"][side] = flow["repeat_count"][side]
        flow["stuck_bytes"][side] = payload
        if flow["repeat_count"][side] == 1:
            flow["stuck_frame"][side] = row["number"]


def rehash_flows(count: int, flows: Array, index: Array) -> None:
    """Fills an empty ``index`` with the rows there are; newer rows come first in their chain."""
    for at in range(count):
        slot = hash_row(flows[at]) & (len(index) - 1)
        flows[at]["next_index"] = index[slot] - 1
        index[slot] = at + 1
