import pytest
from hypothesis import given

from dissectors.vrrp import Vrrp, read
from pcapdx.dissect import Cursor, Malformed
from tests.dissectors.feeding import assert_cuts, frame, mutated, survives

IP4 = frame(src="10.1.1.2", dst="224.0.0.18", ip_protocol=112)
IP6 = frame(src="fe80::1", dst="ff02::12", ip_protocol=112, eth_src="00:00:5e:00:02:07")
IN_AH = frame(src="10.1.1.2", dst="224.0.0.18", ip_protocol=51)
PASSWORD = bytes.fromhex("21 33 64 01 01 01 1234 0a010101 574f5244 00000000")
VERSION_3 = bytes.fromhex("31 07 c8 01 0064 1234 fe800000000000000000000000000011")
HIDDEN = bytes.fromhex("70 04 0000 00000001 00000001") + bytes(12) + bytes.fromhex("21 33 64 01 02 01 0000 0a010101")
CARP = bytes.fromhex("21 01 00 07 01 01 1234") + bytes(28)


def test_version_2_with_a_password() -> None:
    (message,) = read(Cursor(PASSWORD, wire_bytes=len(PASSWORD), frame=IP4))
    assert message == Vrrp(
        version=2,
        vrid=51,
        priority=100,
        addresses=("10.1.1.1",),
        interval_ms=1000,
        authentication=1,
        ip_version=4,
        virtual_mac=False,
    )
    assert message.label == "Announcement (v2) vrid 51 priority 100 10.1.1.1"
    assert "WORD" not in repr(message)


def test_version_3_over_ipv6() -> None:
    (message,) = read(Cursor(VERSION_3, wire_bytes=len(VERSION_3), frame=IP6))
    assert (message.addresses, message.interval_ms, message.authentication) == (("fe80::11",), 1000, None)
    assert message.virtual_mac
    assert not message.resigns


def test_in_an_authentication_header() -> None:
    (message,) = read(Cursor(HIDDEN, wire_bytes=len(HIDDEN), frame=IN_AH))
    assert (message.vrid, message.authentication) == (51, 2)
    assert list(read(Cursor(b"\x06" + HIDDEN[1:], wire_bytes=len(HIDDEN), frame=IN_AH))) == []


def test_the_master_gives_up() -> None:
    (message,) = read(Cursor(PASSWORD[:2] + b"\0" + PASSWORD[3:], frame=IP4))
    assert message.resigns


def test_carp_is_left_alone() -> None:
    assert list(read(Cursor(CARP, wire_bytes=len(CARP), frame=IP4))) == []


def test_another_version_is_malformed() -> None:
    with pytest.raises(Malformed):
        list(read(Cursor(b"\x41" + PASSWORD[1:], frame=IP4)))


def test_cut_at_every_byte() -> None:
    assert_cuts(read, PASSWORD[:12], IP4)
    assert_cuts(read, VERSION_3, IP6)
    assert_cuts(read, HIDDEN, IN_AH)


@pytest.mark.parametrize("in_frame", [IP4, IP6, IN_AH, None], ids=["4", "6", "ah", "none"])
@given(data=mutated(PASSWORD, VERSION_3, HIDDEN, CARP))
def test_hostile_bytes(data: bytes, in_frame: object) -> None:
    survives(read, data, in_frame)  # type: ignore[arg-type] # parametrize knows no types
