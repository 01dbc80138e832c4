"""MANAGEMENT SERVER: an address that the profile names, or whose port 8250 answers somebody in this capture."""

from dissectors.agent import AgentLink, AgentState
from pcapdx.case import View
from pcapdx.dissect import Flow
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.windows import SECOND

AGENT = 8250


@once_a_view
def management_servers(view: View) -> frozenset[str]:
    """Addresses of management servers."""
    answering = {flow.responder.ip for flow in agent_links(view) if flow.responder.ip}
    return frozenset(answering | set(view.site.management.servers))


@once_a_view
def agent_links(view: View) -> tuple[Flow, ...]:
    """Connections to port 8250 that were made: the server spoke, and nobody anything else than TLS."""
    plain = {one.flow.index for one in view.exchanges(AgentLink) if one.state is AgentState.PLAIN}
    return tuple(
        flow for flow in view.flows.where(ports=(AGENT,)) if flow.responder.payload_bytes and flow.index not in plain
    )


def linked_elsewhere(view: View, client: str, server: str, since_ns: int) -> tuple[Flow, ...]:
    """Links of an agent with other management servers on which both sides speak after a moment: it is managed."""
    return tuple(
        flow
        for flow in agent_links(view)
        if flow.originator.ip == client
        and flow.responder.ip != server
        and all((half.last_payload_ns or 0) > since_ns for half in (flow.originator, flow.responder))
        and (last_data_ns(flow) or 0) - (flow.responder.payload_ns or 0) > SECOND
    )


def last_data_ns(flow: Flow) -> int | None:
    """When either side last sent data."""
    moments = [half.last_payload_ns for half in (flow.originator, flow.responder) if half.last_payload_ns is not None]
    return max(moments, default=None)
