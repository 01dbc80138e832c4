"""What is told of a body without keeping it: sizes, a closed classification, and a digest for equality."""

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from dissectors.http.reader import Raw

_SALT = secrets.token_bytes(32)
"""New in each process, so that nobody can look a digest up, or try passwords against one in an old report."""
_DIGEST_BYTES = 8
_HTML = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)
_SECOND_STATUS_LINE = re.compile(rb"HTTP/1\.[01] 400 [^\r\n]*\r?\n")


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


def describe(raw: Raw) -> Body:
    """The shadow of a message's body."""
    return Body(bytes=len(raw.body), complete=raw.complete, kind=_kind(raw), digest=digest(raw.body))


def digest(body: bytes) -> str | None:
    """A salted digest of a body, None of an empty one."""
    return blake2b(body, digest_size=_DIGEST_BYTES, key=_SALT).hexdigest() if body else None


def _kind(raw: Raw) -> BodyKind:
    text = raw.body.strip()
    if not text:
        return BodyKind.EMPTY
    if text == b"saved_password":
        return BodyKind.SAVED_PASSWORD
    if text == b"bad_request" or (_SECOND_STATUS_LINE.match(text) and text.endswith(b"bad_request")):
        return BodyKind.BAD_REQUEST
    if _HTML.match(text) or "html" in (raw.get("content-type") or "").lower():
        return BodyKind.HTML
    try:
        printable = text.decode("utf-8").replace("\n", " ").replace("\r", " ").replace("\t", " ").isprintable()
    except UnicodeDecodeError:
        printable = False
    return BodyKind.TEXT if printable else BodyKind.OTHER
