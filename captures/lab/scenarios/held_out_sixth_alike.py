"""A sixth hold-out, recorded before any rule had seen it: healthy links, NICs and switches that look ill."""

import os
import signal
import socket
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from captures.lab import post
from captures.lab.along import Recorder, TwoHosts, record_along
from captures.lab.cloud import Machine
from captures.lab.crowd import Crowd
from captures.lab.elsewhere import Elsewhere, dhcpd, kea, networkd
from captures.lab.guest import Guest
from captures.lab.keepalived import PASSWORD, keepalived
from captures.lab.namespaces import Namespace
from captures.lab.post import Step, pcapng, read, snap, wire, write
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, Trunk

_LEASE = "dhcp.option.dhcp == 5"


def _network(net: str, number: int, vlan: int, prefix: str, *, last: int = 254) -> Elsewhere:
    return Elsewhere(cidr=f"{net}.0/24", gateway=f"{net}.{last}", number=number, vlan=vlan, prefix=prefix)


def _aside(lab: Lab, where: Namespace, interface: str) -> Path:
    """A second recorder, whose file is merged into the first one's."""
    path = lab.folder / "aside.pcap"
    where.spawn("tcpdump", "-i", interface, "-nU", "--immediate-mode", "-Z", "root", "-w", str(path))
    time.sleep(1)
    return path


@scenario
def held_out_sixth_mirror_of_trunk_and_access(lab: Lab) -> None:
    """A monitor session of a switch copies a host's trunk port and the access port of a bare-metal database in VLAN
    640: each frame between them is recorded twice, once with its tag and once without. Guests of 640 and 641 on the
    host talk to each other and to the database. Healthy."""
    trunk = Trunk(lab)
    here, metal = trunk.host("hv1", "eth4", "trunks=640,641"), trunk.host("metal", "eno1", "tag=640", first_tap=9)
    network, other = _network("10.64.0", 0x0640, 640, "02:2d"), _network("10.64.1", 0x0641, 641, "02:2d")
    crowd = Crowd(lab, other, [(here.host, here.vlan(641))], 6)
    guests = [Machine(here.host, here.vlan(640), network.mac(0x10), "g0")]
    guests += [Machine(here.host, f"br{here.uplink}-640", network.mac(0x10 + n), f"g{n}") for n in (1, 2)]
    database = Machine(metal.host, metal.native(), "d0:94:66:7b:00:31", "db")
    for n, machine in enumerate((database, *guests)):
        machine.address(network.ip(10 + n), 24)
    database.ns.spawn("socat", "TCP-LISTEN:3306,fork,reuseaddr", "SYSTEM:cat")
    merged: list[Path] = []

    def both(path: Path) -> Path:
        out = path.with_suffix(".span.pcap")
        return post.merge((path, merged[0]), out)

    switch = trunk.switch.ns
    merged.append(_aside(lab, switch, "metal-port"))
    with lab.record(switch, "hv1-port", "trunk", told=False, steps=(both, wire([])), compress="gz", linger=1):
        crowd.start(2)
        for n, guest in enumerate(guests):
            guest.ns.run("ping", "-qc", "4", "-i", "0.4", network.ip(10))
            words = f"for i in 1 2 3 4 5; do echo $i; sleep 0.3; done | socat - TCP:{network.ip(10)}:3306"
            guest.ns.run("sh", "-c", words)
            guest.ns.run("arping", "-qc", "3", "-I", "eth0", network.ip(10 + n))
            guest.ns.run("ping", "-qc", "2", "-W", "1", network.ip(99), check=False)
    lab.shows("vlan.id == 640 && arp.opcode == 1", 8)
    lab.shows("!vlan && arp.opcode == 1", 8)
    lab.shows("!vlan && tcp.port == 3306", 20)


def moved_wire(local: Collection[str], mac: str, when: Callable[[], float], *, here_after: bool) -> Step:
    """Padding at a host's NIC for a machine that comes here (or leaves) at a time that is known when all is over."""
    ours, guest = ({bytes.fromhex(one.replace(":", "")) for one in macs} for macs in (local, [mac]))

    def step(path: Path) -> Path:
        header, records = read(path)
        moved, padded = when(), []
        for sec, frac, size, data in records:
            after = sec + frac / 1e9 >= moved
            if data[6:12] in ours or (data[6:12] in guest and after == here_after):
                padded.append((sec, frac, size, data))
            else:
                padded.append((sec, frac, max(size, 60), data.ljust(60, b"\0")))
        return write(path.with_suffix(".wire.pcap"), header, padded)

    return step


@scenario
def held_out_sixth_migration_under_load(lab: Lab) -> None:
    """A guest is migrated while a machine of the new host reads from it and one of the old host pings it: it is gone
    for a second, its new host announces it (five RARPs as QEMU sends them, by a raw socket), and both go on. Recorded
    at the NICs of the old host and of the new one. Healthy."""
    network, alive = _network("10.81.2", 0x0812, 812, "02:a6"), _network("10.81.3", 0x0813, 813, "02:a6")
    hosts = TwoHosts(lab, network, alive, first_tap=5, nic="eth0")
    guest, peer = hosts.guest(0x15, "moves", ip=21), hosts.peer(0x16, "reads", 22)
    stays = hosts.guest(0x17, "stays", ip=23)
    guest.ns.spawn("socat", "TCP-LISTEN:8000,fork,reuseaddr", "SYSTEM:while sleep 0.3; do echo tick; done")
    time.sleep(0.5)
    moved: list[float] = []
    here, there = hosts.near_nic(), hosts.far_nic()
    near = moved_wire([one for one in here.local if one != guest.mac], guest.mac, lambda: moved[0], here_after=False)
    far = moved_wire(there.local, guest.mac, lambda: moved[0], here_after=True)
    recorders = (
        Recorder(name="old", point=here.point, steps=(near,)),
        Recorder(name="new", point=there.point, steps=(far, pcapng)),
    )
    with record_along(lab, *recorders, linger=2):
        hosts.talk()
        peer.ns.spawn("socat", "-u", f"TCP:{network.ip(21)}:8000", "OPEN:/dev/null")
        peer.ns.spawn("ping", "-q", "-i", "0.3", network.ip(21))
        stays.ns.spawn("ping", "-q", "-i", "0.4", network.ip(21))
        time.sleep(8)
        moved.append(time.time())
        old, new = hosts.near.host.ns, hosts.far.host.ns
        old.ip("link", "set", guest.tap, "netns", new.name, "name", "vnet41")
        time.sleep(0.8)
        new.ip("link", "set", "vnet41", "master", hosts.far_bridge)
        new.ip("link", "set", "vnet41", "up")
        raw = bytes.fromhex(guest.mac.replace(":", ""))
        rarp = b"\xff" * 6 + raw + bytes.fromhex("80350001080006040003") + (raw + bytes(4)) * 2
        with guest.ns.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as stream:
            stream.bind(("eth0", 0))
            for pause in (0.05, 0.15, 0.25, 0.35, 0.1):
                stream.send(rarp)
                time.sleep(pause)
        time.sleep(14)
    lab.shows("arp.opcode == 3", 5)
    lab.shows(f"icmp.type == 0 && eth.src == {guest.mac}", 60)


@scenario
def held_out_sixth_router_pair_rebooted(lab: Lab) -> None:
    """The primary router of a redundant pair is rebooted for an update: it gives the gateway's address up, the backup
    takes it, and 16 s later the primary takes it back, as its priority says. Guests ping their gateway and the world
    behind it all the while. Recorded on the bridge of a host, gzip. Healthy."""
    network = _network("10.52.0", 0x0520, 520, "02:90", last=1)
    stage = Stage(lab, network, first_tap=6, router=False)
    pair = [
        Router(stage.host, stage.bridge, network, ip=network.ip(2 + n), mac=network.mac(2 + n), label=f"vr{n}")
        for n in range(2)
    ]
    crowd = Crowd(lab, network, [(stage.host, stage.bridge)], 8, gateway=True)
    for router in pair:
        router.ns.sysctl("net.ipv4.ip_forward", 1)
        router.ns.ip("address", "add", "198.51.100.53/32", "dev", "lo")
    for router, priority in zip(pair, (120, 100), strict=True):
        keepalived(router, network, priority=priority)
    time.sleep(5)
    lab.secret(PASSWORD)
    with lab.record(*stage.at_bridge, compress="gz", linger=1):
        crowd.start(2)
        for member in crowd.members[2:5]:
            member.ns.spawn("ping", "-q", "-i", "0.6", network.gateway)
        crowd.members[5].ns.spawn("ping", "-q", "-i", "0.7", "198.51.100.53")
        time.sleep(9)
        pid = int((lab.folder / pair[0].ns.name / "ka.pid").read_text())
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        time.sleep(16)
        keepalived(pair[0], network, priority=120)
        time.sleep(16)
    for router in pair:
        lab.shows(f"arp.isgratuitous == 1 && eth.src == {router.mac}")
        lab.shows(f"icmp.type == 0 && eth.src == {router.mac}", 5)


@scenario
def held_out_sixth_only_what_was_sent(lab: Lab) -> None:
    """Somebody recorded a host's NIC with -Q out: nothing that came in is in the file, for more than a minute, though
    connections go on, one guest gets its lease by dhclient, and ARP is answered. (A filter for the MACs of the host's
    own guests does what -Q does.) Healthy."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eno3", "trunks=1010,1011", first_tap=7 * n) for n, name in enumerate(("q1", "q2")))
    network, other = _network("10.101.0", 0x1010, 1010, "02:55"), _network("10.101.1", 0x1011, 1011, "02:55")
    places = [(here.host, here.vlan(1010)), (there.host, there.vlan(1010))]
    crowd = Crowd(lab, network, places, 14, first=61)
    router = Router(there.host, there.vlan(1011), other)
    guest = Guest(here.host, here.vlan(1011), other.mac(0x19), "boots")
    router.dhcp([(guest.mac, other.ip(25), guest.name)])
    local = [guest.mac, *crowd.macs(here.host)]
    bpf = " or ".join(f"ether src {mac}" for mac in local)
    with lab.record(*here.at_nic, bpf=bpf, steps=(snap(420),), compress="gz", linger=1):
        crowd.start(4)
        time.sleep(4)
        guest.dhclient()
        guest.ns.spawn("ping", "-q", "-i", "1", other.gateway)
        time.sleep(62)
    lab.shows("arp.opcode == 1", 5)
    lab.shows("dhcp.option.dhcp == 3")
    lab.hides("dhcp.type == 2")


@scenario
def held_out_sixth_tenants_with_equal_plans(lab: Lab) -> None:
    """Three tenants have the same address plan, 10.1.1.0/24 with the gateway 10.1.1.1, each in a VLAN of its own with
    its own server: CloudStack's dnsmasq, Kea, and isc-dhcp-server. One guest of each boots (dhcpcd, udhcpc,
    systemd-networkd), two with the same address. Recorded at the NIC of their host. Healthy."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "bond0", "trunks=2001,2002,2003", first_tap=4 * n) for n, name in enumerate("ab"))
    networks = [_network("10.1.1", 0x2000 + n, 2001 + n, "02:00", last=1) for n in range(3)]
    routers = [Router(there.host, there.vlan(one.vlan), one, label=f"vr{one.vlan}") for one in networks]
    guests = [Guest(here.host, here.vlan(one.vlan), one.mac(0x30 + n), f"t{n}") for n, one in enumerate(networks)]
    routers[0].dhcp([(guests[0].mac, "10.1.1.50", guests[0].name)])
    options = ', "option-data": [{"name": "routers", "data": "10.1.1.1"}]'
    kea(routers[1], "10.1.1.0/24", "10.1.1.50 - 10.1.1.60", more=options)
    dhcpd(
        routers[2],
        "default-lease-time 7200; ping-check off; subnet 10.1.1.0 netmask 255.255.255.0"
        " { range 10.1.1.70 10.1.1.80; option routers 10.1.1.1; }",
    )
    with lab.record(*here.at_nic, told=False, steps=(wire([one.mac for one in guests]),), linger=2):
        guests[0].dhcpcd(seconds=9)
        guests[1].udhcpc()
        networkd(guests[2], 9)
        for guest in guests:
            guest.ns.spawn("ping", "-qc", "6", "10.1.1.1")
        time.sleep(7)
    for network, guest in zip(networks, guests, strict=True):
        lab.shows(f"vlan.id == {network.vlan} && {_LEASE}")
        lab.proof("DHCP031", f"{_LEASE} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)


@scenario
def held_out_sixth_asking_for_the_departed(lab: Lab) -> None:
    """The syslog server of a tenant was retired last month, and five of its guests still send to its address: it is
    asked for by ARP all the time and nobody answers. All else works: the gateway, the world behind it, sixteen
    neighbours. Recorded at the NIC of a host for a minute, -s 128. Healthy."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth6", "trunks=1870", first_tap=21 * n) for n, name in enumerate(("k1", "k2")))
    network = _network("172.30.18", 0x1870, 1870, "06:c4")
    places = [(here.host, here.vlan(1870)), (there.host, there.vlan(1870))]
    crowd = Crowd(lab, network, places, 16, gateway=True)
    router = Machine(there.host, places[1][1], "28:c0:da:11:00:07", "gw")
    router.address(network.gateway, 24)
    router.ns.ip("address", "add", "198.51.100.9/32", "dev", "lo")
    with lab.record(*here.at_nic, told=False, steps=(wire(crowd.macs(here.host)), snap(128)), compress="gz", linger=1):
        crowd.start(3)
        for n in (2, 4, 6, 8, 10):
            words = f"while sleep 2.1; do echo '<30>cron[1]: run' | socat - UDP:{network.ip(250)}:514; done"
            crowd.members[n].ns.spawn("sh", "-c", words)
        crowd.members[12].ns.spawn("ping", "-q", "-i", "2", "198.51.100.9")
        time.sleep(60)
    lab.shows(f"arp.opcode == 1 && arp.dst.proto_ipv4 == {network.ip(250)}", 20)
    lab.shows("icmp.type == 0", 15)
    lab.proof("VLAN020", vlan=1870)


@scenario
def held_out_sixth_pair_moves_by_itself(lab: Lab) -> None:
    """Two tenants' databases share an address by keepalived, in guests: the primary is stopped for maintenance, and its
    partner takes the address over with a gratuitous ARP. The host has security groups that know the address. Recorded
    at the NIC of another host, whose clients go on. Healthy."""
    network, alive = _network("10.119.6", 0x1196, 1196, "02:e2"), _network("10.119.7", 0x1197, 1197, "02:e2")
    hosts = TwoHosts(lab, network, alive, first_tap=2, nic="ens5")
    clients = [hosts.guest(0x21 + n, f"cl-{n}", ip=31 + n) for n in range(3)]
    first, second = hosts.peer(0x31, "db-a", 41), hosts.peer(0x32, "db-b", 42)
    shared = f"{network.ip(40)}/24"
    first.ns.ip("address", "add", shared, "dev", "eth0")
    near = hosts.near_nic()
    with lab.record(*near.point, told=False, steps=(wire(near.local),), linger=1):
        hosts.talk()
        for client in clients:
            client.ns.spawn("ping", "-q", "-i", "0.5", network.ip(40))
        time.sleep(9)
        first.ns.ip("address", "del", shared, "dev", "eth0")
        second.ns.ip("address", "add", shared, "dev", "eth0")
        second.ns.run("arping", "-q", "-U", "-c", "3", "-I", "eth0", network.ip(40), check=False)
        time.sleep(12)
    lab.shows(f"icmp.type == 0 && eth.src == {first.mac}", 10)
    lab.shows(f"icmp.type == 0 && eth.src == {second.mac}", 10)


@scenario
def held_out_sixth_router_on_the_same_host(lab: Lab) -> None:
    """A small tenant: its two guests and their router are all on one host, and so far nowhere else. At the host's NIC
    there is only what goes to everybody: DISCOVERs and ARP requests, whose answers never come by here. Another tenant
    has machines on both hosts. Recorded at the NIC for most of a minute. Healthy."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth5", "trunks=2711,2712", first_tap=6 * n) for n, name in enumerate(("s1", "s2")))
    network, other = _network("10.27.11", 0x2711, 2711, "02:e9", last=1), _network("10.27.12", 0x2712, 2712, "02:e9")
    crowd = Crowd(lab, other, [(here.host, here.vlan(2712)), (there.host, there.vlan(2712))], 10)
    bridge = here.vlan(2711)
    there.vlan(2711)
    router = Router(here.host, bridge, network)
    boots, old = (
        Guest(here.host, bridge, network.mac(0x15), "small-1"),
        Guest(here.host, bridge, network.mac(0x16), "small-2"),
    )
    router.dhcp([(boots.mac, network.ip(21), boots.name)])
    old.address(network.ip(22), 24, network.gateway)
    local = [router.mac, boots.mac, old.mac, *crowd.macs(here.host)]
    with lab.record(*here.at_nic, told=False, steps=(wire(local), snap(400)), compress="gz", linger=2):
        crowd.start(3)
        for machine, target in ((old, network.gateway), (router, network.ip(22))):
            words = f"while sleep 2.6; do ip neigh flush dev eth0; ping -qc 2 -W 1 -i 0.4 {target}; done"
            machine.ns.spawn("sh", "-c", words)
        time.sleep(8)
        boots.dhclient()
        boots.ns.spawn("ping", "-q", "-i", "1", network.gateway)
        time.sleep(34)
    lab.shows(f"vlan.id == 2711 && arp.opcode == 1 && arp.dst.proto_ipv4 == {network.gateway}", 8)
    lab.hides("vlan.id == 2711 && (arp.opcode == 2 || dhcp.type == 2)")
    lab.proof("VLAN020", vlan=2712)
