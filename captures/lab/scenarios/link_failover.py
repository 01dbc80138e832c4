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
