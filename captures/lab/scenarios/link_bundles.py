"""LACP between a host's bond and its switch, by Open vSwitch on both sides: in sync, alone, and with two partners."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from captures.lab.cloud import GuestNetwork, Host, Machine, veth
from captures.lab.openvswitch import OpenVSwitch
from captures.lab.post import pcapng, wire
from captures.lab.scenario import Lab, scenario

_SECONDS = 100


class Bonded:
    """A host with a bond of two NICs, cabled to one switch or two, and a machine on either side."""

    def __init__(self, lab: Lab, network: GuestNetwork, *, switches: int = 1, fast: bool = True) -> None:
        self.lab = lab
        self.host = Host(lab, "kvm1")
        self.ovs = OpenVSwitch(lab, self.host.ns)
        self.bridge = self.ovs.bridge("cloudbr1")
        self.switches: list[tuple[OpenVSwitch, str]] = []
        for n in range(switches):
            where = lab.namespace(f"switch{n}")
            where.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
            switch = OpenVSwitch(lab, where)
            self.switches.append((switch, switch.bridge(f"sw{n}", f"other_config:hwaddr=00:1c:73:0{n}:00:01")))
        self.rate = "fast" if fast else "slow"
        for n in (1, 2):
            switch, _ = self.switch_of(n)
            veth(self.host.ns, f"eth{n}", switch.ns, f"port{n}")
            self.host.ns.ip("link", "set", f"eth{n}", "address", f"b8:59:9f:10:00:0{n}")
            switch.ns.ip("link", "set", f"port{n}", "address", f"00:1c:73:0{n}:10:0{n}")
            for there, name in ((self.host.ns, f"eth{n}"), (switch.ns, f"port{n}")):
                there.ip("link", "set", name, "up")
        self.near = self._machine(self.host, self.ovs, self.bridge, network, 0x11)
        beyond = Host(lab, "kvm2")
        for n, (switch, bridge) in enumerate(self.switches):
            veth(beyond.ns, f"up{n}", switch.ns, f"kvm2-{n}")
            for there, name in ((beyond.ns, f"up{n}"), (switch.ns, f"kvm2-{n}")):
                there.ip("link", "set", name, "up")
            switch.port(bridge, f"kvm2-{n}")
        self.far = Machine(beyond, None, network.mac(0x12), "far")
        self.far.address(network.ip(0x12), network.length)
        far_bridge = beyond.bridge("br0")
        for tap in (self.far.tap, "up0"):
            beyond.ns.ip("link", "set", tap, "master", far_bridge)
        self.network = network

    def switch_of(self, number: int) -> tuple[OpenVSwitch, str]:
        """The switch that NIC ``number`` (1 or 2) is cabled to, and its bridge."""
        return self.switches[min(number, len(self.switches)) - 1]

    def bond(self) -> None:
        """The host's side."""
        rate = f"other_config:lacp-time={self.rate}"
        self.ovs.vsctl("add-bond", self.bridge, "bond0", "eth1", "eth2", "lacp=active", "bond_mode=balance-tcp", rate)

    def bundle(self, switch: OpenVSwitch, bridge: str, *ports: str) -> None:
        """A switch's side: a port-channel of these ports (of one port: with LACP all the same)."""
        settings = ("lacp=active", "bond_mode=balance-tcp", f"other_config:lacp-time={self.rate}")
        if len(ports) > 1:
            switch.vsctl("add-bond", bridge, "po1", *ports, *settings)
        else:
            switch.vsctl("add-port", bridge, ports[0], "--", "set", "port", ports[0], *settings)

    def record(self, body: Callable[[], None], *, told: bool = True, **more: object) -> None:
        """Records both members while ``body`` runs."""
        with ExitStack() as stack:
            for n in (1, 2):
                steps = (wire((self.near.mac, f"b8:59:9f:10:00:0{n}")), *((pcapng,) if more.get("pcapng") else ()))
                stack.enter_context(
                    self.lab.record(self.host.ns, f"eth{n}", "bond", told=told, name=f"eth{n}", steps=steps)
                )
            body()

    def _machine(self, host: Host, ovs: OpenVSwitch, bridge: str, network: GuestNetwork, sequence: int) -> Machine:
        machine = Machine(host, None, network.mac(sequence), "near")
        machine.address(network.ip(sequence), network.length)
        ovs.port(bridge, machine.tap)
        return machine

    def talk(self) -> None:
        """The machine here pings the one beyond as long as the scenario runs."""
        self.near.ns.spawn("ping", "-q", "-i", "2", self.network.ip(0x12))


@scenario
def lacp_in_sync(lab: Lab) -> None:
    """A bond of two NICs and the port-channel of one switch agree by LACP; guests talk. Healthy."""
    bonded = Bonded(lab, GuestNetwork(cidr="10.170.0.0/24", gateway="10.170.0.1", number=0x270))
    bonded.bond()
    bonded.bundle(*bonded.switches[0], "port1", "port2")
    time.sleep(8)
    bonded.talk()
    bonded.record(lambda: time.sleep(20))
    lab.shows("lacp", 20)
    lab.proof("HYP025", "lacp")


@scenario
def lacp_comes_up(lab: Lab) -> None:
    """The recorder runs while the bond is made: the first LACP units name no partner, a few seconds later both sides
    agree. Healthy."""
    bonded = Bonded(lab, GuestNetwork(cidr="10.171.0.0/24", gateway="10.171.0.1", number=0x271))

    def start() -> None:
        bonded.bond()
        time.sleep(4)
        bonded.bundle(*bonded.switches[0], "port1", "port2")
        time.sleep(6)
        bonded.talk()
        time.sleep(14)

    bonded.record(start, told=False)
    lab.shows("lacp.partner.sysid == 00:00:00:00:00:00", 2)
    lab.proof("HYP025", "lacp")


@scenario
def lacp_no_partner(lab: Lab) -> None:
    """The host bonds with LACP, and the ports of the switch were never put into a port-channel: every unit of the host
    names no partner, and none comes back."""
    bonded = Bonded(lab, GuestNetwork(cidr="10.172.0.0/24", gateway="10.172.0.1", number=0x272))
    bonded.bond()
    for n in (1, 2):
        switch, bridge = bonded.switch_of(n)
        switch.port(bridge, f"port{n}")
        switch.change(f"port{n}", "tag=1" if n == 1 else "tag=4000")
    far = bonded.far
    far.ns.spawn("arping", "-b", "-q", "-I", "eth0", "10.172.0.99")
    bonded.record(lambda: time.sleep(_SECONDS))
    lab.shows("lacp.partner.sysid == 00:00:00:00:00:00", 8)
    lab.hides("lacp.partner.sysid != 00:00:00:00:00:00")
    lab.fault("HYP010", "lacp")


@scenario
def lacp_host_has_no_bond(lab: Lab) -> None:
    """The switch has the port in a port-channel with LACP; the host's NIC is no member of any bond and does not answer
    it, so that the switch keeps the port out and the guest asks in vain."""
    bonded = Bonded(lab, GuestNetwork(cidr="10.173.0.0/24", gateway="10.173.0.1", number=0x273))
    bonded.ovs.port(bonded.bridge, "eth1")
    bonded.bundle(*bonded.switches[0], "port1", "port2")
    with lab.record(bonded.host.ns, "eth1", "nic", steps=(wire((bonded.near.mac, "b8:59:9f:10:00:01")),), linger=1):
        bonded.talk()
        time.sleep(_SECONDS)
    lab.shows("lacp.partner.sysid == 00:00:00:00:00:00", 4)
    lab.fault("HYP010", "lacp")


@scenario
def lacp_two_switches(lab: Lab) -> None:
    """The two NICs of a bond are cabled to two switches that are no pair (no MLAG): each names its own system, and only
    one of the two links is in use."""
    bonded = Bonded(lab, GuestNetwork(cidr="10.174.0.0/24", gateway="10.174.0.1", number=0x274), switches=2)
    bonded.bond()
    for n in (1, 2):
        bonded.bundle(*bonded.switch_of(n), f"port{n}")
    time.sleep(4)
    bonded.talk()
    bonded.record(lambda: time.sleep(16), pcapng=True)
    lab.shows("lacp.partner.sysid != 00:00:00:00:00:00", 30)
    lab.fault("HYP011", "lacp")
    lab.consequence("HYP010")


@scenario
def lacp_pair_of_switches(lab: Lab) -> None:
    """As lacp-two-switches, but the switches are a pair that goes by one LACP system (MLAG). Healthy."""
    bonded = Bonded(lab, GuestNetwork(cidr="10.175.0.0/24", gateway="10.175.0.1", number=0x275), switches=2)
    bonded.bond()
    for n in (1, 2):
        switch, bridge = bonded.switch_of(n)
        bonded.bundle(switch, bridge, f"port{n}")
        shared = ("other_config:lacp-system-id=00:1c:73:aa:aa:01", "other_config:lacp-system-priority=1000")
        switch.change(f"port{n}", *shared)
        switch.vsctl(
            "set", "interface", f"port{n}", f"other_config:lacp-port-id={n}", "other_config:lacp-aggregation-key=7"
        )
    time.sleep(6)
    bonded.talk()
    bonded.record(lambda: time.sleep(20))
    lab.shows("lacp.partner.sysid == 00:1c:73:aa:aa:01", 20)
    lab.proof("HYP025", "lacp")
