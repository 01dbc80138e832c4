"""TLS from 1.0 to 1.3 (RFC 2246 to RFC 8446), as far as it can be read without keys.

That is: both hellos, up to TLS 1.2 the certificates and alerts of the handshake, and after that how large the first
encrypted records are. ``messages`` says what is read, ``hello`` and ``certificate`` read it, ``handshake`` joins the
two directions.
"""

import re
from collections.abc import Iterator
from struct import Struct

from dissectors.tls.certificate import Certificate, parse
from dissectors.tls.handshake import Party, Reaction, TlsHandshake, pair
from dissectors.tls.hello import client_hello, server_hello, sslv2_hello
from dissectors.tls.messages import (
    Alert,
    CertificateChain,
    ClientHello,
    EncryptedRecord,
    HandshakeMessage,
    NotTls,
    PlainKind,
    ServerHello,
)
from pcapdx.dissect import Cursor, Dissector, Malformed

__all__ = [
    "DISSECTOR",
    "Alert",
    "Certificate",
    "CertificateChain",
    "ClientHello",
    "EncryptedRecord",
    "HandshakeMessage",
    "Message",
    "NotTls",
    "Party",
    "PlainKind",
    "Reaction",
    "ServerHello",
    "TlsHandshake",
    "pair",
]

Message = ClientHello | ServerHello | CertificateChain | Alert | HandshakeMessage | EncryptedRecord | NotTls

_CHANGE_CIPHER, _ALERT, _HANDSHAKE, _DATA, _HEARTBEAT = 20, 21, 22, 23, 24
_MAJOR_VERSION = 3
_HEADER = Struct(">BHH")
_RECORD_TYPES = frozenset({_CHANGE_CIPHER, _ALERT, _HANDSHAKE, _DATA, _HEARTBEAT})
_CLIENT_HELLO, _SERVER_HELLO, _CERTIFICATE = 1, 2, 11
_SSLV2_VERSIONS = frozenset({b"\x00\x02", b"\x03\x00", b"\x03\x01", b"\x03\x02", b"\x03\x03"})
_HANDSHAKE_HEADER = 4
_MOST_RECORD_BYTES = 16_640
_MOST_HANDSHAKE_BYTES = 131_072
_MOST_ENCRYPTED = 2
"""Encrypted records told of each direction: whether the first, a Finished or an alert by its size, was the last."""
_PLAIN = (
    (re.compile(rb"HTTP/1\.[01] "), PlainKind.HTTP_RESPONSE),
    (re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT) [^\s]"), PlainKind.HTTP_REQUEST),
    (re.compile(rb"SSH-[12]\."), PlainKind.SSH),
    (re.compile(rb"RFB \d{3}\.\d{3}\n"), PlainKind.RFB),
)


def read(cursor: Cursor) -> Iterator[Message]:
    """The readable messages of one direction; nothing where it begins like neither TLS nor a known plain protocol."""
    begin = cursor.peek(24)
    if begin and begin[0] in _RECORD_TYPES and begin[1:2] in (b"\x03", b""):
        yield from _records(cursor)
    elif len(begin) > 4 and begin[0] & 0x80 and begin[2] == _CLIENT_HELLO and begin[3:5] in _SSLV2_VERSIONS:
        record = cursor.sub(cursor.u16("SSL 2.0 record length") & 0x7FFF, "SSL 2.0 record")
        record.skip(1, "message type")
        yield sslv2_hello(record)
        yield from _records(cursor)
    else:
        for pattern, kind in _PLAIN:
            match = pattern.match(begin)
            if match is not None:
                cursor.skip(match.end(), "greeting")
                yield NotTls(kind=kind)


def _records(cursor: Cursor) -> Iterator[Message]:
    """Messages of one direction's records, until enough of the encrypted ones have been seen."""
    pending = b""
    encrypted = 0
    ciphered = False
    while cursor.left and encrypted < _MOST_ENCRYPTED:
        start = cursor.at
        header = cursor.take(_HEADER.size, "TLS record header")
        kind, version, length = _HEADER.unpack(header)
        if kind not in _RECORD_TYPES or header[1] != _MAJOR_VERSION or length > _MOST_RECORD_BYTES:
            raise Malformed("no TLS record", start)
        if kind == _DATA and encrypted and cursor.left < length:
            return  # how the handshake ended is known by now; that the last record is cut tells nothing
        begin = cursor.peek(_HANDSHAKE_HEADER)
        if kind == _HANDSHAKE and (not ciphered or _is_hello(begin, length)):
            pending += cursor.take(length, "TLS record")
            handshake = Cursor(pending)
            try:
                yield from _handshake_messages(handshake, version)
            except Malformed as error:
                raise Malformed(error.what, start) from None
            pending = handshake.rest()
            continue
        cursor.skip(length, "TLS record")
        if kind == _CHANGE_CIPHER:
            ciphered = True
        elif kind == _ALERT and length == 2:
            yield Alert(level=begin[0], description=begin[1], encrypted=False)
        elif kind != _HEARTBEAT:
            if kind == _ALERT:
                yield Alert(level=None, description=None, encrypted=True)
            yield EncryptedRecord(content_type=kind, bytes=length, index=encrypted)
            encrypted += 1
    if pending:
        cursor.take(cursor.left + 1, "handshake message")


def _is_hello(begin: bytes, length: int) -> bool:
    """A plain hello after ChangeCipherSpec: a hello retry has one in between, for the sake of middleboxes."""
    return begin[:1] in (b"\x01", b"\x02") and int.from_bytes(begin[1:4], "big") == length - _HANDSHAKE_HEADER


def _handshake_messages(cursor: Cursor, record_version: int) -> Iterator[Message]:
    """The whole messages at the cursor, which stays at the first that is not all there."""
    while cursor.left >= _HANDSHAKE_HEADER:
        header = cursor.peek(_HANDSHAKE_HEADER)
        kind, length = header[0], int.from_bytes(header[1:], "big")
        if length > _MOST_HANDSHAKE_BYTES:
            raise Malformed(f"handshake message of {length} bytes", cursor.at)
        if cursor.left < _HANDSHAKE_HEADER + length:
            return
        cursor.skip(_HANDSHAKE_HEADER, "handshake header")
        if kind == _CLIENT_HELLO:
            yield client_hello(cursor.sub(length, "client hello"), record_version)
        elif kind == _SERVER_HELLO:
            yield server_hello(cursor.sub(length, "server hello"), record_version)
        elif kind == _CERTIFICATE:
            yield _chain(cursor.sub(length, "certificate message"))
        else:
            cursor.skip(length, "handshake message")
            yield HandshakeMessage(type=kind, bytes=length)


def _chain(body: Cursor) -> CertificateChain:
    """RFC 5246, 7.4.2."""
    listed = body.sub(body.u24("certificates length"), "certificates")
    sizes: list[int] = []
    certificates: list[Certificate] = []
    while listed.left:
        der = listed.take(listed.u24("certificate length"), "certificate")
        sizes.append(len(der))
        certificate = parse(der)
        if certificate is not None:
            certificates.append(certificate)
    return CertificateChain(
        certificates=tuple(certificates), sizes=tuple(sizes), unreadable=len(sizes) - len(certificates)
    )


DISSECTOR = Dissector(
    name="tls",
    spec="RFC 8446 and RFC 5246",
    messages=(ClientHello, ServerHello, CertificateChain, Alert, HandshakeMessage, EncryptedRecord, NotTls),
    read=read,
    tcp_ports=frozenset({443, 8250, 8443}),
    tcp_starts=frozenset({b"\x16\x03"}),
    # A server's flight with a chain of six large certificates has half of it; what follows is encrypted.
    stream_bytes=16_384,
    tcp_late=frozenset({b"\x17\x03"}),
    pair=pair,
    exchanges=(TlsHandshake,),
    names=frozenset({"sni", "certificates.san_dns", "certificates.subject_cn", "certificates.issuer_cn"}),
)
