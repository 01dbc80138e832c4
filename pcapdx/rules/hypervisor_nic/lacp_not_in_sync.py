"""HYP010 lacp-not-in-sync: one end of a bond speaks LACP, and the other end does not agree.

What it does
------------
Finds a port whose LACP units name no partner at all, three of them and more over 25 seconds, or that lost its
partner or stays out of sync with it for 90 seconds.

Why it matters
--------------
A link that is not in sync carries nothing: a bond of two links has one, or none. Switches shut such ports or let them
stand alone.

Common causes
-------------
No port-channel on the switch, or one with mode on (without LACP); the host's NIC in no bond or in one of another mode;
different speeds or keys at the ends.

What else it could be
---------------------
A link that has just come up: the first seconds do not count. A standby link where more links are bundled than may be
used at once. A switch that lets ports without a partner work alone: then answers are seen.

Next steps
----------
Compare the bond's state on the host with the port-channel's on the switch.
"""

from collections.abc import Iterator, Sequence

from dissectors.lacp import Lacp
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.bundles import Actor, actors, is_own, span_ns
from pcapdx.rules.definitions.switch_ports import switch_port
from pcapdx.rules.definitions.two_way import answered_vlans
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import at_least, cite, duration, listed
from pcapdx.vantage import Role

ALONE = 25 * SECOND
"""Shorter than the slow rate of 30 s: the unit that follows the first ones."""
UNSYNCED = 90 * SECOND
"""A partner is given up after three units at the slow rate."""


def check(view: View) -> Iterator[Finding]:
    """One finding a port."""
    everybody = actors(view)
    for actor in everybody:
        if len(actor.lonely) >= REPETITION and span_ns(actor.lonely) >= ALONE:
            yield _alone(view, actor, [one for one in everybody if one.end.system != actor.end.system])
        elif len(actor.out_of_sync) >= REPETITION and span_ns(actor.out_of_sync) >= UNSYNCED:
            yield _unsynced(view, actor)


def _alone(view: View, actor: Actor, others: Sequence[Actor]) -> Finding:
    own = is_own(view, actor)
    works = bool(answered_vlans(view))
    in_bond = view.vantage.role is Role.BOND or own is True
    who = {True: "This host's", False: "The switch's", None: "One end's"}[own]
    heard = f", though units of {listed(one.end.system for one in others)} are seen here" if others else ""
    missing = {
        True: "the switch does not answer",
        False: "this host does not answer",
        None: "the other end does not answer",
    }[own]
    units = actor.lonely
    return RULE.finding(
        subject=Subject(mac=actor.mac),
        severity=_severity(in_bond=in_bond, works=works),
        confidence=Confidence.CERTAIN if own is not None and not others else Confidence.LIKELY,
        summary=(
            f"{who} LACP ({actor.end.system} port {actor.end.port}) has no partner: "
            f"{at_least(view, len(units), 'lacp')} in {duration(span_ns(units))} it named nobody; {missing}{heard}."
        ),
        evidence=(cite(view, (one.number for one in units), "LACP units with a partner of all zeros"),),
        filter=f"lacp.actor.sysid == {actor.end.system} && lacp.actor.port == {actor.end.port}",
        first_ns=units[0].ts_ns,
        last_ns=units[-1].ts_ns,
        alternatives=(
            *(("the link came up shortly before the capture, and the other end is still booting",)),
            *(("the switch lets a port without a partner work alone: answers are seen here",) if works else ()),
        ),
        limits=() if own is not None else ("the capture does not tell which end these units come from",),
        next_steps=_steps(view),
    )


def _severity(*, in_bond: bool, works: bool) -> Severity:
    """A switch lets a port without a partner work alone on purpose, for hosts that boot from the network."""
    if in_bond:
        return Severity.WARNING if works else Severity.ERROR
    return Severity.INFO if works else Severity.WARNING


def _unsynced(view: View, actor: Actor) -> Finding:
    units: Sequence[Seen[Lacp]] = actor.out_of_sync
    end, partner = actor.end, actor.latest.partner
    lost = not partner.known
    who = f"{end.system} port {end.port}"
    summary = (
        f"{who} lost its LACP partner: for {duration(span_ns(units))} it has named nobody."
        if lost
        else f"{who} and its LACP partner {partner.system} (key {partner.key}, port {partner.port}) do not agree for "
        f"{duration(span_ns(units))}: its state is {listed(end.state_words) or 'empty'}."
    )
    return RULE.finding(
        subject=Subject(mac=actor.mac),
        severity=Severity.WARNING,
        confidence=Confidence.LIKELY,
        summary=summary,
        evidence=(cite(view, (one.number for one in units), "LACP units out of sync"),),
        filter=f"lacp.actor.sysid == {end.system} && lacp.actor.port == {end.port}",
        first_ns=units[0].ts_ns,
        last_ns=units[-1].ts_ns,
        alternatives=("the other end is being restarted",)
        if lost
        else ("a standby link on purpose (more links than the bundle may use at once)",),
        next_steps=_steps(view),
    )


def _steps(view: View) -> tuple[NextStep, ...]:
    return (
        NextStep(
            where="this host",
            command="cat /proc/net/bonding/*; ovs-appctl lacp/show; ovs-appctl bond/show",
            meaning="partner 00:00:00:00:00:00 or different aggregator ids: this link is not in the bundle",
        ),
        NextStep(
            where=switch_port(view),
            command="show etherchannel summary; show port-channel summary; show lacp neighbor",
            meaning="no port-channel, mode on, suspended (s) or individual (I): set channel-group N mode active",
        ),
    )


RULE = Rule(
    code="HYP010",
    name="lacp-not-in-sync",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.ERROR,
    check=check,
    explains=("VLAN001", "VLAN019", "DHCP001", "DHCP020", "HOST001", "HOST007"),
)
