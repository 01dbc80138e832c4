"""A VLAN that the switch does not carry, and what only looks like it. Recorded at the NIC of a trunk."""

import time

from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.guest import Guest
from captures.lab.post import pcapng, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Trunk, TrunkHost


def neighbours(
    here: TrunkHost, there: TrunkHost, network: GuestNetwork, *, every: str = "2"
) -> tuple[Machine, Machine]:
    """A machine on each host in a VLAN that works; the one here pings the other as long as the scenario runs."""
    near = Machine(here.host, here.vlan(network.vlan), network.mac(0x71), f"near{network.vlan}")
    far = Machine(there.host, there.vlan(network.vlan), network.mac(0x72), f"far{network.vlan}")
    near.address(network.ip(113), network.length)
    far.address(network.ip(114), network.length)
    near.ns.spawn("ping", "-q", "-i", every, network.ip(114))
    return near, far


@scenario
def vlan_missing_on_trunk_dhcp(lab: Lab) -> None:
    """VLAN 317 is not in the list of VLANs that the switch allows on the port of the guest's host. The guest's
    DISCOVERs leave tagged and nothing ever comes back in 317, while 101 works both ways."""
    dead = GuestNetwork(cidr="10.60.0.0/24", gateway="10.60.0.1", number=0x160, vlan=317)
    alive = GuestNetwork(cidr="10.61.0.0/24", gateway="10.61.0.1", number=0x161, vlan=101)
    trunk = Trunk(lab)
    here = trunk.host("kvm1", "eth1", "trunks=101,205")
    there = trunk.host("kvm2", "eth1", "trunks=101,205,317")
    router = Router(there.host, there.vlan(317), dead)
    guest = Guest(here.host, here.vlan(317), dead.mac(0x21), "db-1")
    router.dhcp([(guest.mac, dead.ip(33), guest.name)])
    near, _ = neighbours(here, there, alive)
    with lab.record(*here.at_nic, steps=(wire((guest.mac, near.mac)),), linger=3):
        guest.dhclient(seconds=48)
    lab.shows("vlan.id == 317 && dhcp.option.dhcp == 1", 4)
    lab.shows("vlan.id == 101 && icmp.type == 0", 20)
    lab.hides(f"vlan.id == 317 && eth.src != {guest.mac}")
    lab.fault("VLAN001", "vlan.id == 317 && dhcp.option.dhcp == 1", vlan=317)
    lab.consequence("DHCP001", mac=guest.mac)
    lab.proof("VLAN020", vlan=101)


@scenario
def vlan_missing_on_trunk_arp(lab: Lab) -> None:
    """VLAN 2120 is missing in the switch's database. Two guests with static addresses on one host ask for their gateway
    by ARP in vain; hosts of two other VLANs talk. The role is not told."""
    dead = GuestNetwork(cidr="172.30.4.0/23", gateway="172.30.4.1", number=0x162, vlan=2120)
    alive = [GuestNetwork(cidr=f"172.31.{n}.0/24", gateway=f"172.31.{n}.1", number=n, vlan=n) for n in (77, 78)]
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "ens3f1", "trunks=0,77,78") for name in ("kvm1", "kvm2"))
    bridge = here.vlan(2120)
    guests = [Guest(here.host, bridge, dead.mac(0x31 + n), f"app-{n}") for n in range(2)]
    gateway = Machine(there.host, there.vlan(2120), "00:1c:73:0b:20:01", "gateway")
    gateway.address(dead.gateway, 23)
    local = [guest.mac for guest in guests]
    for network in alive:
        near, _ = neighbours(here, there, network)
        local.append(near.mac)
    for n, guest in enumerate(guests):
        guest.address(dead.ip(300 + n), 23, dead.gateway)
    with lab.record(*here.at_nic, told=False, nano=True, steps=(wire(local),), compress="gz", linger=3):
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "3", dead.gateway)
        time.sleep(24)
    lab.shows(f"vlan.id == 2120 && arp.opcode == 1 && arp.dst.proto_ipv4 == {dead.gateway}", 16)
    lab.hides(f"vlan.id == 2120 && eth.src == {gateway.mac}")
    lab.fault("VLAN001", "vlan.id == 2120 && arp.opcode == 1", vlan=2120)
    lab.proof("VLAN020")


@scenario
def vlan_missing_nested_hosts(lab: Lab) -> None:
    """As vlan-missing-on-trunk-dhcp, with udhcpc, on a host that is itself virtual: nothing is ever padded, so the
    lengths of frames do not tell which host sent them."""
    dead = GuestNetwork(cidr="192.168.31.0/24", gateway="192.168.31.1", number=0x163, vlan=1203)
    alive = GuestNetwork(cidr="192.168.32.0/24", gateway="192.168.32.1", number=0x164, vlan=1204)
    trunk = Trunk(lab)
    here = trunk.host("kvm1", "ens192", "trunks=1204")
    there = trunk.host("kvm2", "ens192", "trunks=1203,1204")
    router = Router(there.host, there.vlan(1203), dead)
    guest = Guest(here.host, here.vlan(1203), dead.mac(0x21), "web-2")
    router.dhcp([(guest.mac, dead.ip(33), guest.name)])
    neighbours(here, there, alive, every="1")
    with lab.record(*here.at_nic, told=False, steps=(pcapng,), linger=3):
        guest.udhcpc(seconds=31)
    lab.shows("vlan.id == 1203 && dhcp.option.dhcp == 1", 3)
    lab.hides(f"vlan.id == 1203 && eth.src != {guest.mac}")
    lab.fault("VLAN001", "vlan.id == 1203 && dhcp.option.dhcp == 1", vlan=1203)
    lab.consequence("DHCP001", mac=guest.mac)
    lab.proof("VLAN020", vlan=1204)


@scenario
def vlan_only_member_with_router(lab: Lab) -> None:
    """A network with a single instance whose router runs on the same host: its broadcasts leave by the NIC tagged 640,
    nobody elsewhere is in that VLAN, and the answers never pass the NIC. All is well."""
    lonely = GuestNetwork(cidr="10.64.0.0/24", gateway="10.64.0.1", number=0x165, vlan=640)
    alive = GuestNetwork(cidr="10.65.0.0/24", gateway="10.65.0.1", number=0x166, vlan=650)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=0,640,650") for name in ("kvm1", "kvm2"))
    bridge = here.vlan(640)
    router = Router(here.host, bridge, lonely)
    guest = Guest(here.host, bridge, lonely.mac(0x21), "solo-1")
    router.dhcp([(guest.mac, lonely.ip(33), guest.name)])
    near, _ = neighbours(here, there, alive)
    with lab.record(*here.at_nic, steps=(wire((guest.mac, router.mac, near.mac)),), linger=3):
        guest.dhclient()
        for _ in range(11):
            guest.ns.run("ping", "-qc", "2", lonely.gateway)
            guest.ns.ip("neigh", "flush", "all")
    lab.shows("vlan.id == 640 && arp.opcode == 1", 5)
    lab.shows("vlan.id == 640 && dhcp.option.dhcp == 3", 1)
    lab.hides("vlan.id == 640 && (arp.opcode == 2 || icmp.type == 0)")
    lab.proof("VLAN020", vlan=650)


@scenario
def vlan_healthy_trunk(lab: Lab) -> None:
    """A trunk with six VLANs and an untagged management network; guests boot and talk across hosts in all of them."""
    trunk = Trunk(lab)
    networks = [
        GuestNetwork(cidr=f"10.{n}.0.0/16", gateway=f"10.{n}.0.1", number=0x100 + n, vlan=100 + n)
        for n in range(70, 76)
    ]
    allowed = "trunks=0," + ",".join(str(network.vlan) for network in networks)
    here, there = (trunk.host(name, "bond0", allowed) for name in ("kvm1", "kvm2"))
    local = [_management(here, there)]
    for network in networks[:3]:
        near, _ = neighbours(here, there, network, every="3")
        local.append(near.mac)
    guests = []
    for network in networks[3:]:
        router = Router(there.host, there.vlan(network.vlan), network, label=f"vr{network.vlan}")
        guest = Guest(here.host, here.vlan(network.vlan), network.mac(0x51), f"web-{network.vlan}")
        router.dhcp([(guest.mac, network.ip(0x51), guest.name)])
        guests.append((guest, network))
    local += [guest.mac for guest, _ in guests]
    with lab.record(here.host.ns, "bond0", "bond", told=False, steps=(wire(local),), compress="zst", linger=6):
        for guest, network in guests:
            guest.udhcpc()
            guest.ns.run("ping", "-qc", "3", network.gateway)
    for network in networks[:3]:
        lab.proof("VLAN020", vlan=network.vlan)
    for guest, network in guests:
        lab.proof("VLAN020", vlan=network.vlan)
        lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


def _management(here: TrunkHost, there: TrunkHost) -> str:
    """Two hosts' own addresses on the untagged network; the one here pings the other. Its MAC."""
    near = Machine(here.host, here.native(), "b8:59:9f:00:10:01", "mgmt1")
    far = Machine(there.host, there.native(), "b8:59:9f:00:10:02", "mgmt2")
    near.address("192.168.10.11", 24)
    far.address("192.168.10.12", 24)
    near.ns.spawn("ping", "-q", "-i", "1", "192.168.10.12")
    return near.mac
