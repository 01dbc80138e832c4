import pytest
from hypothesis import given

from dissectors.igmp import GroupRecord, IgmpQuery, IgmpReport, read
from pcapdx.dissect import Cursor
from tests.dissectors.feeding import assert_cuts, mutated, survives

QUERY_1 = bytes.fromhex("11 00 eeff 00000000")
QUERY_2 = bytes.fromhex("11 64 ee9b 00000000")
QUERY_3 = bytes.fromhex("11 9a 0000 ef000065 027d 0001 0a000001")
REPORT_1 = bytes.fromhex("12 00 0000 ef000065")
REPORT_2 = bytes.fromhex("16 00 0000 ef000065")
LEAVE = bytes.fromhex("17 00 0000 ef000065")
REPORT_3 = bytes.fromhex(
    "22 00 0000 0000 0003 04 00 0000 ef000065 03 01 0000 ef000066 deadbeef 01 00 0001 ef000067 0a000001"
)


@pytest.mark.parametrize(
    ("data", "version", "response_ms"),
    [(QUERY_1, 1, 10_000), (QUERY_2, 2, 10_000)],
)
def test_general_query(data: bytes, version: int, response_ms: int) -> None:
    (message,) = read(Cursor(data, wire_bytes=len(data)))
    assert message == IgmpQuery(version=version, group="0.0.0.0", response_ms=response_ms)
    assert message.general
    assert message.label == f"Membership Query v{version}, general"


def test_query_for_a_group_and_source() -> None:
    (message,) = read(Cursor(QUERY_3, wire_bytes=len(QUERY_3)))
    assert message == IgmpQuery(version=3, group="239.0.0.101", response_ms=41_600, sources=("10.0.0.1",))
    assert message.label == "Membership Query v3, for 239.0.0.101"


@pytest.mark.parametrize(("data", "version"), [(REPORT_1, 1), (REPORT_2, 2)])
def test_one_group(data: bytes, version: int) -> None:
    (message,) = read(Cursor(data))
    assert message == IgmpReport(version=version, records=(GroupRecord(type=2, group="239.0.0.101"),))
    assert message.joined == ("239.0.0.101",)


def test_leave() -> None:
    (message,) = read(Cursor(LEAVE))
    assert isinstance(message, IgmpReport)
    assert (message.version, message.joined) == (2, ())
    assert message.label == "Membership Report v2: leave 239.0.0.101"


def test_records() -> None:
    (message,) = read(Cursor(REPORT_3))
    assert isinstance(message, IgmpReport)
    assert message.joined == ("239.0.0.101", "239.0.0.103")
    assert message.label == "Membership Report v3: join 239.0.0.101, leave 239.0.0.102, join 239.0.0.103"


def test_other_types_are_left_alone() -> None:
    assert list(read(Cursor(bytes.fromhex("13 00 0000 00000000")))) == []


def test_cut_at_every_byte() -> None:
    assert_cuts(read, REPORT_3)
    assert_cuts(read, REPORT_2)
    assert_cuts(read, QUERY_2)


@given(mutated(QUERY_1, QUERY_2, QUERY_3, REPORT_2, LEAVE, REPORT_3))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
