"""Hold-out: VLANs at switches, bonds and Open vSwitch, as other people's captures would show them."""

import time
from contextlib import ExitStack

from captures.lab.along import Recorder, record_along
from captures.lab.artefacts import mirrored, receive_tags_lost
from captures.lab.cloud import Machine
from captures.lab.elsewhere import Elsewhere, big_endian, networkd
from captures.lab.guest import Guest
from captures.lab.post import pcapng, shifted, snap, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.link_bundles import Bonded
from captures.lab.scenarios.security_groups import listen
from captures.lab.scenarios.vlan_missing import neighbours
from captures.lab.stage import Trunk, TrunkHost, at_tap

_DISCOVER = "dhcp.option.dhcp == 1"


def _talkers(here: TrunkHost, there: TrunkHost, network: Elsewhere, *, every: str = "1.3") -> tuple[Machine, Machine]:
    """A VLAN that works: the machine here pings the one beyond."""
    return neighbours(here, there, network, every=every)


def _nic(host: TrunkHost, name: str, *local: Machine, steps: tuple = (), compress: str = "", told: bool = True):  # type: ignore[no-untyped-def,type-arg]
    """A recorder at a host's uplink."""
    return Recorder(
        name=name,
        point=(host.host.ns, host.uplink, "nic"),
        local=[one.mac for one in local],
        steps=steps,
        compress=compress,
        told=told,
    )


@scenario
def held_out_vlan_pruned(lab: Lab) -> None:
    """VLAN 2749 was pruned from the switch port of the guests' host. A guest with udhcpc asks for an address in vain, a
    second one with a static address for its neighbour beyond; VLAN 2750 crosses. Both hosts' NICs, the far clock 41 s
    behind, one file cut at 128 bytes."""
    dead = Elsewhere(cidr="100.64.18.0/23", gateway="100.64.19.254", number=0x7A31, vlan=2749, prefix="02:00")
    alive = Elsewhere(cidr="100.64.20.0/23", gateway="100.64.20.1", number=0x11C8, vlan=2750, prefix="02:00")
    trunk = Trunk(lab)
    here = trunk.host("node7", "ens6f1", "trunks=2750", first_tap=112)
    there = trunk.host("node9", "ens6f1", "trunks=2749,2750")
    router = Router(there.host, there.vlan(2749), dead)
    bridge = here.vlan(2749)
    guest = Guest(here.host, bridge, dead.mac(0x2C01), "batch-11")
    static = Guest(here.host, bridge, dead.mac(0x2C09), "batch-12")
    static.address(dead.ip(77), 23, dead.gateway)
    router.dhcp([(guest.mac, dead.ip(300), guest.name)])
    near, far = _talkers(here, there, alive, every="0.6")
    with record_along(
        lab,
        _nic(here, "node7", guest, static, near, steps=(snap(128), pcapng), compress="gz"),
        _nic(there, "node9", router, far, steps=(shifted(-41.2),)),
        linger=4,
    ):
        static.ns.spawn("ping", "-q", "-i", "4", dead.ip(90))
        router.ns.spawn("arping", "-b", "-q", "-w", "40", "-I", "eth0", dead.ip(91))
        guest.udhcpc(seconds=31)
    lab.shows(f"vlan.id == 2749 && udp.srcport == 68 && eth.src == {guest.mac}", 3)
    lab.shows("vlan.id == 2750 && icmp.type == 0", 40)
    lab.fault("VLAN002", "vlan.id == 2749", vlan=2749)
    for code in ("VLAN001", "VLAN003", "DHCP001", "DHCP006", "VLAN019"):
        lab.consequence(code)


@scenario
def held_out_vlan_not_carried(lab: Lab) -> None:
    """A third host was cabled to a switch on which VLAN 1733 does not exist. Three imported guests (52:54:00) ask for
    their gateway and for each other's servers in vain; two other VLANs work. One NIC, frames cut at 96 bytes."""
    dead = Elsewhere(cidr="172.29.64.0/28", gateway="172.29.64.14", number=0x5FA1, vlan=1733, prefix="52:54")
    trunk = Trunk(lab)
    here = trunk.host("node3", "eno2np1", "trunks=61,3071", first_tap=9)
    there = trunk.host("node4", "eno2np1", "trunks=61,1733,3071")
    local = []
    for vlan, cidr in ((61, "192.168.216.0/28"), (3071, "10.3.8.0/23")):
        network = Elsewhere(cidr=cidr, gateway=cidr.split("/")[0], number=vlan, vlan=vlan, prefix="1e:00")
        near = Machine(here.host, here.vlan(vlan), network.mac(1), f"near{vlan}")
        far = Machine(there.host, there.vlan(vlan), network.mac(2), f"far{vlan}")
        near.address(network.ip(5), network.length)
        far.address(network.ip(6), network.length)
        near.ns.spawn("ping", "-q", "-i", "0.9", network.ip(6))
        local.append(near)
    gateway = Machine(there.host, there.vlan(1733), "00:1c:73:9a:44:07", "gateway")
    gateway.address(dead.gateway, 28)
    bridge = here.vlan(1733)
    guests = [Guest(here.host, bridge, f"52:54:00:c1:0e:{n:02x}", f"imp-{n}") for n in range(3)]
    for n, guest in enumerate(guests):
        guest.address(dead.ip(3 + n), 28, dead.gateway)
    steps = (wire([one.mac for one in (*local, *guests)]), snap(96))
    with lab.record(here.host.ns, here.uplink, "nic", told=False, nano=True, steps=steps, compress="zst", linger=3):
        for n, guest in enumerate(guests):
            guest.ns.spawn("ping", "-q", "-i", "5", "9.9.9.9")
            time.sleep(1 + n)
        time.sleep(26)
    lab.shows(f"vlan.id == 1733 && arp.dst.proto_ipv4 == {dead.gateway}", 12)
    lab.hides(f"vlan.id == 1733 && eth.src == {gateway.mac}")
    lab.fault("VLAN001", "vlan.id == 1733 && arp", vlan=1733)
    lab.consequence("VLAN019")


@scenario
def held_out_vlan_mapped(lab: Lab) -> None:
    """The provider's switch maps VLAN 622 to 722 on the way to the router's host and back: a guest with
    systemd-networkd asks tagged 622, the other host receives the same DISCOVERs tagged 722. VLAN 623 passes as it is.
    Both NICs; roles not told."""
    network = Elsewhere(cidr="198.18.40.0/23", gateway="198.18.40.1", number=0x0622, vlan=622, prefix="02:05")
    alive = Elsewhere(cidr="198.18.42.0/23", gateway="198.18.42.1", number=0x0623, vlan=623, prefix="02:05")
    trunk = Trunk(lab)
    here = trunk.host("west", "eth3", "trunks=622,623,722", first_tap=70)
    there = trunk.host("east", "eth3", "trunks=622,623,722")
    router = Router(there.host, there.vlan(622), network)
    guest = Guest(here.host, here.vlan(622), network.mac(0x0B), "etl-2")
    router.dhcp([(guest.mac, network.ip(200), guest.name)])
    near, far = _talkers(here, there, alive, every="0.8")
    trunk.switch.flow(trunk.bridge, "priority=200,in_port=1,dl_vlan=622,actions=mod_vlan_vid:722,output:2")
    trunk.switch.flow(trunk.bridge, "priority=200,in_port=2,dl_vlan=722,actions=mod_vlan_vid:622,output:1")
    with record_along(
        lab,
        _nic(here, "west", guest, near, told=False),
        _nic(there, "east", router, far, steps=(pcapng,), compress="zst", told=False),
        linger=4,
    ):
        networkd(guest, 38)
    lab.shows(f"vlan.id == 622 && {_DISCOVER}", 3)
    lab.shows(f"vlan.id == 722 && {_DISCOVER}", 3)
    lab.fault("VLAN004", f"(vlan.id == 622 || vlan.id == 722) && {_DISCOVER}")
    for code in ("VLAN001", "VLAN002", "DHCP001", "DHCP006"):
        lab.consequence(code)


@scenario
def held_out_vlan_access_port(lab: Lab) -> None:
    """A hypervisor was cabled to an access port of VLAN 12. Its guests of three VLANs, all with static addresses, ask
    by ARP; what comes in is the untagged chatter of printers and desks. Written by a big-endian machine."""
    trunk = Trunk(lab)
    here = trunk.host("node5", "p4p1", "tag=12", first_tap=30)
    there = trunk.host("node6", "p4p1", "trunks=12,1111,1112,1113")
    guests = []
    for n, vlan in enumerate((1111, 1112, 1113)):
        network = Elsewhere(
            cidr=f"10.244.{n * 2}.0/23", gateway=f"10.244.{n * 2}.1", number=0xA0 + n, vlan=vlan, prefix="06:a8"
        )
        gateway = Machine(there.host, there.vlan(vlan), network.mac(1), f"vr{vlan}")
        gateway.address(network.gateway, 23)
        guest = Guest(here.host, here.vlan(vlan), network.mac(9), f"g{vlan}")
        guest.address(network.ip(260), 23, network.gateway)
        guests.append((guest, network))
    desks = [Machine(there.host, there.vlan(12) if not n else "brp4p1-12", f"9c:8e:99:41:0{n}:10", f"desk{n}")
             for n in range(4)]  # fmt: skip
    for n, desk in enumerate(desks):
        desk.address(f"192.168.178.{20 + n}", 24)
    steps = (wire([guest.mac for guest, _ in guests]), big_endian)
    with lab.record(here.host.ns, here.uplink, "nic", steps=steps, linger=3):
        for n, desk in enumerate(desks):
            desk.ns.spawn("arping", "-b", "-q", "-I", "eth0", f"192.168.178.{90 + n}")
        for guest, network in guests:
            guest.ns.spawn("ping", "-q", "-i", "3", network.gateway)
        time.sleep(42)
    lab.shows("vlan && arp", 40)
    lab.shows("!vlan && arp", 60)
    lab.hides("vlan && arp.opcode == 2")
    lab.fault("VLAN006", "arp")
    for code in ("VLAN001", "VLAN019"):
        lab.consequence(code)


@scenario
def held_out_native_by_design(lab: Lab) -> None:
    """A trunk as it should be: management is the native VLAN, in which the host itself, a secondary storage VM (06:)
    and a console proxy (1e:) speak untagged and are answered, beside tagged guests. Written by a big-endian machine."""
    trunk = Trunk(lab)
    guests = Elsewhere(cidr="10.140.6.0/23", gateway="10.140.6.1", number=0x3300, vlan=3300, prefix="02:05")
    here, there = (trunk.host(name, "bond1", "trunks=0,3300") for name in ("node1", "node2"))
    near, _ = _talkers(here, there, guests)
    bridge = here.native()
    local = [near]
    for n, (mac, label) in enumerate((("ac:1f:6b:20:00:01", "kvm"), ("06:1c:3a:00:01:2f", "ssvm"),
                                      ("1e:00:3a:00:02:60", "cpvm"))):  # fmt: skip
        machine = Machine(here.host, bridge, mac, label)
        machine.address(f"172.19.2.{31 + n}", 23)
        local.append(machine)
    beyond = there.native()
    server = Machine(there.host, beyond, "ac:1f:6b:20:00:05", "ms")
    server.address("172.19.2.5", 23)
    listen(server, 8250)
    steps = (wire([one.mac for one in local]), big_endian)
    with lab.record(here.host.ns, here.uplink, "bond", told=False, nano=True, steps=steps, linger=1):
        for machine in local[1:]:
            machine.ns.spawn("ping", "-q", "-i", "1.1", "172.19.2.5")
        time.sleep(22)
    lab.shows("!vlan && icmp.type == 0 && eth.dst == 06:1c:3a:00:01:2f", 10)
    lab.shows("vlan.id == 3300 && icmp.type == 0", 10)


@scenario
def held_out_receive_offload(lab: Lab) -> None:
    """All is well: two guests of a host open connections to servers beyond. The recorder's old libpcap lost the tags of
    received frames, and cut them at 96 bytes."""
    network = Elsewhere(cidr="203.0.112.0/23", gateway="203.0.112.1", number=0x90, vlan=419, prefix="1e:00")
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "em1", "trunks=419") for name in ("node1", "node2"))
    bridge, beyond = here.vlan(419), there.vlan(419)
    guests = [Guest(here.host, bridge, network.mac(0x40 + n), f"api-{n}") for n in range(2)]
    server = Machine(there.host, beyond, network.mac(0x60), "server")
    for n, machine in enumerate((*guests, server)):
        machine.address(network.ip(270 + n), 23)
    listen(server, 443)
    local = [guest.mac for guest in guests]
    steps = (wire(local), receive_tags_lost(local), snap(96))
    with lab.record(here.host.ns, here.uplink, "nic", told=False, steps=steps, compress="gz", linger=1):
        for _ in range(16):
            for guest in guests:
                guest.ns.ip("neigh", "flush", "all")
                guest.ns.run("socat", "-T", "1", "/dev/null", f"TCP:{network.ip(272)}:443", check=False)
            time.sleep(1.6)
    lab.shows("vlan.id == 419 && tcp.flags.syn == 1", 20)
    lab.shows("!vlan && tcp.flags.syn == 1 && tcp.flags.ack == 1", 20)
    lab.info("CAP001")


@scenario
def held_out_mirror_twice(lab: Lab) -> None:
    """All is well: a guest boots with dhcpcd on one host and is served from another; another network talks. A mirror
    of both directions of the switch port gives every frame a second time, 0.3 ms later."""
    network = Elsewhere(cidr="10.66.88.0/23", gateway="10.66.88.1", number=0x4101, vlan=88, prefix="02:05")
    alive = Elsewhere(cidr="10.66.90.0/23", gateway="10.66.90.1", number=0x4102, vlan=90, prefix="02:05")
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth0", "trunks=88,90") for name in ("node1", "node2"))
    guest = Guest(here.host, here.vlan(88), network.mac(0x55), "sd-1")
    router = Router(there.host, there.vlan(88), network)
    router.dhcp([(guest.mac, network.ip(280), guest.name)])
    near, _ = _talkers(here, there, alive, every="0.4")
    steps = (wire((guest.mac, near.mac)), mirrored(300), pcapng)
    with lab.record(here.host.ns, here.uplink, "trunk", told=False, steps=steps, compress="zst", linger=6):
        guest.dhcpcd(seconds=12)
        guest.ns.run("ping", "-qc", "6", network.gateway)
    lab.shows(_DISCOVER, 2)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def held_out_bond_without_channel(lab: Lab) -> None:
    """The host bonds two NICs with slow LACP; the switch never had its ports in a channel and speaks none. Recorded at
    one member for a bit more than two minutes."""
    bonded = Bonded(lab, Elsewhere(cidr="10.18.4.0/28", gateway="10.18.4.1", number=0x71, prefix="02:05"), fast=False)
    for n in (1, 2):
        switch, bridge = bonded.switch_of(n)
        switch.port(bridge, f"port{n}", f"tag={n}")
    bonded.far.ns.spawn("arping", "-b", "-q", "-I", "eth0", "10.18.4.9")
    steps = (wire((bonded.near.mac, "b8:59:9f:10:00:01")),)
    with lab.record(bonded.host.ns, "eth1", "bond", steps=steps, compress="xz", linger=1):
        bonded.bond()
        bonded.talk()
        time.sleep(125)
    lab.shows("lacp.partner.sysid == 00:00:00:00:00:00", 4)
    lab.hides("lacp.partner.sysid != 00:00:00:00:00:00")
    lab.fault("HYP010", "lacp")


@scenario
def held_out_bond_slow_in_sync(lab: Lab) -> None:
    """A bond in sync with slow LACP: units each 30 s, conversations by either member, answers by the other. Healthy;
    both members, roles not told."""
    network = Elsewhere(cidr="10.18.6.0/28", gateway="10.18.6.1", number=0x72, prefix="02:05")
    bonded = Bonded(lab, network, fast=False)
    bonded.bond()
    bonded.bundle(*bonded.switches[0], "port1", "port2")
    time.sleep(6)
    with ExitStack() as stack:
        for n in (1, 2):
            steps = (wire((bonded.near.mac, f"b8:59:9f:10:00:0{n}")), snap(128))
            point = (bonded.host.ns, f"eth{n}", "bond")
            stack.enter_context(lab.record(*point, told=False, name=f"slave{n}", steps=steps, compress="gz"))  # type: ignore[arg-type]
        bonded.talk()
        time.sleep(75)
    lab.shows("lacp.partner.sysid != 00:00:00:00:00:00", 4)
    lab.shows("icmp.type == 0", 20)


@scenario
def held_out_ovs_port_readded(lab: Lab) -> None:
    """A script plugged a guest's tap into Open vSwitch again and forgot the tag: at its tap arrive broadcasts of other
    tenants' VLANs with their tags, at the NIC its own frames leave untagged. Two points of one host."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "ens1f0", "trunks=0,540,541,542", first_tap=20) for name in ("node1", "node2"))
    machines = []
    for n, vlan in enumerate((540, 541, 542)):
        net = f"10.9.{8 + n}"
        network = Elsewhere(cidr=f"{net}.0/24", gateway=f"{net}.1", number=vlan, vlan=vlan, prefix="02:05")
        near, far = _talkers(here, there, network)
        far.ns.spawn("arping", "-b", "-q", "-I", "eth0", network.ip(115))
        machines.append(near)
    guest = Guest(here.host, None, "02:05:02:1c:00:44", "shop-9")
    here.ovs.port("cloudbr1", guest.tap)
    guest.address("10.9.8.68", 24, "10.9.8.1")
    with record_along(
        lab, Recorder(name="tap", point=at_tap(guest), compress="zst"), _nic(here, "nic", guest, *machines), linger=2
    ):
        guest.ns.spawn("ping", "-q", "-i", "2", "10.9.8.114")
        time.sleep(20)
    lab.shows(f"!vlan && eth.src == {guest.mac} && arp", 10)
    lab.fault("OVS001", "vlan.id == 540 || vlan.id == 541 || vlan.id == 542")
    for code in ("OVS002", "HYP004", "VLAN019", "VLAN007"):
        lab.consequence(code)
