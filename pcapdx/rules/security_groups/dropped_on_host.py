"""Connections whose first segments come to one side of a host's filter and never to the other: two captures tell."""

from collections.abc import Iterator

import numpy as np

from pcapdx.case import Case
from pcapdx.rules.definitions.local import is_local, owners
from pcapdx.rules.definitions.path import (
    MOST_MEMBERS,
    Fate,
    Leg,
    ip_of,
    is_arp,
    is_ip,
    is_opening,
    legs,
    mac_int,
    mac_of,
)
from pcapdx.rules.definitions.syn_dead import Tries, syn_dead
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.host_connectivity import PORTS as HOST_PORTS
from pcapdx.sieve.columns import Array
from pcapdx.values import dataclass
from pcapdx.vantage import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A service whose first segments die between two points while other packets of the same guest pass."""

    leg: Leg
    guest: str
    """MAC of the guest whose host drops them."""
    client: str
    server: str
    port: int
    lost: Array
    passed: Array
    """What passes."""


def towards_guests(case: Case) -> Iterator[Dropped]:
    """First segments for a guest that never come to its tap."""
    for leg in legs(case):
        own = leg.guest if leg.far.vantage.role is Role.TAP else None
        if own is None or leg.near.vantage.role is Role.TAP:
            continue
        mine = leg.rows["eth_dst"] == mac_int(own)
        others = leg.fate(mine & (is_ip(leg.rows) | is_arp(leg.rows)))
        if len(others.passed):
            yield from _services(leg, own, mine, others)


def dropped_by_guests(case: Case) -> Iterator[tuple[Leg, Tries]]:
    """Tries that came to the guest's tap, seen before its host's filter, too, and were not answered."""
    for leg in legs(case):
        if not leg.enters_host or leg.guest is None:
            continue
        opening = leg.fate(is_opening(leg.rows) & (leg.rows["eth_dst"] == mac_int(leg.guest)))
        came = {(ip_of(row["src"]), ip_of(row["dst"]), int(row["dport"])) for row in opening.passed}
        for tries in syn_dead(leg.far):
            if (tries.client, tries.server, tries.port) in came and tries.port not in HOST_PORTS:
                yield leg, tries


def from_guests(case: Case) -> Iterator[Dropped]:
    """First segments of a guest that never come out of its host."""
    for leg in legs(case):
        if leg.far.vantage.role is Role.TAP:
            continue
        for mac in leg.own if leg.near.vantage.role is Role.TAP else _only_guest(leg):
            sent = leg.sent_by(mac) & leg.expected
            others = leg.fate(sent & is_ip(leg.rows))
            if len(others.passed) >= REPETITION:
                yield from _services(leg, mac_of(mac), sent, others)


def _only_guest(leg: Leg) -> tuple[int, ...]:
    """The one machine before a host's NIC, by a point that nobody names: untagged there, tagged by that very host."""
    near, far = leg.near, leg.far
    if near.vantage.role is not None or far.vantage.role is None or not far.vantage.role.is_wire or len(leg.own) != 1:
        return ()
    mac = mac_of(leg.own[0])
    inside = mac in owners(near) and not any(one.vlan for one in near.talkers)
    at_nic = [one for one in far.talkers if one.mac == mac and one.sent]
    tagged = bool(at_nic) and all(one.vlan for one in at_nic) and is_local(far, mac) is True
    return leg.own if inside and tagged else ()


def _services(leg: Leg, guest: str, chosen: Array, others: Fate) -> Iterator[Dropped]:
    opening = chosen & is_opening(leg.rows)
    services = np.stack((leg.rows["dport"][opening], leg.rows["dst"][opening]), axis=1)
    for port, server in np.unique(services, axis=0)[:MOST_MEMBERS].tolist():
        fate = leg.fate(opening & (leg.rows["dport"] == port) & (leg.rows["dst"] == server))
        if fate.dead and len(fate.lost) >= REPETITION:
            yield Dropped(
                leg=leg,
                guest=guest,
                client=ip_of(fate.lost["src"][0]) or "the client",
                server=ip_of(server) or "the server",
                port=int(port),
                lost=fate.lost,
                passed=others.passed,
            )
