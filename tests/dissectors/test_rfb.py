import struct
from typing import Any

import pytest
from hypothesis import given

from dissectors.rfb import RfbSession, Security, pair, read
from pcapdx.dissect import Cursor, Traffic, Truncated
from tests.dissectors.feeding import CLIENT, SERVER, mutated, survives, talk

VERSION = b"RFB 003.008\n"
OLD = b"RFB 003.003\n"
CHALLENGE = bytes(range(16))
OK, FAILED = struct.pack(">I", 0), struct.pack(">I", 1)
BY_PASSWORD = VERSION + b"\x01\x02" + CHALLENGE + FAILED + b"\0\0\0\x05wrong"


def session(*said: tuple[str, bytes]) -> RfbSession:
    """Version lines both ways, then what is said."""
    greeted = (("<", VERSION), (">", VERSION), *said)
    (found,) = pair(Traffic(conversations=(talk(read, greeted, 5901),)))
    return found


@pytest.mark.parametrize(("result", "expected"), [(OK, 0), (FAILED, 1)])
def test_password(result: bytes, expected: int) -> None:
    found = session(("<", b"\x02\x01\x02"), (">", b"\x02"), ("<", CHALLENGE), (">", CHALLENGE), ("<", result))
    assert (found.client, found.server, found.port) == (CLIENT, SERVER, 5901)
    assert (found.offered, found.chosen, found.result) == ((1, 2), Security.VNC, expected)
    assert not found.refused


def test_without_security() -> None:
    found = session(("<", b"\x01\x01"), (">", b"\x01"), ("<", OK))
    assert (found.offered, found.chosen, found.result) == ((1,), Security.NONE, 0)


def test_tls_hides_the_result() -> None:
    found = session(("<", b"\x01\x13"), (">", b"\x13"), ("<", b"\x00\x02" + bytes(20)))
    assert (found.chosen, found.result) == (Security.VENCRYPT, None)


def test_nothing_offered() -> None:
    found = session(("<", b"\x00\0\0\0\x04gone"))
    assert found.refused
    assert (found.offered, found.chosen, found.result) == ((), None, None)


def test_old_servers_decide_alone() -> None:
    said = (("<", OLD), (">", OLD), ("<", struct.pack(">I", 2)), ("<", CHALLENGE), (">", CHALLENGE), ("<", FAILED))
    (found,) = pair(Traffic(conversations=(talk(read, said, 5901),)))
    assert (found.offered, found.chosen, found.result) == ((2,), 2, 1)


def test_neither_challenge_nor_response_is_kept() -> None:
    (message,) = read(Cursor(BY_PASSWORD))
    fields: dict[str, Any] = {name: getattr(message, name) for name in message.__slots__}
    assert fields == {
        "version": "003.008",
        "first": 1,
        "types": (2,),
        "word": None,
        "result": None,
        "result_after_challenge": 1,
    }
    assert message.label == "RFB 003.008"


def test_other_protocols_are_left_alone() -> None:
    assert survives(read, b"RTSP/1.0 200 OK\r\n") == []


def test_cut_within_the_version() -> None:
    for length in range(4, len(VERSION)):
        with pytest.raises(Truncated):
            list(read(Cursor(VERSION[:length])))


@given(mutated(BY_PASSWORD, VERSION + b"\x00\0\0\0\x04gone", OLD + FAILED))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
