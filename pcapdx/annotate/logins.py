"""Logins of protocols in clear, by the server's port. Each takes contiguous bytes of one direction.

Sources: RFC 959, 1939, 4954, 9051 (FTP, POP3, SMTP, IMAP), RESP (Redis), RFC 7143 (iSCSI), RFC 4511 (LDAP), MySQL's
protocol documentation, RFC 6143 (VNC), RFC 854 (telnet).
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pcapdx.annotate import databases, words
from pcapdx.annotate.ledger import FOREVER
from pcapdx.annotate.screen import CHAP, CLIENT, TEXTS
from pcapdx.annotate.words import Found

_LINES = (
    re.compile(rb"^(?:PASS|ACCT)[ \t]+([^\r\n]+)", re.IGNORECASE | re.MULTILINE),
    re.compile(rb"^APOP[ \t]+\S{1,256}[ \t]+([^\r\n]+)", re.IGNORECASE | re.MULTILINE),
    re.compile(rb"^AUTH[ \t]+[\w-]{1,32}[ \t]+([^\r\n]+)", re.IGNORECASE | re.MULTILINE),
    re.compile(rb"^AUTH[ \t][^\r\n]{0,512}\r?\n([A-Za-z0-9+/=]+)", re.IGNORECASE | re.MULTILINE),
    re.compile(rb"^AUTH[ \t][^\r\n]{0,512}\r?\n[A-Za-z0-9+/=]+\r?\n([A-Za-z0-9+/=]+)", re.IGNORECASE | re.MULTILINE),
    re.compile(
        rb"^\S{1,32}[ \t]+LOGIN[ \t]+(?:\"(?:[^\"\\\r\n]|\\.){0,256}\"|[^\s\"{]{1,256})[ \t]+([^\r\n{]+)",
        re.IGNORECASE | re.MULTILINE,
    ),
    re.compile(rb"^\S{1,32}[ \t]+LOGIN[^\r\n]{0,512}\{\d{1,6}\+?\}\r\n([^\r\n]+)", re.IGNORECASE | re.MULTILINE),
    re.compile(
        rb"^\S{1,32}[ \t]+LOGIN[^\r\n]{0,512}\{\d{1,6}\+?\}\r\n[^\r\n]{0,512}\r\n([^\r\n]+)",
        re.IGNORECASE | re.MULTILINE,
    ),
    re.compile(rb"^\S{1,32}[ \t]+AUTHENTICATE[ \t]+[\w-]{1,32}[ \t]+([^\r\n]+)", re.IGNORECASE | re.MULTILINE),
    re.compile(rb"^\S{1,32}[ \t]+AUTHENTICATE[ \t][^\r\n]{0,512}\r?\n([A-Za-z0-9+/=]+)", re.IGNORECASE | re.MULTILINE),
)
_REDIS = (
    re.compile(rb"^AUTH[ \t]+([^\r\n]+)", re.IGNORECASE | re.MULTILINE),
    re.compile(rb"^CONFIG[ \t]+SET[ \t]+(?:requirepass|masterauth)[ \t]+([^\r\n]+)", re.IGNORECASE | re.MULTILINE),
    re.compile(rb"\$4\r\nAUTH\r\n\$\d{1,9}\r\n([^\r\n]+)", re.IGNORECASE),
    re.compile(rb"\$4\r\nAUTH\r\n\$\d{1,9}\r\n[^\r\n]{0,512}\r\n\$\d{1,9}\r\n([^\r\n]+)", re.IGNORECASE),
    re.compile(rb"\$\d{1,9}\r\n(?:requirepass|masterauth)\r\n\$\d{1,9}\r\n([^\r\n]+)", re.IGNORECASE),
)
_CHAP = (re.compile(rb"CHAP_[RC]=([^\0]+)"),)
_CHAT = (
    re.compile(rb"^PASS[ \t]+:?([^\r\n]+)", re.IGNORECASE | re.MULTILINE),
    re.compile(rb"^OPER[ \t]+\S{1,256}[ \t]+:?([^\r\n]+)", re.IGNORECASE | re.MULTILINE),
    re.compile(rb"<auth [^>]{0,512}>([^<]+)<", re.IGNORECASE),
)
_BIND = re.compile(rb"\x60(?:[\x00-\x7f]|\x81.|\x82..)\x02\x01[\x02\x03]\x04", re.DOTALL)
_GREETING, _NONE, _VNC_AUTH, _CHALLENGE = b"RFB 003.", 1, 2, 16


class Run(NamedTuple):
    """Contiguous bytes of one direction."""

    begin: int
    """Offset in the stream."""
    data: bytes
    client: bool
    """Sent to the server's port."""
    first: bool
    """The stream begins here."""
    fast: bool = False
    """Of a large capture, for which kernels are compiled."""


Finder = Callable[[Run], Iterator[Found]]
"""Ranges counted from the run's beginning."""


def _by(patterns: tuple[re.Pattern[bytes], ...], kind: str) -> Finder:
    def find(run: Run) -> Iterator[Found]:
        for pattern in patterns if run.client else ():
            for match in pattern.finditer(run.data):
                yield match.start(1), match.end(1), kind

    return find


def _of(find: Callable[[bytes, bool], Iterator[Found]]) -> Finder:
    return lambda run: find(run.data, run.client)


def everything(run: Run) -> Iterator[Found]:
    """Telnet and the r-commands: what is typed and echoed is not told apart."""
    yield 0, len(run.data), "terminal session"


def texts(run: Run) -> Iterator[Found]:
    """Values behind a telling name."""
    yield from words.find(run.data, fast=run.fast)


def chap(run: Run) -> Iterator[Found]:
    """iSCSI: challenges and responses of either side."""
    yield from _by(_CHAP, "iSCSI CHAP value")(run._replace(client=True))


def bind(run: Run) -> Iterator[Found]:
    """LDAP's simple bind: version, name, and the password under context tag 0."""
    for match in _BIND.finditer(run.data):
        at = match.end()
        if at >= len(run.data) or run.data[at] >= 0x80:
            continue
        at += 1 + run.data[at]
        if run.data[at : at + 1] == b"\x80" and at + 1 < len(run.data):
            size = run.data[at + 1] if run.data[at + 1] < 0x80 else len(run.data)
            yield at + 2, min(at + 2 + size, len(run.data)), "LDAP password"


def mysql(run: Run) -> Iterator[Found]:
    """The proof of the password in the login and after it, and passwords in statements."""
    yield from words.find(run.data, fast=run.fast)
    if not run.client:
        return
    at = 0
    while run.first and at + 4 <= len(run.data):
        size, sequence = int.from_bytes(run.data[at : at + 3], "little"), run.data[at + 3]
        end = min(at + 4 + size, len(run.data))
        if sequence == 0 or run.data[at : at + 2] == b"\x16\x03":
            return
        if at == 0 and size > 32:
            begin = run.data.find(b"\0", 36)
            if begin < 0:
                return
            capabilities = int.from_bytes(run.data[4:8], "little")
            if capabilities & 0x208000:
                length = run.data[begin + 1] if begin + 1 < end else 0
                yield begin + 2, min(begin + 2 + length, end), "MySQL login"
            else:
                stop = run.data.find(b"\0", begin + 1, end)
                yield begin + 1, stop if stop >= 0 else end, "MySQL login"
        elif at:
            yield at + 4, end, "MySQL login"
        at = at + 4 + size


def vnc(run: Run) -> Iterator[Found]:
    """Challenge and response, keys and screens; what was offered, chosen and decided stays."""
    if not run.data.startswith(_GREETING):
        if not run.first:  # in the midst of one, as far as the port tells
            yield 0, FOREVER, "VNC session"
        return
    data, kind = run.data, "VNC session"
    old = data[8:11] < b"007"
    at = 12
    if run.client:
        if not old:
            at += 1  # the security type it chose
        yield at, FOREVER, kind
        return
    if old:
        listed, secret = b"", int.from_bytes(data[at : at + 4], "big") == _VNC_AUTH
        at += 4
    else:
        listed = data[at + 1 : at + 1 + data[at]] if at < len(data) else b""
        secret = _VNC_AUTH in listed
        at += 1 + len(listed)
        if not listed:
            return
    if secret and _NONE in listed:  # which one was chosen the other side tells; the result stays wherever it may be
        yield at + 4, at + _CHALLENGE, kind
        at += _CHALLENGE
    elif secret:
        yield at, at + _CHALLENGE, kind
        at += _CHALLENGE
    yield at + 4, FOREVER, kind


BY_PORT: dict[int, Finder] = {
    **dict.fromkeys((23, 512, 513, 514), everything),
    **dict.fromkeys((21, 25, 110, 143, 587, 2525), _by(_LINES, "mail or FTP login")),
    6379: _by(_REDIS, "Redis login"),
    3260: chap,
    **dict.fromkeys((389, 3268), bind),
    3306: mysql,
    5432: _of(databases.postgresql),
    1433: _of(databases.sql_server),
    5672: _of(databases.amqp),
    1080: _of(databases.socks),
    **dict.fromkeys((5222, 6667), _by(_CHAT, "chat login")),
    **dict.fromkeys((554, 8250), texts),
    **dict.fromkeys(range(5900, 6101), vnc),
}
"""Who reads a stream, by the server's port; HTTP is known by how it begins."""
CHAP_WORD = b"chap_"
KINDS: dict[Finder, int] = {
    **{BY_PORT[port]: CLIENT for port in (21, 6379, 5432, 1433, 5672, 1080, 5222)},
    chap: CHAP,
    texts: TEXTS,
    mysql: TEXTS | CLIENT,
}
"""What of a stream each looks at, for :mod:`pcapdx.annotate.screen`; the others look at all of it."""
