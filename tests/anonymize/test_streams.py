"""Names in TCP streams: handshakes and certificates, HTTP, databases, storage; and what no diagnosis needs."""

import datetime
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from dissectors.tls.certificate import parse
from pcapdx.annotate.logins import Run
from pcapdx.anonymize.certificate import certificate
from pcapdx.anonymize.streams import read
from tests.anonymize.disguising import pseudonyms

TOLD = pseudonyms()
HOST = "10-211-77-53.consoles.customer-seven.com"
TOLD.domain(HOST)
HELLO = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0"


def hidden(data: bytes, port: int = 80, client: bool = True) -> bytes:
    new = bytearray(data)
    for at, fresh in read(Run(0, data, client, True), port, TOLD):
        new[at : at + len(fresh)] = fresh
    assert len(new) == len(data)
    return bytes(new)


def handshake(kind: int, body: bytes, *, records: int = 1) -> bytes:
    message = bytes([kind]) + len(body).to_bytes(3, "big") + body
    size = -(-len(message) // records)
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x03" + len(part).to_bytes(2, "big") + part for part in parts)


def made() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Customer Seven"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"*{HOST[12:]}"),
        ]
    )
    start = datetime.datetime(2026, 1, 1)
    names = [x509.DNSName(f"*{HOST[12:]}"), x509.IPAddress(ipaddress.ip_address("10.211.77.53"))]
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(0x5A5A5A5A5A5A5A5A5A).not_valid_before(start)
    built = built.not_valid_after(start.replace(year=2027))
    built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
    built = built.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return built.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_certificates_keep_what_is_judged() -> None:
    der = made()
    new = bytearray(der)
    for at, fresh in certificate(der, 0, len(der), TOLD):
        new[at : at + len(fresh)] = fresh
    before, after = parse(der), parse(bytes(new))
    assert before
    assert after
    assert after.san_dns == (TOLD.name(f"*{HOST[12:]}"),)
    assert after.subject_cn == after.san_dns
    assert after.san_ip == (TOLD.text_address("10.211.77.53"),)
    assert (after.not_before_ns, after.not_after_ns) == (before.not_before_ns, before.not_after_ns)
    assert after.self_issued
    assert not after.self_signed
    for secret in (b"customer", b"Customer", before.serial.to_bytes(9, "big"), der[-32:]):
        assert secret not in bytes(new)


@pytest.mark.parametrize("records", [1, 2, 7])
def test_tls(records: int) -> None:
    name = HOST.encode()
    extension = b"\0" + len(name).to_bytes(2, "big") + name
    extension = b"\0\0" + (len(extension) + 2).to_bytes(2, "big") + len(extension).to_bytes(2, "big") + extension
    hello = handshake(1, HELLO + len(extension).to_bytes(2, "big") + extension, records=records)
    assert TOLD.name(HOST).encode() in b"".join(hidden(hello, 443).split(b"\x16\x03\x03")) or records > 1
    assert name[:12] not in hidden(hello, 443)
    der = made()
    chain = (len(der) + 3).to_bytes(3, "big") + len(der).to_bytes(3, "big") + der
    assert b"customer" not in hidden(handshake(11, chain, records=records), 443, client=False)


def test_http() -> None:
    head = b"GET /a?username=jane.doe HTTP/1.1\r\nHost: unheard-of.example.net:8080\r\n\r\n"
    out = hidden(head)
    for secret in (b"jane", b"unheard"):
        assert secret not in out
    assert out.startswith(b"GET /a?username=")
    body = b"<html><title>Customer page</title>see kvm.consoles.customer-seven.com at 10.211.77.53</html>"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    out = hidden(answer + body + b"HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\n")
    for secret in (b"Customer", b"10.211.77.53", b"customer-seven"):
        assert secret not in out
    assert b"\r\n\r\n<html>" in out
    assert out.endswith(b"HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\n")
    other = body.replace(b"page", b"gape")
    assert hidden(answer + other) != hidden(answer + body)
    for kept in (b"saved_password", b"bad_request", b"i-2-3-VM"):
        assert hidden(b"HTTP/1.1 200 OK\r\n\r\n" + kept).endswith(kept)
    told = hidden(b"HTTP/1.1 200 OK\r\n\r\n10.211.77.53").decode()
    assert told.endswith(TOLD.text_address("10.211.77.53"))


def test_chunks_stay_chunks() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    out = hidden(head + b"5\r\nhello\r\nb\r\n and a name\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
    assert b"hello" not in out
    assert out[len(head) :].startswith(b"5\r\n")
    assert out.endswith(b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")


def test_databases_and_storage() -> None:
    login, query = b"\x20\0\0\x01" + bytes(32), b"\x12\0\0\0\x03select customer x"
    assert hidden(login + query, 3306)[:41] == (login + query)[:41]
    assert b"customer" not in hidden(login + query, 3306)
    command = b"\x01" + bytes(4) + b"\0\0\x08" + bytes(40) + b"customer"
    assert b"customer" not in hidden(command, 3260)
    names = (
        b"\x03" + bytes(4) + b"\0\0\x30" + bytes(40) + b"TargetName=iqn.2026-01.com.customer:seven\0".ljust(48, b"\0")
    )
    out = hidden(names, 3260)
    assert b"customer" not in out
    assert b"TargetName=iqn." in out


def test_unix_credentials() -> None:
    call = bytes(4) + b"\0\0\0\0\0\0\0\x02\0\x01\x86\xa3\0\0\0\x03\0\0\0\x01\0\0\0\x01\0\0\0\x1c" + b"abcd"
    call += b"\0\0\0\x08hostname" + bytes(8)
    out = hidden((0x80000000 | len(call)).to_bytes(4, "big") + call, 2049)
    assert b"hostname" not in out


def test_ssh_host_keys() -> None:
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(100, 132))
    packet = b"\x05\x1f" + len(blob).to_bytes(4, "big") + blob + bytes(20)
    out = hidden(b"SSH-2.0-OpenSSH_9.2\r\n" + len(packet).to_bytes(4, "big") + packet, 22)
    assert out.startswith(b"SSH-2.0-OpenSSH_9.2\r\n")
    assert b"ssh-ed25519" in out
    assert bytes(range(100, 132)) not in out
