"""X.509 certificates (RFC 5280) as a TLS server shows them."""

import hashlib
import warnings
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from pcapdx.values import dataclass

if TYPE_CHECKING:
    from cryptography import x509

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_KEY_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a certificate says of itself; nothing here has been judged but ``self_signed``."""

    subject: str
    """As in RFC 4514."""
    issuer: str
    subject_cn: tuple[str, ...]
    issuer_cn: tuple[str, ...]
    san_dns: tuple[str, ...]
    """DNS names of subjectAltName, the only names that count (RFC 9525)."""
    san_ip: tuple[str, ...]
    not_before_ns: int
    not_after_ns: int
    serial: int
    subject_key: str
    """Equal for equal names."""
    issuer_key: str
    """Equal to the ``subject_key`` of the certificate that issued this one."""
    public_key: str
    """Digest of the key, equal where a renewed certificate keeps it; empty where the key is of an unknown kind."""
    digest: str
    """SHA-256 of the whole, in hexadecimal."""
    bytes: int
    ca: bool
    """May issue others."""
    self_issued: bool
    """Issuer and subject are the same name."""
    self_signed: bool
    """And its own key made the signature."""


@lru_cache(maxsize=1024)
def parse(der: bytes) -> Certificate | None:
    """The certificate in DER bytes, None where they are none. Cached: servers show the same one all the time."""
    from cryptography import x509  # here, since it takes long to load
    from cryptography.exceptions import UnsupportedAlgorithm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on serial numbers and encodings that a later version will refuse
        try:
            return _described(x509.load_der_x509_certificate(der), der)
        except (ValueError, OverflowError, UnsupportedAlgorithm, x509.InvalidVersion):
            return None


def _described(certificate: "x509.Certificate", der: bytes) -> Certificate:
    subject, issuer = certificate.subject, certificate.issuer
    subject_key, issuer_key = _digest(subject.public_bytes()), _digest(issuer.public_bytes())
    san_dns, san_ip = _alternative_names(certificate)
    return Certificate(
        subject=subject.rfc4514_string(),
        issuer=issuer.rfc4514_string(),
        subject_cn=_common_names(subject),
        issuer_cn=_common_names(issuer),
        san_dns=san_dns,
        san_ip=san_ip,
        not_before_ns=_ns(certificate.not_valid_before_utc),
        not_after_ns=_ns(certificate.not_valid_after_utc),
        serial=certificate.serial_number,
        subject_key=subject_key,
        issuer_key=issuer_key,
        public_key=_public_key(certificate),
        digest=hashlib.sha256(der).hexdigest(),
        bytes=len(der),
        ca=_may_issue(certificate),
        self_issued=subject_key == issuer_key,
        self_signed=subject_key == issuer_key and _signs_itself(certificate),
    )


def _digest(part: bytes) -> str:
    return hashlib.sha256(part).digest()[:_KEY_BYTES].hex()


def _common_names(name: "x509.Name") -> tuple[str, ...]:
    from cryptography.x509.oid import NameOID

    values = (attribute.value for attribute in name.get_attributes_for_oid(NameOID.COMMON_NAME))
    return tuple(value if isinstance(value, str) else value.decode("latin-1") for value in values)


def _alternative_names(certificate: "x509.Certificate") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """DNS names and addresses; none where the extension is missing, doubled or unreadable."""
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return (), ()
    return (
        tuple(names.get_values_for_type(x509.DNSName)),
        tuple(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    )


def _may_issue(certificate: "x509.Certificate") -> bool:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return False


def _public_key(certificate: "x509.Certificate") -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        key = certificate.public_key()
        return _digest(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    except (ValueError, UnsupportedAlgorithm):
        return ""


def _signs_itself(certificate: "x509.Certificate") -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _ns(moment: datetime) -> int:
    """Whole nanoseconds since 1970, negative before."""
    return (moment - _EPOCH) // _MICROSECOND * 1000
