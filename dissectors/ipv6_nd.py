"""IPv6 neighbour discovery: who is a router here, with which prefixes, and who has which address (RFC 4861, 8106)."""

from collections.abc import Iterator
from ipaddress import IPv6Address

from pcapdx.dissect import Cursor, Dissector, Layer, Malformed, Sample
from pcapdx.values import dataclass

_ICMPV6 = 58
_ROUTER_SOLICITATION, _ROUTER_ADVERTISEMENT, _NEIGHBOR_SOLICITATION, _NEIGHBOR_ADVERTISEMENT = 133, 134, 135, 136
_SOURCE_MAC, _TARGET_MAC, _PREFIX, _MTU, _RDNSS = 1, 2, 3, 5, 25
_TEN_SECONDS = 10_000_000_000
_MOST_OPTIONS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """A prefix information option (RFC 4861, 4.6.2)."""

    prefix: str
    """``fd00:131::/64``."""
    on_link: bool
    autonomous: bool
    """Hosts make addresses from it by themselves (SLAAC)."""
    valid_s: int
    preferred_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSolicitation:
    """A host asks for routers."""

    source_mac: str | None

    @property
    def label(self) -> str:
        """As Wireshark's Info column."""
        return f"Router Solicitation from {self.source_mac or '?'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterAdvertisement:
    """A router introduces itself."""

    hop_limit: int
    managed: bool
    """M: addresses come by DHCPv6."""
    other: bool
    """O: other settings come by DHCPv6."""
    lifetime_s: int
    """0 is no default router (any more)."""
    source_mac: str | None
    prefixes: tuple[Prefix, ...]
    mtu: int | None
    dns: tuple[str, ...]

    @property
    def label(self) -> str:
        """As Wireshark's Info column, with the prefixes."""
        return f"Router Advertisement {', '.join(one.prefix for one in self.prefixes) or 'without prefix'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborSolicitation:
    """Who has an address; from ``::`` it is a test whether anyone has it (duplicate address detection)."""

    target: str
    source_mac: str | None

    @property
    def label(self) -> str:
        """As Wireshark's Info column."""
        return f"Neighbor Solicitation for {self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborAdvertisement:
    """Who has it."""

    target: str
    target_mac: str | None
    router: bool
    solicited: bool
    override: bool

    @property
    def label(self) -> str:
        """As Wireshark's Info column."""
        return f"Neighbor Advertisement {self.target} is at {self.target_mac or '?'}"


def read(cursor: Cursor) -> Iterator[object]:
    """One message of neighbour discovery; other ICMPv6 is not ours."""
    kind = cursor.u8("type")
    if not _ROUTER_SOLICITATION <= kind <= _NEIGHBOR_ADVERTISEMENT:
        return
    cursor.skip(3, "code and checksum")
    if kind == _ROUTER_SOLICITATION:
        cursor.skip(4, "reserved")
        yield RouterSolicitation(source_mac=_mac(_options(cursor), _SOURCE_MAC))
    elif kind == _ROUTER_ADVERTISEMENT:
        yield _advertisement(cursor)
    else:
        flags = cursor.u32("flags")
        target = str(IPv6Address(cursor.take(16, "target address")))
        options = _options(cursor)
        if kind == _NEIGHBOR_SOLICITATION:
            yield NeighborSolicitation(target=target, source_mac=_mac(options, _SOURCE_MAC))
        else:
            yield NeighborAdvertisement(
                target=target,
                target_mac=_mac(options, _TARGET_MAC),
                router=bool(flags >> 31 & 1),
                solicited=bool(flags >> 30 & 1),
                override=bool(flags >> 29 & 1),
            )


def _advertisement(cursor: Cursor) -> RouterAdvertisement:
    hop_limit, flags, lifetime_s = cursor.u8("hop limit"), cursor.u8("flags"), cursor.u16("router lifetime")
    cursor.skip(8, "reachable time and retransmission timer")
    options = _options(cursor)
    mtus = [int.from_bytes(body[2:6], "big") for kind, body in options if kind == _MTU and len(body) >= 6]
    servers = [
        str(IPv6Address(body[at : at + 16]))
        for kind, body in options
        if kind == _RDNSS
        for at in range(6, len(body) - 15, 16)
    ]
    return RouterAdvertisement(
        hop_limit=hop_limit,
        managed=bool(flags & 0x80),
        other=bool(flags & 0x40),
        lifetime_s=lifetime_s,
        source_mac=_mac(options, _SOURCE_MAC),
        prefixes=tuple(_prefix(body) for kind, body in options if kind == _PREFIX and len(body) >= 30),
        mtu=mtus[0] if mtus else None,
        dns=tuple(servers),
    )


def _prefix(body: bytes) -> Prefix:
    return Prefix(
        prefix=f"{IPv6Address(body[14:30])}/{body[0]}",
        on_link=bool(body[1] & 0x80),
        autonomous=bool(body[1] & 0x40),
        valid_s=int.from_bytes(body[2:6], "big"),
        preferred_s=int.from_bytes(body[6:10], "big"),
    )


def _options(cursor: Cursor) -> list[tuple[int, bytes]]:
    """(kind, body without its two-byte head) of each option; lengths count in units of eight bytes and are never 0."""
    found: list[tuple[int, bytes]] = []
    while cursor.left and len(found) < _MOST_OPTIONS:
        at = cursor.at
        kind, units = cursor.u8("option type"), cursor.u8("option length")
        if units == 0:
            raise Malformed("an option of length 0", at)
        found.append((kind, cursor.take(units * 8 - 2, "option")))
    return found


def _mac(options: list[tuple[int, bytes]], wanted: int) -> str | None:
    return next((body[:6].hex(":") for kind, body in options if kind == wanted and len(body) >= 6), None)


DISSECTOR = Dissector(
    name="ipv6_nd",
    spec="RFC 4861, RFC 8106",
    messages=(RouterSolicitation, RouterAdvertisement, NeighborSolicitation, NeighborAdvertisement),
    read=read,
    layer=Layer.TRANSPORT,
    ip_protocols=frozenset({_ICMPV6}),
    sample=Sample(first=8, every_ns=_TEN_SECONDS),
)
