"""HYP025 lacp-in-sync: both ends of a link agree by LACP that it belongs to their bundle.

What it does
------------
Finds a port whose latest LACP unit has both ends in sync, collecting and distributing.

Why it matters
--------------
It proves that this link of the bond is in use, and names the partner it ends at.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Proof, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.bundles import Actor, actors
from pcapdx.rules.definitions.wording import cite


def check(view: View) -> Iterator[Proof]:
    """One proof a link, told by one of its ends."""
    told: set[frozenset[tuple[str, int]]] = set()
    for actor in actors(view):
        partner = actor.latest.partner
        link = frozenset({(actor.end.system, actor.end.port), (partner.system, partner.port)})
        if actor.agreed and link not in told:
            told.add(link)
            yield _proof(view, actor)


def _proof(view: View, actor: Actor) -> Proof:
    end, partner = actor.end, actor.latest.partner
    last = actor.units[-1]
    return RULE.proof(
        subject=Subject(mac=end.system, port=end.port),
        summary=f"LACP is in sync: {end.system} port {end.port} with {partner.system} port {partner.port}",
        evidence=(cite(view, (last.number,), "both ends in sync, collecting and distributing"),),
        filter=f"lacp.actor.sysid == {end.system} && lacp.actor.port == {end.port}",
        first_ns=last.ts_ns,
    )


RULE = Rule(code="HYP025", name="lacp-in-sync", topic=Topic.HYPERVISOR_NIC, severity=None, check=check)
