"""Kernel: the flow table.

A flow is a 5-tuple within one VLAN or tunnel, both ways. Its originator is who sent the first SYN, or, where the
capture began later, the side with the higher port. A SYN with another initial number on ports that were used before
begins a new row (the old one stays); the hash index then points to the newer. Twins are counted and otherwise left out.

What one direction did stands in a row of its own (``sides[2 * flow + side]``, side 0 the originator's). Stream
positions are relative to ``base_seq`` and unwrapped to 63 bits, so they grow through 2**32.
"""

from pcapdx.sieve.columns import Array
from pcapdx.sieve.tables import clock, mix, vlan_id

FIN, SYN, RST, ACK = 1, 2, 4, 16
TCP = 6
MASK32 = 0xFFFF_FFFF


def hash_end(version: int, w0: int, w1: int, w2: int, w3: int, port: int) -> int:
    """Hash of one endpoint."""
    if version == 6:
        w3 ^= mix(mix(w0, w1), w2)
    return mix(port, w3)


def hash_flow(key: int, row: Array) -> int:
    """Equal for both directions: the sum of the two endpoints' hashes."""
    version = int(row["ip_version"])
    a = hash_end(version, int(row["src0"]), int(row["src1"]), int(row["src2"]), int(row["src3"]), int(row["sport"]))
    b = hash_end(version, int(row["dst0"]), int(row["dst1"]), int(row["dst2"]), int(row["dst3"]), int(row["dport"]))
    return mix((a >> 1) + (b >> 1), key)


def same_ends(row: Array, flow: Array) -> bool:
    """Whether the frame goes from the flow's originator to its responder."""
    return bool(
        row["sport"] == flow["sport"]
        and row["dport"] == flow["dport"]
        and row["src3"] == flow["src3"]
        and row["dst3"] == flow["dst3"]
        and row["src2"] == flow["src2"]
        and row["dst2"] == flow["dst2"]
        and row["src1"] == flow["src1"]
        and row["dst1"] == flow["dst1"]
        and row["src0"] == flow["src0"]
        and row["dst0"] == flow["dst0"]
    )


def swapped_ends(row: Array, flow: Array) -> bool:
    """Whether the frame goes from the flow's responder to its originator."""
    return bool(
        row["sport"] == flow["dport"]
        and row["dport"] == flow["sport"]
        and row["src3"] == flow["dst3"]
        and row["dst3"] == flow["src3"]
        and row["src2"] == flow["dst2"]
        and row["dst2"] == flow["src2"]
        and row["src1"] == flow["dst1"]
        and row["dst1"] == flow["src1"]
        and row["src0"] == flow["dst0"]
        and row["dst0"] == flow["src0"]
    )


def find_flow(key: int, row: Array, flows: Array, sides: Array, index: Array, state: Array) -> int:
    """Row of the frame's flow, made when new, and sets ``from_originator``; -1 when the table is full."""
    slot = hash_flow(key, row) & (len(index) - 1)
    at = int(index[slot]) - 1
    while at >= 0:
        flow = flows[at]
        if flow["vlan_key"] == key and flow["protocol"] == row["ip_protocol"]:
            if same_ends(row, flow):
                row["from_originator"] = 1
                break
            if swapped_ends(row, flow):
                row["from_originator"] = 0
                break
        at = int(flow["next_index"])
    if at >= 0 and not starts_anew(row, flows[at], sides[2 * at], sides[2 * at + 1]):
        return at
    at = int(state[0])
    if at == len(flows):
        return -1
    state[0] = at + 1
    open_flow(key, row, flows[at])
    open_side(sides[2 * at])
    open_side(sides[2 * at + 1])
    flows[at]["next_index"] = index[slot] - 1
    index[slot] = at + 1
    return at


def starts_anew(row: Array, flow: Array, originator: Array, responder: Array) -> bool:
    """Whether a SYN reuses the ports of a flow that is over or had another initial sequence number."""
    if flow["protocol"] != TCP or row["tcp_flags"] & (SYN | ACK) != SYN:
        return False
    sender = originator if row["from_originator"] == 1 else responder
    if sender["syn"] == 0:
        return bool(originator["fin"] + originator["rst"] + responder["fin"] + responder["rst"] > 0)
    return bool(sender["base_seq"] != (int(row["tcp_seq"]) + 1) & MASK32)


def open_flow(key: int, row: Array, flow: Array) -> None:
    """Fills the columns that say which flow this is, and decides who its originator is."""
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
    row["from_originator"] = 0 if turned else 1
    if turned:
        flow["sport"], flow["dport"] = row["dport"], row["sport"]
        flow["src0"], flow["src1"], flow["src2"], flow["src3"] = row["dst0"], row["dst1"], row["dst2"], row["dst3"]
        flow["dst0"], flow["dst1"], flow["dst2"], flow["dst3"] = row["src0"], row["src1"], row["src2"], row["src3"]
    else:
        flow["sport"], flow["dport"] = row["sport"], row["dport"]
        flow["src0"], flow["src1"], flow["src2"], flow["src3"] = row["src0"], row["src1"], row["src2"], row["src3"]
        flow["dst0"], flow["dst1"], flow["dst2"], flow["dst3"] = row["dst0"], row["dst1"], row["dst2"], row["dst3"]


def open_side(side: Array) -> None:
    """Nothing sent yet."""
    side["mac"] = -1
    side["base_seq"] = -1
    side["repeat_seq"] = -1


def count_flow(row: Array, side: Array, other: Array) -> bool:
    """Counts a frame that is no twin for its ``side``; True when it is the side's first, or its MAC changed."""
    now, payload = clock(row), int(row["payload_wire_bytes"])
    first = side["packets"] == 0
    fresh = side["mac"] != row["eth_src_int"]
    if first:
        side["first_ns"] = now
        side["first_frame"] = row["number"]
    elif fresh:
        side["mac_changes"] += 1
    side["mac"] = row["eth_src_int"]
    side["packets"] += 1
    side["wire_bytes"] += row["wire_bytes"]
    side["last_ns"] = now
    side["last_frame"] = row["number"]
    if payload > 0:
        if side["payload_bytes"] == 0:
            side["payload_frame"] = row["number"]
            side["payload_ns"] = now
        side["payload_bytes"] += payload
        side["last_payload_ns"] = now
        if payload > side["largest_payload"]:
            side["largest_payload"] = payload
    if row["ip_protocol"] == TCP:
        count_flags(row, side)
        count_stream(row, side, other, payload)
    return bool(first or fresh)


def count_flags(row: Array, side: Array) -> None:
    """SYN, FIN, RST and windows of one TCP segment."""
    flags, now = int(row["tcp_flags"]), clock(row)
    if flags & (SYN | FIN | RST) == 0:
        if row["tcp_window"] == 0:
            side["zero_windows"] += 1
        return
    if flags & SYN:
        count = int(side["syn"])
        if count < 8:
            side["syn_frames"][count] = row["number"]
        if count == 0:
            side["first_syn_ns"] = now
        side["syn"] = count + 1
        side["last_syn_ns"] = now
        side["mss"] = row["tcp_mss"]
    if flags & FIN:
        if side["fin"] == 0:
            side["fin_frame"] = row["number"]
            side["fin_ns"] = now
        side["fin"] += 1
    if flags & RST:
        if side["rst"] == 0:
            side["rst_frame"] = row["number"]
            side["rst_ns"] = now
        side["rst"] += 1


def is_over(side: Array, other: Array) -> bool:
    """Whether both sides have closed."""
    return bool(side["fin"] + side["rst"] > 0 and other["fin"] + other["rst"] > 0)


def unwrap(sequence: int, base: int, near: int) -> int:
    """Position of a raw sequence number relative to ``base``, taken to lie within 2**31 of ``near``."""
    delta = (sequence - base - near) & MASK32
    if delta >= 0x8000_0000:
        delta -= 0x1_0000_0000
    return near + delta


def count_stream(row: Array, side: Array, other: Array, payload: int) -> None:
    """Positions, retransmissions and acknowledgements of one TCP segment."""
    flags, sequence = int(row["tcp_flags"]), int(row["tcp_seq"])
    if side["base_seq"] < 0 and flags & RST == 0:
        side["base_seq"] = (sequence + 1) & MASK32 if flags & SYN else sequence
    if payload > 0 and side["base_seq"] >= 0:
        reached = int(side["next_seq"])
        at = unwrap(sequence, int(side["base_seq"]), reached)
        if at + payload > reached:
            side["next_seq"] = at + payload
            if side["repeat_seq"] != at:
                side["repeat_count"] = 0
        elif at + payload > side["acked"] or payload > 1:
            # a keep-alive repeats one acknowledged byte and is no retransmission
            count_retransmission(row, side, at, payload)
    elif flags & FIN and side["base_seq"] >= 0:
        # it ends the stream: what lies before it was sent, seen or not
        at = unwrap(sequence, int(side["base_seq"]), int(side["next_seq"]))
        if at > side["next_seq"]:
            side["next_seq"] = at
    if flags & ACK and other["base_seq"] >= 0:
        acked = unwrap(int(row["tcp_ack"]), int(other["base_seq"]), int(other["acked"]))
        # an acknowledgement of a FIN counts one beyond the stream
        acked = min(acked, int(other["next_seq"]))
        if acked > other["acked"]:
            other["acked"] = acked


def count_retransmission(row: Array, side: Array, at: int, payload: int) -> None:
    """One segment whose bytes had been seen; keeps the worst case of one segment that is never acknowledged."""
    side["retransmissions"] += 1
    if side["repeat_seq"] == at:
        side["repeat_count"] += 1
    else:
        side["repeat_seq"] = at
        side["repeat_count"] = 1
    if at >= side["acked"] and side["repeat_count"] > side["stuck_count"]:
        side["stuck_count"] = side["repeat_count"]
        side["stuck_bytes"] = payload
        if side["repeat_count"] == 1:
            side["stuck_frame"] = row["number"]


def rehash_flows(count: int, flows: Array, index: Array) -> None:
    """Fills an empty ``index`` with the rows there are; newer rows come first in their chain."""
    for at in range(count):
        flow = flows[at]
        version = int(flow["ip_version"])
        a = hash_end(
            version, int(flow["src0"]), int(flow["src1"]), int(flow["src2"]), int(flow["src3"]), int(flow["sport"])
        )
        b = hash_end(
            version, int(flow["dst0"]), int(flow["dst1"]), int(flow["dst2"]), int(flow["dst3"]), int(flow["dport"])
        )
        slot = mix((a >> 1) + (b >> 1), int(flow["vlan_key"])) & (len(index) - 1)
        flow["next_index"] = index[slot] - 1
        index[slot] = at + 1
