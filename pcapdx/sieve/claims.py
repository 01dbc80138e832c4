"""Which dissector should see a frame: look-up tables made from what dissectors declare, and the kernel that asks them.

A claim is a bit of a 63-bit mask, so a new dissector changes no kernel code. Datagram claims are thinned out by the
dissector's :class:`~pcapdx.dissect.Sample`; stream claims by how many bytes of each direction it wants.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pcapdx.dissect import Dissector, Sample
from pcapdx.sieve.columns import Array
from pcapdx.sieve.layers import be8
from pcapdx.sieve.tables import mix

MOST_DISSECTORS = 63
SAMPLE_SLOTS = 1 << 15
SAMPLED_BYTES = 64

SAMPLE_ROW = np.dtype([("digest", "i8"), ("count", "i8"), ("last_ns", "i8")])


class Claims(NamedTuple):
    """The look-up tables; a mask has bit i set for dissector i."""

    ethertypes: Array
    llc_saps: Array
    eth_dsts: Array
    """Destination MACs that anyone claims,"""
    eth_dst_masks: Array
    """and the mask of each."""
    ip_protocols: Array
    udp_ports: Array
    tcp_ports: Array
    tcp_first_bytes: Array
    stream_bytes: Array
    """By dissector: bytes of each direction it wants."""
    sample_first: Array
    """By dissector: frames alike to hand on before thinning out; 0 for all."""
    sample_every_ns: Array
    sample_layer: Array
    """By dissector: its Layer, where the bytes that make frames alike are."""
    sample_start: Array
    samples: Array
    """Direct-mapped table of what was handed on, SAMPLE_ROW."""
    sampled_out: Array
    """By dissector: frames counted instead of handed on."""


def build(dissectors: Sequence[Dissector], *, thin_out: bool) -> Claims:
    """The tables for these dissectors; without ``thin_out`` every claimed frame is handed on.

    Raises ValueError for more than 63 dissectors.
    """
    if len(dissectors) > MOST_DISSECTORS:
        raise ValueError(f"at most {MOST_DISSECTORS} dissectors can be loaded, not {len(dissectors)}")
    size = len(dissectors) or 1
    macs = sorted({mac for one in dissectors for mac in one.eth_dsts})
    samples = [one.sample if thin_out and one.sample else Sample(first=0, every_ns=0) for one in dissectors]
    return Claims(
        ethertypes=_masks(65536, [one.ethertypes for one in dissectors]),
        llc_saps=_masks(256, [one.llc_saps for one in dissectors]),
        eth_dsts=np.array(macs, dtype=np.int64),
        eth_dst_masks=np.array(
            [sum(1 << i for i, one in enumerate(dissectors) if mac in one.eth_dsts) for mac in macs], dtype=np.int64
        ),
        ip_protocols=_masks(256, [one.ip_protocols for one in dissectors]),
        udp_ports=_masks(65536, [one.udp_ports for one in dissectors]),
        tcp_ports=_masks(65536, [one.tcp_ports for one in dissectors]),
        tcp_first_bytes=_masks(256, [one.tcp_first_bytes for one in dissectors]),
        stream_bytes=_column(size, [one.stream_bytes for one in dissectors]),
        sample_first=_column(size, [one.first for one in samples]),
        sample_every_ns=_column(size, [one.every_ns for one in samples]),
        sample_layer=_column(size, [int(one.layer) for one in dissectors]),
        sample_start=_column(size, [one.key_start for one in samples]),
        samples=np.zeros(SAMPLE_SLOTS, SAMPLE_ROW),
        sampled_out=np.zeros(size, np.int64),
    )


def _masks(size: int, claimed: Iterable[Iterable[int]]) -> Array:
    table = np.zeros(size, np.int64)
    for bit, values in enumerate(claimed):
        for value in values:
            table[value] |= 1 << bit
    return table


def _column(size: int, values: Sequence[int]) -> Array:
    table = np.zeros(size, np.int64)
    table[: len(values)] = values
    return table


def claim_datagram(data: Any, start: int, row: Array, claims: Claims) -> int:
    """Mask of the dissectors that want this frame for itself (not as part of a TCP stream)."""
    ethertype = int(row["ethertype"])
    mask = 0
    if row["tag_count"] > 0:
        mask |= int(claims.ethertypes[int(row["tag0_tpid"])])
    if ethertype >= 1536:
        mask |= int(claims.ethertypes[ethertype])
    elif row["link_offset"] > 0 and row["link_offset"] < row["end_offset"]:
        mask |= int(claims.llc_saps[data[start + int(row["link_offset"])]])
    dst = int(row["eth_dst_int"])
    for i in range(len(claims.eth_dsts)):
        if claims.eth_dsts[i] == dst:
            mask |= int(claims.eth_dst_masks[i])
    if row["ip_version"] > 0 and row["fragment_offset"] == 0:
        mask |= int(claims.ip_protocols[int(row["ip_protocol"])])
        if row["ip_protocol"] == 17:
            mask |= int(claims.udp_ports[int(row["sport"])]) | int(claims.udp_ports[int(row["dport"])])
    return mask


def claim_stream(data: Any, start: int, row: Array, flow: Array, claims: Claims) -> int:
    """Mask of the dissectors that want this TCP segment: by the flow's ports, or by a direction's first payload byte."""
    side = 1 - int(row["from_originator"])
    payload = int(row["payload_wire_bytes"])
    if flow["packets"][0] + flow["packets"][1] == 1:
        add_claims(flow, int(claims.tcp_ports[int(row["sport"])]) | int(claims.tcp_ports[int(row["dport"])]), claims)
    if payload == 0 or row["payload_offset"] >= row["end_offset"]:
        return 0
    if flow["payload_frame"][side] == row["number"]:
        add_claims(flow, int(claims.tcp_first_bytes[data[start + int(row["payload_offset"])]]), claims)
    limit = int(flow["stream_limit"])
    if limit == 0 or flow["spooled"][side] >= limit:
        return 0
    flow["spooled"][side] += payload
    return int(flow["claims"])


def add_claims(flow: Array, mask: int, claims: Claims) -> None:
    """Adds dissectors to a flow and raises how much of it is wanted."""
    flow["claims"] = int(flow["claims"]) | mask
    for i in range(len(claims.stream_bytes)):
        if mask >> i & 1 and claims.stream_bytes[i] > flow["stream_limit"]:
            flow["stream_limit"] = claims.stream_bytes[i]


def thin_out(data: Any, start: int, row: Array, key: int, mask: int, claims: Claims) -> int:
    """The mask without dissectors that have seen enough frames like this one."""
    kept = 0
    for i in range(len(claims.sample_first)):
        if mask >> i & 1 == 0:
            continue
        if claims.sample_first[i] == 0 or wanted(data, start, row, key, i, claims):
            kept |= 1 << i
        else:
            claims.sampled_out[i] += 1
    return kept


def wanted(data: Any, start: int, row: Array, key: int, dissector: int, claims: Claims) -> bool:
    """Whether a frame is among the first of its kind, or the last one handed on is long enough ago."""
    layer = int(claims.sample_layer[dissector])
    at = int(row["payload_offset"])
    if layer == 0:
        at = int(row["tag_offset"])
    elif layer == 1:
        at = int(row["link_offset"])
    elif layer == 2:
        at = int(row["network_offset"])
    elif layer == 3:
        at = int(row["transport_offset"])
    at += int(claims.sample_start[dissector])
    digest = mix(mix(dissector + 11, key), int(row["eth_src_int"]))
    if layer > 0:
        # a tag's kind is its MAC and its stack; addresses would make every conversation a kind of its own
        digest = mix(mix(digest, int(row["eth_dst_int"])), int(row["src3"]) << 32 | int(row["dst3"]))
        digest = mix(digest, int(row["sport"]) << 16 | int(row["dport"]))
        for i in range(at, min(at + SAMPLED_BYTES, int(row["end_offset"]))):
            digest = mix(digest, be8(data, start + i))
    else:
        digest = mix(digest, int(row["tag0_tci"]) << 32 | (int(row["tag1_tci"]) & 0xFFFFFFFF))
    slot = claims.samples[digest & (len(claims.samples) - 1)]
    now = int(row["ts_ns"])
    if slot["digest"] != digest:
        slot["digest"] = digest
        slot["count"] = 1
        slot["last_ns"] = now
        return True
    if (
        slot["count"] < claims.sample_first[dissector]
        or now - int(slot["last_ns"]) >= claims.sample_every_ns[dissector]
    ):
        slot["count"] += 1
        slot["last_ns"] = now
        return True
    return False
