"""Switch ports that are set up wrongly: access for trunk, native VLANs that differ, a gateway that is down."""

import time

from captures.lab.artefacts import noting_filter
from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.guest import Guest
from captures.lab.post import pcapng, snap, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.vlan_missing import neighbours
from captures.lab.stage import Stage, Trunk, at_tap


@scenario
def vlan_access_port_for_trunk(lab: Lab) -> None:
    """The switch port of the guests' host is an access port of VLAN 30. Guests of two VLANs ask in vain; all that ever
    comes in is the untagged chatter of machines in VLAN 30."""
    networks = [
        GuestNetwork(cidr=f"10.80.{n}.0/24", gateway=f"10.80.{n}.1", number=0x180 + n, vlan=810 + n) for n in (1, 2)
    ]
    trunk = Trunk(lab)
    here = trunk.host("kvm1", "enp4s0f0", "tag=30")
    there = trunk.host("kvm2", "enp4s0f0", "trunks=30,811,812")
    guests = []
    for network in networks:
        router = Router(there.host, there.vlan(network.vlan), network, label=f"vr{network.vlan}")
        guest = Guest(here.host, here.vlan(network.vlan), network.mac(0x22), f"web-{network.vlan}")
        router.dhcp([(guest.mac, network.ip(34), guest.name)])
        guests.append(guest)
    office = [Machine(there.host, None, f"3c:52:82:00:30:0{n}", f"desk{n}") for n in range(3)]
    bridge = there.vlan(30)
    for n, desk in enumerate(office):
        there.host.ns.ip("link", "set", desk.tap, "master", bridge)
        desk.address(f"192.168.30.{10 + n}", 24)
    with lab.record(*here.at_nic, steps=(wire([guest.mac for guest in guests]),), linger=3):
        for desk in office:
            desk.ns.spawn("arping", "-b", "-q", "-I", "eth0", "192.168.30.99")
        clients = [guest.udhcpc(seconds=0) for guest in guests]
        time.sleep(40)
    for guest, client in zip(guests, clients, strict=True):
        guest.stop(client)
    lab.shows("vlan && dhcp.option.dhcp == 1", 10)
    lab.shows("!vlan && arp", 60)
    lab.hides("vlan && dhcp.type == 2")
    lab.fault("VLAN006", "(vlan && dhcp.option.dhcp == 1) || (!vlan && arp)")
    for code in ("VLAN001", "DHCP001"):
        lab.consequence(code)


@scenario
def vlan_native_mismatch(lab: Lab) -> None:
    """On the switch port of the guest's host, the guest's VLAN 455 is the native one, so that the switch sends it
    untagged, while the host expects it tagged. The guest's requests leave tagged, every answer comes back untagged and
    never reaches it; other VLANs work."""
    network = GuestNetwork(cidr="10.82.0.0/24", gateway="10.82.0.1", number=0x182, vlan=455)
    alive = GuestNetwork(cidr="10.83.0.0/24", gateway="10.83.0.1", number=0x183, vlan=456)
    trunk = Trunk(lab)
    here = trunk.host("kvm1", "eth1", "vlan_mode=native-untagged", "tag=455", "trunks=455,456")
    there = trunk.host("kvm2", "eth1", "trunks=455,456")
    router = Router(there.host, there.vlan(455), network)
    guest = Guest(here.host, here.vlan(455), network.mac(0x23), "web-1")
    router.dhcp([(guest.mac, network.ip(35), guest.name)])
    near, _ = neighbours(here, there, alive)
    with lab.record(*here.at_nic, steps=(wire((guest.mac, near.mac)),), linger=3):
        guest.dhclient(seconds=25)
    lab.shows(f"vlan.id == 455 && eth.src == {guest.mac}", 3)
    lab.shows("!vlan && dhcp.option.dhcp == 2", 3)
    lab.hides("vlan.id == 455 && dhcp.type == 2")
    lab.fault("VLAN004", "dhcp", vlan=455)
    for code in ("DHCP001", "DHCP008", "DHCP003"):
        lab.consequence(code)
    lab.proof("VLAN020", vlan=456)


@scenario
def vlan_native_mismatch_arp(lab: Lab) -> None:
    """As vlan-native-mismatch, with guests that have static addresses: their ARP requests leave tagged 20, the answers
    come untagged, and they ask again every second. The role is not told; frames are cut at 96 bytes."""
    network = GuestNetwork(cidr="172.24.20.0/24", gateway="172.24.20.1", number=0x184, vlan=20)
    alive = GuestNetwork(cidr="172.24.21.0/24", gateway="172.24.21.1", number=0x185, vlan=21)
    trunk = Trunk(lab)
    here = trunk.host("kvm1", "em2", "vlan_mode=native-untagged", "tag=20", "trunks=20,21")
    there = trunk.host("kvm2", "em2", "trunks=20,21")
    gateway = Machine(there.host, there.vlan(20), "00:1c:73:0b:20:01", "gateway")
    gateway.address(network.gateway, 24)
    bridge = here.vlan(20)
    guests = [Guest(here.host, bridge, network.mac(0x24 + n), f"app-{n}") for n in range(2)]
    near, _ = neighbours(here, there, alive)
    local = [near.mac, *(guest.mac for guest in guests)]
    for n, guest in enumerate(guests):
        guest.address(network.ip(36 + n), 24, network.gateway)
    with lab.record(*here.at_nic, told=False, nano=True, steps=(wire(local), snap(96)), compress="lz4", linger=3):
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "2", network.gateway)
        time.sleep(14)
    lab.shows("vlan.id == 20 && arp.opcode == 1", 12)
    lab.shows("!vlan && arp.opcode == 2", 12)
    lab.fault("VLAN004", "arp", vlan=20)
    lab.proof("VLAN020", vlan=21)


@scenario
def vlan_native_mismatch_at_router(lab: Lab) -> None:
    """As vlan-native-mismatch, at the port of the router's host: what the guests ask for arrives there untagged, and
    the router, tagged 465 on its side, never gets it. Recorded at that host's NIC."""
    network = GuestNetwork(cidr="10.87.0.0/24", gateway="10.87.0.1", number=0x18A, vlan=465)
    alive = GuestNetwork(cidr="10.88.0.0/24", gateway="10.88.0.1", number=0x18B, vlan=466)
    trunk = Trunk(lab)
    here = trunk.host("kvm1", "eth1", "vlan_mode=native-untagged", "tag=465", "trunks=465,466")
    there = trunk.host("kvm2", "eth1", "trunks=465,466")
    router = Router(here.host, here.vlan(465), network)
    bridge = there.vlan(465)
    guests = [Guest(there.host, bridge, network.mac(0x2A + n), f"web-{n}") for n in range(2)]
    for n, guest in enumerate(guests):
        guest.address(network.ip(40 + n), 24, network.gateway)
    near, _ = neighbours(here, there, alive)
    with lab.record(*here.at_nic, told=False, steps=(wire((router.mac, near.mac)),), compress="xz", linger=3):
        router.ns.spawn("arping", "-b", "-q", "-c", "3", "-I", "eth0", network.ip(50))
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "2", network.gateway)
        time.sleep(14)
    lab.shows(f"!vlan && eth.src == {guests[0].mac}", 3)
    lab.shows(f"vlan.id == 465 && eth.src == {router.mac}", 3)
    lab.hides("arp.opcode == 2 && arp.src.proto_ipv4 == 10.87.0.1")
    lab.fault("VLAN004", "!vlan && arp", vlan=465)
    lab.proof("VLAN020", vlan=466)


@scenario
def vlan_gateway_silent(lab: Lab) -> None:
    """The physical gateway of a shared network is down. The guests of VLAN 700 reach each other across hosts, and all
    ask for the gateway in vain."""
    network = GuestNetwork(cidr="10.84.0.0/22", gateway="10.84.3.254", number=0x186, vlan=700)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=700") for name in ("kvm1", "kvm2"))
    bridge, beyond = here.vlan(700), there.vlan(700)
    guests = [Guest(here.host, bridge, network.mac(0x25 + n), f"web-{n}") for n in range(2)]
    others = [Guest(there.host, beyond, network.mac(0x35 + n), f"db-{n}") for n in range(3)]
    for n, guest in enumerate((*guests, *others)):
        guest.address(network.ip(50 + n), 22, network.gateway)
    with lab.record(*here.at_nic, told=False, steps=(wire([guest.mac for guest in guests]),), linger=3):
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "2", "192.0.2.7")
            for n in range(3):
                guest.ns.spawn("ping", "-q", "-i", "3", network.ip(52 + n))
        time.sleep(12)
    lab.shows(f"arp.opcode == 1 && arp.dst.proto_ipv4 == {network.gateway}", 10)
    lab.hides(f"arp.src.proto_ipv4 == {network.gateway}")
    lab.fault("VLAN019", f"arp.dst.proto_ipv4 == {network.gateway}", vlan=700)
    lab.proof("VLAN020", vlan=700)


@scenario
def vlan_gateway_silent_tap(lab: Lab) -> None:
    """The gateway that the lease names is down; the DHCP server and a neighbour answer. Recorded at the guest's tap."""
    network = GuestNetwork(
        cidr="192.168.44.0/24", gateway="192.168.44.1", server="192.168.44.2", number=0x187, vlan=144
    )
    stage = Stage(lab, network, first_tap=4)
    guest = stage.guest(0x26, "mail-2", ip="192.168.44.66")
    neighbour = stage.guest(0x27, "mail-3", ip="192.168.44.67")
    neighbour.address("192.168.44.67", 24)
    stage.serve()
    with lab.record(*at_tap(guest), linger=3):
        guest.udhcpc()
        guest.ns.run("ping", "-qc", "2", "192.168.44.67")
        guest.ns.run("ping", "-qc", "2", "192.168.44.2")
        guest.ns.run("ping", "-qc", "5", "192.0.2.7", check=False)
        guest.ns.run("ping", "-qc", "5", "192.0.2.7", check=False)
    lab.shows("arp.opcode == 1 && arp.dst.proto_ipv4 == 192.168.44.1", 3)
    lab.fault("VLAN019", "arp.dst.proto_ipv4 == 192.168.44.1")
    lab.consequence("DHCP020", mac=guest.mac)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def vlan_system_vm_guesses_gateway(lab: Lab) -> None:
    """A system VM boots: it pings its gateway, which answers, and the first address of the management network, which it
    only guesses to be one. That nobody answers there is no fault."""
    network = GuestNetwork(cidr="10.85.0.0/24", gateway="10.85.0.254", number=0x188, vlan=850)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth0", "trunks=850") for name in ("kvm1", "kvm2"))
    ssvm = Guest(here.host, here.vlan(850), "1e:00:b2:00:00:11", "s-1-VM")
    beyond = there.vlan(850)
    hosts = [Machine(there.host, beyond, f"b8:59:9f:00:85:0{n}", f"host{n}") for n in range(3)]
    ssvm.address("10.85.0.20", 24, network.gateway)
    for host, ip in zip(hosts, (network.gateway, "10.85.0.31", "10.85.0.32"), strict=True):
        host.address(ip, 24)
    with lab.record(*here.at_nic, steps=(wire((ssvm.mac,)), pcapng), linger=3):
        for ip in (network.gateway, "10.85.0.1", "10.85.0.31", "10.85.0.32"):
            ssvm.ns.run("ping", "-qc", "3", "-W", "1", ip, check=False)
    lab.shows("arp.opcode == 1 && arp.dst.proto_ipv4 == 10.85.0.1", 3)
    lab.proof("VLAN020", vlan=850)


@scenario
def capture_filter_hides_tags(lab: Lab) -> None:
    """A guest boots, is served, and talks. The recorder at the NIC of its host had the filter "arp or port 67 or port
    68", which frames that carry their tag in themselves do not match: only what came in is in the file."""
    network = GuestNetwork(cidr="10.86.0.0/24", gateway="10.86.0.1", number=0x189, vlan=860)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth2", "trunks=0,860") for name in ("kvm1", "kvm2"))
    router = Router(there.host, there.vlan(860), network)
    guest = Guest(here.host, here.vlan(860), network.mac(0x28), "web-1")
    router.dhcp([(guest.mac, network.ip(40), guest.name)])
    steps = (wire((guest.mac,)), noting_filter("arp or port 67 or port 68", "eth2"))
    with lab.record(*here.at_nic, bpf="arp or port 67 or port 68", steps=steps, linger=6):
        guest.dhclient()
        guest.ns.run("ping", "-qc", "4", network.gateway)
    lab.shows("vlan.id == 860 && dhcp.type == 2", 2)
    lab.hides(f"eth.src == {guest.mac}")
    lab.info("CAP002")
