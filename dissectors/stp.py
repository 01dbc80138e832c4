"""Spanning tree: STP, RSTP and the head that MSTP has in common with them, also Cisco's for each VLAN (PVST+).

IEEE 802.1D-2004, 9.3 and 802.1Q, 14; PVST+ has the same unit behind SNAP 00000c/010b, and its VLAN in a TLV at the end.
"""

from collections.abc import Iterator

from pcapdx.dissect import Cursor, Dissector, Layer, Malformed, Sample
from pcapdx.frame import mac_text
from pcapdx.values import dataclass

_LLC = bytes.fromhex("424203")
_SNAP_PVST = bytes.fromhex("aaaa03 00000c 010b")
_CONFIGURATION, _RAPID, _TOPOLOGY_CHANGE = 0x00, 0x02, 0x80
_TREE = 0
_CLOCK = 256
"""Times count in units of 1/256 s."""
_PVID_TLV = bytes.fromhex("0000 0002")
_NEARLY_EVERY_HELLO = 1_500_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeId:
    """A bridge in one tree."""

    priority: int
    """In steps of 4096."""
    extension: int
    """The lower twelve bits: the VLAN of PVST+, the instance of MSTP, else 0."""
    mac: str

    @property
    def text(self) -> str:
        """``32768/101/00:1f:6d:96:ec:00``."""
        return f"{self.priority}/{self.extension}/{self.mac}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bpdu:
    """One bridge protocol data unit; a topology change notification of STP has no more than its type."""

    version: int
    """0 STP, 2 RSTP, 3 MSTP, 4 SPB."""
    type: int
    """0 configuration, 2 rapid (and multiple), 0x80 topology change notification."""
    flags: int
    root: BridgeId | None
    root_cost: int
    bridge: BridgeId | None
    port: int
    """Priority and number."""
    message_age_s: float
    max_age_s: float
    hello_s: float
    forward_delay_s: float
    pvst: bool
    """Cisco's, for one VLAN."""
    pvst_vlan: int | None
    """The VLAN in which the sender's port sent it (PVID TLV)."""

    @property
    def topology_change(self) -> bool:
        """TC: the sender tells that the tree changes; a notification does nothing else."""
        return self.type == _TOPOLOGY_CHANGE or self.flags & 0x01 > 0

    @property
    def acknowledges_change(self) -> bool:
        """TCA: the sender has heard of the change."""
        return self.flags & 0x80 > 0

    @property
    def role(self) -> str | None:
        """RSTP and MSTP: role of the port that sent it."""
        if self.type != _RAPID:
            return None
        return ("unknown", "alternate or backup", "root", "designated")[self.flags >> 2 & 3]

    @property
    def forwards(self) -> bool | None:
        """RSTP and MSTP: the port that sent it forwards frames; None for STP, which does not tell."""
        return self.flags & 0x20 > 0 if self.type == _RAPID else None

    @property
    def label(self) -> str:
        """As Wireshark's Info column, with the root."""
        if self.bridge is None or self.root is None:
            return "Topology Change Notification"
        kind = {0: "Conf.", 2: "RST.", 3: "MST."}.get(self.version, f"version {self.version}")
        change = " TC +" if self.topology_change else ""
        vlan = f" VLAN {self.pvst_vlan}" if self.pvst_vlan is not None else ""
        return f"{kind}{change}{vlan} Root = {self.root.text} Cost = {self.root_cost} Port = 0x{self.port:04x}"


def read(cursor: Cursor) -> Iterator[Bpdu]:
    """The unit of one frame, behind LLC, or SNAP for PVST+; other SNAP is not ours."""
    pvst = cursor.peek(1) == _SNAP_PVST[:1]
    head = _SNAP_PVST if pvst else _LLC
    if cursor.peek(len(head)) != head[: cursor.left]:
        return
    cursor.skip(len(head), "LLC header")
    at = cursor.at
    protocol, version, kind = cursor.u16("protocol"), cursor.u8("version"), cursor.u8("type")
    if protocol != _TREE:
        raise Malformed(f"spanning tree protocol {protocol}", at)
    if kind == _TOPOLOGY_CHANGE:
        yield _unit(version, kind, pvst)
        return
    if kind not in (_CONFIGURATION, _RAPID):
        raise Malformed(f"type {kind:#x} of bridge protocol data unit", at + 3)
    flags = cursor.u8("flags")
    root, root_cost = _bridge(cursor, "root"), cursor.u32("root cost")
    bridge, port = _bridge(cursor, "bridge"), cursor.u16("port")
    ages = [cursor.u16(what) / _CLOCK for what in ("message age", "max age", "hello time", "forward delay")]
    vlan = _pvst_vlan(cursor) if pvst else None
    yield _unit(version, kind, pvst, flags, root, root_cost, bridge, port, ages, vlan)


def _unit(
    version: int,
    kind: int,
    pvst: bool,
    flags: int = 0,
    root: BridgeId | None = None,
    root_cost: int = 0,
    bridge: BridgeId | None = None,
    port: int = 0,
    ages: list[float] | None = None,
    vlan: int | None = None,
) -> Bpdu:
    age, most, hello, delay = ages or (0.0, 0.0, 0.0, 0.0)
    return Bpdu(
        version=version,
        type=kind,
        flags=flags,
        root=root,
        root_cost=root_cost,
        bridge=bridge,
        port=port,
        message_age_s=age,
        max_age_s=most,
        hello_s=hello,
        forward_delay_s=delay,
        pvst=pvst,
        pvst_vlan=vlan,
    )


def _bridge(cursor: Cursor, what: str) -> BridgeId:
    head = cursor.u16(f"{what} priority")
    mac = mac_text(int.from_bytes(cursor.take(6, f"{what} MAC"), "big")) or ""
    return BridgeId(priority=head & 0xF000, extension=head & 0x0FFF, mac=mac)


def _pvst_vlan(cursor: Cursor) -> int | None:
    """The PVID TLV (type 0, length 2), one byte behind the last time; None where it is not there or was cut off."""
    tail = cursor.peek(1 + len(_PVID_TLV) + 2)[1:]
    if len(tail) < len(_PVID_TLV) + 2 or not tail.startswith(_PVID_TLV):
        return None
    return int.from_bytes(tail[len(_PVID_TLV) :], "big")


DISSECTOR = Dissector(
    name="stp",
    spec="IEEE 802.1D",
    messages=(Bpdu,),
    read=read,
    layer=Layer.LINK,
    llc_saps=frozenset({_LLC[0], _SNAP_PVST[0]}),
    sample=Sample(first=8, every_ns=_NEARLY_EVERY_HELLO),
)
