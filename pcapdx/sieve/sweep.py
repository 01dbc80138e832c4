"""Kernel: the pass over one block. Every frame is seen once; what must reach Python is listed.

The driver (:mod:`pcapdx.sieve.engine`) owns the arrays and grows them: the sweep stops before a frame for which a table
might be too small and is called again from there.
"""

from typing import Any, NamedTuple

from pcapdx.sieve.checksums import count_checksum, is_telling
from pcapdx.sieve.claims import ETHERTYPES, Claims, claim_datagram, claim_fragment, claim_stream, claim_tags, thin_out
from pcapdx.sieve.columns import Array
from pcapdx.sieve.flows import FIN, RST, TCP, count_flow, find_flow, is_over
from pcapdx.sieve.layers import be16, be32, be48, place, read_frame
from pcapdx.sieve.tables import (
    bind,
    count_frame,
    count_repeat,
    count_talkers,
    fingerprint,
    is_group,
    mark_twin,
    vlan_key,
)

FLOWS, TALKERS, BINDINGS, CLAIMED, FULL, ENDED, EVERY = 0, 1, 2, 3, 4, 5, 6
"""What the cells of ``Tables.state`` count. FULL is 1 once tables are at their caps and may no longer grow; EVERY is
set by the driver to 1 where the row of every frame is wanted, not only those of claimed ones."""
UDP = 17
ARP = 0x0806


class Lists(NamedTuple):
    """What of a block Python must hear of; ``Tables.state`` counts the cells in use, each has room for all frames."""

    claimed: Array
    """Places of the frames that a dissector should see or that have an anomaly."""
    ended: Array
    """Claimed flows that both sides have closed; may name one again."""


class Tables(NamedTuple):
    """The arrays that live as long as the run."""

    flows: Array
    sides: Array
    """Two rows a flow."""
    flow_index: Array
    talkers: Array
    talker_index: Array
    bindings: Array
    binding_index: Array
    repeats: Array
    twins: Array
    counters: Array
    """One row of COUNTERS."""
    state: Array


def sweep(data: Any, records: Array, frames: Array, listed: Lists, first: int, tables: Tables, claims: Claims) -> int:
    """Sees ``records[first:]``; returns how many of the block are done.

    Lists what Python must hear of. ``frames`` gets the rows of those frames one behind the other (so that a row is
    still in the processor's cache when the next frame overwrites it), or, with EVERY, a row for each of the block. All
    in one function: a call that takes a dozen arrays costs compiled code as much as reading a frame.
    """
    claimed, ended = listed.claimed, listed.ended
    flows, sides, flow_index = tables.flows, tables.sides, tables.flow_index
    talkers, bindings = tables.talkers, tables.bindings
    counters, state = tables.counters[0], tables.state
    masks, settings = claims.masks, claims.settings
    every = state[EVERY] == 1
    for i in range(first, len(records)):
        if state[FULL] == 0 and (
            state[FLOWS] == len(flows) or state[TALKERS] + 2 > len(talkers) or state[BINDINGS] + 2 > len(bindings)
        ):
            return i
        row = frames[i if every else int(state[CLAIMED])]
        start = take_record(records[i], row)
        read_frame(data, start, row)
        key = vlan_key(row)
        row["fingerprint"] = fingerprint(data, start, row)
        count_frame(row, counters)
        if is_group(int(row["eth_dst_int"])):
            count_repeat(data, start, row, tables.repeats, counters)
        twin = mark_twin(data, start, row, key, tables.twins, counters)
        at = count_talkers(key, row, talkers, tables.talker_index, counters, state)
        mask = claim_datagram(data, start, row, masks, claims.macs)
        if row["tag_count"] > 0 and at >= 0:
            tags = int(masks[ETHERTYPES + int(row["tag0_tpid"])])
            if tags:
                row["claims"] = claim_tags(row, talkers[at], tags, settings)
        fresh = bool(row["ip_version"] > 0)
        if row["payload_offset"] > 0 and (row["ip_protocol"] == TCP or row["ip_protocol"] == UDP):
            index = find_flow(key, row, flows, sides, flow_index, state)
            row["flow"] = index
            if index < 0:
                counters["untracked_flows"] += 1
            elif twin:
                flows[index]["twins"] += 1
                fresh = False
            else:
                side = 1 - int(row["from_originator"])
                sender, receiver = sides[2 * index + side], sides[2 * index + 1 - side]
                resent = int(sender["retransmissions"])
                fresh = count_flow(row, sender, receiver)
                if is_telling(row, sender, resent):
                    count_checksum(data, start, row, sender)
                if row["ip_protocol"] == TCP:
                    mask |= claim_stream(
                        data, start, row, flows[index], sender, receiver, masks, settings, claims.samples
                    )
                    if row["tcp_flags"] & (FIN | RST) and flows[index]["claims"] != 0 and is_over(sender, receiver):
                        ended[state[ENDED]] = index
                        state[ENDED] += 1
        if at >= 0 and (fresh or row["ethertype"] == ARP):
            bind_address(data, start, key, row, talkers[at], bindings, tables.binding_index, counters, state)
        if mask != 0:
            mask = thin_out(data, start, row, key, mask, settings, claims.samples)
        if row["ip_protocol"] == UDP and (row["fragment_offset"] > 0 or row["more_fragments"] == 1):
            mask |= claim_fragment(row, key, mask, claims.awaited)
        row["claims"] = int(row["claims"]) | mask
        if row["claims"] != 0 or row["anomaly"] != 0:
            claimed[state[CLAIMED]] = i
            state[CLAIMED] += 1
    return len(records)


def gather(data: Any, starts: Array, sizes: Array, target: Array) -> None:
    """Copies frames out of a block, one behind the other."""
    at = 0
    for i in range(len(starts)):
        begin = int(starts[i])
        for k in range(int(sizes[i])):
            target[place(at)] = data[place(begin + k)]
            at += 1


def take_record(record: Array, row: Array) -> int:
    """Copies a container's record into the frame's row; returns where in the block the frame begins."""
    row["number"] = record["number"]
    row["ts_ns"] = record["ts_ns"]
    row["captured_bytes"] = record["captured_bytes"]
    row["wire_bytes"] = record["wire_bytes"]
    row["interface"] = record["interface"]
    row["link_type"] = record["link_type"]
    row["direction"] = record["direction"]
    return int(record["offset"])


def bind_address(
    data: Any,
    start: int,
    key: int,
    row: Array,
    talker: Array,
    bindings: Array,
    index: Array,
    counters: Array,
    state: Array,
) -> None:
    """Binds the sender's address to its MAC: from ARP always, from IP at the first frame of a flow's side."""
    if row["ethertype"] == ARP:
        arp = start + int(row["link_offset"])
        end = start + int(row["end_offset"])
        # Ethernet and IPv4 only (RFC 826): hardware type 1, protocol 0x0800, lengths 6 and 4
        if end - arp >= 28 and be32(data, arp) == 0x00010800 and be16(data, arp + 4) == 0x0604:
            words = (0, 0, 0, be32(data, arp + 14))
            mac = be48(data, arp + 8)
            bind(key, mac, 4, words, True, row, talker, bindings, index, counters, state)
    else:
        words = (int(row["src0"]), int(row["src1"]), int(row["src2"]), int(row["src3"]))
        mac = int(row["eth_src_int"])
        bind(key, mac, int(row["ip_version"]), words, False, row, talker, bindings, index, counters, state)
