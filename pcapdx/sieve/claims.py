"""Which dissector should see a frame: look-up tables made from what dissectors declare, and the kernel that asks them.

A claim is a bit of a 63-bit mask, so a new dissector changes no kernel code. Datagram claims are thinned out by the
dissector's :class:`~pcapdx.dissect.Sample`; stream claims by how many bytes of each direction it wants.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pcapdx.dissect import Dissector, Sample
from pcapdx.frame import TWIN
from pcapdx.sieve.columns import Array
from pcapdx.sieve.layers import be16
from pcapdx.sieve.tables import clock, hash_bytes, mix

MOST_DISSECTORS = 63
SAMPLE_SLOTS = 1 << 16
AWAITED_SLOTS = 256
SAMPLED_BYTES = 64

# where in the one look-up table the masks of each kind of claim begin
UDP_PORTS, TCP_PORTS, ETHERTYPES = 0, 1 << 16, 2 << 16
TCP_STARTS, TCP_LATE = 3 << 16, 4 << 16
IP_PROTOCOLS, LLC_SAPS = 5 << 16, (5 << 16) + 256
MASKS = (5 << 16) + 512

WHOLE_STREAM = 256 << 10
"""Bytes of each direction to hand on where nothing is thinned out."""
EVERYTHING = Sample(first=0, every_ns=0)

MAC_ROW = np.dtype([("mac", "i8"), ("mask", "i8")])
SAMPLE_ROW = np.dtype([("digest", "i8"), ("count", "i8"), ("last_ns", "i8")])
AWAITED_ROW = np.dtype([("digest", "i8"), ("mask", "i8")])
SETTING = np.dtype(
    [
        ("stream_bytes", "i8"),  # bytes of each direction of a stream it wants
        ("layer", "i8"),  # its Layer, where the bytes that make frames alike are
        ("first", "i8"),  # frames alike to hand on before thinning out; 0 for all
        ("every_ns", "i8"),  # then one in so long
        ("key_start", "i8"),
        ("by_ends", "i8"),  # 1: addresses make frames alike, too
        ("stream_first", "i8"),  # the same for streams
        ("stream_every_ns", "i8"),
        ("stream_by_ends", "i8"),
        ("stream_key_bytes", "i8"),
        ("left_out", "i8"),  # frames (of streams: streams) counted instead of handed on
    ]
)


class Claims(NamedTuple):
    """What dissectors declared, as arrays; a mask has bit i set for dissector i."""

    masks: Array
    """Masks by port, ethertype, protocol, SAP and first two bytes; see the constants for where each begins."""
    macs: Array
    """Destination MACs that anyone claims, MAC_ROW."""
    settings: Array
    """By dissector, SETTING."""
    samples: Array
    """What was handed on lately, SAMPLE_ROW; a hash table with four places a kind."""
    awaited: Array
    """UDP datagrams whose first fragment was handed on, AWAITED_ROW; a newcomer takes the place of another."""


def build(dissectors: Sequence[Dissector], *, thin_out: bool) -> Claims:
    """The tables for these dissectors; without ``thin_out`` every claimed frame is handed on.

    Raises ValueError for more than 63 dissectors.
    """
    if len(dissectors) > MOST_DISSECTORS:
        raise ValueError(f"at most {MOST_DISSECTORS} dissectors can be loaded, not {len(dissectors)}")
    masks = np.zeros(MASKS, np.int64)
    declared: tuple[tuple[int, Callable[[Dissector], Iterable[int]]], ...] = (
        (UDP_PORTS, lambda one: one.udp_ports),
        (TCP_PORTS, lambda one: one.tcp_ports),
        (ETHERTYPES, lambda one: one.ethertypes),
        (IP_PROTOCOLS, lambda one: one.ip_protocols),
        (LLC_SAPS, lambda one: one.llc_saps),
        (TCP_STARTS, lambda one: (int.from_bytes(start, "big") for start in one.tcp_starts)),
        (TCP_LATE, lambda one: (int.from_bytes(start, "big") for start in one.tcp_late if thin_out)),
    )
    settings = np.zeros(max(len(dissectors), 1), SETTING)
    for bit, one in enumerate(dissectors):
        for begin, values in declared:
            for value in values(one):
                masks[begin + value] |= 1 << bit
        sample = one.sample if thin_out and one.sample else EVERYTHING
        streams = one.stream_sample if thin_out and one.stream_sample else EVERYTHING
        settings[bit] = (
            one.stream_bytes if thin_out else max(one.stream_bytes, WHOLE_STREAM),
            one.layer,
            sample.first,
            sample.every_ns,
            sample.key_start,
            sample.by_ends,
            streams.first,
            streams.every_ns,
            streams.by_ends,
            streams.stream_key_bytes,
            0,
        )
    wanted = sorted({mac for one in dissectors for mac in one.eth_dsts})
    macs = [(mac, sum(1 << bit for bit, one in enumerate(dissectors) if mac in one.eth_dsts)) for mac in wanted]
    return Claims(
        masks=masks,
        macs=np.array(macs, dtype=MAC_ROW),
        settings=settings,
        samples=np.zeros(SAMPLE_SLOTS if thin_out else 4, SAMPLE_ROW),
        awaited=np.zeros(AWAITED_SLOTS, AWAITED_ROW),
    )


def claim_datagram(data: Any, start: int, row: Array, masks: Array, macs: Array) -> int:
    """Mask of the dissectors that want this frame for itself (not as part of a TCP stream, nor for its tags)."""
    ethertype = int(row["ethertype"])
    mask = 0
    if ethertype >= 1536:
        mask = int(masks[ETHERTYPES + ethertype])
    elif row["link_offset"] > 0 and row["link_offset"] < row["end_offset"]:
        mask = int(masks[LLC_SAPS + data[start + int(row["link_offset"])]])
    dst = int(row["eth_dst_int"])
    for i in range(len(macs)):
        if macs[i]["mac"] == dst:
            mask |= int(macs[i]["mask"])
    if row["ip_version"] > 0 and row["fragment_offset"] == 0:
        mask |= int(masks[IP_PROTOCOLS + int(row["ip_protocol"])])
        if row["ip_protocol"] == 17:
            mask |= int(masks[UDP_PORTS + int(row["sport"])]) | int(masks[UDP_PORTS + int(row["dport"])])
    return mask


def claim_fragment(row: Array, key: int, mask: int, awaited: Array) -> int:
    """Mask of the dissectors that want this fragment of a UDP datagram: those that were given its first one."""
    digest = mix(mix(key, int(row["ip_id"])), int(row["src3"]))
    digest = mix(mix(mix(digest, int(row["dst3"])), int(row["src2"])), int(row["dst2"]))
    slot = awaited[digest & (len(awaited) - 1)]
    if row["fragment_offset"] == 0:
        if mask != 0:
            slot["digest"] = digest
            slot["mask"] = mask
        return mask
    return int(slot["mask"]) if slot["digest"] == digest else 0


def claim_tags(row: Array, talker: Array, mask: int, settings: Array) -> int:
    """Of the dissectors that read tags, those that want this frame: some frames of each sender in each VLAN."""
    now = clock(row)
    kept = 0
    for i in range(len(settings)):
        if mask >> i == 0:
            break
        if mask >> i & 1 == 0:
            continue
        setting = settings[i]
        few = setting["first"] == 0 or talker["tags_read"] < setting["first"]
        if few or now - int(talker["tags_ns"]) >= setting["every_ns"]:
            kept |= 1 << i
        else:
            setting["left_out"] += 1
    if kept != 0:
        talker["tags_read"] += 1
        talker["tags_ns"] = now
    return kept


def claim_stream(
    data: Any,
    start: int,
    row: Array,
    flow: Array,
    sender: Array,
    receiver: Array,
    masks: Array,
    settings: Array,
    samples: Array,
) -> int:
    """Mask of the dissectors that want this TCP segment: by the flow's ports, or a direction's first two bytes."""
    if sender["packets"] + receiver["packets"] == 1:
        ports = int(masks[TCP_PORTS + int(row["sport"])]) | int(masks[TCP_PORTS + int(row["dport"])])
        add_claims(flow, ports, settings)
    payload = int(row["payload_wire_bytes"])
    if payload == 0 or row["payload_offset"] >= row["end_offset"]:
        return 0
    if sender["payload_frame"] == row["number"]:
        if int(row["end_offset"]) - int(row["payload_offset"]) >= 2:
            begin = be16(data, start + int(row["payload_offset"]))
            add_claims(flow, int(masks[TCP_STARTS + begin]), settings)
        if receiver["payload_bytes"] == 0 and flow["claims"] != 0:
            thin_out_streams(data, start, row, flow, settings, samples)
    limit = int(flow["stream_limit"])
    if limit == 0 or sender["spooled"] >= limit:
        return 0
    sender["spooled"] += payload
    claims = int(flow["claims"])
    if int(row["end_offset"]) - int(row["payload_offset"]) >= 2:
        late = int(masks[TCP_LATE + be16(data, start + int(row["payload_offset"]))])
        if claims & ~late == 0:
            sender["spooled"] += limit >> 1
    return claims


def add_claims(flow: Array, mask: int, settings: Array) -> None:
    """Adds dissectors to a flow and raises how much of it is wanted."""
    mask &= ~int(flow["declined"])
    if mask == 0:
        return
    flow["claims"] = int(flow["claims"]) | mask
    for i in range(len(settings)):
        if mask >> i & 1 and settings[i]["stream_bytes"] > flow["stream_limit"]:
            flow["stream_limit"] = settings[i]["stream_bytes"]


def thin_out_streams(data: Any, start: int, row: Array, flow: Array, settings: Array, samples: Array) -> None:
    """Takes from a flow, at its first payload, the claims of dissectors that have seen enough streams like it."""
    at = int(row["payload_offset"])
    captured = max(0, int(row["end_offset"]) - at)
    claims = int(flow["claims"])
    for i in range(len(settings)):
        setting = settings[i]
        if claims >> i & 1 == 0 or setting["stream_first"] == 0:
            continue
        kind = hash_bytes(data, start + at, min(int(setting["stream_key_bytes"]), captured), int(flow["vlan_key"]))
        digest = mix(mix(kind, int(flow["dport"])), i + 211)
        if setting["stream_by_ends"]:
            digest = mix(mix(digest, int(flow["src3"])), int(flow["dst3"]))
        if not fresh(digest, clock(row), int(setting["stream_first"]), int(setting["stream_every_ns"]), samples):
            claims &= ~(1 << i)
            flow["declined"] = int(flow["declined"]) | 1 << i
            setting["left_out"] += 1
    flow["claims"] = claims
    if claims == 0:
        flow["stream_limit"] = 0


def thin_out(data: Any, start: int, row: Array, key: int, mask: int, settings: Array, samples: Array) -> int:
    """The mask without dissectors that have seen enough frames like this one."""
    kept = 0
    for i in range(len(settings)):
        if mask >> i == 0:
            break
        if mask >> i & 1 == 0:
            continue
        setting = settings[i]
        if setting["first"] > 0 and row["flags"] & TWIN:
            continue  # counted with its first copy, or answers recorded twice would use up what requests still have
        if setting["first"] == 0 or wanted(data, start, row, mix(i + 11, key), setting, samples):
            kept |= 1 << i
        else:
            setting["left_out"] += 1
    return kept


def wanted(data: Any, start: int, row: Array, digest: int, setting: Array, samples: Array) -> bool:
    """Whether a frame is among the first of its kind, or the last one handed on is long enough ago."""
    layer = int(setting["layer"])
    at = int(row["payload_offset"])
    if layer == 1:
        at = int(row["link_offset"])
    elif layer == 2:
        at = int(row["network_offset"])
    elif layer == 3:
        at = int(row["transport_offset"])
    at += int(setting["key_start"])
    if setting["by_ends"]:
        digest = mix(mix(digest, int(row["eth_src_int"])), int(row["eth_dst_int"]))
        digest = mix(mix(digest, int(row["src3"])), int(row["dst3"]))
    count = max(0, min(SAMPLED_BYTES, int(row["end_offset"]) - at))
    digest = hash_bytes(data, start + at, count, digest)
    return fresh(digest, clock(row), int(setting["first"]), int(setting["every_ns"]), samples)


def fresh(digest: int, now: int, first: int, every_ns: int, samples: Array) -> bool:
    """Whether what a digest stands for is among the first of its kind, or the last one is long enough ago."""
    # four neighbouring places: a newcomer takes that of the kind that was handed on the longest ago
    base = digest & (len(samples) - 4)
    oldest = base
    for place in range(base, base + 4):
        slot = samples[place]
        if slot["digest"] == digest:
            if slot["count"] < first or now - int(slot["last_ns"]) >= every_ns:
                slot["count"] += 1
                slot["last_ns"] = now
                return True
            return False
        if slot["last_ns"] < samples[oldest]["last_ns"]:
            oldest = place
    slot = samples[oldest]
    slot["digest"] = digest
    slot["count"] = 1
    slot["last_ns"] = now
    return True
