from typing import Any

import pytest
from hypothesis import given

from dissectors.http import read
from dissectors.password_server import (
    AnswerKind,
    Ended,
    Generation,
    PasswordAnswer,
    PasswordExchange,
    PasswordKind,
    PasswordRequest,
    pair,
    refine,
)
from pcapdx.dissect import Cursor, End, Traffic
from tests.dissectors.feeding import CLIENT, SECOND, SERVER, mutated, seen, survives, talk

PASSWORD = b"xK9#mother"
HEADERS = (
    b"HTTP/1.0 200 OK\r\nServer: CloudStack Password Server 4.x\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
    b"content-type: text/plain\r\nServer: CloudStack Password Server\r\n\r\n"
)
SOCAT = b"HTTP/1.0 200 OK\nDocumentType: text/plain\n\n"
TOMCAT = b"HTTP/1.1 200 OK\r\nServer: Apache-Coyote/1.1\r\nContent-Length: 13\r\n\r\n<html></html>"
CLOSED: dict[str, Any] = {"server": {"fin": 1, "fin_ns": 9 * SECOND, "fin_frame": 9}, "server_end": End.FIN}


def ask(value: str = "send_my_password", agent: str = "Wget/1.21", target: str = "/") -> bytes:
    header = f"DomU_Request: {value}\r\n" if value else ""
    return f"GET {target} HTTP/1.1\r\nHost: 10.1.1.1:8080\r\nUser-Agent: {agent}\r\n{header}\r\n".encode()


def request(data: bytes) -> PasswordRequest:
    (message,) = read(Cursor(data))
    (found,) = refine(seen(message, dport=8080))
    assert isinstance(found, PasswordRequest)
    return found


def answer(data: bytes) -> PasswordAnswer:
    (message,) = read(Cursor(data, closed=True))
    (found,) = refine(seen(message, sport=8080))
    assert isinstance(found, PasswordAnswer)
    return found


def exchanges(*said: tuple[str, bytes], port: int = 8080, **ends: Any) -> list[PasswordExchange]:
    return list(pair(Traffic(conversations=(talk(read, said, port, refine=refine, **ends),))))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("send_my_password", PasswordKind.SEND),
        ("saved_password", PasswordKind.SAVED),
        ("save_password", PasswordKind.SAVE),
        ("give_me", PasswordKind.OTHER),
        ("", PasswordKind.NONE),
    ],
)
def test_requests(value: str, kind: PasswordKind) -> None:
    found = request(ask(value))
    assert found.kind is kind
    assert (found.spelled is None) == (not value)
    assert found.wget
    assert (found.method, found.target, found.host, found.proxied) == ("GET", "/", "10.1.1.1:8080", False)


def test_request_through_a_proxy() -> None:
    assert request(ask(target="http://10.1.1.1:8080/")).proxied


@pytest.mark.parametrize(
    ("data", "generation", "kind"),
    [
        (HEADERS + PASSWORD, Generation.PYTHON, AnswerKind.PASSWORD),
        (HEADERS + b"saved_password", Generation.PYTHON, AnswerKind.SAVED_PASSWORD),
        (HEADERS + b"bad_request", Generation.PYTHON3, AnswerKind.BAD_REQUEST),
        (
            HEADERS + b"HTTP/1.0 400 Bad Request\r\nDate: x\r\n\r\nbad_request",
            Generation.PYTHON2,
            AnswerKind.BAD_REQUEST,
        ),
        (HEADERS, Generation.PYTHON, AnswerKind.EMPTY),
        (SOCAT + PASSWORD + b"\n", Generation.SOCAT, AnswerKind.PASSWORD),
        (SOCAT + b"saved_password\n", Generation.SOCAT, AnswerKind.SAVED_PASSWORD),
        (TOMCAT, Generation.FOREIGN, AnswerKind.HTML),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found", Generation.FOREIGN, AnswerKind.OTHER),
        (HEADERS + b"two\nlines", Generation.PYTHON, AnswerKind.OTHER),
        (HEADERS + b"\x00\x01\xff", Generation.PYTHON, AnswerKind.OTHER),
    ],
)
def test_answers(data: bytes, generation: Generation, kind: AnswerKind) -> None:
    found = answer(data)
    assert (found.generation, found.kind, found.complete) == (generation, kind, True)


def test_password_is_nowhere_in_what_is_kept() -> None:
    found = answer(HEADERS + PASSWORD)
    assert found.body_bytes == len(PASSWORD)
    assert PASSWORD.decode() not in repr(found)
    assert found.digest == answer(HEADERS + PASSWORD).digest
    assert found.digest != answer(HEADERS + b"another").digest


def test_delivery_and_acknowledgement() -> None:
    (delivery,) = exchanges((">", ask()), ("<", HEADERS), ("<", PASSWORD), **CLOSED)
    assert (delivery.client, delivery.server, delivery.port) == (CLIENT, SERVER, 8080)
    assert delivery.ended is Ended.ANSWERED
    assert delivery.delivered
    assert delivery.answer is not None
    assert delivery.answer.number == 3
    (saved,) = exchanges((">", ask("saved_password")), ("<", HEADERS + b"saved_password"), **CLOSED)
    assert saved.request.message.kind is PasswordKind.SAVED
    assert not saved.delivered


def test_delivered_means_acknowledged_by_tcp() -> None:
    said = ((">", ask()), ("<", HEADERS + PASSWORD))
    lost = {**CLOSED, "server": {**CLOSED["server"], "acked_bytes": 5}}
    (delivery,) = exchanges(*said, **lost)
    assert not delivery.acked
    assert not delivery.delivered


def test_closed_without_a_byte() -> None:
    (exchange,) = exchanges((">", ask()), **CLOSED)
    assert exchange.ended is Ended.CLOSED
    assert exchange.answer is None


def test_web_application_on_the_same_port_is_no_password_server() -> None:
    assert exchanges((">", ask("", agent="Mozilla/5.0", target="/client/")), ("<", TOMCAT)) == []


def test_foreign_server_asked_for_a_password_is_told() -> None:
    (exchange,) = exchanges((">", ask()), ("<", TOMCAT))
    assert exchange.answer is not None
    assert exchange.answer.message.generation is Generation.FOREIGN
    (bare_wget,) = exchanges((">", ask("")), ("<", TOMCAT))
    assert bare_wget.request.message.kind is PasswordKind.NONE


def test_a_password_servers_answer_counts_whatever_was_asked() -> None:
    (exchange,) = exchanges((">", ask("", agent="curl/8", target="/x")), ("<", HEADERS + b"bad_request"), **CLOSED)
    assert exchange.answer is not None
    assert exchange.answer.message.kind is AnswerKind.BAD_REQUEST


def test_other_ports_only_where_it_is_a_password_server_beyond_doubt() -> None:
    (found,) = exchanges((">", ask()), ("<", HEADERS + PASSWORD), port=18080, **CLOSED)
    assert found.delivered
    assert exchanges((">", ask()), ("<", TOMCAT), port=18080) == []
    assert exchanges((">", ask("")), ("<", TOMCAT), port=18080) == []


@given(mutated(ask(), HEADERS + PASSWORD, SOCAT + PASSWORD, TOMCAT))
def test_hostile_bytes(data: bytes) -> None:
    for message in survives(read, data):
        list(refine(seen(message, sport=8080, dport=8080)))
