"""Control protocols in every kind of frame they come in: plain, behind a VLAN tag, in Linux cooked captures."""

import struct
from pathlib import Path

import pytest

from dissectors.cdp import Cdp
from dissectors.igmp import IgmpReport
from dissectors.lacp import Lacp
from dissectors.lldp import Lldp
from dissectors.mld import MldReport
from dissectors.stp import Bpdu
from dissectors.vrrp import Vrrp
from tests.capture.writing import Packet, pcap
from tests.dissectors import test_cdp, test_igmp, test_lacp, test_lldp, test_mld, test_stp, test_vrrp
from tests.dissectors.oracle import dissect

ETHERNET, COOKED, COOKED_2 = 1, 113, 276
SOURCE = bytes.fromhex("001c0e878504")
LLC_IN_COOKED = 4


def ipv4(protocol: int, payload: bytes) -> bytes:
    """With the router alert option that IGMP has."""
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x46, 0xC0, 24 + len(payload), 1, 0, 1, protocol, 0, b"\n\0\0\1", b"\xe0\0\0\x16"
    )
    return head + bytes.fromhex("94040000") + payload


def ipv6(protocol: int, payload: bytes) -> bytes:
    """With the hop-by-hop header that MLD has."""
    hop_by_hop = bytes((protocol, 0)) + bytes.fromhex("0502 0000 0100")
    addresses = bytes.fromhex("fe80" + "00" * 13 + "01" + "ff02" + "00" * 13 + "16")
    return struct.pack(">IHBB", 6 << 28, 8 + len(payload), 0, 1) + addresses + hop_by_hop + payload


CASES = {
    "lldp": (Lldp, "0180c200000e", 0x88CC, test_lldp.SUMMIT),
    "lacp": (Lacp, "0180c2000002", 0x8809, test_lacp.UNIT),
    "stp": (Bpdu, "0180c2000000", None, test_stp.PLAIN),
    "pvst": (Bpdu, "01000ccccccd", None, test_stp.PVST),
    "cdp": (Cdp, "01000ccccccc", None, test_cdp.SWITCH),
    "vrrp": (Vrrp, "01005e000012", 0x0800, ipv4(112, test_vrrp.PASSWORD)),
    "igmp": (IgmpReport, "01005e000016", 0x0800, ipv4(2, test_igmp.REPORT_3)),
    "mld": (MldReport, "333300000016", 0x86DD, ipv6(58, test_mld.REPORT_2)),
}


def framed(name: str, link_type: int, *, vlan: bool) -> bytes:
    _, destination, ethertype, payload = CASES[name]
    tag = bytes.fromhex("8100 e065") if vlan else b""
    if link_type == ETHERNET:
        kind = struct.pack(">H", ethertype if ethertype is not None else len(payload))
        return (bytes.fromhex(destination) + SOURCE + tag + kind + payload).ljust(60, b"\0")
    kind = struct.pack(">H", ethertype if ethertype is not None else LLC_IN_COOKED)
    if link_type == COOKED:
        return struct.pack(">HHH", 1, 1, 6) + SOURCE + b"\0\0" + kind + payload
    return kind + struct.pack(">HIHBB", 0, 1, 1, 1, 6) + SOURCE + b"\0\0" + payload


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("link_type", "vlan"),
    [(ETHERNET, False), (ETHERNET, True), (COOKED, False), (COOKED_2, False)],
    ids=["ethernet", "tagged", "cooked", "cooked 2"],
)
def test_is_read(tmp_path: Path, name: str, link_type: int, vlan: bool) -> None:
    path = tmp_path / "one.pcap"
    path.write_bytes(pcap([Packet(data=framed(name, link_type, vlan=vlan))], link=link_type))
    view = dissect(path).view
    kind: type[object] = CASES[name][0]
    (found,) = view.messages(kind)
    assert found.frame.vlan == (0x65 if vlan else 0)
    assert found.frame.eth_src == "00:1c:0e:87:85:04"
    assert not view.anomalies
