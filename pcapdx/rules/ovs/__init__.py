"""Open vSwitch: port tags, trunks, flows and bonds of its bridges.

What it does to a frame shows only between two points, a guest's tap and the uplink. One capture can show that a tag is
missing or doubled, which the topics of VLANs and hypervisor NICs tell.
"""

from pcapdx.case import View
from pcapdx.model import Topic
from pcapdx.rule import TopicPage


def seen(view: View) -> str | None:
    """Nothing: no frame of one capture names the switch that passed it on."""
    return None


TOPIC = TopicPage(
    topic=Topic.OVS,
    title="Open vSwitch",
    seen=seen,
    absent="not to be seen at one point; capture a guest's tap and the uplink at once",
)
