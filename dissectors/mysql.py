"""MySQL and MariaDB as far as the login goes: the server's greeting, or the error that stands in its place.

Source: MySQL's and MariaDB's protocol documentation ("Connection Phase"). The scramble and what the client answers to
it are passed over, never kept. After the login, or where TLS begins, nothing more is read.
"""

from collections.abc import Iterator
from typing import TypeVar

from pcapdx.dissect import Conversation, Cursor, Dissector, Flow, Sample, Seen, Traffic
from pcapdx.values import dataclass

_PROTOCOL = 10
_OK, _ERROR = 0x00, 0xFF
_CONNECT_WITH_DATABASE, _TLS, _LENGTH_ENCODED = 0x8, 0x800, 0x200000
_SECURE_CONNECTION = 0x8000
_TLS_RECORD = b"\x16\x03"
_TEXT_BYTES = 512
_LOGIN_HEAD = 32
_FILLER = 9
"""From here on the login's head is all zero, save MariaDB's own capabilities in its last four bytes."""
_LONGEST_PACKET = 4096
_MARIADB = 28
_MOST_PACKETS = 16
_SQL_STATE_BYTES = 6

M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqlGreeting:
    """The server's first packet."""

    version: str
    thread: int
    tls: bool
    """It would speak TLS."""

    @property
    def label(self) -> str:
        """``greeting, 10.11.6-MariaDB``."""
        return f"greeting, {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqlLogin:
    """The client's first packet, without the proof of its password."""

    user: str | None
    """None where it asks for TLS first."""
    database: str | None
    tls: bool

    @property
    def label(self) -> str:
        """``login of cloud``."""
        return "asks for TLS" if self.tls else f"login of {self.user}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqlResult:
    """How the server answered the login, or an error in place of its greeting."""

    code: int
    """0 OK; 1040 too many connections, 1045 access denied, 1129 host blocked, 1130 host not allowed …"""
    text: str
    """In the server's own words."""
    in_place_of_greeting: bool

    @property
    def label(self) -> str:
        """``error 1130``."""
        return f"error {self.code}" if self.code else "logged in"


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqlSession:
    """One connection."""

    flow: Flow
    greeting: Seen[MysqlGreeting] | None
    login: Seen[MysqlLogin] | None
    result: Seen[MysqlResult] | None
    """None within TLS, or where the capture ends first."""


def read(cursor: Cursor) -> Iterator[MysqlGreeting | MysqlLogin | MysqlResult]:
    """The login's packets of one direction; nothing where it is none."""
    greeted = False
    for _ in range(_MOST_PACKETS):
        if not cursor.left or cursor.peek(2) == _TLS_RECORD:
            return
        length, sequence = _little(cursor, 3, "length"), cursor.u8("sequence number")
        ahead = cursor.peek(_LOGIN_HEAD)
        kind = ahead[0] if ahead else None
        if not 0 < length <= _LONGEST_PACKET:
            return
        if not greeted and sequence == 1 and length >= _LOGIN_HEAD and not any(ahead[_FILLER:_MARIADB]):
            yield _login(cursor.sub(length, "login"), length)
            return
        if not greeted and (sequence > 1 or kind not in (_PROTOCOL, _ERROR)):
            return
        if kind == _ERROR:
            yield _error(cursor, length, in_place_of_greeting=not greeted)
            return
        packet = cursor.sub(length, "packet")
        packet.skip(1, "kind")
        if not greeted:
            yield _greeting(packet)
            greeted = True
        elif kind == _OK:
            yield MysqlResult(code=0, text="", in_place_of_greeting=False)
            return


def _greeting(packet: Cursor) -> MysqlGreeting:
    version = _until_zero(packet, "version")
    thread = _little(packet, 4, "thread")
    packet.skip(9, "scramble")
    capabilities = _little(packet, 2, "capabilities")
    return MysqlGreeting(version=version, thread=thread, tls=bool(capabilities & _TLS))


def _login(packet: Cursor, length: int) -> MysqlLogin:
    capabilities = _little(packet, 4, "capabilities")
    packet.skip(_LOGIN_HEAD - 4, "packet size, character set and filler")
    if length == _LOGIN_HEAD:
        return MysqlLogin(user=None, database=None, tls=bool(capabilities & _TLS))
    user = _until_zero(packet, "user")
    if capabilities & (_LENGTH_ENCODED | _SECURE_CONNECTION):
        packet.skip(packet.u8("length of the proof"), "proof of the password")
    else:
        _until_zero(packet, "proof of the password")
    database = _until_zero(packet, "database") if capabilities & _CONNECT_WITH_DATABASE and packet.left else None
    return MysqlLogin(user=user, database=database, tls=False)


def _error(cursor: Cursor, length: int, *, in_place_of_greeting: bool) -> MysqlResult:
    """The code is what counts: a short snap length may cut the text."""
    cursor.skip(1, "kind")
    code = _little(cursor, 2, "error code")
    text = cursor.take(min(length - 3, cursor.left, _TEXT_BYTES), "message") if length > 3 else b""
    if text.startswith(b"#"):
        text = text[_SQL_STATE_BYTES:]
    return MysqlResult(code=code, text=text.decode("utf-8", "replace"), in_place_of_greeting=in_place_of_greeting)


def _little(cursor: Cursor, count: int, what: str) -> int:
    return int.from_bytes(cursor.take(count, what), "little")


def _until_zero(packet: Cursor, what: str) -> str:
    ahead = packet.peek(_TEXT_BYTES)
    at = ahead.find(b"\0")
    text = packet.take(at if at >= 0 else len(ahead), what).decode("utf-8", "replace")
    packet.skip(1, f"end of the {what}")
    return text


def pair(traffic: Traffic) -> Iterator[MysqlSession]:
    """One session a connection of which anything of the login was seen."""
    for conversation in traffic.conversations:
        if conversation.seen:
            yield MysqlSession(
                flow=conversation.flow,
                greeting=_first(conversation, MysqlGreeting),
                login=_first(conversation, MysqlLogin),
                result=_first(conversation, MysqlResult),
            )


def _first(conversation: Conversation, kind: type[M]) -> Seen[M] | None:
    return next((one for one in conversation.seen if isinstance(one.message, kind)), None)


def withheld(message: object) -> str | None:
    """The proof of a password."""
    return "database login" if isinstance(message, MysqlLogin) and message.user and not message.tls else None


DISSECTOR = Dissector(
    name="mysql",
    spec="MySQL client/server protocol, connection phase",
    messages=(MysqlGreeting, MysqlLogin, MysqlResult),
    read=read,
    tcp_ports=frozenset({3306}),
    stream_bytes=4096,
    # management servers keep a pool of connections: where there are thousands, one a second tells how they fare
    stream_sample=Sample(first=128, every_ns=1_000_000_000, by_ends=False, stream_key_bytes=0),
    pair=pair,
    exchanges=(MysqlSession,),
    withheld=withheld,
    secrets={"MysqlLogin.user": "the proof of the password that follows is never kept"},
    names=frozenset({"user", "database"}),
)
