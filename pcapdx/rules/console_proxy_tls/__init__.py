"""Console proxy: browser to its page (80, 443) and websocket (8080, 8443), the proxy to hypervisor and management."""

from dissectors.rfb import RfbSession
from pcapdx.case import View
from pcapdx.model import Topic
from pcapdx.rule import TopicPage
from pcapdx.rules.console_proxy_tls.chart import progress
from pcapdx.rules.console_proxy_tls.consoles import consoles, handshakes, pages


def seen(view: View) -> str | None:
    """TLS handshakes with a console proxy, its pages, its VNC sessions, or nothing but its name."""
    counts = (
        (len(handshakes(view)), "TLS handshake", "with a console proxy"),
        (len(pages(view)), "console request", "in clear"),
        (len(view.exchanges(RfbSession)), "VNC session", "to a hypervisor"),
        (len(consoles(view)), "console proxy", "named"),
    )
    words = [f"{count} {thing}{'s' if count > 1 else ''} {where}" for count, thing, where in counts if count]
    return words[0] if words else None


TOPIC = TopicPage(
    topic=Topic.CONSOLE_PROXY_TLS,
    title="Console proxy",
    seen=seen,
    absent="nobody spoke with a console proxy, as far as names and paths tell",
    chart=progress,
)
