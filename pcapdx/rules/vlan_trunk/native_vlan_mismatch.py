"""VLAN005 native-vlan-mismatch-hint: what a switch says of a VLAN does not fit the tag it comes with.

What it does
------------
Compares what control protocols say with the tags on the wire. PVST+ units name the VLAN they were sent in: one that
comes tagged otherwise has changed its VLAN on the way. LLDP and CDP name the native VLAN of the switch port: where it
is one that this host tags, and its requests there are answered untagged or not at all, the two ends disagree. The ports
of one bond's members must have the same one, and the site profile may say which.

Why it matters
--------------
Frames of the native VLAN change their VLAN between the two ends: guests are cut off, or land in a network of others.

Common causes
-------------
A port whose native VLAN was set for other uses; a trunk with different native VLANs at its ends; crossed patch leads.

What else it could be
---------------------
A switch that translates VLAN ids on purpose. A provider's tag around a customer's units (QinQ). The untagged unit of
the native VLAN names that VLAN and is right; only tagged ones are compared.

Next steps
----------
Compare the native VLAN of both ends of the trunk, and the tags that the host uses.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from dissectors.stp import Bpdu
from pcapdx.case import Case, View
from pcapdx.dissect import Seen
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.bundles import actors
from pcapdx.rules.definitions.crossings import crossings
from pcapdx.rules.definitions.observable import tags_observable
from pcapdx.rules.definitions.switch_ports import Neighbour, neighbours, planned, switch_port
from pcapdx.rules.definitions.two_way import answered_vlans
from pcapdx.rules.definitions.wording import cite, listed, times
from pcapdx.rules.vlan_trunk.transmit_only import unanswered
from pcapdx.values import dataclass
from pcapdx.vantage import Role

MOST_PAIRS = 16
UNITS = 2
"""A single unit may be one that was sent while the port was being set up."""


def check(view: View) -> Iterator[Finding]:
    """One finding a pair of VLANs, and one a native VLAN."""
    role = view.vantage.role
    if role is Role.ANY or (role is not None and not role.is_wire) or not tags_observable(view):
        return
    yield from _of_units(view)
    plan = planned(view)
    for port in neighbours(view)[:1] + tuple(one for one in neighbours(view)[1:] if one.protocol == "CDP"):
        if port.native_vlan is None:
            continue
        if plan is not None and plan.native_vlan is not None and plan.native_vlan != port.native_vlan:
            yield _against_plan(view, port, plan.native_vlan)
        yield from _against_traffic(view, port, port.native_vlan)


def check_path(case: Case) -> Iterator[Finding]:
    """Members of one bond whose switch ports have different native VLANs."""
    told = [(view, native) for view in case.views if (native := _native(view)) is not None]
    for (view, mine), (other_view, theirs) in combinations(told, 2):
        if mine.vlan != theirs.vlan and _one_bond(view, other_view):
            yield RULE.finding(
                subject=Subject(),
                confidence=Confidence.LIKELY,
                summary=(
                    f"The switch ports of one bond have different native VLANs: {mine.vlan} at {view.name} "
                    f"({mine.by}), {theirs.vlan} at {other_view.name} ({theirs.by})."
                ),
                evidence=(
                    cite(view, mine.frames, f"native VLAN {mine.vlan}"),
                    cite(other_view, theirs.frames, f"native VLAN {theirs.vlan}"),
                ),
                filter="lldp || cdp || stp.pvst.origvlan",
                alternatives=("the two NICs belong to two bonds",),
                next_steps=_steps(view, f"{mine.vlan} and {theirs.vlan}"),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Native:
    vlan: int
    by: str
    frames: tuple[int, ...]


def _native(view: View) -> _Native | None:
    """The native VLAN of this NIC's switch port, by LLDP, CDP, or untagged PVST+ units."""
    for port in neighbours(view):
        if port.native_vlan is not None:
            return _Native(vlan=port.native_vlan, by=f"{port.protocol} of {port.words}", frames=port.frames)
    if view.vantage.role is None or not view.vantage.role.is_wire:
        return None
    units = [
        one for one in view.messages(Bpdu) if one.message.pvst_vlan and not (one.frame.tag_count or one.frame.tunnel)
    ]
    vlans = {one.message.pvst_vlan for one in units}
    if len(vlans) != 1 or len(units) < UNITS:
        return None
    return _Native(vlan=vlans.pop() or 0, by="untagged PVST+", frames=tuple(one.number for one in units))


def _one_bond(view: View, other: View) -> bool:
    """Both are told to be a bond's, or LACP says so."""
    shared = {(one.end.system, one.end.key) for one in actors(view)} & {
        (one.end.system, one.end.key) for one in actors(other)
    }
    return bool(shared) or (view.vantage.role is Role.BOND and other.vantage.role is Role.BOND)


def _of_units(view: View) -> Iterator[Finding]:
    tunnels = {one.vlan for one in view.talkers if one.sent and one.inner_vlan is not None}
    units: dict[tuple[int, int], list[Seen[Bpdu]]] = {}
    for one in view.messages(Bpdu):
        said, frame = one.message.pvst_vlan, one.frame
        if frame.vlan in tunnels:
            continue  # a customer's native VLAN, under the provider's tag
        if said and frame.vlan and frame.tag_count == 1 and not frame.tunnel and said != frame.vlan:
            units.setdefault((said, frame.vlan), []).append(one)
    worst = sorted(units.items(), key=lambda one: -len(one[1]))[:MOST_PAIRS]
    for (said, vlan), wrong in worst:
        if len(wrong) >= UNITS:
            yield _crossed(view, said, vlan, wrong)


def _crossed(view: View, said: int, vlan: int, wrong: Sequence[Seen[Bpdu]]) -> Finding:
    return RULE.finding(
        subject=Subject(vlan=vlan),
        confidence=Confidence.LIKELY,
        summary=(
            f"Spanning tree units of VLAN {said} arrive tagged {vlan}, {times(len(wrong))}: somewhere on the way "
            "the two VLANs are joined or one is taken for the other."
        ),
        evidence=(
            cite(view, (one.number for one in wrong), f"PVST+ units that say {said} inside and are tagged {vlan}"),
        ),
        filter=f"stp.pvst.origvlan == {said} && vlan.id == {vlan}",
        first_ns=wrong[0].ts_ns,
        last_ns=wrong[-1].ts_ns,
        alternatives=("a switch on the way translates VLAN ids on purpose (VLAN mapping)",),
        next_steps=_steps(view, f"{said} and {vlan}"),
    )


def _against_plan(view: View, port: Neighbour, expected: int) -> Finding:
    return RULE.finding(
        subject=Subject(vlan=port.native_vlan),
        confidence=Confidence.CERTAIN,
        summary=(
            f"The native VLAN of {port.words} is {port.native_vlan} by {port.protocol}; "
            f"the site profile has {expected}."
        ),
        evidence=(cite(view, port.frames, f"{port.protocol}: native VLAN {port.native_vlan}"),),
        filter=port.filter,
        first_ns=port.first_ns,
        alternatives=("the profile is out of date",),
        next_steps=_steps(view, str(port.native_vlan)),
    )


def _against_traffic(view: View, port: Neighbour, native: int) -> Iterator[Finding]:
    """The host tags what the switch has untagged."""
    if native in answered_vlans(view):
        return
    asking = unanswered(view, native)
    crossed = [one for one in crossings(view) if one.asked == native and not one.answered and not one.went_on]
    if asking is None and not (len(crossed) >= UNITS and any(one.asked_again for one in crossed)):
        return
    frames = [*(asking.frames if asking else ()), *(number for one in crossed for number in one.frames)]
    moments = [*((asking.first_ns, asking.last_ns) if asking else ()), *(one.ts_ns for one in crossed)]
    answers = "are answered untagged" if crossed else "get no answer"
    sure = asking is not None and asking.plain and bool(crossed)
    yield RULE.finding(
        subject=Subject(vlan=native),
        severity=Severity.ERROR if sure else Severity.WARNING,
        confidence=Confidence.LIKELY if crossed else Confidence.POSSIBLE,
        summary=(
            f"VLAN {native} is the native VLAN of the switch port ({port.words}, by {port.protocol}), which sends it "
            f"untagged; this host tags it, and its requests {answers}."
        ),
        evidence=(
            cite(view, port.frames, f"{port.protocol}: native VLAN {native}"),
            cite(view, frames, f"requests tagged {native} that {answers}"),
        ),
        filter=f"vlan.id == {native} || ({port.filter})",
        first_ns=min(moments),
        last_ns=max(moments),
        alternatives=("the switch tags its native VLAN, too, and whoever should answer is switched off",)
        if not crossed
        else (),
        next_steps=_steps(view, str(native)),
    )


def _steps(view: View, vlans: str) -> tuple[NextStep, ...]:
    told = listed(one.words for one in neighbours(view)[:1])
    return (
        NextStep(
            where=switch_port(view),
            command="show interfaces trunk; show interfaces switchport",
            meaning=f"the native VLAN there{f' ({told})' if told else ''}; VLAN {vlans} must be in the list, tagged",
        ),
        NextStep(
            where="this host",
            command="ip -d link show type vlan; bridge vlan show; ovs-vsctl list port",
            meaning="which VLANs the host tags, and which bridge takes untagged frames",
        ),
    )


RULE = Rule(
    code="VLAN005",
    name="native-vlan-mismatch-hint",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.WARNING,
    check=check,
    check_path=check_path,
    explains=(
        "VLAN001",
        "VLAN004",
        "VLAN006",
        "VLAN007",
        "VLAN019",
        "DHCP001",
        "DHCP002",
        "DHCP003",
        "DHCP008",
        "DHCP010",
        "DHCP013",
    ),
)
