"""The two hello messages of TLS (RFC 8446, 4.1) and the client's in the form of SSL 2.0 (RFC 5246, E.2)."""

from struct import Struct, unpack

from dissectors.tls.messages import ClientHello, ServerHello
from pcapdx.dissect import Cursor

_SERVER_NAME, _ALPN, _SESSION_TICKET, _PRE_SHARED_KEY, _SUPPORTED_VERSIONS = 0, 16, 35, 41, 43
_ENCRYPTED_CLIENT_HELLO = 0xFE0D
_READ = frozenset({_SERVER_NAME, _ALPN, _SESSION_TICKET, _PRE_SHARED_KEY, _SUPPORTED_VERSIONS, _ENCRYPTED_CLIENT_HELLO})
_TYPE_AND_LENGTH = Struct(">HH")
_HOST_NAME = 0
_RANDOM_BYTES = 32
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random of a hello retry request: SHA-256 of "HelloRetryRequest"."""


def client_hello(body: Cursor, record_version: int) -> ClientHello:
    """The client's hello, from its version on."""
    legacy_version = body.u16("client version")
    body.skip(_RANDOM_BYTES, "random")
    body.skip(body.u8("session id length"), "session id")
    ciphers = _numbers(body.sub(body.u16("cipher suites length"), "cipher suites"))
    body.skip(body.u8("compression methods length"), "compression methods")
    extensions = _extensions(body)
    versions = extensions.get(_SUPPORTED_VERSIONS)
    ticket = extensions.get(_SESSION_TICKET)
    return ClientHello(
        record_version=record_version,
        legacy_version=legacy_version,
        supported_versions=_numbers(versions.sub(versions.u8("versions length"), "versions")) if versions else (),
        sni=_server_name(extensions.get(_SERVER_NAME)),
        alpn=_protocols(extensions.get(_ALPN)),
        ciphers=ciphers,
        psk=_PRE_SHARED_KEY in extensions or (ticket is not None and ticket.left > 0),
        encrypted_hello=_ENCRYPTED_CLIENT_HELLO in extensions,
        sslv2=False,
    )


def server_hello(body: Cursor, record_version: int) -> ServerHello:
    """The server's hello, from its version on."""
    legacy_version = body.u16("server version")
    retry = body.take(_RANDOM_BYTES, "random") == _RETRY
    body.skip(body.u8("session id length"), "session id")
    cipher = body.u16("cipher suite")
    body.skip(1, "compression method")
    extensions = _extensions(body)
    chosen = extensions.get(_SUPPORTED_VERSIONS)
    return ServerHello(
        record_version=record_version,
        legacy_version=legacy_version,
        version=chosen.u16("selected version") if chosen is not None else legacy_version,
        cipher=cipher,
        alpn=next(iter(_protocols(extensions.get(_ALPN))), None),
        retry=retry,
        psk=_PRE_SHARED_KEY in extensions,
    )


def sslv2_hello(body: Cursor) -> ClientHello:
    """The client's hello in a record of SSL 2.0, from its version on; suites of SSL 2.0 itself are left out."""
    version = body.u16("client version")
    spec_bytes = body.u16("cipher specs length")
    body.skip(4, "session id and challenge lengths")
    specs = body.sub(spec_bytes, "cipher specs")
    suites = [specs.u24("cipher spec") for _ in range(specs.left // 3)]
    return ClientHello(
        record_version=version,
        legacy_version=version,
        supported_versions=(),
        sni=None,
        alpn=(),
        ciphers=tuple(suite for suite in suites if suite <= 0xFFFF),
        psk=False,
        encrypted_hello=False,
        sslv2=True,
    )


def _extensions(body: Cursor) -> dict[int, Cursor]:
    """Those extensions that are read, by type, the first of each; none at all is how hellos ended before RFC 3546."""
    found: dict[int, Cursor] = {}
    if body.left:
        block = body.sub(body.u16("extensions length"), "extensions")
        while block.left:
            kind, length = _TYPE_AND_LENGTH.unpack(block.take(_TYPE_AND_LENGTH.size, "extension type and length"))
            if kind in _READ and kind not in found:
                found[kind] = block.sub(length, "extension")
            else:
                block.skip(length, "extension")
    return found


def _server_name(extension: Cursor | None) -> str | None:
    """RFC 6066, 3. Empty in a server's answer."""
    if extension is None or not extension.left:
        return None
    names = extension.sub(extension.u16("server name list length"), "server name list")
    while names.left:
        kind = names.u8("name type")
        name = names.take(names.u16("name length"), "server name")
        if kind == _HOST_NAME:
            return name.decode("utf-8", "replace")
    return None


def _protocols(extension: Cursor | None) -> tuple[str, ...]:
    """RFC 7301, 3.1."""
    if extension is None or not extension.left:
        return ()
    names: list[str] = []
    listed = extension.sub(extension.u16("protocol list length"), "protocol list")
    while listed.left:
        names.append(listed.take(listed.u8("protocol length"), "protocol").decode("utf-8", "replace"))
    return tuple(names)


def _numbers(numbers: Cursor) -> tuple[int, ...]:
    """All that is left, two bytes a number."""
    count = numbers.left // 2
    return unpack(f">{count}H", numbers.take(2 * count, "numbers"))
