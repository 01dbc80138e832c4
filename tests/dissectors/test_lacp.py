import pytest
from hypothesis import given

from dissectors.lacp import Lacp, LacpEnd, read
from pcapdx.dissect import Cursor, Malformed
from tests.dissectors.feeding import assert_cuts, mutated, survives

ACTOR = bytes.fromhex("0114 8000 525400000001 000d 00ff 0003 3d 000000")
PARTNER = bytes.fromhex("0214 7fff 001b0c000001 0021 8000 0107 3f 000000")
NOBODY = bytes.fromhex("0214 0000 000000000000 0000 0000 0000 02 000000")
UNIT = bytes.fromhex("01 01") + ACTOR + PARTNER
LONELY = bytes.fromhex("01 01") + ACTOR[:-4] + bytes.fromhex("45 000000") + NOBODY
COLLECTOR = bytes.fromhex("0310 8000") + bytes(12) + bytes(52)


def test_both_ends() -> None:
    (message,) = read(Cursor(UNIT + COLLECTOR))
    actor = LacpEnd(system="52:54:00:00:00:01", system_priority=32768, key=13, port=3, port_priority=255, state=0x3D)
    partner = LacpEnd(
        system="00:1b:0c:00:00:01", system_priority=0x7FFF, key=33, port=263, port_priority=32768, state=0x3F
    )
    assert message == Lacp(version=1, actor=actor, partner=partner)
    assert actor.in_sync
    assert partner.known
    assert partner.state_words == (
        "active",
        "short timeout",
        "aggregatable",
        "in sync",
        "collecting",
        "distributing",
    )
    assert message.label == (
        "52:54:00:00:00:01 key 13 with 00:1b:0c:00:00:01: active, aggregatable, in sync, collecting, distributing"
    )


def test_no_partner() -> None:
    (message,) = read(Cursor(LONELY))
    assert not message.partner.known
    assert not message.actor.in_sync
    assert message.actor.state_words == ("active", "aggregatable", "defaulted")
    assert "with nobody" in message.label


@pytest.mark.parametrize("subtype", ["02", "03", "0a"])
def test_markers_and_other_slow_protocols_are_left_alone(subtype: str) -> None:
    assert list(read(Cursor(bytes.fromhex(subtype) + UNIT[1:]))) == []


def test_ends_out_of_order_are_malformed() -> None:
    with pytest.raises(Malformed, match="TLV 2 of 20 bytes in place of the actor"):
        list(read(Cursor(UNIT[:2] + PARTNER + ACTOR)))


def test_cut_at_every_byte() -> None:
    assert_cuts(read, UNIT)


@given(mutated(UNIT, LONELY))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
