import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given

from dissectors.ntp import NtpAnswer, read
from pcapdx.dissect import Cursor
from tests.dissectors.feeding import assert_cuts, mutated, survives

MOMENT = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())
SINCE_1900 = 2_208_988_800


def answer(
    *, first: int = 0x24, stratum: int = 2, seconds: int = MOMENT + SINCE_1900, fraction: int = 1 << 31
) -> bytes:
    return bytes([first, stratum, 6, 0xE9]) + bytes(36) + struct.pack(">II", seconds & 0xFFFFFFFF, fraction)


ANSWER = answer()


def test_answer() -> None:
    (found,) = read(Cursor(ANSWER))
    assert found == NtpAnswer(leap=0, version=4, stratum=2, transmit_ns=MOMENT * 10**9 + 5 * 10**8)
    assert found.synchronised
    assert found.label == "NTP version 4, server, stratum 2"


def test_the_next_era() -> None:
    later = int(datetime(2037, 1, 1, tzinfo=UTC).timestamp())
    (found,) = read(Cursor(answer(seconds=later + SINCE_1900, fraction=0)))
    assert found.transmit_ns == later * 10**9


@pytest.mark.parametrize("data", [answer(first=0xE4), answer(stratum=0), answer(stratum=16)])
def test_not_synchronised(data: bytes) -> None:
    (found,) = read(Cursor(data))
    assert not found.synchronised


def test_no_time() -> None:
    (found,) = read(Cursor(answer(seconds=0, fraction=0)))
    assert found.transmit_ns is None


def test_questions_are_passed_over() -> None:
    assert survives(read, answer(first=0x23)) == []


def test_cut_at_every_byte() -> None:
    assert_cuts(read, ANSWER)


@given(mutated(ANSWER))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
