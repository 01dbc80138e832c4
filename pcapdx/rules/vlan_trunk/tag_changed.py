"""VLAN004 tag-changed-on-the-way: requests leave in one VLAN, their answers come back in another or untagged.

What it does
------------
Pairs requests (ARP, ping, DHCP, TCP) with answers to the very asker that carry another tag or none. When the asker does
not take them and asks again, the tag was changed on the wire, not by the recorder (that is CAP001). Also finds guests
of elsewhere that come in untagged, unanswered, where their network is tagged here and other VLANs do arrive tagged.

Why it matters
--------------
The host hands an answer to the network of its tag: the guest never gets it, although the path works.

Common causes
-------------
The guest's VLAN is the native (untagged) one of a switch port; a port translates VLAN ids; the two ends of a link have
different native VLANs.

What else it could be
---------------------
A private VLAN, where answers come in the primary VLAN by design and do reach the guest; an offload fault of the NIC.

Next steps
----------
Compare the native VLAN and the VLAN mapping of both switch ports.
"""

from collections.abc import Iterator, Sequence

from pcapdx.case import Case, Talker, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.capture.rx_tags_stripped import stripped
from pcapdx.rules.definitions.crossings import Crossing, crossings
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.networks import vlans_of_network
from pcapdx.rules.definitions.observable import tags_expected, tags_observable
from pcapdx.rules.definitions.path import Leg, every_leg
from pcapdx.rules.definitions.switch_ports import switch_port
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, in_vlan, listed
from pcapdx.vantage import Role


def check(view: View) -> Iterator[Finding]:
    """One finding for each VLAN asked in."""
    if stripped(view):
        return
    grouped: dict[tuple[int, int], list[Crossing]] = {}
    for one in crossings(view):
        grouped.setdefault((one.asked, one.answered), []).append(one)
    told: set[int] = set()
    for (asked, answered), members in grouped.items():
        if len(members) >= REPETITION:
            told.add(asked or answered)
            yield _judge(view, asked, answered, members)
    if tags_expected(view) and tags_observable(view) and view.vantage.role is not Role.ANY:
        for vlan, guests in _come_untagged(view).items():
            if vlan not in told:
                yield _untagged(view, vlan, guests)


def check_path(case: Case) -> Iterator[Finding]:
    """One finding a VLAN whose frames come to another NIC in another VLAN, or without a tag."""
    told: set[frozenset[int]] = set()
    for leg in every_leg(case):
        if not leg.is_wire_to_wire or stripped(leg.near) or stripped(leg.far):
            continue
        both = leg.pair.vlan_map
        for (here, there), count in sorted(both.items()):
            alike = any(vlan and vlan == other for vlan, other in both)  # the far point keeps the tags of others
            if here == there or count < REPETITION or not alike or frozenset((here, there)) in told:
                continue
            told.add(frozenset((here, there)))
            yield _between(leg, here, there, count)


def _between(leg: Leg, here: int, there: int, count: int) -> Finding:
    found = leg.pair.there >= 0
    chosen = (leg.rows["vlan"] == here) & found
    chosen[found] &= leg.pair.others["vlan"][leg.pair.there[found]] == there
    rows = leg.rows[chosen]
    words = [f"tagged {vlan}" if vlan else "untagged" for vlan in (here, there)]
    return RULE.finding(
        subject=Subject(vlan=here or there),
        confidence=leg.confidence,
        summary=(
            f"The tag changes {leg.between}: {count:,} frames are {words[0]} at {leg.near.name} and "
            f"{words[1]} at "
            f"{leg.far.name}, while other VLANs keep theirs."
        ),
        evidence=(leg.seen(rows, f"frames {words[0]}"), leg.arrived(rows, f"the same frames {words[1]}")),
        filter=f"vlan.id == {here or there}",
        first_ns=int(rows["ts_ns"][0]),
        last_ns=int(rows["ts_ns"][-1]),
        alternatives=(
            f"the switch maps VLAN {here} to {there} on purpose"
            if here and there
            else f"VLAN {here or there} is the native one of a port on purpose, and the host expects it untagged there",
        ),
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"switch {leg.between}",
                command="show interfaces trunk; show interfaces switchport; show vlan mapping",
                meaning=f"VLAN {here or there} must be tagged on both ports: neither native nor mapped",
            ),
        ),
    )


def _come_untagged(view: View) -> dict[int, list[Talker]]:
    """Guests of other hosts that arrive without the tag that their network has here, by that VLAN."""
    tagged = {one.vlan for one in view.talkers if one.sent and one.vlan and one.vni is None and _remote(view, one)}
    found: dict[int, list[Talker]] = {}
    for one in view.talkers:
        if one.vlan or one.vni is not None or one.sent < REPETITION or one.received or not is_guest(one.mac):
            continue
        vlans = vlans_of_network(view, one.mac) - tagged if _remote(view, one) else frozenset()
        if len(vlans) == 1 and tagged:
            found.setdefault(min(vlans), []).append(one)
    return found


def _remote(view: View, talker: Talker) -> bool:
    return is_local(view, talker.mac) is False


def _untagged(view: View, vlan: int, guests: Sequence[Talker]) -> Finding:
    macs = listed(one.mac for one in guests[:3])
    return RULE.finding(
        subject=Subject(vlan=vlan),
        severity=Severity.WARNING,
        confidence=Confidence.LIKELY,
        summary=f"Frames of {macs} come in untagged and unanswered; their network is tagged {vlan} at this trunk.",
        evidence=(
            cite(view, (number for one in guests for number in one.frames), f"untagged, from hosts beyond; not {vlan}"),
        ),
        filter=f"eth.src in {{{', '.join(one.mac for one in guests[:8])}}} && !vlan",
        first_ns=min(one.first_ns or 0 for one in guests),
        last_ns=max(one.last_ns or 0 for one in guests),
        alternatives=("the guest's own host sends it untagged: its tap is in the wrong bridge there",),
        limits=("one capture cannot tell who took the tag away",),
        next_steps=next_steps(view, vlan),
    )


def _judge(view: View, asked: int, answered: int, members: Sequence[Crossing]) -> Finding:
    taken = any(one.went_on for one in members)
    again = sum(one.asked_again for one in members)
    askers = list(dict.fromkeys(one.asker_mac for one in members if one.asker_mac))
    frames = [number for one in members for number in one.frames]
    back = f"in VLAN {answered}" if answered else "untagged"
    if taken:
        outcome = "and are taken"
    elif again:
        outcome = "and do not reach the asker, who asks again"
    else:
        outcome = "and whether they are taken is not seen"
    severity = Severity.INFO if taken or not again else Severity.ERROR if again >= REPETITION - 1 else Severity.WARNING
    return RULE.finding(
        subject=Subject(vlan=asked or answered),
        severity=severity,
        confidence=Confidence.CERTAIN if again and not taken else Confidence.LIKELY,
        summary=(
            f"{listed(askers[:3])} ask{'s' if len(askers) == 1 else ''} {in_vlan(asked)}; "
            f"{len(members)} answers come back {back} {outcome}."
        ),
        evidence=(cite(view, frames, f"requests {in_vlan(asked)} and their answers {back}"),),
        filter=f"eth.addr in {{{', '.join(askers[:8])}}}" if askers else f"vlan.id == {asked}",
        first_ns=members[0].ts_ns,
        last_ns=members[-1].ts_ns,
        alternatives=(
            ("a private VLAN: answers come in the primary VLAN by design",)
            if answered
            else ("the NIC or its driver drops the tag: a mirror of the switch port tells",)
        ),
        limits=("one capture cannot tell which switch on the way changes the tag",),
        next_steps=next_steps(view, asked or answered),
    )


def next_steps(view: View, vlan: int) -> tuple[NextStep, ...]:
    """Where a tag may have been changed."""
    return (
        NextStep(
            where=switch_port(view),
            command="show interfaces trunk; show interfaces switchport",
            meaning=f"VLAN {vlan} must be tagged there: not the port's native VLAN, and not mapped to another",
        ),
        NextStep(
            where="this host",
            command=f"ethtool -k {view.vantage.interface or 'NIC'} | grep vlan; ip -d link show",
            meaning="with receive VLAN offload off, a capture shows the tags as they are on the wire",
        ),
    )


RULE = Rule(
    code="VLAN004",
    name="tag-changed-on-the-way",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.ERROR,
    check=check,
    check_path=check_path,
    explains=(
        "VLAN001",
        "DHCP001",
        "DHCP002",
        "DHCP003",
        "DHCP008",
        "DHCP010",
        "DHCP013",
        "DHCP020",
        "DHCP022",
        "HOST001",
        "HOST007",
        "HYP004",
        "META002",
        "META007",
        "PWD003",
        "PWD011",
        "SG001",
        "VLAN019",
    ),
)
