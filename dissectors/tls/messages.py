"""What the readable part of one direction of a TLS connection says."""

from enum import StrEnum

from dissectors.tls.certificate import Certificate
from pcapdx.values import dataclass

_ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
    121: "ech_required",
}
_HARMLESS_ALERTS = frozenset({0, 90})
_VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
_HANDSHAKE = 22
_HANDSHAKES = {
    0: "Hello Request",
    4: "New Session Ticket",
    12: "Server Key Exchange",
    13: "Certificate Request",
    14: "Server Hello Done",
    15: "Certificate Verify",
    16: "Client Key Exchange",
    20: "Finished",
    22: "Certificate Status",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHello:
    """What the client offers. Versions are as on the wire: 0x0301 is TLS 1.0, 0x0304 TLS 1.3."""

    record_version: int
    legacy_version: int
    supported_versions: tuple[int, ...]
    """In the client's order, with GREASE values; empty without the extension, as before TLS 1.3."""
    sni: str | None
    """Name of the server the client wants, as sent."""
    alpn: tuple[str, ...]
    ciphers: tuple[int, ...]
    psk: bool
    """Offers to resume (TLS 1.3 key or session ticket), so the server may show no certificate."""
    encrypted_hello: bool
    """Has the extension for an encrypted hello, as some browsers always do; then the SNI may be an outer one."""
    sslv2: bool
    """In the form of SSL 2.0, which only very old clients use."""

    @property
    def max_version(self) -> int:
        """The highest version offered."""
        real = [version for version in self.supported_versions if version & 0x0F0F != 0x0A0A]
        return max(real, default=self.legacy_version)

    @property
    def label(self) -> str:
        """``Client Hello (SNI=console.example.com)``."""
        return "Client Hello" if self.sni is None else f"Client Hello (SNI={self.sni})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHello:
    """What the server chose."""

    record_version: int
    legacy_version: int
    version: int
    """The version in force."""
    cipher: int
    alpn: str | None
    """Encrypted, and so None, in TLS 1.3."""
    retry: bool
    """A hello retry request: the client has to begin again with another key."""
    psk: bool
    """Resumes by a TLS 1.3 key, so no certificate follows."""

    @property
    def label(self) -> str:
        """``Server Hello (TLS 1.2)``."""
        version = _VERSIONS.get(self.version, f"{self.version:#06x}")
        return f"{'Hello Retry Request' if self.retry else 'Server Hello'} ({version})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateChain:
    """Certificates in the order sent; readable up to TLS 1.2 only."""

    certificates: tuple[Certificate, ...]
    """Those that could be parsed."""
    sizes: tuple[int, ...]
    """Bytes of each one sent."""
    unreadable: int
    """How many could not be parsed."""

    @property
    def leaf(self) -> Certificate | None:
        """The sender's own certificate."""
        return self.certificates[0] if self.certificates else None

    @property
    def label(self) -> str:
        """``Certificate (*.console.example.com)``."""
        names = (*self.leaf.san_dns, *self.leaf.subject_cn) if self.leaf is not None else ()
        return f"Certificate ({names[0]})" if names else "Certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert record."""

    level: int | None
    """1 warning, 2 fatal; None where it is encrypted."""
    description: int | None
    encrypted: bool

    @property
    def name(self) -> str | None:
        """RFC 8446's name of the description."""
        return None if self.description is None else _ALERTS.get(self.description, str(self.description))

    @property
    def harmless(self) -> bool:
        """A regular end (close_notify, user_canceled), or a warning that changes nothing."""
        return self.description in _HARMLESS_ALERTS or (self.level == 1 and self.description in (100, 112))

    @property
    def label(self) -> str:
        """``Alert (certificate_expired)``."""
        return "Encrypted Alert" if self.name is None else f"Alert ({self.name})"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeMessage:
    """Any other plain handshake message, such as 12 (key exchange), 13 (certificate request), 14 (hello done)."""

    type: int
    bytes: int
    """Of its body."""

    @property
    def label(self) -> str:
        """``Server Hello Done``."""
        return _HANDSHAKES.get(self.type, f"Handshake message {self.type}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedRecord:
    """One of the first encrypted records of a direction."""

    content_type: int
    """As in its header: 22 a Finished up to TLS 1.2; 23 data, and everything in TLS 1.3."""
    bytes: int
    """Of its payload."""
    index: int
    """0 for the first of its direction."""

    @property
    def label(self) -> str:
        """``Encrypted record, 53 bytes``."""
        word = "Encrypted Handshake Message" if self.content_type == _HANDSHAKE else "Encrypted record"
        return f"{word}, {self.bytes} bytes"


class PlainKind(StrEnum):
    """What was spoken instead of TLS."""

    HTTP_REQUEST = "http-request"
    HTTP_RESPONSE = "http-response"
    SSH = "ssh"
    RFB = "rfb"
    """VNC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTls:
    """A direction that began with another, known protocol."""

    kind: PlainKind

    @property
    def label(self) -> str:
        """``ssh in place of TLS``."""
        return f"{self.kind} in place of TLS"
