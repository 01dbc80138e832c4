"""LLDP: which switch and which of its ports a NIC is cabled to, and what VLANs that port has.

The TLVs of IEEE 802.1AB, and of the organizations 802.1 (VLANs) and 802.3 (link aggregation, frame size).
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from pcapdx.dissect import Cursor, Dissector, Layer, Malformed, Sample, Truncated
from pcapdx.frame import mac_text
from pcapdx.values import dataclass

_END, _CHASSIS, _PORT, _TTL, _PORT_DESCRIPTION, _SYSTEM_NAME, _SYSTEM_DESCRIPTION = range(7)
_MANAGEMENT, _ORGANIZATION = 8, 127
_OUI_8021, _OUI_8023 = 0x0080C2, 0x00120F
_PORT_VLAN, _PROTOCOL_VLAN, _VLAN_NAME, _PROTOCOL = 1, 2, 3, 4
_AGGREGATION_OF_8021 = 7
_AGGREGATION, _FRAME_SIZE = 3, 4
_CHASSIS_MAC, _CHASSIS_ADDRESS = 4, 5
_PORT_MAC, _PORT_ADDRESS = 3, 4
_IPV4, _IPV6 = 1, 2
_MOST_TLVS = 512
_MINUTE = 60 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Vlan:
    """A VLAN name TLV (802.1Q, D.2.3): a VLAN that is configured on the port."""

    vid: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lldp:
    """What one port says of itself and its system."""

    chassis: str | None
    """A MAC or an address where that is its kind, otherwise the text."""
    chassis_subtype: int
    """4 MAC, 5 network address, 7 local name, …"""
    port: str | None
    port_subtype: int
    """3 MAC, 4 network address, 5 interface name, 7 local name, …"""
    ttl_s: int
    """0 where the port takes its words back (shutdown)."""
    port_description: str | None
    system_name: str | None
    system_description: str | None
    management: tuple[str, ...]
    """Management addresses that are IP."""
    port_vlan: int | None
    """802.1: the VLAN of untagged frames; 0 where the port has none."""
    vlans: tuple[Vlan, ...]
    """802.1: VLAN name TLVs."""
    protocol_vlans: tuple[int, ...]
    """802.1: port and protocol VLAN ids."""
    protocols: tuple[str, ...]
    """802.1: protocol identities, hexadecimal."""
    aggregation: int | None
    """Link aggregation status: bit 0 capable, bit 1 active."""
    aggregated_port: int | None
    """Interface number of the aggregate; 0 without one."""
    max_frame: int | None
    """802.3: largest frame in bytes, header and checksum included."""
    cut: bool
    """The snap length cut the unit: what it said further on is not known."""

    @property
    def aggregated(self) -> bool:
        """The port is a member of a link aggregate now."""
        return self.aggregation is not None and self.aggregation & 2 > 0

    @property
    def port_name(self) -> str | None:
        """The port as people know it: its description where the id is a MAC or missing, else the id."""
        return self.port_description if self.port is None or self.port_subtype == _PORT_MAC else self.port

    @property
    def vlan_ids(self) -> tuple[int, ...]:
        """Ids of the VLAN name TLVs."""
        return tuple(vlan.vid for vlan in self.vlans)

    @property
    def label(self) -> str:
        """``MA/02:.. IN/eth1 120 SysN=sw1`` in fewer signs: system, port, seconds."""
        system = self.system_name or self.chassis or "?"
        return f"{system} port {self.port_name or self.port or '?'} TTL {self.ttl_s} s"


def read(cursor: Cursor) -> Iterator[Lldp]:
    """The data unit of one frame; it must begin with chassis, port and time to live (802.1AB, 8.2).

    Of a unit that was cut behind these three, what there is.
    """
    mandatory = [_tlv(cursor) for _ in range(3)]
    for (kind, _, at), expected in zip(mandatory, (_CHASSIS, _PORT, _TTL), strict=True):
        if kind != expected:
            raise Malformed(f"TLV {kind} where {expected} is due", at)
    found = _Found()
    try:
        for _ in range(_MOST_TLVS):
            if not cursor.left and (cursor.wire_end is None or cursor.at >= cursor.wire_end):
                break  # an end TLV is due, and some leave it out
            kind, value, _ = _tlv(cursor)
            if kind == _END:
                break
            found.add(kind, value)
    except Truncated:
        yield _unit([value for _, value, _ in mandatory], found, cut=True)
        raise
    yield _unit([value for _, value, _ in mandatory], found, cut=False)


def _unit(mandatory: list[Cursor], found: "_Found", *, cut: bool) -> Lldp:
    chassis, port, ttl = mandatory
    chassis_subtype, port_subtype = chassis.u8("chassis id subtype"), port.u8("port id subtype")
    return Lldp(
        chassis=_identity(chassis.rest(), chassis_subtype, _CHASSIS_MAC, _CHASSIS_ADDRESS),
        chassis_subtype=chassis_subtype,
        port=_identity(port.rest(), port_subtype, _PORT_MAC, _PORT_ADDRESS),
        port_subtype=port_subtype,
        ttl_s=ttl.u16("time to live"),
        port_description=found.texts.get(_PORT_DESCRIPTION),
        system_name=found.texts.get(_SYSTEM_NAME),
        system_description=found.texts.get(_SYSTEM_DESCRIPTION),
        management=tuple(found.management),
        port_vlan=found.port_vlan,
        vlans=tuple(found.vlans),
        protocol_vlans=tuple(found.protocol_vlans),
        protocols=tuple(found.protocols),
        aggregation=found.aggregation,
        aggregated_port=found.aggregated_port,
        max_frame=found.max_frame,
        cut=cut,
    )


class _Found:
    """The optional TLVs of one unit, as they come. One with a length that its definition rules out is left out."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.management: list[str] = []
        self.port_vlan: int | None = None
        self.vlans: list[Vlan] = []
        self.protocol_vlans: list[int] = []
        self.protocols: list[str] = []
        self.aggregation: int | None = None
        self.aggregated_port: int | None = None
        self.max_frame: int | None = None

    def add(self, kind: int, value: Cursor) -> None:
        """Takes what is known of a TLV."""
        if kind in (_PORT_DESCRIPTION, _SYSTEM_NAME, _SYSTEM_DESCRIPTION):
            self.texts.setdefault(kind, _text(value.rest()))
        elif kind == _MANAGEMENT and value.left >= 2:
            length = value.u8("address length")
            address = value.peek(length)
            told = _address(address[1:], address[:1])
            if told:
                self.management.append(told)
        elif kind == _ORGANIZATION and value.left >= 4:
            self._of_organization(value.u24("organization"), value.u8("subtype"), value)

    def _of_organization(self, organization: int, subtype: int, value: Cursor) -> None:
        if organization == _OUI_8021:
            self._of_8021(subtype, value)
        elif organization == _OUI_8023 and subtype == _FRAME_SIZE and value.left >= 2:
            self.max_frame = value.u16("largest frame")
        elif organization == _OUI_8023 and subtype == _AGGREGATION:
            self._aggregation(value)

    def _of_8021(self, subtype: int, value: Cursor) -> None:
        if subtype == _PORT_VLAN and value.left >= 2:
            self.port_vlan = value.u16("port VLAN")
        elif subtype == _PROTOCOL_VLAN and value.left >= 3:
            value.skip(1, "flags")
            self.protocol_vlans.append(value.u16("protocol VLAN"))
        elif subtype == _VLAN_NAME and value.left >= 3:
            vid, length = value.u16("VLAN id"), value.u8("length of the name")
            self.vlans.append(Vlan(vid=vid, name=_text(value.peek(length))))
        elif subtype == _PROTOCOL and value.left >= 1:
            length = value.u8("length of the identity")
            self.protocols.append(value.peek(length).hex())
        elif subtype == _AGGREGATION_OF_8021:
            self._aggregation(value)

    def _aggregation(self, value: Cursor) -> None:
        if value.left >= 5:
            self.aggregation = value.u8("aggregation status")
            self.aggregated_port = value.u32("aggregated port")


def _tlv(cursor: Cursor) -> tuple[int, Cursor, int]:
    """Type, value and place of the next TLV: seven bits of type, nine of length."""
    at = cursor.at
    head = cursor.u16("TLV")
    return head >> 9, cursor.sub(head & 0x1FF, "TLV"), at


def _identity(value: bytes, subtype: int, mac: int, address: int) -> str | None:
    if subtype == mac and len(value) == 6:
        return mac_text(int.from_bytes(value, "big"))
    if subtype == address:
        return _address(value[1:], value[:1])
    return _text(value) or None


def _address(value: bytes, family: bytes) -> str | None:
    """An address of the family (IANA's numbers) in front of it; None of another than IP."""
    if family == bytes((_IPV4,)) and len(value) == 4:
        return str(IPv4Address(value))
    if family == bytes((_IPV6,)) and len(value) == 16:
        return str(IPv6Address(value))
    return None


def _text(value: bytes) -> str:
    """Some end their texts with a NUL that is no part of it."""
    return value.rstrip(b"\0").decode("utf-8", "replace")


DISSECTOR = Dissector(
    name="lldp",
    spec="IEEE 802.1AB",
    messages=(Lldp,),
    read=read,
    layer=Layer.LINK,
    ethertypes=frozenset({0x88CC}),
    sample=Sample(first=4, every_ns=_MINUTE),
    names=frozenset({"system_name"}),
)
