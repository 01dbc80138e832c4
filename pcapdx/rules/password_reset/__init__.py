"""Password reset: a guest boots, asks the password server at its DHCP server (HTTP on 8080), takes and acknowledges."""

from dissectors.password_server import PasswordExchange
from pcapdx.case import View
from pcapdx.model import Topic
from pcapdx.rule import TopicPage
from pcapdx.rules.definitions.servers import tried

PORT = 8080


def seen(view: View) -> str | None:
    """Requests to a password server, or tries to reach one."""
    count = len(view.exchanges(PasswordExchange))
    if count:
        return f"{count} request{'s' if count > 1 else ''} to a password server"
    count = len(tried(view, PORT))
    return f"{count} connection{'s' if count > 1 else ''} to a router's port {PORT}" if count else None


TOPIC = TopicPage(
    topic=Topic.PASSWORD_RESET,
    title="Password reset",
    seen=seen,
    absent="nobody asked a password server",
)
