"""IPv6: router advertisements and DHCPv6."""

import socket
import struct
import time

from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, at_tap

_MANAGED = 0x80
_RA = "icmpv6.type == 134"
_SOLICIT = "dhcpv6.msgtype == 1"


def _make_router(stage: Stage) -> None:
    """Let the network's router speak IPv6 as a router, which solicits nobody."""
    stage.router.ipv6(True)
    stage.router.ns.sysctl("net.ipv6.conf.all.forwarding", 1)


def advertise(machine: Machine, *, flags: int = 0, prefix: str = "", seconds: float = 5) -> None:
    """Send router advertisements at this pace until the scenario ends; without ``prefix`` with MTU and MAC only."""
    with machine.ns.inside():
        stream = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        target = ("ff02::1", 0, 0, socket.if_nametoindex("eth0"))
    stream.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, flags, 1800, 0, 0)
    body += struct.pack("!BB6s", 1, 1, bytes.fromhex(machine.mac.replace(":", "")))
    body += struct.pack("!BBHI", 5, 1, 0, 1500)
    if prefix:
        on_link, autonomous = 0x80, 0x40
        prefixed = (3, 4, 64, on_link | autonomous, 86400, 14400, 0, socket.inet_pton(socket.AF_INET6, prefix))
        body += struct.pack("!BBBBIII16s", *prefixed)

    def send() -> None:
        while not machine.lab.stopping.wait(seconds):
            stream.sendto(body, target)
        stream.close()

    machine.lab.thread(send)


@scenario
def dhcp6_slaac_works(lab: Lab) -> None:
    """An isolated network with IPv6: the router advertises a prefix, the guest makes its address from it and gets its
    IPv4 lease."""
    stage = Stage(lab, GuestNetwork(cidr="10.131.0.0/24", gateway="10.131.0.1", number=0x211), first_tap=2)
    _make_router(stage)
    guest = stage.guest(0x16, "six-1", ipv6=True)
    stage.serve()
    time.sleep(2)
    advertise(stage.router, prefix="fd00:131::")
    with lab.record(*at_tap(guest), linger=12):
        guest.dhclient()
    lab.shows(f"{_RA} && icmpv6.opt.prefix", 2)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def dhcp6_advertisement_without_prefix(lab: Lab) -> None:
    """The routers of a redundant pair advertise themselves without the prefix: guests keep their link-local address
    only."""
    stage = Stage(lab, GuestNetwork(cidr="10.132.0.0/24", gateway="10.132.0.1", number=0x212), first_tap=4)
    _make_router(stage)
    guest = stage.guest(0x17, "six-2", ipv6=True)
    stage.serve()
    time.sleep(2)
    advertise(stage.router)
    with lab.record(*at_tap(guest), told=False, linger=22, compress="gz"):
        guest.dhclient()
    lab.shows(_RA, 3)
    lab.hides(f"{_RA} && icmpv6.opt.prefix")
    lab.fault("DHCP029", _RA)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def dhcp6_rogue_advertisement(lab: Lab) -> None:
    """A guest advertises itself as IPv6 router with a prefix of its own, beside the router. Recorded on the bridge."""
    stage = Stage(lab, GuestNetwork(cidr="10.133.0.0/24", gateway="10.133.0.1", number=0x213), first_tap=6)
    _make_router(stage)
    victim = stage.guest(0x18, "six-3", ipv6=True)
    culprit = stage.guest(0x19, "six-4", ipv6=True)
    stage.serve()
    time.sleep(2)
    advertise(stage.router, prefix="fd00:133::")
    with lab.record(*stage.at_bridge, linger=18):
        culprit.udhcpc()
        victim.udhcpc()
        advertise(culprit, prefix="fd00:bad::", seconds=4)
    lab.shows(f"{_RA} && eth.src == {culprit.mac}", 3)
    lab.fault("DHCP030", f"{_RA} && eth.src == {culprit.mac}")
    lab.proof("DHCP031", f"dhcp.option.dhcp == 5 && dhcp.hw.mac_addr == {victim.mac}", mac=victim.mac)


@scenario
def dhcp6_solicit_unanswered(lab: Lab) -> None:
    """The upstream router's advertisement tells guests to use DHCPv6 (M=1), but nobody answers their SOLICIT."""
    stage = Stage(lab, GuestNetwork(cidr="10.134.0.0/24", gateway="10.134.0.1", number=0x214), first_tap=8)
    _make_router(stage)
    guest = stage.guest(0x1A, "six-5", ipv6=True)
    stage.serve()
    time.sleep(2)
    advertise(stage.router, flags=_MANAGED, prefix="fd00:134::")
    with lab.record(*at_tap(guest), linger=6):
        guest.dhclient()
        guest.dhclient6(seconds=40)
    lab.shows(_SOLICIT, 4)
    lab.hides("dhcpv6.msgtype == 2")
    lab.fault("DHCP027", _SOLICIT, mac=guest.mac)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)
