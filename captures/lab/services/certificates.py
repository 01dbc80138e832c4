"""Certificates for the console proxy: as an operator uploads them, good and bad."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its certificate and key."""

    certificate: x509.Certificate
    key: Key


def authority(name: str, parent: Authority | None = None) -> Authority:
    """A root, or an intermediate below ``parent``."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, key, parent, timedelta(days=-900), timedelta(days=3650))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return Authority(builder.sign(parent.key if parent else key, hashes.SHA256()), key)


def leaf(
    names: tuple[str, ...],
    issuer: Authority | None,
    *,
    starts: timedelta,
    ends: timedelta,
) -> tuple[x509.Certificate, Key]:
    """A server certificate for these DNS names (or addresses); signed by itself without an issuer.

    ``starts`` and ``ends`` count from now, the time of the recording.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(names[0], key, issuer, starts, ends)
    alternatives = [_general_name(name) for name in names]
    builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(issuer.key if issuer else key, hashes.SHA256()), key


def write(path: Path, key: Key, *chain: x509.Certificate) -> Path:
    """One PEM file with the key and the certificates a server sends, leaf first."""
    private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + b"".join(one.public_bytes(_PEM) for one in chain))
    return path


def trust(path: Path, *roots: Authority) -> Path:
    """A bundle of trusted roots for a client."""
    path.write_bytes(b"".join(root.certificate.public_bytes(_PEM) for root in roots))
    return path


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    name: str, key: Key, issuer: Authority | None, starts: timedelta, ends: timedelta
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + ends)
    )
