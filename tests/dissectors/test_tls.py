import ssl
import struct
from typing import Any

import pytest
from hypothesis import given

from dissectors.tls import (
    Alert,
    CertificateChain,
    ClientHello,
    EncryptedRecord,
    HandshakeMessage,
    NotTls,
    Party,
    PlainKind,
    Reaction,
    ServerHello,
    TlsHandshake,
    pair,
    read,
)
from dissectors.tls.certificate import parse
from pcapdx.dissect import Cursor, End, Malformed, Traffic, Truncated
from tests.dissectors.feeding import CLIENT, SECOND, SERVER, mutated, survives, talk
from tests.dissectors.handshakes import NAMES, NOT_AFTER, NOT_BEFORE, Talk, at_ns, chain, handshake, issue

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
TLS12, TLS13 = handshake(V12), handshake(V13)
REJECTED12 = handshake(V12, trusts=issue("Another Root", ca=True))
RESET: dict[str, Any] = {
    "client": {"rst": 1, "rst_ns": 9 * SECOND, "rst_frame": 9},
    "client_end": End.RST,
    "server_end": End.RST,
}
CLOSED: dict[str, Any] = {"server": {"fin": 1, "fin_ns": 9 * SECOND, "fin_frame": 9}, "server_end": End.FIN}


def side(flights: Talk, way: str) -> bytes:
    return b"".join(data for who, data in flights if who == way)


def messages(flights: Talk, way: str) -> list[Any]:
    return list(read(Cursor(side(flights, way))))


def joined(flights: Talk, **ends: Any) -> TlsHandshake:
    (found,) = pair(Traffic(conversations=(talk(read, flights, 443, **ends),)))
    return found


def record(kind: int, payload: bytes, version: int = 0x0303) -> bytes:
    return struct.pack(">BHH", kind, version, len(payload)) + payload


def test_client_hello() -> None:
    hello = messages(TLS12, ">")[0]
    assert isinstance(hello, ClientHello)
    assert (hello.record_version, hello.legacy_version, hello.max_version) == (0x0301, 0x0303, 0x0303)
    assert hello.sni == "1-2-3-4.console.example.com"
    assert hello.alpn == ("h2", "http/1.1")
    assert 0xC02C in hello.ciphers
    assert not (hello.psk or hello.sslv2 or hello.encrypted_hello)
    newer = messages(TLS13, ">")[0]
    assert (newer.legacy_version, newer.supported_versions, newer.max_version) == (0x0303, (0x0304,), 0x0304)
    assert messages(handshake(V12, sni=None), ">")[0].sni is None


def test_grease_is_no_version() -> None:
    hello = messages(TLS13, ">")[0]
    greased = ClientHello(
        **{**{name: getattr(hello, name) for name in hello.__slots__}, "supported_versions": (0x7A7A, 0x0303)}
    )
    assert greased.max_version == 0x0303


def test_server_hello() -> None:
    hello = messages(TLS12, "<")[0]
    assert isinstance(hello, ServerHello)
    assert (hello.version, hello.alpn, hello.retry, hello.psk) == (0x0303, "http/1.1", False, False)
    newer = messages(TLS13, "<")[0]
    assert (newer.legacy_version, newer.version, newer.cipher, newer.alpn) == (0x0303, 0x0304, 0x1302, None)


def test_certificates() -> None:
    sent = messages(TLS12, "<")[1]
    assert isinstance(sent, CertificateChain)
    leaf, intermediate = sent.certificates
    issued, _, root = chain()
    assert sent.leaf == leaf
    assert (leaf.subject_cn, leaf.issuer_cn) == (("console",), ("Example Intermediate",))
    assert (leaf.subject, leaf.issuer) == ("CN=console", "CN=Example Intermediate")
    assert (leaf.san_dns, leaf.san_ip) == (NAMES, ("203.0.113.9",))
    assert (leaf.not_before_ns, leaf.not_after_ns) == (at_ns(NOT_BEFORE), at_ns(NOT_AFTER))
    assert (leaf.serial, leaf.bytes, sent.sizes[0]) == (0x1234, len(issued.der), len(issued.der))
    assert leaf.issuer_key == intermediate.subject_key
    assert not (leaf.self_issued or leaf.self_signed or leaf.ca)
    assert intermediate.ca
    own = parse(root.der)
    assert own is not None
    assert own.self_signed
    assert own.self_issued
    assert own.subject_key == intermediate.issuer_key


def test_self_issued_is_not_self_signed() -> None:
    """The same name as its issuer, but not its key: a renewed root that the old one signed."""
    old = issue("Example Root", ca=True)
    renewed = parse(issue("Example Root", old, ca=True).der)
    assert renewed is not None
    assert renewed.self_issued
    assert not renewed.self_signed


def test_certificate_that_is_none() -> None:
    listed = struct.pack(">I", 5)[1:] + b"\x30\x03abc"
    body = struct.pack(">I", len(listed))[1:] + listed
    (sent,) = read(Cursor(record(22, b"\x0b" + struct.pack(">I", len(body))[1:] + body)))
    assert isinstance(sent, CertificateChain)
    assert (sent.certificates, sent.sizes, sent.unreadable, sent.leaf) == ((), (5,), 1, None)


def test_encrypted_records_are_told_by_size() -> None:
    sizes = [
        (one.content_type, one.bytes, one.index) for one in messages(TLS13, ">") if isinstance(one, EncryptedRecord)
    ]
    assert sizes[0] == (23, 69, 0)
    kinds = [one.content_type for one in messages(TLS12, ">") if isinstance(one, EncryptedRecord)]
    assert kinds == [22, 23]
    many = record(20, b"\1") + record(23, b"x" * 50) * 20
    assert [one.bytes for one in read(Cursor(many)) if isinstance(one, EncryptedRecord)] == [50, 50]


@pytest.mark.parametrize("step", [1, 2, 7, 100])
def test_handshake_messages_over_any_split_of_records(step: int) -> None:
    stream = side(TLS12, "<")
    handshake_bytes = b""
    at = 0
    while stream[at] == 22:
        length = int.from_bytes(stream[at + 3 : at + 5], "big")
        handshake_bytes += stream[at + 5 : at + 5 + length]
        at += 5 + length
    split = b"".join(
        record(22, handshake_bytes[begin : begin + step]) for begin in range(0, len(handshake_bytes), step)
    )
    assert list(read(Cursor(split + stream[at:]))) == messages(TLS12, "<")


def test_alerts() -> None:
    plain, encrypted, _ = read(Cursor(record(21, b"\2\x30") + record(20, b"\1") + record(21, bytes(26))))
    assert plain == Alert(level=2, description=48, encrypted=False)
    assert (plain.name, plain.harmless) == ("unknown_ca", False)
    assert encrypted == Alert(level=None, description=None, encrypted=True)
    assert encrypted.name is None
    assert Alert(level=1, description=0, encrypted=False).harmless
    assert Alert(level=2, description=200, encrypted=False).name == "200"


def test_sslv2_hello_is_recognised() -> None:
    body = b"\x01\x03\x01" + struct.pack(">3H", 6, 0, 16) + b"\x00\x00\x2f\x07\x00\xc0" + bytes(16)
    (hello,) = read(Cursor(struct.pack(">H", 0x8000 | len(body)) + body))
    assert isinstance(hello, ClientHello)
    assert hello.sslv2
    assert (hello.legacy_version, hello.ciphers, hello.sni) == (0x0301, (0x2F,), None)


def test_hello_after_a_retry_is_plain_although_change_cipher_came_first() -> None:
    first = side(TLS13, ">")
    hello = first[: 5 + int.from_bytes(first[3:5], "big")]
    kinds = [type(one) for one in read(Cursor(hello + record(20, b"\1") + hello))]
    assert kinds == [ClientHello, ClientHello]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"GET / HTTP/1.1\r\n", PlainKind.HTTP_REQUEST),
        (b"HTTP/1.1 400 Bad Request\r\n", PlainKind.HTTP_RESPONSE),
        (b"SSH-2.0-OpenSSH_9\r\n", PlainKind.SSH),
        (b"RFB 003.008\n", PlainKind.RFB),
    ],
)
def test_known_plain_protocols(data: bytes, kind: PlainKind) -> None:
    assert list(read(Cursor(data))) == [NotTls(kind=kind)]


@pytest.mark.parametrize("data", [b"", b"hello", b"\x16\x02\0\0\0", b"\x80\x01\x05"])
def test_anything_else_is_left_alone(data: bytes) -> None:
    assert survives(read, data) == []


def test_cut_at_every_byte() -> None:
    for stream in (side(TLS12, "<"), side(TLS13, ">")):
        whole = list(read(Cursor(stream)))
        ends = {0, *(at for at in _record_ends(stream))}
        for length in range(1, len(stream)):
            for closed, problem in ((False, Truncated), (True, Malformed)):
                found: list[Any] = []
                try:
                    found.extend(read(Cursor(stream[:length], closed=closed)))
                    assert length in ends or isinstance(whole[-1], EncryptedRecord)
                except problem:
                    assert length not in ends
                assert found == whole[: len(found)]


def _record_ends(stream: bytes) -> list[int]:
    ends, at = [], 0
    while at < len(stream):
        at += 5 + int.from_bytes(stream[at + 3 : at + 5], "big")
        ends.append(at)
    return ends


@pytest.mark.parametrize(
    "data",
    [
        record(22, b"\x01\xff\xff\xff"),
        record(23, b"x") + b"\x99" * 5,
        struct.pack(">BHH", 22, 0x0303, 16_641),
        record(22, b"\x0b\x00\x00\x04\x00\x00\x09x"),
    ],
)
def test_broken_records_are_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        list(read(Cursor(data)))


# --- handshakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("flights", "version"), [(TLS12, 0x0303), (TLS13, 0x0304)])
def test_handshake_that_works(flights: Talk, version: int) -> None:
    found = joined(flights, **CLOSED)
    assert (found.client, found.server, found.port) == (CLIENT, SERVER, 443)
    assert (found.version, found.sni) == (version, "1-2-3-4.console.example.com")
    assert found.reaction is Reaction.ACCEPTED
    assert found.reaction_frame == 3
    assert found.completed is True
    assert not found.resumed
    assert (found.chain is None) == (version == 0x0304)
    assert (found.ended_by, found.ended_how) == (Party.SERVER, End.FIN)
    assert (found.client_alerts, found.server_alerts, found.client_plain) == ((), (), None)


def test_client_that_rejects_the_certificate() -> None:
    found = joined(REJECTED12, **RESET)
    assert found.reaction is Reaction.REJECTED
    assert found.completed is False
    assert [one.message.description for one in found.client_alerts] == [48]
    assert (found.ended_by, found.ended_how) == (Party.CLIENT, End.RST)


def test_encrypted_alert_of_tls_1_3_is_read_by_its_size() -> None:
    flights = [*TLS13[:2], (">", record(20, b"\1") + record(23, bytes(19)))]
    assert joined(flights, **RESET).reaction is Reaction.REJECTED
    assert joined(flights).reaction is Reaction.UNKNOWN
    padded = [*TLS13[:2], (">", record(23, bytes(35)))]
    assert joined(padded, **RESET).reaction is Reaction.UNKNOWN
    assert joined(padded, **RESET).completed is None
    more = [*TLS13[:2], (">", record(23, bytes(19)) + record(23, bytes(40)))]
    assert joined(more, **RESET).reaction is Reaction.UNKNOWN


def test_server_that_says_nothing_to_the_hello() -> None:
    found = joined(TLS12[:1], **CLOSED)
    assert found.server_hello is None
    assert found.completed is False
    assert joined(TLS12[:1]).completed is None
    assert joined(TLS12[:1], **{**CLOSED, "server_end": End.GAP}).completed is None


def test_server_alert() -> None:
    found = joined([TLS12[0], ("<", record(21, b"\2\x28"))], **CLOSED)
    assert [one.message.name for one in found.server_alerts] == ["handshake_failure"]
    assert (found.completed, found.reaction) == (False, Reaction.UNKNOWN)


def test_a_warning_ends_no_handshake() -> None:
    flights = [TLS12[0], ("<", record(21, b"\1\x70") + TLS12[1][1]), *TLS12[2:]]
    assert joined(flights).completed is True


def test_resumed_session_shows_no_certificate() -> None:
    server = side(TLS12, "<")
    hello = server[: 5 + int.from_bytes(server[3:5], "big")]
    hello = record(22, hello[5 : 9 + int.from_bytes(hello[6:9], "big")])
    flights = [
        TLS12[0],
        ("<", hello + record(20, b"\1") + record(22, bytes(40))),
        (">", record(20, b"\1") + record(22, bytes(40))),
    ]
    found = joined(flights)
    assert found.resumed
    assert found.completed is True


def test_plain_http_on_the_port() -> None:
    found = joined([TLS12[0], ("<", b"HTTP/1.1 400 Bad Request\r\n\r\n")])
    assert found.server_plain is not None
    assert found.server_plain.message.kind is PlainKind.HTTP_RESPONSE
    assert found.completed is False
    plain = joined([(">", b"GET / HTTP/1.1\r\n\r\n")])
    assert plain.client_plain is not None
    assert plain.client_hello is None


def test_middle_of_a_connection_is_no_handshake() -> None:
    conversation = talk(read, [(">", record(23, bytes(100))), ("<", record(23, bytes(100)))], 443, began=False)
    assert list(pair(Traffic(conversations=(conversation,)))) == []


def test_sides_are_told_by_the_hellos() -> None:
    swapped = [("<" if way == ">" else ">", data) for way, data in TLS12]
    found = joined(swapped, began=False)
    assert (found.client, found.server) == (SERVER, CLIENT)
    assert found.reaction is Reaction.ACCEPTED


def test_other_handshake_messages_are_told() -> None:
    assert [one.type for one in messages(TLS12, "<") if isinstance(one, HandshakeMessage)][:2] == [12, 14]


@given(mutated(side(TLS12, "<"), side(TLS12, ">"), side(TLS13, ">"), side(TLS13, "<"), side(REJECTED12, ">")))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
    list(pair(Traffic(conversations=(talk(read, [(">", data), ("<", data)], 443, **CLOSED),))))


@given(mutated(chain()[0].der, chain()[2].der))
def test_hostile_certificates(data: bytes) -> None:
    parse(data)
