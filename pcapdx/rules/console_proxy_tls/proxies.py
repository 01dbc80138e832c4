"""Who is a console proxy VM on its private side, where neither names nor paths are seen."""

from dissectors.console_proxy import ConsolePage, console_page
from pcapdx.case import View
from pcapdx.dissect import Flow
from pcapdx.rules.console_proxy_tls.consoles import consoles, handshakes, pages
from pcapdx.rules.definitions.macs import is_system_vm_public
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.windows import SECOND

VNC_PORTS = range(5900, 6101)
AGENT = 8250
SECURE_WEBSOCKET = 8443
WEBSOCKET_BEFORE = 5 * SECOND


@once_a_view
def websocket_moments(view: View) -> tuple[int, ...]:
    """When websockets of consoles were opened: in clear by their request, within TLS by the end of the handshake."""
    clear = [
        one.request.ts_ns for one in pages(view) if console_page(one.request.message.target) is ConsolePage.WEBSOCKET
    ]
    secured = [
        one.handshake.server_hello.ts_ns
        for one in handshakes(view)
        if one.handshake.port == SECURE_WEBSOCKET and one.handshake.completed and one.handshake.server_hello is not None
    ]
    return tuple(sorted((*clear, *secured)))


def why_proxy(view: View, flow: Flow) -> str | None:
    """What makes the originator of a flow a console proxy VM, surely; None when nothing does."""
    known = consoles(view).get(flow.originator.ip or "")
    if known is not None:
        return known
    began = flow.originator.first_ns or 0
    if flow.responder.port in VNC_PORTS and any(
        0 <= began - opened <= WEBSOCKET_BEFORE for opened in websocket_moments(view)
    ):
        return "a console's websocket was opened just before"
    if flow.responder.port == AGENT and any(
        one.originator.mac == flow.originator.mac for one in view.flows.where(ports=VNC_PORTS) if one.originator.mac
    ):
        return "it opens VNC connections, too"
    return None


def is_system_vm(flow: Flow) -> bool:
    """By the shape of its MAC only: console proxy, secondary storage VM, or a guest of a shared network."""
    return is_system_vm_public(flow.originator.mac)
