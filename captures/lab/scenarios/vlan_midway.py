"""A VLAN that falls silent while it is recorded, at one NIC: taken off a port, or its other host went down."""

import time

from captures.lab.along import TwoHosts
from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.post import snap, wire
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Trunk, TrunkHost


def _recorded(lab: Lab, vlan: int, subnet: int, *, goes_down: bool) -> None:
    """Three guests here talk with a gateway and a database on a second host; another VLAN has members here and there.

    After 15 s the VLAN is taken off the second host's switch port, or the link of that host goes down.
    """
    trunk = Trunk(lab)
    vlans = f"trunks={vlan},{vlan + 1}"
    here, there, third = (trunk.host(f"kvm{n}", "eth1", vlans, first_tap=6 * n) for n in range(3))
    network, alive = (
        GuestNetwork(cidr=f"10.24.{subnet + n}.0/24", gateway=f"10.24.{subnet + n}.1", number=vlan + n, vlan=vlan + n)
        for n in range(2)
    )
    guests = [_machine(here, network, 0x20 + n) for n in range(3)]
    gateway, database = (_machine(there, network, sequence) for sequence in (1, 0x51))
    near = _machine(here, alive, 0x70)
    _machine(third, alive, 0x71)
    database.ns.spawn("socat", "TCP-LISTEN:5432,fork,reuseaddr", "SYSTEM:cat")
    time.sleep(0.5)
    local = [near.mac, *(one.mac for one in guests)]
    with lab.record(*here.at_nic, steps=(wire(local),), compress="gz", linger=2):
        near.ns.spawn("ping", "-q", "-i", "0.7", alive.ip(0x71))
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "0.8", network.gateway)
            rows = "while sleep 0.9; do echo row; done"
            guest.ns.spawn("sh", "-c", f"({rows}) | socat - TCP:{network.ip(0x51)}:5432")
        time.sleep(15)
        if goes_down:
            there.host.ns.ip("link", "set", "eth1", "down")
        else:
            trunk.switch.change("kvm1-port", f"trunks={vlan + 1}")
        time.sleep(36)
    lab.shows(f"icmp.type == 0 && eth.src == {gateway.mac}", 30)
    lab.shows(f"arp.opcode == 1 && arp.dst.proto_ipv4 == {network.gateway}", 12)
    for n in range(2):
        lab.proof("VLAN020", vlan=vlan + n)


def _machine(where: TrunkHost, network: GuestNetwork, sequence: int) -> Machine:
    bridge = f"br{where.uplink}-{network.vlan}"
    if bridge not in where.host.ns.run("ip", "-br", "link").stdout:
        where.vlan(network.vlan)
    machine = Machine(where.host, bridge, network.mac(sequence), f"m{network.vlan}-{sequence}")
    machine.address(network.ip(sequence), network.length)
    return machine


@scenario
def vlan_taken_off_midway(lab: Lab) -> None:
    """While a host's NIC is recorded, VLAN 2450 is taken off the switch port of the host that its gateway and a
    database are on: three guests here ask for the gateway in vain from then on. VLAN 2451 goes on."""
    _recorded(lab, 2450, 50, goes_down=False)
    lab.fault("VLAN001", "arp.opcode == 1 && arp.dst.proto_ipv4 == 10.24.50.1", vlan=2450)
    lab.consequence("VLAN019", vlan=2450)


@scenario
def vlan_far_host_down_midway(lab: Lab) -> None:
    """As vlan-taken-off-midway for VLAN 2452, but it is the other host that goes down: at this NIC the same is seen, so
    that no more than a remark on the VLAN is right."""
    _recorded(lab, 2452, 52, goes_down=True)
    lab.info("VLAN001", "arp.opcode == 1 && arp.dst.proto_ipv4 == 10.24.52.1", vlan=2452)


@scenario
def vlan_only_peer_stopped_midway(lab: Lab) -> None:
    """The only machine of VLAN 2454 on another host is stopped by its owner while the NIC of this host is recorded; two
    guests here go on asking for it. No more than a remark on the VLAN is right."""
    network = GuestNetwork(cidr="10.24.54.0/24", gateway="10.24.54.1", number=2454, vlan=2454)
    alive = GuestNetwork(cidr="10.24.55.0/24", gateway="10.24.55.1", number=2455, vlan=2455)
    two = TwoHosts(lab, network, alive, nic="eno1")
    guests = [two.guest(0x21 + n, f"app-{n}", ip=40 + n) for n in range(2)]
    two.talk()
    local = [*(guest.mac for guest in guests), two.other.mac]
    with lab.record(two.near.host.ns, "eno1", "nic", steps=(wire(local), snap(96)), linger=2):
        for guest in guests:
            guest.ns.spawn("arping", "-b", "-q", "-I", "eth0", network.gateway)
            guest.ns.spawn("ping", "-q", "-i", "1", network.gateway)
        time.sleep(9)
        two.router.ns.ip("link", "set", "eth0", "down")
        time.sleep(24)
    lab.shows(f"icmp.type == 0 && eth.src == {two.router.mac}", 10)
    lab.hides(f"eth.src == {two.router.mac} && frame.time_relative > 11")
    lab.info("VLAN001", "arp.opcode == 1 && vlan.id == 2454 && frame.time_relative > 11", vlan=2454)
    for vlan in (2454, 2455):
        lab.proof("VLAN020", vlan=vlan)
