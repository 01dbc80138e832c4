"""HTTP/1.x messages out of one direction of a TCP stream (RFC 9112).

h11 does the reading, with a fresh connection for each message, so that what it thinks of keep-alive never hides the
next one. It is strict, as a server should be; servers and clients that work all the same are read too: lines that end
in LF alone, spaces within a target, a status line without reason, a request without Host. For those the head is taken
apart here, leniently, and h11 gets a clean one with the same framing, so that it still finds the body's end.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pcapdx.dissect import Cursor, Malformed

if TYPE_CHECKING:
    from h11._headers import Headers

_MOST_HEAD_BYTES = 65_536
_REQUEST = re.compile(rb"[A-Za-z][A-Za-z_-]{1,31} [^\n]* HTTP/[0-9]")
_REQUEST_BEGUN = re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|TRACE|CONNECT) [^\n]*\Z")
_RESPONSE = b"HTTP/"
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(r"[0-9]{3}")
_SWITCHING_PROTOCOLS = "101"


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

    def get(self, name: str) -> str | None:
        """The first header of that name (in lower case)."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def all(self, name: str) -> tuple[str, ...]:
        """All headers of that name (in lower case), in order."""
        return tuple(value for key, value in self.headers if key.lower() == name)


def messages(cursor: Cursor) -> Iterator[Raw]:
    """The messages of one direction, the cursor right after each when it is yielded.

    Nothing where the stream does not begin like HTTP. A message whose body is not all there comes with ``complete``
    False, and is the last.
    """
    may_switch = True
    while _skip_line_ends(cursor):
        data = cursor.peek(cursor.left)
        request = (_REQUEST.match(data) or _REQUEST_BEGUN.match(data)) is not None
        if not request and not data.startswith(_RESPONSE):
            if may_switch:
                return
            raise Malformed("no HTTP message follows the last one", cursor.at)
        raw, size = _read(data, request, cursor)
        if raw is None:
            if len(data) >= _MOST_HEAD_BYTES:
                raise Malformed("HTTP head without end", cursor.at)
            cursor.take(cursor.left + 1, "HTTP head")
            return
        cursor.skip(size, "HTTP message")
        yield raw
        if raw.broken is not None:
            raise Malformed(raw.broken, cursor.at)
        if not raw.complete or (not request and raw.start[1] == _SWITCHING_PROTOCOLS):
            return
        may_switch = request and (raw.get("upgrade") is not None or raw.start[0] == "CONNECT")


def _skip_line_ends(cursor: Cursor) -> int:
    """Passes over empty lines before a message (RFC 9112, 2.2); how many bytes are left."""
    while cursor.left and cursor.peek(1) in (b"\r", b"\n"):
        cursor.skip(1, "line end")
    return cursor.left


def _read(data: bytes, request: bool, cursor: Cursor) -> tuple[Raw | None, int]:
    """The message at the start of the data, and its size; None while its head has no end."""
    import h11  # here, since only captures with HTTP should pay for it

    try:
        return _by_h11(data, request, cursor.closed)
    except h11.RemoteProtocolError:
        pass
    end = _BLANK_LINE.search(data)
    if end is None:
        return None, 0
    start, headers = _lenient_head(data[: end.start()], request, cursor)
    head = _clean_head(request, start[1], headers)
    try:
        raw, size = _by_h11(head + data[end.end() :], request, cursor.closed)
    except h11.RemoteProtocolError as error:
        raise Malformed(f"HTTP framing: {error}", cursor.at) from None
    if raw is not None:
        raw.start, raw.headers = start, headers
    return raw, size - len(head) + end.end()


def _by_h11(data: bytes, request: bool, closed: bool) -> tuple[Raw | None, int]:
    """As :func:`_read`; h11's RemoteProtocolError when it does not like the head."""
    import h11

    connection = h11.Connection(h11.SERVER if request else h11.CLIENT, max_incomplete_event_size=_MOST_HEAD_BYTES)
    if not request:
        # h11 reads answers only to a question; this one allows every kind of answer.
        every_kind = [("Host", "x"), ("Connection", "Upgrade"), ("Upgrade", "x")]
        connection.send(h11.Request(method="GET", target="/", headers=every_kind))
        connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    head = connection.next_event()
    if isinstance(head, h11.Request):
        raw = Raw(True, (_text(head.method), _text(head.target), _version(head.http_version)), _headers(head.headers))
    elif isinstance(head, h11.Response | h11.InformationalResponse):
        status = str(head.status_code)
        raw = Raw(False, (_version(head.http_version), status, _text(head.reason)), _headers(head.headers))
    else:
        return None, 0
    head_bytes = len(data) - len(connection.trailing_data[0])
    if isinstance(head, h11.InformationalResponse):
        raw.complete = True
        return raw, head_bytes
    try:
        while not raw.complete:
            event = connection.next_event()
            if isinstance(event, h11.Data):
                raw.body += event.data
            elif event is h11.NEED_DATA and closed:
                connection.receive_data(b"")
            elif isinstance(event, h11.EndOfMessage):
                raw.complete = True
            else:
                break
    except h11.RemoteProtocolError as error:
        _, at_end = connection.trailing_data
        if not at_end:
            raw.broken = f"HTTP body: {error}"
    if raw.get("content-length") is not None and raw.body.startswith(b"HTTP/1."):
        # The answer to a HEAD request tells a length and has no body: this is the next answer.
        raw.body, raw.complete, raw.broken = b"", True, None
        return raw, head_bytes
    return raw, len(data) - len(connection.trailing_data[0]) if raw.complete else len(data)


def _lenient_head(
    head: bytes, request: bool, cursor: Cursor
) -> tuple[tuple[str, str, str], tuple[tuple[str, str], ...]]:
    """Start line and headers of what h11 refuses; lines that are no header are left out."""
    first, *lines = _text(head).replace("\r", "").split("\n")
    start = _request_line(first) if request else _status_line(first)
    if start is None:
        raise Malformed("neither an HTTP request line nor a status line", cursor.at)
    headers: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if line[:1] in (" ", "\t") and headers:
            headers[-1] = headers[-1][0], f"{headers[-1][1]} {line.strip()}"
        elif colon:
            headers.append((name.strip(), value.strip()))
    return start, tuple(headers)


def _request_line(line: str) -> tuple[str, str, str] | None:
    """Method, target, version; the target may have spaces in it."""
    method, _, rest = line.strip().partition(" ")
    target, _, version = rest.rpartition(" ")
    return (method, target.strip(), version) if target and version.startswith("HTTP/") else None


def _status_line(line: str) -> tuple[str, str, str] | None:
    """Version, status code, reason; any of what separates them."""
    version, *rest = line.split(None, 2)
    if not rest or not _STATUS.fullmatch(rest[0]):
        return None
    return version, rest[0], rest[1].strip() if len(rest) > 1 else ""


def _clean_head(request: bool, status: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    """A head that h11 accepts and that frames the same body."""
    lines = ["POST / HTTP/1.1", "Host: x"] if request else [f"HTTP/1.1 {status} x"]
    framing = {name.lower(): value for name, value in headers}
    if framing.get("transfer-encoding", "").lower().endswith("chunked"):
        lines.append("Transfer-Encoding: chunked")
    elif framing.get("content-length", "").isascii() and framing.get("content-length", "").isdigit():
        lines.append(f"Content-Length: {framing['content-length'][:18]}")
    return "\r\n".join([*lines, "", ""]).encode()


def _text(value: bytes) -> str:
    return bytes(value).decode("ascii", "replace")


def _version(number: bytes) -> str:
    return f"HTTP/{_text(number)}"


def _headers(headers: "Headers") -> tuple[tuple[str, str], ...]:
    return tuple((_text(name), _text(value)) for name, value in headers.raw_items())
