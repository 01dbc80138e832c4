"""What a report says of the path: its order, the clocks, the table of hops, and single packets from point to point."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from pcapdx.case import Case
from pcapdx.diagnosis import Diagnosed
from pcapdx.dissect import Seen
from pcapdx.model import Severity
from pcapdx.path.pair import Clock
from pcapdx.path.route import Hop, Route, kinds_of
from pcapdx.values import dataclass
from pcapdx.vantage import Role

MOST_PASSAGES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockEntry:
    """A capture's clock against the first one's."""

    capture: str
    offset_ns: int | None
    """Its time less the first one's, for the same moment; null where no packet is in both."""
    error_ns: int | None
    matched: int
    """Packets that are in both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HopEntry:
    """One kind of traffic in one VLAN, from point to point."""

    what: str
    vlan: int
    counts: tuple[int | None, ...]
    """Packets at each point, in path order; null where the point could not have seen it."""
    fate: str
    """``whole``, or where it is lost or changed, in words. "Lost" only where something is found to be wrong: of a
    network with no fault, or of a bond's two legs, just that one point has what the other has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageEntry:
    """One packet of the evidence, from point to point."""

    what: str
    frames: tuple[int | None, ...]
    """Its frame in each capture, in path order."""
    moments_ns: tuple[int | None, ...]
    """When it was there, by the first capture's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathEntry:
    """Several captures along one path."""

    captures: tuple[str, ...]
    """Names, client side first."""
    ordered_by: str
    """What the order was read off; empty where it was given."""
    sampled: bool
    """So many packets that a sample was compared; counts are of the sample."""
    clocks: tuple[ClockEntry, ...]
    transits_ns: tuple[int | None, ...]
    """How long packets take from each point to the next: half of what both ways take; null where it does not show."""
    hops: tuple[HopEntry, ...]
    passages: tuple[PassageEntry, ...]


def path_of(case: Case, diagnosed: Diagnosed) -> PathEntry | None:
    """The path of a case; None of a single capture."""
    route = case.route
    if route is None:
        return None
    faulty = any(one.finding.severity is not Severity.INFO for one in diagnosed.findings)
    return PathEntry(
        captures=route.names,
        ordered_by=case.ordered_by,
        sampled=route.sampled,
        clocks=tuple(_clock(name, one) for name, one in zip(route.names[1:], route.clocks[1:], strict=True)),
        transits_ns=route.transits_ns,
        hops=tuple(_hop(route, one, faulty=faulty) for one in route.hops),
        passages=tuple(_passages(case, route, diagnosed)),
    )


def _clock(name: str, clock: Clock | None) -> ClockEntry:
    if clock is None:
        return ClockEntry(capture=name, offset_ns=None, error_ns=None, matched=0)
    return ClockEntry(capture=name, offset_ns=clock.offset_ns, error_ns=clock.error_ns, matched=clock.matched)


def _hop(route: Route, hop: Hop, *, faulty: bool) -> HopEntry:
    fate = "; ".join(_fates(route, hop, faulty=faulty)) or "whole"
    return HopEntry(what=hop.what, vlan=hop.vlan, counts=hop.counts, fate=fate)


def _fates(route: Route, hop: Hop, *, faulty: bool) -> Iterator[str]:
    for place, (here, there) in enumerate(pairwise(route.names)):
        legs = route.roles[place] is Role.BOND and route.roles[place + 1] is Role.BOND
        change = hop.retagged[place]
        if change is not None:
            yield f"tagged {change[0]} at {here} and {change[1]} at {there}"
        for lost, start, end in ((hop.lost[place], here, there), (hop.lost_back[place], there, here)):
            if lost and (legs or not faulty):
                yield f"{lost:,} of {start} not at {end}" if hop.passed[place] else f"none of {start} at {end}"
            elif lost:
                yield f"{lost:,} lost from {start} to {end}" if hop.passed[place] else f"lost after {start}"
    for name, copies in zip(route.names, hop.copies, strict=True):
        if copies:
            yield f"{copies:,} more than once at {name}"


def _passages(case: Case, route: Route, diagnosed: Diagnosed) -> Iterator[PassageEntry]:
    """The packets that prove the first diagnosis; without one, nothing needs a proof."""
    if not diagnosed.diagnoses:
        return
    packets: dict[int, tuple[int, int]] = {}
    for piece in diagnosed.diagnoses[0].root.finding.evidence:
        place = route.names.index(piece.capture)
        rows = route.trails[place].rows
        for at in np.flatnonzero(np.isin(rows["number"], piece.frames)).tolist():
            packets.setdefault(int(route.packets[0][place][at]), (place, at))
    for packet, (place, at) in list(packets.items())[:MOST_PASSAGES]:
        frames: list[int | None] = []
        moments: list[int | None] = []
        for point, numbers in enumerate(route.packets[0]):
            found = np.flatnonzero(numbers == packet)
            row = route.trails[point].rows[found[0]] if len(found) else None
            clock = route.clocks[point]
            frames.append(None if row is None else int(row["number"]))
            moments.append(None if row is None else int(row["ts_ns"]) - (clock.offset_ns if clock else 0))
        yield PassageEntry(what=_what(case, route, place, at), frames=tuple(frames), moments_ns=tuple(moments))


def _what(case: Case, route: Route, place: int, at: int) -> str:
    """As its dissector words it, or its kind."""
    row = route.trails[place].rows[at : at + 1]
    number = int(row["number"][0])
    labels = [_label(one) for one in case.views[place].all_messages if one.number == number]
    return next((label for label in labels if label), kinds_of(row)[0])


def _label(seen: Seen[Any]) -> str:
    label: str = getattr(seen.message, "label", "")
    return label
