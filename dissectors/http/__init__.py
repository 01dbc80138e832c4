"""HTTP/1.x (RFC 9110, 9112) as far as faults show in it: who asked for what, what came back, and how it ended.

Bodies are never kept, and neither are the values of query parameters that grant something. ``reader`` finds the
messages, ``body`` tells of bodies, ``exchange`` joins; the dissectors of what rides on HTTP use all three.
"""

import re
from collections.abc import Iterator

from dissectors.http.body import Body, BodyKind, describe
from dissectors.http.exchange import Ended, join
from dissectors.http.reader import Raw, messages
from pcapdx.dissect import Cursor, Dissector, Flow, Sample, Seen, Traffic
from pcapdx.values import dataclass

__all__ = ["DISSECTOR", "Body", "BodyKind", "Ended", "HttpExchange", "HttpRequest", "HttpResponse", "masked", "path_of"]

_SEPARATOR = re.compile(r"([?&;#])")
_MASK = "***"
_SECRET_NAME = re.compile(
    r"token|passw|pwd|secret|session_?(?:key|id)|signature|api_?key|ticket|^key$|^sig$", re.IGNORECASE
)
_USER = re.compile(r"(?<=://)[^/@\s]+@")
_DOMU_REQUEST = ("domu_request", "vm_request")
_SWITCHING_PROTOCOLS = 101
_MOST_LENGTH = 1 << 63
_LABEL_CHARACTERS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request."""

    method: str
    target: str
    """As sent, secret values masked as ``***``."""
    version: str
    """Such as ``HTTP/1.1``; empty where the request line has none."""
    host: str | None
    user_agent: str | None
    content_type: str | None
    content_length: int | None
    upgrade: str | None
    """Protocol asked for, in lower case (``websocket``)."""
    domu_request: str | None
    """What is asked of a CloudStack password server."""
    domu_spelled: str | None
    """That header's name as sent; servers compare it with more or less care."""
    proxied: bool
    """Sent as to a proxy: CONNECT, or a target with scheme and host."""
    body: Body

    @property
    def path(self) -> str:
        """The target's path, in lower case, without scheme, host and query."""
        return path_of(self.target)

    @property
    def label(self) -> str:
        """``GET /latest/meta-data/instance-id``."""
        return f"{self.method} {self.target}"[:_LABEL_CHARACTERS]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """One response, interim ones (1xx) included."""

    status: int
    reason: str
    version: str
    servers: tuple[str, ...]
    """All Server headers, in order; CloudStack's password server sends two."""
    date: str | None
    document_type: str | None
    """Header of the socat password server, misspelled there."""
    content_type: str | None
    content_length: int | None
    location: str | None
    """Secret values masked."""
    via: str | None
    """A proxy was in between."""
    upgrade: str | None
    """Protocol switched to, in lower case."""
    body: Body

    @property
    def label(self) -> str:
        """``200 OK``."""
        return f"{self.status} {self.reason}".strip()[:_LABEL_CHARACTERS]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpExchange:
    """A request and its final response."""

    flow: Flow
    client: str | None
    server: str | None
    port: int
    """The server's."""
    request: Seen[HttpRequest]
    response: Seen[HttpResponse] | None
    ended: Ended
    request_acked: bool
    """The server's TCP acknowledged all that the client sent on this flow."""
    response_acked: bool
    """The client's TCP acknowledged all that the server sent on this flow."""

    @property
    def wait_ns(self) -> int | None:
        """From the end of the request to the end of what was captured of the response."""
        return None if self.response is None else self.response.ts_ns - self.request.ts_ns


def read(cursor: Cursor) -> Iterator[HttpRequest | HttpResponse]:
    """All messages of one direction of a stream; nothing where it is not HTTP."""
    for raw in messages(cursor):
        yield _request(raw) if raw.request else _response(raw)


def masked(target: str) -> str:
    """A target or location with the values of its secret parameters, and any user in it, replaced by ``***``."""
    if "=" not in target and "@" not in target:
        return target
    parts = _SEPARATOR.split(_USER.sub(f"{_MASK}@", target))
    for place, part in enumerate(parts):
        name, equals, value = part.partition("=")
        if equals and value and _SECRET_NAME.search(name):
            parts[place] = f"{name}={_MASK}"
    return "".join(parts)


def path_of(target: str) -> str:
    """The path within a target of either form, in lower case and without the query."""
    path = target.partition("?")[0].partition("#")[0]
    if "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    return path.lower()


def _domu_request(raw: Raw) -> tuple[str, str] | None:
    """Name as sent and value of the header that a password server goes by."""
    if not any(raw.get(name) is not None for name in _DOMU_REQUEST):
        return None
    return next((name, value) for name, value in raw.headers if name.lower() in _DOMU_REQUEST)


def _content_length(raw: Raw) -> int | None:
    """The length announced; None also for one beyond what any table keeps."""
    length = raw.length
    return length if length is not None and length < _MOST_LENGTH else None


def _request(raw: Raw) -> HttpRequest:
    method, target, version = raw.start
    spelled, value = _domu_request(raw) or (None, None)
    return HttpRequest(
        method=method,
        target=masked(target),
        version=version,
        host=raw.get("host"),
        user_agent=raw.get("user-agent"),
        content_type=raw.get("content-type"),
        content_length=_content_length(raw),
        upgrade=(raw.get("upgrade") or "").lower() or None,
        domu_request=value,
        domu_spelled=spelled,
        proxied=method == "CONNECT" or "://" in target.partition("?")[0],
        body=describe(raw),
    )


def _response(raw: Raw) -> HttpResponse:
    version, status, reason = raw.start
    location = raw.get("location")
    return HttpResponse(
        status=int(status),
        reason=reason,
        version=version,
        servers=raw.all("server"),
        date=raw.get("date"),
        document_type=raw.get("documenttype"),
        content_type=raw.get("content-type"),
        content_length=_content_length(raw),
        location=masked(location) if location is not None else None,
        via=raw.get("via"),
        upgrade=(raw.get("upgrade") or "").lower() or None,
        body=describe(raw),
    )


def pair(traffic: Traffic) -> Iterator[HttpExchange]:
    """One exchange a request, connection by connection."""
    for conversation in traffic.conversations:
        requests = [seen for seen in conversation.seen if isinstance(seen.message, HttpRequest)]
        answers = [
            (seen, seen.message.body.complete or _answers_head(requests, index))
            for index, seen in enumerate(one for one in conversation.seen if _final(one.message))
        ]
        for joined in join(conversation, requests, answers):
            yield HttpExchange(
                flow=conversation.flow,
                client=joined.client,
                server=joined.server,
                port=joined.port,
                request=joined.request,
                response=joined.answer,
                ended=joined.ended,
                request_acked=joined.request_acked,
                response_acked=joined.answer_acked,
            )


def _final(message: object) -> bool:
    return isinstance(message, HttpResponse) and (message.status >= 200 or message.status == _SWITCHING_PROTOCOLS)


def _answers_head(requests: list[Seen[HttpRequest]], index: int) -> bool:
    """The answer of this index tells a length and has no body, as it should."""
    return index < len(requests) and requests[index].message.method == "HEAD"


def withheld(message: object) -> str | None:
    """A value of a URL that was masked."""
    urls = (message.target,) if isinstance(message, HttpRequest) else (getattr(message, "location", None),)
    return "value in a URL" if any(_MASK in url for url in urls if url) else None


DISSECTOR = Dissector(
    name="http",
    spec="RFC 9112",
    messages=(HttpRequest, HttpResponse),
    read=read,
    tcp_ports=frozenset({80, 443, 3128, 8001, 8080, 8443}),
    tcp_starts=frozenset({b"GE", b"HE", b"HT", b"PO", b"PU", b"PA", b"DE", b"OP", b"CO", b"TR"}),
    # The largest body that matters, user-data, has 24 KiB unless the operator raised vm.userdata.max.length (32 KiB in
    # base64); with heads and some repeated segments that is enough. The rest of a trunk's HTTP is downloads.
    stream_bytes=40_960,
    # browsing comes in thousands of alike streams; a metadata request begins otherwise and is a kind of its own
    stream_sample=Sample(first=128, every_ns=1_000_000_000, by_ends=False),
    pair=pair,
    exchanges=(HttpExchange,),
    withheld=withheld,
    secrets={
        "target": "values of parameters such as token, password, sessionkey are masked before anything is kept",
        "location": "masked likewise",
        "body": "never kept, save an IPv4 address, UUID or instance name; the digest is salted anew in each process",
    },
    names=frozenset({"host"}),
)
