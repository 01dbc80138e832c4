"""iSCSI as far as the login goes: who asks for which target, and what the target says to it (RFC 7143, 11.12, 11.13).

Of the login's text only the two names are kept; keys of CHAP are passed over.
"""

from collections.abc import Iterator

from pcapdx.dissect import Cursor, Dissector, Flow, Seen, Traffic
from pcapdx.values import dataclass

_HEAD_BYTES = 48
_OPCODE = 0x3F
_LOGIN, _LOGIN_RESPONSE = 0x03, 0x23
_TEXT_BYTES = 8192
_MOST_MESSAGES = 16
_NAME_BYTES = 224
_STATUS = {
    0x0000: "success",
    0x0101: "target moved for now",
    0x0102: "target moved",
    0x0200: "initiator error",
    0x0201: "authentication failed",
    0x0202: "not authorised for this target",
    0x0203: "no such target",
    0x0204: "target removed",
    0x0205: "version not supported",
    0x0206: "too many connections",
    0x0207: "parameter missing",
    0x020A: "no such session",
    0x0300: "target error",
    0x0301: "service unavailable",
    0x0302: "out of resources",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IscsiLogin:
    """A login request."""

    initiator: str | None
    target: str | None
    """None in a session for discovery, and in all but the first request."""

    @property
    def label(self) -> str:
        """``login to iqn…``."""
        return f"login to {self.target or 'discovery'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IscsiLoginResponse:
    """A login response."""

    status: int
    """Class and detail: 0 success, 0x01.. moved, 0x02.. the initiator's fault, 0x03.. the target's."""

    @property
    def label(self) -> str:
        """``login response: no such target``."""
        return f"login response: {status_name(self.status)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IscsiSession:
    """One connection's login."""

    flow: Flow
    login: Seen[IscsiLogin] | None
    response: Seen[IscsiLoginResponse] | None
    """The last one."""


def status_name(status: int) -> str:
    """In words."""
    return _STATUS.get(status, f"status 0x{status:04x}")


def read(cursor: Cursor) -> Iterator[IscsiLogin | IscsiLoginResponse]:
    """Login messages of one direction, up to the first of another kind."""
    for _ in range(_MOST_MESSAGES):
        ahead = cursor.peek(1)
        if not ahead or ahead[0] & _OPCODE not in (_LOGIN, _LOGIN_RESPONSE):
            return
        head = cursor.take(_HEAD_BYTES, "head")
        data_bytes = int.from_bytes(head[5:8], "big")
        if data_bytes > _TEXT_BYTES:
            return
        cursor.skip(head[4] * 4, "additional headers")
        text = cursor.take(data_bytes, "text")
        cursor.skip(min(-data_bytes % 4, cursor.left), "padding")
        if head[0] & _OPCODE == _LOGIN_RESPONSE:
            yield IscsiLoginResponse(status=head[36] << 8 | head[37])
        else:
            yield IscsiLogin(initiator=_value(text, b"InitiatorName="), target=_value(text, b"TargetName="))


def _value(text: bytes, key: bytes) -> str | None:
    found = next((one for one in text.split(b"\0") if one.startswith(key)), None)
    return None if found is None else found[len(key) :][:_NAME_BYTES].decode("utf-8", "replace")


def pair(traffic: Traffic) -> Iterator[IscsiSession]:
    """One session a connection."""
    for conversation in traffic.conversations:
        requests = [one for one in conversation.seen if isinstance(one.message, IscsiLogin)]
        responses = [one for one in conversation.seen if isinstance(one.message, IscsiLoginResponse)]
        if requests or responses:
            yield IscsiSession(
                flow=conversation.flow,
                login=requests[0] if requests else None,
                response=responses[-1] if responses else None,
            )


DISSECTOR = Dissector(
    name="iscsi",
    spec="RFC 7143",
    messages=(IscsiLogin, IscsiLoginResponse),
    read=read,
    tcp_ports=frozenset({3260}),
    stream_bytes=8192,
    pair=pair,
    exchanges=(IscsiSession,),
    names=frozenset({"initiator", "target"}),
)
