"""Small captures for tests of rules: frames by scapy, written to a pcap, read and judged as any other.

tape = Tape()
tape.add(0, arp_request(GUEST, "10.1.1.7", "10.1.1.1"), vlan=101)
assert tape.codes(tmp_path, role=Role.NIC) == {...}
"""

from collections.abc import Sequence
from functools import cache
from ipaddress import IPv6Address
from pathlib import Path

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw
from scapy.utils import wrpcap

from pcapdx.diagnose import Analysis, analyze
from pcapdx.model import Finding, Severity
from pcapdx.plugins import Plugins, load
from pcapdx.site import Site
from pcapdx.vantage import CaptureArgument, Role

EVERYBODY = "ff:ff:ff:ff:ff:ff"
START = 1_760_000_000
WIRE_BYTES = 60


@cache
def plugins() -> Plugins:
    """Everything that loads."""
    return load()


def along(folder: Path, *points: tuple[str, Role, "Tape"], site: Site | None = None) -> Analysis:
    """What pcapdx makes of several captures, in the order of the path: (name, role, tape) of each."""
    arguments = []
    for name, role, tape in points:
        path = folder / f"{name}.pcap"
        wrpcap(str(path), sorted(tape.packets, key=lambda one: float(one.time)), linktype=1)
        arguments.append(CaptureArgument(name=name, role=role, path=str(path), named=True))
    return analyze(arguments, plugins(), site=site, strict=True)


def by_code(analysis: Analysis) -> dict[str, Finding]:
    """What was found, by its code."""
    return {one.finding.code: one.finding for one in analysis.diagnosed.findings}


def codes(analysis: Analysis) -> set[str]:
    """Codes of everything that was found."""
    return {one.finding.code for one in analysis.diagnosed.findings}


class Tape:
    """A capture in the making."""

    def __init__(self) -> None:
        self.packets: list[Packet] = []

    def add(
        self, at_s: float, packet: Packet, *, vlan: int = 0, inner: int = 0, wire: bool = False, snap: int = 0
    ) -> "Tape":
        """One frame, tagged with ``vlan`` (and ``inner`` inside); ``wire`` pads it as one that was received.

        ``snap`` is the snap length, if any.
        """
        ether, payload = packet.copy(), packet.payload
        ether.remove_payload()
        tags = [Dot1Q(vlan=tag) for tag in (vlan, inner) if tag]
        for layer in (*tags, payload):
            ether = ether / layer
        data = bytes(ether)
        data = data.ljust(WIRE_BYTES, b"\0") if wire else data
        made = Raw(data[:snap]) if snap else Ether(data)
        made.wirelen = len(data)
        made.time = START + at_s
        self.packets.append(made)
        return self

    def analysis(self, folder: Path, *, role: Role | None = None, site: Site | None = None) -> Analysis:
        """What pcapdx makes of it."""
        path = folder / "tape.pcap"
        wrpcap(str(path), sorted(self.packets, key=lambda one: float(one.time)), linktype=1)
        argument = CaptureArgument(name="tape", role=role, path=str(path), named=True)
        return analyze([argument], plugins(), site=site, strict=True)

    def findings(
        self, folder: Path, code: str, *, role: Role | None = None, site: Site | None = None
    ) -> tuple[Finding, ...]:
        """The findings of one code."""
        found = self.analysis(folder, role=role, site=site).diagnosed.findings
        return tuple(one.finding for one in found if one.finding.code == code)

    def finding(self, folder: Path, code: str, *, role: Role | None = None, site: Site | None = None) -> Finding:
        """The one finding of a code."""
        (found,) = self.findings(folder, code, role=role, site=site)
        return found

    def grave(self, folder: Path, *, role: Role | None = None, site: Site | None = None) -> set[str]:
        """Codes of everything at warning or above."""
        found = self.analysis(folder, role=role, site=site).diagnosed.findings
        return {one.finding.code for one in found if one.finding.severity is not Severity.INFO}

    def proofs(self, folder: Path, *, role: Role | None = None) -> set[str]:
        """Codes of what was proved."""
        return {one.code for one in self.analysis(folder, role=role).diagnosed.proofs}


def arp_request(mac: str, ip: str, target: str) -> Packet:
    """Who has ``target``."""
    return Ether(src=mac, dst=EVERYBODY) / ARP(op=1, hwsrc=mac, psrc=ip, pdst=target)


def arp_reply(mac: str, ip: str, to_mac: str, to_ip: str) -> Packet:
    """``ip`` is at ``mac``."""
    return Ether(src=mac, dst=to_mac) / ARP(op=2, hwsrc=mac, psrc=ip, hwdst=to_mac, pdst=to_ip)


def rarp(mac: str) -> Packet:
    """What QEMU sends for an instance that has arrived."""
    return Ether(src=mac, dst=EVERYBODY, type=0x8035) / ARP(op=3, hwsrc=mac, hwdst=mac)


def echo(mac: str, ip: str, to_mac: str, to_ip: str, *, number: int = 1, reply: bool = False) -> Packet:
    """A ping, or its answer."""
    kind = "echo-reply" if reply else "echo-request"
    return Ether(src=mac, dst=to_mac) / IP(src=ip, dst=to_ip, id=number) / ICMP(type=kind, id=7, seq=number)


def discover(mac: str, *, xid: int = 1) -> Packet:
    """A DHCP DISCOVER."""
    return _from_client(mac, xid, [("message-type", "discover"), ("hostname", "web-1"), "end"])


def request(mac: str, ip: str, server: str, *, xid: int = 1) -> Packet:
    """A DHCP REQUEST that takes an offer."""
    options = [("message-type", "request"), ("requested_addr", ip), ("server_id", server), "end"]
    return _from_client(mac, xid, options)


def answer(
    kind: str, server_mac: str, server: str, mac: str, ip: str, *, xid: int = 1, lease: int = 0xFFFFFFFF
) -> Packet:
    """A DHCP ``offer`` or ``ack`` that also names the server as router."""
    options = [
        ("message-type", kind),
        ("server_id", server),
        ("lease_time", lease),
        ("subnet_mask", "255.255.255.0"),
        ("router", server),
        "end",
    ]
    bootp = BOOTP(op=2, xid=xid, yiaddr=ip, siaddr=server, chaddr=bytes.fromhex(mac.replace(":", "")))
    return (
        Ether(src=server_mac, dst=mac)
        / IP(src=server, dst=ip)
        / UDP(sport=67, dport=68)
        / bootp
        / DHCP(options=options)
    )


def tcp(
    mac: str, ip: str, port: int, to_mac: str, to_ip: str, to_port: int, flags: str, *, seq: int = 1, ack: int = 0,
    size: int = 0, mss: int = 0,
) -> Packet:  # fmt: skip
    """A TCP segment with ``size`` bytes of payload."""
    options = [("MSS", mss)] if mss else []
    segment = TCP(sport=port, dport=to_port, flags=flags, seq=seq, ack=ack, options=options)
    return Ether(src=mac, dst=to_mac) / IP(src=ip, dst=to_ip, id=seq & 0xFFFF) / segment / Raw(b"x" * size)


def solicit(mac: str, ip: str, target: str) -> Packet:
    """An IPv6 neighbour solicitation to the group of its target (RFC 4861)."""
    low = int(IPv6Address(target)) & 0xFFFFFF
    group = f"33:33:ff:{low >> 16:02x}:{low >> 8 & 255:02x}:{low & 255:02x}"
    body = ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=mac)
    return Ether(src=mac, dst=group) / IPv6(src=ip, dst=f"ff02::1:ff{low >> 16:02x}:{low & 0xFFFF:x}", hlim=255) / body


def echo6(mac: str, ip: str, to_mac: str, to_ip: str, *, number: int = 1) -> Packet:
    """A ping by IPv6."""
    return Ether(src=mac, dst=to_mac) / IPv6(src=ip, dst=to_ip) / ICMPv6EchoRequest(id=7, seq=number)


def udp(mac: str, ip: str, to_ip: str, port: int, *, to_mac: str = EVERYBODY, size: int = 5) -> Packet:
    """A UDP datagram."""
    return Ether(src=mac, dst=to_mac) / IP(src=ip, dst=to_ip, id=0) / UDP(sport=port, dport=port) / Raw(b"u" * size)


def _from_client(mac: str, xid: int, options: Sequence[object]) -> Packet:
    bootp = BOOTP(op=1, xid=xid, chaddr=bytes.fromhex(mac.replace(":", "")))
    ip = IP(src="0.0.0.0", dst="255.255.255.255")
    return Ether(src=mac, dst=EVERYBODY) / ip / UDP(sport=68, dport=67) / bootp / DHCP(options=options)
