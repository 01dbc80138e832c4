"""CloudStack's password server: plain HTTP on port 8080 of the virtual router.

A guest asks with the header ``DomU_Request: send_my_password``, sets what it gets, and acknowledges with
``DomU_Request: saved_password``. Source: ``systemvm/debian/opt/cloud/bin/passwd_server_ip.py``, before CloudStack 4.5
``serve_password.sh`` behind socat, and the guests' ``cloud-set-guest-password``.
"""

from collections.abc import Iterator
from enum import StrEnum

from dissectors.http import BodyKind, Ended, HttpRequest, HttpResponse
from dissectors.http.exchange import join
from pcapdx.dissect import Dissector, Flow, Seen, Traffic
from pcapdx.values import dataclass

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
_PORTS = frozenset({8080, 3128})
"""Where a password server may be expected: its own port, and that of a proxy set in the template."""
_OK = 200


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


_ANSWERS = {
    BodyKind.EMPTY: AnswerKind.EMPTY,
    BodyKind.HTML: AnswerKind.HTML,
    BodyKind.SAVED_PASSWORD: AnswerKind.SAVED_PASSWORD,
    BodyKind.BAD_REQUEST: AnswerKind.BAD_REQUEST,
}


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

    @property
    def label(self) -> str:
        """``DomU_Request: send``."""
        return f"DomU_Request: {self.kind}" if self.spelled else f"{self.method} without DomU_Request"


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

    @property
    def label(self) -> str:
        """``200 password, 12 bytes``."""
        return f"{self.status} {self.kind}, {self.body_bytes} bytes"


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


def refine(seen: Seen[HttpRequest | HttpResponse]) -> Iterator[PasswordRequest | PasswordAnswer]:
    """What an HTTP message means to a password server; on other ports only if it is one's beyond doubt."""
    message = seen.message
    if isinstance(message, HttpRequest):
        if message.domu_spelled is not None or seen.frame.dport in _PORTS:
            yield _request(message)
        return
    answer = _answer(message)
    if answer.generation is not Generation.FOREIGN or seen.frame.sport in _PORTS:
        yield answer


def _request(message: HttpRequest) -> PasswordRequest:
    value = message.domu_request
    return PasswordRequest(
        kind=PasswordKind.NONE if value is None else _KINDS.get(value.strip(), PasswordKind.OTHER),
        spelled=message.domu_spelled,
        method=message.method,
        target=message.target,
        host=message.host,
        user_agent=message.user_agent,
        proxied=message.proxied,
    )


def _answer(message: HttpResponse) -> PasswordAnswer:
    body = message.body
    kind = AnswerKind.PASSWORD if body.one_line and message.status == _OK else _ANSWERS.get(body.kind, AnswerKind.OTHER)
    return PasswordAnswer(
        generation=_generation(message),
        kind=kind,
        status=message.status,
        servers=message.servers,
        body_bytes=body.bytes,
        complete=body.complete,
        digest=body.digest,
    )


def _generation(message: HttpResponse) -> Generation:
    """By the fingerprints of the server's generations."""
    if not message.servers and message.document_type is not None:
        return Generation.SOCAT
    if not any(server.startswith(_SERVER) for server in message.servers):
        return Generation.FOREIGN
    if message.body.kind is BodyKind.BAD_REQUEST:
        return Generation.PYTHON2 if message.body.second_head else Generation.PYTHON3
    return Generation.PYTHON


def pair(traffic: Traffic) -> Iterator[PasswordExchange]:
    """One exchange a request that is meant for a password server, connection by connection.

    That is one with the header, one that a password server answered, or one of wget for the root, as guests send. On
    another port than a password server's, only one that a password server answered.
    """
    for conversation in traffic.conversations:
        requests = [seen for seen in conversation.seen if isinstance(seen.message, PasswordRequest)]
        answers = [seen for seen in conversation.seen if isinstance(seen.message, PasswordAnswer)]
        final = [(seen, seen.message.complete) for seen in answers if seen.message.status >= _OK]
        for joined in join(conversation, requests, final):
            answer = joined.answer.message if joined.answer is not None else None
            if _meant(joined.request.message, answer, joined.port):
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


def _meant(request: PasswordRequest, answer: PasswordAnswer | None, port: int) -> bool:
    if answer is not None and answer.generation is not Generation.FOREIGN:
        return True
    return port in _PORTS and (request.kind is not PasswordKind.NONE or (request.wget and request.target == "/"))


def withheld(message: object) -> str | None:
    """A password that was delivered."""
    return "password" if isinstance(message, PasswordAnswer) and message.kind is AnswerKind.PASSWORD else None


DISSECTOR = Dissector(
    name="password_server",
    spec="CloudStack systemvm/debian/opt/cloud/bin/passwd_server_ip.py",
    messages=(PasswordRequest, PasswordAnswer),
    builds_on="http",
    refine=refine,
    pair=pair,
    exchanges=(PasswordExchange,),
    withheld=withheld,
    secrets={"digest": "the password itself is never kept; the digest is salted anew in each process"},
)
