"""Real TLS handshakes for tests: certificates by ``cryptography``, bytes by Python's own ``ssl``, no socket."""

import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NOT_BEFORE, NOT_AFTER = datetime(2024, 1, 1, tzinfo=UTC), datetime(2124, 1, 1, tzinfo=UTC)
NAMES = ("*.console.example.com", "console.example.com")
Talk = list[tuple[str, bytes]]
"""Flights in order: ">" from the client, "<" from the server."""


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


def issue(
    common_name: str | None,
    issuer: Issued | None = None,
    *,
    dns: tuple[str, ...] = (),
    ips: tuple[str, ...] = (),
    ca: bool = False,
    valid: tuple[datetime, datetime] = (NOT_BEFORE, NOT_AFTER),
) -> Issued:
    """A certificate, self-signed without an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(0x1234)
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in dns]
    names += [x509.IPAddress(IPv4Address(ip)) for ip in ips]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Issued(builder.sign(issuer.key if issuer else key, SHA256()), key)


@cache
def chain() -> tuple[Issued, Issued, Issued]:
    """Leaf, intermediate and root."""
    root = issue("Example Root", ca=True)
    intermediate = issue("Example Intermediate", root, ca=True)
    return issue("console", intermediate, dns=NAMES, ips=("203.0.113.9",)), intermediate, root


def handshake(
    version: ssl.TLSVersion,
    sent: tuple[Issued, ...] = (),
    *,
    sni: str | None = "1-2-3-4.console.example.com",
    trusts: Issued | None = None,
    data: bool = True,
) -> Talk:
    """The flights of a handshake, and of some data both ways. The client ``trusts`` one root, or all."""
    sent = sent or chain()[:2]
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        key = sent[0].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        Path(file.name).write_bytes(key + b"".join(one.pem for one in sent))
        server_context.load_cert_chain(file.name)
    server_context.set_alpn_protocols(["http/1.1"])
    server_context.num_tickets = 0
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_REQUIRED if trusts else ssl.CERT_NONE
    if trusts:
        client_context.load_verify_locations(cadata=trusts.pem.decode())
    client_context.set_alpn_protocols(["h2", "http/1.1"])
    for context in (server_context, client_context):
        context.minimum_version = context.maximum_version = version
    return _flights(client_context, server_context, sni, data)


def _flights(client_context: ssl.SSLContext, server_context: ssl.SSLContext, sni: str | None, data: bool) -> Talk:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=sni)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    flights: Talk = []

    def act(way: str, step: Callable[[], object], outgoing: ssl.MemoryBIO) -> bool | None:
        """One side's turn; what it writes is noted and handed on. True when it is done, None when it has failed."""
        done: bool | None = True
        try:
            step()
        except ssl.SSLWantReadError:
            done = False
        except ssl.SSLError:
            done = None
        written = outgoing.read()
        if written:
            flights.append((way, written))
            outgoing.write(written)
        return done

    done: list[bool | None] = [False, False]
    while None not in done and not all(done):
        done[0] = done[0] or act(">", client.do_handshake, to_server)
        if done[0] is not None:
            done[1] = done[1] or act("<", server.do_handshake, to_client)
    if data and all(done):
        act(">", lambda: client.write(b"GET / HTTP/1.1\r\n\r\n"), to_server)
        act("<", lambda: server.write(b"HTTP/1.1 200 OK\r\n\r\n"), to_client)
    return flights


def at_ns(moment: datetime) -> int:
    """Nanoseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
