"""Ports of Open vSwitch without their tag, and a bridge that floods what it should have learnt."""

import time

from captures.lab import middlebox
from captures.lab.cloud import GuestNetwork
from captures.lab.guest import Guest
from captures.lab.post import wire
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.hypervisor_nics import tagging
from captures.lab.scenarios.vlan_missing import neighbours
from captures.lab.stage import Stage, Trunk, TrunkHost, at_tap


def tenants(lab: Lab, *vlans: int) -> tuple[Trunk, TrunkHost, list[GuestNetwork]]:
    """Two hosts and a network in each VLAN, whose members ask for each other all the time."""
    trunk = Trunk(lab)
    settings = f"trunks={','.join(map(str, (0, *vlans)))}"
    here, there = (trunk.host(name, "eth1", settings) for name in ("kvm1", "kvm2"))
    networks = []
    for n, vlan in enumerate(vlans):
        network = GuestNetwork(
            cidr=f"10.{171 + n}.0.0/24", gateway=f"10.{171 + n}.0.1", number=0x301 + vlan % 16, vlan=vlan
        )
        near, far = neighbours(here, there, network)
        far.ns.spawn("arping", "-b", "-q", "-I", "eth0", network.ip(113))
        near.ns.spawn("arping", "-b", "-q", "-I", "eth0", network.ip(77))
        networks.append(network)
    return trunk, here, networks


@scenario
def ovs_port_without_tag(lab: Lab) -> None:
    """A guest's port was added to Open vSwitch by hand, without a tag: it hears the broadcasts of every VLAN with their
    tags, and its own DISCOVERs leave for the native network, where nobody is. Recorded at its tap."""
    _, here, networks = tenants(lab, 1201, 1202, 1203)
    guest = Guest(here.host, None, networks[0].mac(0x41), "web-1")
    here.ovs.port("cloudbr1", guest.tap)
    with lab.record(*at_tap(guest), compress="gz", linger=6):
        guest.udhcpc(seconds=24)
    for vlan in (1201, 1202, 1203):
        lab.shows(f"vlan.id == {vlan} && arp", 3)
    lab.hides(f"vlan && eth.src == {guest.mac}")
    lab.fault("OVS001", "vlan.id == 1201 || vlan.id == 1202 || vlan.id == 1203")
    lab.consequence("DHCP001", mac=guest.mac)


@scenario
def ovs_trunk_nic_by_design(lab: Lab) -> None:
    """A firewall appliance has a trunk NIC on purpose: it tags its own frames 1204, is answered there, and hears 1205
    as well. Recorded at its tap. Healthy."""
    _, here, networks = tenants(lab, 1204, 1205)
    guest = Guest(here.host, None, networks[0].mac(0x42), "fw-1")
    middlebox_end = here.host.bridge("brfw")
    far = middlebox.insert(lab, here.host.ns, guest.tap, middlebox_end, tagging(1204))
    here.host.ns.ip("link", "set", far, "nomaster")
    here.ovs.port("cloudbr1", far)
    guest.address(networks[0].ip(66), 24)
    with lab.record(here.host.ns, far, "tap", linger=1):
        guest.ns.run("ping", "-qc", "12", networks[0].ip(114))
    lab.shows("vlan.id == 1205 && arp", 3)
    lab.shows(f"vlan.id == 1204 && icmp.type == 0 && eth.dst == {guest.mac}", 8)
    lab.info("OVS001")


@scenario
def ovs_port_lost_its_tag(lab: Lab) -> None:
    """The port of a guest that pings its neighbour loses its tag while a script adds it anew: from then on its frames
    leave untagged, and nobody answers. Recorded at the NIC of its host."""
    _, here, networks = tenants(lab, 1206)
    guest = Guest(here.host, None, networks[0].mac(0x43), "web-2")
    here.ovs.port("cloudbr1", guest.tap, "tag=1206")
    guest.address(networks[0].ip(67), 24)
    local = (guest.mac, networks[0].mac(0x71))
    with lab.record(*here.at_nic, told=False, steps=(wire(local),), compress="gz", linger=1):
        guest.ns.spawn("ping", "-q", "-i", "0.5", networks[0].ip(114))
        guest.ns.spawn("arping", "-b", "-q", "-I", "eth0", networks[0].ip(114))
        time.sleep(6)
        here.ovs.remove("cloudbr1", guest.tap)
        here.ovs.port("cloudbr1", guest.tap)
        time.sleep(12)
    lab.shows(f"vlan.id == 1206 && icmp.type == 0 && eth.dst == {guest.mac}", 5)
    lab.shows(f"!vlan && eth.src == {guest.mac}", 5)
    lab.fault("OVS002", f"!vlan && eth.src == {guest.mac}", mac=guest.mac)
    lab.consequence("HYP004", mac=guest.mac)
    lab.proof("VLAN020", vlan=1206)


@scenario
def ovs_guest_moved_to_another_vlan(lab: Lab) -> None:
    """A guest is moved to another network by plan: its port gets another tag, and it pings there. Healthy."""
    _, here, networks = tenants(lab, 1207, 1208)
    guest = Guest(here.host, None, networks[0].mac(0x44), "web-3")
    here.ovs.port("cloudbr1", guest.tap, "tag=1207")
    local = (guest.mac, *(network.mac(0x71) for network in networks))
    with lab.record(*here.at_nic, told=False, steps=(wire(local),), linger=1):
        guest.address(networks[0].ip(68), 24)
        guest.ns.run("ping", "-qc", "5", networks[0].ip(114))
        here.ovs.change(guest.tap, "tag=1208")
        guest.ns.ip("address", "flush", "dev", "eth0")
        guest.address(networks[1].ip(68), 24)
        guest.ns.run("ping", "-qc", "5", networks[1].ip(114))
    lab.shows(f"vlan.id == 1208 && icmp.type == 0 && eth.dst == {guest.mac}", 5)
    for vlan in (1207, 1208):
        lab.proof("VLAN020", vlan=vlan)


def _conversation(lab: Lab, number: int, first_tap: int, *, learns: bool) -> None:
    """Two guests talk for most of a minute while a third, at whose tap is recorded, pings the router now and then."""
    network = GuestNetwork(cidr=f"10.17{number % 10}.1.0/24", gateway=f"10.17{number % 10}.1.1", number=number)
    stage = Stage(lab, network, first_tap=first_tap)
    client, server, third = (stage.guest(0x51 + n, name) for n, name in enumerate(("client", "server", "third")))
    for n, guest in enumerate((client, server, third)):
        guest.address(network.ip(0x51 + n), 24, network.gateway)
    server.ns.spawn("socat", "TCP-LISTEN:5432,fork,reuseaddr", "SYSTEM:cat")
    if not learns:
        stage.host.ns.ip("link", "set", stage.bridge, "type", "bridge", "ageing_time", "0")
    with lab.record(*at_tap(third), compress="gz", linger=1):
        third.ns.spawn("ping", "-q", "-i", "2", network.gateway)
        feed = f"for n in $(seq 45); do echo $n; sleep 1; done | socat - TCP:{network.ip(0x52)}:5432"
        client.ns.run("sh", "-c", feed)
    lab.truth.site = {"guest": [{"mac": third.mac, "ip": network.ip(0x53), "name": "third"}]}


@scenario
def ovs_unicast_flooded(lab: Lab) -> None:
    """The bridge of a network forgets MACs at once (ageing time 0): what two guests say to each other comes out at the
    interface of a third."""
    _conversation(lab, 0x314, 40, learns=False)
    lab.shows("tcp.port == 5432", 60)
    lab.fault("OVS009", "tcp.port == 5432")


@scenario
def ovs_unicast_learnt(lab: Lab) -> None:
    """As ovs-unicast-flooded with a bridge that learns: the third guest hears nothing of it. Healthy."""
    _conversation(lab, 0x315, 44, learns=True)
    lab.hides("tcp.port == 5432 && tcp.len > 0")
