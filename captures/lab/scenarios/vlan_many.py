"""A switch port that carries VLANs nobody on its host has a NIC in. The machines of those VLANs would need a bridge and
a namespace each; their ARP is sent by scapy from a third port of the switch."""

import time

from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.sendrecv import sendp

from captures.lab.cloud import GuestNetwork
from captures.lab.post import wire
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.vlan_missing import neighbours
from captures.lab.stage import Trunk

_ROUNDS = 8


def _others(lab: Lab, network: GuestNetwork, vlans: range) -> None:
    trunk = Trunk(lab)
    here, there, beyond = (trunk.host(name, "eth1") for name in ("kvm1", "kvm2", "kvm3"))
    near, _ = neighbours(here, there, network)
    with lab.record(*here.at_nic, steps=(wire((near.mac,)),), compress="gz", linger=2):
        near.ns.run("arping", "-c", "2", "-I", "eth0", network.ip(114), check=False)
        for n in range(_ROUNDS):
            asks = [
                Ether(src=f"02:01:0b:{vlan:02x}:00:{n % 4 + 1:02x}", dst="ff:ff:ff:ff:ff:ff")
                / Dot1Q(vlan=vlan)
                / ARP(
                    hwsrc=f"02:01:0b:{vlan:02x}:00:{n % 4 + 1:02x}",
                    psrc=f"10.220.{vlan}.{n % 4 + 11}",
                    pdst=f"10.220.{vlan}.1",
                )
                for vlan in vlans
            ]
            with beyond.host.ns.inside():
                sendp(asks, iface=beyond.uplink, verbose=False)
            time.sleep(4.5)
    lab.proof("VLAN020", vlan=network.vlan)


@scenario
def vlan_many_unused(lab: Lab) -> None:
    """The switch port has no list of VLANs: broadcasts of 40 VLANs come to a host that has a guest in one. No fault, a
    remark."""
    network = GuestNetwork(cidr="10.218.0.0/24", gateway="10.218.0.1", number=0x399, vlan=900)
    _others(lab, network, range(100, 140))
    lab.shows("arp && vlan.id < 140", 300)
    lab.info("VLAN024", "arp && vlan.id < 140")


@scenario
def vlan_few_unused(lab: Lab) -> None:
    """As vlan-many-unused, with the twelve VLANs of a small zone, one of them with a guest here. Healthy."""
    network = GuestNetwork(cidr="10.219.0.0/24", gateway="10.219.0.1", number=0x39A, vlan=900)
    _others(lab, network, range(150, 162))
    lab.shows("arp && vlan.id < 162", 90)
