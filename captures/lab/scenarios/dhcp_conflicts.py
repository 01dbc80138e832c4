"""More servers than one, and addresses that are taken."""

import time

from captures.lab.cloud import GuestNetwork
from captures.lab.guest import Guest
from captures.lab.keepalived import keepalived
from captures.lab.noise import neighbours
from captures.lab.router import Router, rogue_dhcp
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, at_tap

_OFFER, _ACK, _DECLINE = (f"dhcp.option.dhcp == {number}" for number in (2, 5, 4))
_HOME_ROUTER = "00:1b:21:3c:9d:52"


@scenario
def dhcp_second_server_foreign_subnet(lab: Lab) -> None:
    """A router from somewhere else is on the guest VLAN and offers 192.168.88.x. The guest gets two offers for each
    DISCOVER and takes the foreign one."""
    network = GuestNetwork(cidr="10.41.0.0/24", gateway="10.41.0.1", number=0x141)
    stage = Stage(lab, network, first_tap=3, cable=lambda frame, _: [(0.02, frame)])
    guest = stage.guest(0x1A, "web-3", ip="10.41.0.26")
    stage.serve()
    lab.truth.site = stage.site()
    foreign = Guest(stage.host, stage.bridge, _HOME_ROUTER, "foreign")
    foreign.address("192.168.88.1", 24)
    rogue_dhcp(foreign, "192.168.88.100", "192.168.88.199", more="no-ping\ndhcp-authoritative")
    with lab.record(*at_tap(guest), linger=7):
        guest.udhcpc(options=("-B",))
        guest.ns.run("ping", "-c", "2", "192.168.88.1")
    lab.shows(f"{_OFFER} && eth.src == {_HOME_ROUTER}")
    lab.shows(f"{_OFFER} && eth.src == {stage.router.mac}")
    _claimed_by(lab, "DHCP013", f"dhcp.type == 2 && eth.src == {_HOME_ROUTER}", guest.mac)


@scenario
def dhcp_second_server_no_profile(lab: Lab) -> None:
    """A switch with a forgotten DHCP server hands out addresses of a subnet of its own on the guest VLAN, beside the
    router. Two guests boot; recorded on the bridge."""
    network = GuestNetwork(cidr="172.22.1.0/24", gateway="172.22.1.1", number=0x142)
    stage = Stage(lab, network, first_tap=13)
    guests = [stage.guest(0x1B + number, f"web-{number}") for number in range(2)]
    stage.serve()
    foreign = Guest(stage.host, stage.bridge, "00:1d:aa:70:00:08", "foreign")
    foreign.address("192.168.0.254", 24)
    rogue_dhcp(foreign, "192.168.0.10", "192.168.0.90", more="no-ping")
    with lab.record(*stage.at_bridge, told=False, linger=6, compress="gz"):
        neighbours(stage, 0x31)
        for guest in guests:
            guest.dhclient()
            time.sleep(3)
    lab.shows(f"{_OFFER} && eth.src == 00:1d:aa:70:00:08", 2)
    lab.shows(f"{_OFFER} && eth.src == {stage.router.mac}", 2)
    lab.fault("DHCP013", "dhcp.type == 2 && eth.src == 00:1d:aa:70:00:08")
    lab.consequence("HYP017")
    lab.consequence("DHCP011")


@scenario
def dhcp_user_vm_serves(lab: Lab) -> None:
    """An instance took its own lease from the router and then started a DHCP server on its NIC, as libvirt or a
    router appliance inside it would. The next guest that boots is answered by both."""
    network = GuestNetwork(cidr="10.42.8.0/22", gateway="10.42.8.1", number=0x143)
    stage = Stage(lab, network, first_tap=17)
    culprit = stage.guest(0x60, "nested-lab", ip="10.42.8.96")
    victim = stage.guest(0x61, "web-9", ip="10.42.8.97")
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(*stage.at_bridge, linger=6):
        culprit.udhcpc()
        time.sleep(1)
        culprit.address("192.168.122.1", 24)
        rogue_dhcp(culprit, "192.168.122.2", "192.168.122.254", more="no-ping")
        victim.dhclient()
        time.sleep(2)
    lab.shows(f"{_OFFER} && eth.src == {culprit.mac}")
    lab.fault("DHCP014", f"dhcp.type == 2 && eth.src == {culprit.mac}", mac=culprit.mac)
    for code in ("SG007", "DHCP013", "DHCP016", "TMPL005", "HYP017"):
        lab.consequence(code)


@scenario
def dhcp_two_active_routers(lab: Lab) -> None:
    """Both routers of a redundant pair believe to be the primary, as they do not hear each other's VRRP: both own the
    gateway's address, and both answer a booting guest with the same address."""
    network = GuestNetwork(cidr="10.43.0.0/24", gateway="10.43.0.1", number=0x144)
    stage = Stage(lab, network, first_tap=20, router=False)
    routers = [
        Router(stage.host, stage.bridge, network, ip=network.ip(host), mac=network.mac(host), label=f"vr{host}")
        for host in (2, 3)
    ]
    guest = stage.guest(0x47, "web-5")
    for router in routers:
        router.drop("ip protocol vrrp")
        keepalived(router, network, priority=100)
    time.sleep(5)
    for router in routers:
        router.dhcp(stage.known, dns=network.gateway, listen=network.gateway)
    with lab.record(*stage.at_bridge, told=False, nano=True, linger=14):
        guest.udhcpc(options=("-B",))
    for router in routers:
        lab.shows(f"{_OFFER} && eth.src == {router.mac}")
        lab.shows(f"vrrp && eth.src == {router.mac}", 5)
    lab.fault("PHYS008", "vrrp")
    lab.fault("DHCP015", "dhcp.type == 2 || vrrp")
    for code in ("DHCP013", "DHCP018", "HYP015", "DHCP012", "DHCP011"):
        lab.consequence(code)


@scenario
def dhcp_address_not_cloudstacks(lab: Lab) -> None:
    """The router's dhcphosts.txt holds an old address for the NIC: the lease is complete, but not for the address that
    CloudStack knows."""
    stage = Stage(lab, GuestNetwork(cidr="10.44.16.0/24", gateway="10.44.16.1", number=0x145), first_tap=25)
    guest = stage.guest(0x1D, "api-1", ip="10.44.16.50")
    lab.truth.site = stage.site()
    stage.known = [(guest.mac, "10.44.16.77", guest.name)]
    stage.serve()
    with lab.record(*at_tap(guest), linger=6):
        guest.dhclient()
        guest.ns.run("ping", "-c", "3", "10.44.16.1")
    lab.shows(f"{_ACK} && dhcp.ip.your == 10.44.16.77")
    lab.fault("DHCP016", f"{_ACK} || {_OFFER}", mac=guest.mac)
    lab.consequence("TMPL005", mac=guest.mac)


@scenario
def dhcp_address_in_use(lab: Lab) -> None:
    """Somebody typed the address of another NIC into his guest. The rightful owner boots, probes the address by ARP,
    is answered, and declines it; the router then holds the address back and says nothing to the next DISCOVERs."""
    stage = Stage(lab, GuestNetwork(cidr="10.47.0.0/24", gateway="10.47.0.1", number=0x146), first_tap=28)
    owner = stage.guest(0x1E, "owner", ip="10.47.0.30")
    thief = stage.guest(0x1F, "thief", ip="10.47.0.31")
    thief.address("10.47.0.30", 24, "10.47.0.1")
    stage.serve()
    with lab.record(*at_tap(owner), linger=5):
        owner.udhcpc(seconds=34, options=("-a",))
    lab.shows(_DECLINE, 1)
    lab.shows(f"arp.opcode == 2 && arp.src.hw_mac == {thief.mac}")
    lab.fault("DHCP018", f"arp.opcode == 2 && arp.src.hw_mac == {thief.mac}")
    for code in ("DHCP017", "HYP015", "DHCP012", "DHCP011", "DHCP008", "DHCP001", "DHCP002", "DHCP010"):
        lab.consequence(code)


@scenario
def dhcp_decline_unseen_conflict(lab: Lab) -> None:
    """A guest declines the address it was given and is not answered afterwards. Recorded with a filter for DHCP only,
    so the ARP answer of the machine that has the address already is not in the file."""
    stage = Stage(lab, GuestNetwork(cidr="10.48.0.0/24", gateway="10.48.0.1", number=0x147), first_tap=31)
    owner = stage.guest(0x2C, "owner", ip="10.48.0.30")
    thief = stage.guest(0x2D, "thief", ip="10.48.0.31")
    thief.address("10.48.0.30", 24, "10.48.0.1")
    stage.serve()
    with lab.record(*at_tap(owner), told=False, bpf="port 67 or port 68", linger=5, compress="xz"):
        owner.udhcpc(seconds=28, options=("-a",))
    lab.shows(_DECLINE, 1)
    lab.hides("arp")
    lab.fault("DHCP017", _DECLINE, mac=owner.mac)
    for code in ("DHCP012", "DHCP011", "DHCP008", "DHCP001", "DHCP002", "DHCP010"):
        lab.consequence(code)


def _claimed_by(lab: Lab, code: str, decisive: str, victim: str) -> None:
    lab.fault(code, decisive)
    for also in ("DHCP016", "TMPL005", "DHCP011", "HYP017"):
        lab.consequence(also, mac=victim)
