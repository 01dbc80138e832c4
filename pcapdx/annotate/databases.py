"""Logins of databases and message brokers, and of SOCKS; each takes contiguous bytes of one direction.

Sources: PostgreSQL's frontend/backend protocol 3.0, [MS-TDS] 2.2.6.4 (SQL Server), AMQP 0-9-1 (Start-Ok), RFC 1929.
"""

import re
from collections.abc import Iterator

from pcapdx.annotate.words import Found

_STARTUP, _CANCEL, _TLS = 196_608, 80_877_102, 80_877_103
_LOGIN7, _TDS_HEAD, _PASSWORD_AT = 0x10, 8, 44
_PLAIN = re.compile(rb"\x05PLAIN(.{4})", re.DOTALL)
_MOST_PASSWORD = 4096
_SOCKS, _BY_PASSWORD = 5, 1


def postgresql(data: bytes, client: bool) -> Iterator[Found]:
    """Passwords, in clear or as digests, and the proofs of SASL, which come under the same letter."""
    if not client:
        return
    at = 0
    if int.from_bytes(data[4:8], "big") in (_STARTUP, _CANCEL, _TLS):
        at = int.from_bytes(data[:4], "big")
    while at + 5 <= len(data):
        size = int.from_bytes(data[at + 1 : at + 5], "big")
        if size < 4:
            return
        if data[at : at + 1] == b"p":
            yield at + 5, min(at + 1 + size, len(data)), "database login"
        at += 1 + size


def sql_server(data: bytes, client: bool) -> Iterator[Found]:
    """The password of a login, which is only turned about."""
    if not client or data[:1] != bytes([_LOGIN7]) or len(data) < _TDS_HEAD + _PASSWORD_AT + 4:
        return
    where = _TDS_HEAD + _PASSWORD_AT
    begin = _TDS_HEAD + int.from_bytes(data[where : where + 2], "little")
    size = 2 * int.from_bytes(data[where + 2 : where + 4], "little")
    if size and begin < len(data):
        yield begin, min(begin + size, len(data)), "database login"


def amqp(data: bytes, client: bool) -> Iterator[Found]:
    """The answer to SASL PLAIN: name and password between NULs."""
    for match in _PLAIN.finditer(data) if client else ():
        size = int.from_bytes(match[1], "big")
        if size <= _MOST_PASSWORD:
            yield match.end(), min(match.end() + size, len(data)), "message broker login"


def socks(data: bytes, client: bool) -> Iterator[Found]:
    """The password that follows the choice of methods."""
    if not client or data[:1] != bytes([_SOCKS]) or len(data) < 2:
        return
    at = 2 + data[1]
    if data[at : at + 1] == bytes([_BY_PASSWORD]) and at + 1 < len(data):
        at += 2 + data[at + 1]
        if at < len(data):
            yield at + 1, min(at + 1 + data[at], len(data)), "SOCKS password"
