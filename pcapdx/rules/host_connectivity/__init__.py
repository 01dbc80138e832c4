"""Hosts and system VMs: do they reach the management server and their storage."""

from pcapdx.case import View
from pcapdx.model import Topic
from pcapdx.rule import TopicPage

AGENT = 8250
"""Agents of KVM hosts, console proxies and secondary storage VMs connect here."""
NFS, PORTMAPPER = 2049, 111
ISCSI = 3260
PORTS = (AGENT, NFS, PORTMAPPER, ISCSI)


def seen(view: View) -> str | None:
    """Connections to the management server or to storage."""
    count = len(view.flows.where(ports=PORTS))
    return f"{count} connection{'s' if count > 1 else ''} to port 8250 or to storage" if count else None


TOPIC = TopicPage(
    topic=Topic.HOST_CONNECTIVITY,
    title="Hosts, management and storage",
    seen=seen,
    absent="no connection to a management server's port 8250, nor to NFS or iSCSI",
)
