"""VLAN021 vlan-not-on-port: the switch port names its VLANs by LLDP, and one that is used here is not among them.

What it does
------------
Reads the VLAN name TLVs of the switch port's LLDP units. Where they name every tagged VLAN that is seen to work at this
NIC, and not one in which this host's guests ask in vain, that VLAN is missing on the port.

Why it matters
--------------
Every guest of that network on this host is cut off, and the switch itself says why.

Common causes
-------------
The VLAN was not added to the list of allowed VLANs when the network came to this host, or on one port of two.

What else it could be
---------------------
A switch that names only some of its VLANs: then it leaves out one that works, and nothing is said here. A list that was
cut at the size of a frame is not used.

Next steps
----------
Look at the list of VLANs of the port that LLDP names.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.crossings import crossings
from pcapdx.rules.definitions.observable import tags_observable
from pcapdx.rules.definitions.switch_ports import Neighbour, neighbour
from pcapdx.rules.definitions.two_way import answered_vlans
from pcapdx.rules.definitions.wording import cite, listed
from pcapdx.rules.vlan_trunk.transmit_only import Asking, unanswered

MOST_NAMED = 12


def check(view: View) -> Iterator[Finding]:
    """One finding a VLAN."""
    port = neighbour(view)
    if port is None or not port.vlans or not tags_observable(view):
        return
    named = set(port.vlans)
    working = {vlan for vlan in answered_vlans(view) if vlan}
    crossed = {one.asked for one in crossings(view)}
    if not working or not working <= named:
        return
    for vlan in view.vlans:
        asking = unanswered(view, vlan)
        if vlan and vlan not in named | crossed and asking is not None and asking.plain:
            yield _finding(view, vlan, asking, port, working)


def _finding(view: View, vlan: int, asking: Asking, port: Neighbour, working: set[int]) -> Finding:
    more = len(port.vlans) - MOST_NAMED
    names = [*port.vlans[:MOST_NAMED], *([f"{more} more"] if more > 0 else [])]
    return RULE.finding(
        subject=Subject(vlan=vlan),
        confidence=Confidence.LIKELY,
        summary=(
            f"VLAN {vlan} is not on the switch port ({port.words}), which by LLDP has {listed(names)}: {asking.words}, "
            "and nothing came back."
        ),
        evidence=(
            cite(view, asking.frames, f"requests tagged {vlan}, without an answer"),
            cite(view, port.frames, f"LLDP of {port.words}: its VLANs, {vlan} not among them"),
            cite(
                view,
                [number for one in sorted(working)[:4] for number in answered_vlans(view)[one]],
                "VLANs that it names do work",
            ),
        ),
        filter=f"vlan.id == {vlan} || ({port.filter})",
        first_ns=asking.first_ns,
        last_ns=asking.last_ns,
        alternatives=(f"the switch names only some of its VLANs, and whoever should answer in {vlan} is switched off",),
        next_steps=(
            NextStep(
                where=f"switch {port.system or port.mac}",
                command=f"show interfaces {port.argument} trunk; show vlan id {vlan}",
                meaning=f"{vlan} must be allowed, active and forwarding on {port.port}; add it where it is not",
            ),
            NextStep(
                where="this host, after the change",
                command=f"tcpdump -enni {view.vantage.interface or 'NIC'} 'vlan {vlan} or ether proto 0x88cc'",
                meaning=f"LLDP names {vlan} now, and answers come in it",
            ),
        ),
    )


RULE = Rule(
    code="VLAN021",
    name="vlan-not-on-port",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.ERROR,
    check=check,
    explains=(
        "VLAN001",
        "VLAN019",
        "DHCP001",
        "DHCP002",
        "DHCP006",
        "DHCP010",
        "DHCP020",
        "DHCP022",
        "HOST001",
        "HOST007",
        "META002",
        "META007",
        "PHYS008",
        "PWD003",
        "PWD011",
        "SG001",
        "TMPL013",
    ),
)
