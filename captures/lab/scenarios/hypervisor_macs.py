"""MACs of hypervisors: two machines with one, a bond that rewrites ARP, an instance that left, guests of guests."""

import time
from collections.abc import Iterable

from captures.lab import middlebox
from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.guest import Guest
from captures.lab.post import pcapng, wire, wire_from
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, Trunk

_ARP = b"\x08\x06"
_MEMBERS = ("b8:59:9f:11:20:40", "b8:59:9f:11:20:41")


@scenario
def nic_duplicate_mac_dhcp(lab: Lab) -> None:
    """An instance was copied beside CloudStack with its NIC: both run, on one host, under one MAC, and ask the router
    for an address again and again, each by its own name."""
    network = GuestNetwork(cidr="10.161.0.0/24", gateway="10.161.0.1", number=0x2F1)
    stage = Stage(lab, network, first_tap=2)
    guests = [stage.guest(0x21, name) for name in ("shop-1", "shop-copy")]
    stage.serve()
    with lab.record(*stage.at_bridge, told=False, compress="gz", linger=2):
        for _ in range(3):
            for guest in guests:
                guest.stop(guest.udhcpc(seconds=3))
    for name in ("shop-1", "shop-copy"):
        lab.shows(f'dhcp.option.hostname == "{name}" && dhcp.type == 1', 3)
    lab.fault("HYP016", f"dhcp.type == 1 && dhcp.hw.mac_addr == {guests[0].mac}", mac=guests[0].mac)


@scenario
def nic_renamed_guest(lab: Lab) -> None:
    """A guest boots by its image's name, is given its own by cloud-init, and asks again by that. Healthy."""
    network = GuestNetwork(cidr="10.162.0.0/24", gateway="10.162.0.1", number=0x2F2)
    stage = Stage(lab, network, first_tap=4)
    guest = stage.guest(0x22, "golden-image")
    stage.serve()
    with lab.record(*stage.at_bridge, told=False, linger=2):
        for name in ("golden-image", "golden-image", "shop-2", "shop-2"):
            guest.name = name
            guest.stop(guest.udhcpc())
    lab.shows('dhcp.option.hostname == "shop-2"', 2)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def nic_duplicate_mac_on_trunk(lab: Lab) -> None:
    """Two clouds on one switch have the same MAC identifier, and an instance on this host and one beyond it have the
    same MAC in one VLAN. Both ask for machines of their network all the time."""
    network = GuestNetwork(cidr="10.163.0.0/24", gateway="10.163.0.1", number=0x2F3, vlan=1630)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=1630") for name in ("kvm1", "kvm2"))
    near = Machine(here.host, here.vlan(1630), network.mac(0x23), "near")
    far = Machine(there.host, there.vlan(1630), network.mac(0x23), "far")
    near.address(network.ip(71), 24)
    far.address(network.ip(72), 24)
    with lab.record(*here.at_nic, told=False, steps=(wire_from(network.ip(72)), pcapng), linger=2):
        for _ in range(5):
            near.ns.run("arping", "-qc", "2", "-I", "eth0", network.ip(9), check=False)
            far.ns.run("arping", "-qc", "2", "-I", "eth0", network.ip(9), check=False)
    for last in (71, 72):
        lab.shows(f"arp.src.hw_mac == {near.mac} && arp.src.proto_ipv4 == {network.ip(last)}", 6)
    lab.fault("HYP016", f"arp.src.hw_mac == {near.mac}", mac=near.mac, vlan=1630)


def _alternating(members: Iterable[str]) -> middlebox.Behaviour:
    """What a bond of mode 6 does with guests' ARP replies: its members' MACs in turn, in both headers."""
    macs = [bytes.fromhex(mac.replace(":", "")) for mac in members]
    count = 0

    def behave(frame: bytes, direction: middlebox.Direction) -> list[tuple[float, bytes]]:
        nonlocal count
        if direction == "out" and frame[12:14] == _ARP and frame[20:22] == b"\0\x02":
            count += 1
            mac = macs[count % len(macs)]
            frame = frame[:6] + mac + frame[12:22] + mac + frame[28:]
        return [(0.0, frame)]

    return behave


@scenario
def nic_bond_rewrites_arp(lab: Lab) -> None:
    """The host's bond is in mode 6: the ARP replies of two guests leave with the MACs of the bond's members, in turn,
    their own requests as they are. (No bond runs here; what stands between guests and bridge does what it would.)"""
    network = GuestNetwork(cidr="10.164.0.0/24", gateway="10.164.0.1", number=0x2F4)
    stage = Stage(lab, network, first_tap=6)
    client = stage.guest(0x24, "client")
    client.address(network.ip(24), 24)
    guests = []
    for sequence in (0x25, 0x26):
        guest = Guest(stage.host, None, network.mac(sequence), f"web-{sequence}")
        middlebox.insert(lab, stage.host.ns, guest.tap, stage.bridge, _alternating(_MEMBERS))
        guest.address(network.ip(sequence), 24)
        guests.append(guest)
    with lab.record(*stage.at_bridge, told=False, compress="gz", linger=2):
        for _ in range(4):
            for guest, sequence in zip(guests, (0x25, 0x26), strict=True):
                client.ns.run("arping", "-qc", "2", "-I", "eth0", network.ip(sequence), check=False)
                guest.ns.run("arping", "-qc", "1", "-I", "eth0", network.ip(24), check=False)
    for mac in _MEMBERS:
        lab.shows(f"arp.opcode == 2 && arp.src.hw_mac == {mac}", 4)
    lab.fault("HYP013", f"arp.opcode == 2 && arp.src.hw_mac in {{{', '.join(_MEMBERS)}}}")
    lab.consequence("HYP015")


@scenario
def nic_departed_guest(lab: Lab) -> None:
    """A guest moves to another host. The switch has a static entry for its MAC, so that what its gateway sends it goes
    on coming to the old host for more than a minute, while its own requests are heard from the new one."""
    network = GuestNetwork(cidr="10.165.0.0/24", gateway="10.165.0.1", number=0x2F5, vlan=1650)
    trunk = Trunk(lab)
    hosts = [trunk.host(f"kvm{n}", "eth1", "trunks=1650") for n in range(3)]
    bridges = [host.vlan(1650) for host in hosts]
    gateway = Machine(hosts[2].host, bridges[2], network.mac(1), "gateway")
    gateway.address(network.gateway, 24)
    guest = Guest(hosts[0].host, bridges[0], network.mac(0x27), "web-1")
    guest.address(network.ip(39), 24, network.gateway)
    new = hosts[1].host.ns
    moved: list[float] = []
    with lab.record(*hosts[0].at_nic, steps=(wire((guest.mac,), lambda: moved[0]),), compress="gz", linger=1):
        guest.ns.run("ping", "-qc", "4", network.gateway)
        gateway.ns.run("arping", "-qc", "3", "-I", "eth0", network.ip(39), check=False)
        moved.append(time.time())
        trunk.switch.flow(trunk.bridge, f"priority=100,dl_dst={guest.mac},actions=output:kvm0-port")
        hosts[0].host.ns.ip("link", "set", guest.tap, "netns", new.name)
        new.ip("link", "set", guest.tap, "master", bridges[1])
        new.ip("link", "set", guest.tap, "up")
        gateway.ns.ip("neigh", "replace", network.ip(39), "lladdr", guest.mac, "dev", "eth0", "nud", "permanent")
        gateway.ns.spawn("ping", "-q", "-i", "0.5", network.ip(39))
        guest.ns.spawn("arping", "-b", "-q", "-i", "3", "-I", "eth0", network.gateway)
        time.sleep(78)
    lab.shows(f"icmp.type == 8 && eth.dst == {guest.mac}", 100)
    lab.fault("HYP020", f"eth.dst == {guest.mac} && frame.time_relative > 30", mac=guest.mac, vlan=1650)


def _for_one_mac(mac: str) -> middlebox.Behaviour:
    """What a virtual switch without promiscuous mode lets in: group frames, and those for the MAC that it gave."""
    own = bytes.fromhex(mac.replace(":", ""))

    def behave(frame: bytes, direction: middlebox.Direction) -> list[tuple[float, bytes]]:
        wanted = direction == "in" or frame[0] & 1 or frame[:6] == own
        return [(0.0, frame)] if wanted else []

    return behave


def _nested(lab: Lab, subnet: str, number: int, behave: middlebox.Behaviour | None) -> tuple[Stage, list[Machine], str]:
    """A hypervisor that is itself a virtual machine, with two guests; the gateway is beyond its NIC."""
    network = GuestNetwork(cidr=f"{subnet}.0/24", gateway=f"{subnet}.1", number=number, vlan=1)
    stage = Stage(lab, network, first_tap=10, router=False)
    gateway = Machine(stage.host, None, "00:1b:21:5c:44:01", "gateway")
    gateway.address(network.gateway, 24)
    own = Machine(stage.host, stage.bridge, "00:50:56:a1:7c:10", "host")
    own.address(network.ip(10), 24, network.gateway)
    guests: list[Machine] = [stage.guest(sequence, f"web-{sequence}") for sequence in (0x31, 0x32)]
    for guest, last in zip(guests, (0x31, 0x32), strict=True):
        guest.address(network.ip(last), 24, network.gateway)
    passing = behave or (lambda frame, direction: [(0.0, frame)])
    nic = middlebox.insert(lab, stage.host.ns, gateway.tap, stage.bridge, passing)
    return stage, [own, *guests], nic


def _all_ping(machines: list[Machine], gateway: str) -> None:
    for machine in machines[1:]:
        machine.ns.spawn("ping", "-q", "-i", "1", gateway)
    machines[0].ns.run("ping", "-qc", "10", gateway)


@scenario
def nic_nested_macs_blocked(lab: Lab) -> None:
    """The hypervisor is a VMware virtual machine, and promiscuous mode is off on its port group: the gateway answers
    the host, and no answer for the MACs of its guests is let in. Recorded at its NIC."""
    stage, machines, nic = _nested(lab, "10.166.0", 0x2F6, _for_one_mac("00:50:56:a1:7c:10"))
    with lab.record(stage.host.ns, nic, "nic", steps=(pcapng,), linger=3):
        _all_ping(machines, stage.network.gateway)
    for guest in machines[1:]:
        lab.shows(f"arp.opcode == 1 && eth.src == {guest.mac}", 3)
    lab.hides("arp.opcode == 2 && eth.dst[0] == 02")
    lab.fault("HYP024", "arp.opcode == 1 && eth.src[0] == 02")


@scenario
def nic_nested_macs_admitted(lab: Lab) -> None:
    """As nic-nested-macs-blocked with promiscuous mode on: host and guests are answered. Healthy."""
    stage, machines, nic = _nested(lab, "10.167.0", 0x2F7, None)
    with lab.record(stage.host.ns, nic, "nic", linger=1):
        _all_ping(machines, stage.network.gateway)
    lab.shows("arp.opcode == 2 && eth.dst[0] == 02", 2)
