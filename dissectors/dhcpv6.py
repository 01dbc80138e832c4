"""DHCPv6: addresses and settings for IPv6, by DUID instead of MAC (RFC 8415)."""

from collections.abc import Iterator
from ipaddress import IPv6Address

from pcapdx.dissect import Cursor, Dissector, Malformed, Sample, Seen, Traffic
from pcapdx.values import dataclass

_NAMES = {
    1: "Solicit",
    2: "Advertise",
    3: "Request",
    4: "Confirm",
    5: "Renew",
    6: "Rebind",
    7: "Reply",
    8: "Release",
    9: "Decline",
    10: "Reconfigure",
    11: "Information-request",
}
_RELAY_FORWARD, _RELAY_REPLY = 12, 13
_CLIENT_ID, _SERVER_ID, _IA_NA, _IA_ADDRESS, _RELAY_MESSAGE, _STATUS = 1, 2, 3, 5, 9, 13
_LINK_LAYER_TIME, _LINK_LAYER = 1, 3
_ETHERNET = 1
_MOST_RELAYS = 8
_MOST_OPTIONS = 256
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dhcp6:
    """One message, out of its relays."""

    type: int
    transaction_id: int
    client_duid: str | None
    """Hexadecimal."""
    server_duid: str | None
    addresses: tuple[str, ...]
    """Of its identity associations (IA_NA)."""
    iaids: tuple[int, ...]
    status: int | None
    """Status code of the message as a whole; 0 is success."""
    relays: int

    @property
    def name(self) -> str:
        """``Solicit``, ``Advertise``, …"""
        return _NAMES.get(self.type, f"type {self.type}")

    @property
    def label(self) -> str:
        """As Wireshark's Info column."""
        return f"{self.name} XID: 0x{self.transaction_id:06x}"

    @property
    def client_mac(self) -> str | None:
        """The MAC in the client's DUID, where it holds one (DUID-LLT and DUID-LL over Ethernet)."""
        raw = bytes.fromhex(self.client_duid or "")
        kind, hardware = int.from_bytes(raw[:2], "big"), int.from_bytes(raw[2:4], "big")
        if hardware != _ETHERNET:
            return None
        mac = raw[8:14] if kind == _LINK_LAYER_TIME else raw[4:10] if kind == _LINK_LAYER else b""
        return mac.hex(":") if len(mac) == 6 else None

    @property
    def from_server(self) -> bool:
        """ADVERTISE, REPLY or RECONFIGURE."""
        return self.type in (2, 7, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dhcp6Exchange:
    """One transaction of one client."""

    vlan: int
    vni: int | None
    mac: str
    """Source MAC of the client's frames."""
    transaction_id: int
    client_duid: str | None
    messages: tuple[Seen[Dhcp6], ...]

    @property
    def solicits(self) -> tuple[Seen[Dhcp6], ...]:
        """All SOLICITs."""
        return tuple(one for one in self.messages if one.message.type == 1)

    @property
    def answers(self) -> tuple[Seen[Dhcp6], ...]:
        """All messages of servers."""
        return tuple(one for one in self.messages if one.message.from_server)


def read(cursor: Cursor) -> Iterator[Dhcp6]:
    """One message; relays' wrappings are taken off."""
    for relays in range(_MOST_RELAYS + 1):
        kind = cursor.u8("message type")
        if kind not in (_RELAY_FORWARD, _RELAY_REPLY):
            yield _message(cursor, kind, relays)
            return
        cursor.skip(33, "hop count, link and peer address")
        inner = next((body for code, body in _options(cursor) if code == _RELAY_MESSAGE), None)
        if inner is None:
            return
        cursor = inner
    raise Malformed("too many relays", cursor.at)


def _message(cursor: Cursor, kind: int, relays: int) -> Dhcp6:
    transaction_id = cursor.u24("transaction id")
    client = server = status = None
    addresses: list[str] = []
    iaids: list[int] = []
    for code, body in _options(cursor):
        if code == _CLIENT_ID:
            client = body.rest().hex()
        elif code == _SERVER_ID:
            server = body.rest().hex()
        elif code == _STATUS:
            status = body.u16("status code")
        elif code == _IA_NA:
            iaids.append(body.u32("IAID"))
            body.skip(8, "T1 and T2")
            addresses.extend(
                str(IPv6Address(inner.take(16, "address"))) for code, inner in _options(body) if code == _IA_ADDRESS
            )
    return Dhcp6(
        type=kind,
        transaction_id=transaction_id,
        client_duid=client,
        server_duid=server,
        addresses=tuple(addresses),
        iaids=tuple(iaids),
        status=status,
        relays=relays,
    )


def _options(cursor: Cursor) -> Iterator[tuple[int, Cursor]]:
    for _ in range(_MOST_OPTIONS):
        if not cursor.left:
            return
        code, length = cursor.u16("option code"), cursor.u16("option length")
        yield code, cursor.sub(length, "option")


def pair(traffic: Traffic) -> Iterator[Dhcp6Exchange]:
    """Joins messages by transaction and client DUID."""
    groups: dict[tuple[int, int | None, int, str | None], list[Seen[Dhcp6]]] = {}
    for one in traffic.seen:
        frame, message = one.frame, one.message
        vni = frame.vni if frame.vni >= 0 else None
        groups.setdefault((frame.vlan, vni, message.transaction_id, message.client_duid), []).append(one)
    for (vlan, vni, transaction_id, duid), messages in groups.items():
        client = next((one for one in messages if not one.message.from_server), messages[0])
        yield Dhcp6Exchange(
            vlan=vlan,
            vni=vni,
            mac=client.frame.eth_src or "",
            transaction_id=transaction_id,
            client_duid=duid,
            messages=tuple(messages),
        )


DISSECTOR = Dissector(
    name="dhcpv6",
    spec="RFC 8415",
    messages=(Dhcp6,),
    read=read,
    udp_ports=frozenset({546, 547}),
    sample=Sample(first=64, every_ns=_SECOND),
    pair=pair,
    exchanges=(Dhcp6Exchange,),
)
