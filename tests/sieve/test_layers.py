"""Headers: what each link type, tag stack and tunnel comes out as, and what happens when lengths lie."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pcapdx.errors import CaptureError
from pcapdx.frame import COLUMNS, Frame
from pcapdx.sieve.columns import ANOMALIES, FRAME_COLUMNS
from pcapdx.sieve.engine import Sieve
from tests.sieve.blocks import block_of, blocks_of

CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpus"
FILES: list[dict[str, Any]] = json.loads((CORPUS / "manifest.json").read_text())["files"] if CORPUS.exists() else []
MACS = bytes.fromhex("020100000001020100000002")
UDP = bytes.fromhex("4500002400010000401100000a0101010a01010200350035001000006161616161616161")


def frames_of(*frames: bytes, **options: Any) -> list[Frame]:
    """The columns of each frame."""
    return [Frame(row.tobytes()) for row in Sieve((), fast=False).sweep(block_of(frames, **options))]


def tagged(*tags: str, kind: str = "0800", payload: bytes = UDP) -> bytes:
    return MACS + bytes.fromhex("".join(tags) + kind) + payload


def test_the_frame_type_is_laid_out_as_the_row() -> None:
    formats = {"i8": "q", "i4": "i", "i2": "h"}
    assert {column.name: formats[column.type] for column in FRAME_COLUMNS} == COLUMNS
    (row,) = Sieve((), fast=False).sweep(block_of([tagged("81000065")]))
    frame = Frame(row.tobytes())
    assert [getattr(frame, name) for name in COLUMNS] == list(row.tolist())


def test_untagged_udp() -> None:
    (frame,) = frames_of(tagged())
    assert (frame.src, frame.dst, frame.sport, frame.dport) == ("10.1.1.1", "10.1.1.2", 53, 53)
    assert (frame.eth_dst, frame.eth_src) == ("02:01:00:00:00:01", "02:01:00:00:00:02")
    assert (frame.vlan, frame.tags, frame.payload_wire_bytes, frame.anomaly) == (0, (), 8, 0)


def test_tags_with_priority_and_service_tag() -> None:
    (frame,) = frames_of(tagged("88a8b065", "81001ffe"))
    outer, inner = frame.tags
    assert (outer.tpid, outer.pcp, outer.dei, outer.vid) == (0x88A8, 5, 1, 0x065)
    assert (inner.tpid, inner.pcp, inner.dei, inner.vid) == (0x8100, 0, 1, 0xFFE)
    assert frame.vlan == 0x065
    assert frame.src == "10.1.1.1"


def test_a_priority_tag_is_no_vlan() -> None:
    (frame,) = frames_of(tagged("8100e000"))
    assert (frame.vlan, frame.tags[0].pcp, frame.tag_count) == (0, 7, 1)


def test_thirty_tags_are_followed_and_counted() -> None:
    (frame,) = frames_of(tagged(*["81000005"] * 30))
    assert (frame.tag_count, frame.src, frame.anomaly) == (30, "10.1.1.1", 0)


def test_too_many_tags_are_an_anomaly() -> None:
    (frame,) = frames_of(tagged(*["81000005"] * 40))
    assert (ANOMALIES[frame.anomaly & 15], frame.tag_count, frame.ip_version) == ("too-many-tags", 32, 0)


@pytest.mark.parametrize("length", range(len(MACS) + 2 + len(UDP)))
def test_cut_at_every_byte(length: int) -> None:
    """Cut by the snap length: an anomaly of that kind, or a payload that is only shorter."""
    whole = tagged()
    (frame,) = frames_of(whole, cut_to=length)
    kind = ANOMALIES[frame.anomaly & 15]
    assert kind in ("", "header-cut")
    assert (kind == "") == (length >= 14 + 28), (length, kind)
    assert frame.end_offset <= length


@pytest.mark.parametrize("length", range(14, 14 + 28))
def test_short_on_the_wire(length: int) -> None:
    """The same, never longer on the wire: the frame itself is broken."""
    (frame,) = frames_of(tagged()[:length])
    assert ANOMALIES[frame.anomaly & 15] in ("header-short", "length-lies")


def test_ip_length_beyond_the_frame_is_a_lie() -> None:
    lying = bytearray(tagged())
    lying[16:18] = b"\xff\xff"
    (frame,) = frames_of(bytes(lying))
    assert ANOMALIES[frame.anomaly & 15] == "length-lies"
    assert frame.src == "10.1.1.1"


def test_padding_is_no_payload() -> None:
    (frame,) = frames_of(tagged() + bytes(10))
    assert frame.payload_wire_bytes == 8
    assert frame.end_offset == 14 + len(UDP)


def inner() -> bytes:
    return tagged("81000064")


def outer(protocol: int, payload: bytes) -> bytes:
    head = bytearray(UDP[:20])
    head[2:4] = (20 + len(payload)).to_bytes(2, "big")
    head[9] = protocol
    head[12:20] = bytes((192, 0, 2, 1, 192, 0, 2, 2))
    return tagged("81000007", payload=bytes(head) + payload)


def udp(port: int, payload: bytes) -> bytes:
    return (
        (4000).to_bytes(2, "big") + port.to_bytes(2, "big") + (8 + len(payload)).to_bytes(2, "big") + b"\0\0" + payload
    )


@pytest.mark.parametrize(
    ("packet", "tunnel", "vni"),
    [
        (lambda: outer(17, udp(4789, bytes.fromhex("0800000000012c00") + inner())), 1, 300),
        (lambda: outer(17, udp(8472, bytes.fromhex("0800000000012c00") + inner())), 1, 300),
        (lambda: outer(17, udp(6081, bytes.fromhex("0100655800012c0000000000") + inner())), 2, 300),
        (lambda: outer(47, bytes.fromhex("200065580000012c") + inner()), 3, 300),
        (lambda: outer(47, bytes.fromhex("100088be000000011000000000000000") + inner()), 3, -1),
    ],
    ids=["vxlan", "vxlan-linux", "geneve-with-option", "gre-with-key", "erspan-2"],
)
def test_tunnels(packet: Any, tunnel: int, vni: int) -> None:
    (frame,) = frames_of(packet())
    assert (frame.tunnel, frame.vni) == (tunnel, vni)
    assert (frame.outer_src, frame.outer_dst, frame.outer_tci) == ("192.0.2.1", "192.0.2.2", 7)
    assert (frame.src, frame.dst, frame.vlan) == ("10.1.1.1", "10.1.1.2", 100)


def test_an_unknown_link_type_is_named_and_not_guessed() -> None:
    (frame,) = frames_of(tagged(), link_type=147)
    assert ANOMALIES[frame.anomaly & 15] == "unknown-link-type"
    assert (frame.eth_src, frame.ip_version) == (None, 0)


@pytest.mark.skipif(not FILES, reason="the corpus of public captures is not beside this checkout")
@pytest.mark.parametrize("entry", FILES, ids=lambda entry: entry["file"])
def test_columns_equal_tshark(entry: dict[str, Any]) -> None:
    """VLAN ids, innermost addresses and ports of every frame that tshark has a record of."""
    data = (CORPUS / entry["oracle"]).read_bytes()
    oracle = json.loads(gzip.decompress(data) if entry["oracle"].endswith(".gz") else data)
    records = {one["n"]: one for one in oracle["records"]}
    try:
        sieve = Sieve((), fast=False)
        rows = [Frame(row.tobytes()) for block in blocks_of(CORPUS / entry["file"]) for row in sieve.sweep(block)]
    except CaptureError:
        return
    differing = [
        (frame.number, difference)
        for frame in rows
        if frame.number in records and (difference := _difference(frame, records[frame.number]))
    ]
    assert not differing, differing[:5]


def _difference(frame: Frame, record: dict[str, Any]) -> str | None:
    """What differs, said in words; None when all that both have agrees."""
    protocols = record["protocols"].split(":")
    # what tshark looks into beyond the sieve, or takes apart by guesses, is left to it
    if any(
        name in protocols
        for name in (
            "ieee8021ah",
            "ppp",
            "mpls",
            "ipip",
            "teredo",
            "gtp",
            "l2tp",
            "pppoes",
            "capwap",
            "pfcp",
            "ayiya",
            "6in4",
        )
    ):
        return None
    if frame.tunnel == 0 and "vlan" in record and [tag.vid for tag in frame.tags] != record["vlan"][:2]:
        return f"vlan {frame.tags} {record['vlan']}"
    if frame.ip_protocol == 6 and "tcp" in record and frame.payload_offset:
        tcp = record["tcp"]
        ours = frame.sport, frame.dport, frame.tcp_flags
        theirs = tcp["sport"][-1], tcp["dport"][-1], int(tcp["flags"][-1], 16) & 0x1FF
        if ours != theirs:
            return f"tcp {ours} {theirs}"
    if frame.ip_version == 4 and "icmp" not in record and frame.src not in record.get("ip", {}).get("src", [frame.src]):
        return f"ip.src {frame.src} {record['ip']['src']}"
    if frame.ip_version == 6 and frame.src not in record.get("ip6", {}).get("src", [frame.src]):
        return f"ipv6.src {frame.src} {record['ip6']['src']}"
    return None
