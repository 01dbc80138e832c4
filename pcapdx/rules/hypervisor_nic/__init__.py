"""NICs, bonds and bridges of hypervisors: does a guest's frame leave in the right VLAN, and who owns an address."""

from pcapdx.case import View
from pcapdx.model import Topic
from pcapdx.rule import TopicPage
from pcapdx.rules.definitions.macs import is_guest


def seen(view: View) -> str | None:
    """How many guests speak at a physical NIC."""
    if view.vantage.role is None or not view.vantage.role.is_wire:
        return None
    guests = len({one.mac for one in view.talkers if one.sent and is_guest(one.mac)})
    return f"{guests} guest MAC{'s' if guests > 1 else ''} at a physical NIC" if guests else None


TOPIC = TopicPage(
    topic=Topic.HYPERVISOR_NIC,
    title="Hypervisor NICs, bonds and bridges",
    seen=seen,
    absent="not captured at a physical NIC where guests speak",
)
