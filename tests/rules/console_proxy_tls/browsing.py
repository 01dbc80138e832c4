"""Connections of a browser with a console proxy, for tests of this topic's rules."""

import struct
from collections.abc import Sequence
from itertools import count

from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from tests.rules.build import Tape, tcp

BROWSER, PROXY, HYPERVISOR = "a4:bb:6d:00:00:01", "1e:00:9b:00:00:3a", "a0:36:9f:00:00:21"
B_IP, P_IP, H_IP, RESOLVER = "198.51.100.77", "203.0.113.45", "10.250.1.21", "198.51.100.53"
NAME = "203-0-113-45.console.example.com"
SEGMENT = 1400
_ports = count(40_000)


def spoken(
    tape: Tape,
    at_s: float,
    port: int,
    said: Sequence[tuple[str, bytes]],
    *,
    ends: str = ">F",
    ends_s: float = 0.5,
    server: tuple[str, str] = (PROXY, P_IP),
    client: tuple[str, str] = (BROWSER, B_IP),
    apart_s: float = 0.01,
) -> Tape:
    """A TCP connection in which each side says its parts in turn; ``ends`` is who closes first and how (``<R``)."""
    source = next(_ports)
    numbers = {">": 101, "<": 501}
    ends_of = {">": (client, source, server, port), "<": (server, port, client, source)}

    def segment(way: str, flags: str, data: bytes = b"") -> Packet:
        (mac, ip), sport, (to_mac, to_ip), dport = ends_of[way]
        other = "<" if way == ">" else ">"
        packet = (
            Ether(src=mac, dst=to_mac)
            / IP(src=ip, dst=to_ip, id=numbers[way] & 0xFFFF)
            / TCP(sport=sport, dport=dport, flags=flags, seq=numbers[way], ack=numbers[other])
            / Raw(data)
        )
        numbers[way] += len(data)
        return packet

    tape.add(at_s, tcp(*client, source, *server, port, "S", seq=100))
    tape.add(at_s + 0.001, tcp(*server, port, *client, source, "SA", seq=500, ack=101))
    at = at_s + 0.002
    for way, data in said:
        at += apart_s
        for begin in range(0, len(data), SEGMENT):
            tape.add(at, segment(way, "PA", data[begin : begin + SEGMENT]))
            at += 0.0001
        tape.add(at, segment("<" if way == ">" else ">", "A"))
    if ends:
        tape.add(at + ends_s, segment(ends[0], "FA" if ends[1] == "F" else "RA"))
    return tape


def refused(
    tape: Tape, at_s: float, port: int, times: int = 3, *, server: tuple[str, str] = (PROXY, P_IP),
    client: tuple[str, str] = (BROWSER, B_IP),
) -> Tape:  # fmt: skip
    """Connections that are refused, two seconds apart."""
    for n in range(times):
        at, source = at_s + 2 * n, next(_ports)
        tape.add(at, tcp(*client, source, *server, port, "S", seq=100))
        tape.add(at + 0.001, tcp(*server, port, *client, source, "RA", ack=101))
    return tape


def lookup(tape: Tape, at_s: float, name: str, answer: str | None, *, rcode: int = 0, number: int = 1) -> Tape:
    """A question for an address and, unless ``answer`` is None, what comes back; empty is no address."""
    question = DNSQR(qname=name, qtype="A")
    to, back = UDP(sport=50_000 + number, dport=53), UDP(sport=53, dport=50_000 + number)
    asked = Ether(src=BROWSER, dst=PROXY) / IP(src=B_IP, dst=RESOLVER) / to / DNS(id=number, rd=1, qd=question)
    tape.add(at_s, asked)
    if answer is not None:
        records = [DNSRR(rrname=name, rdata=answer)] if answer else []
        reply = DNS(id=number, qr=1, rcode=rcode, qd=question, an=records)
        tape.add(at_s + 0.01, Ether(src=PROXY, dst=BROWSER) / IP(src=RESOLVER, dst=B_IP) / back / reply)
    return tape


def get(path: str, host: str = NAME, *more: str) -> tuple[str, bytes]:
    """A request."""
    return ">", "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *more, "", ""]).encode()


def websocket(host: str = NAME) -> tuple[str, bytes]:
    """A request for the console's websocket."""
    return get("/websockify?token=Zx9", host, "Upgrade: websocket", "Connection: Upgrade")


def answer(status: str, body: bytes = b"") -> tuple[str, bytes]:
    """An answer, 101 without length."""
    length = "" if status.startswith("101") else f"Content-Length: {len(body)}\r\n"
    upgrade = "Upgrade: websocket\r\n" if status.startswith("101") else ""
    return "<", f"HTTP/1.1 {status}\r\n{length}{upgrade}\r\n".encode() + body


def alert(description: int, level: int = 2) -> bytes:
    """A plain TLS alert record."""
    return b"\x15\x03\x03\x00\x02" + bytes((level, description))


def rfb(types: bytes, *, chosen: bytes, result: int | None) -> list[tuple[str, bytes]]:
    """A VNC greeting up to the SecurityResult, by password where type 2 is chosen."""
    said = [("<", b"RFB 003.008\n"), (">", b"RFB 003.008\n"), ("<", bytes((len(types),)) + types)]
    if chosen:
        said.append((">", chosen))
    if chosen == b"\x02":
        said += [("<", bytes(range(16))), (">", bytes(range(16)))]
    if result is not None:
        said.append(("<", struct.pack(">I", result)))
    return said
