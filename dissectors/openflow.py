"""OpenFlow between switch and controller: hello, error and features (OpenFlow Switch Specification 1.0 to 1.5).

Versions differ in almost everything but the head of a message and these few; no flow of a table is read.
"""

from collections.abc import Iterator

from pcapdx.dissect import Conversation, Cursor, Dissector, Flow, Malformed, Seen, Traffic
from pcapdx.values import dataclass

_HEAD_BYTES = 8
_VERSIONS = range(1, 7)
_HELLO, _ERROR, _FEATURES_REPLY = 0, 1, 6
_NAMES = {_HELLO: "hello", _ERROR: "error", 2: "echo request", 3: "echo reply", 5: "features request"}
_NAMES |= {_FEATURES_REPLY: "features reply"}
_MOST_MESSAGES = 16
_BITMAP = 1
_VERSION_NAMES = {1: "1.0", 2: "1.1", 3: "1.2", 4: "1.3", 5: "1.4", 6: "1.5"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFlow:
    """One message."""

    version: int
    """As on the wire: 1 is OpenFlow 1.0, 4 is 1.3."""
    type: int
    xid: int
    versions: tuple[int, ...] = ()
    """Of a hello with a bitmap: all versions that its sender speaks."""
    error: tuple[int, int] | None = None
    """Type and code; type 0 is "hello failed", its code 0 "no common version"."""
    datapath: int | None = None
    """Of a features reply: the switch's id."""

    @property
    def hello_failed(self) -> bool:
        """The two speak no common version."""
        return self.error is not None and self.error[0] == 0

    @property
    def label(self) -> str:
        """``OpenFlow 1.3 hello``."""
        name = _NAMES.get(self.type, f"type {self.type}")
        return f"OpenFlow {version_name(self.version)} {name}{f' {self.error}' if self.error else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFlowSession:
    """One connection."""

    flow: Flow
    hellos: tuple[Seen[OpenFlow], ...]
    failed: Seen[OpenFlow] | None
    """The error by which it ended."""
    features: Seen[OpenFlow] | None
    """The switch introduced itself: the session works."""


def version_name(version: int) -> str:
    """``1.3``."""
    return _VERSION_NAMES.get(version, f"(version {version})")


def read(cursor: Cursor) -> Iterator[OpenFlow]:
    """The first messages of one direction, which begins with a hello; nothing where it does not."""
    if (head := cursor.peek(2)) and (head[0] not in _VERSIONS or head[1:] not in (b"", bytes([_HELLO]))):
        return
    for _ in range(_MOST_MESSAGES):
        if not cursor.left:
            return
        at = cursor.at
        version, kind, length = cursor.u8("version"), cursor.u8("type"), cursor.u16("length")
        if length < _HEAD_BYTES:
            raise Malformed("a message shorter than its head", at)
        xid = cursor.u32("xid")
        if kind == _ERROR and length >= _HEAD_BYTES + 4:  # what it quotes may be cut by a short snap length
            error = cursor.u16("error type"), cursor.u16("error code")
            cursor.skip(min(length - _HEAD_BYTES - 4, cursor.left), "quoted message")
            yield OpenFlow(version=version, type=kind, xid=xid, error=error)
            continue
        body = cursor.sub(length - _HEAD_BYTES, "body")
        datapath = int.from_bytes(body.take(8, "datapath id"), "big") if kind == _FEATURES_REPLY else None
        versions = _bitmap(body) if kind == _HELLO and body.left else ()
        yield OpenFlow(version=version, type=kind, xid=xid, versions=versions, datapath=datapath)


def _bitmap(body: Cursor) -> tuple[int, ...]:
    """The first version bitmap of a hello; elements are padded to eight bytes."""
    while body.left >= 4:
        kind, length = body.u16("element type"), body.u16("element length")
        if length < 4:
            raise Malformed("a hello element shorter than its head", body.at)
        content = body.take(length - 4, "element")
        if kind == _BITMAP:
            bits = int.from_bytes(content[:4], "big")
            return tuple(bit for bit in range(32) if bits >> bit & 1)
        body.skip(min(-length % 8, body.left), "padding")
    return ()


def pair(traffic: Traffic) -> Iterator[OpenFlowSession]:
    """One session a connection of which anything was read."""
    for conversation in traffic.conversations:
        if conversation.seen:
            yield OpenFlowSession(
                flow=conversation.flow,
                hellos=tuple(one for one in conversation.seen if one.message.type == _HELLO),
                failed=_first(conversation, _ERROR),
                features=_first(conversation, _FEATURES_REPLY),
            )


def _first(conversation: Conversation, kind: int) -> Seen[OpenFlow] | None:
    return next((one for one in conversation.seen if one.message.type == kind), None)


DISSECTOR = Dissector(
    name="openflow",
    spec="OpenFlow Switch Specification 1.0-1.5",
    messages=(OpenFlow,),
    read=read,
    tcp_ports=frozenset({6633, 6653}),
    stream_bytes=4096,
    pair=pair,
    exchanges=(OpenFlowSession,),
)
