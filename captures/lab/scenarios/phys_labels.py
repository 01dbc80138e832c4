"""Physical networks by their labels: two NICs of one host and one of another, each on the switch it is meant for."""

import time

from captures.lab.along import Recorder, record_along
from captures.lab.cloud import GuestNetwork, Machine, veth
from captures.lab.guest import Guest
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.held_out_filters import second_switch
from captures.lab.stage import Trunk


@scenario
def phys_labels_right(lab: Lab) -> None:
    """Management is on eth0 of both hosts, guests are on eth1: a guest here is answered by its router beyond, and asks
    for a neighbour that is switched off in vain. Both NICs of its host and the guest NIC of the router's. Healthy."""
    management, guests = Trunk(lab), second_switch(lab)
    network = GuestNetwork(cidr="10.133.4.0/24", gateway="10.133.4.1", number=0x2A0, vlan=1560)
    here = guests.host("node1", "eth1", "trunks=1560")
    there = guests.host("node2", "eth1", "trunks=1560", first_tap=30)
    admin = management.host("node3", "eth0", "trunks=0", first_tap=50)
    veth(here.host.ns, "eth0", management.switch.ns, "node1-eth0")
    for where, name in ((here.host.ns, "eth0"), (management.switch.ns, "node1-eth0")):
        where.ip("link", "set", name, "up")
    management.switch.port(management.bridge, "node1-eth0", "trunks=0")
    label = here.host.bridge("cloudbr0")
    kvm = Machine(here.host, label, "b8:59:9f:00:13:01", "kvm1")
    here.host.ns.ip("link", "set", "eth0", "master", label)
    kvm.address("10.133.0.21", 24)
    server = Machine(admin.host, admin.native(), "b8:59:9f:00:13:05", "ms")
    server.address("10.133.0.5", 24)
    bridge = there.vlan(1560)
    router = Router(there.host, bridge, network)
    peer = Machine(there.host, bridge, network.mac(9), "peer")
    peer.address(network.ip(9), 24)
    guest = Guest(here.host, here.vlan(1560), network.mac(0x33), "web-1")
    guest.address(network.ip(51), 24, network.gateway)
    ours, theirs = (kvm.mac, guest.mac), (router.mac, peer.mac)
    points = [Recorder(name=f"node1-{nic}", point=(here.host.ns, nic, "nic"), local=ours) for nic in ("eth0", "eth1")]
    with record_along(lab, *points, Recorder(name="node2-eth1", point=there.at_nic, local=theirs), linger=3):
        kvm.ns.spawn("ping", "-q", "-i", "2", "10.133.0.5")
        peer.ns.spawn("arping", "-b", "-q", "-I", "eth0", network.ip(77))
        guest.ns.spawn("ping", "-q", "-i", "2", network.gateway)
        guest.ns.spawn("ping", "-q", "-i", "2", network.ip(60))
        time.sleep(16)
    lab.shows(f"vlan.id == 1560 && arp.dst.proto_ipv4 == {network.ip(60)}", 8)
    lab.shows("vlan.id == 1560 && icmp.type == 0", 10)
