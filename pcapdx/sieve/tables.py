"""Kernel: what is kept beyond a block - talkers, address bindings, twins and repeated broadcasts.

Talkers and bindings are rows found through a hash index with chains: ``index[hash & mask]`` is the first row of a chain
plus one, and each row's ``next_index`` the next. The driver grows the arrays between blocks; a full table at its cap
only counts what it could not take. The functions run plain and compiled (see :mod:`pcapdx.compiled`).
"""

from typing import Any

from pcapdx.sieve.columns import Array
from pcapdx.sieve.layers import be8, be16, be32

MASK63 = 0x7FFF_FFFF_FFFF_FFFF
MASK32 = 0xFFFF_FFFF
TWIN_NS = 5_000_000
SECOND_NS = 1_000_000_000
FAR_NS = 1 << 62
"""In nanoseconds 146 years before and after 1970: beyond it a time is a writer's fault."""
STORM_BROADCASTS = 1000
FINGERPRINT_BYTES, FINGERPRINT_TCP_BYTES, FINGERPRINT_OTHER_BYTES = 16, 8, 28
"""Bytes of payload in the fingerprint: of a packet, of a TCP segment (which its sequence numbers tell apart), and those
behind the ethertype of what is no IP."""
ICMP, TCP = 1, 6
TWIN_BYTES = 512
"""Two DHCP messages may differ only in an option far behind."""
ROUTER_ADDRESSES = 64
"""A MAC that has sourced so many addresses is a router; further ones are not bound to it."""


def mix(digest: int, value: int) -> int:
    """One step of a 63-bit hash; both halves are multiplied by 31-bit primes, so that nothing overflows."""
    digest = (digest ^ value) & MASK63
    digest = ((digest & MASK32) * 0x7FEB352D) ^ ((digest >> 32) * 0x68E31DA5)
    return digest ^ (digest >> 31)


def clock(row: Array) -> int:
    """The frame's time, or 0 where it has none or one so far off that differences of times would overflow."""
    now = int(row["ts_ns"])
    return now if -FAR_NS < now < FAR_NS else 0


def vlan_key(row: Array) -> int:
    """What separates broadcast domains in one capture: both VLAN ids (a priority tag is none), tunnel kind and VNI."""
    key = 0
    if row["tag0_tci"] >= 0:
        key = int(row["tag0_tci"]) & 0xFFF
    if row["tag1_tci"] >= 0:
        key |= (int(row["tag1_tci"]) & 0xFFF) << 12
    if row["tunnel"] > 0:
        key |= ((int(row["vni"]) + 1) & 0x1FFFFFFFF) << 24 | int(row["tunnel"]) << 58
    return key


def fingerprint(data: Any, start: int, row: Array) -> int:
    """Hash of what a packet keeps on its way: not tags, MACs, TTL, checksums, nor addresses and ports (NAT).

    After trajectory sampling (Duffield & Grossglauser 2000): invariant header fields and the first payload bytes, so
    few that a capture cut at 96 bytes has them, too.
    """
    if row["ip_version"] == 0:
        at = start + int(row["link_offset"])
        digest = mix(1, int(row["ethertype"]))
        take = min(start + int(row["end_offset"]) - at, FINGERPRINT_OTHER_BYTES)
    else:
        digest = mix(int(row["ip_id"]) << 24 | int(row["fragment_offset"]) << 8, int(row["ip_protocol"]))
        digest = mix(digest, int(row["tcp_seq"]) << 16 | int(row["payload_wire_bytes"]))
        digest = mix(digest, int(row["tcp_ack"]) << 9 | int(row["tcp_flags"]))
        at = payload_at(start, row)
        most = FINGERPRINT_TCP_BYTES if row["ip_protocol"] == TCP else FINGERPRINT_BYTES
        if row["ip_protocol"] == ICMP and at + 4 <= start + int(row["end_offset"]):
            # not its checksum; that of ICMPv6 stays, for nothing else so near tells solicitations apart
            digest = mix(digest, be16(data, at))
            at += 4
            most -= 4
        take = min(start + int(row["end_offset"]) - at, most)
    return hash_bytes(data, at, take, digest)


def payload_at(start: int, row: Array) -> int:
    """Where the bytes behind the TCP, UDP or (without ports) the IP header begin."""
    return start + int(row["payload_offset"] if row["payload_offset"] != 0 else row["transport_offset"])


def hash_bytes(data: Any, at: int, count: int, digest: int) -> int:
    """Mixes ``count`` bytes into a hash, four at a time."""
    count = max(count, 0)
    whole = count & -4
    for i in range(0, whole, 4):
        digest = mix(digest, be32(data, at + i))
    for i in range(whole, count):
        digest = mix(digest, be8(data, at + i))
    return digest


def mark_twin(data: Any, start: int, row: Array, key: int, twins: Array, counters: Array) -> bool:
    """Whether this packet was recorded less than 5 ms ago in the same VLAN; counts also those in other VLANs.

    ``twins`` is a direct-mapped table: digest with addresses, time, VLAN key. A collision only forgets.
    """
    digest = int(row["fingerprint"])
    digest = mix(digest, int(row["src3"]) << 16 | int(row["sport"]))
    digest = mix(digest, int(row["dst3"]) << 16 | int(row["dport"]))
    if row["ip_version"] > 0 and row["ip_protocol"] != TCP:
        at = payload_at(start, row) + FINGERPRINT_BYTES
        digest = hash_bytes(data, at, min(start + int(row["end_offset"]) - at, TWIN_BYTES), digest)
    slot = twins[digest & (len(twins) - 1)]
    now = clock(row)
    found = slot["digest"] == digest and now != 0 and 0 <= now - int(slot["ts_ns"]) < TWIN_NS
    same_vlan = found and slot["vlan_key"] == key
    if row["ip_version"] > 0:
        counters["ip_frames"] += 1
        if found:
            counters["ip_twins"] += 1
        if same_vlan:
            counters["same_vlan_twins"] += 1
    slot["digest"] = digest
    slot["ts_ns"] = now
    slot["vlan_key"] = key
    if same_vlan:
        row["flags"] = row["flags"] | 1
    return bool(same_vlan)


def count_frame(row: Array, counters: Array) -> None:
    """The capture-wide counters that need no table."""
    now = clock(row)
    if counters["frames"] > 0 and now != 0:
        step = now - int(counters["last_ns"]) if counters["last_ns"] != 0 else 0
        if step < 0:
            counters["backwards"] += 1
            counters["backwards_ns"] = max(int(counters["backwards_ns"]), -step)
        elif step > counters["gap_ns"]:
            counters["gap_ns"] = step
            counters["gap_frame"] = row["number"]
    if now != 0 and (counters["last_ns"] == 0 or now > counters["last_ns"]):
        counters["last_ns"] = now
    counters["frames"] += 1
    if row["flags"] & 4:
        counters["cut"] += 1
    if row["anomaly"] & 15 == 6:
        counters["unknown_link"] += 1
    outer, inner = int(row["tag0_tci"]), int(row["tag1_tci"])
    if outer >= 0:
        if outer & 0xFFF:
            counters["tagged"] += 1
            if inner >= 0 and inner & 0xFFF:
                counters["double_tagged"] += 1
        elif inner < 0:
            counters["priority_tagged"] += 1
    if row["fragment_offset"] > 0 or row["more_fragments"]:
        counters["fragments"] += 1


def is_group(mac: int) -> bool:
    """Broadcast or multicast address."""
    return mac >= 0 and (mac >> 40) & 1 == 1


def count_repeat(data: Any, start: int, row: Array, repeats: Array, counters: Array) -> None:
    """Counts equal group-addressed frames by the second, for loops and storms.

    ``repeats`` is direct-mapped; a newcomer takes the slot of one whose second is over. Hellos that are equal by design
    (01:80:c2 link-local and 224.0.0.0/24) are left out.
    """
    dst = int(row["eth_dst_int"])
    if dst >> 24 == 0x0180C2 or dst >> 8 == 0x01005E0000:
        return
    counters["group"] += 1
    now = clock(row)
    second = now - now % SECOND_NS
    captured = int(row["captured_bytes"])
    digest = hash_bytes(data, start, min(captured, 96), captured)
    slot = repeats[digest & (len(repeats) - 1)]
    if slot["digest"] != digest:
        if slot["total"] > 1 and second - int(slot["window_ns"]) < SECOND_NS:
            return
        if slot["worst"] >= 10:
            return
        slot["digest"] = digest
        slot["window_ns"] = 0
        slot["count"] = 0
        slot["worst"] = 0
        slot["total"] = 0
        slot["mac"] = row["eth_src_int"]
        slot["vlan"] = vlan_id(row)
    fresh = slot["count"] == 0 or not 0 <= now - int(slot["window_ns"]) < SECOND_NS
    if fresh:
        slot["window_ns"] = now
        slot["count"] = 0
    count = int(slot["count"])
    if count < 8:
        slot["window_frames"][count] = row["number"]
    slot["count"] = count + 1
    slot["total"] += 1
    if count + 1 > slot["worst"]:
        slot["worst"] = count + 1
        slot["worst_ns"] = slot["window_ns"]
        for i in range(min(count + 1, 8)):
            slot["frames"][i] = slot["window_frames"][i]
    count_storm(second, fresh, row, counters)


def count_storm(second: int, fresh: bool, row: Array, counters: Array) -> None:
    """Runs of seconds with more than a thousand broadcasts of which less than a fifth are distinct."""
    if second != counters["second_ns"]:
        stormy = counters["second_group"] > STORM_BROADCASTS and (
            int(counters["second_distinct"]) * 5 < int(counters["second_group"])
        )
        if stormy and second - int(counters["second_ns"]) == SECOND_NS:
            counters["storm_run"] += 1
        else:
            counters["storm_run"] = 0
        counters["second_ns"] = second
        counters["second_group"] = 0
        counters["second_distinct"] = 0
        if counters["storm_run"] > counters["storm_worst"]:
            counters["storm_worst"] = counters["storm_run"]
            counters["storm_frame"] = row["number"]
    counters["second_group"] += 1
    if fresh:
        counters["second_distinct"] += 1


def vlan_id(row: Array) -> int:
    """Id of the outermost tag; 0 when untagged or priority-tagged."""
    return int(row["tag0_tci"]) & 0xFFF if row["tag0_tci"] >= 0 else 0


def find_talker(key: int, mac: int, talkers: Array, index: Array, state: Array) -> int:
    """Row of (VLAN, MAC), made when new; -1 when the table is full."""
    slot = mix(mix(3, key), mac) & (len(index) - 1)
    at = int(index[slot]) - 1
    while at >= 0:
        if talkers[at]["mac"] == mac and talkers[at]["vlan_key"] == key:
            return at
        at = int(talkers[at]["next_index"])
    at = int(state[1])
    if at == len(talkers):
        return -1
    state[1] = at + 1
    talker = talkers[at]
    talker["vlan_key"] = key
    talker["mac"] = mac
    talker["next_index"] = index[slot] - 1
    talker["first_ns"] = talker["last_ns"] = talker["first_received_ns"] = talker["last_received_ns"] = -1
    talker["first_frame"] = talker["last_frame"] = -1
    index[slot] = at + 1
    return at


def count_talkers(key: int, row: Array, talkers: Array, index: Array, counters: Array, state: Array) -> int:
    """Counts the sender and a unicast receiver; the sender's row, or -1."""
    src, dst, now = int(row["eth_src_int"]), int(row["eth_dst_int"]), clock(row)
    if src < 0:
        return -1
    if dst >= 0 and not is_group(dst):
        at = find_talker(key, dst, talkers, index, state)
        if at >= 0:
            receiver = talkers[at]
            if receiver["received"] == 0:
                receiver["first_received_ns"] = now
                receiver["vlan"] = vlan_id(row)
                receiver["vni"] = row["vni"]
            receiver["received"] += 1
            receiver["last_received_ns"] = now
    at = find_talker(key, src, talkers, index, state)
    if at < 0:
        counters["untracked_talkers"] += 1
        return -1
    talker = talkers[at]
    sent = int(talker["sent"])
    if sent == 0:
        talker["vlan"] = vlan_id(row)
        talker["vni"] = row["vni"]
        talker["first_ns"] = now
        talker["first_frame"] = row["number"]
    if sent < 8:
        talker["frames"][sent] = row["number"]
    talker["sent"] = sent + 1
    talker["last_ns"] = now
    talker["last_frame"] = row["number"]
    if is_group(dst):
        talker["broadcasts"] += 1
    if row["tag0_tci"] >= 0:
        talker["tagged"] += 1
    if row["direction"] == 2:
        talker["out"] += 1
    elif row["direction"] == 1:
        talker["into"] += 1
    if row["ip_version"] > 0:
        talker["ip_frames"] += 1
        if row["ttl"] not in (64, 128, 255, 1):
            talker["odd_ttl"] += 1
    count_padding(row, talker)
    return at


def count_padding(row: Array, talker: Array) -> None:
    """Small frames tell where they were caught: unpadded on the way out of their host, padded after a wire."""
    if row["link_type"] != 1 or row["tunnel"] > 0:
        return
    wire = int(row["wire_bytes"])
    if wire < 60:
        talker["short"] += 1
    elif wire <= 64:
        arp = row["ethertype"] == 0x0806 and wire > int(row["link_offset"]) + 28
        ip = row["ip_version"] == 4 and wire > int(row["end_offset"]) and row["flags"] & 4 == 0
        if arp or ip:
            talker["padded"] += 1


def hash_binding(key: int, mac: int, w0: int, w1: int, w2: int, w3: int) -> int:
    """Hash of a MAC's address in one VLAN."""
    digest = mix(mix(mix(5, key), mac), w3)
    if w0:
        digest = mix(mix(mix(digest, w0), w1), w2)
    return digest


def bind(
    key: int,
    mac: int,
    version: int,
    words: tuple[int, int, int, int],
    by_arp: bool,
    row: Array,
    talker: Array,
    bindings: Array,
    index: Array,
    counters: Array,
    state: Array,
) -> None:
    """Notes that ``mac`` used an address, by an ARP claim or as the source of an IP packet."""
    w0, w1, w2, w3 = words
    if w0 == 0 and w1 == 0 and w2 == 0 and w3 == 0:
        return
    slot = hash_binding(key, mac, w0, w1, w2, w3) & (len(index) - 1)
    at = int(index[slot]) - 1
    while at >= 0:
        seen = bindings[at]
        if (
            seen["mac"] == mac
            and seen["vlan_key"] == key
            and seen["ip_version"] == version
            and seen["ip"][3] == w3
            and seen["ip"][2] == w2
            and seen["ip"][1] == w1
            and seen["ip"][0] == w0
        ):
            break
        at = int(seen["next_index"])
    if at < 0:
        if not by_arp and talker["addresses"] >= ROUTER_ADDRESSES:
            return
        at = int(state[2])
        if at == len(bindings):
            counters["untracked_bindings"] += 1
            return
        state[2] = at + 1
        seen = bindings[at]
        seen["vlan_key"] = key
        seen["mac"] = mac
        seen["vlan"] = vlan_id(row)
        seen["vni"] = row["vni"]
        seen["ip_version"] = version
        seen["ip"][0], seen["ip"][1], seen["ip"][2], seen["ip"][3] = w0, w1, w2, w3
        seen["next_index"] = index[slot] - 1
        seen["first_ns"] = clock(row)
        seen["first_frame"] = row["number"]
        index[slot] = at + 1
        talker["addresses"] += 1
    seen = bindings[at]
    seen["last_ns"] = clock(row)
    seen["last_frame"] = row["number"]
    if by_arp:
        seen["arp"] += 1
    else:
        seen["packets"] += 1


def rehash_talkers(count: int, talkers: Array, index: Array) -> None:
    """Fills an empty ``index`` with the rows there are."""
    for at in range(count):
        slot = mix(mix(3, int(talkers[at]["vlan_key"])), int(talkers[at]["mac"])) & (len(index) - 1)
        talkers[at]["next_index"] = index[slot] - 1
        index[slot] = at + 1


def rehash_bindings(count: int, bindings: Array, index: Array) -> None:
    """Fills an empty ``index`` with the rows there are."""
    for at in range(count):
        seen = bindings[at]
        ip = seen["ip"]
        digest = hash_binding(int(seen["vlan_key"]), int(seen["mac"]), int(ip[0]), int(ip[1]), int(ip[2]), int(ip[3]))
        slot = digest & (len(index) - 1)
        seen["next_index"] = index[slot] - 1
        index[slot] = at + 1
