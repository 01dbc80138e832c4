"""CDP: Cisco's discovery protocol, versions 1 and 2 (also spoken by other switches and by lldpd).

Source: Cisco's published TLV table ("Frame Formats", Cisco Discovery Protocol), as Wireshark reads it.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from pcapdx.dissect import Cursor, Dissector, Layer, Malformed, Sample, Truncated
from pcapdx.values import dataclass

_SNAP = bytes.fromhex("aaaa03 00000c 2000")
_DEVICE, _ADDRESSES, _PORT, _VERSION, _PLATFORM = 0x01, 0x02, 0x03, 0x05, 0x06
_NATIVE_VLAN, _DUPLEX, _VOICE_VLAN, _SYSTEM_NAME, _MANAGEMENT = 0x0A, 0x0B, 0x0E, 0x14, 0x16
_MTU = 0x11
_TEXTS = frozenset({_DEVICE, _PORT, _VERSION, _PLATFORM, _SYSTEM_NAME})
_IPV4, _IPV6 = (1, b"\xcc"), (2, bytes.fromhex("aaaa03000000 86dd"))
_MOST_TLVS = 256
_MOST_ADDRESSES = 64
_MINUTE = 60 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Cdp:
    """What one port says of itself and its device."""

    version: int
    ttl_s: int
    device: str | None
    port: str | None
    """``GigabitEthernet1/0/7``."""
    platform: str | None
    software: str | None
    system_name: str | None
    native_vlan: int | None
    """The VLAN of untagged frames on this port."""
    voice_vlan: int | None
    full_duplex: bool | None
    mtu: int | None
    addresses: tuple[str, ...]
    """Its addresses, management ones behind them; some come twice."""
    cut: bool
    """The snap length cut the packet: what it said further on is not known."""

    @property
    def label(self) -> str:
        """``Device ID: sw1  Port ID: Gi1/0/7``, as Wireshark's Info column in fewer signs."""
        vlan = f" native VLAN {self.native_vlan}" if self.native_vlan is not None else ""
        return f"{self.device or '?'} port {self.port or '?'}{vlan}"


def read(cursor: Cursor) -> Iterator[Cdp]:
    """The packet of one frame, behind its LLC and SNAP header; other SNAP is not ours.

    Of a packet that was cut, what there is.
    """
    if cursor.peek(len(_SNAP)) != _SNAP[: cursor.left]:
        return
    cursor.skip(len(_SNAP), "LLC and SNAP header")
    version, ttl_s = cursor.u8("version"), cursor.u8("time to live")
    cursor.skip(2, "checksum")
    found = _Found()
    try:
        for _ in range(_MOST_TLVS):
            if not _more(cursor):
                break
            at = cursor.at
            kind, length = cursor.u16("TLV type"), cursor.u16("TLV length")
            if length < 4:
                raise Malformed(f"a TLV of {length} bytes", at)
            found.add(kind, cursor.sub(length - 4, "TLV"))
    except Truncated:
        yield found.packet(version, ttl_s, cut=True)
        raise
    yield found.packet(version, ttl_s, cut=False)


class _Found:
    """The TLVs of one packet, as they come."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._numbers: dict[int, int] = {}
        self._addresses: list[str] = []

    def add(self, kind: int, value: Cursor) -> None:
        """Takes what is known of a TLV; one with a length that its definition rules out is left out."""
        if kind in _TEXTS:
            self._texts.setdefault(kind, _text(value.rest()))
        elif kind in (_ADDRESSES, _MANAGEMENT):
            self._addresses.extend(_addresses(value))
        elif kind == _NATIVE_VLAN and value.left >= 2:
            self._numbers.setdefault(kind, value.u16("native VLAN"))
        elif kind == _VOICE_VLAN and value.left >= 3:
            value.skip(1, "data")
            self._numbers.setdefault(kind, value.u16("voice VLAN"))
        elif kind == _DUPLEX and value.left >= 1:
            self._numbers.setdefault(kind, value.u8("duplex"))
        elif kind == _MTU and value.left >= 4:
            self._numbers.setdefault(kind, value.u32("MTU"))

    def packet(self, version: int, ttl_s: int, *, cut: bool) -> Cdp:
        """All of it as one message."""
        texts, numbers = self._texts, self._numbers
        return Cdp(
            version=version,
            ttl_s=ttl_s,
            device=texts.get(_DEVICE),
            port=texts.get(_PORT),
            platform=texts.get(_PLATFORM),
            software=texts.get(_VERSION),
            system_name=texts.get(_SYSTEM_NAME),
            native_vlan=numbers.get(_NATIVE_VLAN),
            voice_vlan=numbers.get(_VOICE_VLAN),
            full_duplex=bool(numbers[_DUPLEX]) if _DUPLEX in numbers else None,
            mtu=numbers.get(_MTU),
            addresses=tuple(self._addresses),
            cut=cut,
        )


def _more(cursor: Cursor) -> bool:
    """Whether a TLV follows; less than one is padding, unless the capture ends before the frame does."""
    ends = cursor.wire_end is None or cursor.wire_end <= cursor.end
    return cursor.left >= 4 or not ends


def _addresses(value: Cursor) -> Iterator[str]:
    if value.left < 4:
        return
    for _ in range(min(value.u32("number of addresses"), _MOST_ADDRESSES)):
        if value.left < 2:
            return
        kind, length = value.u8("protocol type"), value.u8("protocol length")
        protocol = value.take(length, "protocol")
        address = value.take(value.u16("address length"), "address")
        if (kind, protocol) == _IPV4 and len(address) == 4:
            yield str(IPv4Address(address))
        elif (kind, protocol) == _IPV6 and len(address) == 16:
            yield str(IPv6Address(address))


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")


DISSECTOR = Dissector(
    name="cdp",
    spec="Cisco Discovery Protocol 1 and 2",
    messages=(Cdp,),
    read=read,
    layer=Layer.LINK,
    llc_saps=frozenset({_SNAP[0]}),
    sample=Sample(first=4, every_ns=_MINUTE),
    names=frozenset({"device", "system_name"}),
)
