"""Who owns an address: two guests, a failover, a migration, a proxy; and two networks in one VLAN."""

import socket
import time

from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.guest import Guest
from captures.lab.keepalived import redundant_pair
from captures.lab.noise import neighbours as talkative
from captures.lab.post import pcapng, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, Trunk, at_tap


@scenario
def nic_duplicate_ip(lab: Lab) -> None:
    """Two guests have the same address. A third asks for it again and again: both answer each time. Recorded at the tap
    of the third."""
    network = GuestNetwork(cidr="10.111.0.0/24", gateway="10.111.0.1", number=0x1C0)
    stage = Stage(lab, network, first_tap=1)
    owners = [stage.guest(0x41 + n, f"web-{n}") for n in range(2)]
    asker = stage.guest(0x43, "client", ip=network.ip(60))
    for owner in owners:
        owner.address(network.ip(59), 24)
    asker.address(network.ip(60), 24)
    with lab.record(*at_tap(asker), linger=2):
        for _ in range(4):
            asker.ns.run("ping", "-qc", "2", network.ip(59), check=False)
            asker.ns.ip("neigh", "flush", "all")
    for owner in owners:
        lab.shows(f"arp.opcode == 2 && arp.src.hw_mac == {owner.mac}", 3)
    lab.fault("HYP015", "arp.opcode == 2", ip=network.ip(59))


@scenario
def nic_duplicate_ip_on_trunk(lab: Lab) -> None:
    """An address of the guest network was given to a printer by hand. The instance that owns it and the printer both
    use it, in turn. Recorded on a trunk among other traffic; the role is not told."""
    network = GuestNetwork(cidr="192.168.112.0/24", gateway="192.168.112.1", number=0x1C1, vlan=1120)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=1120") for name in ("kvm1", "kvm2"))
    router = Router(there.host, there.vlan(1120), network)
    router.dhcp([])
    bridge = here.vlan(1120)
    guest = Guest(here.host, bridge, network.mac(0x44), "web-1")
    client = Guest(here.host, bridge, network.mac(0x45), "web-2")
    beyond = there.host.bridge("printers")
    printer = Machine(there.host, beyond, "00:21:5a:77:00:99", "printer")
    there.host.ns.ip("link", "set", printer.tap, "master", "breth1-1120")
    for machine, last in ((guest, 61), (printer, 61), (client, 62)):
        machine.address(network.ip(last), 24, network.gateway)
    with lab.record(*here.at_nic, told=False, steps=(wire((guest.mac, client.mac)), pcapng), compress="zst", linger=2):
        for n in range(8):
            (guest, printer)[n % 2].ns.run("ping", "-qc", "2", "-i", "0.3", network.gateway, check=False)
            (guest, printer)[n % 2].ns.ip("neigh", "flush", "all")
            client.ns.run("ping", "-qc", "1", network.gateway, check=False)
    lab.shows(f"arp.src.hw_mac == {printer.mac} && arp.src.proto_ipv4 == {network.ip(61)}", 2)
    lab.shows(f"arp.src.hw_mac == {guest.mac} && arp.src.proto_ipv4 == {network.ip(61)}", 2)
    lab.fault("HYP015", f"arp.src.proto_ipv4 == {network.ip(61)}", ip=network.ip(61))
    lab.proof("VLAN020", vlan=1120)


@scenario
def nic_router_failover(lab: Lab) -> None:
    """The primary of a redundant pair of routers is stopped, the backup takes over the gateway's address with its own
    MAC, and some time later the first one comes back and takes it again. Guests ping the gateway all the while.
    Healthy."""
    network = GuestNetwork(cidr="10.113.0.0/24", gateway="10.113.0.1", number=0x1C2)
    stage = Stage(lab, network, first_tap=5, router=False)
    routers = redundant_pair(stage, network)
    guest = stage.guest(0x46, "web-1")
    guest.address(network.ip(63), 24, network.gateway)
    tap = routers[0].tap
    time.sleep(5)
    with lab.record(*stage.at_bridge, told=False, nano=True, compress="gz", linger=1):
        guest.ns.spawn("ping", "-q", "-i", "0.5", network.gateway)
        guest.ns.spawn("arping", "-b", "-q", "-i", "2", "-I", "eth0", network.gateway)
        time.sleep(4)
        stage.host.ns.ip("link", "set", tap, "down")
        time.sleep(9)
        stage.host.ns.ip("link", "set", tap, "up")
        time.sleep(9)
    for router in routers:
        lab.shows(f"arp.src.hw_mac == {router.mac} && arp.src.proto_ipv4 == {network.gateway}", 1)


def _announce(guest: Machine) -> None:
    """Five RARP announcements, as QEMU sends them for an instance that has arrived."""
    own = bytes.fromhex(guest.mac.replace(":", ""))
    frame = b"\xff" * 6 + own + b"\x80\x35\x00\x01\x08\x00\x06\x04\x00\x03" + own + bytes(4) + own + bytes(4)
    with guest.ns.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("eth0", 0))
        for pause in (0.05, 0.15, 0.25, 0.35, 0):
            raw.send(frame.ljust(60, b"\0"))
            time.sleep(pause)


@scenario
def nic_live_migration(lab: Lab) -> None:
    """A guest moves from one host to the other while it pings its gateway on a third; QEMU announces its MAC there.
    Recorded at the NIC it moves to. Healthy."""
    network = GuestNetwork(cidr="10.114.0.0/24", gateway="10.114.0.1", number=0x1C3, vlan=1140)
    trunk = Trunk(lab)
    hosts = [trunk.host(f"kvm{n}", "eth1", "trunks=1140") for n in range(3)]
    bridges = [host.vlan(1140) for host in hosts]
    gateway = Machine(hosts[2].host, bridges[2], network.mac(1), "gateway")
    gateway.address(network.gateway, 24)
    guest = Guest(hosts[0].host, bridges[0], network.mac(0x47), "web-1")
    guest.address(network.ip(64), 24, network.gateway)
    there = hosts[1].host.ns
    with lab.record(*hosts[1].at_nic, steps=(wire((guest.mac,)),), linger=2):
        guest.ns.spawn("arping", "-b", "-q", "-i", "2", "-I", "eth0", network.gateway)
        guest.ns.spawn("ping", "-q", "-i", "0.5", network.gateway)
        time.sleep(5)
        hosts[0].host.ns.ip("link", "set", guest.tap, "netns", there.name)
        there.ip("link", "set", guest.tap, "master", bridges[1])
        there.ip("link", "set", guest.tap, "up")
        _announce(guest)
        time.sleep(8)
    lab.shows("arp.opcode == 3", 3)
    lab.shows(f"icmp.type == 0 && eth.dst == {guest.mac}", 8)
    lab.proof("VLAN020", vlan=1140)


@scenario
def nic_proxy_arp(lab: Lab) -> None:
    """A router answers ARP for every address that is not on this segment, and, as it is set up badly but harmlessly, is
    asked for many. One MAC with many addresses is no duplicate. Healthy."""
    network = GuestNetwork(cidr="10.115.0.0/24", gateway="10.115.0.1", number=0x1C4)
    stage = Stage(lab, network, first_tap=12)
    stage.router.ns.sysctl("net.ipv4.ip_forward", 1)
    stage.router.ns.sysctl("net.ipv4.conf.all.proxy_arp", 1)
    far = stage.host.bridge("far0")
    stage.router.plug(far, "02:01:01:c4:00:f1")
    stage.router.address("172.19.0.1", 24, nic=1)
    guest = stage.guest(0x48, "web-1")
    other = stage.guest(0x49, "web-2")
    guest.ns.sysctl("net.ipv4.conf.all.arp_ignore", 1)
    guest.address(network.ip(65), 8)
    other.address(network.ip(66), 24)
    stage.router.ns.ip("route", "add", "10.115.1.0/24", "via", "172.19.0.2", "dev", "eth1")
    beyond = Machine(stage.host, far, "02:01:01:c4:00:f2", "beyond")
    beyond.address("172.19.0.2", 24, "172.19.0.1")
    for last in range(10, 15):
        beyond.ns.ip("address", "add", f"10.115.1.{last}/32", "dev", "lo")
    with lab.record(*stage.at_bridge, compress="gz", linger=2):
        for last in range(10, 15):
            guest.ns.run("ping", "-qc", "1", f"10.115.1.{last}", check=False)
        guest.ns.run("ping", "-qc", "2", network.ip(66))
    lab.shows(f"arp.opcode == 2 && arp.src.hw_mac == {stage.router.mac}", 5)


@scenario
def nic_two_networks_one_vlan(lab: Lab) -> None:
    """Two isolated networks of two accounts were given the same VLAN. Each has its router, which serves its own guest
    and ignores the other one."""
    networks = [
        GuestNetwork(cidr=f"10.11{n}.0.0/24", gateway=f"10.11{n}.0.1", number=0x1BF + n, vlan=1160) for n in (6, 7)
    ]
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=1160") for name in ("kvm1", "kvm2"))
    bridge, beyond = here.vlan(1160), there.vlan(1160)
    guests, routers = [], []
    for network in networks:
        router = Router(there.host, beyond, network, label=f"vr{network.number}")
        guest = Guest(here.host, bridge, network.mac(0x51), f"web-{network.number}")
        router.dhcp([(guest.mac, network.ip(80), guest.name)])
        guests.append(guest)
        routers.append(router)
    with lab.record(*here.at_nic, told=False, steps=(wire([guest.mac for guest in guests]),), linger=6):
        for guest in guests:
            guest.dhclient()
            guest.ns.run("ping", "-qc", "2", guest.lease().gateway, check=False)
    for router in routers:
        lab.shows(f"dhcp.option.dhcp == 2 && eth.src == {router.mac}", 1)
    lab.fault("HYP017", "dhcp.option.dhcp == 2", vlan=1160)
    lab.consequence("DHCP013")
    lab.proof("VLAN020", vlan=1160)


@scenario
def nic_two_networks_both_answer(lab: Lab) -> None:
    """As nic-two-networks-one-vlan, after an instance was moved from one network to the other: both routers know it,
    and both answer. The zone has no MAC identifier, so MACs do not tell their network. Recorded on the bridge."""
    networks = [GuestNetwork(cidr=f"172.2{n}.8.0/24", gateway=f"172.2{n}.8.1", vlan=1161) for n in (1, 2)]
    stage = Stage(lab, networks[0], first_tap=40, router=False)
    guest = Guest(stage.host, stage.bridge, "02:00:4c:9f:00:0a", "moved-1")
    routers = []
    for n, network in enumerate(networks):
        router = Router(stage.host, stage.bridge, network, mac=f"02:00:{n + 1}7:a1:00:01", label=f"vr{n}")
        router.dhcp([(guest.mac, network.ip(80), guest.name)])
        routers.append(router)
    with lab.record(*stage.at_bridge, told=False, steps=(pcapng,), compress="gz", linger=6):
        talkative(stage, 0x61)
        guest.udhcpc(options=("-B",))
        time.sleep(2)
    for router in routers:
        lab.shows(f"dhcp.option.dhcp == 2 && eth.src == {router.mac}", 1)
    lab.fault("HYP017", "dhcp.option.dhcp == 2")
    for code in ("DHCP013", "DHCP011", "DHCP012", "DHCP016"):
        lab.consequence(code)


@scenario
def nic_shared_network_two_ranges(lab: Lab) -> None:
    """A shared network with two IP ranges of different subnets in one VLAN, both served by its one router. Healthy."""
    network = GuestNetwork(cidr="10.118.0.0/24", gateway="10.118.0.1", number=0x1C7)
    stage = Stage(lab, network, first_tap=22, router=False)
    router = Router(stage.host, stage.bridge, network)
    router.address("10.119.0.1", 24)
    guests = [stage.guest(0x52 + n, f"web-{n}", ip=f"10.11{8 + n}.0.90") for n in range(2)]
    folder = lab.folder / "two"
    folder.mkdir()
    ranges = "".join(
        f"dhcp-range=set:r{n},10.11{8 + n}.0.1,static,255.255.255.0\ndhcp-host={guest.mac},10.11{8 + n}.0.90\n"
        f"dhcp-option=tag:r{n},3,10.11{8 + n}.0.1\n"
        for n, guest in enumerate(guests)
    )
    shared = "shared-network=eth0,10.119.0.0\n"
    text = f"port=0\nbind-interfaces\nexcept-interface=lo\n{shared}{ranges}dhcp-leasefile={folder}/leases\n"
    conf = lab.file("two/dnsmasq.conf", text)
    router.ns.spawn("dnsmasq", "-k", "-u", "root", "-x", f"{folder}/pid", "-C", str(conf))
    time.sleep(1)
    with lab.record(*stage.at_bridge, told=False, compress="lz4", linger=6):
        talkative(stage, 0x61)
        for n, guest in enumerate(guests):
            guest.udhcpc()
            guest.ns.run("ping", "-qc", "2", f"10.11{8 + n}.0.1")
    for n in range(2):
        lab.shows(f"dhcp.option.dhcp == 5 && dhcp.ip.your == 10.11{8 + n}.0.90", 1)
        lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guests[n].mac)
