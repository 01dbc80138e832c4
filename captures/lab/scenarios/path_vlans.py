"""VLANs between two or three hosts, recorded at several points of one run."""

import time

from captures.lab.along import Recorder, TwoHosts, record_along
from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.guest import Guest
from captures.lab.post import pcapng, shifted, snap
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Trunk, TrunkHost

_DISCOVER = "dhcp.option.dhcp == 1"


def _networks(n: int, vlan: int, other: int) -> tuple[GuestNetwork, GuestNetwork]:
    """The network that matters and one that always works."""
    return (
        GuestNetwork(cidr=f"10.{150 + n}.0.0/24", gateway=f"10.{150 + n}.0.1", number=0x230 + n, vlan=vlan),
        GuestNetwork(cidr=f"10.{150 + n}.8.0/24", gateway=f"10.{150 + n}.8.1", number=0x270 + n, vlan=other),
    )


@scenario
def path_healthy_boot(lab: Lab) -> None:
    """A healthy boot along the whole path: tap, both NICs and inside the router."""
    network, alive = _networks(1, 1301, 1302)
    hosts = TwoHosts(lab, network, alive)
    guest = hosts.guest(0x11, "web-1")
    hosts.serve()
    with record_along(lab, hosts.tap(guest), hosts.near_nic(), hosts.far_nic(compress="gz"), hosts.in_router()):
        hosts.talk()
        guest.dhclient()
        guest.ns.run("ping", "-qc", "8", "-i", "0.5", network.gateway)
    lab.shows(_DISCOVER, 4)
    lab.proof("DHCP031", mac=guest.mac)


@scenario
def path_vlan_not_on_far_port(lab: Lab) -> None:
    """VLAN 1204 is not in the list of the switch port of the router's host. The guest's DISCOVERs leave its host tagged
    and never come to the other; VLAN 1199 crosses both ways."""
    network, alive = _networks(2, 1204, 1199)
    hosts = TwoHosts(lab, network, alive, ports=("", "trunks=1199"))
    guest = hosts.guest(0x12, "web-2")
    hosts.serve()
    with record_along(lab, hosts.near_nic(), hosts.far_nic(), linger=3):
        hosts.talk()
        guest.dhclient(seconds=35)
    lab.shows(f"vlan.id == 1204 && {_DISCOVER}", 3)
    lab.fault("VLAN002", f"vlan.id == 1204 && {_DISCOVER}", vlan=1204)
    for code in ("DHCP001", "DHCP006", "VLAN001"):
        lab.consequence(code)


@scenario
def path_vlan_not_on_near_port(lab: Lab) -> None:
    """VLAN 820 is not in the list of the port of the guests' host. Guests with static addresses ask for their gateway;
    the router's host sends in that VLAN, too, and is not heard either. From tap to NIC to NIC; one in pcapng."""
    network, alive = _networks(3, 820, 821)
    hosts = TwoHosts(lab, network, alive, ports=("trunks=821", ""), nic="ens2f1")
    guest = hosts.guest(0x13, "app-1", ip=40)
    with record_along(lab, hosts.tap(guest), hosts.near_nic(steps=(pcapng,)), hosts.far_nic(), linger=3):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "2", network.gateway)
        hosts.router.ns.spawn("ping", "-q", "-i", "2", network.ip(40))
        time.sleep(22)
    lab.shows("vlan.id == 820 && arp.opcode == 1", 10)
    lab.hides("vlan.id == 820 && arp.opcode == 2")
    lab.fault("VLAN002", "vlan.id == 820 && arp.opcode == 1", vlan=820)
    for code in ("VLAN001", "VLAN019"):
        lab.consequence(code)


def _three(lab: Lab, trunks: str, vlan: int, network: GuestNetwork) -> tuple[list[TrunkHost], list[Machine]]:
    """Three hosts on one switch with a machine in a VLAN on each."""
    trunk = Trunk(lab)
    hosts = [trunk.host(f"kvm{n}", "bond0", trunks, first_tap=10 * n) for n in range(3)]
    machines = []
    for n, host in enumerate(hosts):
        machine = Machine(host.host, host.vlan(vlan), network.mac(0x20 + n), f"m{n}-{vlan}")
        machine.address(network.ip(50 + n), network.length)
        machines.append(machine)
    return hosts, machines


def _nics(hosts: list[TrunkHost], *machines: list[Machine]) -> list[Recorder]:
    return [
        Recorder(
            name=f"host{'ABC'[n]}", point=(host.host.ns, host.uplink, "nic"), local=[one[n].mac for one in machines]
        )
        for n, host in enumerate(hosts)
    ]


@scenario
def path_vlan_missing_on_switch(lab: Lab) -> None:
    """VLAN 905 does not exist on the switch: machines on three hosts ask each other in it and none hears another, while
    VLAN 906 works between all three."""
    network, alive = _networks(4, 905, 906)
    hosts, machines = _three(lab, "trunks=906", 905, network)
    others = []
    for n, host in enumerate(hosts):
        other = Machine(host.host, host.vlan(906), alive.mac(0x30 + n), f"o{n}")
        other.address(alive.ip(60 + n), alive.length)
        others.append(other)
    with record_along(lab, *_nics(hosts, machines, others), linger=3):
        for n in range(3):
            machines[n].ns.spawn("ping", "-q", "-i", "2", network.ip(50 + (n + 1) % 3))
            others[n].ns.spawn("ping", "-q", "-i", "1", alive.ip(60 + (n + 1) % 3))
        time.sleep(15)
    lab.shows("vlan.id == 905 && arp", 15)
    lab.hides("vlan.id == 905 && arp.opcode == 2")
    lab.fault("VLAN003", "vlan.id == 905 && arp", vlan=905)
    lab.consequence("VLAN001")
    lab.consequence("VLAN002")


@scenario
def path_healthy_three_hosts(lab: Lab) -> None:
    """Three hosts in one VLAN; the first two talk with the third only. That their unicast frames are not at each
    other's NIC is as it should be."""
    network, _ = _networks(5, 915, 0)
    hosts, machines = _three(lab, "trunks=915", 915, network)
    with record_along(lab, *_nics(hosts, machines)[:2]):
        for n in range(2):
            machines[n].ns.spawn("ping", "-q", "-i", "0.5", network.ip(52))
        time.sleep(10)
    lab.shows("icmp.type == 0", 30)


@scenario
def path_healthy_member_on_one_host(lab: Lab) -> None:
    """Guest and router are on one host, so the switch does not carry their VLAN to the other, which has no member of
    it. All is served."""
    network, alive = _networks(6, 925, 926)
    hosts = TwoHosts(lab, network, alive, ports=("", "trunks=926"))
    guest = Guest(hosts.far.host, hosts.far_bridge, network.mac(0x15), "same-host")
    hosts.router.dhcp([(guest.mac, network.ip(33), guest.name)])
    far = hosts.far_nic()
    far = Recorder(name="hostB", point=far.point, local=[*far.local, guest.mac])
    with record_along(lab, far, hosts.near_nic("hostA")):
        hosts.talk()
        guest.dhclient()
        guest.ns.run("ping", "-qc", "8", "-i", "0.5", network.gateway)
        guest.ns.run("arping", "-c", "3", "-I", "eth0", network.ip(99), check=False)
        time.sleep(2)
    lab.shows(f"vlan.id == 925 && {_DISCOVER}", 1)


@scenario
def path_healthy_clocks_apart(lab: Lab) -> None:
    """A healthy boot; the far host's clock is 47 s ahead, and its recorder kept 96 bytes of each frame."""
    network, alive = _networks(7, 935, 936)
    hosts = TwoHosts(lab, network, alive)
    guest = hosts.guest(0x16, "late-1")
    hosts.serve()
    with record_along(lab, hosts.near_nic(), hosts.far_nic(steps=(shifted(47.25), snap(96)))):
        hosts.talk()
        guest.udhcpc()
        guest.ns.run("ping", "-qc", "8", "-i", "0.5", network.gateway)
    lab.shows(f"vlan.id == 935 && {_DISCOVER}", 1)
    lab.proof("DHCP031", mac=guest.mac)


@scenario
def path_vlan_translated(lab: Lab) -> None:
    """The switch maps VLAN 1401 to 1501 on the port of the router's host: frames leave in the one and come out in the
    other, and nobody answers."""
    network, alive = _networks(8, 1401, 1402)
    hosts = TwoHosts(lab, network, alive, ports=("trunks=1401,1402", "trunks=1401,1402,1501"))
    guest = hosts.guest(0x17, "map-1")
    hosts.serve()
    hosts.trunk.switch.flow(hosts.trunk.bridge, "priority=100,dl_vlan=1401,actions=mod_vlan_vid:1501,output:2")
    with record_along(lab, hosts.near_nic(), hosts.far_nic(), linger=3):
        hosts.talk()
        guest.dhclient(seconds=30)
    lab.shows(f"vlan.id == 1401 && {_DISCOVER}", 3)
    lab.shows(f"vlan.id == 1501 && {_DISCOVER}", 3)
    lab.fault("VLAN004", _DISCOVER, vlan=1401)
    for code in ("DHCP001", "VLAN001"):
        lab.consequence(code)


@scenario
def path_vlan_native_on_far_port(lab: Lab) -> None:
    """VLAN 1411 is the native VLAN of the port of the router's host: what leaves tagged comes in untagged there, and
    the router's bridge never has it; VLAN 1412 is tagged at both."""
    network, alive = _networks(9, 1411, 1412)
    hosts = TwoHosts(
        lab, network, alive, ports=("trunks=1411,1412", "tag=1411 vlan_mode=native-untagged trunks=1411,1412")
    )
    guest = hosts.guest(0x18, "nat-1", ip=44)
    with record_along(lab, hosts.tap(guest), hosts.near_nic(), hosts.far_nic(), linger=3):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "2", network.gateway)
        time.sleep(20)
    lab.shows("arp.opcode == 1 && !vlan", 5)
    lab.fault("VLAN004", "vlan.id == 1411 && arp.opcode == 1", vlan=1411)
    for code in ("VLAN001", "VLAN019"):
        lab.consequence(code)


@scenario
def path_ends_only(lab: Lab) -> None:
    """VLAN 840 is not in the list of the port of the guest's host. Recorded at the guest's tap and at the NIC of the
    router's host only, roles not told: both ask for each other by ARP in vain."""
    network, alive = _networks(10, 840, 841)
    hosts = TwoHosts(lab, network, alive, ports=("trunks=841", ""))
    guest = hosts.guest(0x19, "ends-1", ip=45)
    tap, far = hosts.tap(guest), hosts.far_nic()
    untold = [Recorder(name=one.name, point=one.point, local=one.local, told=False) for one in (tap, far)]
    with record_along(lab, *untold, linger=3):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "2", network.gateway)
        hosts.router.ns.spawn("ping", "-q", "-i", "2", network.ip(45))
        time.sleep(18)
    lab.shows("arp.opcode == 1", 20)
    lab.fault("VLAN022", "arp.opcode == 1")
    for code in ("VLAN001", "VLAN019"):
        lab.consequence(code)
