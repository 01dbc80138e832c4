"""VLAN020 vlan-answered-both-ways: a request and its answer were both seen in a VLAN.

What it does
------------
For every VLAN id of a trunk, shows one exchange (ARP, ping, DHCP or TCP) that was answered under the same tag. Where no
tag is expected, it says so instead.

Why it matters
--------------
The switch carries this VLAN to and from this host, so a fault of its guests lies elsewhere.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Doubt, Proof, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.observable import filter_hides_tags, filters
from pcapdx.rules.definitions.two_way import answered_vlans
from pcapdx.rules.definitions.wording import cite
from pcapdx.vantage import Role

UNTAGGED = {
    Role.TAP: "a guest's own interface",
    Role.BRIDGE: "a per-VLAN bridge",
    Role.VLAN: "a VLAN sub-interface",
    Role.ROUTER: "an interface inside the router",
}
"""Where frames carry no tag, for the tag is added further out."""


def check(view: View) -> Iterator[Proof | Doubt]:
    """One proof a VLAN, or a doubt."""
    role = view.vantage.role
    for vlan, frames in sorted(answered_vlans(view).items()):
        if vlan:
            yield RULE.proof(
                subject=Subject(vlan=vlan),
                summary=f"VLAN {vlan} is carried both ways: a request and its answer have its tag.",
                evidence=(cite(view, frames, f"request and answer, both tagged {vlan}"),),
                filter=f"vlan.id == {vlan}",
            )
    if view.frames and not view.counters["tagged"]:
        hiding = next((one for one in filters(view) if filter_hides_tags(one)), None)
        if role in UNTAGGED:
            yield RULE.doubt(f"802.1Q tags: none are expected on {UNTAGGED[role]}; capture the uplink")
        elif hiding is not None:
            yield RULE.doubt(f'802.1Q tags: the filter "{hiding}" passes untagged frames only')
        elif role is Role.ANY:
            yield RULE.doubt("802.1Q tags: a capture of all interfaces at once may lose them; capture the uplink")
        elif role is None:
            yield RULE.doubt("802.1Q tags: there are none, and nobody said whether this point should have them")


RULE = Rule(
    code="VLAN020",
    name="vlan-answered-both-ways",
    topic=Topic.VLAN_TRUNK,
    severity=None,
    check=check,
)
