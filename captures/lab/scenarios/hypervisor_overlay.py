"""Overlays between hosts: ports and identifiers that differ, an endpoint that is missing, an underlay too small."""

import time

from captures.lab.cloud import GuestNetwork, Machine, veth
from captures.lab.guest import Guest
from captures.lab.overlay import IANA_PORT, LINUX_PORT, OverlayHost, Underlay
from captures.lab.post import pcapng, snap
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario

_A, _B = "172.31.9.11", "172.31.9.12"
_GROUP = "239.0.19.138"


def _hosts(lab: Lab, *, mtu: int = 1600) -> tuple[OverlayHost, OverlayHost]:
    underlay = Underlay(lab)
    return underlay.host("kvm1", _A, mtu=mtu), underlay.host("kvm2", _B, first_tap=20, mtu=mtu)


def _pair(network: GuestNetwork, here: OverlayHost, there: OverlayHost, *bridges: str) -> tuple[Machine, Machine]:
    """A guest with a static address on each host."""
    near = Machine(here.host, bridges[0], network.mac(0x21), f"near{network.number}")
    far = Machine(there.host, bridges[1], network.mac(0x22), f"far{network.number}")
    near.address(network.ip(21), 24, network.gateway)
    far.address(network.ip(22), 24, network.gateway)
    return near, far


@scenario
def overlay_boot(lab: Lab) -> None:
    """A guest on one host boots and gets its lease from the router on another, through VXLAN 5001; a second network,
    5002, has two guests that ask each other for nobody. Recorded in the underlay. Healthy."""
    here, there = _hosts(lab)
    network = GuestNetwork(cidr="10.141.0.0/24", gateway="10.141.0.1", number=0x2E1)
    other = GuestNetwork(cidr="10.142.0.0/24", gateway="10.142.0.1", number=0x2E2)
    bridge = here.network(5001, _B)
    router = Router(there.host, there.network(5001, _A), network)
    guest = Guest(here.host, bridge, network.mac(0x12), "web-1")
    router.dhcp([(guest.mac, network.ip(18), guest.name)])
    near, far = _pair(other, here, there, here.network(5002, _B), there.network(5002, _A))
    with lab.record(*here.at_nic, told=False, compress="gz", linger=2):
        guest.dhclient()
        guest.ns.run("ping", "-qc", "3", network.gateway)
        near.ns.run("ping", "-qc", "3", other.ip(22))
        near.ns.run("ping", "-qc", "2", "-s", "1472", other.ip(22))
        far.ns.run("ping", "-qc", "4", other.ip(77), check=False)
    lab.shows("vxlan.vni == 5001 && dhcp.option.dhcp == 5", 1)
    lab.shows("vxlan.vni == 5002 && icmp.type == 0", 3)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def overlay_two_side_by_side(lab: Lab) -> None:
    """Two overlays between the same hosts: one on Linux' port, one on IANA's, with the same identifiers. In each, one
    side asks for an instance that is off, and pairs that are on talk. Healthy."""
    here, there = _hosts(lab)
    networks = [GuestNetwork(cidr=f"10.14{n}.0.0/24", gateway=f"10.14{n}.0.1", number=0x2E0 + n) for n in (3, 4)]
    machines = []
    for n, (network, port) in enumerate(zip(networks, (LINUX_PORT, IANA_PORT), strict=True)):
        bridges = here.network(5003, _B, port=port, name=5003 + n), there.network(5003, _A, port=port, name=5003 + n)
        machines.append(_pair(network, here, there, *bridges))
    with lab.record(*there.at_nic, told=False, steps=(pcapng,), linger=2):
        for (near, far), network in zip(machines, networks, strict=True):
            near.ns.run("ping", "-qc", "3", network.ip(22))
            near.ns.run("ping", "-qc", "4", network.ip(88), check=False)
            far.ns.run("ping", "-qc", "4", network.ip(99), check=False)
    for port in (LINUX_PORT, IANA_PORT):
        lab.shows(f"udp.dstport == {port} && icmp.type == 0", 3)


@scenario
def overlay_quiet_members(lab: Lab) -> None:
    """Two networks between two hosts. In 5005 only the guest here is on and asks for one that is off; in 5006 only the
    guest there, likewise. Each host sends an identifier that the other never does, and all is well."""
    here, there = _hosts(lab)
    networks = [GuestNetwork(cidr=f"10.14{n}.0.0/24", gateway=f"10.14{n}.0.1", number=0x2E0 + n) for n in (5, 6)]
    near, silent = _pair(networks[0], here, there, here.network(5005, _B), there.network(5005, _A))
    quiet, far = _pair(networks[1], here, there, here.network(5006, _B), there.network(5006, _A))
    for machine in (silent, quiet):
        machine.ns.ip("link", "set", "eth0", "down")
    with lab.record(*here.at_nic, told=False, linger=2):
        near.ns.spawn("ping", "-qc", "8", networks[0].ip(22))
        far.ns.run("ping", "-qc", "8", networks[1].ip(21), check=False)
        time.sleep(2)
    for vni in (5005, 5006):
        lab.shows(f"vxlan.vni == {vni} && arp.opcode == 1", 3)
    lab.hides("vxlan && arp.opcode == 2")


@scenario
def overlay_port_mismatch(lab: Lab) -> None:
    """One host made the network's device without a port (Linux: 8472), the other for EVPN (4789). The guest's requests
    and the router's neighbours' leave their hosts, and each host refuses the other's packets."""
    here, there = _hosts(lab)
    network = GuestNetwork(cidr="10.147.0.0/24", gateway="10.147.0.1", number=0x2E7)
    bridge = here.network(5007, _B)
    router = Router(there.host, there.network(5007, _A, port=IANA_PORT), network)
    guest = Guest(here.host, bridge, network.mac(0x12), "web-1")
    router.dhcp([(guest.mac, network.ip(18), guest.name)])
    near = Machine(here.host, bridge, network.mac(0x13), "web-2")
    near.address(network.ip(19), 24)
    with lab.record(*here.at_nic, told=False, compress="gz", linger=5):
        near.ns.spawn("ping", "-q", "-i", "2", network.gateway)
        router.ns.spawn("ping", "-q", "-i", "2", network.ip(19))
        guest.dhclient(seconds=32)
    lab.shows("udp.dstport == 8472 && arp", 3)
    lab.shows("udp.dstport == 4789 && arp", 3)
    lab.shows("icmp.type == 3 && icmp.code == 3", 3)
    lab.fault("HYP021", "(udp.dstport == 8472 || udp.dstport == 4789)")
    lab.consequence("DHCP001", mac=guest.mac)


@scenario
def overlay_port_mismatch_multicast(lab: Lab) -> None:
    """As overlay-port-mismatch, with the multicast script on both hosts, of which one gives port 4789: requests go to
    the group, and nobody refuses them."""
    here, there = _hosts(lab)
    network = GuestNetwork(cidr="172.28.8.0/24", gateway="172.28.8.1", number=0x2E8)
    near, far = _pair(network, here, there, here.network(5002, _GROUP), there.network(5002, _GROUP, port=IANA_PORT))
    with lab.record(*there.at_nic, steps=(pcapng,), compress="zst", linger=3):
        near.ns.spawn("ping", "-q", "-i", "1", network.ip(22))
        far.ns.spawn("ping", "-q", "-i", "1", network.ip(21))
        time.sleep(12)
    lab.shows("udp.dstport == 8472 && arp", 3)
    lab.shows("udp.dstport == 4789 && arp", 3)
    lab.hides("icmp.type == 3 && icmp.code == 3 && !udp.port == 8472")
    lab.fault("HYP021", "udp.dstport == 8472 || udp.dstport == 4789")


@scenario
def overlay_identifier_mismatch(lab: Lab) -> None:
    """The device of a network was made by hand with the wrong identifier on one host. Guests on both hosts ask for each
    other in vain; a second network between the hosts works."""
    here, there = _hosts(lab)
    network = GuestNetwork(cidr="10.149.0.0/24", gateway="10.149.0.1", number=0x2E9)
    works = GuestNetwork(cidr="10.150.0.0/24", gateway="10.150.0.1", number=0x2EA)
    near, far = _pair(network, here, there, here.network(5009, _B), there.network(5090, _A, name=5009))
    good, _ = _pair(works, here, there, here.network(5010, _B), there.network(5010, _A))
    with lab.record(*here.at_nic, told=False, linger=3):
        good.ns.spawn("ping", "-q", "-i", "1", works.ip(22))
        near.ns.spawn("ping", "-q", "-i", "1", network.ip(22))
        far.ns.spawn("ping", "-q", "-i", "1", network.ip(21))
        time.sleep(10)
    lab.shows("vxlan.vni == 5009 && arp.opcode == 1", 3)
    lab.shows("vxlan.vni == 5090 && arp.opcode == 1", 3)
    lab.shows("vxlan.vni == 5010 && icmp.type == 0", 5)
    lab.fault("HYP021", "vxlan.vni == 5009 || vxlan.vni == 5090")


@scenario
def overlay_endpoint_missing(lab: Lab) -> None:
    """The router's host lost its VXLAN device: it refuses every packet of the network. A guest on the other host boots
    in vain."""
    here, there = _hosts(lab)
    network = GuestNetwork(cidr="10.151.0.0/24", gateway="10.151.0.1", number=0x2EB)
    bridge = here.network(5011, _B)
    router = Router(there.host, there.network(5011, _A), network)
    guest = Guest(here.host, bridge, network.mac(0x12), "web-1")
    router.dhcp([(guest.mac, network.ip(18), guest.name)])
    there.drop(5011)
    with lab.record(*there.at_nic, told=False, steps=(snap(128),), linger=6):
        guest.udhcpc(seconds=30)
    lab.shows("icmp.type == 3 && icmp.code == 3", 3)
    lab.fault("HYP021", "icmp.type == 3 && icmp.code == 3")
    lab.consequence("DHCP001", mac=guest.mac)


@scenario
def overlay_in_fragments(lab: Lab) -> None:
    """The underlay was left at an MTU of 1500: every full-size frame of a guest leaves its host in two fragments, which
    do arrive."""
    here, there = _hosts(lab, mtu=1500)
    network = GuestNetwork(cidr="10.152.0.0/24", gateway="10.152.0.1", number=0x2EC)
    bridges = here.network(5012, _B, loose=True), there.network(5012, _A, loose=True)
    near, _ = _pair(network, here, there, *bridges)
    with lab.record(*here.at_nic, told=False, compress="gz", linger=1):
        near.ns.run("ping", "-qc", "3", network.ip(22))
        near.ns.run("ping", "-qc", "6", "-M", "dont", "-s", "1472", network.ip(22))
    lab.shows("ip.flags.mf == 1 && udp.dstport == 8472 || ip.frag_offset > 0", 6)
    lab.fault("HYP023", "ip.flags.mf == 1")


@scenario
def overlay_too_big_for_router(lab: Lab) -> None:
    """The hosts are in two subnets of the underlay, and the router between them has an MTU of 1500 on one side. Tunnels
    do not fragment: full-size frames die there, and the router says so each time. Small ones pass."""
    underlay = Underlay(lab)
    here, there = underlay.host("kvm1", "172.31.9.11"), underlay.host("kvm2", "172.31.10.12", first_tap=20)
    between = lab.namespace("core")
    between.sysctl("net.ipv4.ip_forward", 1)
    for n, (nic, ip) in enumerate((("eth0", "172.31.9.1"), ("eth1", "172.31.10.1"))):
        veth(between, nic, underlay.ns, f"core{n}")
        between.ip("address", "add", f"{ip}/24", "dev", nic)
        between.ip("link", "set", nic, "mtu", ("1600", "1500")[n], "up")
        underlay.ns.ip("link", "set", f"core{n}", "mtu", "1600", "master", "sw0", "up")
    for host, gateway in ((here, "172.31.9.1"), (there, "172.31.10.1")):
        host.host.ns.ip("route", "add", "default", "via", gateway)
    network = GuestNetwork(cidr="10.153.0.0/24", gateway="10.153.0.1", number=0x2ED)
    bridges = here.network(5013, "172.31.10.12", df=True), there.network(5013, "172.31.9.11", df=True)
    near, _ = _pair(network, here, there, *bridges)
    # a host whose firewall drops ICMP never learns
    here.host.ns.run("nft", "add", "table", "inet", "lab")
    here.host.ns.run("nft", "add chain inet lab input { type filter hook prerouting priority -400; }")
    here.host.ns.run("nft", "add rule inet lab input icmp type destination-unreachable drop")
    with lab.record(*here.at_nic, told=False, linger=1):
        near.ns.run("ping", "-qc", "3", network.ip(22))
        near.ns.run("ping", "-qc", "8", "-s", "1472", network.ip(22), check=False)
    lab.shows("icmp.type == 3 && icmp.code == 4", 4)
    lab.fault("HYP023", "icmp.type == 3 && icmp.code == 4")


@scenario
def overlay_port_of_a_client(lab: Lab) -> None:
    """A storage client happens to have 8472 as its own port and gets and sends large UDP datagrams in fragments: no
    overlay at all. Healthy."""
    here, there = _hosts(lab, mtu=1500)
    there.host.ns.spawn("python3", "-c", _ECHO)
    time.sleep(1)
    with lab.record(*here.at_nic, linger=1):
        here.host.ns.run("ping", "-qc", "2", _B)
        here.host.ns.run("python3", "-c", _ASK)
    lab.shows("ip.flags.mf == 1", 6)


_ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 2049))
while True:
    data, who = s.recvfrom(65535)
    s.sendto(data, who)
"""
_ASK = f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 8472))
for _ in range(5):
    s.sendto(bytes(5000), ("{_B}", 2049))
    s.recv(65535)
"""
