import struct
import time
from typing import Any

import pytest
from hypothesis import given

from dissectors.dns import Dns, Question, Section, name, pair, read
from pcapdx.dissect import Cursor, Malformed, Seen, Traffic, Truncated
from tests.dissectors.feeding import CLIENT, SERVER, assert_cuts, frame, mutated, seen, survives

DATAGRAM = frame(src=CLIENT, dst=SERVER, ip_protocol=17, sport=40_000, dport=53)
NAME = b"\x0bdata-server\x08cs2cloud\x08internal\0"
QUERY = bytes.fromhex("1a2b 0100 0001 0000 0000 0000") + NAME + bytes.fromhex("0001 0001")
ANSWER = (
    bytes.fromhex("1a2b 8580 0001 0003 0000 0001")
    + NAME
    + bytes.fromhex("0001 0001")
    + bytes.fromhex("c00c 0005 0001 0000003c 0004")
    + b"\x01r\xc0\x18"
    + bytes.fromhex("c03b 0001 0001 0000003c 0004 0a010101")
    + bytes.fromhex("c03b 001c 0001 0000003c 0010 20010db8000000000000000000000001")
    + bytes.fromhex("00 0029 1000 00000000 0000")
)
NXDOMAIN = bytes.fromhex("1a2b 8183 0001 0000 0000 0000") + NAME + bytes.fromhex("0001 0001")


def dns(data: bytes) -> Dns:
    (message,) = read(Cursor(data, wire_bytes=len(data), frame=DATAGRAM))
    return message


def said(data: bytes, number: int, at_s: float, port: int = 40_000, **columns: Any) -> Seen[Dns]:
    message = dns(data)
    if message.response:
        return seen(message, number, at_s, src=SERVER, dst=CLIENT, ip_protocol=17, sport=53, dport=port, **columns)
    return seen(message, number, at_s, src=CLIENT, dst=SERVER, ip_protocol=17, sport=port, dport=53, **columns)


def test_query() -> None:
    message = dns(QUERY)
    assert (message.id, message.response, message.opcode, message.rcode) == (0x1A2B, False, 0, 0)
    assert message.recursion_desired
    assert message.questions == (Question(name="data-server.cs2cloud.internal", type=1, cls=1),)
    assert (message.name, message.type) == ("data-server.cs2cloud.internal", 1)


def test_answer_with_compressed_names() -> None:
    message = dns(ANSWER)
    assert message.authoritative
    assert message.recursion_available
    assert [(one.name, one.value) for one in message.answers] == [
        ("data-server.cs2cloud.internal", "r.cs2cloud.internal"),
        ("r.cs2cloud.internal", "10.1.1.1"),
        ("r.cs2cloud.internal", "2001:db8::1"),
    ]
    assert message.addresses == ("10.1.1.1", "2001:db8::1")
    assert [(one.section, one.type) for one in message.records][-1] == (Section.ADDITIONAL, 41)


def test_stream_of_messages_with_lengths() -> None:
    stream = struct.pack(">H", len(QUERY)) + QUERY + struct.pack(">H", len(ANSWER)) + ANSWER
    cursor = Cursor(stream)
    reader = read(cursor)
    assert next(reader) == dns(QUERY)
    assert cursor.at == 2 + len(QUERY)
    assert next(reader) == dns(ANSWER)
    with pytest.raises(Truncated):
        list(read(Cursor(stream[:-1])))
    with pytest.raises(Malformed):
        list(read(Cursor(stream[:-1], closed=True)))


def test_cut_at_every_byte() -> None:
    assert_cuts(read, QUERY, DATAGRAM)
    assert_cuts(read, ANSWER, DATAGRAM)


@pytest.mark.parametrize(
    "wire",
    [
        b"\xc0\x00",  # to itself
        b"\x01a\xc0\x00",  # a loop with a label in it
        b"\xc0\x04\0\0\x01a\0",  # forward
        b"\x40",  # a label type nobody uses
        b"\x3f" + b"a" * 63 + (b"\x3f" + b"a" * 63) * 3 + b"\0",  # 257 bytes
    ],
)
def test_broken_names_are_malformed(wire: bytes) -> None:
    with pytest.raises(Malformed):
        name(Cursor(wire, closed=True))


def test_pointers_that_lead_to_pointers_are_followed_once() -> None:
    """A root label, then pointers each to the one before: all names at once take no longer than one."""
    chain = b"\0" + b"".join(struct.pack(">H", 0xC000 | max(0, at - 2)) for at in range(1, 16_000, 2))
    cursor, known = Cursor(chain, closed=True), dict[int, tuple[str, int]]()
    begun = time.perf_counter()
    cursor.at = len(chain) - 2
    assert name(cursor, 0, known) == ""
    cursor.at = 1
    while cursor.left:
        assert name(cursor, 0, known) == ""
    assert time.perf_counter() - begun < 1


def test_names_cannot_grow_by_remembered_pointers() -> None:
    """Each record's name is a label and a pointer to the name before: 255 bytes are the end of it."""
    body = b"\x3f" + b"a" * 63 + b"\0"
    at = [0]
    for _ in range(10):
        at.append(len(body))
        body += b"\x3f" + b"a" * 63 + struct.pack(">H", 0xC000 | at[-2])
    cursor, known = Cursor(body, closed=True), dict[int, tuple[str, int]]()
    read_names = []
    with pytest.raises(Malformed, match="longer than 255"):
        while cursor.left:
            read_names.append(name(cursor, 0, known))
    assert len(read_names) == 3
    assert max(map(len, read_names)) <= 255


def test_hostile_message_takes_time_in_proportion_to_its_bytes() -> None:
    owner = b"\x01a" * 60
    records = b"".join(struct.pack(">HHHIH", 0xC00C, 16, 1, 0, 0) for _ in range(5000))
    message = struct.pack(">6H", 1, 0x8000, 1, 5000, 0, 0) + owner + b"\0" + struct.pack(">HH", 1, 1) + records
    begun = time.perf_counter()
    assert len(dns(message).records) == 5000
    assert time.perf_counter() - begun < 1


def test_retries_and_the_answer_are_one_exchange() -> None:
    exchange, other = pair(
        Traffic(seen=(said(QUERY, 1, 0), said(QUERY, 2, 5), said(ANSWER, 3, 5.25), said(QUERY, 4, 9, port=40_001)))
    )
    assert [one.number for one in exchange.queries] == [1, 2]
    assert exchange.answer is not None
    assert exchange.answer.number == 3
    assert (exchange.client, exchange.server, exchange.transport) == (CLIENT, SERVER, "udp")
    assert (exchange.name, exchange.type, exchange.rcode) == ("data-server.cs2cloud.internal", 1, 0)
    assert exchange.addresses == ("10.1.1.1", "2001:db8::1")
    assert exchange.rtt_ns == 250_000_000
    assert other.answer is None
    assert other.rcode is None


def test_name_case_of_the_query_may_differ_from_the_answers() -> None:
    (exchange,) = pair(Traffic(seen=(said(QUERY.replace(b"data", b"DaTa"), 1, 0), said(NXDOMAIN, 2, 0.1))))
    assert exchange.rcode == 3


def test_answer_to_another_question_or_id_is_no_answer() -> None:
    other_id = b"\x1a\x2c" + NXDOMAIN[2:]
    other_name = NXDOMAIN.replace(b"data-server", b"dataXserver")
    (exchange,) = pair(Traffic(seen=(said(QUERY, 1, 0), said(other_id, 2, 0.1), said(other_name, 3, 0.2))))
    assert exchange.answer is None


def test_beyond_the_first_few_alike_only_answered_questions_count() -> None:
    """There the sample keeps queries and answers by clocks of their own, so a missing answer is no sign."""
    asked = [said(QUERY, number, number, port=40_000 + number) for number in range(1, 21)]
    answers = [said(ANSWER, 100 + number, number + 0.1, port=40_000 + number) for number in (3, 15)]
    exchanges = list(pair(Traffic(seen=tuple(sorted([*asked, *answers], key=lambda one: one.ts_ns)))))
    assert [one.queries[0].number for one in exchanges] == [1, 2, 3, 4, 15]
    assert [one.queries[0].number for one in exchanges if one.answer] == [3, 15]


def test_labels() -> None:
    assert dns(QUERY).label == "Standard query A data-server.cs2cloud.internal"
    assert dns(ANSWER).label == "Standard query response A data-server.cs2cloud.internal 10.1.1.1"
    assert dns(NXDOMAIN).label == "Standard query response A data-server.cs2cloud.internal NXDOMAIN"


@given(mutated(QUERY, ANSWER, NXDOMAIN))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data, DATAGRAM)
    survives(read, data)
