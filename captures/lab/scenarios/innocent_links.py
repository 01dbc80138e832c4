"""Healthy trunks and bridges on which the same addresses or frames come more often than once."""

import time

from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.guest import Guest
from captures.lab.keepalived import keepalived
from captures.lab.post import pcapng, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, Trunk


@scenario
def innocent_legs_of_one_host(lab: Lab) -> None:
    """A storage server has a leg in each of three VLANs, all with its one MAC, and so the same link-local IPv6 address
    in each; it solicits routers and is pinged in all of them. Recorded at the NIC of a host. Healthy."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=0,1011,1012,1013") for name in ("kvm1", "kvm2"))
    mac = "00:a0:98:00:31:20"
    ours = []
    with lab.record(*here.at_nic, told=False, steps=(wire((mac,)), pcapng), linger=1):
        for n, vlan in enumerate((1011, 1012, 1013)):
            leg = Machine(here.host, here.vlan(vlan), mac, f"leg{vlan}", ipv6=True)
            leg.address(f"10.131.{n}.20", 24)
            other = Guest(there.host, there.vlan(vlan), f"b8:59:9f:00:31:2{n}", f"kvm2-{vlan}")
            other.address(f"10.131.{n}.12", 24)
            ours.append((leg, f"10.131.{n}.12"))
        time.sleep(3)
        for leg, target in ours:
            leg.ns.run("ping", "-qc", "3", "-i", "0.4", target)
        time.sleep(5)
    for vlan in (1011, 1012, 1013):
        lab.shows(f"vlan.id == {vlan} && eth.src == {mac} && ipv6.src_host == fe80::2a0:98ff:fe00:3120", 3)


@scenario
def innocent_gateway_of_two_tenants(lab: Lab) -> None:
    """A fabric's gateway has one MAC in every VLAN (an anycast gateway), and two tenants chose the same addresses: it
    is 192.168.0.1 for both. It announces itself in all VLANs at once, and their guests ping it. Recorded at the NIC of
    their host. Healthy."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=0,1021,1022") for name in ("kvm1", "kvm2"))
    guests = []
    for n, vlan in enumerate((1021, 1022)):
        network = GuestNetwork(cidr="192.168.0.0/24", gateway="192.168.0.1", number=0x331 + n, vlan=vlan)
        gateway = Machine(there.host, there.vlan(vlan), "00:1c:73:00:00:99", f"gw{vlan}")
        gateway.address("192.168.0.1", 24)
        guest = Guest(here.host, here.vlan(vlan), network.mac(0x15), f"web-{vlan}")
        guest.address("192.168.0.57", 24, "192.168.0.1")
        guests.append((guest, gateway))
    macs = [guest.mac for guest, _ in guests]
    with lab.record(*here.at_nic, told=False, steps=(wire(macs),), linger=1):
        for _ in range(4):
            for _, gateway in guests:
                gateway.ns.spawn("arping", "-Aqc", "1", "-I", "eth0", "192.168.0.1")
            time.sleep(1)
            for guest, gateway in guests:
                gateway.ns.run("ip", "neigh", "flush", "all")
                guest.ns.run("ping", "-qc", "2", "-i", "0.4", "192.168.0.1")
    for vlan in (1021, 1022):
        lab.shows(f"vlan.id == {vlan} && eth.src == 00:1c:73:00:00:99", 8)


@scenario
def innocent_burst_of_announcements(lab: Lab) -> None:
    """The two routers of a pair are set up to announce the gateway's address twenty times in a row when they take it;
    the first one does. Recorded on the bridge. Healthy."""
    network = GuestNetwork(cidr="10.132.0.0/24", gateway="10.132.0.1", number=0x334)
    stage = Stage(lab, network, first_tap=5, router=False)
    guest = stage.guest(0x46, "web-1")
    guest.address(network.ip(63), 24, network.gateway)
    router = Router(stage.host, stage.bridge, network, ip=network.ip(2), mac=network.mac(2), label="vr2")
    with lab.record(*stage.at_bridge, linger=1):
        keepalived(router, network, priority=100, announces=20)
        time.sleep(6)
        guest.ns.run("ping", "-qc", "4", network.gateway)
    lab.shows("arp.isgratuitous", 20)
