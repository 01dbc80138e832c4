"""VLAN008 mac-in-two-vlans: one machine speaks under the same address in two VLANs.

What it does
------------
On a trunk, finds a source MAC with the same IP address in two VLANs, three frames in each, at the same time.

Why it matters
--------------
A machine is in one VLAN. Who is in two is carried over: something joins the VLANs.

Common causes
-------------
A guest that bridges its two NICs; a patch lead between access ports of two VLANs.

What else it could be
---------------------
Routers, firewalls and hosts have one MAC in many VLANs, with another address in each or the same link-local one; they
are left out. So is a gateway that has one MAC and one address for two tenants, and a machine that was moved from one
VLAN to the other.

Next steps
----------
Ask the switch on which ports it learned the MAC.
"""

from collections.abc import Iterator
from itertools import pairwise

from pcapdx.case import Binding, Talker, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import is_group, is_virtual_router_protocol
from pcapdx.rules.definitions.observable import tags_observable
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.vlan_trunk.vlan_leak import crossing, names
from pcapdx.vantage import Role

LINK_LOCAL = ("fe80:", "169.254.")
"""Made of the MAC, or by chance, for each link by itself: a host with a leg in two VLANs has the same one in both."""


def check(view: View) -> Iterator[Finding]:
    """One finding a MAC, of the first two VLANs that show it."""
    if view.vantage.role is Role.ANY or not tags_observable(view):
        return
    talkers = {
        (one.mac, one.vlan): one for one in view.talkers if one.vlan and one.vni is None and one.sent >= REPETITION
    }
    owners: dict[tuple[str, str], list[Binding]] = {}
    for one in view.bindings:
        if (one.mac, one.vlan) in talkers and one.vni is None and not one.ip.startswith(LINK_LOCAL):
            owners.setdefault((one.mac, one.ip), []).append(one)
    told: set[str] = set()
    for (mac, ip), bindings in owners.items():
        for here, there in pairwise(bindings):
            pair = talkers[mac, here.vlan], talkers[mac, there.vlan]
            if len(crossing(view, here.vlan, there.vlan)) == 1:
                continue  # a gateway with one MAC, for two tenants with one plan: where VLANs are joined, others cross
            if mac not in told and here.vlan != there.vlan and _one_machine(*pair):
                told.add(mac)
                yield _finding(view, ip, *pair)


def _one_machine(here: Talker, there: Talker) -> bool:
    """Neither a router nor a machine that moved."""
    if is_virtual_router_protocol(here.mac) or is_group(here.mac) or here.odd_ttl or there.odd_ttl:
        return False
    starts = max(here.first_ns or 0, there.first_ns or 0)
    return starts < min(here.last_ns or 0, there.last_ns or 0)


def _finding(view: View, ip: str, here: Talker, there: Talker) -> Finding:
    low, high = sorted((here.vlan, there.vlan))
    return RULE.finding(
        subject=Subject(mac=here.mac, ip=ip, name=names(low, high)),
        confidence=Confidence.LIKELY,
        summary=f"{here.mac} speaks as {ip} in VLAN {low} and in VLAN {high} at the same time.",
        evidence=(
            cite(view, here.frames, f"{here.mac} tagged {here.vlan}"),
            cite(view, there.frames, f"{there.mac} tagged {there.vlan}"),
        ),
        filter=f"eth.src == {here.mac} && vlan",
        first_ns=max(here.first_ns or 0, there.first_ns or 0),
        last_ns=min(here.last_ns or 0, there.last_ns or 0),
        alternatives=("a firewall or cluster that has the same address in both VLANs on purpose",),
        next_steps=(
            NextStep(
                where="switch",
                command=f"show mac address-table address {here.mac}",
                meaning="two ports, one a VLAN: the one that is not the machine's own is where the VLANs are joined",
            ),
        ),
    )


RULE = Rule(
    code="VLAN008",
    name="mac-in-two-vlans",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.WARNING,
    check=check,
)
