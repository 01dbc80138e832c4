"""Hold-out, third part: VLANs, NICs, Open vSwitch and physical networks, by somebody who had read no rule."""

import time

from captures.lab.along import Recorder, TwoHosts, bridge_drops, record_along
from captures.lab.artefacts import mirrored
from captures.lab.cloud import Machine
from captures.lab.elsewhere import Elsewhere
from captures.lab.guest import Guest
from captures.lab.overlay import Underlay
from captures.lab.post import pcapng, shifted, snap, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.vlan_missing import neighbours
from captures.lab.stage import Stage, Trunk, at_tap

_DISCOVER, _ACK = "dhcp.option.dhcp == 1", "dhcp.option.dhcp == 5"


def _net(n: int, vlan: int, prefix: str = "02:0a") -> Elsewhere:
    """A /26 of 172.29, with its gateway at the end."""
    return Elsewhere(cidr=f"172.29.{n}.64/26", gateway=f"172.29.{n}.126", number=0x3A00 + n, vlan=vlan, prefix=prefix)


def _six(machine: Machine, address: str) -> None:
    """Give a machine an IPv6 address, used at once."""
    machine.ns.ip("address", "add", f"{address}/64", "dev", "eth0", "nodad")


@scenario
def held_out_third_vlan_dead_for_ipv6(lab: Lab) -> None:
    """VLAN 2020 is not carried to the router's host. Its two guests speak IPv6 only and ask for their router by
    neighbour solicitation; VLAN 2021, IPv4 and IPv6, crosses. Both hosts' NICs, the far clock 7 s ahead."""
    dead, alive = _net(1, 2020), _net(2, 2021)
    trunk = Trunk(lab)
    here = trunk.host("hv1", "enp7s0", "trunks=2020,2021", first_tap=60)
    there = trunk.host("hv2", "enp7s0", "trunks=2021")
    bridge, beyond = here.vlan(2020), there.vlan(2020)
    router = Machine(there.host, beyond, dead.mac(1), "vr", ipv6=True)
    _six(router, "2001:db8:2020::1")
    guests = [Guest(here.host, bridge, dead.mac(0x30 + n), f"six-{n}", ipv6=True) for n in range(2)]
    for n, guest in enumerate(guests):
        _six(guest, f"2001:db8:2020::{n + 10:x}")
    near, far = neighbours(here, there, alive, every="1.1")
    for n, machine in enumerate((near, far)):
        machine.ipv6(True)
        _six(machine, f"2001:db8:2021::{n + 1}")
    points = (
        Recorder(name="hv1", point=here.at_nic, local=[near.mac, *(one.mac for one in guests)], compress="gz"),
        Recorder(name="hv2", point=there.at_nic, local=[far.mac, router.mac], steps=(shifted(7.2), pcapng)),
    )
    with record_along(lab, *points, linger=3):
        near.ns.spawn("ping", "-q", "-i", "2", "2001:db8:2021::2")
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "1.5", "2001:db8:2020::1")
        router.ns.spawn("ping", "-q", "-i", "2", "2001:db8:2020::a")
        time.sleep(24)
    lab.shows("vlan.id == 2020 && icmpv6.type == 135", 10)
    lab.hides("vlan.id == 2020 && icmpv6.type == 136 && icmpv6.nd.na.flag.s == 1")
    lab.fault("VLAN002", "vlan.id == 2020", vlan=2020)
    for code in ("VLAN001", "VLAN003", "VLAN019"):
        lab.consequence(code)


@scenario
def held_out_third_vlan_pruned_midway(lab: Lab) -> None:
    """In the middle of a talk somebody takes VLAN 541 out of the list of the router's port: until then guests of it
    were answered, afterwards nothing of theirs arrives. VLAN 540 goes on. Both NICs, cut at 96 bytes."""
    dead = _net(3, 541, "1e:0a")
    trunk = Trunk(lab)
    here = trunk.host("hv1", "eno49", "trunks=540,541", first_tap=60)
    there = trunk.host("hv2", "eno49", "trunks=540,541")
    router = Router(there.host, there.vlan(541), dead)
    bridge = here.vlan(541)
    guests = [Guest(here.host, bridge, dead.mac(0x30 + n), f"mid-{n}") for n in range(2)]
    for n, guest in enumerate(guests):
        guest.address(dead.ip(10 + n), 26, dead.gateway)
    near, far = neighbours(
        here, there, Elsewhere(cidr="172.29.4.0/25", gateway="172.29.4.1", number=4, vlan=540), every="0.6"
    )
    points = (
        Recorder(
            name="one",
            point=here.at_nic,
            local=[near.mac, *(one.mac for one in guests)],
            steps=(snap(96),),
            compress="gz",
        ),
        Recorder(name="two", point=there.at_nic, local=[far.mac, router.mac], steps=(snap(96),), compress="gz"),
    )
    with record_along(lab, *points, linger=2):
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "1", dead.gateway)
        time.sleep(14)
        trunk.switch.change("hv2-port", "trunks=540")
        for _ in range(14):
            for guest in guests:
                guest.ns.run("arping", "-b", "-q", "-c", "1", "-I", "eth0", dead.gateway, check=False)
    lab.shows("vlan.id == 541 && icmp.type == 0", 10)
    lab.fault("VLAN002", "vlan.id == 541", vlan=541)
    for code in ("VLAN001", "VLAN003", "VLAN019"):
        lab.consequence(code)


@scenario
def held_out_third_gateway_typed(lab: Lab) -> None:
    """Somebody typed the gateway's address into his guest. Two neighbours ask for the gateway now and then and are
    answered by both, the router and the guest. On the bridge, cut at 96 bytes, nanoseconds."""
    stage = Stage(lab, _net(5, 818), first_tap=23)
    network = stage.network
    wrong = Guest(stage.host, stage.bridge, network.mac(0x44), "typed")
    wrong.address(network.gateway, 26)
    askers = [stage.guest(0x21 + n, f"app-{n}", ip=network.ip(20 + n)) for n in range(2)]
    for n, guest in enumerate(askers):
        guest.address(network.ip(20 + n), 26, network.gateway)
    with lab.record(*stage.at_bridge, told=False, nano=True, steps=(snap(96),), compress="zst", linger=2):
        for _ in range(9):
            for guest in askers:
                guest.ns.ip("neigh", "flush", "all")
                guest.ns.run("ping", "-qc", "2", "-i", "0.3", network.gateway, check=False)
            time.sleep(1.2)
    lab.shows(f"arp.opcode == 2 && arp.src.proto_ipv4 == {network.gateway} && eth.src == {wrong.mac}", 9)
    lab.shows(f"arp.opcode == 2 && arp.src.proto_ipv4 == {network.gateway} && eth.src == {stage.router.mac}", 9)
    lab.fault("HYP015", f"arp.src.proto_ipv4 == {network.gateway}", ip=network.gateway)


@scenario
def held_out_third_forward_drop(lab: Lab) -> None:
    """Docker was installed on the host: its FORWARD policy drops every bridged IPv4 packet and leaves ARP alone. Two
    guests with addresses ping their neighbours beyond, one asks DHCP again (udhcpc). One tap and the NIC."""
    hosts = TwoHosts(
        lab, _net(6, 1406), Elsewhere(cidr="172.29.7.0/24", gateway="172.29.7.1", number=7, vlan=1407), nic="eno2"
    )
    guests = [hosts.guest(0x21 + n, f"web-{n}", ip=11 + n) for n in range(2)]
    hosts.serve()
    for guest in guests:
        for way in ("iifname", "oifname"):
            bridge_drops(hosts.near.host, f"{way} {guest.tap} ether type ip")
    with record_along(
        lab, hosts.tap(guests[0], "tap", compress="gz"), hosts.near_nic("nic", steps=(pcapng,)), linger=3
    ):
        hosts.talk()
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "1.2", hosts.network.gateway)
        guests[0].udhcpc(seconds=22)
    lab.shows("arp.opcode == 2", 4)
    lab.shows(f"{_DISCOVER}", 3)
    # udhcpc gave the address up, so no more than four IP packets are there: one less than HYP003 needs
    lab.fault("DHCP006", _DISCOVER, mac=guests[0].mac)
    for code in ("HYP003", "HYP001", "HYP002", "SG001", "SG002", "SG005", "DHCP001"):
        lab.consequence(code)


@scenario
def held_out_third_ovs_tag_lost_midway(lab: Lab) -> None:
    """While a guest pings its neighbour beyond, a script clears the tag of its port in the host's Open vSwitch: from
    then on its frames leave the NIC untagged and nobody answers. Other guests of the VLAN go on. NIC only, role not
    told."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "ens5", "trunks=0,2301,2302", first_tap=20) for name in ("hv1", "hv2"))
    network = Elsewhere(cidr="172.29.8.0/24", gateway="172.29.8.1", number=8, vlan=2301, prefix="02:0a")
    other = Elsewhere(cidr="172.29.9.0/24", gateway="172.29.9.1", number=9, vlan=2302, prefix="02:0a")
    near, _ = neighbours(here, there, network)
    third, _ = neighbours(here, there, other)
    guest = Guest(here.host, None, network.mac(0x40), "shop-3")
    here.ovs.port("cloudbr1", guest.tap, "tag=2301")
    guest.address(network.ip(64), 24, network.gateway)
    steps = (wire([guest.mac, near.mac, third.mac]),)
    with lab.record(*here.at_nic, told=False, steps=steps, compress="gz", linger=2):
        guest.ns.spawn("ping", "-q", "-i", "1", network.ip(114))
        time.sleep(12)
        here.ovs.change(guest.tap, "tag=[]")
        time.sleep(25)
    lab.shows(f"vlan.id == 2301 && eth.src == {guest.mac}", 8)
    lab.shows(f"!vlan && eth.src == {guest.mac}", 8)
    lab.fault("OVS002", f"eth.src == {guest.mac}")
    for code in ("HYP004", "VLAN001", "VLAN019"):
        lab.consequence(code)


@scenario
def held_out_third_ovs_no_broadcast(lab: Lab) -> None:
    """A flow left in the host's Open vSwitch drops broadcasts that come in by the NIC: a neighbour beyond asks for the
    guest by ARP in vain, while the guest's own pings are answered. NIC and tap."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "ens5", "trunks=2303,2304", first_tap=20) for name in ("hv1", "hv2"))
    network = Elsewhere(cidr="172.29.10.0/24", gateway="172.29.10.1", number=10, vlan=2303, prefix="02:0a")
    other = Elsewhere(cidr="172.29.11.0/24", gateway="172.29.11.1", number=11, vlan=2304, prefix="02:0a")
    near, _ = neighbours(here, there, other)
    guest = Guest(here.host, None, network.mac(0x40), "shop-4")
    here.ovs.port("cloudbr1", guest.tap, "tag=2303")
    guest.address(network.ip(64), 24, network.gateway)
    peer = Machine(there.host, there.vlan(2303), network.mac(0x52), "peer")
    peer.address(network.ip(82), 24)
    here.ovs.flow("cloudbr1", "priority=300,in_port=1,dl_vlan=2303,dl_dst=ff:ff:ff:ff:ff:ff,actions=drop")
    points = (
        Recorder(name="nic", point=here.at_nic, local=[guest.mac, near.mac], compress="gz"),
        Recorder(name="tap", point=at_tap(guest)),
    )
    with record_along(lab, *points, linger=3):
        guest.ns.spawn("ping", "-q", "-i", "0.8", network.ip(82))
        peer.ns.run("arping", "-b", "-q", "-c", "18", "-I", "eth0", network.ip(64), check=False)
    lab.shows(f"arp.opcode == 1 && eth.src == {peer.mac} && eth.dst == ff:ff:ff:ff:ff:ff", 15)
    lab.shows("icmp.type == 0", 20)
    lab.fault("OVS007", f"arp.opcode == 1 && eth.src == {peer.mac}", mac=guest.mac)
    lab.consequence("HYP002")


@scenario
def held_out_third_public_vlan_missing(lab: Lab) -> None:
    """The public VLAN 900 is not carried to one of two hosts: a router and a console proxy (1e:) there ask for the
    upstream gateway in vain, a storage VM on the other host is answered. Guest VLAN 41 crosses. Both NICs, roles not
    told."""
    trunk = Trunk(lab)
    here = trunk.host("hv1", "bond0", "trunks=41", first_tap=5)
    there, edge = (trunk.host(name, "bond0", "trunks=41,900", first_tap=5) for name in ("hv2", "edge"))
    upstream = Machine(edge.host, edge.vlan(900), "00:1c:73:44:00:01", "upstream")
    upstream.address("198.18.77.1", 25)
    here_public, there_public = here.vlan(900), there.vlan(900)
    lost = [Machine(here.host, here_public, f"1e:00:c3:00:01:{n:02x}", f"sys{n}") for n in (0x21, 0x22)]
    good = Machine(there.host, there_public, "1e:00:c3:00:01:23", "ssvm")
    for n, machine in enumerate((*lost, good)):
        machine.address(f"198.18.77.{40 + n}", 25, "198.18.77.1")
    near, far = neighbours(here, there, _wide(12, 41), every="0.9")
    points = (
        Recorder(
            name="hv1", point=here.at_nic, local=[near.mac, *(one.mac for one in lost)], told=False, compress="gz"
        ),
        Recorder(name="hv2", point=there.at_nic, local=[far.mac, good.mac], told=False),
    )
    with record_along(lab, *points, linger=3):
        for machine in (*lost, good):
            machine.ns.spawn("ping", "-q", "-i", "2.2", "198.18.77.1")
        for _ in range(12):
            good.ns.ip("neigh", "flush", "all")
            time.sleep(2)
    lab.shows("vlan.id == 900 && arp.opcode == 2", 3)
    lab.fault("PHYS005", "vlan.id == 900", vlan=900)
    for code in ("VLAN001", "VLAN002", "VLAN003", "VLAN019"):
        lab.consequence(code)


def _wide(n: int, vlan: int) -> Elsewhere:
    """A /24 of 172.29."""
    return Elsewhere(cidr=f"172.29.{n}.0/24", gateway=f"172.29.{n}.1", number=0x3A00 + n, vlan=vlan, prefix="02:0a")


@scenario
def held_out_third_mtu_of_one_host(lab: Lab) -> None:
    """The switch's port to one of three hosts loses frames above 1,000 bytes. A guest on the first host pings one on
    each of the others, small and large: all reach the third host, only the small ones the second. Three NICs."""
    trunk = Trunk(lab)
    hosts = [trunk.host(f"hv{n}", "enp3s0", "trunks=77", first_tap=10 * n) for n in (1, 2, 3)]
    network = _wide(13, 77)
    machines = [Guest(one.host, one.vlan(77), network.mac(0x61 + n), f"n{n}") for n, one in enumerate(hosts)]
    for n, machine in enumerate(machines):
        machine.address(network.ip(31 + n), 24)
    trunk.limit(hosts[1], 1000)
    points = tuple(
        Recorder(name=f"hv{n + 1}", point=one.at_nic, local=[machines[n].mac], steps=(snap(128),), compress="gz")
        for n, one in enumerate(hosts)
    )
    with record_along(lab, *points, linger=3):
        for last in (32, 33):
            for size in ("56", "1400"):
                machines[0].ns.spawn("ping", "-q", "-c", "24", "-i", "0.5", "-s", size, network.ip(last))
        time.sleep(14)
    lab.shows("icmp.type == 0", 60)
    lab.fault("PHYS007", "icmp && frame.len > 1000")
    lab.consequence("VLAN017")


@scenario
def held_out_third_vxlan_router_deaf(lab: Lab) -> None:
    """An isolated network in VXLAN 5301: the router's dnsmasq has died, while the router answers a neighbour. A guest
    with dhclient on another host asks for 45 s. At the NIC in the underlay of the guest's host."""
    underlay = Underlay(lab)
    here, there = underlay.host("hv1", "10.255.8.11", first_tap=3), underlay.host("hv2", "10.255.8.12", first_tap=9)
    bridge, beyond = here.network(5301, there.ip), there.network(5301, here.ip)
    network = _wide(14, 5301)
    Router(there.host, beyond, network)
    guest = Guest(here.host, bridge, network.mac(0x33), "vx-1")
    static = Guest(here.host, bridge, network.mac(0x34), "vx-2")
    static.address(network.ip(52), 24, network.gateway)
    with lab.record(*here.at_nic, told=False, steps=(pcapng,), compress="gz", linger=6):
        static.ns.spawn("ping", "-q", "-i", "3", network.gateway)
        guest.dhclient(seconds=46)
    lab.shows(_DISCOVER, 3)
    lab.hides("dhcp.type == 2")
    lab.fault("DHCP001", _DISCOVER, mac=guest.mac)


@scenario
def held_out_third_migrated(lab: Lab) -> None:
    """All is well: an instance is live-migrated. It is pinged from a third host all the time, is silent for 0.4 s, and
    announces itself on its new host by gratuitous ARP. Both hosts' NICs, nothing padded, roles not told. Healthy."""
    trunk = Trunk(lab)
    old, new, third = (trunk.host(f"hv{n}", "eno1", "trunks=333", first_tap=n) for n in (1, 2, 3))
    network = _wide(15, 333)
    bridge = new.vlan(333)
    before = Guest(old.host, old.vlan(333), network.mac(0x70), "mig", label="before")
    before.address(network.ip(70), 24)
    stay = [Guest(one.host, one.vlan(333) if one is third else b, network.mac(0x71 + n), f"stay{n}")
            for n, (one, b) in enumerate(((old, "breno1-333"), (new, bridge), (third, "")))]  # fmt: skip
    for n, machine in enumerate(stay):
        machine.address(network.ip(71 + n), 24)
    points = (
        Recorder(name="old", point=old.at_nic, told=False, compress="gz"),
        Recorder(name="new", point=new.at_nic, told=False, steps=(pcapng,), compress="gz"),
    )
    with record_along(lab, *points, linger=1):
        stay[2].ns.spawn("ping", "-q", "-i", "0.3", network.ip(70))
        stay[0].ns.spawn("ping", "-q", "-i", "1", network.ip(72))
        time.sleep(9)
        old.host.ns.ip("link", "set", before.tap, "down")
        time.sleep(0.4)
        after = Guest(new.host, bridge, network.mac(0x70), "mig", label="after")
        after.address(network.ip(70), 24)
        after.ns.run("arping", "-q", "-U", "-c", "3", "-I", "eth0", network.ip(70), check=False)
        time.sleep(9)
    lab.shows("icmp.type == 0", 60)


@scenario
def held_out_third_same_plan_twice(lab: Lab) -> None:
    """All is well: two tenants' isolated networks on one host have the same addresses, the same gateway and MACs of
    their own; in each a guest boots and talks. Recorded with -i any, cooked version 2. Healthy."""
    networks = [
        Elsewhere(cidr="10.1.1.0/24", gateway="10.1.1.1", number=0x500 + n, vlan=660 + n, prefix="02:0a")
        for n in (1, 2)
    ]
    first = Stage(lab, networks[0], first_tap=31)
    bridge = first.host.bridge("breth1-662")
    router = Router(first.host, bridge, networks[1], label="vr2")
    guests = [first.guest(9, "one"), Guest(first.host, bridge, networks[1].mac(9), "two")]
    first.serve()
    router.dhcp([(guests[1].mac, networks[1].ip(9), "two")])
    with lab.record(*first.at_any, told=False, link_type="LINUX_SLL2", compress="gz", linger=3):
        for guest in guests:
            guest.dhclient()
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "0.8", "10.1.1.1")
        for _ in range(4):
            time.sleep(2)
            for guest in guests:
                guest.ns.ip("neigh", "flush", "all")
    lab.shows(_ACK, 4)
    for guest in guests:
        lab.proof("DHCP031", f"{_ACK} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)


@scenario
def held_out_third_mirror_of_two_plans(lab: Lab) -> None:
    """All is well: the same two tenants' networks, 10.1.1.0/24 both, in VLANs 661 and 662 of a trunk, seen by a mirror
    that gives every frame a second time 90 µs later; cut at 128 bytes. Healthy."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eno3", "trunks=661,662", first_tap=40) for name in ("hv1", "hv2"))
    guests = []
    for n in (1, 2):
        network = Elsewhere(cidr="10.1.1.0/24", gateway="10.1.1.1", number=0x500 + n, vlan=660 + n, prefix="02:0a")
        Router(there.host, there.vlan(660 + n), network, label=f"vr{n}")
        guest = Guest(here.host, here.vlan(660 + n), network.mac(9), f"g{n}")
        guest.address("10.1.1.77", 24, "10.1.1.1")
        guests.append(guest)
    steps = (wire([guest.mac for guest in guests]), mirrored(90), snap(128))
    with lab.record(*here.at_nic, told=False, steps=steps, compress="zst", linger=1):
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "0.7", "10.1.1.1")
        for _ in range(6):
            time.sleep(2)
            for guest in guests:
                guest.ns.ip("neigh", "flush", "all")
    lab.shows("icmp.type == 0", 60)
