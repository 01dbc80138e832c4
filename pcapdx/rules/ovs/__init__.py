"""Open vSwitch: port tags, trunks, flows and bonds of its bridges.

What it does to most frames shows only between two points, a guest's tap and the uplink. One capture can show that a
port lost its tag or never had one, and that a guest gets what is for others.
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
    absent="hardly to be seen at one point; capture a guest's tap and the uplink at once",
)
