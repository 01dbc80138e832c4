from typing import Any

import pytest
from hypothesis import given

from dissectors.http import read
from dissectors.metadata import (
    Ended,
    MetadataAnswer,
    MetadataExchange,
    MetadataKind,
    MetadataRequest,
    classify,
    pair,
    refine,
)
from pcapdx.dissect import Cursor, Traffic
from tests.dissectors.feeding import CLIENT, SERVER, mutated, seen, survives, talk

SECRET = "#cloud-config\npassword: hunter2\n"


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: data-server.\r\nUser-Agent: Cloud-Init/23.1\r\n\r\n".encode()


def ok(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nServer: Apache/2.4\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def refined(data: bytes) -> list[MetadataRequest | MetadataAnswer]:
    """The one HTTP message in ``data``, on port 80."""
    (message,) = read(Cursor(data))
    return list(refine(seen(message, sport=80, dport=80)))


def exchanges(*said: tuple[str, bytes], **ends: Any) -> list[MetadataExchange]:
    return list(pair(Traffic(conversations=(talk(read, said, 80, refine=refine, **ends),))))


@pytest.mark.parametrize(
    ("path", "kind", "key"),
    [
        ("/latest/meta-data/instance-id", MetadataKind.MANDATORY, "instance-id"),
        ("/latest/instance-id", MetadataKind.MANDATORY, "instance-id"),
        ("/latest/meta-data/local-ipv4/", MetadataKind.MANDATORY, "local-ipv4"),
        ("/latest/meta-data/public-keys", MetadataKind.OPTIONAL, "public-keys"),
        ("/latest/meta-data/cloud-identifier", MetadataKind.OPTIONAL, "cloud-identifier"),
        ("/latest/user-data", MetadataKind.USER_DATA, "user-data"),
        ("/latest/user-data/", MetadataKind.USER_DATA, "user-data"),
        ("/latest/meta-data/", MetadataKind.LISTING, "meta-data/"),
        ("/latest/meta-data", MetadataKind.LISTING, "meta-data/"),
        ("/latest/", MetadataKind.LISTING, "meta-data/"),
        ("/latest/api/token", MetadataKind.OTHER_CLOUD, None),
        ("/latest/dynamic/instance-identity/document", MetadataKind.OTHER_CLOUD, None),
        ("/2009-04-04/meta-data/instance-id", MetadataKind.OTHER_CLOUD, None),
        ("/openstack/latest/meta_data.json", MetadataKind.OTHER_CLOUD, None),
        ("/computemetadata/v1/", MetadataKind.OTHER_CLOUD, None),
        ("/metadata/instance", MetadataKind.OTHER_CLOUD, None),
        ("/", MetadataKind.NONE, None),
        ("/latestnews", MetadataKind.NONE, None),
        ("/client/", MetadataKind.NONE, None),
    ],
)
def test_paths(path: str, kind: MetadataKind, key: str | None) -> None:
    assert classify(path) == (kind, key)


def test_request_and_answer() -> None:
    (request,) = refined(get("/Latest/Meta-Data/instance-id?x=1"))
    assert isinstance(request, MetadataRequest)
    assert (request.kind, request.key) == (MetadataKind.MANDATORY, "instance-id")
    assert (request.path, request.host) == ("/latest/meta-data/instance-id", "data-server.")
    assert request.user_agent == "Cloud-Init/23.1"
    (answer,) = refined(ok("i-2-15-VM"))
    assert isinstance(answer, MetadataAnswer)
    assert (answer.status, answer.servers, answer.body_bytes, answer.content_length) == (200, ("Apache/2.4",), 9, 9)
    assert answer.complete
    assert answer.text == "i-2-15-VM"


def test_request_through_a_proxy_is_the_same_request() -> None:
    (request,) = refined(get("http://10.1.1.1/latest/user-data"))
    assert isinstance(request, MetadataRequest)
    assert request.kind is MetadataKind.USER_DATA


@pytest.mark.parametrize("body", ["10.1.1.7", "0c5d6c7e-9a3b-4d61-9a55-0123456789ab", "i-2-15-VM\n"])
def test_short_texts_that_say_whose_data_it_is_are_kept(body: str) -> None:
    (exchange,) = exchanges((">", get("/latest/instance-id")), ("<", ok(body)))
    assert exchange.answer is not None
    assert exchange.answer.message.text == body.strip()


@pytest.mark.parametrize("body", [SECRET, "ssh-rsa AAAA", "hunter2", ""])
def test_anything_else_is_not(body: str) -> None:
    (exchange,) = exchanges((">", get("/latest/user-data")), ("<", ok(body)))
    assert exchange.answer is not None
    assert exchange.answer.message.text is None
    assert not body or body not in repr(exchange)


def test_text_is_dropped_where_the_key_is_another() -> None:
    (exchange,) = exchanges((">", get("/latest/user-data")), ("<", ok("10.1.1.7")))
    assert exchange.answer is not None
    assert exchange.answer.message.text is None


def test_crawl_on_one_connection() -> None:
    first, second, third = exchanges(
        (">", get("/latest/meta-data/")),
        ("<", ok("instance-id\nlocal-ipv4\n")),
        (">", get("/favicon.ico")),
        ("<", ok("", "404 Not Found")),
        (">", get("/latest/user-data")),
        ("<", ok("", "404 Not Found")),
        (">", get("/openstack")),
    )
    assert (first.client, first.server, first.port, first.ended) == (CLIENT, SERVER, 80, Ended.ANSWERED)
    assert second.request.message.key == "user-data"
    assert second.answer is not None
    assert (second.answer.number, second.answer.message.status) == (6, 404)
    assert (third.request.message.kind, third.ended) == (MetadataKind.OTHER_CLOUD, Ended.OPEN)


def test_other_ports_are_no_routers() -> None:
    assert (
        list(pair(Traffic(conversations=(talk(read, [(">", get("/latest/user-data"))], 8080, refine=refine),)))) == []
    )


@given(mutated(get("/latest/user-data"), ok("10.1.1.7"), ok(SECRET)))
def test_hostile_bytes(data: bytes) -> None:
    for message in survives(read, data):
        list(refine(seen(message, sport=80, dport=80)))


def test_the_answer_to_head_has_no_body() -> None:
    head = get("/latest/user-data").replace(b"GET", b"HEAD", 1)
    (exchange,) = exchanges((">", head), ("<", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"))
    assert exchange.ended is Ended.ANSWERED
