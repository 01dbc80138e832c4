"""VLANs that are joined, broadcasts that go round, and what only looks like it."""

import socket
import time

from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.guest import Guest
from captures.lab.post import pcapng, wire
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.vlan_missing import neighbours
from captures.lab.stage import Stage, Trunk


@scenario
def vlan_bridged_by_instance(lab: Lab) -> None:
    """An instance has a NIC in VLAN 901 and one in 902 and bridges the two, as a badly set up appliance does.
    Broadcasts of each network come out in the other. Recorded at the NIC of its host."""
    networks = [
        GuestNetwork(cidr=f"10.90.{n}.0/24", gateway=f"10.90.{n}.1", number=0x190 + n, vlan=900 + n) for n in (1, 2)
    ]
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=901,902") for name in ("kvm1", "kvm2"))
    bridges = [here.vlan(network.vlan) for network in networks]
    appliance = Machine(here.host, bridges[0], networks[0].mac(0x20), "appliance")
    appliance.plug(bridges[1], networks[1].mac(0x20))
    appliance.ns.ip("link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
    for name in ("eth0", "eth1"):
        appliance.ns.ip("link", "set", name, "master", "br0")
    appliance.ns.ip("link", "set", "br0", "up")
    guests = []
    for network in networks:
        bridge = there.vlan(network.vlan)
        for n in range(2):
            guest = Guest(there.host, bridge, network.mac(0x30 + n), f"web-{network.vlan}-{n}")
            guest.address(network.ip(48 + n), 24)
            guests.append(guest)
    local = [nic.mac for nic in appliance.nics]
    with lab.record(*here.at_nic, told=False, steps=(wire(local), pcapng), compress="gz", linger=2):
        for network, pair in zip(networks, (guests[:2], guests[2:]), strict=True):
            pair[0].ns.spawn("ping", "-q", "-i", "1", network.ip(49))
            pair[1].ns.spawn("arping", "-b", "-q", "-I", "eth0", "-i", "2", network.ip(77))
            pair[0].ns.spawn("arping", "-b", "-q", "-I", "eth0", "-i", "2", network.ip(78))
        time.sleep(14)
    lab.shows(f"vlan.id == 902 && arp && eth.src == {guests[0].mac}", 3)
    lab.shows(f"vlan.id == 901 && arp && eth.src == {guests[2].mac}", 3)
    lab.fault("VLAN007", "arp.opcode == 1 && eth.dst == ff:ff:ff:ff:ff:ff")
    for code in ("VLAN008", "HYP017"):
        lab.consequence(code)


@scenario
def vlan_router_on_a_stick(lab: Lab) -> None:
    """A router with one MAC has an address in each of two VLANs and routes between them; guests of both talk through
    it. Healthy."""
    networks = [
        GuestNetwork(cidr=f"10.91.{n}.0/24", gateway=f"10.91.{n}.1", number=0x195 + n, vlan=910 + n) for n in (1, 2)
    ]
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=911,912") for name in ("kvm1", "kvm2"))
    router = Machine(there.host, there.vlan(911), "00:1c:73:0b:91:01", "router")
    router.plug(there.vlan(912), "00:1c:73:0b:91:01")
    router.ns.sysctl("net.ipv4.ip_forward", 1)
    guests = []
    for n, network in enumerate(networks):
        router.address(network.gateway, 24, nic=n)
        guest = Guest(here.host, here.vlan(network.vlan), network.mac(0x31), f"web-{network.vlan}")
        guest.address(network.ip(49), 24, network.gateway)
        guests.append(guest)
    with lab.record(*here.at_nic, steps=(wire([guest.mac for guest in guests]),), linger=2):
        guests[0].ns.spawn("ping", "-q", "-i", "0.5", networks[1].ip(49))
        guests[1].ns.spawn("ping", "-q", "-i", "0.5", networks[0].ip(49))
        time.sleep(8)
    for network in networks:
        lab.shows(f"vlan.id == {network.vlan} && eth.src == {router.mac}", 5)
        lab.proof("VLAN020", vlan=network.vlan)


@scenario
def vlan_loop_two_uplinks(lab: Lab) -> None:
    """A host's bridge has two uplinks to one switch and no spanning tree. For two seconds the second one is plugged
    in: every broadcast goes round until it is pulled. Recorded on the bridge."""
    stage = Stage(lab, GuestNetwork(cidr="10.92.0.0/24", gateway="10.92.0.1", number=0x199), first_tap=3)
    guests = [stage.guest(0x31 + n, f"web-{n}") for n in range(2)]
    beyond = stage.host.bridge("sw0")
    host = stage.host.ns
    for pair in (("up0", "up1"), ("up2", "up3")):
        host.ip("link", "add", pair[0], "type", "veth", "peer", "name", pair[1])
        host.ip("link", "set", pair[1], "master", beyond)
        host.ip("link", "set", pair[0], "up")
        host.ip("link", "set", pair[1], "up")
    for name in ("up2", "up3"):
        slow = ("rate", "120kbit", "burst", "2000", "limit", "9000")
        host.run("tc", "qdisc", "add", "dev", name, "root", "tbf", *slow)
    host.ip("link", "set", "up0", "master", stage.bridge)
    far = [Machine(stage.host, beyond, stage.network.mac(0x60 + n), f"far-{n}") for n in range(2)]
    for n, machine in enumerate((*guests, *far)):
        machine.address(stage.network.ip(40 + n), 24)
    with lab.record(*stage.at_bridge, compress="xz", linger=1.5):
        for n, machine in enumerate((*guests, *far)):
            machine.ns.spawn("ping", "-q", "-i", "1", stage.network.ip(40 + (n + 2) % 4))
        time.sleep(3)
        host.ip("link", "set", "up2", "master", stage.bridge)
        for machine in (guests[0], far[0]):
            machine.ns.spawn("arping", "-b", "-q", "-c", "2", "-I", "eth0", stage.network.ip(99))
        time.sleep(2)
        host.ip("link", "set", "up2", "nomaster")
    lab.shows("arp.opcode == 1 && arp.dst.proto_ipv4 == 10.92.0.99", 100)
    lab.fault("VLAN013", "eth.dst == ff:ff:ff:ff:ff:ff")
    for code in ("HYP015", "DHCP020", "VLAN019"):
        lab.consequence(code)


@scenario
def vlan_broadcast_heavy(lab: Lab) -> None:
    """A busy but healthy network: a sweep of all addresses by ARP, twenty machines that announce themselves, and a
    cluster whose heartbeat is the same multicast frame 15 times a second. No loop."""
    stage = Stage(lab, GuestNetwork(cidr="10.93.0.0/24", gateway="10.93.0.1", number=0x19A), first_tap=20)
    stage.router.dhcp([])
    machines = [stage.guest(0x31 + n, f"node-{n}") for n in range(6)]
    for n, machine in enumerate(machines):
        machine.address(stage.network.ip(40 + n), 24, stage.network.gateway)
    with machines[0].ns.inside():
        sweep = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with machines[1].ns.inside():
        beat = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with lab.record(*stage.at_bridge, told=False, compress="zst", linger=1):
        for n in range(80):
            for address in range(2 + 3 * n, 5 + 3 * n):
                sweep.sendto(b"", (stage.network.ip(min(address, 250)), 9))
            beat.sendto(b"alive", ("239.192.7.7", 5405))
            time.sleep(0.066)
            if n % 20 == 5:
                machines[2 + n // 20].ns.run(
                    "arping", "-q", "-U", "-c", "2", "-w", "2", "-I", "eth0", stage.network.ip(42 + n // 20)
                )
    sweep.close()
    beat.close()
    lab.shows("ip.dst == 239.192.7.7", 60)
    lab.shows("arp.opcode == 1", 150)


@scenario
def vlan_mac_moved(lab: Lab) -> None:
    """An instance is moved from VLAN 931 to 932 while the recorder runs: the same MAC and address in two VLANs, one
    after the other. Healthy."""
    network = GuestNetwork(cidr="10.94.0.0/24", gateway="10.94.0.1", number=0x19B, vlan=931)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=931,932,940") for name in ("kvm1", "kvm2"))
    first, second = here.vlan(931), here.vlan(932)
    guest = Guest(here.host, first, network.mac(0x31), "web-1")
    guest.address(network.ip(49), 24)
    for vlan in (931, 932):
        peer = Machine(there.host, there.vlan(vlan), network.mac(0x40 + vlan % 10), f"peer{vlan}")
        peer.address(network.ip(50), 24)
    alive = GuestNetwork(cidr="10.95.0.0/24", gateway="10.95.0.1", number=0x19C, vlan=940)
    near, _ = neighbours(here, there, alive)
    with lab.record(*here.at_nic, told=False, steps=(wire((guest.mac, near.mac)),), linger=2):
        guest.ns.run("ping", "-qc", "4", network.ip(50))
        here.host.ns.ip("link", "set", guest.tap, "master", second)
        guest.ns.ip("neigh", "flush", "all")
        guest.ns.run("ping", "-qc", "4", network.ip(50))
    for vlan in (931, 932):
        lab.shows(f"vlan.id == {vlan} && eth.src == {guest.mac}", 4)
        lab.proof("VLAN020", vlan=vlan)
