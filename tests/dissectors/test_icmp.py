from typing import Any

import pytest
from hypothesis import given

from dissectors.icmp import Icmp, Quoted, pair, read
from pcapdx.dissect import Cursor, Malformed, Traffic, Truncated
from tests.dissectors.feeding import assert_cuts, frame, mutated, seen, survives

IP4 = frame(src="10.0.0.1", dst="10.0.0.2")
IP6 = frame(src="fe80::1", dst="fe80::2")
ECHO = bytes.fromhex("0800 d1f2 1234 0007")
QUOTED_TCP = bytes.fromhex("4500 05dc 0001 4000 4006 0000 0a000001 0a000002 c000 1f90 00000000")
TOO_BIG = bytes.fromhex("0304 0000 0000 0578") + QUOTED_TCP
PORT_UNREACHABLE = bytes.fromhex(
    "0303 0000 00000000 4500 0148 0000 0000 4011 0000 0a000001 0a000002 0044 0043 0134 0000"
)
QUOTED_ECHO = bytes.fromhex("0301 0000 00000000 4500 0054 0000 0000 4001 0000 0a000001 0a000002") + ECHO
TOO_BIG_6 = (
    bytes.fromhex("0200 0000 00000500 60000000 0400 06 40")
    + bytes.fromhex("20010db8" + "00" * 11 + "01" + "20010db8" + "00" * 11 + "02")
    + bytes.fromhex("c000 01bb 00000000")
)


def icmp(data: bytes, version: int = 4) -> Icmp:
    (message,) = read(Cursor(data, wire_bytes=len(data), frame=IP4 if version == 4 else IP6))
    return message


def test_echo() -> None:
    message = icmp(ECHO)
    assert (message.type, message.code, message.identifier, message.sequence) == (8, 0, 0x1234, 7)
    assert message.echo_request
    assert icmp(b"\x00" + ECHO[1:]).echo_reply
    assert icmp(b"\x80" + ECHO[1:], 6).echo_request
    assert icmp(b"\x81" + ECHO[1:], 6).echo_reply


def test_fragmentation_needed() -> None:
    message = icmp(TOO_BIG)
    assert message.fragmentation_needed
    assert message.mtu == 1400
    assert message.quoted == Quoted(
        src="10.0.0.1", dst="10.0.0.2", protocol=6, wire_bytes=1500, sport=0xC000, dport=8080
    )


def test_packet_too_big() -> None:
    message = icmp(TOO_BIG_6, 6)
    assert message.fragmentation_needed
    assert message.mtu == 1280
    assert message.quoted is not None
    assert (message.quoted.src, message.quoted.dst, message.quoted.dport) == ("2001:db8::1", "2001:db8::2", 443)
    assert message.quoted.wire_bytes == 1064


def test_unreachables() -> None:
    refused = icmp(PORT_UNREACHABLE)
    assert refused.port_unreachable
    assert refused.unreachable
    assert not refused.prohibited
    assert refused.quoted is not None
    assert (refused.quoted.sport, refused.quoted.dport) == (68, 67)
    assert icmp(b"\x03\x0d" + PORT_UNREACHABLE[2:]).prohibited
    assert icmp(b"\x01\x01" + TOO_BIG_6[2:], 6).prohibited
    assert icmp(b"\x01\x04" + TOO_BIG_6[2:], 6).port_unreachable


def test_redirect_names_the_gateway() -> None:
    assert icmp(bytes.fromhex("0501 0000 0a0000fe") + QUOTED_TCP).gateway == "10.0.0.254"


def test_a_quote_may_end_anywhere() -> None:
    for length in range(8, len(TOO_BIG)):
        quoted = icmp(TOO_BIG[:length]).quoted
        assert (quoted is None) == (length < 28)
        assert quoted is None or (quoted.dport is None) == (length < 32)


def test_quoted_fragment_has_no_ports() -> None:
    later = bytearray(TOO_BIG)
    later[14:16] = b"\x00\xb9"
    quoted = icmp(bytes(later)).quoted
    assert quoted is not None
    assert quoted.dport is None


def test_cut_at_every_byte() -> None:
    assert_cuts(read, ECHO, IP4)
    for length in range(8):
        with pytest.raises(Truncated):
            list(read(Cursor(TOO_BIG[:length], wire_bytes=len(TOO_BIG), frame=IP4)))
        with pytest.raises(Malformed):
            list(read(Cursor(TOO_BIG[:length], wire_bytes=length, frame=IP4)))


def test_later_fragment_is_left_alone() -> None:
    assert list(read(Cursor(ECHO, frame=IP4.replaced(fragment_offset=1480)))) == []


def test_ping_exchange() -> None:
    there: dict[str, Any] = {"src": "10.0.0.1", "dst": "10.0.0.2"}
    back: dict[str, Any] = {"src": "10.0.0.2", "dst": "10.0.0.1"}
    second = Icmp(version=4, type=8, code=0, identifier=0x1234, sequence=8)
    (exchange,) = pair(
        Traffic(
            seen=(
                seen(icmp(ECHO), 1, 0, vlan=7, **there),
                seen(icmp(b"\x00" + ECHO[1:]), 2, 0.1, vlan=7, **back),
                seen(second, 3, 1, vlan=7, **there),
                seen(icmp(QUOTED_ECHO), 4, 2, vlan=7, src="10.0.0.254", dst="10.0.0.1"),
            )
        )
    )
    assert (exchange.vlan, exchange.src, exchange.dst, exchange.identifier) == (7, "10.0.0.1", "10.0.0.2", 0x1234)
    assert [one.number for one in exchange.unanswered] == [3]
    assert [one.number for one in exchange.replies] == [2]
    assert [one.number for one in exchange.errors] == [4]


def test_of_a_long_ping_only_answered_requests_count_beyond_the_first_few() -> None:
    there: dict[str, Any] = {"src": "10.0.0.1", "dst": "10.0.0.2"}
    back: dict[str, Any] = {"src": "10.0.0.2", "dst": "10.0.0.1"}
    asked = [Icmp(version=4, type=8, code=0, identifier=1, sequence=number) for number in range(1, 21)]
    answer = Icmp(version=4, type=0, code=0, identifier=1, sequence=15)
    requests = [seen(one, number, number, **there) for number, one in enumerate(asked, 1)]
    (exchange,) = pair(Traffic(seen=(*requests, seen(answer, 30, 30, **back))))
    assert [one.number for one in exchange.requests] == [1, 2, 3, 4, 5, 6, 7, 8, 15]
    assert len(exchange.unanswered) == 8


@given(mutated(ECHO, TOO_BIG, PORT_UNREACHABLE, TOO_BIG_6, QUOTED_ECHO))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data, IP4)
    survives(read, data, IP6)
