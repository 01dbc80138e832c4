"""Whatever h11 accepts, our reader reads as h11 does: start line, headers, body, and where the message ends."""

from dataclasses import dataclass

import h11
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dissectors.http.reader import messages
from pcapdx.dissect import Cursor, Malformed, Truncated

REWRITTEN = frozenset({"content-length", "transfer-encoding"})
"""Headers whose values h11 puts into one form; what they mean shows in the body."""


@dataclass(frozen=True)
class Message:
    """What is compared."""

    start: tuple[str, str, str]
    headers: tuple[tuple[str, str], ...]
    body: bytes
    complete: bool
    size: int


def text(value: bytes) -> str:
    return bytes(value).decode("ascii", "replace")


def by_h11(data: bytes, *, request: bool, closed: bool) -> Message | None:
    """The first message by h11; None where it refuses the head or waits for its end."""
    connection = h11.Connection(h11.SERVER if request else h11.CLIENT, max_incomplete_event_size=65_536)
    if not request:
        # h11 reads answers only to a question; this one allows every kind of answer.
        every_kind = [("Host", "x"), ("Connection", "Upgrade"), ("Upgrade", "x")]
        connection.send(h11.Request(method="GET", target="/", headers=every_kind))
        connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    try:
        head = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    if isinstance(head, h11.Request):
        start = text(head.method), text(head.target), f"HTTP/{text(head.http_version)}"
    elif isinstance(head, h11.Response | h11.InformationalResponse):
        start = f"HTTP/{text(head.http_version)}", str(head.status_code), text(head.reason).strip()
    else:
        return None
    headers = tuple((text(name), text(value)) for name, value in head.headers.raw_items())
    behind_head = len(data) - len(connection.trailing_data[0])
    if isinstance(head, h11.InformationalResponse):
        return Message(start, headers, b"", True, behind_head)
    body, complete = b"", False
    try:
        while not complete:
            event = connection.next_event()
            if isinstance(event, h11.Data):
                body += event.data
            elif event is h11.NEED_DATA and closed:
                connection.receive_data(b"")
            elif isinstance(event, h11.EndOfMessage):
                complete = True
            else:
                break
    except h11.RemoteProtocolError:
        pass
    behind = len(data) - len(connection.trailing_data[0])
    return Message(start, headers, body, complete, behind if complete else len(data))


def by_us(data: bytes, *, closed: bool) -> Message | None:
    """The first message by our reader."""
    cursor = Cursor(data, closed=closed)
    try:
        raw = next(messages(cursor), None)
    except (Malformed, Truncated):
        return None
    return None if raw is None else Message(raw.start, raw.headers, raw.body, raw.complete, cursor.at)


def without_rewritten(message: Message) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in message.headers if name.lower() not in REWRITTEN)


TOKEN = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=8)
METHOD = st.sampled_from(["GET", "HEAD", "POST", "PUT", "CONNECT", "OPTIONS", "PROPFIND", "M-SEARCH"])
TARGET = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
VALUE = st.binary(max_size=16).map(lambda raw: raw.decode("latin-1"))
LINE_END = st.sampled_from(["\r\n", "\n"])
SPACE = st.sampled_from(["", " ", "\t", "  "])
HEADER = st.builds(lambda name, before, value, behind: f"{name}:{before}{value}{behind}", TOKEN, SPACE, VALUE, SPACE)
FRAMING = st.sampled_from(
    [
        "Content-Length: 5",
        "content-length: 5, 5",
        "Content-Length: 0",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: chunked",
        "transfer-encoding:CHUNKED",
        "Connection: close",
        "Upgrade: websocket",
        "\tfolded",
    ]
)
CHUNK = st.binary(max_size=20).flatmap(
    lambda data: st.sampled_from(
        [
            b"%x\r\n%b\r\n" % (len(data), data),
            b"%X;a=b\r\n%b\r\n" % (len(data), data),
            b"%02x \r\n%b\n" % (len(data), data),
        ]
    )
)
BODY = (
    st.binary(max_size=12)
    | st.lists(CHUNK, max_size=4).map(b"".join)
    | st.lists(CHUNK, max_size=4).map(lambda parts: b"".join(parts) + b"0\r\n\r\nGET / HTTP/1.0\r\n\r\n")
    | st.lists(CHUNK, max_size=4).map(lambda parts: b"".join(parts) + b"0\r\nTrailer: x\r\n\r\n")
)


@st.composite
def heads(draw: st.DrawFn, start: st.SearchStrategy[str]) -> bytes:
    lines = [draw(start), "Host: a", *draw(st.lists(HEADER | FRAMING, max_size=5))]
    return "".join(line + draw(LINE_END) for line in [*lines, ""]).encode("latin-1")


REQUEST_LINE = st.builds("{} {} HTTP/1.{}".format, METHOD, TARGET, st.integers(0, 1))
STATUS_LINE = st.builds(
    "HTTP/1.{} {}{}".format,
    st.integers(0, 1),
    st.integers(100, 999),
    st.sampled_from(["", " ", " OK", " Not  Found ", " \xe4\t!"]),
)


@settings(max_examples=400)
@given(heads(REQUEST_LINE), BODY, st.booleans())
def test_requests(head: bytes, body: bytes, closed: bool) -> None:
    expected = by_h11(head + body, request=True, closed=closed)
    assume(expected is not None)
    compare(expected, by_us(head + body, closed=closed))


@settings(max_examples=400)
@given(heads(STATUS_LINE), BODY, st.booleans())
def test_responses(head: bytes, body: bytes, closed: bool) -> None:
    expected = by_h11(head + body, request=False, closed=closed)
    assume(expected is not None and not body.startswith(b"HTTP/1."))
    compare(expected, by_us(head + body, closed=closed))


def compare(expected: Message | None, found: Message | None) -> None:
    assert expected is not None
    assert found is not None
    assert found.start == expected.start
    assert without_rewritten(found) == without_rewritten(expected)
    assert (found.complete, found.body, found.size) == (expected.complete, expected.body, expected.size)


def test_the_oracle_accepts_what_is_usual() -> None:
    """So that the properties above are not about nothing."""
    request = by_h11(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", request=True, closed=False)
    assert request is not None
    assert (request.start, request.complete) == (("GET", "/", "HTTP/1.1"), True)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    response = by_h11(chunked, request=False, closed=False)
    assert response is not None
    assert (response.body, response.size) == (b"hello", len(chunked))
