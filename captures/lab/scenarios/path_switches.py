"""What a host's switch, its filters and a move do to some frames only, and what only looks like a fault."""

import time

from captures.lab.along import Recorder, TwoHosts, bridge_drops, record_along
from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.management import connects
from captures.lab.middlebox import Behaviour, Direction, insert
from captures.lab.post import drifting, twice
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.security_groups import listen
from captures.lab.stage import at_tap


def _networks(n: int, vlan: int) -> tuple[GuestNetwork, GuestNetwork]:
    """The network that matters and one that always works."""
    return (
        GuestNetwork(cidr=f"10.{210 + n}.0.0/24", gateway=f"10.{210 + n}.0.1", number=0x3B0 + n, vlan=vlan),
        GuestNetwork(cidr=f"10.{210 + n}.8.0/24", gateway=f"10.{210 + n}.8.1", number=0x3F0 + n, vlan=vlan + 1),
    )


def _hosts(lab: Lab, n: int, vlan: int) -> tuple[TwoHosts, GuestNetwork]:
    network, alive = _networks(n, vlan)
    return TwoHosts(lab, network, alive, first_tap=5 * n), network


@scenario
def path_no_broadcast_to_guest(lab: Lab) -> None:
    """Flows for broadcasts that list ports one by one were not renewed when the guest came: unicast frames reach its
    tap, ARP requests for its address do not. The peer knows its MAC from before."""
    hosts, network = _hosts(lab, 1, 3401)
    guest = hosts.guest(0x41, "quiet-1", ip=61)
    peer = hosts.peer(0x71, "peer", 161)
    bridge_drops(hosts.near.host, f"oifname {guest.tap} ether daddr ff:ff:ff:ff:ff:ff")
    peer.ns.ip("neigh", "add", network.ip(61), "lladdr", guest.mac, "dev", "eth0", "nud", "permanent")
    with record_along(lab, hosts.near_nic(), hosts.tap(guest)):
        hosts.talk()
        peer.ns.spawn("ping", "-q", "-i", "0.8", network.ip(61))
        peer.ns.run("arping", "-b", "-c", "12", "-I", "eth0", network.ip(61), check=False)
        time.sleep(3)
    lab.shows(f"arp.dst.proto_ipv4 == {network.ip(61)} && eth.dst == ff:ff:ff:ff:ff:ff", 12)
    lab.fault("OVS007", f"arp.dst.proto_ipv4 == {network.ip(61)}", mac=guest.mac)


@scenario
def path_private_vlan_return_lost(lab: Lab) -> None:
    """A private VLAN: the guest sends in its secondary VLAN 3412, the router answers in the primary 3411, and the
    host's switch lacks the flow that brings 3411 to the guest."""
    hosts, network = _hosts(lab, 2, 3412)
    guest = hosts.guest(0x42, "pv-1", ip=62)
    switch, bridge = hosts.trunk.switch, hosts.trunk.bridge
    switch.flow(bridge, f"priority=100,dl_vlan=3412,dl_src={hosts.router.mac},actions=mod_vlan_vid:3411,output:1")
    hosts.trunk.switch.change("kvm1-port", "trunks=3411,3412,3413")
    with record_along(lab, hosts.near_nic(), hosts.tap(guest), linger=3):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "2", network.gateway)
        time.sleep(16)
    lab.shows(f"vlan.id == 3411 && eth.dst == {guest.mac}", 5)
    lab.fault("OVS008", f"vlan.id == 3411 && eth.dst == {guest.mac}", mac=guest.mac)
    for code in ("VLAN004", "VLAN019", "VLAN001"):
        lab.consequence(code)


def _late_openers(ports: dict[bytes, int]) -> Behaviour:
    """A switch that takes 60 ms over the first frame of every conversation."""

    def behave(frame: bytes, direction: Direction) -> list[tuple[float, bytes]]:
        key = frame[26:38]  # addresses and ports of IPv4 without options
        fresh = direction == "out" and frame[12:14] == b"\x08\x00" and key not in ports
        ports[key] = 1
        return [(0.06 if fresh else 0.0, frame)]

    return behave


@scenario
def path_first_packets_late(lab: Lab) -> None:
    """The host's switch is busy: the first packet of every conversation of a guest waits 60 ms, later ones do not."""
    hosts, network = _hosts(lab, 3, 3421)
    guest = Machine(hosts.near.host, None, network.mac(0x43), "late-1")
    insert(lab, hosts.near.host.ns, guest.tap, hosts.bridge, _late_openers({}))
    guest.address(network.ip(63), network.length, network.gateway)
    server = hosts.peer(0x73, "server", 163)
    listen(server, 443)
    with record_along(lab, Recorder(name="vm", point=at_tap(guest)), hosts.near_nic()):
        hosts.talk()
        connects(guest, network.ip(163), 443, tries=26, pause=0.1)
    lab.shows("tcp.dstport == 443 && tcp.flags.syn == 1", 50)
    lab.fault("OVS004", "tcp.flags.syn == 1")


@scenario
def path_gateway_announcement_filtered(lab: Lab) -> None:
    """The gateway fails over to another machine, which announces the address at its own MAC; the host's ARP filter lets
    only frames for the guest's address through, so the guest goes on sending to the old one."""
    hosts, network = _hosts(lab, 4, 3431)
    guest = hosts.guest(0x44, "stale-1", ip=64)
    other = hosts.peer(0x01F, "vr2", 2)
    hosts.router.ns.ip("address", "add", network.ip(3), "dev", "eth0")
    bridge_drops(hosts.near.host, f"oifname {guest.tap} ether type arp ether daddr ff:ff:ff:ff:ff:ff")
    with record_along(lab, hosts.near_nic(), hosts.tap(guest), linger=1):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "0.5", network.gateway)
        time.sleep(4)
        hosts.router.ns.ip("address", "del", f"{network.gateway}/{network.length}", "dev", "eth0")
        other.ns.ip("address", "add", f"{network.gateway}/{network.length}", "dev", "eth0")
        other.ns.run("arping", "-A", "-c", "3", "-I", "eth0", network.gateway, check=False)
        time.sleep(14)
    lab.shows(f"arp.isgratuitous == 1 && eth.src == {other.mac}", 2)
    lab.fault("SG010", f"eth.src == {guest.mac} && eth.dst == {hosts.router.mac} && !vlan", mac=guest.mac)
    for code in ("VLAN019",):
        lab.consequence(code)


@scenario
def path_migration_not_announced(lab: Lab) -> None:
    """A guest is moved to the other host, and the announcement is lost: for eight seconds others' pings still come to
    the old host, until the guest says something at its new place."""
    hosts, network = _hosts(lab, 5, 3441)
    guest = hosts.guest(0x45, "move-1", ip=65)
    third = hosts.trunk.host("kvm3", "eth1", "trunks=3441", first_tap=60)
    caller = Machine(third.host, third.vlan(3441), network.mac(0x75), "caller")
    caller.address(network.ip(165), network.length)
    caller.ns.ip("neigh", "add", network.ip(65), "lladdr", guest.mac, "dev", "eth0", "nud", "permanent")
    moved = Machine(hosts.far.host, hosts.far_bridge, guest.mac, "moved")
    moved.ns.ip("link", "set", "eth0", "down")
    near, far = hosts.near_nic(), hosts.far_nic()
    far = Recorder(name="hostB", point=far.point, local=[*far.local, guest.mac])
    with record_along(lab, near, far, linger=1):
        hosts.talk()
        guest.ns.run("ping", "-qc", "6", "-i", "0.4", network.ip(165))
        caller.ns.spawn("ping", "-q", "-i", "0.6", network.ip(65))
        time.sleep(2)
        guest.ns.ip("link", "set", "eth0", "down")
        moved.ns.ip("link", "set", "eth0", "up")
        moved.ns.ip("address", "add", f"{network.ip(65)}/{network.length}", "dev", "eth0")
        time.sleep(8)
        moved.ns.run("ping", "-qc", "4", "-i", "0.4", network.ip(165), check=False)
    lab.shows(f"eth.dst == {guest.mac}", 15)
    lab.fault("HYP019", f"eth.dst == {guest.mac}", mac=guest.mac)
    lab.consequence("HYP020")


@scenario
def path_public_vlan_on_one_host(lab: Lab) -> None:
    """The public VLAN is trunked to one of two hosts: a console proxy and a router on the other ask for the upstream
    gateway in vain, a secondary storage VM there is answered."""
    network = GuestNetwork(cidr="198.51.100.0/24", gateway="198.51.100.1", number=0x3B6, vlan=3451)
    alive = GuestNetwork(cidr="10.216.8.0/24", gateway="10.216.8.1", number=0x3F6, vlan=3452)
    hosts = TwoHosts(lab, network, alive, ports=("trunks=3452", ""), first_tap=30)
    far = hosts.far_nic()
    proxies = []
    for n, label in enumerate(("cpvm", "vr9")):
        machine = Machine(hosts.near.host, hosts.bridge, f"1e:00:5d:00:00:0{n + 2}", label)
        machine.address(network.ip(20 + n), network.length, network.gateway)
        proxies.append(machine)
    ssvm = Machine(hosts.far.host, hosts.far_bridge, "1e:00:5d:00:00:09", "ssvm")
    ssvm.address(network.ip(29), network.length, network.gateway)
    upstream = hosts.trunk.host("core", "uplink", "trunks=3451", first_tap=70)
    gateway = Machine(upstream.host, upstream.vlan(3451), "00:1c:73:0b:34:51", "gateway")
    hosts.router.ns.ip("address", "flush", "dev", "eth0")
    gateway.address(network.gateway, network.length)
    near = hosts.near_nic()
    near = Recorder(name="hostA", point=near.point, local=[*near.local, *(one.mac for one in proxies)])
    far = Recorder(name="hostB", point=far.point, local=[*far.local, ssvm.mac])
    with record_along(lab, near, far, linger=3):
        hosts.talk()
        for machine in (*proxies, ssvm):
            machine.ns.spawn("ping", "-q", "-i", "2", network.gateway)
        time.sleep(20)
    lab.shows(f"arp.dst.proto_ipv4 == {network.gateway} && arp.opcode == 1", 20)
    lab.fault("PHYS005", f"arp.dst.proto_ipv4 == {network.gateway} && arp.opcode == 1", vlan=3451)
    for code in ("VLAN001", "VLAN002", "VLAN019"):
        lab.consequence(code)


@scenario
def path_healthy_mirror(lab: Lab) -> None:
    """A healthy conversation between two hosts; the far capture is of a mirror port that copies what comes in and what
    goes out, so every frame is in it twice."""
    hosts, network = _hosts(lab, 7, 3461)
    guest = hosts.guest(0x47, "mir-1", ip=67)
    with record_along(lab, hosts.near_nic(), hosts.far_nic(steps=(twice(0.00004),))):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "0.4", network.gateway)
        time.sleep(9)
    lab.shows("icmp.type == 0 && vlan.id == 3461", 60)


@scenario
def path_clock_drifts(lab: Lab) -> None:
    """A healthy conversation; the far host's clock is slewed by 20 ms a second while the recorders run."""
    hosts, network = _hosts(lab, 8, 3471)
    guest = hosts.guest(0x48, "drift-1", ip=68)
    with record_along(lab, hosts.near_nic(), hosts.far_nic(steps=(drifting(0.02),))):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "0.3", network.gateway)
        time.sleep(10)
    lab.shows("icmp.type == 0 && vlan.id == 3471", 50)
    lab.info("CAP004")


@scenario
def path_recorder_stopped_early(lab: Lab) -> None:
    """A healthy conversation; the far recorder was stopped halfway. What comes after is in one capture only, and is not
    lost."""
    hosts, network = _hosts(lab, 9, 3481)
    guest = hosts.guest(0x49, "half-1", ip=69)
    with record_along(lab, hosts.near_nic()):
        hosts.talk()
        with record_along(lab, hosts.far_nic(), linger=0.2):
            guest.ns.spawn("ping", "-q", "-i", "0.4", network.gateway)
            time.sleep(5)
        guest.ns.run("arping", "-c", "6", "-I", "eth0", network.gateway)
        time.sleep(3)
    lab.shows("arp.opcode == 1 && vlan.id == 3481", 6)


@scenario
def path_stall_after_move(lab: Lab) -> None:
    """A guest has just come to this host; its filter has no entry for a connection on which only the other side sends,
    and drops the data until the guest itself sends something on it."""
    hosts, network = _hosts(lab, 10, 3491)
    guest = hosts.guest(0x4A, "stall-1", ip=70)
    client = hosts.peer(0x7A, "client", 170)
    guest.ns.spawn("socat", "TCP-LISTEN:7000,reuseaddr", "SYSTEM:sleep 7; echo here; sleep 4")
    time.sleep(0.5)
    with record_along(lab, hosts.near_nic(), hosts.tap(guest), linger=1):
        hosts.talk()
        guest.ns.run("arping", "-U", "-c", "2", "-I", "eth0", network.ip(70), check=False)
        client.ns.spawn("ping", "-q", "-i", "0.8", network.ip(70))
        client.ns.spawn("sh", "-c", f"(sleep 1.5; while sleep 0.7; do date; done) | socat - TCP:{network.ip(70)}:7000")
        time.sleep(1.2)
        bridge_drops(hosts.near.host, f"oifname {guest.tap} tcp dport 7000")
        time.sleep(4.6)
        hosts.near.host.ns.run("nft", "flush", "chain", "bridge", "lab", "forward")
        hosts.near.host.ns.run("nft", f"add rule bridge lab forward iifname {guest.tap} tcp sport 7000 accept")
        time.sleep(4)
    lab.shows("tcp.dstport == 7000 && tcp.len > 0", 6)
    lab.fault("SG009", "tcp.dstport == 7000 && tcp.len > 0", mac=guest.mac)
