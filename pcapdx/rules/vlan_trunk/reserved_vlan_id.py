"""VLAN018 reserved-vlan-id: the VLAN that nothing comes back in has an id that switches keep for themselves.

What it does
------------
Where VLAN001 finds a VLAN in which nothing comes back, notes that its id is one of those that some switches reserve:
1002 to 1005 (Cisco's Token Ring and FDDI), 3968 to 4094 (internal VLANs of Cisco Nexus and others).

Why it matters
--------------
Such a switch takes the id in its configuration, or seems to, and carries no frame of it. No trunk list shows the fault.

Common causes
-------------
The zone's VLAN range was given as 1 to 4094, or without a look at the switches' manuals.

What else it could be
---------------------
Any other reason why a VLAN is not carried: which ids are reserved depends on the model and its configuration.

Next steps
----------
Ask the switch which ids it reserves.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.vlan_trunk import transmit_only

RESERVED = (range(1002, 1006), range(3968, 4095))


def check(view: View) -> Iterator[Finding]:
    """One finding a VLAN that VLAN001 finds, too."""
    for found in transmit_only.check(view):
        vlan = found.subject.vlan or 0
        kept = next((one for one in RESERVED if vlan in one), None)
        if kept is None:
            continue
        yield RULE.finding(
            subject=found.subject,
            confidence=Confidence.POSSIBLE,
            summary=f"VLAN {vlan} is one of the ids {kept[0]} to {kept[-1]}, which some switches reserve.",
            evidence=found.evidence,
            filter=found.filter,
            first_ns=found.first_ns,
            last_ns=found.last_ns,
            alternatives=("this switch reserves none of them, and the VLAN is missing for another reason",),
            next_steps=(
                NextStep(
                    where="switch",
                    command=f"show vlan id {vlan}; show vlan internal usage; show system vlan reserved",
                    meaning="listed as internal or reserved: take another id",
                ),
                NextStep(
                    where="CloudStack API",
                    command="update physicalnetwork id=<id> vlan=<range without the reserved ids>",
                    meaning="networks to come get other VLANs; this one must be restarted with a new one",
                ),
            ),
        )


RULE = Rule(
    code="VLAN018",
    name="reserved-vlan-id",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.INFO,
    check=check,
)
