"""VLAN017 size-cutoff: frames above one length never arrive, all below it do.

What it does
------------
With captures at two points: finds a length L such that five or more packets above it are lost between them, none above
it arrives, and none of twenty or more up to L is lost. With one capture: finds that full-size segments of two
connections or more between the same ends are sent again and again, never acknowledged, while both ends live, smaller
packets pass and no router says that they are too big; of a single connection, or where the snap length hides whether
the checksums are right, it is a remark.

Why it matters
--------------
Layer 2 drops too long frames without a word: connections open and hang at the first full leg.

Common causes
-------------
A switch port, bridge, bond or underlay with a smaller MTU than both ends; an MTU of 1500 on a link that also has to
carry a tag or a tunnel header.

What else it could be
---------------------
Segments that a kernel joins or cuts (GSO, GRO) look long in a capture and are never so on the wire: only lengths up to
1522 bytes are judged, longer ones where no kernel's hand is seen.

Next steps
----------
Ping with the don't-fragment bit at the length that is lost.
"""

from collections.abc import Iterator

import numpy as np

from dissectors.metadata import MetadataExchange
from pcapdx.case import Case, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import Fate, Leg, ip_of, is_ip, legs
from pcapdx.rules.definitions.stuck import bounds, numbers, stuck
from pcapdx.rules.definitions.windows import BURST, REPETITION, TWO_PATHS
from pcapdx.rules.definitions.wording import cite, times
from pcapdx.sieve.columns import Array
from pcapdx.values import dataclass

ETHERNET, TAG, ICMP_HEADERS = 14, 4, 28
FULL = 1514
"""The longest frame without a tag where the MTU is 1500."""
CONNECTIONS = 2
"""One may stall for a reason of its own."""
TELLING = 576
"""A cut below the smallest MTU of IPv4 hosts is something else (RFC 791)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The longest packet that passed and what above it did not; lengths are of IP packets, in bytes."""

    passed: int
    lost: int
    """The shortest that was lost."""
    fate: Fate


def check(case: Case) -> Iterator[Finding]:
    """VLAN017: one finding a pair of points and way."""
    for leg in legs(case):
        cut = size_cut(leg)
        if cut is not None:
            yield _finding(leg, cut)


def check_one(view: View) -> Iterator[Finding]:
    """VLAN017 from one capture: one finding a sender and receiver."""
    metadata = {one.flow.index for one in view.exchanges(MetadataExchange)}  # what stalls of it has its own name
    for (sender, receiver), every in stuck(view).items():
        members = [one for one in every if one.flow.index not in metadata]
        if not members:
            continue
        first = members[0]
        flow, several = first.flow, len(members) >= CONNECTIONS
        whole = any(one.sender.sums_right + one.sender.sums_partial >= REPETITION for one in members)
        sure = several and whole
        size = min(one.sender.stuck_bytes for one in members)
        most = max(one.sender.stuck_retransmissions for one in members)
        begin, end = bounds(members)
        yield RULE.finding(
            subject=Subject(vlan=flow.vlan or None, ip=flow.originator.ip, server=flow.responder.ip),
            severity=Severity.WARNING if sure else Severity.INFO,
            confidence=Confidence.LIKELY if sure else Confidence.POSSIBLE,
            summary=(
                f"Full-size segments ({size:,} bytes) from {sender} to {receiver} die on {len(members)} "
                f"connection{'s' if several else ''}, sent again {times(most)}, while smaller packets pass: "
                "something on the way takes no packets of that length."
            ),
            evidence=(cite(view, numbers(members), f"segments of {size:,} bytes and more, never acknowledged"),),
            filter=f"tcp.len >= {size} && ip.src == {sender} && ip.dst == {receiver}",
            first_ns=begin,
            last_ns=end,
            alternatives=(
                "plain loss, which hits small packets as well: a ping of each length tells",
                "a firewall that drops by content: then the same length passes with another",
            ),
            limits=(
                "one capture does not tell where on the way they are lost",
                *(() if whole else ("the segments are cut, so that wrong checksums would not show",)),
            ),
            next_steps=(
                NextStep(
                    where=f"{sender}",
                    command=f"for n in 1472 1372 548; do ping -qc 3 -M do -s $n {receiver}; done; tracepath {receiver}",
                    meaning="the first lost and the last answered: the path's MTU is below 1500 bytes",
                ),
                NextStep(
                    where=f"each bridge, bond, tunnel and switch port between {sender} and {receiver}",
                    command="ip -d link | grep mtu; show interfaces | include MTU|giants",
                    meaning="an MTU that leaves no room for a tag (4 bytes) or VXLAN (50): that is the place",
                ),
            ),
        )


def size_cut(leg: Leg) -> Cut | None:
    """The length above which nothing passes a leg; None where there is none."""
    fate = leg.fate(is_ip(leg.rows) & leg.expected)
    lost, passed = ip_length(fate.lost), ip_length(fate.passed)
    if len(lost) < BURST or len(passed) < TWO_PATHS:
        return None
    most, least = int(passed.max()), int(lost.min())
    return Cut(passed=most, lost=least, fate=fate) if most < least and least > TELLING else None


def ip_length(rows: Array) -> Array:
    """Length of each row's IP packet, bytes."""
    tags = (rows["vlan"] > 0).astype(np.int64) + (rows["inner_vlan"] >= 0)
    length: Array = rows["wire_bytes"] - ETHERNET - TAG * tags
    return length


def _finding(leg: Leg, cut: Cut) -> Finding:
    lost = cut.fate.lost
    ends = sorted({ip for ip in (ip_of(lost["src"][0]), ip_of(lost["dst"][0])) if ip})
    return RULE.finding(
        subject=Subject(vlan=int(lost["vlan"][0]) or None),
        confidence=leg.confidence,
        summary=(
            f"Packets above {cut.passed} bytes do not get from {leg.near.name} to {leg.far.name}: "
            f"{len(lost):,} of "
            f"{cut.lost} bytes and more are lost, all {len(cut.fate.passed):,} up to {cut.passed} bytes arrive."
        ),
        evidence=(
            leg.seen(lost, f"packets of {cut.lost} bytes and more"),
            leg.missing(f"; the longest of them has {cut.passed} bytes"),
            leg.arrived(cut.fate.passed, "shorter packets of the same ends"),
        ),
        filter=f"ip.len >= {cut.lost}" + "".join(f" && ip.addr == {one}" for one in ends),
        first_ns=int(lost["ts_ns"][0]),
        last_ns=int(lost["ts_ns"][-1]),
        alternatives=(*_for_the_tag(cut), "a filter that looks into long packets only"),
        limits=leg.limits,
        next_steps=steps(leg, cut),
    )


def _for_the_tag(cut: Cut) -> tuple[str, ...]:
    """Where the tag alone makes the frames too long."""
    longer = ETHERNET + TAG
    if not cut.fate.lost["vlan"][0] or not cut.passed + longer <= FULL < cut.lost + longer <= FULL + TAG:
        return ()
    return (f"a port that takes {FULL} bytes and not the {TAG} more of a tag: {cut.lost} bytes untagged would pass",)


def steps(leg: Leg, cut: Cut) -> tuple[NextStep, ...]:
    """How to see the limit."""
    target = ip_of(cut.fate.lost["dst"][0]) or "the other end"
    return (
        NextStep(
            where=f"host of {leg.near.name}",
            command=(
                f"ping -c 3 -M do -s {cut.lost - ICMP_HEADERS} {target}; ping -c 3 -M do -s "
                f"{cut.passed - ICMP_HEADERS} {target}"
            ),
            meaning="the first without and the second with an answer: the limit lies between these lengths",
        ),
        NextStep(
            where=f"switch {leg.between}",
            command="show interfaces | include MTU|giants",
            meaning=(
                f"an MTU below {cut.lost} bytes (a tag needs 4 more, VXLAN 50), or giants that grow: this is the port"
            ),
        ),
    )


CONSEQUENCES = ("HOST009", "HYP023", "META009", "META010", "SG001")

RULE = Rule(
    code="VLAN017",
    name="size-cutoff",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.ERROR,
    check=check_one,
    check_path=check,
    explains=CONSEQUENCES,
)
