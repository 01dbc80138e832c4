"""Kernel: the pass over one block. Every frame is seen once; what must reach Python is listed.

The driver (:mod:`pcapdx.sieve.engine`) owns the arrays and grows them: the sweep stops before a frame for which a table
might be too small and is called again from there.
"""

from typing import Any, NamedTuple

from pcapdx.sieve.claims import Claims, claim_datagram, claim_stream, thin_out
from pcapdx.sieve.columns import Array
from pcapdx.sieve.flows import TCP, count_flow, find_flow
from pcapdx.sieve.layers import be16, be32, be48, read_frame
from pcapdx.sieve.tables import (
    bind,
    count_frame,
    count_repeat,
    count_talkers,
    fingerprint,
    mark_twin,
    vlan_key,
)

FLOWS, TALKERS, BINDINGS, CLAIMED, FULL = 0, 1, 2, 3, 4
"""What the cells of ``Tables.state`` count; FULL is 1 once tables are at their caps and may no longer grow."""


class Tables(NamedTuple):
    """The arrays that live as long as the run."""

    flows: Array
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


def sweep(data: Any, records: Array, frames: Array, claimed: Array, first: int, tables: Tables, claims: Claims) -> int:
    """Sees ``records[first:]``; returns how many of the block are done.

    Fills a row of ``frames`` for each, and lists in ``claimed`` the places of those that a dissector should see or that
    have an anomaly (their count is ``tables.state[CLAIMED]``).
    """
    state = tables.state
    for i in range(first, len(records)):
        if state[FULL] == 0 and (
            state[FLOWS] == len(tables.flows)
            or state[TALKERS] + 2 > len(tables.talkers)
            or state[BINDINGS] + 2 > len(tables.bindings)
        ):
            return i
        record, row = records[i], frames[i]
        row["number"] = record["number"]
        row["ts_ns"] = record["ts_ns"]
        row["captured_bytes"] = record["captured_bytes"]
        row["wire_bytes"] = record["wire_bytes"]
        row["interface"] = record["interface"]
        row["link_type"] = record["link_type"]
        row["direction"] = record["direction"]
        start = int(record["offset"])
        read_frame(data, start, row)
        see_frame(data, start, row, tables, claims)
        if row["claims"] != 0 or row["anomaly"] != 0:
            claimed[state[CLAIMED]] = i
            state[CLAIMED] += 1
    return len(records)


def see_frame(data: Any, start: int, row: Array, tables: Tables, claims: Claims) -> None:
    """Counts one frame in every table and decides who should see it."""
    state, counters = tables.state, tables.counters[0]
    key = vlan_key(row)
    row["fingerprint"] = fingerprint(data, start, row)
    count_frame(row, counters)
    count_repeat(data, start, row, tables.repeats, counters)
    twin = mark_twin(row, key, tables.twins, counters)
    at = count_talkers(key, row, tables.talkers, tables.talker_index, counters, state)
    mask = claim_datagram(data, start, row, claims)
    fresh = bool(row["ip_version"] > 0)
    if row["payload_offset"] > 0 and (row["ip_protocol"] == TCP or row["ip_protocol"] == 17):
        index = find_flow(key, row, tables.flows, tables.flow_index, state)
        row["flow"] = index
        if index < 0:
            counters["untracked_flows"] += 1
        elif twin:
            tables.flows[index]["twins"] += 1
            fresh = False
        else:
            fresh = count_flow(row, tables.flows[index])
            if row["ip_protocol"] == TCP:
                mask |= claim_stream(data, start, row, tables.flows[index], claims)
    if at >= 0:
        bind_addresses(data, start, key, row, at, fresh, tables)
    if mask != 0:
        row["claims"] = thin_out(data, start, row, key, mask, claims)


def bind_addresses(data: Any, start: int, key: int, row: Array, at: int, fresh: bool, tables: Tables) -> None:
    """Binds the sender's address to its MAC: from ARP always, from IP at the first frame of a flow's side."""
    talker, counters, state = tables.talkers[at], tables.counters[0], tables.state
    if row["ethertype"] == 0x0806:
        arp = start + int(row["link_offset"])
        end = start + int(row["end_offset"])
        # Ethernet and IPv4 only (RFC 826): hardware type 1, protocol 0x0800, lengths 6 and 4
        if end - arp >= 28 and be32(data, arp) == 0x00010800 and be16(data, arp + 4) == 0x0604:
            words = (0, 0, 0, be32(data, arp + 14))
            mac = be48(data, arp + 8)
            bind(key, mac, 4, words, True, row, talker, tables.bindings, tables.binding_index, counters, state)
    elif fresh:
        version = int(row["ip_version"])
        words = (int(row["src0"]), int(row["src1"]), int(row["src2"]), int(row["src3"]))
        mac = int(row["eth_src_int"])
        bind(key, mac, version, words, False, row, talker, tables.bindings, tables.binding_index, counters, state)
