"""What is told of a body without keeping it: its size, what kind of thing it is, and a digest for equality."""

import os
import re
from codecs import utf_8_decode
from enum import StrEnum
from hashlib import blake2b

from dissectors.http.reader import Raw
from pcapdx.values import dataclass

_SALT = os.urandom(32)
"""New in each process, so that nobody can look a digest up, or try passwords against one in an old report."""
_DIGEST_BYTES = 8
_HTML = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)
_SECOND_STATUS_LINE = re.compile(rb"HTTP/1\.[01] 400 [^\r\n]*\r?\n")
_LAYOUT = re.compile(r"[\n\r\t]+")
_JUDGED_BYTES = 512
"""Of a body's beginning, to tell text from other data."""
_LONGEST_PASSWORD = 255
"""Bytes that the Windows guest agent reads."""
_IDENTITY = re.compile(
    rb"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|i-\d{1,12}-\d{1,12}-[\w-]{1,32}",
    re.ASCII | re.IGNORECASE,
)


class BodyKind(StrEnum):
    """What a body is, as far as any rule needs to know."""

    EMPTY = "empty"
    SAVED_PASSWORD = "saved_password"
    """A keyword of the password server."""
    BAD_REQUEST = "bad_request"
    """The other keyword, also after the second status line that Python 2 servers wrote into the body."""
    HTML = "html"
    TEXT = "text"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The shadow of a body."""

    bytes: int
    """As far as it was captured, transfer coding removed."""
    complete: bool
    kind: BodyKind
    digest: str | None
    """Salted: equal within one run for equal bodies, worthless elsewhere; None for an empty one."""
    one_line: bool
    """Printable text of one line, 255 bytes at most: what may be a password."""
    second_head: bool
    """Begins with a status line of its own, as Python 2's password server wrote its errors."""
    identity: str | None
    """The body where it is whole and nothing but an IPv4 address, a UUID or an instance name: it tells whose it is."""


def _empty(complete: bool) -> Body:
    return Body(
        bytes=0,
        complete=complete,
        kind=BodyKind.EMPTY,
        digest=None,
        one_line=False,
        second_head=False,
        identity=None,
    )


_COMPLETE, _NOTHING_YET = _empty(True), _empty(False)


def describe(raw: Raw) -> Body:
    """The shadow of a message's body."""
    if not raw.body:
        return _COMPLETE if raw.complete else _NOTHING_YET
    text = raw.body.strip()
    kind = _kind(raw, text)
    return Body(
        bytes=len(raw.body),
        complete=raw.complete,
        kind=kind,
        digest=blake2b(raw.body, digest_size=_DIGEST_BYTES, key=_SALT).hexdigest(),
        one_line=kind is BodyKind.TEXT and len(text) <= _LONGEST_PASSWORD and b"\n" not in text,
        second_head=_SECOND_STATUS_LINE.match(text) is not None,
        identity=text.decode("ascii") if raw.complete and _IDENTITY.fullmatch(text) else None,
    )


def _kind(raw: Raw, text: bytes) -> BodyKind:
    if not text:
        return BodyKind.EMPTY
    if text == b"saved_password":
        return BodyKind.SAVED_PASSWORD
    if text == b"bad_request" or (_SECOND_STATUS_LINE.match(text) and text.endswith(b"bad_request")):
        return BodyKind.BAD_REQUEST
    if _HTML.match(text) or "html" in (raw.get("content-type") or "").lower():
        return BodyKind.HTML
    try:
        begin, _ = utf_8_decode(text[:_JUDGED_BYTES], "strict", len(text) <= _JUDGED_BYTES)
    except UnicodeDecodeError:
        return BodyKind.OTHER
    return BodyKind.TEXT if begin.isprintable() or _LAYOUT.sub("", begin).isprintable() else BodyKind.OTHER
