"""Partial losses on the way between two hosts, or between a guest and its router, recorded at two or three points."""

import random
import time
from collections.abc import Callable, Iterable

from captures.lab.along import Recorder, TwoHosts, bridge_drops, record_along
from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.management import connects
from captures.lab.middlebox import Behaviour, Direction
from captures.lab.post import pcapng, snap
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.security_groups import listen
from captures.lab.stage import Stage, at_tap

_DISCOVER = "dhcp.option.dhcp == 1"


def _networks(n: int, vlan: int) -> tuple[GuestNetwork, GuestNetwork]:
    """The network that matters and one that always works."""
    return (
        GuestNetwork(cidr=f"10.{190 + n}.0.0/24", gateway=f"10.{190 + n}.0.1", number=0x330 + n, vlan=vlan),
        GuestNetwork(cidr=f"10.{190 + n}.8.0/24", gateway=f"10.{190 + n}.8.1", number=0x370 + n, vlan=vlan + 1),
    )


def _without(chosen: Callable[[bytes], bool]) -> Behaviour:
    """A cable that loses the chosen frames."""

    def behave(frame: bytes, direction: Direction) -> Iterable[tuple[float, bytes]]:
        return () if chosen(frame) else ((0.0, frame),)

    return behave


@scenario
def path_broadcasts_policed(lab: Lab) -> None:
    """Storm control on the switch drops about half of the broadcasts on their way to the router's host; unicast frames
    all pass."""
    network, alive = _networks(1, 3001)
    hosts = TwoHosts(lab, network, alive)
    guest = hosts.guest(0x31, "bc-1", ip=51)
    for n in range(8):
        priority, action = (200, "drop") if n % 2 else (100, "normal")
        ip = network.ip(100 + n)
        hosts.trunk.switch.flow(hosts.trunk.bridge, f"priority={priority},arp,arp_op=1,arp_tpa={ip},actions={action}")
    with record_along(lab, hosts.near_nic(), hosts.far_nic()):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "0.2", network.gateway)
        for n in range(8):
            guest.ns.spawn("arping", "-w", "14", "-I", "eth0", network.ip(100 + n))
        time.sleep(15)
    lab.shows("arp.opcode == 1", 150)
    lab.fault("VLAN015", "arp.opcode == 1", vlan=3001)
    lab.consequence("VLAN001")


@scenario
def path_arp_answers_dropped(lab: Lab) -> None:
    """ARP inspection on the switch drops the router's ARP answers; the guest has the router's MAC typed in, and its
    pings are answered."""
    network, alive = _networks(2, 3011)
    hosts = TwoHosts(lab, network, alive)
    guest = hosts.guest(0x32, "dai-1", ip=52)
    guest.ns.ip("neigh", "add", network.gateway, "lladdr", hosts.router.mac, "dev", "eth0", "nud", "permanent")
    hosts.trunk.switch.flow(hosts.trunk.bridge, f"priority=100,arp,arp_op=2,arp_spa={network.gateway},actions=drop")
    with record_along(lab, hosts.near_nic(), hosts.far_nic()):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "1", network.gateway)
        guest.ns.run("arping", "-c", "9", "-I", "eth0", network.gateway, check=False)
        time.sleep(2)
    lab.shows("vlan.id == 3011 && arp.opcode == 2", 5)
    lab.fault("VLAN016", "vlan.id == 3011 && arp.opcode == 2", vlan=3011)
    lab.consequence("VLAN019")


@scenario
def path_long_frames_lost(lab: Lab) -> None:
    """A link between the switches has an MTU of 1400: frames above it never come to the far host. Pings of two sizes
    and short connections."""
    network, alive = _networks(3, 3021)
    hosts = TwoHosts(lab, network, alive)
    client = hosts.guest(0x33, "mtu-1", ip=53)
    server = hosts.peer(0x63, "mtu-2", 153)
    hosts.trunk.limit(hosts.far, 1418)
    listen(server, 22)
    with record_along(lab, hosts.near_nic(), hosts.far_nic()):
        hosts.talk()
        client.ns.run("ping", "-qc", "12", "-i", "0.2", "-s", "1300", network.ip(153))
        client.ns.run("ping", "-qc", "8", "-i", "0.2", "-s", "1472", network.ip(153), check=False)
        connects(client, network.ip(153), 22, tries=4, pause=0.2)
    lab.shows("icmp.type == 8 && ip.len == 1500", 8)
    lab.fault("VLAN017", "icmp.type == 8 && ip.len == 1500", vlan=3021)


@scenario
def path_mtu_of_one_host(lab: Lab) -> None:
    """Three hosts with jumbo frames; on the port of the third the MTU was forgotten."""
    network, _ = _networks(4, 3031)
    hosts = TwoHosts(lab, network)
    third = hosts.trunk.host("kvm3", "eth1", "trunks=3031", first_tap=40)
    client = hosts.guest(0x34, "j-1", ip=54)
    good = hosts.peer(0x64, "j-2", 154)
    odd = Machine(third.host, third.vlan(3031), network.mac(0x74), "j-3")
    odd.address(network.ip(174), network.length)
    hosts.trunk.limit(third, 1518)
    for one in (hosts.trunk.switch, hosts.near.host, hosts.far.host, third.host, client, good, odd):
        one.ns.mtu(9000)
    at_third = Recorder(name="hostC", point=(third.host.ns, third.uplink, "trunk"), local=[odd.mac])
    with record_along(lab, hosts.near_nic(), hosts.far_nic(), at_third):
        for machine in (good, odd):
            machine.ns.spawn("ping", "-q", "-i", "1", network.ip(54))
        for size, count in (("200", "15"), ("1400", "15"), ("8000", "8")):
            for ip in (network.ip(154), network.ip(174)):
                client.ns.run("ping", "-qc", count, "-i", "0.2", "-s", size, ip, check=False)
    lab.shows("icmp.type == 8 && ip.len > 8000", 16)
    lab.fault("PHYS007", "icmp.type == 8 && ip.len > 8000", name="hostC")
    lab.consequence("VLAN017")


@scenario
def path_half_of_the_conversations(lab: Lab) -> None:
    """One member of a port channel between the switches is dead: conversations whose ports hash to it never arrive, the
    others do. Here: those with an odd source port."""
    network, alive = _networks(5, 3041)
    hosts = TwoHosts(lab, network, alive)
    client = hosts.guest(0x35, "lag-1", ip=55)
    server = hosts.peer(0x65, "lag-2", 155)
    listen(server, 8443)
    hosts.trunk.switch.flow(hosts.trunk.bridge, "priority=100,tcp,tp_dst=8443,tp_src=1/1,actions=drop")
    with record_along(lab, hosts.near_nic(), hosts.far_nic(), linger=3):
        hosts.talk()
        client.ns.spawn("ping", "-q", "-i", "1", network.ip(155))
        for port in range(40000, 40016):
            client.ns.run(
                "timeout", "1", "socat", "-u", "/dev/null", f"TCP:{network.ip(155)}:8443,sourceport={port},reuseaddr",
                check=False,
            )  # fmt: skip
    lab.shows("tcp.dstport == 8443 && tcp.flags.syn == 1", 16)
    lab.fault("HYP014", "tcp.dstport == 8443 && tcp.flags.syn == 1", port=8443)
    lab.consequence("SG001")


@scenario
def path_few_packets_lost(lab: Lab) -> None:
    """Three of a hundred packets are lost at random between the hosts. Nothing hangs together with anything: a remark
    at most."""
    network, alive = _networks(6, 3051)
    hosts = TwoHosts(lab, network, alive)
    guest = hosts.guest(0x36, "loss-1", ip=56)
    dice = random.Random(7)
    hosts.trunk.cable(hosts.far, _without(lambda frame: len(frame) < 200 and dice.random() < 0.03))
    with record_along(lab, hosts.near_nic(), hosts.far_nic()):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "0.1", network.gateway)
        time.sleep(12)
    lab.shows("icmp.type == 8", 150)


@scenario
def path_discover_never_at_router(lab: Lab) -> None:
    """A guest and its router on one host; a filter drops what goes to UDP port 67 on its way to the router. Recorded at
    the guest's tap in pcapng, and inside the router cut at 300 bytes."""
    network = GuestNetwork(cidr="10.197.0.0/24", gateway="10.197.0.1", number=0x341)
    stage = Stage(lab, network, first_tap=2)
    guest = stage.guest(0x37, "cut-1")
    static = stage.guest(0x38, "fine-1", ip=network.ip(58))
    static.address(network.ip(58), 24, network.gateway)
    stage.serve()
    bridge_drops(stage.host, f"oifname {stage.router.tap} udp dport 67")
    with record_along(
        lab,
        Recorder(name="vm", point=at_tap(guest), steps=(pcapng,)),
        Recorder(name="vr", point=stage.in_router, steps=(snap(300),)),
        linger=3,
    ):
        static.ns.spawn("ping", "-q", "-i", "0.8", network.gateway)
        static.ns.run("arping", "-c", "3", "-I", "eth0", network.gateway)
        guest.udhcpc(seconds=26)
        static.ns.run("arping", "-c", "3", "-I", "eth0", network.gateway)
    lab.shows(_DISCOVER, 3)
    lab.fault("DHCP006", _DISCOVER, mac=guest.mac)
    lab.consequence("DHCP001")


@scenario
def path_offer_never_at_guest(lab: Lab) -> None:
    """A filter drops what comes from UDP port 67 on its way to the guest's tap: OFFERs leave the router in vain."""
    network = GuestNetwork(cidr="10.198.0.0/24", gateway="10.198.0.1", number=0x342)
    stage = Stage(lab, network, first_tap=6)
    guest = stage.guest(0x39, "deaf-2")
    stage.serve()
    bridge_drops(stage.host, f"oifname {guest.tap} udp sport 67")
    with record_along(
        lab,
        Recorder(name="vm", point=at_tap(guest), compress="gz"),
        Recorder(name="vr", point=stage.in_router),
        linger=3,
    ):
        guest.dhclient(seconds=28)
    lab.shows("dhcp.option.dhcp == 2", 3)
    lab.fault("DHCP007", "dhcp.option.dhcp == 2", mac=guest.mac)
    for code in ("DHCP001", "DHCP008"):
        lab.consequence(code)


@scenario
def path_healthy_through_nat(lab: Lab) -> None:
    """A guest fetches from a server beyond its router, which translates addresses and ports. Recorded at the tap and at
    the router's public side: the same packets under another name."""
    network = GuestNetwork(cidr="10.199.0.0/24", gateway="10.199.0.1", number=0x343)
    stage = Stage(lab, network, first_tap=9)
    public = stage.host.bridge("public0")
    stage.router.plug(public, "1e:00:4c:00:00:05")
    stage.router.address("198.51.100.7", 24, nic=1)
    stage.router.ns.sysctl("net.ipv4.ip_forward", 1)
    stage.router.ns.run("nft", "add", "table", "ip", "nat")
    stage.router.ns.run("nft", "add chain ip nat post { type nat hook postrouting priority 100; }")
    stage.router.ns.run("nft", "add rule ip nat post oifname eth1 masquerade")
    server = Machine(stage.host, public, "00:1c:73:00:00:09", "server")
    server.address("198.51.100.80", 24)
    listen(server, 443)
    guest = stage.guest(0x3A, "nat-1", ip=network.ip(59))
    guest.address(network.ip(59), 24, network.gateway)
    with record_along(
        lab,
        Recorder(name="vm", point=at_tap(guest)),
        Recorder(name="public", point=(stage.router.ns, "eth1", "router")),
        linger=1,
    ):
        guest.ns.run("ping", "-qc", "5", "-i", "0.3", "198.51.100.80")
        connects(guest, "198.51.100.80", 443, tries=6, pause=0.4)
    lab.shows("ip.src == 198.51.100.7", 10)


@scenario
def path_order_not_told(lab: Lab) -> None:
    """A healthy boot recorded at both NICs and the tap, given in the wrong order and without roles."""
    network, alive = _networks(10, 3061)
    hosts = TwoHosts(lab, network, alive)
    guest = hosts.guest(0x3B, "mix-1")
    hosts.serve()
    far, near, tap = hosts.far_nic(), hosts.near_nic(), hosts.tap(guest)
    shuffled = [Recorder(name=one.name, point=one.point, local=one.local, told=False) for one in (far, tap, near)]
    with record_along(lab, *shuffled):
        hosts.talk()
        guest.udhcpc()
        guest.ns.run("ping", "-qc", "10", "-i", "0.4", network.gateway)
    lab.shows(_DISCOVER, 3)
    lab.proof("DHCP031", mac=guest.mac)
