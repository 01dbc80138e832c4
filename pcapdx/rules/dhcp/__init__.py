"""DHCP: does a guest get CloudStack's address, from the server that should give it."""

from dissectors.dhcp import DhcpExchange
from pcapdx.case import View
from pcapdx.model import Topic
from pcapdx.rule import TopicPage
from pcapdx.rules.dhcp.chart import clients


def seen(view: View) -> str | None:
    """How many DHCP exchanges there are."""
    count = len(view.exchanges(DhcpExchange))
    return f"{count} DHCP exchange{'s' if count > 1 else ''}" if count else None


TOPIC = TopicPage(topic=Topic.DHCP, title="DHCP", seen=seen, absent="no DHCP message", chart=clients)
