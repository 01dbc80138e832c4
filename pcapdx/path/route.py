"""The captures of one incident in the order of the path, and how each kind of traffic fares from one to the next."""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from pcapdx.path.pair import Clock, Pair
from pcapdx.path.trail import ARP, ICMP, ICMPV6, RARP, TCP, UDP, Trail
from pcapdx.sieve.columns import Array
from pcapdx.values import dataclass
from pcapdx.vantage import Role

EPHEMERAL = 32768
"""From here on ports are given to clients for a while (Linux); they name no service."""
MOST_HOPS = 24
"""Rows of the table: those that lost most, then the busiest."""
INSIDE_OUT = (Role.TAP, Role.BRIDGE, Role.VLAN, Role.ANY, Role.NIC, Role.BOND, Role.TRUNK, Role.ROUTER)
"""From a guest outwards: the order where nothing else tells."""
UNTAGGED = (Role.TAP, Role.BRIDGE, Role.VLAN, Role.ROUTER)
"""Where frames have no tags."""
SERVICES = {
    (UDP, 67): "DHCP", (UDP, 547): "DHCPv6", (UDP, 53): "DNS", (TCP, 53): "DNS", (UDP, 123): "NTP", (TCP, 22): "SSH",
    (TCP, 80): "HTTP", (TCP, 443): "HTTPS", (TCP, 8080): "HTTP 8080", (TCP, 8250): "agent", (TCP, 2049): "NFS",
    (TCP, 111): "portmapper", (UDP, 111): "portmapper", (TCP, 3260): "iSCSI", (TCP, 3306): "MySQL",
    (TCP, 3922): "SSH 3922",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One kind of traffic in one VLAN along the path."""

    what: str
    vlan: int
    """The tag it carries where it carries one, 0 where it never does."""
    counts: tuple[int | None, ...]
    """Packets at each point, in path order; None where the point could not have seen it."""
    passed: tuple[int, ...]
    """Packets that are at both ends of each segment."""
    lost: tuple[int, ...]
    """Packets that go missing on each segment on the way from the first point to the last."""
    lost_back: tuple[int, ...]
    """The same for the way back."""
    retagged: tuple[tuple[int, int] | None, ...]
    """(VLAN here, VLAN there) where a segment changes the tag between two points that both show tags."""
    copies: tuple[int, ...]
    """Recordings of a packet beyond its first, at each point; those within 5 ms in one VLAN do not count."""

    @property
    def missing(self) -> int:
        """Packets lost on all segments, both ways."""
        return sum(self.lost) + sum(self.lost_back)


class Route:
    """Captures along a path: their trails by time, pairs of them, and the table of hops."""

    def __init__(
        self,
        names: Sequence[str],
        roles: Sequence[Role | None],
        trails: Sequence[Trail],
        filters: Sequence[Sequence[str]] = (),
    ) -> None:
        """``filters``: what each capture tells of its filters, by interface ("" for none)."""
        self._filters = tuple(filters) or tuple(() for _ in names)
        self.names = tuple(names)
        self.roles = tuple(roles)
        self.trails = tuple(trails)
        self._pairs: dict[tuple[int, int], Pair] = {}

    def pair(self, near: int, far: int) -> Pair:
        """Two captures against each other, by their places."""
        if (near, far) not in self._pairs:
            wires = all(role is not None and role.is_wire for role in (self.roles[near], self.roles[far]))
            back = self._pairs.get((far, near))
            self._pairs[near, far] = Pair(
                self.trails[near],
                self.trails[far],
                between_hosts=wires,
                back=back,
                filters=self._filters[far],
                untagged=self.roles[far] in UNTAGGED,
            )
        return self._pairs[near, far]

    @cached_property
    def clocks(self) -> tuple[Clock | None, ...]:
        """Of each capture against the first one, over others in between where the two have nothing in common.

        None for the first, and where nothing leads to it.
        """
        known: dict[int, Clock | None] = {0: None}
        for _ in self.names:
            for place in range(1, len(self.names)):
                if place not in known:
                    steps = ((before, self.pair(before, place).clock) for before in sorted(known))
                    found = next(((before, clock) for before, clock in steps if clock is not None), None)
                    if found is not None:
                        known[place] = _onwards(known[found[0]], found[1])
        return tuple(known.get(place) for place in range(len(self.names)))

    @cached_property
    def transits_ns(self) -> tuple[int | None, ...]:
        """How long packets take on each segment: half of what both ways take together, which no clock's offset moves.

        The median of the conversations; None where none goes both ways.
        """
        found: list[int | None] = []
        for near in range(len(self.names) - 1):
            talks = self.pair(near, near + 1).conversations
            both_ways = np.abs(talks["there"] - talks["home"]) // 2
            found.append(int(np.median(both_ways)) if len(talks) else None)
        return tuple(found)

    @property
    def sampled(self) -> bool:
        """So many frames that only a sample is compared; the counts are of the sample."""
        return any(trail.sampled for trail in self.trails)

    @cached_property
    def packets(self) -> tuple[list[Array], Array]:
        """A number for each row of each trail, the same for one packet at every point; and the tag of each packet."""
        return _packets(self)

    @cached_property
    def hops(self) -> tuple[Hop, ...]:
        """What was compared, by kind and VLAN: what lost most first, then the busiest."""
        return _hops(self)


def _onwards(first: Clock | None, then: Clock) -> Clock:
    """One difference of clocks after another."""
    if first is None:
        return then
    return Clock(
        offset_ns=first.offset_ns + then.offset_ns,
        error_ns=first.error_ns + then.error_ns,
        bounded=first.bounded and then.bounded,
        matched=min(first.matched, then.matched),
        spread_ns=max(first.spread_ns, then.spread_ns),
    )


def in_order(names: Sequence[str], roles: Sequence[Role | None], trails: Sequence[Trail]) -> tuple[list[int], str]:
    """Places of captures in the order of the path, client side first, and what it was read off; "" where nothing told.

    Whoever of two points sees the shorter wait for answers is nearer to the end that is asked.
    """
    route = Route(names, roles, trails)
    count = len(names)
    score, votes = [0] * count, 0
    for near in range(count):
        for far in range(near + 1, count):
            vote = _nearer_to_clients(route.pair(near, far))
            votes += vote != 0
            score[near] += vote
            score[far] -= vote
    by_role = [INSIDE_OUT.index(role) if role else len(INSIDE_OUT) for role in roles]
    order = sorted(range(count), key=lambda place: (-score[place], by_role[place] if not votes else place, place))
    if votes:
        return order, "how long each point waits for answers"
    return order, "the kinds of interface" if len(set(by_role)) > 1 else ""


def _nearer_to_clients(pair: Pair) -> int:
    """1 where the near capture is nearer to those who ask, -1 where the far one is, 0 where it does not show."""
    talks = pair.conversations
    if not len(talks):
        return 0
    rows = pair.rows[pair.rows["flow"] >= 0]
    asking = np.where(rows["asks"] == 1, rows["src"], rows["dst"])
    asked = np.where(rows["asks"] == 1, rows["dst"], rows["src"])
    clients = np.setdiff1d(np.unique(asking), np.unique(asked))
    a_asks, b_asks = np.isin(talks["a"], clients), np.isin(talks["b"], clients)
    near_is_a = talks["there"] > talks["home"]
    clear = (a_asks != b_asks) & (talks["there"] != talks["home"])
    vote = int(np.sum(np.where(a_asks == near_is_a, 1, -1)[clear]))
    return (vote > 0) - (vote < 0)


def kinds_of(rows: Array) -> list[str]:
    """What kind of traffic each row is, in words: ``DHCP``, ``ARP``, ``TCP 5432`` …"""
    pairs = np.stack((rows["protocol"], rows["service"]), axis=1)
    unique, which = np.unique(pairs, axis=0, return_inverse=True)
    words = [_kind(protocol, service) for protocol, service in unique.tolist()]
    return [words[place] for place in which.ravel().tolist()]


def _kind(protocol: int, service: int) -> str:
    if (protocol, service) in SERVICES:
        return SERVICES[protocol, service]
    if protocol in (TCP, UDP):
        name = "TCP" if protocol == TCP else "UDP"
        return f"{name} {service}" if service < EPHEMERAL else f"{name}, other ports"
    return {ARP: "ARP", RARP: "RARP", ICMP: "ICMP", ICMPV6: "ICMPv6"}.get(protocol, "other")


def _hops(route: Route) -> tuple[Hop, ...]:
    count = len(route.names)
    numbers, vlans = route.packets
    table: dict[tuple[str, int], _Cells] = {}
    for near in range(count - 1):
        for way, (here, there) in enumerate(((near, near + 1), (near + 1, near))):
            pair = route.pair(here, there)
            chosen = np.flatnonzero((pair.there >= 0) | (pair.lost & pair.expected))
            rows, packets = pair.rows[chosen], numbers[here][pair.places[chosen]]
            arrived = pair.there[chosen] >= 0
            after = np.where(arrived, pair.others["vlan"][pair.there[chosen]], 0) if len(pair.others) else rows["vlan"]
            changed = arrived & (after != rows["vlan"]) & (after > 0) & (rows["vlan"] > 0)
            words = kinds_of(rows)
            for what, vlan, places in _groups(words, vlans[packets]):
                cells = table.setdefault((what, vlan), _Cells(count))
                unique = set(packets[places].tolist())
                if there > here or here == count - 1:
                    cells.copies[here] += len(places) - len(unique)
                cells.seen[here].update(unique)
                cells.watched.update((here, there))
                cells.lost[way][near] += int(np.sum(~arrived[places]))
                cells.passed[near] += int(np.sum(arrived[places]))
                moved = places[changed[places]]
                if way == 0 and len(moved):
                    cells.retagged[near] = int(rows["vlan"][moved[0]]), int(after[moved[0]])
    hops = [
        Hop(
            what=what,
            vlan=vlan,
            counts=tuple(len(seen) if place in cells.watched else None for place, seen in enumerate(cells.seen)),
            passed=tuple(cells.passed),
            lost=tuple(cells.lost[0]),
            lost_back=tuple(cells.lost[1]),
            retagged=tuple(cells.retagged),
            copies=tuple(cells.copies),
        )
        for (what, vlan), cells in table.items()
    ]
    hops.sort(key=lambda one: (-one.missing, -sum(n or 0 for n in one.counts), one.what, one.vlan))
    return tuple(hops[:MOST_HOPS])


class _Cells:
    """A row of the table while it is counted."""

    def __init__(self, count: int) -> None:
        self.seen: list[set[int]] = [set() for _ in range(count)]
        self.watched: set[int] = set()
        self.copies = [0] * count
        self.passed = [0] * (count - 1)
        self.lost = [[0] * (count - 1), [0] * (count - 1)]
        self.retagged: list[tuple[int, int] | None] = [None] * (count - 1)


def _groups(words: list[str], vlans: Array) -> Iterator[tuple[str, int, Array]]:
    """Kind, VLAN and places of the rows of each."""
    if not words:
        return
    names, which = np.unique(words, return_inverse=True)
    keys = which.astype(np.int64) << 13 | vlans
    order = np.argsort(keys, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
        key = int(keys[places[0]])
        yield str(names[key >> 13]), key & 0x1FFF, places


def _packets(route: Route) -> tuple[list[Array], Array]:
    numbers: list[Array] = []
    given = 0
    for here, trail in enumerate(route.trails):
        mine = np.full(len(trail.rows), -1)
        for before in reversed(range(here)):
            pair = route.pair(here, before)
            fresh = (pair.there >= 0) & (mine[pair.places] < 0)
            theirs = pair.other_places[pair.there[fresh]]
            mine[pair.places[fresh]] = numbers[before][theirs]
        fresh = mine < 0
        mine[fresh] = given + np.arange(int(np.sum(fresh)))
        given += int(np.sum(fresh))
        numbers.append(mine)
    vlans = np.zeros(given, np.int64)
    for mine, trail in zip(numbers, route.trails, strict=True):
        np.maximum.at(vlans, mine, trail.rows["vlan"])
    return numbers, vlans
