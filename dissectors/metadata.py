"""User-data and meta-data: plain HTTP on port 80 of the virtual router, answered by the client's source address.

Source: ``systemvm/debian/var/www/html/latest/.htaccess`` (paths), ``vmdata.py`` (what lies behind them), and
cloud-init's ``DataSourceCloudStack.py`` (the order of requests).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from dissectors.http import Ended, content_length, masked, path_of
from dissectors.http.body import describe
from dissectors.http.exchange import join
from dissectors.http.reader import Raw, messages
from pcapdx.dissect import Cursor, Dissector, Flow, Seen, Traffic

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
_IDENTITY = re.compile(
    rb"(?:\d{1,3}(?:\.\d{1,3}){3}"
    rb"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    rb"|i-\d{1,12}-\d{1,12}-[A-Za-z0-9_-]{1,32})",
    re.IGNORECASE,
)
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


def read(cursor: Cursor) -> Iterator[MetadataRequest | MetadataAnswer]:
    """All requests or answers of one direction of a stream; nothing where it is not HTTP."""
    for raw in messages(cursor):
        yield _request(raw) if raw.request else _answer(raw)


def _request(raw: Raw) -> MetadataRequest:
    method, target, _ = raw.start
    path = path_of(masked(target))
    kind, key = classify(path)
    return MetadataRequest(
        kind=kind, method=method, path=path, key=key, host=raw.get("host"), user_agent=raw.get("user-agent")
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


def _answer(raw: Raw) -> MetadataAnswer:
    body = describe(raw)
    text = raw.body.strip()
    return MetadataAnswer(
        status=int(raw.start[1]),
        servers=raw.all("server"),
        body_bytes=body.bytes,
        complete=body.complete,
        content_length=content_length(raw),
        digest=body.digest,
        via=raw.get("via"),
        text=text.decode("ascii") if raw.complete and _IDENTITY.fullmatch(text) else None,
    )


def pair(traffic: Traffic) -> Iterator[MetadataExchange]:
    """One exchange a request that :func:`classify` knows, connection by connection."""
    for conversation in traffic.conversations:
        requests = [seen for seen in conversation.seen if isinstance(seen.message, MetadataRequest)]
        answers = [seen for seen in conversation.seen if isinstance(seen.message, MetadataAnswer)]
        final = [(seen, seen.message.complete) for seen in answers if seen.message.status >= _FINAL]
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


DISSECTOR = Dissector(
    name="metadata",
    spec="CloudStack systemvm/debian/var/www/html/latest/.htaccess",
    messages=(MetadataRequest, MetadataAnswer),
    read=read,
    tcp_ports=frozenset({80}),
    pair=pair,
    exchanges=(MetadataExchange,),
    secrets={
        "digest": "user-data and keys are never kept; the digest is salted anew in each process",
        "text": "kept only where the whole body is an IPv4 address, a UUID or an instance name",
    },
)
