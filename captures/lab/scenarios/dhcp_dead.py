"""The server is dead: nobody in the network is answered."""

import time

from captures.lab.cloud import GuestNetwork
from captures.lab.guest import Guest
from captures.lab.noise import neighbours
from captures.lab.post import pcapng, snap, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, Trunk, at_tap


@scenario
def dhcp_server_dead_dhclient(lab: Lab) -> None:
    """The router runs but its dnsmasq is dead. A Debian guest with dhclient asks for most of a minute."""
    stage = Stage(lab, GuestNetwork(cidr="10.31.7.0/24", gateway="10.31.7.1", number=0x131, vlan=317), first_tap=3)
    guest = stage.guest(0x16, "web-1")
    with lab.record(*at_tap(guest)):
        guest.dhclient(seconds=50)
    lab.shows("dhcp.option.dhcp == 1", 3)
    lab.hides("dhcp.type == 2")
    lab.fault("DHCP001", "dhcp.option.dhcp == 1", mac=guest.mac)


@scenario
def dhcp_server_dead_udhcpc(lab: Lab) -> None:
    """The router's dnsmasq is dead. An Alpine guest with udhcpc asks, waits its 20 s, and asks again; neighbours with
    static addresses go on talking. Recorded on the bridge."""
    stage = Stage(lab, GuestNetwork(cidr="172.20.8.0/22", gateway="172.20.8.1", number=0x2A7), first_tap=11)
    guest = stage.guest(0x1B1, "alpine-2")
    with lab.record(*stage.at_bridge, told=False, steps=(pcapng,), compress="gz"):
        neighbours(stage, 0x21, 0x22)
        guest.udhcpc(seconds=42)
    lab.shows("dhcp.option.dhcp == 1", 5)
    lab.hides("dhcp.type == 2")
    lab.shows("mdns")
    lab.fault("DHCP001", "dhcp.option.dhcp == 1", mac=guest.mac)


@scenario
def dhcp_server_dead_apipa(lab: Lab) -> None:
    """The router's dnsmasq is dead. A guest with dhcpcd gives up after 20 s and takes a 169.254 address."""
    stage = Stage(lab, GuestNetwork(cidr="10.66.0.0/23", gateway="10.66.1.254", number=0x166), first_tap=8)
    guest = stage.guest(0x4D, "arch-1")
    with lab.record(*at_tap(guest), nano=True):
        guest.dhcpcd(seconds=62, more="reboot 20")
    lab.shows("dhcp.option.dhcp == 1", 3)
    lab.shows("arp.src.proto_ipv4 == 169.254.0.0/16", 2)
    lab.fault("DHCP001", "dhcp.option.dhcp == 1", mac=guest.mac)
    lab.consequence("DHCP022", mac=guest.mac)


@scenario
def dhcp_server_dead_nic_tagged(lab: Lab) -> None:
    """The router on another host runs without dnsmasq. Recorded at the NIC of the guest's host, a trunk port, where
    the guest's requests leave tagged; a neighbour of the same VLAN pings the router all the while."""
    network = GuestNetwork(cidr="192.168.140.0/24", gateway="192.168.140.254", number=0x2C1, vlan=1140)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "ens1f0", "trunks=1140,1141") for name in ("kvm1", "kvm2"))
    bridge = here.vlan(1140)
    router = Router(there.host, there.vlan(1140), network)
    guest = Guest(here.host, bridge, network.mac(0x31), "app-7")
    neighbour = Guest(here.host, bridge, network.mac(0x32), "app-8")
    neighbour.address(network.ip(50), 24, network.gateway)
    with lab.record(*here.at_nic, told=False, nano=True, steps=(wire((guest.mac, neighbour.mac)),), compress="zst"):
        neighbour.ns.spawn("ping", "-i", "7", network.gateway)
        guest.udhcpc(seconds=32)
    lab.shows("vlan.id == 1140 && dhcp.option.dhcp == 1", 3)
    lab.shows(f"vlan.id == 1140 && icmp.type == 0 && eth.src == {router.mac}", 2)
    lab.hides("dhcp.type == 2")
    lab.fault("DHCP001", "dhcp.option.dhcp == 1", mac=guest.mac, vlan=1140)


@scenario
def dhcp_server_dead_short_snap_length(lab: Lab) -> None:
    """The router's dnsmasq is dead. A guest with udhcpc asks for half a minute; neighbours with static addresses talk.
    An old script recorded the bridge with a snap length of 96: of every DHCP message the options are cut off."""
    stage = Stage(lab, GuestNetwork(cidr="10.67.0.0/24", gateway="10.67.0.1", number=0x167), first_tap=18)
    guest = stage.guest(0x4E, "alpine-3")
    with lab.record(*stage.at_bridge, told=False, steps=(snap(96),), compress="gz", linger=7):
        neighbours(stage, 0x21, 0x22)
        guest.udhcpc(seconds=32)
    lab.shows(f"dhcp.type == 1 && dhcp.hw.mac_addr == {guest.mac} && frame.len > frame.cap_len", 4)
    lab.hides("dhcp.type == 2")
    lab.fault("DHCP001", "dhcp.type == 1", mac=guest.mac)


@scenario
def dhcp_server_dies_midway(lab: Lab) -> None:
    """The router serves two guests, then its dnsmasq dies: two more, known to it as well, ask in vain, one by udhcpc
    and one by dhclient. Recorded on the bridge among eight neighbours."""
    stage = Stage(lab, GuestNetwork(cidr="10.31.5.0/24", gateway="10.31.5.1", number=0x315), first_tap=4)
    guests = [stage.guest(0x20 + n, f"web-{n}") for n in range(4)]
    stage.serve()
    with lab.record(*stage.at_bridge, compress="gz", linger=6):
        neighbours(stage, *range(0x61, 0x69))
        for guest in guests[:2]:
            guest.udhcpc()
            time.sleep(2)
        stage.router.stop_dhcp()
        guests[2].udhcpc(seconds=1)
        guests[3].dhclient(seconds=35)
    unserved = " || ".join(f"dhcp.hw.mac_addr == {one.mac}" for one in guests[2:])
    lab.shows(f"dhcp.option.dhcp == 1 && ({unserved})", 6)
    lab.hides(f"dhcp.type == 2 && ({unserved})")
    lab.fault("DHCP001", f"dhcp.option.dhcp == 1 && ({unserved})")
    for guest in guests[:2]:
        lab.proof("DHCP031", f"dhcp.option.dhcp == 5 && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)
