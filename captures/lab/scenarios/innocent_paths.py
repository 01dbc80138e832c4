"""Two captures of one healthy network that were not taken alike: what one of them lacks was not lost."""

import time

from captures.lab.along import Recorder, TwoHosts, record_along
from captures.lab.cloud import GuestNetwork
from captures.lab.post import only, snap
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
