import struct

import pytest
from hypothesis import given

from dissectors.openflow import OpenFlow, OpenFlowSession, pair, read
from pcapdx.dissect import Cursor, Traffic, Truncated
from tests.dissectors.feeding import mutated, survives, talk


def message(version: int, kind: int, body: bytes = b"", xid: int = 3) -> bytes:
    return struct.pack(">BBHI", version, kind, 8 + len(body), xid) + body


BITMAP = struct.pack(">HHI", 1, 8, 1 << 6)
HELLO, OLD_HELLO = message(6, 0, BITMAP), message(4, 0)
FAILED = message(4, 1, struct.pack(">HH", 0, 0) + b"no common version")
FEATURES = message(4, 6, (0x1122334455667788).to_bytes(8, "big") + bytes(16))


def session(*said: tuple[str, bytes]) -> OpenFlowSession:
    (found,) = pair(Traffic(conversations=(talk(read, said, 6653),)))
    return found


def test_no_common_version() -> None:
    found = session((">", HELLO), ("<", OLD_HELLO), ("<", FAILED))
    assert found.failed is not None
    assert found.failed.message.hello_failed
    assert [one.message.versions for one in found.hellos] == [(6,), ()]
    assert found.features is None


def test_features() -> None:
    found = session((">", OLD_HELLO), ("<", OLD_HELLO), ("<", message(4, 5)), (">", FEATURES))
    assert found.features is not None
    assert found.features.message.datapath == 0x1122334455667788
    assert found.failed is None


def test_another_error_is_no_failed_hello() -> None:
    (_, error) = read(Cursor(OLD_HELLO + message(4, 1, struct.pack(">HH", 1, 5))))
    assert (error.error, error.hello_failed) == ((1, 5), False)


def test_labels() -> None:
    labels = [one.label for one in read(Cursor(OLD_HELLO + FAILED + message(4, 99)))]
    assert labels == ["OpenFlow 1.3 hello", "OpenFlow 1.3 error (0, 0)", "OpenFlow 1.3 type 99"]


def test_who_does_not_begin_with_a_hello_is_left_alone() -> None:
    assert survives(read, FEATURES) == []
    assert survives(read, b"GET / HTTP/1.1\r\n") == []


def test_what_an_error_quotes_may_be_cut() -> None:
    (_, error) = read(Cursor(OLD_HELLO + FAILED[:12]))
    assert error.hello_failed


@pytest.mark.parametrize("data", [HELLO, FAILED[:12], FEATURES])
def test_cut(data: bytes) -> None:
    for length in range(len(data)):
        cut = OLD_HELLO + data[:length]
        if length:
            with pytest.raises(Truncated):
                list(read(Cursor(cut)))
        else:
            assert list(read(Cursor(cut))) == [OpenFlow(version=4, type=0, xid=3)]


@given(mutated(HELLO + FAILED, OLD_HELLO + FEATURES))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
