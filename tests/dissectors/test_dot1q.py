from hypothesis import given

from dissectors.dot1q import read
from pcapdx.dissect import Cursor
from pcapdx.frame import Tag
from tests.dissectors.feeding import assert_cuts, mutated, survives

QINQ = bytes.fromhex("88a8 3fe9 8100 6065 0800")
STACK_OF_40 = bytes.fromhex("8100 0001") * 40 + bytes.fromhex("0800")


def test_whole_stack_outermost_first() -> None:
    (message,) = read(Cursor(QINQ))
    assert message.tags == (Tag(0x88A8, 1, 1, 0xFE9), Tag(0x8100, 3, 0, 0x65))
    assert message.vlan_ids == (4073, 101)
    assert message.ethertype == 0x0800


def test_three_kinds_of_tag_and_a_length() -> None:
    (message,) = read(Cursor(bytes.fromhex("9100 0001 88a8 0002 8100 0000 0026")))
    assert message.vlan_ids == (1, 2, 0)
    assert message.ethertype == 0x26


def test_cut_at_every_byte() -> None:
    assert_cuts(read, QINQ)


def test_stack_without_end_is_malformed() -> None:
    assert survives(read, STACK_OF_40) == []
    (message,) = read(Cursor(STACK_OF_40[8 * 4 :]))
    assert len(message.tags) == 32


@given(mutated(QINQ, STACK_OF_40))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
