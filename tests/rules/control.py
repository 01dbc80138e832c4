"""Frames of control protocols for tests of rules, to be put on a Tape."""

from collections.abc import Sequence

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import LLC, SNAP, Dot3, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from pcapdx.frame import mac_int

NIC, SWITCH = "b8:59:9f:00:00:01", "00:1c:73:00:00:07"
NOBODY = "00:00:00:00:00:00"
SYNCED, DEFAULTED = 0x3D, 0x45


def mac(text: str) -> bytes:
    """Six bytes."""
    return mac_int(text).to_bytes(6)


def _tlv(kind: int, body: bytes) -> bytes:
    return (kind << 9 | len(body)).to_bytes(2) + body


def lldp(
    source: str = SWITCH,
    *,
    system: str = "tor-1",
    port: str = "Ethernet1/7",
    subtype: int = 5,
    description: str = "",
    vlans: Sequence[int] = (),
    native: int | None = None,
    ttl: int = 120,
) -> Packet:
    """A unit of a switch port (or a host)."""
    unit = _tlv(1, b"\4" + mac(source)) + _tlv(2, bytes((subtype,)) + port.encode()) + _tlv(3, ttl.to_bytes(2))
    unit += _tlv(4, description.encode()) if description else b""
    unit += _tlv(5, system.encode())
    if native is not None:
        unit += _tlv(127, bytes.fromhex("0080c201") + native.to_bytes(2))
    for vlan in vlans:
        unit += _tlv(127, bytes.fromhex("0080c203") + vlan.to_bytes(2) + b"\3vlx")
    return Ether(src=source, dst="01:80:c2:00:00:0e", type=0x88CC) / Raw(unit + b"\0\0")


def cdp(source: str = SWITCH, *, device: str = "tor-1", port: str = "Ethernet1/7", native: int = 1) -> Packet:
    """A packet of a switch port."""
    parts = ((1, device.encode()), (3, port.encode()), (10, native.to_bytes(2)))
    body = b"\2\xb4\0\0" + b"".join(k.to_bytes(2) + (len(v) + 4).to_bytes(2) + v for k, v in parts)
    head = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0x00000C, code=0x2000)
    return Dot3(src=source, dst="01:00:0c:cc:cc:cc") / head / Raw(body)


def _unit(bridge: str, flags: int, version: int, extension: int = 0) -> bytes:
    kind = 2 if version else 0
    who = (0x8000 | extension).to_bytes(2) + mac(bridge)
    times = bytes.fromhex("0000140002000f00")
    return bytes((0, 0, version, kind, flags)) + who + bytes(4) + who + b"\x80\1" + times + (b"\0" if version else b"")


def bpdu(source: str = SWITCH, *, flags: int = 0, version: int = 0, bridge: str = "") -> Packet:
    """A unit of a bridge: plain with version 0, rapid with 2."""
    head = LLC(dsap=0x42, ssap=0x42, ctrl=3)
    return Dot3(src=source, dst="01:80:c2:00:00:00") / head / Raw(_unit(bridge or source, flags, version))


def pvst(pvid: int, tag: int = 0, source: str = SWITCH) -> Packet:
    """A rapid PVST+ unit of a VLAN, tagged or not."""
    unit = (
        bytes.fromhex("aaaa0300000c010b") + _unit(source, 0x3C, 2, pvid) + bytes.fromhex("00000002") + pvid.to_bytes(2)
    )
    length = len(unit).to_bytes(2)
    if tag:
        return Ether(src=source, dst="01:00:0c:cc:cc:cd", type=0x8100) / Raw(tag.to_bytes(2) + length + unit)
    return Ether(mac("01:00:0c:cc:cc:cd") + mac(source) + length + unit)


def lacp(
    source: str = NIC,
    *,
    system: str = NIC,
    key: int = 9,
    port: int = 1,
    state: int = SYNCED,
    partner: str = SWITCH,
    partner_key: int = 33,
    partner_state: int = SYNCED,
) -> Packet:
    """A unit of one end, with what it thinks of the other."""
    unit = b"\1\1"
    for kind, who, its_key, its_state in ((1, system, key, state), (2, partner, partner_key, partner_state)):
        number = port if kind == 1 else {SWITCH: 7, NOBODY: 0}.get(partner, 1)
        unit += bytes((kind, 20)) + b"\x80\0" + mac(who) + its_key.to_bytes(2) + b"\0\1" + number.to_bytes(2)
        unit += bytes((its_state, 0, 0, 0))
    return Ether(src=source, dst="01:80:c2:00:00:02", type=0x8809) / Raw(unit + bytes(52))


def vrrp(
    source: str, ip: str, *, vrid: int = 51, priority: int = 100, address: str = "10.1.1.1", version: int = 2
) -> Packet:
    """An advertisement."""
    head = bytes((version << 4 | 1, vrid, priority, 1))
    times = b"\0\1" if version == 2 else b"\0\x64"
    body = head + times + b"\0\0" + bytes(int(part) for part in address.split("."))
    return Ether(src=source, dst="01:00:5e:00:00:12") / IP(src=ip, dst="224.0.0.18", proto=112, ttl=255) / Raw(body)


def igmp(source: str, ip: str, group: str, kind: int = 0x16, *, code: int = 0) -> Packet:
    """A report (0x16) or query (0x11, group 0.0.0.0) of version 2."""
    body = bytes((kind, code, 0, 0)) + bytes(int(part) for part in group.split("."))
    to = "224.0.0.1" if kind == 0x11 else group
    return Ether(src=source, dst="01:00:5e:00:00:01") / IP(src=ip, dst=to, proto=2, ttl=1) / Raw(body)


def vxlan(ip: str, group: str, vni: int, inner: Packet) -> Packet:
    """A frame of a guest on its way between hosts."""
    outer = Ether(src=NIC, dst="01:00:5e:00:01:01") / IP(src=ip, dst=group, id=0) / UDP(sport=40000, dport=4789)
    return outer / VXLAN(vni=vni, flags=8) / inner
