"""Pseudonyms in TCP streams: a reader by how a stream begins or by its port, and words that are known in all of them.

What comes behind the part that any dissector reads is blanked by whoever calls; here it is what stands between.
Sources: RFC 8446 and 5246 (TLS), RFC 4253 (SSH), RFC 9112 (HTTP), RFC 7143 (iSCSI), MySQL's protocol documentation.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b

import numpy as np

from pcapdx.annotate.logins import Run
from pcapdx.anonymize.certificate import certificate
from pcapdx.anonymize.datagrams import RPC_BYTES, dns, machines
from pcapdx.anonymize.fields import fitted, named, words, zeros
from pcapdx.anonymize.packet import Change
from pcapdx.anonymize.pseudonyms import IPV4, Pseudonyms

_DNS_PORT, _MYSQL, _ISCSI = 53, 3306, 3260
_RPC_PORTS = frozenset({111, 2049, 20048})
_HANDSHAKE, _CHANGE_CIPHER = 22, 20
_HELLO, _CERTIFICATES, _REQUEST, _STATUS = 1, 11, 13, 22
_SERVER_NAME = 0
_KEY_REPLIES = frozenset({31, 33})
_LOGIN_PDUS = frozenset({0x03, 0x04, 0x23, 0x24})
_HTTP = re.compile(rb"(?:[A-Z]{3,16} [^\r\n]{1,8192} HTTP/1|HTTP/1\.\d \d{3})")
_BLANK = re.compile(rb"\r?\n\r?\n")
_HOST = re.compile(rb"^(?:host|x-forwarded-\w+|forwarded|x-real-ip):[ \t]*([^\s:;,]+)", re.IGNORECASE | re.MULTILINE)
_LOCATION = re.compile(rb"^[\w-]+:[ \t]*[a-z]+://([^\s/:?#]+)", re.IGNORECASE | re.MULTILINE)
_WHO = re.compile(rb"[?&\s;](?:user(?:name)?|login|account|email|domain)=([^&\s;#]+)", re.IGNORECASE)
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,12})", re.IGNORECASE | re.MULTILINE)
_NO_BODY = re.compile(rb"HTTP/1\.\d (?:1\d\d|204|304)")
_CHUNKED = re.compile(rb"^transfer-encoding:[^\r\n]*chunked", re.IGNORECASE | re.MULTILINE)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")
_TELLING = re.compile(
    rb"\s*(?:saved_password|bad_request|(?:HTTP/1\.[01] 400 [^\r\n]*\r?\n.*bad_request)"
    rb"|\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|i-\d{1,12}-\d{1,12}-vm)\s*",
    re.IGNORECASE | re.DOTALL,
)
"""Bodies that a diagnosis reads, and that name nobody once addresses are replaced."""
_PAGE = re.compile(rb"\s*<(?:!doctype[^>]{0,80}|html|head|body|\?xml[^>]{0,80})[\s>]?", re.IGNORECASE)
_READ = np.array([byte >= 0x80 or chr(byte).isalnum() for byte in range(256)])
"""By byte: it is part of words."""
_FIRST_LETTER = 0x61


def read(run: Run, port: int, told: Pseudonyms) -> Iterator[Change]:
    """The changes of contiguous bytes of one direction, offsets from its beginning; a later one goes over others."""
    data = run.data
    if len(data) > 5 and data[0] in (20, 21, 22, 23) and data[1] == 3:
        yield from _tls(data, told)
    elif data.startswith(b"SSH-"):
        yield from _ssh(data, told)
    elif port == _DNS_PORT:
        yield from _dns(data, told)
    elif _HTTP.match(data):
        yield from _http(data, told)
    else:
        yield from words(data, told)
        yield from machines(data, told)
        if run.first and port == _MYSQL:
            yield from _mysql(data, run.client)
        elif run.first and port == _ISCSI:
            yield from _iscsi(data)
        elif run.first and port in _RPC_PORTS:
            yield from _rpc(data)


def _dns(data: bytes, told: Pseudonyms) -> Iterator[Change]:
    at = 0
    while at + 2 < len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        yield from ((at + 2 + place, new) for place, new in dns(data[at + 2 : at + 2 + size], told))
        at += 2 + size


def _tls(data: bytes, told: Pseudonyms) -> Iterator[Change]:
    """Handshake messages, which records may cut anywhere, up to where encryption begins."""
    message = bytearray()
    pieces: list[tuple[int, int, int]] = []  # where in the messages, where in the stream, how long
    at = 0
    while at + 5 <= len(data) and data[at] in (20, 21, 22) and data[at] != _CHANGE_CIPHER:
        size = int.from_bytes(data[at + 3 : at + 5], "big")
        if data[at] == _HANDSHAKE:
            part = data[at + 5 : at + 5 + size]
            pieces.append((len(message), at + 5, len(part)))
            message += part
        at += 5 + size
    for begin, new in _handshake(bytes(message), told):
        for first, place, size in pieces:
            low, high = max(begin, first), min(begin + len(new), first + size)
            if low < high:
                yield place + low - first, new[low - begin : high - begin]


def _handshake(data: bytes, told: Pseudonyms) -> Iterator[Change]:
    at = 0
    while at + 4 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
        begin, end = at + 4, min(at + 4 + size, len(data))
        if kind == _HELLO:
            yield from _hello(data, begin, end, told)
        elif kind == _CERTIFICATES:
            place = begin + 3
            while place + 3 <= end:
                length = int.from_bytes(data[place : place + 3], "big")
                yield from _chain_link(data, place + 3, place + 3 + length, end, told)
                place += 3 + length
        elif kind == _REQUEST:
            yield from _authorities(data, begin, end, told)
        elif kind == _STATUS:
            yield from zeros(data, begin + 4, end)
        at += 4 + size


def _chain_link(data: bytes, begin: int, end: int, most: int, told: Pseudonyms) -> Iterator[Change]:
    """A certificate; one that was cut is no DER, and all of it is blurred."""
    if end <= most:
        yield from certificate(data, begin, end, told)
    else:
        yield begin, told.opaque(data[begin:most])


def _hello(data: bytes, at: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    at += 34
    for width in (1, 2, 1):  # session id, ciphers, compressions
        if at + width > end:
            return
        at += width + int.from_bytes(data[at : at + width], "big")
    at += 2
    while at + 4 <= end:
        kind, size = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == _SERVER_NAME and size > 5:
            last = min(at + 9 + int.from_bytes(data[at + 7 : at + 9], "big"), at + 4 + size, end)
            yield at + 9, named(data[at + 9 : last], told)
        at += 4 + size


def _authorities(data: bytes, at: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    """Names of authorities in a certificate request of TLS 1.2."""
    at += 1 + data[at] if at < end else 0
    if at + 2 <= end:
        at += 2 + int.from_bytes(data[at : at + 2], "big") + 2
        while at + 2 <= end:
            size = int.from_bytes(data[at : at + 2], "big")
            yield from certificate(data, at + 2, min(at + 2 + size, end), told)
            at += 2 + size


def _ssh(data: bytes, told: Pseudonyms) -> Iterator[Change]:
    """The host's key, by which it can be found."""
    at = data.find(b"\n") + 1
    while at > 0 and at + 10 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 5] in _KEY_REPLIES:
            begin, length = at + 10, int.from_bytes(data[at + 6 : at + 10], "big")
            head = begin + 4 + int.from_bytes(data[begin : begin + 4], "big")
            end = min(begin + length, len(data))
            if begin < head < end:
                yield head, told.opaque(data[head:end])
        at += 4 + size


def _mysql(data: bytes, client: bool) -> Iterator[Change]:
    """Statements and what they brought."""
    at = 0
    while at + 4 < len(data):
        size, number = int.from_bytes(data[at : at + 3], "little"), data[at + 3]
        begin, end = at + 4, at + 4 + size
        done = at > 0 and (number == 0 if client else data[begin] == 0)
        if done and not client:
            begin, at = end, end
        if done:
            yield from zeros(data, begin + 5 if client else begin + 4, len(data))
            return
        at = end


def _iscsi(data: bytes) -> Iterator[Change]:
    """Blocks behind the login."""
    at = 0
    while at + 48 <= len(data) and data[at] & 0x3F in _LOGIN_PDUS:
        size = int.from_bytes(data[at + 5 : at + 8], "big")
        at += 48 + 4 * data[at + 4] + -(-size // 4) * 4
    yield from zeros(data, at + 48, len(data))


def _rpc(data: bytes) -> Iterator[Change]:
    """What lies far within a call or an answer is somebody's file."""
    at = 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big") & 0x7FFF_FFFF
        yield from zeros(data, at + 4 + RPC_BYTES, at + 4 + size)
        at += 4 + size


def _http(data: bytes, told: Pseudonyms) -> Iterator[Change]:
    """Names in heads; bodies are blurred."""
    at = 0
    while match := _HTTP.match(data, at):
        end = _BLANK.search(data, match.start())
        head = data[at : end.end() if end else len(data)]
        yield from ((at + place, new) for place, new in words(head, told))
        for pattern in (_HOST, _LOCATION, _WHO):
            for found in pattern.finditer(head):
                yield at + found.start(1), named(found[1], told)
        if end is None:
            return
        at = end.end()
        if _CHUNKED.search(head):
            for begin, last in _chunks(data, at):
                yield from blurred(data, begin, last, told)
                at = last
            at = _next(data, at)
            continue
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        if not length and head.startswith(b"HTTP/1"):
            size = len(data) - at
        if _NO_BODY.match(head):
            size = 0
        if length and head.startswith(b"HTTP/1") and _HTTP.match(data, at) and not _TELLING.match(data, at):
            size = 0  # the answer to HEAD
        yield from blurred(data, at, min(at + size, len(data)), told)
        at += size


def _next(data: bytes, at: int) -> int:
    """Where behind a chunked body the next message begins."""
    found = _HTTP.search(data, at)
    return found.start() if found else len(data)


def _chunks(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    while match := _CHUNK.match(data, at):
        size = int(match[1], 16)
        begin = match.end()
        if not size:
            return
        yield begin, min(begin + size, len(data))
        at = begin + size + 2


def blurred(data: bytes, begin: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    """A body with other letters and digits, the same for the same body; what a diagnosis reads in it stays."""
    body = data[begin:end]
    if not body:
        return
    if _TELLING.fullmatch(body):
        for match in IPV4.finditer(body.decode("latin-1")):
            yield begin + match.start(), fitted(told.text_address(match[0]).encode(), match[0].encode())
        return
    page = _PAGE.match(body)
    first = page.end() if page else 0
    raw = np.frombuffer(body[first:], np.uint8)
    noise = np.frombuffer(told.opaque(blake2b(body).digest() + bytes(len(raw))), np.uint8)[: len(raw)]
    yield begin + first, np.where(_READ[raw], _FIRST_LETTER + (noise & 15), raw).astype(np.uint8).tobytes()
