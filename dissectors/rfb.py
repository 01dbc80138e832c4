"""RFB, the protocol of VNC (RFC 6143, 7.1): who offered which security, what was chosen, and how it ended.

A console proxy speaks it to the hypervisor. Both sides begin with the same line, so one direction alone does not tell
whose it is: :func:`read` takes what may be the next numbers of either, :func:`pair` knows. Challenge, response and all
that follows (screens, keys pressed) are passed over.
"""

from collections.abc import Iterator
from enum import IntEnum

from pcapdx.dissect import Conversation, Cursor, Dissector, Flow, Seen, Traffic
from pcapdx.values import dataclass

_GREETING = b"RFB "
_VERSION_BYTES = 12
_CHALLENGE_BYTES = 16
_WORD_BYTES = 4
_READ_AHEAD = 64
_OLD = "003.007"
"""Before it the server decides on the security alone."""
_TELLS_ALWAYS = "003.008"
"""Since then there is a result even where no security was chosen."""
_KNOWN = frozenset({1, 2, 5, 6, *range(16, 25), 30, 33, 35, 36, 113, *range(129, 135)})


class Security(IntEnum):
    """The security types that a console meets; RFC 6143, 8.1.2, lists more."""

    REFUSED = 0
    """No security at all: the server says why, and ends."""
    NONE = 1
    VNC = 2
    """A password, as challenge and response."""
    VENCRYPT = 19
    """TLS first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rfb:
    """The beginning of one direction."""

    version: str
    """Such as ``003.008``."""
    first: int | None
    """Next byte: how many types a server lists, or the one that a client chose."""
    types: tuple[int, ...]
    """So many bytes after it, where they are known security types."""
    word: int | None
    """Up to version 3.3, the type that a server decided on."""
    result: int | None
    """What stands where a server's result stands if no challenge came before it: 0 OK, 1 failed, 2 too many tries."""
    result_after_challenge: int | None
    """And if one came."""

    @property
    def label(self) -> str:
        """``RFB 003.008``."""
        return f"RFB {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RfbSession:
    """One VNC connection."""

    flow: Flow
    client: str | None
    server: str | None
    port: int
    server_greeting: Seen[Rfb]
    client_greeting: Seen[Rfb] | None
    offered: tuple[int, ...]
    """Security types the server would take; empty where it refuses everybody, or where they are not in the capture."""
    refused: bool
    """The server offers nothing."""
    chosen: int | None
    result: int | None
    """0 OK, 1 failed, 2 too many tries; None where the capture does not tell, as within TLS."""


def read(cursor: Cursor) -> Iterator[Rfb]:
    """The greeting of one direction with what follows at once; nothing where it is no RFB."""
    if cursor.peek(len(_GREETING)) != _GREETING:
        return
    version = cursor.take(_VERSION_BYTES, "version")[len(_GREETING) :].decode("ascii", "replace").strip()
    ahead = cursor.peek(_READ_AHEAD)
    cursor.skip(len(ahead), "security")
    count = ahead[0] if ahead and version >= _OLD else None
    listed = ahead[1 : 1 + count] if count is not None else b""
    behind = 1 + count if count is not None else _WORD_BYTES
    word = int.from_bytes(ahead[:_WORD_BYTES], "big") if count is None and len(ahead) >= _WORD_BYTES else None
    yield Rfb(
        version=version,
        first=count,
        types=tuple(listed) if len(listed) == count and _KNOWN.issuperset(listed) else (),
        word=word,
        result=_result(ahead, behind),
        result_after_challenge=_result(ahead, behind + _CHALLENGE_BYTES),
    )


def _result(ahead: bytes, at: int) -> int | None:
    value = int.from_bytes(ahead[at : at + _WORD_BYTES], "big")
    return value if len(ahead) >= at + _WORD_BYTES and value <= 2 else None


def pair(traffic: Traffic) -> Iterator[RfbSession]:
    """One exchange a connection whose server's greeting was seen."""
    for conversation in traffic.conversations:
        server = _server_of(conversation)
        if server is not None:
            yield _session(conversation, server)


def _server_of(conversation: Conversation) -> Seen[Rfb] | None:
    """The greeting of who was connected to; where that beginning is missing, of who greeted first, as servers do."""
    if conversation.flow.began:
        return next((one for one in conversation.seen if not one.from_originator), None)
    return min(conversation.seen, key=lambda one: one.frames[0], default=None)


def _session(conversation: Conversation, server: Seen[Rfb]) -> RfbSession:
    flow = conversation.flow
    client = next((one for one in conversation.seen if one.from_originator != server.from_originator), None)
    client_half, server_half = (
        (flow.responder, flow.originator) if server.from_originator else (flow.originator, flow.responder)
    )
    said: Rfb = server.message
    version = min(said.version, client.message.version) if client is not None else said.version
    offered: tuple[int, ...]
    if version < _OLD:
        chosen = said.word
        offered = (said.word,) if said.word else ()
    else:
        chosen = client.message.first if client is not None else None
        offered = said.types
    return RfbSession(
        flow=flow,
        client=client_half.ip,
        server=server_half.ip,
        port=server_half.port,
        server_greeting=server,
        client_greeting=client,
        offered=offered,
        refused=(said.word if version < _OLD else said.first) == Security.REFUSED,
        chosen=chosen or None,
        result=_result_of(said, version, chosen),
    )


def _result_of(said: Rfb, version: str, chosen: int | None) -> int | None:
    if chosen == Security.VNC:
        return said.result_after_challenge
    return said.result if chosen == Security.NONE and version >= _TELLS_ALWAYS else None


DISSECTOR = Dissector(
    name="vnc",
    spec="RFC 6143",
    messages=(Rfb,),
    read=read,
    tcp_ports=frozenset(range(5900, 6101)),  # CloudStack's for KVM
    stream_bytes=256,
    pair=pair,
    exchanges=(RfbSession,),
)
