"""CloudStack's password server: plain HTTP on port 8080 of the virtual router.

A guest asks with the header ``DomU_Request: send_my_password``, sets what it gets, and acknowledges with
``DomU_Request: saved_password``. Source: ``systemvm/debian/opt/cloud/bin/passwd_server_ip.py``, before CloudStack 4.5
``serve_password.sh`` behind socat, and the guests' ``cloud-set-guest-password``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from dissectors.http import domu_request, masked, proxied
from dissectors.http.body import BodyKind, describe
from dissectors.http.exchange import Ended, join
from dissectors.http.reader import Raw, messages
from pcapdx.dissect import Cursor, Dissector, Flow, Seen, Traffic

__all__ = [
    "DISSECTOR",
    "AnswerKind",
    "Ended",
    "Generation",
    "PasswordAnswer",
    "PasswordExchange",
    "PasswordKind",
    "PasswordRequest",
]

_SERVER = "CloudStack Password Server"
_OK = 200
_LONGEST_PASSWORD = 255
"""Bytes that the Windows agent reads."""


class PasswordKind(StrEnum):
    """What a request wants, by its DomU_Request header."""

    SEND = "send"
    SAVED = "saved"
    """The acknowledgement."""
    SAVE = "save"
    """Setting a password, which only the router itself may do."""
    OTHER = "other"
    NONE = "none"
    """No such header."""


_KINDS = {
    "send_my_password": PasswordKind.SEND,
    "saved_password": PasswordKind.SAVED,
    "save_password": PasswordKind.SAVE,
}


class Generation(StrEnum):
    """Which password server answers, as far as its answer shows."""

    SOCAT = "G1"
    PYTHON2 = "G2"
    """Sure only where it wrote a second status line into the body."""
    PYTHON3 = "G3"
    """Sure only where it answered ``bad_request`` with status 200, which 4.20 and later (G4) do as well."""
    PYTHON = "G2-G4"
    """One of the Python servers; this answer does not tell which."""
    FOREIGN = "foreign"
    """Not a CloudStack password server."""


class AnswerKind(StrEnum):
    """What an answer's body is."""

    PASSWORD = "password"
    """A line of text, answered with 200: a password, where a password server sent it."""
    SAVED_PASSWORD = "saved_password"
    """Nothing is waiting, or the acknowledgement was taken."""
    BAD_REQUEST = "bad_request"
    EMPTY = "empty"
    HTML = "html"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordRequest:
    """A request on a password server's port."""

    kind: PasswordKind
    spelled: str | None
    """The header's name as sent."""
    method: str
    target: str
    """The server ignores it."""
    host: str | None
    user_agent: str | None
    proxied: bool
    """Sent as to a proxy, so the server sees the proxy's address and has no password for it."""

    @property
    def wget(self) -> bool:
        """Sent by wget, which the guests' scripts use."""
        return (self.user_agent or "").lower().startswith("wget")


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordAnswer:
    """An answer on a password server's port. What the body says is never kept."""

    generation: Generation
    kind: AnswerKind
    status: int
    servers: tuple[str, ...]
    """All Server headers."""
    body_bytes: int
    complete: bool
    digest: str | None
    """Salted: equal within one run for the same password delivered twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordExchange:
    """A request to a password server, and what became of it."""

    flow: Flow
    client: str | None
    server: str | None
    port: int
    request: Seen[PasswordRequest]
    answer: Seen[PasswordAnswer] | None
    ended: Ended
    acked: bool
    """The client's TCP acknowledged all that the server sent."""

    @property
    def delivered(self) -> bool:
        """A password reached the client's TCP; whether the guest set it is another question."""
        if self.answer is None or self.request.message.kind is not PasswordKind.SEND:
            return False
        answer = self.answer.message
        return answer.kind is AnswerKind.PASSWORD and answer.complete and self.acked


def read(cursor: Cursor) -> Iterator[PasswordRequest | PasswordAnswer]:
    """All requests or answers of one direction of a stream; nothing where it is not HTTP."""
    for raw in messages(cursor):
        yield _request(raw) if raw.request else _answer(raw)


def _request(raw: Raw) -> PasswordRequest:
    method, target, _ = raw.start
    header = domu_request(raw)
    spelled, value = header if header is not None else (None, "")
    return PasswordRequest(
        kind=PasswordKind.NONE if header is None else _KINDS.get(value.strip(), PasswordKind.OTHER),
        spelled=spelled,
        method=method,
        target=masked(target),
        host=raw.get("host"),
        user_agent=raw.get("user-agent"),
        proxied=proxied(raw),
    )


def _answer(raw: Raw) -> PasswordAnswer:
    body = describe(raw)
    return PasswordAnswer(
        generation=_generation(raw, body.kind),
        kind=_answer_kind(raw, body.kind),
        status=int(raw.start[1]),
        servers=raw.all("server"),
        body_bytes=body.bytes,
        complete=body.complete,
        digest=body.digest,
    )


def _generation(raw: Raw, kind: BodyKind) -> Generation:
    """By the fingerprints of the server's generations."""
    servers = raw.all("server")
    if not servers and raw.get("documenttype") is not None:
        return Generation.SOCAT
    if not any(server.startswith(_SERVER) for server in servers):
        return Generation.FOREIGN
    if kind is BodyKind.BAD_REQUEST:
        return Generation.PYTHON2 if raw.body.startswith(b"HTTP/") else Generation.PYTHON3
    return Generation.PYTHON


def _answer_kind(raw: Raw, kind: BodyKind) -> AnswerKind:
    if kind is BodyKind.TEXT:
        line = raw.body.strip()
        password = int(raw.start[1]) == _OK and len(line) <= _LONGEST_PASSWORD and b"\n" not in line
        return AnswerKind.PASSWORD if password else AnswerKind.OTHER
    return AnswerKind(kind.value)


def pair(traffic: Traffic) -> Iterator[PasswordExchange]:
    """One exchange a request that is meant for a password server, connection by connection.

    That is one with the header, one that a password server answered, or one of wget for the root, as guests send.
    """
    for conversation in traffic.conversations:
        requests = [seen for seen in conversation.seen if isinstance(seen.message, PasswordRequest)]
        answers = [seen for seen in conversation.seen if isinstance(seen.message, PasswordAnswer)]
        final = [(seen, seen.message.complete) for seen in answers if seen.message.status >= _OK]
        for joined in join(conversation, requests, final):
            if _meant(joined.request.message, joined.answer.message if joined.answer is not None else None):
                yield PasswordExchange(
                    flow=conversation.flow,
                    client=joined.client,
                    server=joined.server,
                    port=joined.port,
                    request=joined.request,
                    answer=joined.answer,
                    ended=joined.ended,
                    acked=joined.answer_acked,
                )


def _meant(request: PasswordRequest, answer: PasswordAnswer | None) -> bool:
    if request.kind is not PasswordKind.NONE:
        return True
    return (request.wget and request.target == "/") or (
        answer is not None and answer.generation is not Generation.FOREIGN
    )


DISSECTOR = Dissector(
    name="password_server",
    spec="CloudStack systemvm/debian/opt/cloud/bin/passwd_server_ip.py",
    messages=(PasswordRequest, PasswordAnswer),
    read=read,
    tcp_ports=frozenset({8080, 3128}),  # 3128: through a proxy set in the template
    pair=pair,
    exchanges=(PasswordExchange,),
    secrets={"digest": "the password itself is never kept; the digest is salted anew in each process"},
)
