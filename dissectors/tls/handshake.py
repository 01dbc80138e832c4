"""Joins the two directions of a TLS connection: how far the handshake came, and who ended it.

TLS 1.3 encrypts what the client thinks of the certificate. What is left are sizes: the first record that the client
encrypts after the server's flight is either its Finished, of a size that the cipher suite's hash decides, or an alert
of 2 bytes (RFC 8446, 4.4.4, 5.2, 6). Both grow by one byte of type and the suite's tag. Padding, a client certificate
or early data make it another size, and then nothing is claimed.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from dissectors.tls.messages import (
    Alert,
    CertificateChain,
    ClientHello,
    EncryptedRecord,
    NotTls,
    ServerHello,
)
from pcapdx.dissect import Conversation, End, Flow, Seen, Traffic
from pcapdx.values import dataclass

_TLS_1_3 = 0x0304
_FINISHED = 22
_TYPE_BYTES, _ALERT_BYTES = 1, 2
_HASH_BYTES_AND_TAG = {0x1301: (32, 16), 0x1302: (48, 16), 0x1303: (32, 16), 0x1304: (32, 16), 0x1305: (32, 8)}
"""By cipher suite of TLS 1.3."""


class Party(StrEnum):
    """A side of a connection."""

    CLIENT = "client"
    SERVER = "server"


class Reaction(StrEnum):
    """What the client made of the server's part of the handshake."""

    ACCEPTED = "accepted"
    """It sent its Finished."""
    REJECTED = "rejected"
    """It sent an alert, plain or (by its size) encrypted, and no Finished."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsHandshake:
    """One connection on which at least one side spoke TLS, or a known other protocol in its place."""

    flow: Flow
    client: str | None
    server: str | None
    port: int
    """The server's."""
    client_hello: Seen[ClientHello] | None
    """The first."""
    server_hello: Seen[ServerHello] | None
    """The last, so no retry request where the true one came too."""
    chain: Seen[CertificateChain] | None
    """The server's."""
    client_chain: Seen[CertificateChain] | None
    client_alerts: tuple[Seen[Alert], ...]
    server_alerts: tuple[Seen[Alert], ...]
    client_plain: Seen[NotTls] | None
    server_plain: Seen[NotTls] | None
    reaction: Reaction
    reaction_frame: int | None
    """The frame that shows it."""
    resumed: bool
    """An earlier session was resumed, for which no certificate is shown."""
    completed: bool | None
    """Whether the handshake succeeded; None where the capture does not tell."""
    ended_by: Party | None
    """Who sent the first FIN or RST; None while nobody has."""
    ended_how: End
    torn: bool = False
    """Bytes of either side are missing in the capture."""

    @property
    def version(self) -> int | None:
        """The version in force, 0x0304 for TLS 1.3."""
        return None if self.server_hello is None else self.server_hello.message.version

    @property
    def sni(self) -> str | None:
        """The name the client asked for, as sent."""
        return None if self.client_hello is None else self.client_hello.message.sni


class _Side:
    """What one side sent, in time order."""

    __slots__ = ("_kinds", "seen")

    def __init__(self, seen: list[Seen[Any]]) -> None:
        self.seen = seen
        self._kinds: dict[type, list[Seen[Any]]] = {}
        for one in seen:
            self._kinds.setdefault(type(one.message), []).append(one)

    def every(self, kind: type) -> list[Seen[Any]]:
        """Its messages of one class."""
        return self._kinds.get(kind, [])

    def first(self, kind: type) -> Seen[Any] | None:
        """The first of a class."""
        return next(iter(self.every(kind)), None)

    def last(self, kind: type) -> Seen[Any] | None:
        """The last of a class."""
        return self.every(kind)[-1] if self.every(kind) else None

    @property
    def finished(self) -> bool:
        """Up to TLS 1.2: its Finished was seen."""
        return any(one.message.content_type == _FINISHED for one in self.every(EncryptedRecord))

    @property
    def failed(self) -> bool:
        """It spoke something else, or sent an alert that ends the handshake."""
        return bool(self.every(NotTls)) or any(
            not one.message.encrypted and not one.message.harmless for one in self.every(Alert)
        )


def pair(traffic: Traffic) -> Iterator[TlsHandshake]:
    """One exchange a connection that shows more than encrypted data."""
    for conversation in traffic.conversations:
        if any(type(seen.message) is not EncryptedRecord for seen in conversation.seen):
            yield handshake(conversation)


def handshake(conversation: Conversation) -> TlsHandshake:
    """What a connection's messages come to."""
    flow = conversation.flow
    from_originator = _client_is_originator(conversation)
    client = _Side([seen for seen in conversation.seen if seen.from_originator == from_originator])
    server = _Side([seen for seen in conversation.seen if seen.from_originator != from_originator])
    server_hello = server.last(ServerHello)
    closing = flow.closing
    reaction = _reaction(client.seen, server_hello, closing is not None)
    client_half, server_half = (
        (flow.originator, flow.responder) if from_originator else (flow.responder, flow.originator)
    )
    chain = server.first(CertificateChain)
    return TlsHandshake(
        flow=flow,
        client=client_half.ip,
        server=server_half.ip,
        port=server_half.port,
        client_hello=client.first(ClientHello),
        server_hello=server_hello,
        chain=chain,
        client_chain=client.first(CertificateChain),
        client_alerts=tuple(client.every(Alert)),
        server_alerts=tuple(server.every(Alert)),
        client_plain=client.first(NotTls),
        server_plain=server.first(NotTls),
        reaction=Reaction.UNKNOWN if reaction is None else reaction[0],
        reaction_frame=None if reaction is None else reaction[1].number,
        resumed=_resumed(server_hello, chain, server.finished),
        completed=_completed(conversation, client, server, reaction),
        ended_by=None
        if closing is None
        else Party.CLIENT
        if closing.by_originator == from_originator
        else Party.SERVER,
        ended_how=conversation.responder_end if closing is None else closing.how,
        torn=End.GAP in (conversation.originator_end, conversation.responder_end),
    )


def _client_is_originator(conversation: Conversation) -> bool:
    """By who said hello to whom; by the flow where neither did."""
    for seen in conversation.seen:
        if isinstance(seen.message, ClientHello):
            return seen.from_originator
        if isinstance(seen.message, ServerHello):
            return not seen.from_originator
    return True


def _reaction(
    client: list[Seen[Any]], server_hello: Seen[ServerHello] | None, closed: bool
) -> tuple[Reaction, Seen[Any]] | None:
    """The client's first word after the server's hello that tells what it thinks, and where it stands.

    A record of an alert's size is an alert only if it is the client's last and the connection ends.
    """
    if server_hello is None:
        return None
    for seen in client:
        message = seen.message
        if seen.ts_ns < server_hello.ts_ns:
            continue
        if isinstance(message, Alert) and not message.encrypted and not message.harmless:
            return Reaction.REJECTED, seen
        if isinstance(message, EncryptedRecord):
            reaction = _by_size(message, server_hello.message)
            if reaction is None or (reaction is Reaction.REJECTED and not (closed and seen is client[-1])):
                return None
            return reaction, seen
    return None


def _by_size(record: EncryptedRecord, hello: ServerHello) -> Reaction | None:
    if hello.version != _TLS_1_3:
        return Reaction.ACCEPTED if record.content_type == _FINISHED else None
    hash_bytes, tag_bytes = _HASH_BYTES_AND_TAG.get(hello.cipher, (0, 0))
    if record.bytes == _ALERT_BYTES + _TYPE_BYTES + tag_bytes:
        return Reaction.REJECTED
    header_bytes = 4
    return Reaction.ACCEPTED if record.bytes == header_bytes + hash_bytes + _TYPE_BYTES + tag_bytes else None


def _resumed(hello: Seen[ServerHello] | None, chain: Seen[CertificateChain] | None, finished: bool) -> bool:
    if hello is None:
        return False
    if hello.message.version == _TLS_1_3:
        return hello.message.psk
    return chain is None and finished


def _completed(
    conversation: Conversation, client: _Side, server: _Side, reaction: tuple[Reaction, Seen[Any]] | None
) -> bool | None:
    hello = server.last(ServerHello)
    if hello is not None and hello.message.version != _TLS_1_3 and client.finished and server.finished:
        return True
    if client.failed or server.failed:
        return False
    if reaction is not None and reaction[0] is Reaction.REJECTED:
        return False
    if hello is not None and hello.message.version == _TLS_1_3 and reaction is not None:
        return True
    began = bool(client.every(ClientHello) or server.every(ClientHello))
    whole = {conversation.originator_end, conversation.responder_end}.isdisjoint({End.GAP, End.CUT, End.LIMIT})
    if began and hello is None and whole and conversation.flow.closing is not None:
        return False
    return None
