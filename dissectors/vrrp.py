"""VRRP: which router owns a virtual address now (RFC 3768 version 2, RFC 5798 and 9568 version 3, both over IPv6, too).

Also within an authentication header, as VRRP version 2 of some keepalived set-ups has it. What authenticates is told
by its kind; a password never leaves the reader.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from pcapdx.dissect import Cursor, Dissector, Layer, Malformed, Sample
from pcapdx.values import dataclass

_VRRP, _AH = 112, 51
_ADVERTISEMENT = 1
_CARP_WORDS, _CARP_BYTES = 7, 36
_VIRTUAL_MACS = ("00:00:5e:00:01:", "00:00:5e:00:02:")
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Vrrp:
    """One advertisement: its sender is the master of the virtual router, or thinks so."""

    version: int
    vrid: int
    priority: int
    """255 the owner of the addresses; 0 the master gives up."""
    addresses: tuple[str, ...]
    interval_ms: int
    """Between two advertisements."""
    authentication: int | None
    """Version 2: 0 none, 1 password in clear, 2 header (AH); None in version 3, which has none."""
    ip_version: int
    virtual_mac: bool
    """Sent from the virtual router's own MAC, as the RFC wants it; keepalived does not unless told to."""

    @property
    def resigns(self) -> bool:
        """The master gives up."""
        return self.priority == 0

    @property
    def label(self) -> str:
        """``Announcement (v2) vrid 51 priority 100 10.1.1.1``."""
        return f"Announcement (v{self.version}) vrid {self.vrid} priority {self.priority} {', '.join(self.addresses)}"


def read(cursor: Cursor) -> Iterator[Vrrp]:
    """The advertisement of one packet; CARP, which has the same protocol number, is not ours."""
    frame = cursor.frame
    hidden = False
    if frame is not None and frame.ip_protocol == _AH:
        if cursor.u8("next header") != _VRRP:
            return
        cursor.skip((cursor.u8("length of the authentication header") + 2) * 4 - 2, "authentication header")
        hidden = True
    if _is_carp(cursor):
        return
    at = cursor.at
    head = cursor.u8("version and type")
    version, kind = head >> 4, head & 15
    if version not in (2, 3) or kind != _ADVERTISEMENT:
        raise Malformed(f"version {version} type {kind}", at)
    six = frame is not None and frame.ip_version == 6
    vrid, priority, count = cursor.u8("virtual router id"), cursor.u8("priority"), cursor.u8("number of addresses")
    first, second = cursor.u8("interval"), cursor.u8("interval")
    cursor.skip(2, "checksum")
    addresses = [
        str(IPv6Address(cursor.take(16, "address")) if six else IPv4Address(cursor.take(4, "address")))
        for _ in range(count)
    ]
    # version 2: kind of authentication, seconds; version 3: 12 bits of hundredths
    interval_ms = second * 1000 if version == 2 else ((first & 15) << 8 | second) * 10
    source = frame.eth_src if frame is not None else None
    yield Vrrp(
        version=version,
        vrid=vrid,
        priority=priority,
        addresses=tuple(addresses),
        interval_ms=interval_ms,
        authentication=None if version == 3 else 2 if hidden else first,
        ip_version=6 if six else 4,
        virtual_mac=source is not None and source.startswith(_VIRTUAL_MACS),
    )


def _is_carp(cursor: Cursor) -> bool:
    """CARP looks like version 2 with seven addresses, but is too short for them (OpenBSD's ip_carp.h)."""
    wire = cursor.wire_end if cursor.wire_end is not None else cursor.end
    head = cursor.peek(4)
    return len(head) == 4 and head[0] == 0x21 and head[3] == _CARP_WORDS and wire - cursor.at == _CARP_BYTES


def withheld(message: object) -> str | None:
    """A password in clear."""
    plain = isinstance(message, Vrrp) and message.version == 2 and message.authentication == 1
    return "VRRP password" if plain else None


DISSECTOR = Dissector(
    name="vrrp",
    spec="RFC 9568",
    messages=(Vrrp,),
    read=read,
    layer=Layer.TRANSPORT,
    ip_protocols=frozenset({_VRRP, _AH}),
    sample=Sample(first=16, every_ns=_SECOND),
    withheld=withheld,
    secrets={"authentication": "the kind alone is kept; a password in clear stays in the packet"},
)
