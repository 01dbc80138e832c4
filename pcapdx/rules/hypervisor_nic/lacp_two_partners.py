"""HYP011 lacp-two-partners: the links of one bond end at two systems, or in two bundles.

What it does
------------
Compares the LACP partners that the links of one bond (one actor system and key) name, in one capture or in several of
the same time. Two systems, or two keys of one system, cannot be one bundle.

Why it matters
--------------
Only the links to one of the partners are used; the others carry nothing, or the bond changes between them.

Common causes
-------------
Two cables to two switches that are no pair; two port-channels on one switch; a cable in a neighbour's port.

What else it could be
---------------------
A pair of switches (MLAG, vPC) goes by one system, and so is not told. A switch that was replaced changes the partner of
one link, not of two at once.

Next steps
----------
Follow both cables, or put both ports into one port-channel.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from pcapdx.case import Case, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.bundles import Actor, actors
from pcapdx.rules.definitions.switch_ports import neighbour
from pcapdx.rules.definitions.wording import cite, listed
from pcapdx.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    view: View
    actor: Actor

    @property
    def words(self) -> str:
        partner = self.actor.latest.partner
        port = neighbour(self.view)
        where = f" ({port.words})" if port is not None else ""
        return f"port {self.actor.end.port} with {partner.system} key {partner.key}{where}"


def check(view: View) -> Iterator[Finding]:
    """One finding a bond, of one capture."""
    yield from _judged([_Link(view=view, actor=one) for one in actors(view)])


def check_path(case: Case) -> Iterator[Finding]:
    """The same over all captures of the incident."""
    yield from _judged([_Link(view=view, actor=one) for view in case.views for one in actors(view)])


def _judged(links: Sequence[_Link]) -> Iterator[Finding]:
    bonds: dict[tuple[str, int], list[_Link]] = {}
    for link in links:
        if link.actor.latest.partner.known:
            bonds.setdefault((link.actor.end.system, link.actor.end.key), []).append(link)
    for (system, _), members in bonds.items():
        pair = next((pair for pair in combinations(members, 2) if _apart(*pair)), None)
        if pair is not None:
            yield _finding(system, pair)


def _apart(one: _Link, other: _Link) -> bool:
    """Two links of the bond that at one time had different partners, each throughout."""
    if one.actor.end.port == other.actor.end.port or _partners(one.actor) & _partners(other.actor):
        return False
    mine, theirs = one.actor.units, other.actor.units
    return mine[0].ts_ns <= theirs[-1].ts_ns and theirs[0].ts_ns <= mine[-1].ts_ns


def _partners(actor: Actor) -> set[tuple[str, int]]:
    return {(one.message.partner.system, one.message.partner.key) for one in actor.units if one.message.partner.known}


def _finding(system: str, pair: tuple[_Link, _Link]) -> Finding:
    systems = {link.actor.latest.partner.system for link in pair}
    what = "two switches that are no pair" if len(systems) > 1 else "two bundles of one switch"
    ports = [port for link in pair if (port := neighbour(link.view)) is not None]
    return RULE.finding(
        subject=Subject(mac=system),
        confidence=Confidence.CERTAIN,
        summary=f"The bond {system} ends at {what}: {listed(link.words for link in pair)}.",
        evidence=tuple(
            cite(link.view, (one.number for one in link.actor.units), f"LACP units of {link.words}") for link in pair
        ),
        filter=f"lacp.actor.sysid == {system}",
        first_ns=max(link.actor.units[0].ts_ns for link in pair),
        last_ns=min(link.actor.units[-1].ts_ns for link in pair),
        alternatives=("two bonds of one host that go by the same system and key",),
        next_steps=(
            NextStep(
                where="this host",
                command="cat /proc/net/bonding/*; ovs-appctl lacp/show",
                meaning="different partner MACs or aggregator ids at the members: each is a bundle of its own",
            ),
            NextStep(
                where=f"switch {listed(dict.fromkeys(port.words for port in ports))}" if ports else "both switches",
                command="show lacp neighbor; show port-channel summary; show vpc; show mlag",
                meaning="ports of one bond must be in one port-channel; on two switches these must be a pair",
            ),
        ),
    )


RULE = Rule(
    code="HYP011",
    name="lacp-two-partners",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.ERROR,
    check=check,
    check_path=check_path,
    explains=("HYP010",),
)
