"""CloudStack's agents: TLS to port 8250 of a management server (``NioConnection``, ``Link`` in CloudStack's utils).

Agents of KVM hosts, console proxies and secondary storage VMs connect, shake hands, and then ping once a minute. What
they say is encrypted; here is only whether a connection became a link. Bytes are read by :mod:`dissectors.tls`.
"""

from collections.abc import Iterator
from enum import StrEnum

from dissectors.tls import EncryptedRecord, NotTls, TlsHandshake
from pcapdx.dissect import Conversation, Dissector, Flow, Traffic
from pcapdx.values import dataclass

_PORT = 8250


class AgentState(StrEnum):
    """What became of a connection to the agent port."""

    LINKED = "linked"
    """The handshake succeeded, or encrypted data flows in a capture that began later."""
    FAILED = "failed"
    """The handshake did not succeed."""
    PLAIN = "plain"
    """One side spoke something else than TLS: no agent, or no management server."""
    UNKNOWN = "unknown"
    """The capture does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLink:
    """One connection to port 8250 on which anything was said."""

    flow: Flow
    agent: str | None
    server: str | None
    state: AgentState
    handshake: TlsHandshake | None
    """None where the capture began after it."""


def pair(traffic: Traffic) -> Iterator[AgentLink]:
    """One link a connection."""
    handshakes = {one.flow.index: one for one in traffic.exchanges if isinstance(one, TlsHandshake)}
    for conversation in traffic.conversations:
        flow = conversation.flow
        if flow.responder.port == _PORT:
            handshake = handshakes.get(flow.index)
            yield AgentLink(
                flow=flow,
                agent=flow.originator.ip,
                server=flow.responder.ip,
                state=_state(conversation, handshake),
                handshake=handshake,
            )


def _state(conversation: Conversation, handshake: TlsHandshake | None) -> AgentState:
    kinds = {type(one.message) for one in conversation.seen}
    if NotTls in kinds:
        return AgentState.PLAIN
    if handshake is None:
        return AgentState.LINKED if EncryptedRecord in kinds else AgentState.UNKNOWN
    if handshake.completed is None:
        return AgentState.UNKNOWN
    return AgentState.LINKED if handshake.completed else AgentState.FAILED


DISSECTOR = Dissector(
    name="agent",
    spec="CloudStack: com.cloud.utils.nio.Link, com.cloud.agent.Agent",
    messages=(),
    builds_on="tls",
    pair=pair,
    exchanges=(AgentLink,),
)
