"""Two captures of one healthy network that were not taken alike: what one of them lacks was not lost."""

import time

from captures.lab.along import Recorder, TwoHosts, record_along
from captures.lab.cloud import GuestNetwork
from captures.lab.keepalived import keepalived
from captures.lab.post import only, snap
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario


def _network(number: int, vlan: int) -> GuestNetwork:
    return GuestNetwork(cidr=f"10.14{number}.0.0/24", gateway=f"10.14{number}.0.1", number=0x340 + number, vlan=vlan)


def _bridge(hosts: TwoHosts) -> Recorder:
    return Recorder(name="bridge", point=(hosts.near.host.ns, hosts.bridge, "bridge"))


@scenario
def innocent_path_of_connections_alone(lab: Lab) -> None:
    """A guest asks for machines that are switched off, while its neighbour fetches pages from another host. On the
    bridge of their network all is recorded, at the NIC of their host TCP alone, and classic pcap does not tell the
    filter. Healthy."""
    hosts = TwoHosts(lab, _network(1, 1041))
    guest = hosts.guest(0x2C, "web-1", ip=48)
    other = hosts.peer(0x42, "db-2", 62)
    other.ns.spawn("python3", "-m", "http.server", "80", "--directory", str(lab.folder))
    time.sleep(1)
    nic = hosts.near_nic(steps=(only("vlan and tcp"),))
    neighbour = hosts.guest(0x2D, "web-2", ip=49)
    with record_along(lab, _bridge(hosts), nic):
        for _ in range(4):
            neighbour.ns.run("curl", "-s", "-o", "/dev/null", f"http://{hosts.network.ip(62)}/")
            for last in (98, 99):
                guest.ns.run("arping", "-qc", "3", "-w", "3", "-I", "eth0", hosts.network.ip(last), check=False)
    lab.shows("vlan && tcp", 20)
    lab.hides("vlan && !tcp")
    lab.shows("!vlan && arp.opcode == 1", 8)


@scenario
def innocent_path_cut_short(lab: Lab) -> None:
    """Two guests on two hosts speak IPv6, beside others that speak IPv4. On the bridge of their network all is
    recorded, at the NIC 64 bytes of each frame, too few to know one of IPv6 again. Healthy."""
    hosts = TwoHosts(lab, _network(2, 1042))
    guest = hosts.guest(0x2C, "six-1")
    peer = hosts.peer(0x41, "six-2", 61)
    for machine in (guest, peer):
        machine.ipv6(True)
    time.sleep(3)
    four = hosts.guest(0x2D, "four-1", ip=49)
    with record_along(lab, _bridge(hosts), hosts.near_nic(steps=(snap(64),))):
        four.ns.spawn("ping", "-qc", "20", "-i", "0.3", hosts.network.ip(61))
        guest.ns.run("ping", "-6", "-qc", "8", "-i", "0.4", "ff02::1%eth0", check=False)
        guest.ns.run("ping", "-6", "-qc", "12", "-i", "0.4", "fe80::1:3ff:fe42:41%eth0")
    lab.shows("!vlan && icmpv6.type == 129", 12)
    lab.shows("vlan && ipv6", 12)


@scenario
def innocent_path_of_arp_alone(lab: Lab) -> None:
    """A guest boots, is served from another host, and sends its log to a third machine. At its tap all is recorded, at
    the NIC of its host ARP alone, and classic pcap does not tell the filter. Healthy."""
    hosts = TwoHosts(lab, _network(3, 1043))
    guest = hosts.guest(0x2C, "web-1")
    peer = hosts.peer(0x41, "log-1", 61)
    peer.ns.spawn("socat", "-u", "UDP-RECV:514", "OPEN:/dev/null")
    hosts.serve()
    with record_along(lab, hosts.tap(guest), hosts.near_nic(steps=(only("vlan and arp"),))):
        guest.dhclient()
        for _ in range(4):
            guest.ns.run("ip", "neigh", "flush", "all")
            guest.ns.run("ping", "-qc", "2", "-i", "0.3", hosts.network.gateway)
            guest.ns.run("sh", "-c", f"for n in 1 2 3; do echo a line | socat - UDP:{hosts.network.ip(61)}:514; done")
            time.sleep(0.5)
    lab.shows("vlan && arp", 8)
    lab.hides("vlan && !arp")
    lab.shows("!vlan && udp.dstport == 514", 12)


@scenario
def innocent_path_without_multicast(lab: Lab) -> None:
    """The two routers of a pair are on two hosts, and a guest pings the gateway. On the bridge of the first one's host
    all is recorded, at the NIC nothing for groups, by a filter of which classic pcap tells nothing. Healthy."""
    network = _network(4, 1044)
    hosts = TwoHosts(lab, network)
    router = Router(hosts.near.host, hosts.bridge, network, ip=network.ip(2), mac=network.mac(2), label="vr2")
    second = Router(hosts.far.host, hosts.far_bridge, network, ip=network.ip(3), mac=network.mac(3), label="vr3")
    hosts.router.ns.ip("address", "flush", "dev", "eth0")
    for one, priority in ((router, 100), (second, 90)):
        keepalived(one, network, priority=priority)
    time.sleep(5)
    peer = hosts.peer(0x41, "web-1", 61)
    nic = Recorder(
        name="hostA",
        point=hosts.near_nic().point,
        local=(router.mac,),
        steps=(only("vlan and not ether multicast and not ether broadcast"),),
    )
    with record_along(lab, _bridge(hosts), nic):
        peer.ns.run("ping", "-qc", "30", "-i", "0.5", network.gateway)
    lab.shows("!vlan && vrrp", 10)
    lab.shows("vlan && icmp.type == 0", 20)
    lab.hides("vlan && eth.dst.ig == 1")
