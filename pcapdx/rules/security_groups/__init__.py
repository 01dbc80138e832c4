"""Security groups: is a service silent because a filter drops what comes, and who refuses when somebody does.

Where they act: a KVM host drops on the bridge between a guest's tap and the uplink (security_group.py). Drops are
silent; a RST or an ICMP error comes from a guest, a router or a host firewall. A tap shows what the guest sent before
the filter and what it gets after it."""

from pcapdx.case import View
from pcapdx.model import Topic
from pcapdx.rule import TopicPage


def seen(view: View) -> str | None:
    """How many connections were opened, answered or not."""
    opened = int((view.flows.originator("syn") > 0).sum())
    return f"{opened} opened connection{'s' if opened > 1 else ''}" if opened else None


TOPIC = TopicPage(
    topic=Topic.SECURITY_GROUPS,
    title="Security groups",
    seen=seen,
    absent="nobody opened a connection that a filter could drop",
)
