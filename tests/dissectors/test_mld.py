import pytest
from hypothesis import given

from dissectors.mld import MldQuery, MldReport, read
from pcapdx.dissect import Cursor
from tests.dissectors.feeding import assert_cuts, mutated, survives

GROUP = "ff05000000000000000000000000 0065"
QUERY = bytes.fromhex("82 00 0000 2710 0000") + bytes(16)
QUERY_2 = bytes.fromhex(f"82 00 0000 9000 0000 {GROUP} 027d 0001 fd000000000000000000000000000001")
REPORT = bytes.fromhex(f"83 00 0000 0000 0000 {GROUP}")
DONE = bytes.fromhex(f"84 00 0000 0000 0000 {GROUP}")
REPORT_2 = bytes.fromhex(f"8f 00 0000 0000 0002 04 00 0000 {GROUP} 03 01 0000 {GROUP} deadbeef")


def test_general_query() -> None:
    (message,) = read(Cursor(QUERY, wire_bytes=len(QUERY)))
    assert message == MldQuery(version=1, group="::", response_ms=10_000)
    assert message.label == "Multicast Listener Query v1, general"


def test_query_for_a_group_and_source() -> None:
    (message,) = read(Cursor(QUERY_2, wire_bytes=len(QUERY_2)))
    assert message == MldQuery(version=2, group="ff05::65", response_ms=65_536, sources=("fd00::1",))
    assert not message.general


@pytest.mark.parametrize(("data", "joined"), [(REPORT, ("ff05::65",)), (DONE, ())])
def test_version_1(data: bytes, joined: tuple[str, ...]) -> None:
    (message,) = read(Cursor(data))
    assert isinstance(message, MldReport)
    assert (message.version, message.joined) == (1, joined)


def test_records() -> None:
    (message,) = read(Cursor(REPORT_2))
    assert message.label == "Multicast Listener Report v2: join ff05::65, leave ff05::65"


def test_other_icmpv6_is_left_alone() -> None:
    assert list(read(Cursor(bytes.fromhex("8000 0000 0001 0002")))) == []


def test_cut_at_every_byte() -> None:
    assert_cuts(read, REPORT_2)
    assert_cuts(read, REPORT)
    assert_cuts(read, QUERY)


@given(mutated(QUERY, QUERY_2, REPORT, DONE, REPORT_2))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
