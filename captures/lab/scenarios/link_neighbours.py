"""What a switch says of its port by LLDP and CDP, and what becomes of NICs that are in the wrong one."""

import time

from captures.lab.cloud import GuestNetwork, Host, Machine, veth
from captures.lab.guest import Guest
from captures.lab.lldpd import lldpd
from captures.lab.namespaces import Namespace
from captures.lab.post import pcapng, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.vlan_missing import neighbours
from captures.lab.stage import Trunk, TrunkHost

_SWITCH_MAC = "00:1c:73:5e:10:{:02x}"


def switch_port(trunk: Trunk, host: str, number: int) -> str:
    """Gives the switch's port to a host a MAC of a switch's maker; returns the name of its interface."""
    port = f"{host}-port"
    trunk.switch.ns.ip("link", "set", port, "address", _SWITCH_MAC.format(number))
    return port


def _two_hosts(trunk: Trunk, first: str, second: str) -> tuple[TrunkHost, TrunkHost]:
    return trunk.host("kvm1", "eth1", f"trunks={first}"), trunk.host("kvm2", "eth1", f"trunks={second}")


@scenario
def lldp_vlan_not_on_port(lab: Lab) -> None:
    """VLAN 2317 was not added to the port of the guest's host. The switch tells by LLDP which VLANs that port has, and
    2317 is not among them; the guest's DISCOVERs leave tagged 2317 and nothing comes back. VLAN 2101 works."""
    dead = GuestNetwork(cidr="10.160.0.0/24", gateway="10.160.0.1", number=0x260, vlan=2317)
    alive = GuestNetwork(cidr="10.161.0.0/24", gateway="10.161.0.1", number=0x261, vlan=2101)
    trunk = Trunk(lab)
    here, there = _two_hosts(trunk, "2101,2205", "2101,2205,2317")
    router = Router(there.host, there.vlan(2317), dead)
    guest = Guest(here.host, here.vlan(2317), dead.mac(0x21), "db-1")
    router.dhcp([(guest.mac, dead.ip(33), guest.name)])
    near, _ = neighbours(here, there, alive)
    port = switch_port(trunk, "kvm1", 7)
    with lab.record(*here.at_nic, steps=(wire((guest.mac, near.mac)),), linger=3):
        lldpd(lab, trunk.switch.ns, port, system="tor-1", port="Ethernet1/7", vlans=(2101, 2205))
        guest.dhclient(seconds=48)
    lab.shows("lldp.ieee.802_1.vlan.id == 2101", 3)
    lab.hides("lldp.ieee.802_1.vlan.id == 2317")
    lab.hides(f"vlan.id == 2317 && eth.src != {guest.mac}")
    lab.fault("VLAN021", "vlan.id == 2317 && dhcp.option.dhcp == 1", vlan=2317)
    lab.consequence("VLAN001", vlan=2317)
    lab.consequence("DHCP001", mac=guest.mac)
    lab.proof("VLAN020", vlan=2101)
    lab.proof("PHYS009", "lldp")


@scenario
def lldp_vlan_not_on_port_arp(lab: Lab) -> None:
    """As lldp-vlan-not-on-port: two guests with static addresses ask for their gateway in VLAN 48. The role is not
    told; the host runs lldpd, too."""
    dead = GuestNetwork(cidr="172.26.48.0/24", gateway="172.26.48.254", number=0x262, vlan=48)
    alive = GuestNetwork(cidr="172.26.47.0/24", gateway="172.26.47.254", number=0x263, vlan=47)
    trunk = Trunk(lab)
    here, there = _two_hosts(trunk, "47", "47,48")
    bridge = here.vlan(48)
    guests = [Guest(here.host, bridge, dead.mac(0x31 + n), f"app-{n}") for n in range(2)]
    gateway = Guest(there.host, there.vlan(48), "00:1c:73:0b:48:01", "gateway")
    gateway.address(dead.gateway, 24)
    for n, guest in enumerate(guests):
        guest.address(dead.ip(30 + n), 24, dead.gateway)
    near, _ = neighbours(here, there, alive)
    port = switch_port(trunk, "kvm1", 9)
    lldpd(lab, trunk.switch.ns, port, system="leaf-12.example.com", port="swp9", port_vlan=1, vlans=(1, 47))
    lldpd(lab, here.host.ns, here.uplink, system="kvm1", port="eth1", description="Debian GNU/Linux 12 Linux 6.1")
    local = (near.mac, *(guest.mac for guest in guests))
    with lab.record(*here.at_nic, told=False, nano=True, steps=(wire(local),), compress="gz", linger=3):
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "3", dead.gateway)
        time.sleep(24)
    lab.shows("vlan.id == 48 && arp.opcode == 1", 12)
    lab.shows("lldp.ieee.802_1.vlan.id == 47", 3)
    lab.fault("VLAN021", "vlan.id == 48 && arp", vlan=48)
    lab.consequence("VLAN001", vlan=48)
    lab.proof("VLAN020", vlan=47)


@scenario
def lldp_tells_one_vlan_only(lab: Lab) -> None:
    """A switch that names only the native VLAN of its trunks by LLDP, whatever else they carry. A guest is served in
    VLAN 2401; another one asks for an address in 2402, where nobody serves addresses, by design. Healthy."""
    served = GuestNetwork(cidr="10.162.0.0/24", gateway="10.162.0.1", number=0x264, vlan=2401)
    layer2 = GuestNetwork(cidr="10.163.0.0/24", gateway="10.163.0.1", number=0x265, vlan=2402)
    trunk = Trunk(lab)
    here, there = _two_hosts(trunk, "2401,2402", "2401,2402")
    router = Router(there.host, there.vlan(2401), served)
    guest = Guest(here.host, here.vlan(2401), served.mac(0x22), "web-1")
    router.dhcp([(guest.mac, served.ip(34), guest.name)])
    asking, _ = neighbours(here, there, layer2)
    lldpd(lab, trunk.switch.ns, switch_port(trunk, "kvm1", 3), system="sw-3", port="ge-0/0/3", port_vlan=1, vlans=(1,))
    with lab.record(*here.at_nic, steps=(wire((guest.mac, asking.mac)), pcapng), linger=3):
        guest.dhclient()
        asking.ns.spawn("arping", "-b", "-q", "-c", "9", "-I", "eth0", layer2.ip(77))
        time.sleep(16)
    lab.shows("lldp.ieee.802_1.vlan.id == 1", 2)
    lab.shows("vlan.id == 2402 && arp.opcode == 1", 8)
    lab.proof("VLAN020", vlan=2401)
    lab.proof("PHYS009", "lldp")


@scenario
def lldp_native_vlan_is_the_guests(lab: Lab) -> None:
    """The switch port of the guest's host has the guest's VLAN 2455 as its native one, and says so by LLDP and CDP. The
    guest's requests leave tagged, every answer comes back untagged and never reaches it."""
    network = GuestNetwork(cidr="10.164.0.0/24", gateway="10.164.0.1", number=0x266, vlan=2455)
    alive = GuestNetwork(cidr="10.165.0.0/24", gateway="10.165.0.1", number=0x267, vlan=2456)
    trunk = Trunk(lab)
    here = trunk.host("kvm1", "eth1", "vlan_mode=native-untagged", "tag=2455", "trunks=2455,2456")
    there = trunk.host("kvm2", "eth1", "trunks=2455,2456")
    router = Router(there.host, there.vlan(2455), network)
    guest = Guest(here.host, here.vlan(2455), network.mac(0x23), "web-1")
    router.dhcp([(guest.mac, network.ip(35), guest.name)])
    near, _ = neighbours(here, there, alive)
    port = switch_port(trunk, "kvm1", 11)
    lldpd(lab, trunk.switch.ns, port, system="tor-2", port="Gi1/0/11", port_vlan=2455, cdp=True)
    with lab.record(*here.at_nic, steps=(wire((guest.mac, near.mac)),), linger=3):
        guest.dhclient(seconds=25)
    lab.shows("lldp.ieee.802_1.port_vlan.id == 2455", 3)
    lab.shows("!vlan && dhcp.option.dhcp == 2", 3)
    lab.fault("VLAN005", "lldp", vlan=2455)
    for code in ("VLAN004", "VLAN001", "DHCP001", "DHCP008", "DHCP003"):
        lab.consequence(code)
    lab.proof("VLAN020", vlan=2456)


def _plan(*uplinks: tuple[str, str, str]) -> dict[str, object]:
    return {"uplink": [{"name": name, "switch": switch, "port": port} for name, switch, port in uplinks]}


@scenario
def lldp_cables_swapped(lab: Lab) -> None:
    """The cables of two NICs of a host are swapped: eth0 is in the port that the plan has for eth1, and the other way
    round. Both switch ports tell by LLDP and CDP who they are. VLAN 2501 happens to be on both."""
    network = GuestNetwork(cidr="10.166.0.0/24", gateway="10.166.0.1", number=0x268, vlan=2501)
    trunk = Trunk(lab)
    here, there = _two_hosts(trunk, "2501", "2501")
    near, _ = neighbours(here, there, network)
    lab.truth.site = _plan(("kvm1-eth0", "tor-1", "Ethernet1/13"), ("kvm1-eth1", "tor-1", "Ethernet1/14"))
    port = switch_port(trunk, "kvm1", 13)
    lldpd(lab, trunk.switch.ns, port, system="tor-1.example.com", port="Eth1/13", cdp=True)
    with (
        lab.record(*here.at_nic, name="kvm1-eth1", steps=(wire((near.mac,)),), compress="gz", linger=1),
        lab.record(*there.at_nic, name="kvm2-eth1", steps=(wire(()),), linger=1),
    ):
        time.sleep(14)
    lab.shows('lldp.port.id == "Eth1/13"', 2)
    lab.fault("HYP009", "lldp || cdp")
    lab.proof("VLAN020", vlan=2501)


@scenario
def lldp_cabled_to_another_switch(lab: Lab) -> None:
    """The NIC of a host is cabled to the port of that number at the neighbouring switch. The plan has the other one."""
    network = GuestNetwork(cidr="10.167.0.0/24", gateway="10.167.0.1", number=0x269, vlan=2502)
    trunk = Trunk(lab)
    here, there = _two_hosts(trunk, "2502", "2502")
    near, _ = neighbours(here, there, network)
    lab.truth.site = _plan((lab.name, "tor-1", "Ethernet1/7"))
    lldpd(lab, trunk.switch.ns, switch_port(trunk, "kvm1", 7), system="tor-2", port="Ethernet1/7")
    with lab.record(*here.at_nic, steps=(wire((near.mac,)),), linger=1):
        time.sleep(12)
    lab.shows("lldp", 2)
    lab.fault("HYP009", "lldp")
    lab.proof("VLAN020", vlan=2502)


@scenario
def lldp_cabled_as_planned(lab: Lab) -> None:
    """The NIC is where the plan has it; the switch shortens its port's name and gives its full host name, and the host
    itself speaks LLDP, too. Healthy."""
    network = GuestNetwork(cidr="10.168.0.0/24", gateway="10.168.0.1", number=0x26A, vlan=2503)
    trunk = Trunk(lab)
    here, there = _two_hosts(trunk, "2503", "2503")
    near, _ = neighbours(here, there, network)
    lab.truth.site = _plan((lab.name, "TOR-1", "GigabitEthernet1/0/7"), ("kvm2-eth1", "tor-1", "GigabitEthernet1/0/8"))
    port = switch_port(trunk, "kvm1", 7)
    lldpd(lab, trunk.switch.ns, port, system="tor-1.example.com", port="Gi1/0/7", port_vlan=1, cdp=True)
    lldpd(lab, here.host.ns, here.uplink, system="kvm1", port="eth1", description="Debian GNU/Linux 12 Linux 6.1")
    with lab.record(*here.at_nic, steps=(wire((near.mac,)),), compress="zst", linger=1):
        time.sleep(14)
    lab.shows("lldp", 4)
    lab.proof("VLAN020", vlan=2503)
    lab.proof("PHYS009", 'lldp.port.id == "Gi1/0/7" || cdp')


def _two_networks(lab: Lab, *, swapped: bool) -> tuple[Namespace, dict[str, str]]:
    """A host with its address on eth0 and guests' traffic on eth1, and a switch with a network for each.

    Returns the host and the MACs of its NICs by name.
    """
    fabric = Host(lab, "switch")
    management, storage = fabric.bridge("vlan10"), fabric.bridge("vlan20")
    machines = [
        Machine(fabric, bridge, f"b8:59:9f:40:{n:02x}:0{last}", f"m{n}-{last}")
        for n, bridge in ((1, management), (2, storage))
        for last in (1, 2)
    ]
    for machine, ip in zip(machines, ("192.168.110.1", "192.168.110.12", "10.50.0.1", "10.50.0.12"), strict=True):
        machine.address(ip, 24)
        machine.ns.spawn("arping", "-b", "-q", "-I", "eth0", f"{ip.rpartition('.')[0]}.99")
    host = lab.namespace("kvm1")
    host.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
    macs = {}
    for n, bridge in enumerate((storage, management) if swapped else (management, storage)):
        name, port = f"eth{n}", f"kvm1-{n}"
        veth(host, name, fabric.ns, port)
        macs[name] = f"b8:59:9f:40:10:0{n}"
        host.ip("link", "set", name, "address", macs[name])
        fabric.ns.ip("link", "set", port, "master", bridge)
        for where, interface in ((host, name), (fabric.ns, port)):
            where.ip("link", "set", interface, "up")
    host.ip("address", "add", "192.168.110.11/24", "dev", "eth0")
    host.ip("address", "add", "10.60.0.11/24", "dev", "eth1")
    return host, macs


def _record_both(lab: Lab, host: Namespace, macs: dict[str, str], *targets: str) -> None:
    with (
        lab.record(host, "eth0", "nic", name="kvm1-eth0", steps=(wire((macs["eth0"],)),), linger=3),
        lab.record(host, "eth1", "nic", name="kvm1-eth1", steps=(wire((macs["eth1"],)), pcapng), linger=3),
    ):
        for target in targets:
            host.spawn("ping", "-q", "-i", "1", target)
        time.sleep(10)


@scenario
def nic_cables_swapped(lab: Lab) -> None:
    """The cables of a host's two NICs are swapped: it asks for its gateway at eth0, where the storage network is, and
    the gateway is heard at eth1. Nothing speaks LLDP. Recorded at both NICs."""
    host, macs = _two_networks(lab, swapped=True)
    _record_both(lab, host, macs, "192.168.110.1")
    lab.shows(f"arp.opcode == 1 && eth.src == {macs['eth0']}", 5)
    lab.hides("arp.opcode == 2 && arp.src.proto_ipv4 == 192.168.110.1")
    lab.fault("HYP009", "arp")


@scenario
def nic_cables_right_peer_off(lab: Lab) -> None:
    """Both cables of a host are where they belong; it asks for its gateway, which answers, and for a machine that is
    switched off. Recorded at both NICs. Healthy."""
    host, macs = _two_networks(lab, swapped=False)
    _record_both(lab, host, macs, "192.168.110.1", "192.168.110.77")
    lab.shows("arp.opcode == 1 && arp.dst.proto_ipv4 == 192.168.110.77", 5)


@scenario
def nic_cables_swapped_quiet_target(lab: Lab) -> None:
    """As nic-cables-swapped; the host asks for a storage server that nobody else asks for, so that it says nothing on
    the wire where it is. Two others of its network do."""
    host, macs = _two_networks(lab, swapped=True)
    _record_both(lab, host, macs, "192.168.110.20")
    lab.shows(f"arp.opcode == 1 && eth.src == {macs['eth0']}", 5)
    lab.hides("arp.src.proto_ipv4 == 192.168.110.20")
    lab.fault("HYP009", "arp")
