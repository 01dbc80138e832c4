"""Captures with hostile strings where a guest, a server or a capturing program can put them."""

import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw
from scapy.utils import wrpcap

from tests.capture.writing import Packet as Stored
from tests.capture.writing import enhanced, interface, option, section
from tests.dissectors.handshakes import handshake, issue
from tests.report.hostile import STRINGS
from tests.rules import control

GUEST, ROUTER = "02:01:00:cc:00:16", "02:01:00:cc:00:01"
GUEST_IP, ROUTER_IP = "10.1.1.57", "10.1.1.1"
NASTY = tuple(text.encode("utf-8", "surrogatepass") for text in STRINGS)


def stamped(packets: Iterable[Packet], step_s: float) -> list[Packet]:
    """The packets, so many seconds apart."""
    done = list(packets)
    for place, packet in enumerate(done):
        packet.time = 1_700_000_000 + place * step_s
    return done


def dhcp() -> Iterator[Packet]:
    """A client that is refused and asks on, with its strings in every option of text; nobody answers the last ones."""
    chaddr = bytes.fromhex(GUEST.replace(":", ""))
    for place, nasty in enumerate(NASTY):
        text = nasty[:200]
        options = [
            ("message-type", "discover"),
            ("hostname", text),
            ("vendor_class_id", text),
            (77, text),
            (81, b"\0\0\0" + text),
        ]
        asks = (
            Ether(src=GUEST, dst="ff:ff:ff:ff:ff:ff")
            / IP(src="0.0.0.0", dst="255.255.255.255")
            / UDP(sport=68, dport=67)
        )
        yield asks / BOOTP(op=1, chaddr=chaddr, xid=place) / DHCP(options=[*options, "end"])
        if place < len(NASTY) // 2:
            said = [("message-type", "nak"), ("server_id", ROUTER_IP), (56, text), (15, text), (66, text), (67, text)]
            answers = Ether(src=ROUTER, dst=GUEST) / IP(src=ROUTER_IP, dst="255.255.255.255") / UDP(sport=67, dport=68)
            reply = BOOTP(op=2, chaddr=chaddr, xid=place, sname=text[:63], file=text[:127])
            yield answers / reply / DHCP(options=[*said, "end"])


def dns() -> Iterator[Packet]:
    """Questions for every string as a name, and refusals."""
    for place, nasty in enumerate(NASTY):
        label = nasty.replace(b".", b"-")[:63]
        question = DNSQR(qname=bytes([len(label)]) + label + b"\x07example\0")
        asks = Ether(src=GUEST, dst=ROUTER) / IP(src=GUEST_IP, dst=ROUTER_IP) / UDP(sport=40_000 + place, dport=53)
        yield asks / DNS(id=place, qd=question)
        answers = Ether(src=ROUTER, dst=GUEST) / IP(src=ROUTER_IP, dst=GUEST_IP) / UDP(sport=53, dport=40_000 + place)
        yield answers / DNS(id=place, qr=1, rcode=3, qd=question)


def stream(flights: Iterable[tuple[str, bytes]], *, sport: int, dport: int) -> Iterator[Packet]:
    """A whole TCP connection."""
    there = Ether(src=GUEST, dst=ROUTER) / IP(src=GUEST_IP, dst=ROUTER_IP)
    back = Ether(src=ROUTER, dst=GUEST) / IP(src=ROUTER_IP, dst=GUEST_IP)
    sent = {">": 1000, "<": 2000}

    def segment(way: str, flags: str, data: bytes = b"") -> Packet:
        source, target, other = (sport, dport, "<") if way == ">" else (dport, sport, ">")
        tcp = TCP(sport=source, dport=target, flags=flags, seq=sent[way], ack=sent[other] if flags != "S" else 0)
        sent[way] += len(data) + ("S" in flags or "F" in flags)
        return (there if way == ">" else back) / tcp / (Raw(data) if data else b"")

    yield segment(">", "S")
    yield segment("<", "SA")
    yield segment(">", "A")
    for way, data in flights:
        for start in range(0, len(data), 1400):
            yield segment(way, "PA", data[start : start + 1400])
    yield segment(">", "FA")
    yield segment("<", "FA")


def http() -> Iterator[Packet]:
    """Metadata and password requests, with a string in every part, answered by errors with a string in every part."""
    for place, nasty in enumerate(NASTY):
        one_line = nasty.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"").strip() or b"x"
        path = one_line.replace(b" ", b"+")
        request = b"GET /latest/meta-data/" + path + b" HTTP/1.1\r\nHost: " + one_line + b"\r\nUser-Agent: " + one_line
        answer = b"HTTP/1.1 500 " + one_line + b"\r\nServer: " + one_line + b"\r\nVia: 1.1 " + one_line
        answer += b"\r\nContent-Type: " + one_line + b"\r\nContent-Length: 0\r\n\r\n"
        for port, extra in ((80, b""), (8080, b"\r\nDomU_Request: send_my_password")):
            flights = [(">", request + extra + b"\r\n\r\n"), ("<", answer)]
            yield from stream(flights, sport=40_000 + place, dport=port)


def tls() -> Iterator[Packet]:
    """Handshakes whose server name and certificate are made of the strings; clients refuse the certificate."""
    stand_in = "a" * 24 + ".example"
    authority = issue("\x1b[2J<b>authority</b>", ca=True)
    for place, nasty in enumerate(
        ("\x1b[2J\x1b[31mred", "<script>alert(1)</script>", "=cmd|'/C calc'!A0", "\r\nX: y\x00", "`**#|[x](y)")
    ):
        leaf = issue(nasty, authority, dns=(nasty.replace("\0", ""),))
        flights = handshake(ssl.TLSVersion.TLSv1_2, (leaf,), sni=stand_in, trusts=issue("another", ca=True), data=False)
        name = nasty.encode()[:32].ljust(32, b".")
        told = [(way, data.replace(stand_in.encode(), name)) for way, data in flights]
        yield from stream(told, sport=40_000 + place, dport=443)


def lldp() -> Iterator[Packet]:
    """Switch ports that call themselves by the strings, beside a VLAN that is not on them and one that works."""
    for place, nasty in enumerate(NASTY):
        name = nasty.decode("utf-8", "replace")
        yield control.lldp(system=name, port=name, vlans=(1, 101))
        yield control.cdp(device=name, port=name)
        for vlan, mac in ((101, ROUTER), (317, GUEST)):
            ask = ARP(op=1, hwsrc=mac, psrc="10.2.0.7", pdst=f"10.2.0.{20 + place}")
            yield Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / Dot1Q(vlan=vlan) / ask
        reply = ARP(op=2, hwsrc="02:01:00:cd:00:17", psrc=f"10.2.0.{20 + place}", hwdst=ROUTER, pdst="10.2.0.7")
        yield Ether(src="02:01:00:cd:00:17", dst=ROUTER) / Dot1Q(vlan=101) / reply


def pcapng() -> Iterator[bytes]:
    """A lease that nobody gives, in a file whose writer, comments, interfaces and filters are the strings."""
    yield section(b"".join(option(code, nasty) for nasty in NASTY for code in (1, 2, 3, 4)))
    for nasty in NASTY:
        yield interface(option(2, nasty) + option(3, nasty) + option(11, b"\0" + nasty))
    for place, packet in enumerate(stamped(dhcp(), 2.0)):
        stamp = round(float(packet.time) * 1_000_000)
        yield enhanced(
            Stored(stamp, bytes(packet)), index=place % len(NASTY), options=option(1, NASTY[place % len(NASTY)])
        )


def write_all(folder: Path) -> dict[str, Path]:
    """One capture a kind: dhcp, dns, http, tls, lldp as pcap, and one pcapng that speaks of itself in strings."""
    paths = {kind: folder / f"{kind}.pcap" for kind in ("dhcp", "dns", "http", "tls", "lldp")}
    wrpcap(str(paths["dhcp"]), stamped(dhcp(), 2.0))
    wrpcap(str(paths["dns"]), stamped(dns(), 0.1))
    wrpcap(str(paths["http"]), stamped(http(), 0.01))
    wrpcap(str(paths["tls"]), stamped(tls(), 0.01))
    wrpcap(str(paths["lldp"]), stamped(lldp(), 0.5))
    paths["pcapng"] = folder / "self.pcapng"
    paths["pcapng"].write_bytes(b"".join(pcapng()))
    return paths
