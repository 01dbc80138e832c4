"""User-data and meta-data: plain HTTP on port 80 of the virtual router, answered by the client's source address.

Source: ``systemvm/debian/var/www/html/latest/.htaccess`` (paths), ``vmdata.py`` (what lies behind them), and
cloud-init's ``DataSourceCloudStack.py`` (the order of requests).
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum

from dissectors.http import Ended, HttpRequest, HttpResponse
from dissectors.http.exchange import join
from pcapdx.dissect import Dissector, Flow, Seen, Traffic
from pcapdx.values import dataclass

__all__ = ["DISSECTOR", "Ended", "MetadataAnswer", "MetadataExchange", "MetadataKind", "MetadataRequest"]

_MANDATORY = frozenset(
    {"instance-id", "local-hostname", "local-ipv4", "vm-id", "availability-zone", "service-offering"}
)
_IDENTIFYING = frozenset({"instance-id", "vm-id", "local-hostname", "local-ipv4", "public-ipv4"})
_LATEST = re.compile(r"/latest(?:/(?:(?P<data>user-data|meta-data)(?:/(?P<key>.*))?|(?P<bare>.*)))?")
_OTHER_CLOUD = re.compile(
    r"/(?:openstack|computemetadata|metadata/(?:instance|v1)|opc/v[12]|hetzner|\d{4}-\d\d-\d\d|1\.0/)(?:[/?.].*)?"
    r"|/latest/(?:api/token|dynamic)(?:/.*)?"
)
_PORT = 80
_LABEL_CHARACTERS = 120
_FINAL = 200


class MetadataKind(StrEnum):
    """What a request asks for."""

    MANDATORY = "mandatory"
    """A key that every instance has."""
    OPTIONAL = "optional"
    """A key that may be missing: public-keys, cloud-identifier, and those of newer versions."""
    USER_DATA = "user-data"
    LISTING = "listing"
    """The list of keys."""
    OTHER_CLOUD = "other-cloud"
    """A probe for another cloud's service, which the router has not."""
    NONE = "none"
    """Some other web request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataRequest:
    """A request on the router's web port."""

    kind: MetadataKind
    method: str
    path: str
    """In lower case, since the server ignores case, and without the query."""
    key: str | None
    """``instance-id``, ``user-data``, ``meta-data/`` for the list; None of other requests."""
    host: str | None
    user_agent: str | None

    @property
    def label(self) -> str:
        """``GET /latest/meta-data/instance-id``."""
        return f"{self.method} {self.path}"[:_LABEL_CHARACTERS]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataAnswer:
    """An answer on the router's web port."""

    status: int
    servers: tuple[str, ...]
    """All Server headers."""
    body_bytes: int
    complete: bool
    content_length: int | None
    digest: str | None
    """Salted: equal within one run for equal bodies."""
    via: str | None
    """A proxy was in between."""
    text: str | None
    """The body where it is nothing but an IPv4 address, a UUID or an instance name, and complete."""

    @property
    def label(self) -> str:
        """``200, 36 bytes``."""
        return f"{self.status}, {self.body_bytes} bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataExchange:
    """A request for user-data or meta-data, or another cloud's probe, and what became of it."""

    flow: Flow
    client: str | None
    server: str | None
    port: int
    request: Seen[MetadataRequest]
    answer: Seen[MetadataAnswer] | None
    """Its ``text`` is kept only of keys that say whose data this is."""
    ended: Ended
    acked: bool
    """The client's TCP acknowledged all that the server sent."""


def refine(seen: Seen[HttpRequest | HttpResponse]) -> Iterator[MetadataRequest | MetadataAnswer]:
    """What an HTTP message on the router's web port means to its metadata service."""
    message = seen.message
    if isinstance(message, HttpRequest):
        if seen.frame.dport == _PORT:
            yield _request(message)
    elif seen.frame.sport == _PORT:
        yield _answer(message)


def _request(message: HttpRequest) -> MetadataRequest:
    kind, key = classify(message.path)
    return MetadataRequest(
        kind=kind,
        method=message.method,
        path=message.path,
        key=key,
        host=message.host,
        user_agent=message.user_agent,
    )


def classify(path: str) -> tuple[MetadataKind, str | None]:
    """What a path (in lower case) asks for, and the key; a trailing slash after a key makes no difference."""
    if _OTHER_CLOUD.fullmatch(path):
        return MetadataKind.OTHER_CLOUD, None
    match = _LATEST.fullmatch(path)
    if match is None:
        return MetadataKind.NONE, None
    if match["data"] == "user-data":
        return MetadataKind.USER_DATA, "user-data"
    key = (match["key"] or match["bare"] or "").rstrip("/")
    if not key:
        return MetadataKind.LISTING, "meta-data/"
    return (MetadataKind.MANDATORY if key in _MANDATORY else MetadataKind.OPTIONAL), key


def _answer(message: HttpResponse) -> MetadataAnswer:
    return MetadataAnswer(
        status=message.status,
        servers=message.servers,
        body_bytes=message.body.bytes,
        complete=message.body.complete,
        content_length=message.content_length,
        digest=message.body.digest,
        via=message.via,
        text=message.body.identity,
    )


def pair(traffic: Traffic) -> Iterator[MetadataExchange]:
    """One exchange a request that :func:`classify` knows, connection by connection."""
    for conversation in traffic.conversations:
        requests = [seen for seen in conversation.seen if isinstance(seen.message, MetadataRequest)]
        answers = [seen for seen in conversation.seen if isinstance(seen.message, MetadataAnswer)]
        final = [
            (seen, seen.message.complete or _answers_head(requests, index))
            for index, seen in enumerate(one for one in answers if one.message.status >= _FINAL)
        ]
        for joined in join(conversation, requests, final):
            request: MetadataRequest = joined.request.message
            if request.kind is MetadataKind.NONE:
                continue
            answer: Seen[MetadataAnswer] | None = joined.answer
            if answer is not None and request.key not in _IDENTIFYING:
                answer = replace(answer, message=replace(answer.message, text=None))
            yield MetadataExchange(
                flow=conversation.flow,
                client=joined.client,
                server=joined.server,
                port=joined.port,
                request=joined.request,
                answer=answer,
                ended=joined.ended,
                acked=joined.answer_acked,
            )


def _answers_head(requests: list[Seen[MetadataRequest]], index: int) -> bool:
    """The answer of this index tells a length and has no body, as it should."""
    return index < len(requests) and requests[index].message.method == "HEAD"


def withheld(message: object) -> str | None:
    """A body on the web port, the metadata service's or another's, of which anything but the digest was left out."""
    if not isinstance(message, MetadataAnswer) or message.status // 100 != 2 or message.text is not None:
        return None
    return "web answer" if message.digest is not None else None  # whose it is, its request tells


DISSECTOR = Dissector(
    name="metadata",
    spec="CloudStack systemvm/debian/var/www/html/latest/.htaccess",
    messages=(MetadataRequest, MetadataAnswer),
    builds_on="http",
    refine=refine,
    pair=pair,
    exchanges=(MetadataExchange,),
    withheld=withheld,
    secrets={
        "digest": "user-data and keys are never kept; the digest is salted anew in each process",
        "text": "kept only where the whole body is an IPv4 address, a UUID or an instance name",
    },
)
