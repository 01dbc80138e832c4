"""HTTP/1.x messages out of one direction of a TCP stream (RFC 9112).

An own reader of heads, since a trunk holds a hundred thousand of them and most of a general one's time goes into what a
server has to enforce. What h11 accepts is read as h11 reads it (the tests hold that); servers and clients that work all
the same are read too: lines that end in LF alone, spaces within a target, a status line without reason, lines that are
no header, a request without Host.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import field

from pcapdx.dissect import Cursor, Malformed
from pcapdx.values import dataclass

_MOST_HEAD_BYTES = 65_536
_LINE_ENDS = re.compile(rb"[\r\n]*")
_REQUEST = re.compile(rb"[A-Za-z][A-Za-z_-]{1,31} [^\n]* HTTP/[0-9]")
_REQUEST_BEGUN = re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|TRACE|CONNECT) [^\n]*\Z")
_RESPONSE = b"HTTP/"
_BLANK_LINE = re.compile(rb"\n\r?\n")
_FOLD = re.compile(r"\r?\n[ \t]+")
_STATUS = re.compile(r"[1-9][0-9]{2}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,20})[ \t]*(?:;.*)?")
_LINE_END = b"\r\n"
_SWITCHING_PROTOCOLS = "101"
_MOST_LENGTH_DIGITS = 20


@dataclass(slots=True)
class Raw:
    """One message as read, body included; it is never kept."""

    request: bool
    start: tuple[str, str, str]
    """Method, target, version; or version, status code, reason."""
    headers: tuple[tuple[str, str], ...]
    """Names as sent."""
    body: bytes = b""
    """As far as it was captured, transfer coding removed."""
    complete: bool = False
    broken: str | None = None
    """What is wrong with the body."""
    _first: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._first = {name.lower(): value for name, value in reversed(self.headers)}

    def get(self, name: str) -> str | None:
        """The first header of that name (in lower case)."""
        return self._first.get(name)

    def all(self, name: str) -> tuple[str, ...]:
        """All headers of that name (in lower case), in order."""
        return tuple(value for key, value in self.headers if key.lower() == name)

    @property
    def length(self) -> int | None:
        """The length of the body announced; None where there is none, or no single number."""
        value = self._first.get("content-length", "")
        if "," in value:  # told more than once, which is harmless where all agree
            value, *others = {part.strip() for part in value.split(",")}
            value = "" if others else value
        return int(value) if value.isdigit() and len(value) <= _MOST_LENGTH_DIGITS else None


def messages(cursor: Cursor) -> Iterator[Raw]:
    """The messages of one direction, the cursor right after each when it is yielded.

    Nothing where the stream does not begin like HTTP. A message whose body is not all there comes with ``complete``
    False, and is the last.
    """
    begin, data = cursor.at, cursor.peek(cursor.left)
    at = 0
    may_switch = True
    while (at := _after_line_ends(data, at)) < len(data):
        cursor.at = begin + at
        request = (_REQUEST.match(data, at) or _REQUEST_BEGUN.match(data, at)) is not None
        if not request and not data.startswith(_RESPONSE, at):
            if may_switch:
                return
            raise Malformed("no HTTP message follows the last one", cursor.at)
        end = _BLANK_LINE.search(data, at)
        if end is None:
            if len(data) - at >= _MOST_HEAD_BYTES:
                raise Malformed("HTTP head without end", cursor.at)
            cursor.take(cursor.left + 1, "HTTP head")
            return
        raw = _head(data[at : end.start()], request)
        if raw is None:
            raise Malformed("neither an HTTP request line nor a status line", cursor.at)
        at = _read_body(raw, data, end.end(), cursor.closed)
        cursor.at = begin + at
        yield raw
        if raw.broken is not None:
            raise Malformed(raw.broken, cursor.at)
        if not raw.complete or (not request and raw.start[1] == _SWITCHING_PROTOCOLS):
            return
        may_switch = request and (raw.get("upgrade") is not None or raw.start[0] == "CONNECT")
    cursor.at = cursor.end


def _after_line_ends(data: bytes, at: int) -> int:
    """Behind the empty lines before a message (RFC 9112, 2.2)."""
    match = _LINE_ENDS.match(data, at)
    return match.end() if match is not None else at


def _head(head: bytes, request: bool) -> Raw | None:
    """Start line and headers; lines that are no header are left out. None where there is no start line."""
    first, _, rest = head.decode("ascii", "replace").partition("\n")
    start = _request_line(first.strip()) if request else _status_line(first.strip())
    if start is None:
        return None
    headers = []
    for line in _FOLD.sub(" ", rest).split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers.append((name.strip(), value.strip(" \t\r")))
    return Raw(request, start, tuple(headers))


def _request_line(line: str) -> tuple[str, str, str] | None:
    """Method, target, version; the target may have spaces in it."""
    method, _, rest = line.partition(" ")
    target, _, version = rest.rpartition(" ")
    return (method, target.strip(), version) if target and version.startswith("HTTP/") else None


def _status_line(line: str) -> tuple[str, str, str] | None:
    """Version, status code, reason; any of what separates them."""
    version, *rest = line.split(None, 2)
    if not rest or not _STATUS.fullmatch(rest[0]):
        return None
    return version, rest[0], rest[1].strip() if len(rest) > 1 else ""


def _read_body(raw: Raw, data: bytes, at: int, closed: bool) -> int:
    """Puts the body that begins at ``at`` into the message; where it ends (RFC 9112, 6.3).

    The answer to a HEAD request tells a length and has no body: where the next answer begins in its place, it is one.
    """
    if not raw.request and (raw.start[1].startswith("1") or raw.start[1] in ("204", "304")):
        raw.complete = True
        return at
    if (raw.get("transfer-encoding") or "").lower().endswith("chunked"):
        return _read_chunks(raw, data, at)
    length = raw.length
    if length is None and not raw.request:
        raw.body, raw.complete = data[at:], closed
        return len(data)
    if length is not None and not raw.request and data.startswith(b"HTTP/1.", at):
        length = 0
    raw.body = data[at : at + (length or 0)]
    raw.complete = len(raw.body) == (length or 0)
    return at + len(raw.body)


def _read_chunks(raw: Raw, data: bytes, at: int) -> int:
    """A body in chunks and the trailers behind it (RFC 9112, 7.1)."""
    parts: list[bytes] = []
    while (line_end := data.find(_LINE_END, at)) >= 0:
        chunk = _CHUNK.fullmatch(data, at, line_end)
        if chunk is None:
            raw.broken = "HTTP body: no chunk size"
            break
        at, size = line_end + len(_LINE_END), int(chunk[1], 16)
        if size == 0:
            raw.complete, at = _after_trailers(data, at)
            break
        parts.append(data[at : at + size])
        at += size
        behind = data[at : at + len(_LINE_END)]
        if behind != _LINE_END:
            if not _LINE_END.startswith(behind):
                raw.broken = "HTTP body: no line end after a chunk"
            break
        at += len(_LINE_END)
    raw.body = b"".join(parts)
    return at if raw.complete else len(data)


def _after_trailers(data: bytes, at: int) -> tuple[bool, int]:
    """Whether the trailers are all there, and where they end."""
    for nothing in (_LINE_END, b"\n"):
        if data.startswith(nothing, at):
            return True, at + len(nothing)
    end = _BLANK_LINE.search(data, at)
    return end is not None, end.end() if end is not None else at
