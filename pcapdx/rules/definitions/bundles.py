"""What LACP says at a NIC: each actor's units, the run at their end that is out of sync, and who sent them."""

from collections.abc import Mapping, Sequence
from itertools import islice

from dissectors.lacp import Lacp, LacpEnd
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import SENT
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.values import dataclass
from pcapdx.vantage import Role

ActorKey = tuple[str, int, int]
MOST_PORTS = 64
"""A link has two ends and a bond a few links; who makes up more is not followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One port that speaks LACP."""

    mac: str | None
    """Source of its frames."""
    units: tuple[Seen[Lacp], ...]

    @property
    def latest(self) -> Lacp:
        """What it said last."""
        return self.units[-1].message

    @property
    def end(self) -> LacpEnd:
        """Itself, as it said last."""
        return self.latest.actor

    @property
    def agreed(self) -> bool:
        """Both ends are in sync, as it said last."""
        return self.latest.actor.in_sync and self.latest.partner.known and self.latest.partner.in_sync

    @property
    def lonely(self) -> tuple[Seen[Lacp], ...]:
        """Its units, where none of them names a partner."""
        return () if any(one.message.partner.known for one in self.units) else self.units

    @property
    def out_of_sync(self) -> tuple[Seen[Lacp], ...]:
        """The units at the end that name no partner, or one that it is not in sync with."""
        found: list[Seen[Lacp]] = []
        for one in reversed(self.units):
            if one.message.partner.known and one.message.actor.in_sync:
                break
            found.append(one)
        return tuple(reversed(found))


@once_a_view
def actors(view: View) -> tuple[Actor, ...]:
    """Every port whose units are seen at this NIC (LACP is never passed on by a switch), in order of appearance."""
    role = view.vantage.role
    if role is not None and not role.is_wire and role is not Role.ANY:
        return ()
    ports = islice(_by_port(view).values(), MOST_PORTS)
    return tuple(Actor(mac=units[0].frame.eth_src, units=tuple(units)) for units in ports)


def _by_port(view: View) -> Mapping[ActorKey, Sequence[Seen[Lacp]]]:
    found: dict[ActorKey, list[Seen[Lacp]]] = {}
    for one in view.messages(Lacp):
        actor = one.message.actor
        if not one.frame.tunnel:
            found.setdefault((actor.system, actor.key, actor.port), []).append(one)
    return found


def is_own(view: View, actor: Actor) -> bool | None:
    """Whether it is this host's; None when the capture does not tell."""
    direction = actor.units[0].frame.direction
    return direction == SENT if direction else is_local(view, actor.mac)


def span_ns(units: Sequence[Seen[Lacp]]) -> int:
    """From the first to the last of some units."""
    return units[-1].ts_ns - units[0].ts_ns if units else 0
