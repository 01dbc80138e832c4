"""Guests that boot, for tests of this topic's rules."""

from collections.abc import Sequence

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6MLReport2, ICMPv6ND_RA, ICMPv6ND_RS, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from pcapdx.site import Guest, Network, Router, Site
from tests.rules.build import EVERYBODY, Tape

GUEST, OTHER, ROUTER = "02:01:00:71:00:16", "02:01:00:71:00:17", "02:01:00:71:00:01"
G_IP, O_IP, R_IP = "10.1.1.16", "10.1.1.17", "10.1.1.1"
SITE = Site(
    guest=(Guest(mac=GUEST, ip=G_IP, name="web-1"),),
    network=(Network(cidr="10.1.1.0/24", gateway=R_IP),),
    router=(Router(mac=ROUTER, ips=(R_IP,)),),
)
BY_MAC = bytes.fromhex("01" + GUEST.replace(":", ""))
BY_MACHINE = bytes.fromhex("ffb55e67ff00020000ab119d3e7a6041c28815")


def ask(
    kind: str,
    mac: str = GUEST,
    *,
    outside: str = "",
    xid: int = 1,
    giaddr: str = "0.0.0.0",
    says: Sequence[object] = (),
) -> Packet:
    """A DHCP message of a client, with more options in scapy's words."""
    bootp = BOOTP(op=1, xid=xid, giaddr=giaddr, chaddr=bytes.fromhex(mac.replace(":", "")))
    ip = IP(src="0.0.0.0", dst="255.255.255.255")
    dhcp = DHCP(options=[("message-type", kind), *says, "end"])
    return Ether(src=outside or mac, dst=EVERYBODY) / ip / UDP(sport=68, dport=67) / bootp / dhcp


def tell(kind: str, mac: str = GUEST, ip: str = G_IP, *, xid: int = 1, more: Sequence[object] = ()) -> Packet:
    """The router's answer."""
    listed = [
        ("message-type", kind),
        ("server_id", R_IP),
        ("lease_time", 0xFFFFFFFF),
        ("subnet_mask", "255.255.255.0"),
        ("router", R_IP),
        *more,
        "end",
    ]
    bootp = BOOTP(op=2, xid=xid, yiaddr=ip, siaddr=R_IP, chaddr=bytes.fromhex(mac.replace(":", "")))
    return Ether(src=ROUTER, dst=mac) / IP(src=R_IP, dst=ip) / UDP(sport=67, dport=68) / bootp / DHCP(options=listed)


def boot(
    tape: Tape, at_s: float, mac: str = GUEST, ip: str = G_IP, *, xid: int = 1, says: Sequence[object] = (),
    told: Sequence[object] = (),
) -> Tape:  # fmt: skip
    """DISCOVER, OFFER, REQUEST, ACK; more options of the client in ``says``, of the server in ``told``."""
    takes = [("requested_addr", ip), ("server_id", R_IP), *says]
    tape.add(at_s, ask("discover", mac, xid=xid, says=says))
    tape.add(at_s + 0.01, tell("offer", mac, ip, xid=xid, more=told))
    tape.add(at_s + 0.02, ask("request", mac, xid=xid, says=takes))
    return tape.add(at_s + 0.03, tell("ack", mac, ip, xid=xid, more=told))


def solicitation(mac: str = GUEST) -> Packet:
    """A host asks for IPv6 routers."""
    return Ether(src=mac, dst="33:33:00:00:00:02") / IPv6(src="fe80::1", dst="ff02::2", hlim=255) / ICMPv6ND_RS()


def report(mac: str = GUEST) -> Packet:
    """It tells which multicast groups it is in."""
    return Ether(src=mac, dst="33:33:00:00:00:16") / IPv6(src="fe80::1", dst="ff02::16", hlim=1) / ICMPv6MLReport2()


def advertisement(mac: str = ROUTER) -> Packet:
    """A router answers."""
    return Ether(src=mac, dst="33:33:00:00:00:01") / IPv6(src="fe80::99", dst="ff02::1", hlim=255) / ICMPv6ND_RA()
