"""Open vSwitch of a host, recorded at taps and at its uplink: a VLAN it keeps in, and a restart."""

import time

from captures.lab.along import Recorder, TwoHosts, record_along
from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.scenario import Lab, scenario


def _networks(n: int, vlan: int) -> tuple[GuestNetwork, GuestNetwork]:
    return (
        GuestNetwork(cidr=f"10.{226 + n}.0.0/24", gateway=f"10.{226 + n}.0.1", number=0x3C0 + n, vlan=vlan),
        GuestNetwork(cidr=f"10.{226 + n}.8.0/24", gateway=f"10.{226 + n}.8.1", number=0x3E0 + n, vlan=vlan + 1),
    )


@scenario
def path_ovs_vlan_not_in_trunks(lab: Lab) -> None:
    """The list of VLANs of the host's uplink, in Open vSwitch, lacks one: two guests of that network do not get out, a
    guest of another network does. Recorded at three taps and the uplink."""
    network, alive = _networks(0, 3701)
    hosts = TwoHosts(lab, network, alive, first_tap=2)
    one, other = hosts.guest(0x41, "in-1", ip=41), hosts.guest(0x42, "in-2", ip=42)
    hosts.near.ovs.change(hosts.near.uplink, f"trunks={alive.vlan}")
    taps = (hosts.tap(hosts.other, "vm3"), hosts.tap(one, "vm1"), hosts.tap(other, "vm2"))
    with record_along(lab, *taps, hosts.near_nic(), linger=2):
        hosts.talk()
        for guest in (one, other):
            guest.ns.spawn("ping", "-q", "-i", "1", network.gateway)
        time.sleep(12)
    lab.shows(f"arp.dst.proto_ipv4 == {network.gateway}", 12)
    lab.fault("OVS003", f"arp.dst.proto_ipv4 == {network.gateway}")
    for code in ("HYP001", "VLAN019"):
        lab.consequence(code)


@scenario
def path_ovs_all_in_trunks(lab: Lab) -> None:
    """As path-ovs-vlan-not-in-trunks, with both VLANs in the list: all get out. Healthy."""
    network, alive = _networks(1, 3711)
    hosts = TwoHosts(lab, network, alive, first_tap=6)
    one, other = hosts.guest(0x41, "out-1", ip=41), hosts.guest(0x42, "out-2", ip=42)
    hosts.near.ovs.change(hosts.near.uplink, f"trunks={network.vlan},{alive.vlan}")
    taps = (hosts.tap(hosts.other, "vm3"), hosts.tap(one, "vm1"), hosts.tap(other, "vm2"))
    with record_along(lab, *taps, hosts.near_nic(), linger=2):
        hosts.talk()
        for guest in (one, other):
            guest.ns.spawn("ping", "-q", "-i", "1", network.gateway)
        time.sleep(8)
    lab.shows("icmp.type == 0", 12)
    lab.proof("VLAN020", vlan=network.vlan)


def _restart(lab: Lab, hosts: TwoHosts, guest: Machine, peer: Machine, *, seconds: float) -> None:
    near = hosts.near_nic()
    with record_along(lab, Recorder(name="vm", point=hosts.tap(guest).point), near, linger=2):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "0.25", hosts.network.gateway)
        peer.ns.spawn("ping", "-q", "-i", "0.4", hosts.network.ip(41))
        time.sleep(6)
        if seconds:
            hosts.near.ovs.restart(seconds)
        time.sleep(8)


@scenario
def path_ovs_restarted(lab: Lab) -> None:
    """ovs-vswitchd of the guest's host is killed and started again four seconds later; until then nothing passes from
    or to any guest, then all works on."""
    network, alive = _networks(2, 3721)
    hosts = TwoHosts(lab, network, alive, first_tap=8)
    guest, peer = hosts.guest(0x41, "cut-1", ip=41), hosts.peer(0x51, "peer-1", 51)
    _restart(lab, hosts, guest, peer, seconds=4)
    lab.shows("icmp.type == 8 && !vlan", 40)
    lab.fault("OVS005", "icmp.type == 8")


@scenario
def path_guest_paused(lab: Lab) -> None:
    """As path-ovs-restarted, but it is the guest that says nothing for four seconds: nothing is lost. Healthy."""
    network, alive = _networks(3, 3731)
    hosts = TwoHosts(lab, network, alive, first_tap=9)
    guest, peer = hosts.guest(0x41, "nap-1", ip=41), hosts.peer(0x51, "peer-2", 51)
    with record_along(lab, hosts.tap(guest), hosts.near_nic(), linger=2):
        hosts.talk()
        guest.ns.run("ping", "-qc", "16", "-i", "0.25", network.gateway)
        peer.ns.run("ping", "-qc", "4", "-i", "0.3", network.ip(41))
        time.sleep(4)
        guest.ns.run("ping", "-qc", "16", "-i", "0.25", network.gateway)
    lab.shows("icmp.type == 0", 60)
    lab.proof("VLAN020", vlan=network.vlan)
