"""Makes the benchmark's capture: a trunk with TCP in several VLANs, DNS, ARP, some TLS, HTTP and DHCP.

    python -m benchmarks.generate FILE [--frames 2000000] [--flows 68000]

The same seed gives the same bytes, save the certificates. Nothing of it is random traffic: every TCP flow opens,
carries data both ways in order with acknowledgements, and closes; TLS flights are recorded from a real handshake.
"""

import argparse
import contextlib
import random
import ssl
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VLANS = (101, 102, 103, 104, 110, 120, 130, 200)
CLIENTS_PER_VLAN = 60
NAMES = 300
SERVER_NAMES = 20
BEGIN_NS = 1_780_000_000_000_000_000
CONCURRENT = 400
SMALL_EVERY = 11


@dataclass(slots=True)
class Host:
    mac: bytes
    ip: bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("file", type=Path)
    parser.add_argument("--frames", type=int, default=2_000_000)
    parser.add_argument("--flows", type=int, default=68_000)
    options = parser.parse_args()
    write(options.file, options.frames, options.flows)


def write(path: Path, frames: int, flows: int, small_every: int = SMALL_EVERY) -> None:
    """Writes a nanosecond pcap of about this many frames, one of DNS, ARP and DHCP after ``small_every`` others."""
    generator = random.Random(20240101)
    step = 120_000_000_000 // frames
    written, now = 0, BEGIN_NS
    with path.open("wb", buffering=1 << 20) as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for frame in _traffic(generator, frames, flows, small_every):
            file.write(struct.pack("<IIII", now // 1_000_000_000, now % 1_000_000_000, len(frame), len(frame)))
            file.write(frame)
            written += 1
            now += step
            if written == frames:
                break


def _traffic(generator: random.Random, frames: int, flows: int, small_every: int) -> Iterator[bytes]:
    """Interleaves some hundred flows at a time with the small protocols between them."""
    small = frames // (small_every + 1)
    per_flow = max(8, (frames - small) // flows)
    flights = [_flights(f"{10 + n}-0-113-5.console{n}.example.net") for n in range(SERVER_NAMES)]
    hosts = {
        vlan: [
            Host(bytes((2, 1, vlan >> 8, vlan & 255, 0, n + 2)), bytes((10, vlan & 255, 1, n + 2)))
            for n in range(CLIENTS_PER_VLAN)
        ]
        for vlan in VLANS
    }
    gateways = {vlan: Host(bytes((2, 1, vlan >> 8, vlan & 255, 0, 1)), bytes((10, vlan & 255, 1, 1))) for vlan in VLANS}
    waiting = iter(range(flows))
    active: list[Iterator[bytes]] = []
    sideline = _small(generator, hosts, gateways)
    sent = 0
    while True:
        while len(active) < CONCURRENT:
            number = next(waiting, None)
            if number is None:
                break
            vlan = VLANS[number % len(VLANS)]
            client = generator.choice(hosts[vlan])
            active.append(_flow(generator, number, vlan, client, gateways[vlan], per_flow, flights))
        if not active:
            break
        for place in range(len(active) - 1, -1, -1):
            frame = next(active[place], None)
            if frame is None:
                active.pop(place)
                continue
            yield frame
            sent += 1
            if sent % small_every == 0:
                yield next(sideline)
    while True:
        yield next(sideline)


def _ip(source: bytes, target: bytes, protocol: int, length: int, identity: int) -> bytes:
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + length, identity & 0xFFFF, 0x4000, 64, protocol, 0, source, target
    )
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return head[:10] + struct.pack(">H", total) + head[12:]


def _ethernet(target: bytes, source: bytes, vlan: int, kind: int) -> bytes:
    return target + source + struct.pack(">HHH", 0x8100, vlan, kind)


def _flow(
    generator: random.Random,
    number: int,
    vlan: int,
    client: Host,
    gateway: Host,
    frames: int,
    flights: list[tuple[list[bytes], list[bytes]]],
) -> Iterator[bytes]:
    """One TCP connection of about ``frames`` frames."""
    sport = 32768 + number % 28000
    kind = number % 20
    port = 443 if kind == 0 else 80 if kind in (1, 2) else (22, 3306, 5432, 6379, 9092, 2049)[number % 6]
    server_ip = bytes((198, 51, 100, number % 250 + 1)) if port in (80, 443) else bytes((10, 240, number % 200, 9))
    to_server = _ethernet(gateway.mac, client.mac, vlan, 0x0800)
    to_client = _ethernet(client.mac, gateway.mac, vlan, 0x0800)
    seq = [generator.getrandbits(32), generator.getrandbits(32)]
    identity = generator.getrandbits(16)

    def segment(side: int, flags: int, payload: bytes = b"") -> bytes:
        nonlocal identity
        identity += 1
        options = b"\x02\x04\x05\xb4\x01\x01\x04\x02" if flags & 2 else b""
        ports = (sport, port) if side == 0 else (port, sport)
        offset = (20 + len(options)) // 4 << 4
        ack = seq[1 - side] if flags & 16 else 0
        tcp = struct.pack(">HHIIBBHHH", *ports, seq[side], ack, offset, flags, 64240, 0, 0) + options
        ends = (client.ip, server_ip) if side == 0 else (server_ip, client.ip)
        head = (to_server if side == 0 else to_client) + _ip(*ends, 6, len(tcp) + len(payload), identity)
        seq[side] = (seq[side] + len(payload) + (1 if flags & 3 else 0)) & 0xFFFFFFFF
        return head + tcp + payload

    yield segment(0, 2)
    yield segment(1, 18)
    yield segment(0, 16)
    sent = 6
    if port == 443:
        for client_bytes, server_bytes in zip(*flights[number % len(flights)], strict=False):
            for side, flight in ((0, client_bytes), (1, server_bytes)):
                for at in range(0, len(flight), 1448):
                    yield segment(side, 24, flight[at : at + 1448])
                    sent += 1
    elif port == 80:
        yield segment(
            0,
            24,
            b"GET /page/%d HTTP/1.1\r\nHost: www%d.example.net\r\nUser-Agent: bench\r\n\r\n" % (number, number % 50),
        )
        body = max(0, frames - sent - 2) * 2 // 3 * 1448
        yield segment(
            1, 24, b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % body
        )
        sent += 2
    data = bytes([number & 255]) * 1448
    if port == 443:
        data = b"\x17\x03\x03" + struct.pack(">H", 1443) + data[:1443]
    while sent < frames:
        yield segment(1, 16, data if port != 22 else data[:200])
        sent += 1
        if sent % 3 == 0 and sent < frames:
            yield segment(0, 16)
            sent += 1
    yield segment(0, 17)
    yield segment(1, 17)
    yield segment(0, 16)


def _small(generator: random.Random, hosts: dict[int, list[Host]], gateways: dict[int, Host]) -> Iterator[bytes]:
    """DNS with its answers, ARP with its replies, now and then a DHCP exchange."""
    turn = 0
    while True:
        turn += 1
        vlan = VLANS[turn % len(VLANS)]
        client, gateway = generator.choice(hosts[vlan]), gateways[vlan]
        if turn % 200 == 0:
            yield from _dhcp(generator, vlan, client, gateway)
        elif turn % 5 == 0:
            arp = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + client.mac + client.ip + bytes(6) + gateway.ip
            yield (_ethernet(b"\xff" * 6, client.mac, vlan, 0x0806) + arp).ljust(64, b"\0")
            arp = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 2) + gateway.mac + gateway.ip + client.mac + client.ip
            yield (_ethernet(client.mac, gateway.mac, vlan, 0x0806) + arp).ljust(64, b"\0")
        else:
            yield from _dns(generator, vlan, client, gateway)


def _udp(vlan: int, sender: Host, receiver: Host, ports: tuple[int, int], payload: bytes, identity: int) -> bytes:
    udp = struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
    return _ethernet(receiver.mac, sender.mac, vlan, 0x0800) + _ip(sender.ip, receiver.ip, 17, len(udp), identity) + udp


def _dns(generator: random.Random, vlan: int, client: Host, gateway: Host) -> Iterator[bytes]:
    number = int(generator.paretovariate(1.1)) % NAMES
    identity, port = generator.getrandbits(16), 20000 + generator.getrandbits(14)
    name = b"\x05host" + b"%1d" % (number % 10) + b"\x04%04d" % number + b"\x07example\x03net\0"
    question = name + struct.pack(">HH", 1, 1)
    yield _udp(
        vlan, client, gateway, (port, 53), struct.pack(">HHHHHH", identity, 0x0100, 1, 0, 0, 0) + question, identity
    )
    answer = struct.pack(">HHHIH4s", 0xC00C, 1, 1, 300, 4, bytes((198, 51, 100, number % 250)))
    reply = struct.pack(">HHHHHH", identity, 0x8180, 1, 1, 0, 0) + question + answer
    yield _udp(vlan, gateway, client, (53, port), reply, identity + 1)


def _dhcp(generator: random.Random, vlan: int, client: Host, gateway: Host) -> Iterator[bytes]:
    xid = generator.getrandbits(32)
    nobody, everyone = Host(client.mac, bytes(4)), Host(b"\xff" * 6, b"\xff" * 4)

    def message(op: int, kind: int, yiaddr: bytes, more: bytes) -> bytes:
        fixed = struct.pack(">BBBBIHH", op, 1, 6, 0, xid, 0, 0) + bytes(4) + yiaddr + bytes(8)
        fixed += client.mac.ljust(16, b"\0") + bytes(192) + b"\x63\x82\x53\x63"
        return (fixed + bytes((53, 1, kind)) + more + b"\xff").ljust(300, b"\0")

    server = b"\x36\x04" + gateway.ip
    given = server + b"\x33\x04\xff\xff\xff\xff\x01\x04\xff\xff\xff\x00\x03\x04" + gateway.ip
    yield _udp(vlan, nobody, everyone, (68, 67), message(1, 1, bytes(4), b""), 0)
    yield _udp(vlan, gateway, client, (67, 68), message(2, 2, client.ip, given), 7)
    yield _udp(vlan, nobody, everyone, (68, 67), message(1, 3, bytes(4), server + b"\x32\x04" + client.ip), 0)
    yield _udp(vlan, gateway, client, (67, 68), message(2, 5, client.ip, given), 8)


def _flights(name: str) -> tuple[list[bytes], list[bytes]]:
    """What client and server of a real TLS 1.2 handshake sent, flight by flight."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.fromtimestamp(BEGIN_NS // 1_000_000_000, tz=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bench CA")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=300))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        file.flush()
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(file.name)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    sent: tuple[list[bytes], list[bytes]] = ([], [])
    incoming = {0: to_client, 1: to_server}
    for _ in range(4):
        for side, end in ((0, client), (1, server)):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
            outgoing = incoming[1 - side].read()
            incoming[1 - side].write(outgoing)
            sent[side].append(outgoing)
    return sent


if __name__ == "__main__":
    main()
