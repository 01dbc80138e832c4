from typing import Any

from hypothesis import given

from dissectors.arp import Arp, pair, read
from pcapdx.dissect import Cursor, Seen, Traffic
from tests.dissectors.feeding import assert_cuts, mutated, seen, survives

ASKER, OWNER, OTHER = "52:54:00:12:34:56", "52:54:00:ab:cd:ef", "52:54:00:00:00:99"
REQUEST = bytes.fromhex("0001 0800 06 04 0001 525400123456 0a010107 000000000000 0a010101")
REPLY = bytes.fromhex("0001 0800 06 04 0002 525400abcdef 0a010101 525400123456 0a010107")
PROBE = bytes.fromhex("0001 0800 06 04 0001 525400123456 00000000 000000000000 0a010107")
ANNOUNCEMENT = bytes.fromhex("0001 0800 06 04 0001 525400123456 0a010107 000000000000 0a010107")


def arp(data: bytes) -> Arp:
    (message,) = read(Cursor(data))
    return message


def asked(number: int, at_s: float, data: bytes = REQUEST, **columns: Any) -> Seen[Arp]:
    return seen(arp(data), number, at_s, **columns)


def test_request_and_reply() -> None:
    request = arp(REQUEST)
    assert (request.op, request.sender_mac, request.sender_ip) == (1, ASKER, "10.1.1.7")
    assert (request.target_mac, request.target_ip) == ("00:00:00:00:00:00", "10.1.1.1")
    assert request.request
    assert not (request.reply or request.gratuitous or request.probe or request.announcement)
    assert arp(REPLY).reply


def test_padding_is_left_alone() -> None:
    assert arp(REQUEST + bytes(18)) == arp(REQUEST)


def test_probe_and_announcement() -> None:
    assert arp(PROBE).probe
    assert not arp(PROBE).gratuitous
    assert arp(ANNOUNCEMENT).announcement
    assert arp(ANNOUNCEMENT).gratuitous
    gratuitous_reply = arp(bytes.fromhex("0001 0800 06 04 0002 525400123456 0a010107 ffffffffffff 0a010107"))
    assert gratuitous_reply.gratuitous
    assert not gratuitous_reply.announcement


def test_snap_header_is_passed_over() -> None:
    assert arp(bytes.fromhex("aaaa03 000000 0806") + REQUEST) == arp(REQUEST)
    assert list(read(Cursor(bytes.fromhex("aaaa03 00000c 2000") + bytes(40)))) == []


def test_other_hardware_has_no_mac() -> None:
    infiniband = arp(bytes.fromhex("0020 0800 14 04 0001") + bytes(20) + b"\x0a\0\0\1" + bytes(20) + b"\x0a\0\0\2")
    assert infiniband.sender_mac is None
    assert (infiniband.sender_ip, infiniband.target_ip) == ("10.0.0.1", "10.0.0.2")


def test_cut_at_every_byte() -> None:
    assert_cuts(read, REQUEST)


def test_requests_until_the_reply_are_one_exchange() -> None:
    first, second = pair(
        Traffic(seen=(asked(1, 0), asked(2, 1), asked(3, 1.1, REPLY), asked(4, 1.2, REPLY), asked(5, 30)))
    )
    assert [one.number for one in first.requests] == [1, 2]
    assert [one.number for one in first.replies] == [3, 4]
    assert (first.asker_mac, first.asker_ip, first.target_ip, first.vlan) == (ASKER, "10.1.1.7", "10.1.1.1", 0)
    assert first.answered
    assert not second.answered


def test_a_reply_in_another_vlan_answers_nothing() -> None:
    (exchange,) = pair(Traffic(seen=(asked(1, 0, vlan=101), asked(2, 0.1, REPLY, vlan=102))))
    assert exchange.vlan == 101
    assert not exchange.answered


def test_a_probe_that_is_answered_shows_the_conflict() -> None:
    reply = bytes.fromhex("0001 0800 06 04 0002 525400000099 0a010107 525400123456 00000000")
    (exchange,) = pair(Traffic(seen=(asked(1, 0, PROBE), asked(2, 0.1, reply))))
    assert exchange.asker_ip == "0.0.0.0"
    assert exchange.replies[0].message.sender_mac == OTHER


def test_gratuitous_arp_is_no_question() -> None:
    assert list(pair(Traffic(seen=(asked(1, 0, ANNOUNCEMENT),)))) == []


@given(mutated(REQUEST, REPLY))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
