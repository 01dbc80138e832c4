"""LACP: whether both ends of a link agree that it belongs to a bundle (IEEE 802.1AX, 6.4.2; formerly 802.3ad)."""

from collections.abc import Iterator

from pcapdx.dissect import Cursor, Dissector, Layer, Malformed, Sample
from pcapdx.frame import mac_text
from pcapdx.values import dataclass

_LACP = 1
_ACTOR, _PARTNER = 1, 2
_INFORMATION_BYTES = 20
_NOBODY = "00:00:00:00:00:00"
_FIVE_SECONDS = 5 * 10**9

ACTIVITY, TIMEOUT, AGGREGATION, SYNCHRONIZATION, COLLECTING, DISTRIBUTING, DEFAULTED, EXPIRED = (
    1 << bit for bit in range(8)
)
"""Bits of a state."""
_NAMES = ("active", "short timeout", "aggregatable", "in sync", "collecting", "distributing", "defaulted", "expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class LacpEnd:
    """One end of a link: of the actor as it says, of the partner as the actor believes."""

    system: str
    """MAC; all zeros where the actor has no partner."""
    system_priority: int
    key: int
    """Ports of one system with one key may be bundled."""
    port: int
    port_priority: int
    state: int

    @property
    def known(self) -> bool:
        """It names a system."""
        return self.system != _NOBODY

    @property
    def in_sync(self) -> bool:
        """The port is in the right bundle, and takes and gives frames."""
        wanted = SYNCHRONIZATION | COLLECTING | DISTRIBUTING
        return self.state & wanted == wanted

    @property
    def state_words(self) -> tuple[str, ...]:
        """Names of the bits that are set."""
        return tuple(name for bit, name in enumerate(_NAMES) if self.state >> bit & 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacp:
    """One data unit."""

    version: int
    actor: LacpEnd
    partner: LacpEnd

    @property
    def label(self) -> str:
        """Both systems, and whether the actor's end is in sync."""
        partner = self.partner.system if self.partner.known else "nobody"
        return f"{self.actor.system} key {self.actor.key} with {partner}: {', '.join(self.actor.state_words)}"


def read(cursor: Cursor) -> Iterator[Lacp]:
    """The data unit of one frame; markers and other slow protocols are not ours."""
    if cursor.u8("slow protocol") != _LACP:
        return
    version = cursor.u8("version")
    actor = _end(cursor, _ACTOR, "actor")
    yield Lacp(version=version, actor=actor, partner=_end(cursor, _PARTNER, "partner"))


def _end(cursor: Cursor, expected: int, what: str) -> LacpEnd:
    at = cursor.at
    kind, length = cursor.u8(f"{what} TLV"), cursor.u8(f"length of the {what}")
    if kind != expected or length != _INFORMATION_BYTES:
        raise Malformed(f"TLV {kind} of {length} bytes in place of the {what}", at)
    system_priority = cursor.u16(f"{what} system priority")
    system = cursor.take(6, f"{what} system")
    key = cursor.u16(f"{what} key")
    port_priority, port = cursor.u16(f"{what} port priority"), cursor.u16(f"{what} port")
    state = cursor.u8(f"{what} state")
    cursor.skip(3, "reserved")
    return LacpEnd(
        system=mac_text(int.from_bytes(system, "big")) or _NOBODY,
        system_priority=system_priority,
        key=key,
        port=port,
        port_priority=port_priority,
        state=state,
    )


DISSECTOR = Dissector(
    name="lacp",
    spec="IEEE 802.1AX",
    messages=(Lacp,),
    read=read,
    layer=Layer.LINK,
    ethertypes=frozenset({0x8809}),
    sample=Sample(first=16, every_ns=_FIVE_SECONDS),
)
