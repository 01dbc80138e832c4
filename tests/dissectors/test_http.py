import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissectors.http import BodyKind, Ended, HttpExchange, HttpRequest, HttpResponse, masked, pair, read
from pcapdx.dissect import Cursor, End, Malformed, Traffic, Truncated
from tests.dissectors.feeding import CLIENT, SECOND, SERVER, mutated, survives, talk

GET = (
    b"GET /client/api?command=login&sessionkey=SECRET&x=1 HTTP/1.1\r\n"
    b"Host: cloud.example\r\nUser-Agent: Wget/1.21\r\n\r\n"
)
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
OK = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.18\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 19\r\n\r\n"
    b"<html>fine</html>\r\n"
)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\n\r\nplain text\n"


def requests(data: bytes, *, closed: bool = False) -> list[HttpRequest]:
    return [one for one in read(Cursor(data, closed=closed)) if isinstance(one, HttpRequest)]


def responses(data: bytes, *, closed: bool = False) -> list[HttpResponse]:
    return [one for one in read(Cursor(data, closed=closed)) if isinstance(one, HttpResponse)]


def exchanges(*said: tuple[str, bytes], **ends: Any) -> list[HttpExchange]:
    return list(pair(Traffic(conversations=(talk(read, said, 80, **ends),))))


def test_request() -> None:
    (request,) = requests(GET)
    assert (request.method, request.version, request.host) == ("GET", "HTTP/1.1", "cloud.example")
    assert request.target == "/client/api?command=login&sessionkey=***&x=1"
    assert request.path == "/client/api"
    assert request.user_agent == "Wget/1.21"
    assert (request.domu_request, request.upgrade, request.content_length, request.proxied) == (None, None, None, False)
    assert request.body.kind is BodyKind.EMPTY
    assert request.body.complete


def test_response() -> None:
    (response,) = responses(OK)
    assert (response.status, response.reason, response.version) == (200, "OK", "HTTP/1.1")
    assert response.servers == ("nginx/1.18",)
    assert (response.content_type, response.content_length) == ("text/html; charset=utf-8", 19)
    assert (response.body.kind, response.body.bytes, response.body.complete) == (BodyKind.HTML, 19, True)


def test_positions_of_pipelined_messages() -> None:
    cursor = Cursor(POST + GET)
    reader = read(cursor)
    assert isinstance(next(reader), HttpRequest)
    assert cursor.at == len(POST)
    assert isinstance(next(reader), HttpRequest)
    assert cursor.at == len(POST + GET)
    assert list(reader) == []


def test_framings() -> None:
    chunked, fixed, last = responses(CHUNKED + OK + UNTIL_CLOSE, closed=True)
    assert (chunked.body.bytes, chunked.body.complete) == (6, True)
    assert (fixed.body.bytes, fixed.body.complete) == (19, True)
    assert (last.body.bytes, last.body.complete) == (11, True)
    (still_open,) = responses(UNTIL_CLOSE)
    assert not still_open.body.complete


def test_body_cut_short() -> None:
    for closed in (False, True):
        (response,) = responses(OK[:-4], closed=closed)
        assert (response.body.bytes, response.body.complete) == (15, False)


def test_interim_response_and_no_body_where_none_may_be() -> None:
    interim, unchanged, last = responses(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n" + OK
    )
    assert [interim.status, unchanged.status, last.status] == [100, 304, 200]
    assert unchanged.body.kind is BodyKind.EMPTY


def test_nothing_is_read_after_a_switch_of_protocol() -> None:
    upgrade = b"GET /websockify HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n"
    (request,) = requests(upgrade + b"\x81\x85mask")
    assert request.upgrade == "websocket"
    (response,) = responses(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x82\x7eRFB 003.008\n")
    assert (response.status, response.upgrade) == (101, "websocket")


def test_bodies_are_told_by_kind_and_digest() -> None:
    def body(data: bytes) -> Any:
        (response,) = responses(b"HTTP/1.0 200 OK\r\n\r\n" + data, closed=True)
        return response.body

    assert body(b"").kind is BodyKind.EMPTY
    assert body(b"").digest is None
    assert body(b"saved_password").kind is BodyKind.SAVED_PASSWORD
    assert body(b"bad_request\n").kind is BodyKind.BAD_REQUEST
    assert body(b"HTTP/1.0 400 Bad Request\r\nServer: x\r\n\r\nbad_request").kind is BodyKind.BAD_REQUEST
    assert body(b"xK9#mother").kind is BodyKind.TEXT
    assert body(b"  <!DOCTYPE html>").kind is BodyKind.HTML
    assert body(b"\x1f\x8b\x08\0\xff").kind is BodyKind.OTHER
    assert body(b"one").digest == body(b"one").digest != body(b"two").digest
    assert "xK9#mother" not in repr(body(b"xK9#mother"))


# What h11 refuses and servers in the field do all the same.
@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\nDocumentType: text/plain\n\nword\n",  # line ends of the socat password server
        b"HTTP/1.1 200  OK\r\nBad header line\r\nDocumentType: text/plain\r\n\r\nword\n",
        b"HTTP/1.0 200\r\nDocumentType : text/plain\r\n\r\nword\n",
    ],
)
def test_lenient_responses(data: bytes) -> None:
    (response,) = responses(data, closed=True)
    assert (response.status, response.document_type, response.body.bytes) == (200, "text/plain", 5)


def test_lenient_requests() -> None:
    no_host = b"GET / HTTP/1.1\r\nUser-Agent: Wget/1\r\nDomU_Request:send_my_password\r\n\r\n"
    space = b"GET /a b HTTP/1.0\r\n folded\r\nX: 1\r\n\tmore\r\n\r\n"
    body = b"POST / HTTP/1.1\nContent-Length: 3\n\nabc"
    first, second, third = requests(no_host + space + body)
    assert (first.domu_request, first.domu_spelled, first.host) == ("send_my_password", "DomU_Request", None)
    assert second.target == "/a b"
    assert third.body.bytes == 3


def test_any_spelling_of_the_password_header() -> None:
    for spelled in ("DomU_Request", "domu_request", "DOMU_REQUEST", "VM_Request"):
        (request,) = requests(f"GET / HTTP/1.0\r\n{spelled}:  saved_password \r\n\r\n".encode())
        assert (request.domu_request, request.domu_spelled) == ("saved_password", spelled)


def test_requests_to_a_proxy() -> None:
    (request,) = requests(b"GET http://user:pw@10.1.1.1:8080/x?token=t HTTP/1.1\r\nHost: a\r\n\r\n")
    assert request.proxied
    assert (request.target, request.path) == ("http://***@10.1.1.1:8080/x?token=***", "/x")
    (tunnel,) = requests(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n\x16\x03\x01")
    assert tunnel.proxied


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/?Password=a&b=c", "/?Password=***&b=c"),
        ("/resource/noVNC/vnc.html?port=8080&token=abc%20def#x", "/resource/noVNC/vnc.html?port=8080&token=***#x"),
        ("/api?apiKey=A&signature=B&command=listHosts", "/api?apiKey=***&signature=***&command=listHosts"),
        ("https://u:p@h/", "https://***@h/"),
        ("/a/keyring?name=x", "/a/keyring?name=x"),
        ("/a;jsessionid=1?token=&key=k&monkey=m", "/a;jsessionid=***?token=&key=***&monkey=m"),
    ],
)
def test_secrets_are_masked(target: str, expected: str) -> None:
    assert masked(target) == expected


@pytest.mark.parametrize(
    "data", [b"", b"\x16\x03\x01\0\x05hello", b"PASS hunter2\r\nPASV\r\n", b"SSH-2.0-x\r\n", b"HTT", b"GE", b"\r\n\r\n"]
)
def test_other_protocols_are_left_alone(data: bytes) -> None:
    assert survives(read, data) == []


def test_head_cut_at_every_byte() -> None:
    for data, known_from in ((GET, 4), (OK, 5)):
        end = data.index(b"\r\n\r\n") + 4
        for length in range(known_from, end):
            with pytest.raises(Truncated):
                list(read(Cursor(data[:length])))
            with pytest.raises(Malformed):
                list(read(Cursor(data[:length], closed=True)))
        for length in range(end, len(data)):
            (message,) = read(Cursor(data[:length]))
            assert not message.body.complete


@pytest.mark.parametrize(
    "data",
    [
        GET + b"what is this",
        CHUNKED.replace(b"1;x", b"ZZ"),
        b"HTTP/1.1 what\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 12_000,
    ],
)
def test_broken_messages_are_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        list(read(Cursor(data)))


def test_exchange() -> None:
    first, second = exchanges((">", GET), ("<", CHUNKED), (">", POST), ("<", OK))
    assert (first.client, first.server, first.port) == (CLIENT, SERVER, 80)
    assert (first.ended, first.wait_ns) == (Ended.ANSWERED, SECOND)
    assert first.request_acked
    assert first.response_acked
    assert second.request.number == 3
    assert second.response is not None
    assert second.response.number == 4


def test_exchange_skips_interim_responses() -> None:
    (exchange,) = exchanges((">", POST), ("<", b"HTTP/1.1 100 Continue\r\n\r\n"), ("<", OK))
    assert exchange.response is not None
    assert exchange.response.message.status == 200


def test_head_is_answered_by_a_head() -> None:
    head = OK[: OK.index(b"<html>")]
    first, second = exchanges((">", b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), ("<", head), (">", GET), ("<", OK))
    assert (first.ended, second.ended) == (Ended.ANSWERED, Ended.ANSWERED)
    (alone,) = exchanges((">", b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), ("<", head))
    assert alone.ended is Ended.ANSWERED


BY_CLIENT: dict[str, Any] = {"client": {"fin": 1, "fin_ns": 9 * SECOND, "fin_frame": 9}, "client_end": End.FIN}
BY_SERVER: dict[str, Any] = {"server": {"fin": 1, "fin_ns": 9 * SECOND, "fin_frame": 9}, "server_end": End.FIN}
RESET: dict[str, Any] = {
    "server": {"rst": 1, "rst_ns": 9 * SECOND, "rst_frame": 9},
    "server_end": End.RST,
    "client_end": End.RST,
}


@pytest.mark.parametrize(
    ("answer", "ends", "ended"),
    [
        (b"", {}, Ended.OPEN),
        (b"", BY_SERVER, Ended.CLOSED),
        (b"", RESET, Ended.RESET),
        (b"", BY_CLIENT, Ended.ABANDONED),
        (b"", {**BY_SERVER, "server_end": End.GAP}, Ended.OPEN),
        (OK[:-3], {}, Ended.PARTIAL),
        (OK[:-3], {**BY_SERVER, "server_end": End.CUT}, Ended.PARTIAL),
        (OK[:-3], BY_SERVER, Ended.SHORT),
        (OK[:-3], RESET, Ended.SHORT),
        (OK, BY_SERVER, Ended.ANSWERED),
        (UNTIL_CLOSE, BY_SERVER, Ended.ANSWERED),
    ],
)
def test_how_it_ended(answer: bytes, ends: dict[str, Any], ended: Ended) -> None:
    (exchange,) = exchanges((">", GET), ("<", answer), **ends)
    assert exchange.ended is ended


def test_answer_to_a_request_before_the_capture_is_passed_over() -> None:
    (exchange,) = exchanges(("<", CHUNKED), (">", GET), ("<", OK), began=False)
    assert exchange.response is not None
    assert exchange.response.number == 3


def test_answer_may_come_first_where_the_beginning_was_seen() -> None:
    """The socat password server writes its status line before it has read anything."""
    (exchange,) = exchanges(("<", UNTIL_CLOSE), (">", GET), **BY_SERVER)
    assert exchange.ended is Ended.ANSWERED


@given(mutated(GET, POST, OK, CHUNKED, UNTIL_CLOSE, GET + POST, CHUNKED + OK))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /?" + b"token" * 12_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /?" + b"token=a&" * 7_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET " + b" " * 60_000 + b"HTTP/1.1x\r\n\r\n",
        b"GET " + b"a " * 30_000 + b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200" + b" \t" * 30_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX:" + b" a" * 30_000 + b"\x01\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 10_000,
        b"GET / HTTP/1.0\r\n\r\n" * 3_000,
        b"GET /\n" * 10_000,
        b"\r\n" * 30_000 + b"GET / HTTP/1.0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A:b\n" * 15_000 + b"\n",
    ],
)
def test_no_stream_takes_long(data: bytes) -> None:
    begun = time.perf_counter()
    survives(read, data)
    assert time.perf_counter() - begun < 6  # of four readings; none takes a second


@given(st.binary(max_size=300), st.sampled_from([b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 "]))
def test_hostile_heads(data: bytes, begin: bytes) -> None:
    survives(read, begin + data)
