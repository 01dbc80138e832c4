"""What a lease tells: no way out, a gateway elsewhere, another DNS server; and IPv6 without advertisements."""

import time

from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.guest import Guest
from captures.lab.post import wire
from captures.lab.router import Router, rogue_dhcp
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.dhcp_ipv6 import advertise
from captures.lab.stage import Stage, Trunk, at_tap


def _site(stage: Stage, **of_guest: object) -> dict[str, object]:
    """The stage's profile with more said of its first guest."""
    site = stage.site()
    guests = site["guest"]
    assert isinstance(guests, list)
    guests[0] |= of_guest
    return site


@scenario
def dhcp_no_router_on_default_nic(lab: Lab) -> None:
    """The router takes a guest's default NIC for a second one: its options for this tag withhold the gateway. The guest
    gets its address, and no way out."""
    stage = Stage(lab, GuestNetwork(cidr="10.184.0.0/24", gateway="10.184.0.1", number=0x324), first_tap=2)
    guest = stage.guest(0x12, "web-1")
    known = [(f"{guest.mac},set:second", stage.network.ip(0x12), guest.name)]
    stage.router.dhcp(known, options="tag:second,3\n")
    with lab.record(*at_tap(guest), linger=2):
        guest.dhclient(seconds=4)
    lab.shows("dhcp.option.dhcp == 5", 1)
    lab.hides("dhcp.option.dhcp == 5 && dhcp.option.router")
    lab.truth.site = _site(stage, default_nic=True)
    lab.fault("DHCP019", "dhcp.option.dhcp == 5", mac=guest.mac)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def dhcp_no_router_on_second_nic(lab: Lab) -> None:
    """The same options for a NIC that is an instance's second one: no gateway there, by design. Healthy."""
    stage = Stage(lab, GuestNetwork(cidr="10.185.0.0/24", gateway="10.185.0.1", number=0x325), first_tap=4)
    guest = stage.guest(0x12, "web-2")
    known = [(f"{guest.mac},set:second", stage.network.ip(0x12), guest.name)]
    stage.router.dhcp(known, options="tag:second,3\n")
    with lab.record(*at_tap(guest), linger=2):
        guest.dhclient(seconds=4)
    lab.hides("dhcp.option.dhcp == 5 && dhcp.option.router")
    lab.truth.site = _site(stage, default_nic=False)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def dhcp_router_outside_subnet(lab: Lab) -> None:
    """A range of a shared network was given the gateway of another range: the lease's router is outside its subnet."""
    network = GuestNetwork(cidr="10.186.0.0/24", gateway="10.187.0.1", number=0x326, server="10.186.0.5")
    stage = Stage(lab, network, first_tap=6)
    guest = stage.guest(0x12, "web-3")
    stage.serve()
    with lab.record(*stage.at_bridge, told=False, compress="gz", linger=2):
        guest.udhcpc(seconds=4)
    lab.shows("dhcp.option.dhcp == 5 && dhcp.option.router == 10.187.0.1", 1)
    lab.fault("DHCP019", "dhcp.option.dhcp == 5", mac=guest.mac)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


def _dns(lab: Lab, subnet: str, number: int, dns: str) -> None:
    """A guest boots in a network whose DNS is its router by the profile; the router hands out ``dns``."""
    network = GuestNetwork(cidr=f"{subnet}.0/24", gateway=f"{subnet}.1", number=number)
    stage = Stage(lab, network, first_tap=8)
    guest = stage.guest(0x12, "web-4")
    stage.serve(dns=dns)
    with lab.record(*at_tap(guest), linger=1):
        guest.dhclient()
        guest.ns.run("ping", "-qc", "1", network.gateway)
    site = stage.site()
    networks = site["network"]
    assert isinstance(networks, list)
    networks[0] |= {"type": "isolated", "dns": [network.gateway]}
    lab.truth.site = site
    lab.shows(f"dhcp.option.dhcp == 5 && dhcp.option.domain_name_server == {dns.split(',')[0]}", 1)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def dhcp_dns_not_the_router(lab: Lab) -> None:
    """The zone's DNS was changed with use.external.dns: the router hands out 203.0.113.53 instead of itself."""
    _dns(lab, "10.188.0", 0x328, "203.0.113.53,203.0.113.54")
    lab.fault("DHCP021", "dhcp.option.dhcp == 5")


@scenario
def dhcp_dns_router_first(lab: Lab) -> None:
    """The router hands out itself first and the zone's DNS second. Healthy."""
    _dns(lab, "10.189.0", 0x329, "10.189.0.1,203.0.113.53")


def _six(lab: Lab, subnet: str, number: int, *, advertised: bool) -> None:
    """A guest comes up with IPv6 in an isolated network that has a prefix; dnsmasq advertises it, or nobody does."""
    network = GuestNetwork(cidr=f"{subnet}.0/24", gateway=f"{subnet}.1", number=number)
    stage = Stage(lab, network, first_tap=12)
    prefix = f"fd00:{number:x}::"
    stage.router.ipv6(True)
    stage.router.ns.sysctl("net.ipv6.conf.all.forwarding", 1)
    stage.router.ns.ip("address", "add", f"{prefix}1/64", "dev", "eth0", "nodad")
    guest = stage.guest(0x12, "six-4", ipv6=True)
    stage.serve()
    guest.ns.ip("link", "set", "eth0", "down")
    if advertised:
        advertise(stage.router, prefix=prefix)
    with lab.record(*at_tap(guest), linger=8):
        guest.ns.ip("link", "set", "eth0", "up")
        guest.dhclient()
        guest.ns.run("ping", "-qc", "2", network.gateway)
        time.sleep(6 if advertised else 34)
    site = stage.site()
    networks = site["network"]
    assert isinstance(networks, list)
    networks[0] |= {"type": "isolated"}
    networks.append({"cidr": f"{prefix}/64", "type": "isolated", "vlan": network.vlan})
    lab.truth.site = site
    lab.shows("icmpv6.type == 133", 1 if advertised else 3)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def dhcp6_advertisement_missing(lab: Lab) -> None:
    """radvd of an isolated network's router is dead: the guest solicits a router again and again, and gets its IPv4
    lease only."""
    _six(lab, "10.190.0", 0x32A, advertised=False)
    lab.hides("icmpv6.type == 134")
    lab.fault("DHCP028", "icmpv6.type == 133")


@scenario
def dhcp6_advertisement_comes(lab: Lab) -> None:
    """As dhcp6-advertisement-missing, with a router that advertises. Healthy."""
    _six(lab, "10.191.0", 0x32B, advertised=True)
    lab.shows("icmpv6.type == 134", 1)


def _second_nic_asks(guest: Guest) -> None:
    guest.ns.spawn("udhcpc", "-f", "-i", "eth1", "-s", "/bin/true", "-x", f"hostname:{guest.name}")


@scenario
def dhcp_two_nics_one_network(lab: Lab) -> None:
    """The second NIC of an instance was plugged into the bridge of its first: both ask for an address there, and the
    router knows only the first."""
    stage = Stage(lab, GuestNetwork(cidr="10.197.0.0/24", gateway="10.197.0.1", number=0x361), first_tap=20)
    guest = stage.guest(0x12, "db-3")
    second = guest.plug(stage.bridge, "02:01:03:62:00:07")
    stage.serve()
    with lab.record(*stage.at_bridge, compress="gz", linger=6):
        _second_nic_asks(guest)
        guest.udhcpc()
        time.sleep(12)
    site = stage.site()
    guests = site["guest"]
    assert isinstance(guests, list)
    guests.append({"mac": second.mac, "ip": "10.198.0.7", "name": "db-3"})
    lab.truth.site = site
    for mac in (guest.mac, second.mac):
        lab.shows(f"dhcp.type == 1 && dhcp.hw.mac_addr == {mac}", 1)
    lab.fault("DHCP032", "dhcp.type == 1", name="db-3")
    lab.consequence("DHCP002", mac=second.mac)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def dhcp_two_nics_two_networks(lab: Lab) -> None:
    """An instance has a NIC in each of two networks, and asks in both. Recorded at the NIC of its host. Healthy."""
    networks = [
        GuestNetwork(cidr=f"10.19{8 + n}.0.0/24", gateway=f"10.19{8 + n}.0.1", number=0x363 + n, vlan=1980 + n)
        for n in range(2)
    ]
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=1980,1981") for name in ("kvm1", "kvm2"))
    guest = Guest(here.host, here.vlan(1980), networks[0].mac(0x12), "db-4")
    guest.plug(here.vlan(1981), networks[1].mac(0x13))
    for network, nic in zip(networks, guest.nics, strict=True):
        router = Router(there.host, there.vlan(network.vlan), network, label=f"vr{network.vlan}")
        router.dhcp([(nic.mac, network.ip(0x12), guest.name)])
    macs = [nic.mac for nic in guest.nics]
    with lab.record(*here.at_nic, steps=(wire(macs),), linger=2):
        _second_nic_asks(guest)
        guest.udhcpc()
        time.sleep(2)
    lab.truth.site = {"guest": [{"mac": mac, "name": "db-4"} for mac in macs]}
    for mac in macs:
        lab.shows(f"dhcp.option.dhcp == 5 && dhcp.hw.mac_addr == {mac}", 1)
        lab.proof("DHCP031", f"dhcp.option.dhcp == 5 && dhcp.hw.mac_addr == {mac}", mac=mac)


@scenario
def dhcp_lease_ends(lab: Lab) -> None:
    """A router whose dnsmasq gives leases of twelve hours, where CloudStack's give endless ones. The guest boots and
    gets its address. Recorded on the bridge; nobody says which MAC is the router's. Healthy."""
    stage = Stage(lab, GuestNetwork(cidr="10.224.0.0/24", gateway="10.224.0.1", number=0x3A1), first_tap=12)
    guest = stage.guest(0x16, "lease-1")
    stage.router.dhcp(stage.known, lease_time="12h")
    with lab.record(*stage.at_bridge, told=False, linger=6):
        guest.dhclient()
    lab.shows("dhcp.option.dhcp == 5 && dhcp.option.ip_address_lease_time == 43200", 1)
    lab.info("DHCP025", "dhcp.option.dhcp == 5", server="10.224.0.1")
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def dhcp_lease_ends_elsewhere(lab: Lab) -> None:
    """As dhcp-lease-ends, with a DHCP server that is no router of CloudStack's: an ordinary dnsmasq with leases of an
    hour in a network without one. Healthy."""
    stage = Stage(lab, GuestNetwork(cidr="10.225.0.0/24", gateway="10.225.0.1", number=0x3A2), router=False)
    guest = stage.guest(0x17, "lease-2")
    server = Machine(stage.host, stage.bridge, "00:1c:73:44:55:66", "server")
    server.address("10.225.0.1", 24)
    rogue_dhcp(server, "10.225.0.100", "10.225.0.120")
    with lab.record(*stage.at_bridge, told=False, linger=6):
        guest.dhclient()
    lab.shows("dhcp.option.dhcp == 5 && dhcp.option.ip_address_lease_time < 4294967295", 1)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)
