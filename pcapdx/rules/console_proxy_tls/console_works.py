"""CPVM024 console-works: a console's screen was shown.

What it does
------------
Proves that a console's websocket was accepted (101, or a finished TLS handshake on 8443) and that at least 10 KB came
through it over five seconds; where the leg to the hypervisor is in the capture, that it was there, too.

Why it matters
--------------
It clears name, ports, certificate, token and the legs behind; what is wrong after that is in the instance.
"""

from collections.abc import Iterator

from dissectors.rfb import RfbSession
from pcapdx.case import View
from pcapdx.dissect import Flow
from pcapdx.model import Proof, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.console_proxy_tls.consoles import handshakes
from pcapdx.rules.console_proxy_tls.proxies import SECURE_WEBSOCKET, WEBSOCKET_BEFORE
from pcapdx.rules.console_proxy_tls.websocket import SWITCHED, status, websockets
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration

PICTURE_BYTES = 10_000
SHOWN_FOR = 5 * SECOND


def check(view: View) -> Iterator[Proof]:
    """One proof a browser and console proxy."""
    for one in websockets(view):
        if status(one) == SWITCHED and one.response is not None:
            yield from _shown(view, one.flow, (one.request.number, *one.response.frames), "101", one.response.ts_ns)
    for shake in handshakes(view):
        hello = shake.handshake.server_hello
        if shake.handshake.port == SECURE_WEBSOCKET and shake.handshake.completed and hello is not None:
            yield from _shown(view, shake.handshake.flow, (hello.number,), "a finished TLS handshake", hello.ts_ns)


def _shown(view: View, flow: Flow, frames: tuple[int, ...], how: str, since_ns: int) -> Iterator[Proof]:
    proxy = flow.responder
    lasted = (proxy.last_payload_ns or 0) - since_ns
    if proxy.stream_bytes < PICTURE_BYTES or lasted < SHOWN_FOR:
        return
    leg = next((one for one in view.exchanges(RfbSession) if _behind(one, since_ns)), None)
    evidence = [cite(view, (*frames, proxy.last_frame or 0), f"{how}, then {proxy.stream_bytes:,} bytes of screen")]
    words = ""
    if leg is not None:
        evidence.append(cite(view, leg.server_greeting.frames, f"VNC with {leg.server}:{leg.port}"))
        words = f", from the hypervisor {leg.server}:{leg.port}"
    yield RULE.proof(
        subject=Subject(vlan=flow.vlan, ip=flow.originator.ip, server=proxy.ip, port=proxy.port),
        summary=(
            f"console shown to {flow.originator.ip} by {proxy.ip}:{proxy.port}: {proxy.stream_bytes:,} bytes in "
            f"{duration(lasted)}{words}"
        ),
        evidence=tuple(evidence),
        filter=f"tcp.port == {proxy.port} && tcp.port == {flow.originator.port}",
        first_ns=since_ns,
        last_ns=proxy.last_payload_ns,
    )


def _behind(leg: RfbSession, since_ns: int) -> bool:
    """A VNC session that began with this websocket and was not rejected."""
    begun = leg.flow.originator.first_ns or leg.server_greeting.ts_ns
    return 0 <= begun - since_ns <= WEBSOCKET_BEFORE and not leg.result and not leg.refused


RULE = Rule(code="CPVM024", name="console-works", topic=Topic.CONSOLE_PROXY_TLS, severity=None, check=check)
