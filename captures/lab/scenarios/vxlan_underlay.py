"""VXLAN over multicast groups, as CloudStack's modifyvxlan.sh sets it up: does each group reach its members."""

import time

from captures.lab.cloud import Host, Machine, veth
from captures.lab.post import pcapng, snap
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Point


class Underlay:
    """Two hypervisors with VXLAN interfaces on an underlay switch that snoops IGMP and, if told so, asks."""

    def __init__(self, lab: Lab, *, querier: bool) -> None:
        self.lab = lab
        self.fabric = Host(lab, "switch")
        self.fabric.bridge("sw0")
        settings = ["mcast_snooping", "1", "mcast_query_interval", "900", "mcast_query_response_interval", "300"]
        if querier:
            self.fabric.ns.ip("address", "add", "10.0.50.254/24", "dev", "sw0")
            settings += ["mcast_querier", "1", "mcast_query_use_ifaddr", "1", "mcast_startup_query_interval", "300"]
        self.fabric.ns.ip("link", "set", "sw0", "type", "bridge", *settings)
        self.hosts = [self._host(n) for n in (1, 2)]

    def _host(self, number: int) -> Host:
        host = Host(self.lab, f"kvm{number}", first_tap=number * 100)
        host.ns.sysctl("net.ipv4.igmp_max_memberships", 200)
        veth(host.ns, "eth1", self.fabric.ns, f"port{number}")
        host.ns.ip("link", "set", "eth1", "address", f"b8:59:9f:30:00:0{number}")
        host.ns.ip("address", "add", f"10.0.50.{10 + number}/24", "dev", "eth1")
        for where, name in ((host.ns, "eth1"), (self.fabric.ns, f"port{number}")):
            where.ip("link", "set", name, "up")
        self.fabric.ns.ip("link", "set", f"port{number}", "master", "sw0")
        return host

    def pair(self, vni: int) -> tuple[Machine, Machine]:
        """A guest on each host in one network; interfaces and group are named as modifyvxlan.sh does."""
        guests = []
        for number, host in enumerate(self.hosts, 1):
            words = ("id", str(vni), "group", group_of(vni), "ttl", "10", "dev", "eth1", "dstport", "4789")
            host.ns.ip("link", "add", f"vxlan{vni}", "type", "vxlan", *words)
            bridge = host.bridge(f"brvx-{vni}")
            host.ns.ip("link", "set", f"vxlan{vni}", "master", bridge)
            host.ns.ip("link", "set", f"vxlan{vni}", "up")
            mac = f"02:03:{vni >> 8:02x}:{vni & 255:02x}:00:0{number}"
            machine = Machine(host, bridge, mac, f"g{vni}-{number}")
            machine.address(_address(vni, number), 24)
            guests.append(machine)
        return guests[0], guests[1]

    @property
    def at_nic(self) -> Point:
        """The underlay NIC of the first host."""
        return self.hosts[0].ns, "eth1", "nic"


def group_of(vni: int) -> str:
    """The multicast group of a VNI: its three bytes behind 239."""
    return f"239.{vni >> 16 & 255}.{vni >> 8 & 255}.{vni & 255}"


def _address(vni: int, number: int) -> str:
    return f"10.{vni >> 8}.{vni & 255}.{number}"


def _ask(guest: Machine, vni: int) -> None:
    """A guest pings the one on the other host, and asks for it by broadcast every second."""
    guest.ns.spawn("ping", "-q", "-i", "1", _address(vni, 2))
    guest.ns.spawn("arping", "-b", "-q", "-I", "eth0", _address(vni, 2))


@scenario
def vxlan_multicast_works(lab: Lab) -> None:
    """Guests of two VXLAN networks on two hosts find each other by multicast; the switch snoops IGMP and asks every
    nine seconds, and the hosts answer for both groups. Healthy."""
    underlay = Underlay(lab, querier=True)
    pairs = {vni: underlay.pair(vni) for vni in (301, 302)}
    time.sleep(3)
    with lab.record(*underlay.at_nic, linger=1):
        for vni, (near, _) in pairs.items():
            _ask(near, vni)
        time.sleep(66)
    lab.shows("igmp.type == 0x11", 3)
    lab.shows("igmp.type == 0x22 || igmp.type == 0x16", 3)
    lab.shows(f"vxlan && ip.dst == {group_of(301)}", 40)


@scenario
def vxlan_group_without_report(lab: Lab) -> None:
    """A firewall rule on the host of one guest drops the IGMP reports for the group of VNI 402. The switch asks, the
    host answers for VNI 401 only, and what is sent to the group of 402 never comes to it."""
    underlay = Underlay(lab, querier=True)
    host = underlay.hosts[0]
    host.ns.sysctl("net.ipv4.conf.eth1.force_igmp_version", 2)
    host.ns.run("nft", "add", "table", "inet", "lab")
    host.ns.run("nft", "add chain inet lab output { type filter hook output priority 0; }")
    host.ns.run("nft", f"add rule inet lab output ip protocol igmp ip daddr {group_of(402)} drop")
    pairs = {vni: underlay.pair(vni) for vni in (401, 402)}
    time.sleep(3)
    with lab.record(*underlay.at_nic, told=False, steps=(pcapng,), compress="gz", linger=1):
        for vni, (near, _) in pairs.items():
            _ask(near, vni)
        pairs[402][1].ns.spawn("arping", "-b", "-q", "-I", "eth0", "10.1.146.9")
        time.sleep(72)
    lab.shows("igmp.type == 0x11", 3)
    lab.shows(f"igmp.type == 0x16 && ip.dst == {group_of(401)}", 3)
    lab.hides(f"igmp.type == 0x16 && ip.dst == {group_of(402)} && ip.src == 10.0.50.11")
    lab.fault("HYP022", f"vxlan && ip.dst == {group_of(402)}")


@scenario
def vxlan_nobody_asks(lab: Lab) -> None:
    """The underlay switch snoops IGMP, and nobody asks who wants which group: the hosts reported when they joined, and
    were never asked again. In four and a half minutes nothing was lost yet; worth a word, no more."""
    underlay = Underlay(lab, querier=False)
    near, _ = underlay.pair(501)
    with lab.record(*underlay.at_nic, steps=(snap(128),), compress="xz", linger=1):
        _ask(near, 501)
        time.sleep(5)
        underlay.pair(502)
        time.sleep(265)
    lab.shows("igmp", 1)
    lab.hides("igmp.type == 0x11")
    lab.info("HYP022", f"vxlan && ip.dst == {group_of(501)}")
