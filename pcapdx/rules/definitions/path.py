"""PAIR: two captures along one path, and what left one point and never came to the other.

Only packets of the time that both captures cover are judged, and only kinds that the other capture's filter admits.
Whether a packet should have come to the other point is the question every rule has to answer: it belongs to a
conversation that is heard there, it is for everybody, or the other point is the very interface of the machine it is
for.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import permutations

import numpy as np

from pcapdx.case import Case, View
from pcapdx.frame import ip_text, mac_text
from pcapdx.model import Confidence, Evidence, NextStep
from pcapdx.path.pair import Pair, is_group
from pcapdx.path.trail import ARP, ICMP, TCP, UDP
from pcapdx.rules.definitions.local import is_local, owners
from pcapdx.rules.definitions.memo import once_a_path
from pcapdx.rules.definitions.windows import TWO_PATHS
from pcapdx.rules.definitions.wording import cite
from pcapdx.sieve.columns import Array
from pcapdx.values import dataclass
from pcapdx.vantage import Role

ACK, SYN = 16, 2
INSIDE = (Role.TAP, Role.BRIDGE, Role.VLAN, Role.ROUTER)
MOST_CITED = 12
MOST_MEMBERS = 256
"""Machines, addresses or conversations that a rule looks at one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of some packets between two points; both are rows of the first one's trail."""

    lost: Array
    passed: Array

    @property
    def dead(self) -> bool:
        """Some were lost and none passed."""
        return len(self.lost) > 0 and not len(self.passed)


class Leg:
    """From one point to another: what is sent here should be there."""

    def __init__(self, case: Case, near: View, far: View, pair: Pair) -> None:
        self.near, self.far, self.pair = near, far, pair
        self.rows = pair.rows
        self._case = case

    def fate(self, chosen: Array) -> Fate:
        """What became of the chosen rows (a mask)."""
        return Fate(lost=self.rows[chosen & self.pair.lost], passed=self.rows[chosen & (self.pair.there >= 0)])

    @cached_property
    def group(self) -> Array:
        """Rows for everybody (a mask)."""
        return is_group(self.rows["eth_dst"])

    @cached_property
    def expected(self) -> Array:
        """Rows that must come to the far point (a mask)."""
        homes = [*(mac_int(mac) for mac in self._homes), *(self._beyond.tolist() if self.leaves_host else ())]
        return (self.pair.expected | np.isin(self.rows["eth_dst"], homes)) & ~self.from_beyond

    @cached_property
    def _beyond(self) -> Array:
        """MACs that are heard at both points, and whose unicast frames come here through the far one."""
        matched = self.rows[self.pair.there >= 0]
        heard = np.concatenate((matched["eth_src"], matched["eth_dst"][~is_group(matched["eth_dst"])]))
        here = self.rows["eth_src"][self.pair.lost & ~self.group]
        local = [mac_int(one.mac) for one in self.far.talkers if is_local(self.far, one.mac) is True]
        return np.setdiff1d(heard, np.concatenate((here, np.array(local, np.int64))))

    @cached_property
    def own(self) -> tuple[int, ...]:
        """MACs of this side of a host: whose tap it is, or all that do not come from beyond."""
        if self.near.vantage.role is Role.TAP:
            return (mac_int(self.guest),) if self.guest else ()
        remote = [mac_int(one.mac) for one in self.far.talkers if is_local(self.far, one.mac) is False]
        sent = self.rows["eth_src"][~self.from_beyond]
        return tuple(most_seen(sent[~np.isin(sent, remote)]))

    @cached_property
    def guest(self) -> str | None:
        """Whose tap one of the points is; None where neither is one, or it does not show."""
        tap = self.near if self.near.vantage.role is Role.TAP else self.far
        return guests(self._case).get(tap.name)

    def sent_by(self, mac: int) -> Array:
        """Rows with this source (a mask)."""
        sent: Array = self.rows["eth_src"] == mac
        return sent

    @cached_property
    def from_beyond(self) -> Array:
        """Rows that came here from the far side, or from elsewhere over the wire (a mask)."""
        beyond = []
        if self.is_wire_to_wire:
            beyond = [
                mac_int(one.mac) for one in self.near.talkers if one.sent and is_local(self.near, one.mac) is False
            ]
        theirs = [mac_int(mac) for mac in self._homes]
        return np.isin(self.rows["eth_src"], [*self.pair.from_far.tolist(), *beyond, *theirs])

    @cached_property
    def _homes(self) -> tuple[str, ...]:
        """MACs that live behind the far point for certain."""
        if self.far.vantage.role is Role.TAP:
            return (self.guest,) if self.guest else ()
        if self.is_wire_to_wire:
            return tuple(one.mac for one in self.far.talkers if one.sent and is_local(self.far, one.mac) is True)
        return ()

    @property
    def is_wire_to_wire(self) -> bool:
        """From a NIC to another NIC."""
        return all(view.vantage.role is not None and view.vantage.role.is_wire for view in (self.near, self.far))

    @property
    def leaves_host(self) -> bool:
        """From a point inside a host to a NIC: of the same host, where the two stand side by side on the path."""
        role = self.far.vantage.role
        return self.near.vantage.role in INSIDE and role is not None and role.is_wire

    @property
    def enters_host(self) -> bool:
        """From a NIC to a point inside a host."""
        role = self.near.vantage.role
        return self.far.vantage.role in INSIDE and role is not None and role.is_wire

    @property
    def compared(self) -> bool:
        """Something is in both captures, or both are of one time by clocks that are taken as they are."""
        begin, end = self.pair.span
        return end > begin

    @property
    def confidence(self) -> Confidence:
        """How sure a loss is: certain only where plenty else did pass."""
        return Confidence.CERTAIN if int(np.sum(self.pair.there >= 0)) >= TWO_PATHS else Confidence.LIKELY

    @property
    def limits(self) -> tuple[str, ...]:
        """What limits every claim about this leg."""
        return tuple(self._limits())

    def _limits(self) -> Iterator[str]:
        if not self.pair.comparable:
            yield (
                f"no packet is in both {self.near.name} and {self.far.name}, so their clocks could not be "
                "compared and are "
                f"taken as they are"
            )
        elif int(np.sum(self.pair.there >= 0)) < TWO_PATHS:
            yield f"only {int(np.sum(self.pair.there >= 0))} packets are in both captures"
        if self._case.ordered_by:
            yield f"the order of the captures is inferred from {self._case.ordered_by}"
        for name in (view.name for view in (self.near, self.far) if view.vantage.inferred and view.vantage.role):
            yield f"what kind of interface {name} is was inferred"

    def seen(self, rows: Array, what: str) -> Evidence:
        """Frames of the first point."""
        return cite(self.near, rows["number"].tolist()[:MOST_CITED], f"{what} at {self.near.name}")

    def arrived(self, rows: Array, what: str) -> Evidence:
        """The same packets' frames at the far point."""
        there = self.pair.there[np.isin(self.rows["number"], rows["number"])]
        numbers = self.pair.others["number"][there[there >= 0]]
        return cite(self.far, numbers.tolist()[:MOST_CITED], f"{what} at {self.far.name}")

    def missing(self, what: str) -> Evidence:
        """That the far point has none, though it was recording."""
        begin, end = self.pair.span
        offset = self.pair.offset_ns
        others = self.pair.others
        meanwhile = int(np.sum((others["ts_ns"] >= begin + offset) & (others["ts_ns"] <= end + offset)))
        seconds = (end - begin) / 1e9
        return Evidence(
            capture=self.far.name,
            frames=(),
            what=(
                f"none of them at {self.far.name} in {seconds:.1f} s, in which it has {meanwhile:,} other frames{what}"
            ),
        )

    @property
    def between(self) -> str:
        """In words."""
        return f"between {self.near.name} and {self.far.name}"


def legs(case: Case) -> Iterator[Leg]:
    """Both ways between captures that follow each other on the path; taps side by side are guests beside each other."""
    roles = [view.vantage.role for view in case.views]
    for (here, there), leg in _all(case).items():
        first, last = min(here, there), max(here, there)
        beside = len(roles) > 2 and roles[first] is roles[last] is Role.TAP
        if not beside and all(role is Role.TAP for role in roles[first + 1 : last]):
            yield leg


def every_leg(case: Case) -> Iterator[Leg]:
    """Both ways between any two captures."""
    yield from _all(case).values()


@once_a_path
def guests(case: Case) -> dict[str, str]:
    """By name of a tap's capture, the MAC whose tap it is, where it shows.

    An end of every unicast frame there, whom no other capture puts elsewhere: not on the far side of a NIC, not at
    another's tap. Where frames are flooded there is none such; then the only one that speaks and is spoken to.
    """
    remote = _beyond_nics(case)
    able = {
        view.name: [mac for mac in owners(view) if mac_int(mac) not in remote]
        or [one.mac for one in view.talkers if one.sent and one.received and mac_int(one.mac) not in remote]
        or list(owners(view))
        for view in case.views
        if view.vantage.role is Role.TAP
    }
    found: dict[str, str] = {}
    for _ in able:
        for name, macs in able.items():
            left = [mac for mac in macs if found.get(name) == mac or mac not in found.values()]
            if len(left) == 1:
                found[name] = left[0]
    return found


def _beyond_nics(case: Case) -> set[int]:
    """MACs that come to a NIC by the wire."""
    remote: set[int] = set()
    if case.route is None:
        return remote
    inner = [place for place, view in enumerate(case.views) if view.vantage.role in INSIDE]
    for here, view in enumerate(case.views):
        if view.vantage.role is not None and view.vantage.role.is_wire:
            remote.update(mac_int(one.mac) for one in view.talkers if one.sent and is_local(view, one.mac) is False)
            remote.update(mac for place in inner for mac in case.route.pair(place, here).from_far.tolist())
    return remote


@once_a_path
def _all(case: Case) -> dict[tuple[int, int], Leg]:
    """By places on the path."""
    if case.route is None:
        return {}
    legs = {
        (here, there): Leg(case, case.views[here], case.views[there], case.route.pair(here, there))
        for here, there in permutations(range(len(case.views)), 2)
    }
    return {places: one for places, one in legs.items() if one.compared}


def most_seen(values: Array) -> list[int]:
    """Each value once, those first that come most often; of a flood of forged ones the rest is not looked at."""
    unique, counts = np.unique(values, return_counts=True)
    chosen: list[int] = unique[np.argsort(-counts, kind="stable")][:MOST_MEMBERS].tolist()
    return chosen


def mac_int(mac: str) -> int:
    """A MAC as the columns have it."""
    return int(mac.replace(":", ""), 16)


def mac_of(value: int) -> str:
    """A MAC of a row as text."""
    return mac_text(int(value)) or "?"


def ip_of(value: int) -> str | None:
    """An IPv4 address of a row as text; of an IPv6 address only a hash is kept."""
    return ip_text(4, 0, 0, 0, int(value)) if 0 <= value < 1 << 32 else None


def of_kind(rows: Array, protocol: int, *services: int) -> Array:
    """Rows of a protocol, and of one of these services where any are given (a mask)."""
    found: Array = rows["protocol"] == protocol
    return found & np.isin(rows["service"], services) if services else found


def is_arp(rows: Array) -> Array:
    """ARP (a mask)."""
    return of_kind(rows, ARP)


def is_ip(rows: Array) -> Array:
    """IPv4 and IPv6 (a mask)."""
    found: Array = rows["protocol"] >= 0
    return found


def is_dhcp(rows: Array) -> Array:
    """DHCP (a mask)."""
    return of_kind(rows, UDP, 67)


def is_opening(rows: Array) -> Array:
    """First segments of connections (a mask)."""
    found: Array = (rows["protocol"] == TCP) & ((rows["tcp_flags"] & (SYN | ACK)) == SYN)
    return found


def is_ping(rows: Array) -> Array:
    """ICMP for IPv4 (a mask)."""
    return of_kind(rows, ICMP)


def ports(near: View, far: View, vlan: int) -> NextStep:
    """Look at the switch ports between two points."""
    return NextStep(
        where=f"switch between {near.name} and {far.name}",
        command=f"show interfaces trunk; show mac address-table{f' vlan {vlan}' if vlan else ''}",
        meaning="the VLAN must be allowed on both hosts' ports, and both MACs learnt where they are",
    )
