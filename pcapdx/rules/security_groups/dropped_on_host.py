"""Connections whose first segments come to one side of a host's filter and never to the other: two captures tell."""

from collections.abc import Iterator

import numpy as np

from pcapdx.case import Case
from pcapdx.rules.definitions.path import Fate, Segment, ip_of, is_arp, is_ip, is_opening, mac_int, mac_of, segments
from pcapdx.rules.definitions.syn_dead import Tries, syn_dead
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.host_connectivity import PORTS as HOST_PORTS
from pcapdx.sieve.columns import Array
from pcapdx.values import dataclass
from pcapdx.vantage import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A service whose first segments die between two points while other packets of the same guest pass."""

    segment: Segment
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
    for segment in segments(case):
        own = segment.guest if segment.far.vantage.role is Role.TAP else None
        if own is None or segment.near.vantage.role is Role.TAP:
            continue
        mine = segment.rows["eth_dst"] == mac_int(own)
        others = segment.fate(mine & (is_ip(segment.rows) | is_arp(segment.rows)))
        if len(others.passed):
            yield from _services(segment, own, mine, others)


def dropped_by_guests(case: Case) -> Iterator[tuple[Segment, Tries]]:
    """Tries that came to the guest's tap, seen before its host's filter, too, and were not answered."""
    for segment in segments(case):
        if not segment.enters_host or segment.guest is None:
            continue
        opening = segment.fate(is_opening(segment.rows) & (segment.rows["eth_dst"] == mac_int(segment.guest)))
        came = {(ip_of(row["src"]), ip_of(row["dst"]), int(row["dport"])) for row in opening.passed}
        for tries in syn_dead(segment.far):
            if (tries.client, tries.server, tries.port) in came and tries.port not in HOST_PORTS:
                yield segment, tries


def from_guests(case: Case) -> Iterator[Dropped]:
    """First segments of a guest that never come out of its host."""
    for segment in segments(case):
        if segment.near.vantage.role is not Role.TAP or segment.far.vantage.role is Role.TAP:
            continue
        for mac in segment.own:
            sent = segment.sent_by(mac) & segment.expected
            others = segment.fate(sent & is_ip(segment.rows))
            if len(others.passed) >= REPETITION:
                yield from _services(segment, mac_of(mac), sent, others)


def _services(segment: Segment, guest: str, chosen: Array, others: Fate) -> Iterator[Dropped]:
    opening = chosen & is_opening(segment.rows)
    for port, server in np.unique(
        np.stack((segment.rows["dport"][opening], segment.rows["dst"][opening]), axis=1), axis=0
    ).tolist():
        fate = segment.fate(opening & (segment.rows["dport"] == port) & (segment.rows["dst"] == server))
        if fate.dead and len(fate.lost) >= REPETITION:
            yield Dropped(
                segment=segment,
                guest=guest,
                client=ip_of(fate.lost["src"][0]) or "the client",
                server=ip_of(server) or "the server",
                port=int(port),
                lost=fate.lost,
                passed=others.passed,
            )
