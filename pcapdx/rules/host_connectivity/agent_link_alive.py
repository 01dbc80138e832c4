"""HOST016 agent-link-alive: an agent and the management server talk on port 8250.

What it does
------------
Shows a connection to port 8250 on which both sides sent data for more than a second, beyond a failed TLS handshake.

Why it matters
--------------
This host is managed: path, port, certificates and the service are sound.
"""

from collections.abc import Iterator

from dissectors.tls import TlsHandshake
from pcapdx.case import View
from pcapdx.dissect import Flow, Half
from pcapdx.model import Proof, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration
from pcapdx.rules.host_connectivity import AGENT
from pcapdx.rules.host_connectivity.agent_tls_fails import failed


def check(view: View) -> Iterator[Proof]:
    """One proof a host and management server."""
    broken = {one.flow.index for one in view.exchanges(TlsHandshake) if one.port == AGENT and failed(one)}
    for flow in view.flows.where(ports=(AGENT,)):
        if flow.index not in broken and _talks(flow.originator) and _talks(flow.responder):
            yield _proof(view, flow)


def _talks(half: Half) -> bool:
    return (
        half.payload_ns is not None
        and half.last_payload_ns is not None
        and half.last_payload_ns - half.payload_ns > SECOND
        and half.acked_bytes > 0
    )


def _proof(view: View, flow: Flow) -> Proof:
    host, server = flow.originator, flow.responder
    first, last = host.payload_ns or 0, host.last_payload_ns or 0
    frames = (host.payload_frame or 0, server.payload_frame or 0, host.last_frame or 0, server.last_frame or 0)
    return RULE.proof(
        subject=Subject(mac=host.mac, vlan=flow.vlan, ip=host.ip, server=server.ip, port=AGENT),
        summary=f"the agent of {host.ip} and the management server {server.ip} talk, for {duration(last - first)} here",
        evidence=(cite(view, frames, f"data both ways on port {AGENT}"),),
        filter=f"tcp.port == {AGENT} && ip.addr == {host.ip}",
        first_ns=first,
        last_ns=last,
    )


RULE = Rule(
    code="HOST016",
    name="agent-link-alive",
    topic=Topic.HOST_CONNECTIVITY,
    severity=None,
    check=check,
)
