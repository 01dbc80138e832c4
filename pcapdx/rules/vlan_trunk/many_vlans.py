"""VLAN024 many-vlans-unused: the switch port hands this host the broadcasts of many VLANs that it has no guest in.

What it does
------------
Counts, at a NIC, the VLANs whose frames come in and in which no machine of this host ever speaks. From 32 on it is a
remark.

Why it matters
--------------
CloudStack needs every guest VLAN on every host, as an instance may start anywhere, so this is no fault. But each of
these VLANs floods its broadcasts and unknown unicast frames to this link, and each takes a spanning tree instance where
the switch runs one a VLAN; switches have limits for both.

Common causes
-------------
A port that carries all VLANs of the switch, those of others included; no pruning, or pruning meant to be off.

What else it could be
---------------------
Guests of this host in those VLANs that said nothing while the capture ran.

Next steps
----------
Hold the port's list against the zone's range of VLANs.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.local import is_local, local_talkers
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration

MANY = 32
LASTS = 30 * SECOND
"""Who has a NIC in a VLAN says something within about that."""
MOST_NAMED = 8


def check(view: View) -> Iterator[Finding]:
    """One finding a NIC."""
    role = view.vantage.role
    if role is None or not role.is_wire or view.duration_ns < LASTS or not local_talkers(view):
        return
    tagged = [one for one in view.talkers if one.sent and one.vlan and one.vni is None]
    used = {one.vlan for one in tagged if is_local(view, one.mac) is not False}
    unused = [one for one in tagged if one.vlan not in used]
    vlans = sorted({one.vlan for one in unused})
    if len(vlans) < MANY:
        return
    flooded = sum(one.broadcasts for one in unused)
    yield RULE.finding(
        subject=Subject(),
        confidence=Confidence.POSSIBLE,
        summary=(
            f"{len(vlans)} VLANs come to this NIC in which nobody of this host speaks ({_named(vlans)}), with "
            f"{flooded:,} broadcasts in {duration(view.duration_ns)}; in use here: {len(used)}."
        ),
        evidence=(cite(view, (one.frames[0] for one in unused), "frames of VLANs that are not in use here"),),
        filter=f"vlan.id in {{{', '.join(map(str, vlans[:64]))}}}",
        alternatives=("guests of this host in these VLANs that said nothing meanwhile",),
        next_steps=(
            NextStep(
                where="switch port of this host",
                command="show interfaces trunk; show spanning-tree summary totals",
                meaning="VLANs outside the zone's range may go from the list; those of the range belong there",
            ),
            NextStep(
                where="CloudStack API",
                command="list physicalnetworks filter=name,vlan",
                meaning="the range of VLANs that this port has to carry",
            ),
        ),
    )


def _named(vlans: list[int]) -> str:
    """The first few of them."""
    more = len(vlans) - MOST_NAMED
    return ", ".join(map(str, vlans[:MOST_NAMED])) + (f" and {more} more" if more > 0 else "")


RULE = Rule(
    code="VLAN024",
    name="many-vlans-unused",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.INFO,
    check=check,
)
