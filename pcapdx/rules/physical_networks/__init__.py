"""Physical networks and traffic labels: does each kind of traffic use the NIC it is planned for.

A plan is in no frame: faults of labels show where two NICs, or two hosts, are compared.
"""

from pcapdx.case import View
from pcapdx.model import Topic
from pcapdx.rule import TopicPage


def seen(view: View) -> str | None:
    """Nothing: a capture does not tell which traffic was planned for its NIC."""
    return None


TOPIC = TopicPage(
    topic=Topic.PHYSICAL_NETWORKS,
    title="Physical networks and labels",
    seen=seen,
    absent="not to be seen at one NIC; capture two NICs or two hosts at once",
)
