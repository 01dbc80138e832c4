"""Pairs of virtual routers and their VRRP: one master, a change of master, and two masters at once."""

import time

from captures.lab.cloud import GuestNetwork
from captures.lab.keepalived import PASSWORD, keepalived
from captures.lab.post import pcapng, snap, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, Trunk, at_tap


def _pair(lab: Lab, network: GuestNetwork) -> tuple[Stage, tuple[Router, Router]]:
    stage = Stage(lab, network, router=False)
    return stage, (
        Router(stage.host, stage.bridge, network, ip=network.ip(2), label="vr1"),
        Router(stage.host, stage.bridge, network, ip=network.ip(3), mac=network.mac(2), label="vr2"),
    )


@scenario
def vrrp_both_masters(lab: Lab) -> None:
    """A firewall rule in both routers drops VRRP: neither hears the other, both are master of the gateway address and
    both announce it. Recorded on the bridge."""
    network = GuestNetwork(cidr="10.200.0.0/24", gateway="10.200.0.1", number=0x2A0, vlan=2010)
    stage, routers = _pair(lab, network)
    guest = stage.guest(0x21, "web-1")
    guest.address(network.ip(0x21), 24, network.gateway)
    for router, priority in zip(routers, (100, 80), strict=True):
        router.drop("ip protocol vrrp")
        keepalived(router, network, priority=priority)
    time.sleep(5)
    with lab.record(*stage.at_bridge, told=False, compress="gz", linger=1):
        guest.ns.spawn("ping", "-q", "-i", "1", network.gateway)
        time.sleep(18)
    for router in routers:
        lab.shows(f"vrrp && eth.src == {router.mac}", 12)
    lab.secret(PASSWORD)
    lab.fault("PHYS008", "vrrp")
    lab.consequence("HYP015")
    lab.consequence("DHCP015")


@scenario
def vrrp_versions_differ(lab: Lab) -> None:
    """One router of the pair was rebuilt from a newer template and speaks VRRP version 3, the other one version 2: each
    throws the other's advertisements away. Recorded at the NIC of the first one's host, tagged, cut at 96 bytes."""
    network = GuestNetwork(cidr="10.201.0.0/24", gateway="10.201.0.1", number=0x2A1, vlan=2011)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=2011") for name in ("kvm1", "kvm2"))
    first = Router(here.host, here.vlan(2011), network, ip=network.ip(2), label="vr1")
    second = Router(there.host, there.vlan(2011), network, ip=network.ip(3), mac=network.mac(2), label="vr2")
    keepalived(first, network, priority=100)
    keepalived(second, network, priority=80, version=3)
    time.sleep(5)
    with lab.record(*here.at_nic, steps=(wire((first.mac,)), snap(96)), linger=1):
        time.sleep(18)
    lab.shows("vrrp.version == 2 && vlan.id == 2011", 5)
    lab.shows("vrrp.version == 3 && vlan.id == 2011", 12)
    lab.fault("PHYS008", "vrrp", vlan=2011)
    lab.consequence("HYP015")


@scenario
def vrrp_unicast_works(lab: Lab) -> None:
    """A pair that speaks VRRP version 3 by unicast; the master is stopped once, the other one takes over and stays.
    Healthy. Recorded at the tap of the first router."""
    network = GuestNetwork(cidr="10.202.0.0/24", gateway="10.202.0.1", number=0x2A2)
    stage, (first, second) = _pair(lab, network)
    guest = stage.guest(0x22, "web-2")
    guest.address(network.ip(0x22), 24, network.gateway)
    keepalived(first, network, priority=100, version=3, peer=network.ip(3))
    keepalived(second, network, priority=80, version=3, peer=network.ip(2))
    time.sleep(5)
    with lab.record(*at_tap(first), steps=(pcapng,), linger=1):
        guest.ns.spawn("ping", "-q", "-i", "1", network.gateway)
        time.sleep(8)
        first.drop("ip protocol vrrp")
        first.ns.run("pkill", "-TERM", "-F", str(lab.folder / first.ns.name / "ka.pid"))
        time.sleep(10)
    lab.shows("vrrp && ip.src == 10.202.0.2", 6)
    lab.shows("vrrp && ip.src == 10.202.0.3", 6)


@scenario
def vrrp_master_comes_back(lab: Lab) -> None:
    """The master's link is cut for six seconds and comes back: the other router takes over, then gives the address
    back. From the virtual router's own MAC, recorded on the bridge. Healthy."""
    network = GuestNetwork(cidr="10.203.0.0/24", gateway="10.203.0.1", number=0x2A3)
    stage, (first, second) = _pair(lab, network)
    keepalived(first, network, priority=100)
    keepalived(second, network, priority=80)
    time.sleep(5)
    with lab.record(*stage.at_bridge, told=False, steps=(pcapng,), compress="gz", linger=1):
        time.sleep(6)
        stage.host.ns.ip("link", "set", first.tap, "down")
        time.sleep(6)
        stage.host.ns.ip("link", "set", first.tap, "up")
        time.sleep(10)
    for router in (first, second):
        lab.shows(f"vrrp && ip.src == {router.ip}", 2)


@scenario
def vrrp_two_pairs_share_an_id(lab: Lab) -> None:
    """Two pairs of firewalls of two tenants in one shared network both took virtual router id 51, for different
    addresses. They log it, and each address has one master. Healthy."""
    network = GuestNetwork(cidr="10.204.0.0/24", gateway="10.204.0.1", number=0x2A4)
    other = GuestNetwork(cidr="10.204.0.0/24", gateway="10.204.0.129", number=0x2A4)
    stage, (first, second) = _pair(lab, network)
    for router in (first, second):
        router.drop("ip protocol vrrp")
    keepalived(first, network, priority=100)
    keepalived(second, other, priority=100)
    time.sleep(5)
    with lab.record(*stage.at_bridge, linger=1):
        time.sleep(14)
    for router in (first, second):
        lab.shows(f"vrrp && ip.src == {router.ip}", 10)


@scenario
def vrrp_vlan_cut_between_hosts(lab: Lab) -> None:
    """The VLAN of a redundant network is missing on the switch port of the second router's host: neither router hears
    the other, and both are master. Recorded at the NICs of both hosts."""
    network = GuestNetwork(cidr="10.205.0.0/24", gateway="10.205.0.1", number=0x2A5, vlan=2015)
    trunk = Trunk(lab)
    here, there = trunk.host("kvm1", "eth1", "trunks=2014,2015"), trunk.host("kvm2", "eth1", "trunks=2014")
    first = Router(here.host, here.vlan(2015), network, ip=network.ip(2), label="vr1")
    second = Router(there.host, there.vlan(2015), network, ip=network.ip(3), mac=network.mac(2), label="vr2")
    keepalived(first, network, priority=100)
    keepalived(second, network, priority=80)
    time.sleep(5)
    with (
        lab.record(*here.at_nic, name="kvm1", steps=(wire((first.mac,)),), linger=1),
        lab.record(*there.at_nic, name="kvm2", steps=(wire((second.mac,)), pcapng), linger=1),
    ):
        time.sleep(16)
    for router in (first, second):
        lab.shows(f"vrrp && eth.src == {router.mac}", 12)
    lab.fault("PHYS008", "vrrp", vlan=2015)
