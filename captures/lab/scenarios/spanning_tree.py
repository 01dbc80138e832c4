"""Spanning tree at a host's NIC: ports that wait, hosts that take part, guards that trip, and trees without rest."""

import time
from collections.abc import Sequence

from scapy.layers.l2 import LLC, SNAP, Dot1Q, Dot3, Ether
from scapy.packet import Packet, Raw
from scapy.sendrecv import sendp

from captures.lab import middlebox
from captures.lab.cloud import GuestNetwork, Host, Machine, veth
from captures.lab.guest import Guest
from captures.lab.namespaces import Namespace
from captures.lab.openvswitch import OpenVSwitch
from captures.lab.post import pcapng, wire
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.vlan_missing import neighbours
from captures.lab.stage import Trunk

_SWITCH_MAC = "00:1c:73:5e:20:01"
_NIC_MAC = "b8:59:9f:20:00:01"


class Flat:
    """A host with guests in an untagged network, cabled to a switch that is a Linux bridge, and machines beyond it."""

    def __init__(self, lab: Lab, network: GuestNetwork, *, guests: int = 2, behave: middlebox.Behaviour | None = None):
        self.lab = lab
        self.network = network
        self.host = Host(lab, "kvm1")
        self.bridge = self.host.bridge("cloudbr0")
        self.switch = Host(lab, "switch")
        self.fabric = self.switch.bridge("sw0")
        veth(self.host.ns, "eth0", self.switch.ns, "port1")
        self.host.ns.ip("link", "set", "eth0", "address", _NIC_MAC)
        self.switch.ns.ip("link", "set", "port1", "address", _SWITCH_MAC)
        self.host.ns.ip("link", "set", "eth0", "master", self.bridge)
        self.host.ns.ip("link", "set", "eth0", "up")
        self.guests = [Guest(self.host, self.bridge, network.mac(0x21 + n), f"web-{n}") for n in range(guests)]
        beyond = Host(lab, "kvm2", first_tap=20)
        self.far = [Machine(beyond, None, network.mac(0x41 + n), f"far-{n}") for n in range(3)]
        for n, machine in enumerate((*self.guests, *self.far)):
            machine.address(network.ip(0x21 + n), network.length)
        far_bridge = beyond.bridge("br0")
        veth(beyond.ns, "up0", self.switch.ns, "port2")
        for tap in (*(one.tap for one in self.far), "up0"):
            beyond.ns.ip("link", "set", tap, "master", far_bridge)
        for where, name in ((beyond.ns, "up0"), (self.switch.ns, "port2")):
            where.ip("link", "set", name, "up")
        self.switch.ns.ip("link", "set", "port2", "master", self.fabric)
        self.switch.ns.ip("link", "set", "port1", "up")
        if behave is not None:
            middlebox.insert(lab, self.switch.ns, "port1", self.fabric, behave)
        else:
            self.switch.ns.ip("link", "set", "port1", "master", self.fabric)

    @property
    def local(self) -> tuple[str, ...]:
        """MACs of this side."""
        return (_NIC_MAC, *(one.mac for one in self.guests))

    def tree(self, *settings: str) -> None:
        """Switch spanning tree on in the switch, with a forward delay of 15 seconds."""
        words = ("forward_delay", "1500", "hello_time", "200", "priority", "4096", "stp_state", "1", *settings)
        self.switch.ns.ip("link", "set", self.fabric, "type", "bridge", *words)

    def talk(self) -> None:
        """Every guest pings two machines beyond the switch, and those ask for each other."""
        for n, guest in enumerate(self.guests):
            for other in range(2):
                guest.ns.spawn("ping", "-q", "-i", "1", self.network.ip(0x21 + len(self.guests) + (n + other) % 3))
        for n, machine in enumerate(self.far):
            machine.ns.spawn("arping", "-b", "-q", "-I", "eth0", self.network.ip(0x71 + n))


@scenario
def stp_delay_after_link_up(lab: Lab) -> None:
    """The host's link comes up after a change of cable, and the switch port is no edge port: it listens and learns for
    thirty seconds before it forwards. Guests that work ask in vain; then all is well. Plain spanning tree (802.1D)."""
    flat = Flat(lab, GuestNetwork(cidr="10.180.0.0/24", gateway="10.180.0.1", number=0x280))
    flat.tree()
    time.sleep(32)
    flat.switch.ns.ip("link", "set", "port1", "down")
    with lab.record(flat.host.ns, "eth0", "nic", steps=(wire(flat.local),), linger=8):
        flat.talk()
        time.sleep(7)
        flat.switch.ns.ip("link", "set", "port1", "up")
        time.sleep(38)
    lab.shows("stp", 12)
    lab.shows("arp.opcode == 1", 40)
    lab.shows("icmp.type == 0", 8)
    lab.fault("VLAN009", "arp")


def _rapid(trunk: Trunk, port: str, *, edge: bool) -> None:
    trunk.switch.vsctl("set", "bridge", trunk.bridge, "rstp_enable=true", "other_config:rstp-priority=4096")
    settings = (f"other_config:rstp-port-admin-edge={str(edge).lower()}", "other_config:rstp-port-auto-edge=false")
    trunk.switch.change(port, *settings)


@scenario
def stp_delay_rapid(lab: Lab) -> None:
    """As stp-delay-after-link-up with rapid spanning tree on a trunk: the switch port is no edge port, the host does
    not answer its proposals, and so it discards and learns for thirty seconds; its own units say so. The role is
    not told."""
    networks = [
        GuestNetwork(cidr=f"10.18{n}.0.0/24", gateway=f"10.18{n}.0.1", number=0x280 + n, vlan=2800 + n) for n in (1, 2)
    ]
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=2801,2802") for name in ("kvm1", "kvm2"))
    trunk.switch.ns.ip("link", "set", "kvm1-port", "address", _SWITCH_MAC)
    _rapid(trunk, "kvm1-port", edge=False)
    trunk.switch.change("kvm2-port", "other_config:rstp-port-admin-edge=true")
    time.sleep(1)
    trunk.switch.ns.ip("link", "set", "kvm1-port", "down")
    time.sleep(1)
    local = []
    with lab.record(*here.at_nic, told=False, steps=(wire([networks[0].mac(0x71), networks[1].mac(0x71)]), pcapng)):
        time.sleep(5)
        for network in networks:
            near, _ = neighbours(here, there, network, every="1")
            local.append(near.mac)
        time.sleep(3)
        trunk.switch.ns.ip("link", "set", "kvm1-port", "up")
        time.sleep(40)
    lab.shows("stp.flags.forwarding == 0", 8)
    lab.shows("stp.flags.forwarding == 1", 2)
    lab.shows("icmp.type == 0", 6)
    lab.fault("VLAN009", "arp || stp")
    lab.proof("VLAN020")


@scenario
def stp_edge_port(lab: Lab) -> None:
    """The host's link comes up at an edge port: rapid spanning tree is on, and the guests are served at once. Two of
    them wait for a peer that boots meanwhile. Healthy."""
    network = GuestNetwork(cidr="10.183.0.0/24", gateway="10.183.0.1", number=0x283, vlan=2803)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=2803") for name in ("kvm1", "kvm2"))
    trunk.switch.ns.ip("link", "set", "kvm1-port", "address", _SWITCH_MAC)
    _rapid(trunk, "kvm1-port", edge=True)
    trunk.switch.change("kvm2-port", "other_config:rstp-port-admin-edge=true")
    trunk.switch.ns.ip("link", "set", "kvm1-port", "down")
    bridge, beyond = here.vlan(2803), there.vlan(2803)
    guests = [Guest(here.host, bridge, network.mac(0x21 + n), f"web-{n}") for n in range(2)]
    for n, guest in enumerate(guests):
        guest.address(network.ip(33 + n), 24)
    late = Machine(there.host, None, network.mac(0x51), "late")
    with lab.record(*here.at_nic, steps=(wire([guest.mac for guest in guests]),), linger=2):
        time.sleep(6)
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "1", network.ip(0x51))
        trunk.switch.ns.ip("link", "set", "kvm1-port", "up")
        time.sleep(24)
        late.address(network.ip(0x51), 24)
        there.host.ns.ip("link", "set", late.tap, "master", beyond)
        time.sleep(8)
    lab.shows("stp.flags.forwarding == 1", 5)
    lab.shows("icmp.type == 0", 6)
    lab.proof("VLAN020", vlan=2803)


@scenario
def stp_host_sends_bpdus(lab: Lab) -> None:
    """The bridge of the host has spanning tree on, as some guides have it: it sends bridge protocol data units to the
    switch every two seconds."""
    flat = Flat(lab, GuestNetwork(cidr="10.184.0.0/24", gateway="10.184.0.1", number=0x284))
    flat.host.ns.ip("link", "set", flat.bridge, "type", "bridge", "forward_delay", "200", "stp_state", "1")
    time.sleep(5)
    with lab.record(flat.host.ns, "eth0", "nic", steps=(wire(flat.local),), linger=1):
        flat.talk()
        time.sleep(14)
    lab.shows(f"stp && eth.src == {_NIC_MAC}", 4)
    lab.fault("VLAN010", "stp")


@scenario
def stp_guest_is_a_bridge(lab: Lab) -> None:
    """A guest bridges two of its NICs with spanning tree on; the host's bridge passes its units on to the switch. The
    role is not told, the file is pcapng."""
    network = GuestNetwork(cidr="10.185.0.0/24", gateway="10.185.0.1", number=0x285)
    flat = Flat(lab, network)
    guest = flat.guests[1]
    guest.ns.ip("address", "flush", "dev", "eth0")
    guest.ns.ip("link", "add", "br0", "type", "bridge", "forward_delay", "200", "stp_state", "1")
    guest.ns.ip("link", "set", "br0", "address", guest.mac)
    guest.ns.ip("link", "set", "eth0", "master", "br0")
    guest.ns.ip("link", "set", "br0", "up")
    guest.ns.ip("address", "add", f"{network.ip(0x22)}/24", "dev", "br0")
    time.sleep(5)
    with lab.record(flat.host.ns, "eth0", "nic", told=False, steps=(wire(flat.local), pcapng), compress="gz", linger=1):
        flat.talk()
        time.sleep(14)
    lab.shows(f"stp && eth.src == {guest.mac}", 4)
    lab.fault("VLAN010", "stp", mac=guest.mac)


@scenario
def stp_switch_alone_speaks(lab: Lab) -> None:
    """The switch sends its units every two seconds, the host's bridge none. Healthy."""
    flat = Flat(lab, GuestNetwork(cidr="10.186.0.0/24", gateway="10.186.0.1", number=0x286))
    flat.tree()
    time.sleep(34)
    with lab.record(flat.host.ns, "eth0", "nic", told=False, steps=(wire(flat.local),), linger=1):
        flat.talk()
        time.sleep(12)
    lab.shows(f"stp && eth.src == {_SWITCH_MAC}", 4)
    lab.hides(f"stp && eth.src == {_NIC_MAC}")


def _guard() -> middlebox.Behaviour:
    """A port that is shut for good by the first bridge protocol data unit from the host."""
    shut: list[float] = []

    def behave(frame: bytes, direction: middlebox.Direction) -> Sequence[tuple[float, bytes]]:
        if direction == "out" and frame[:6] == bytes.fromhex("0180c2000000"):
            shut.append(time.monotonic() + 0.3)
        return [] if shut and time.monotonic() > shut[0] else [(0.0, frame)]

    return behave


@scenario
def stp_bpdu_guard(lab: Lab) -> None:
    """Somebody switches spanning tree on in the bridge of the host. The switch port has BPDU guard: it shuts at the
    first unit, and nothing comes in any more while the guests go on asking."""
    network = GuestNetwork(cidr="10.187.0.0/24", gateway="10.187.0.1", number=0x287)
    flat = Flat(lab, network, behave=_guard())
    with lab.record(flat.host.ns, "eth0", "nic", steps=(wire(flat.local),), linger=1):
        flat.talk()
        time.sleep(10)
        flat.host.ns.ip("link", "set", flat.bridge, "type", "bridge", "forward_delay", "200", "stp_state", "1")
        time.sleep(24)
        for guest in flat.guests:
            guest.ns.spawn("arping", "-b", "-q", "-c", "9", "-I", "eth0", network.ip(0x23))
        time.sleep(12)
    lab.shows("stp", 5)
    lab.fault("VLAN011", "stp")
    for code in ("VLAN010", "VLAN001", "VLAN019"):
        lab.consequence(code)


@scenario
def stp_peers_fall_silent(lab: Lab) -> None:
    """The host's bridge has sent its units for minutes and the switch never minded; then both machines beyond are
    switched off. That the host speaks spanning tree is worth a word, no port was shut."""
    flat = Flat(lab, GuestNetwork(cidr="10.188.0.0/24", gateway="10.188.0.1", number=0x288))
    flat.host.ns.ip("link", "set", flat.bridge, "type", "bridge", "forward_delay", "200", "stp_state", "1")
    time.sleep(5)
    with lab.record(flat.host.ns, "eth0", "nic", steps=(wire(flat.local),), compress="gz", linger=1):
        flat.talk()
        time.sleep(12)
        for machine in flat.far:
            machine.host.ns.ip("link", "set", machine.tap, "down")
        time.sleep(16)
    lab.shows(f"stp && eth.src == {_NIC_MAC}", 10)
    lab.fault("VLAN010", "stp")


class Chain:
    """A host at the first of three switches with rapid spanning tree; the link between the last two can be cut."""

    def __init__(self, lab: Lab, network: GuestNetwork) -> None:
        self.trunk = Trunk(lab)
        self.here, self.there = (self.trunk.host(name, "eth1", f"trunks={network.vlan}") for name in ("kvm1", "kvm2"))
        self.trunk.switch.ns.ip("link", "set", "kvm1-port", "address", _SWITCH_MAC)
        _rapid(self.trunk, "kvm1-port", edge=True)
        self.trunk.switch.change("kvm2-port", "other_config:rstp-port-admin-edge=true")
        self.places: list[tuple[Namespace, OpenVSwitch, str]] = [
            (self.trunk.switch.ns, self.trunk.switch, self.trunk.bridge)
        ]
        for n in (1, 2):
            where = lab.namespace(f"switch{n}")
            where.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
            switch = OpenVSwitch(lab, where)
            bridge = switch.bridge(f"sw{n}", "rstp_enable=true")
            self._join(n, where, switch, bridge)
        self.near, _ = neighbours(self.here, self.there, network)

    def _join(self, number: int, where: Namespace, switch: OpenVSwitch, bridge: str) -> None:
        before, other, upper = self.places[-1]
        veth(before, f"down{number}", where, f"up{number}")
        for place, name in ((before, f"down{number}"), (where, f"up{number}")):
            place.ip("link", "set", name, "up")
        other.port(upper, f"down{number}")
        switch.port(bridge, f"up{number}")
        self.places.append((where, switch, bridge))

    def flap(self, times: int, every: float) -> None:
        """Cut and mend the link between the last two switches."""
        where = self.places[2][0]
        for _ in range(times):
            where.ip("link", "set", "up2", "down")
            time.sleep(2)
            where.ip("link", "set", "up2", "up")
            time.sleep(every - 2)


@scenario
def stp_topology_storm(lab: Lab) -> None:
    """A link between two switches of the fabric flaps: the tree changes again and again, and every switch forgets what
    it has learnt each time. Recorded at the NIC of a host."""
    chain = Chain(lab, GuestNetwork(cidr="10.189.0.0/24", gateway="10.189.0.1", number=0x289, vlan=2809))
    time.sleep(34)
    with lab.record(*chain.here.at_nic, steps=(wire((chain.near.mac,)),), linger=3):
        chain.flap(8, 14)
    lab.shows("stp.flags.tc == 1", 7)
    lab.fault("VLAN012", "stp.flags.tc == 1")
    lab.proof("VLAN020", vlan=2809)


@scenario
def stp_topology_changes_twice(lab: Lab) -> None:
    """Maintenance: a link between two switches is moved, the tree changes twice and is quiet again. Healthy."""
    chain = Chain(lab, GuestNetwork(cidr="10.190.0.0/24", gateway="10.190.0.1", number=0x290, vlan=2900))
    time.sleep(34)
    with lab.record(*chain.here.at_nic, told=False, steps=(wire((chain.near.mac,)),), compress="gz", linger=3):
        chain.flap(2, 14)
        time.sleep(10)
    lab.shows("stp.flags.tc == 1", 1)
    lab.proof("VLAN020", vlan=2900)


def _pvst(pvid: int, number: int = 4) -> bytes:
    """A rapid PVST+ unit for one VLAN, as Catalyst switches send it."""
    bridge = (0x8000 | pvid).to_bytes(2) + bytes.fromhex("001f6d96ec00")
    times = bytes.fromhex("0000 1400 0200 0f00")
    head = bytes.fromhex("0000 02 02 3c") + bridge + bytes(4) + bridge + (0x8000 | number).to_bytes(2) + times
    return head + b"\0" + bytes.fromhex("0000 0002") + pvid.to_bytes(2)


def unit(pvid: int, tag: int = 0) -> Packet:
    """A PVST+ unit of a VLAN, with a tag or without."""
    llc = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0x00000C, code=0x010B) / Raw(_pvst(pvid))
    if not tag:
        return Dot3(src=_SWITCH_MAC, dst="01:00:0c:cc:cc:cd") / llc
    return Ether(src=_SWITCH_MAC, dst="01:00:0c:cc:cc:cd", type=0x8100) / Dot1Q(prio=7, vlan=tag, type=len(llc)) / llc


def speak(where: Namespace, port: str, units: Sequence[Packet], times: int) -> None:
    """Send units every two seconds."""
    with where.inside():
        for _ in range(times):
            sendp(list(units), iface=port, verbose=False)
            time.sleep(2)


@scenario
def stp_pvst_wrong_vlan(lab: Lab) -> None:
    """Two VLANs were crossed on the way from the distribution switch: what it sends for VLAN 3010 comes out tagged
    3020 at the host's port. Its PVST+ units, made by hand as no daemon here speaks PVST+, say 3010 inside."""
    network = GuestNetwork(cidr="10.191.0.0/24", gateway="10.191.0.1", number=0x291, vlan=3020)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=3020") for name in ("kvm1", "kvm2"))
    trunk.switch.ns.ip("link", "set", "kvm1-port", "address", _SWITCH_MAC)
    near, _ = neighbours(here, there, network)
    with lab.record(*here.at_nic, steps=(wire((near.mac,)),), linger=1):
        speak(trunk.switch.ns, "kvm1-port", (unit(1), unit(3010, 3020), unit(3030, 3030)), 6)
    lab.shows("stp.pvst.origvlan == 3010 && vlan.id == 3020", 5)
    lab.fault("VLAN005", "stp.pvst.origvlan == 3010", vlan=3020)
    lab.proof("VLAN020", vlan=3020)


@scenario
def stp_pvst_trunk(lab: Lab) -> None:
    """A trunk of a switch with PVST+, its native VLAN 5: units of VLAN 5 come untagged and say 5, those of other VLANs
    carry their own tag (made by hand as no daemon here speaks PVST+). Healthy."""
    network = GuestNetwork(cidr="10.192.0.0/24", gateway="10.192.0.1", number=0x292, vlan=3021)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=3021") for name in ("kvm1", "kvm2"))
    trunk.switch.ns.ip("link", "set", "kvm1-port", "address", _SWITCH_MAC)
    near, _ = neighbours(here, there, network)
    with lab.record(*here.at_nic, told=False, steps=(wire((near.mac,)), pcapng), linger=1):
        speak(trunk.switch.ns, "kvm1-port", (unit(5), unit(1, 1), unit(3021, 3021)), 5)
    lab.shows("stp.pvst.origvlan == 5 && !vlan", 4)
    lab.proof("VLAN020", vlan=3021)
