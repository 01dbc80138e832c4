"""An active-backup bond of Open vSwitch: a link that comes and goes, a single failover, and a bond that balances."""

import time
from contextlib import ExitStack

from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.post import wire
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.link_bundles import Bonded


def _bonded(lab: Lab, number: int, subnet: str, mode: str, *downs: float) -> None:
    """Two machines talk through a bond; the first member's link is down for a while at each of ``downs`` (seconds)."""
    network = GuestNetwork(cidr=f"{subnet}.0/24", gateway=f"{subnet}.1", number=number)
    bonded = Bonded(lab, network)
    more = Machine(bonded.host, None, network.mac(0x13), "near2")
    more.address(network.ip(0x13), network.length)
    bonded.ovs.port(bonded.bridge, more.tap)
    bonded.ovs.vsctl("add-bond", bonded.bridge, "bond0", "eth1", "eth2", f"bond_mode={mode}", "bond_updelay=200")
    bonded.ovs.vsctl("set", "port", "bond0", "other_config:bond-primary=eth1")
    switch, bridge = bonded.switch_of(1)
    for n in (1, 2):
        switch.port(bridge, f"port{n}")
    local = (bonded.near.mac, more.mac)
    with ExitStack() as stack:
        for n in (1, 2):
            stack.enter_context(
                lab.record(
                    bonded.host.ns, f"eth{n}", "bond", name=f"kvm1-eth{n}", steps=(wire(local),), nano=True, linger=2
                )
            )
        for machine in (bonded.near, more):
            machine.ns.spawn("ping", "-q", "-i", "0.3", network.ip(0x12))
            machine.ns.spawn("arping", "-q", "-w", "30", "-I", "eth0", network.ip(0x12))
        time.sleep(4)
        for seconds in downs:
            switch.ns.ip("link", "set", "port1", "down")
            time.sleep(seconds)
            switch.ns.ip("link", "set", "port1", "up")
            time.sleep(4)
        time.sleep(2)


@scenario
def bond_flaps(lab: Lab) -> None:
    """The cable of the active member is loose: its link goes down and comes up three times, and the bond moves all its
    traffic each time."""
    _bonded(lab, 0x3F1, "10.230.0", "active-backup", 3, 3, 3)
    lab.shows("icmp.type == 8", 60)
    lab.fault("HYP012", "icmp.type == 8")


@scenario
def bond_fails_over_once(lab: Lab) -> None:
    """The active member's cable is pulled once and plugged in again: what an active-backup bond is for. Healthy."""
    _bonded(lab, 0x3F2, "10.231.0", "active-backup", 4)
    lab.shows("icmp.type == 8", 40)


@scenario
def bond_balances(lab: Lab) -> None:
    """A bond that balances by source MAC sends by both members at the same time. Healthy."""
    _bonded(lab, 0x3F3, "10.232.0", "balance-slb")
    lab.shows("icmp.type == 8", 20)


def _balanced(lab: Lab, n: int, *lists: str) -> None:
    """Guests of two VLANs on a bond that balances by source MAC; ``lists`` are the VLANs of its two switch ports."""
    networks = [
        GuestNetwork(cidr=f"10.{236 + n}.{8 * k}.0/24", gateway=f"10.{236 + n}.{8 * k}.1", number=0x420 + 2 * n + k)
        for k in (0, 1)
    ]
    bonded = Bonded(lab, networks[0])
    switch, bridge = bonded.switch_of(1)
    for number, vlans in enumerate(lists, 1):
        switch.port(bridge, f"port{number}", f"trunks={vlans}")
    bonded.ovs.change(bonded.near.tap, "tag=3901")
    switch.change("kvm2-0", "tag=3901")
    guests = [bonded.near]
    for k, network in enumerate(networks):
        for sequence in range(0x20, 0x24):
            guest = Machine(bonded.host, None, network.mac(sequence), f"g{k}-{sequence:x}")
            guest.address(network.ip(sequence), network.length)
            bonded.ovs.port(bonded.bridge, guest.tap, f"tag={3901 + k}")
            guests.append(guest)
    other = Machine(bonded.host, None, networks[1].mac(0x12), "far2")
    other.host.ns.ip("link", "set", other.tap, "netns", switch.ns.name)
    switch.ns.ip("link", "set", other.tap, "up")
    switch.port(bridge, other.tap, "tag=3902")
    other.address(networks[1].ip(0x12), 24)
    settings = ("bond_mode=balance-slb", "other_config:bond-rebalance-interval=0")
    bonded.ovs.vsctl("add-bond", bonded.bridge, "bond0", "eth1", "eth2", *settings)
    time.sleep(2)
    steps = (wire([one.mac for one in guests]),)
    with ExitStack() as stack:
        for number in (1, 2):
            nic = f"eth{number}"
            recorder = lab.record(bonded.host.ns, nic, "bond", name=f"kvm1-{nic}", steps=steps, nano=True, linger=3)
            stack.enter_context(recorder)
        for guest in guests:
            network = networks[int(guest.label.startswith("g1"))]
            guest.ns.spawn("ping", "-q", "-i", "1", network.ip(0x12))
        time.sleep(12)


@scenario
def bond_leg_lacks_vlan(lab: Lab) -> None:
    """A bond that balances by source MAC; the switch port of one member does not carry VLAN 3901, that of the other
    does. Guests of 3901 whose frames go by the first get no answer, the others do; 3902 works by both."""
    _balanced(lab, 0, "3901,3902", "3902")
    lab.shows("vlan.id == 3901 && arp.opcode == 1", 10)
    lab.fault("OVS006", "vlan.id == 3901 && arp", vlan=3901)
    for code in ("VLAN001", "VLAN019"):
        lab.consequence(code)
    lab.proof("VLAN020", vlan=3902)


@scenario
def bond_legs_alike(lab: Lab) -> None:
    """As bond-leg-lacks-vlan, with both VLANs on both ports. Healthy."""
    _balanced(lab, 1, "3901,3902", "3901,3902")
    lab.shows("vlan.id == 3901 && icmp.type == 0", 20)
    lab.proof("VLAN020", vlan=3901)
