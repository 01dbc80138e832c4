"""User-data and meta-data: a guest asks the router over HTTP on port 80 who it is and what it shall do."""

from dissectors.metadata import MetadataExchange
from pcapdx.case import View
from pcapdx.model import Topic
from pcapdx.rule import TopicPage
from pcapdx.rules.definitions.servers import tried

PORT = 80


def seen(view: View) -> str | None:
    """Requests for metadata, or tries to reach a router's port 80."""
    count = len(view.exchanges(MetadataExchange))
    if count:
        return f"{count} metadata request{'s' if count > 1 else ''}"
    count = len(tried(view, PORT))
    return f"{count} connection{'s' if count > 1 else ''} to a router's port {PORT}" if count else None


TOPIC = TopicPage(
    topic=Topic.USER_METADATA,
    title="User- and meta-data",
    seen=seen,
    absent="nobody asked for metadata",
)
