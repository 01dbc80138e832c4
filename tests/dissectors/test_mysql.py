import struct
from typing import Any

import pytest
from hypothesis import given

from dissectors.mysql import MysqlGreeting, MysqlLogin, MysqlResult, MysqlSession, pair, read
from pcapdx.dissect import Cursor, Traffic, Truncated
from tests.dissectors.feeding import mutated, survives, talk

PROOF = bytes(range(1, 21))


def packet(sequence: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([sequence]) + body


GREETING = packet(
    0, b"\x0a10.11.6-MariaDB\0" + struct.pack("<I", 42) + b"saltsalt\0" + struct.pack("<H", 0xF7FE) + bytes(24)
)
HEAD = struct.pack("<IIB", 0x8820A, 1 << 24, 45) + bytes(23)
LOGIN = packet(1, HEAD + b"cloud\0" + bytes([len(PROOF)]) + PROOF + b"cloud\0")
ASKS_TLS = packet(1, struct.pack("<IIB", 0x88A0A, 1 << 24, 45) + bytes(23))
NOT_ALLOWED = packet(0, b"\xff" + struct.pack("<H", 1130) + b"Host '10.1.1.7' is not allowed")
DENIED = packet(2, b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied for user 'cloud'")
OK = packet(2, b"\0\0\0\2\0\0\0")
SWITCH = packet(2, b"\xfemysql_native_password\0" + PROOF)


def session(*said: tuple[str, bytes]) -> MysqlSession:
    (found,) = pair(Traffic(conversations=(talk(read, said, 3306),)))
    return found


def test_login() -> None:
    found = session(("<", GREETING), (">", LOGIN), ("<", OK))
    assert found.greeting is not None
    assert found.login is not None
    assert found.result is not None
    assert found.greeting.message == MysqlGreeting(version="10.11.6-MariaDB", thread=42, tls=False)
    assert found.login.message == MysqlLogin(user="cloud", database="cloud", tls=False)
    assert found.result.message.code == 0


def test_error_in_place_of_the_greeting() -> None:
    found = session(("<", NOT_ALLOWED))
    assert found.result is not None
    assert found.result.message == MysqlResult(
        code=1130, text="Host '10.1.1.7' is not allowed", in_place_of_greeting=True
    )
    assert (found.greeting, found.login) == (None, None)


def test_access_denied_after_another_way_to_prove() -> None:
    denied = packet(4, DENIED[4:])
    found = session(("<", GREETING), (">", LOGIN), ("<", SWITCH), (">", packet(3, PROOF)), ("<", denied))
    assert found.result is not None
    assert (found.result.message.code, found.result.message.in_place_of_greeting) == (1045, False)
    assert found.result.message.text == "Access denied for user 'cloud'"


def test_tls_hides_the_rest() -> None:
    hello = b"\x16\x03\x01\x00\x50" + bytes(80)
    found = session(("<", GREETING), (">", ASKS_TLS + hello), ("<", hello))
    assert found.login is not None
    assert found.login.message == MysqlLogin(user=None, database=None, tls=True)
    assert found.result is None


def test_the_proof_is_never_kept() -> None:
    (message,) = read(Cursor(LOGIN))
    fields: dict[str, Any] = {name: getattr(message, name) for name in message.__slots__}
    assert fields == {"user": "cloud", "database": "cloud", "tls": False}


def test_labels() -> None:
    labels = [one.label for data in (GREETING, LOGIN, ASKS_TLS, NOT_ALLOWED) for one in read(Cursor(data))]
    assert labels == ["greeting, 10.11.6-MariaDB", "login of cloud", "asks for TLS", "error 1130"]
    assert MysqlResult(code=0, text="", in_place_of_greeting=False).label == "logged in"


def test_other_protocols_are_left_alone() -> None:
    for other in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"\x16\x03\x01\x00\x05hello",
        packet(0, b"\x03select"),
    ):
        assert survives(read, other) == []


def test_the_text_of_an_error_may_be_cut() -> None:
    (error,) = read(Cursor(NOT_ALLOWED[:7]))
    assert error == MysqlResult(code=1130, text="", in_place_of_greeting=True)


@pytest.mark.parametrize("data", [GREETING, LOGIN, NOT_ALLOWED[:7]])
def test_cut(data: bytes) -> None:
    for length in range(1, len(data)):
        if length < 3 or length > 36:
            with pytest.raises(Truncated):
                list(read(Cursor(data[:length])))
        else:
            survives(read, data[:length])


@given(mutated(GREETING + OK, LOGIN, NOT_ALLOWED, GREETING + SWITCH + DENIED, ASKS_TLS))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
