"""More faults of the router's DHCP service: stale leases, missing ranges, gateways and servers that are gone."""

import time

from captures.lab.along import Recorder, record_along
from captures.lab.cloud import GuestNetwork
from captures.lab.elsewhere import Elsewhere, kea
from captures.lab.guest import Guest
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.held_out_dhcp import relayed
from captures.lab.stage import Stage, at_tap

_TIMES = {"renewal": 8, "rebinding": 55, "lease": 70}
_DISCOVER, _ACK = "dhcp.option.dhcp == 1", "dhcp.option.dhcp == 5"


@scenario
def dhcp_stale_lease(lab: Lab) -> None:
    """A guest was expunged and its address given to a new one, but the router's dnsmasq still holds the lease of the
    old MAC, which is seen with the address at the start. The new guest is not answered; another one is."""
    network = GuestNetwork(cidr="10.121.0.0/24", gateway="10.121.0.1", number=0x201)
    stage = Stage(lab, network, first_tap=2)
    old = Guest(stage.host, stage.bridge, network.mac(0x0A), "expunged")
    new, other = stage.guest(0x3A, "web-2", ip="10.121.0.40"), stage.guest(0x3B, "web-3", ip="10.121.0.41")
    stage.router.dhcp(stage.known, leases=f"0 {old.mac} 10.121.0.40 expunged *\n")
    lab.truth.site = stage.site()
    old.address("10.121.0.40", 24, "10.121.0.1")
    with lab.record(*stage.at_bridge):
        old.ns.run("ping", "-c", "2", "10.121.0.1")
        old.ns.ip("link", "set", "eth0", "down")
        other.udhcpc()
        new.dhclient(seconds=40)
    lab.shows(f"{_DISCOVER} && dhcp.hw.mac_addr == {new.mac}", 3)
    lab.hides(f"dhcp.type == 2 && dhcp.hw.mac_addr == {new.mac}")
    lab.fault("DHCP004", f"(dhcp.hw.mac_addr == {new.mac}) || (eth.src == {old.mac})", mac=new.mac)
    lab.consequence("DHCP002", mac=new.mac)
    lab.proof("DHCP031", f"{_ACK} && dhcp.hw.mac_addr == {other.mac}", mac=other.mac)


@scenario
def dhcp_range_missing_for_one_subnet(lab: Lab) -> None:
    """A shared network has two subnets, the router's dnsmasq a range for the first only: guests of the second are not
    answered, those of the first are."""
    network = GuestNetwork(cidr="185.30.1.0/24", gateway="185.30.1.1", number=0x202, vlan=2200, server="185.30.1.5")
    stage = Stage(lab, network, first_tap=5)
    first = [stage.guest(0x10 + number, f"one-{number}") for number in range(2)]
    second = [stage.guest(0x20 + number, f"two-{number}", ip=f"185.30.9.{20 + number}") for number in range(2)]
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(*stage.at_bridge, compress="gz"):
        for guest in first:
            guest.udhcpc()
        clients = [guest.dhclient(seconds=1) for guest in second]
        time.sleep(62)
        for guest, client in zip(second, clients, strict=True):
            guest.stop(client)
    silent = " || ".join(f"dhcp.hw.mac_addr == {guest.mac}" for guest in second)
    lab.hides(f"dhcp.type == 2 && ({silent})")
    lab.fault("DHCP003", f"{_DISCOVER} && ({silent})")
    for guest in second:
        lab.consequence("DHCP002", mac=guest.mac)
    for guest in first:
        lab.proof("DHCP031", f"{_ACK} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)


@scenario
def dhcp_gateway_silent(lab: Lab) -> None:
    """In a shared network the lease names a physical gateway that is down: the guest asks for it by ARP in vain."""
    network = GuestNetwork(cidr="185.30.2.0/24", gateway="185.30.2.254", number=0x203, vlan=2201, server="185.30.2.5")
    stage = Stage(lab, network, first_tap=9)
    guest = stage.guest(0x10, "shared-1", ip="185.30.2.70")
    stage.serve()
    with lab.record(*at_tap(guest), linger=5):
        guest.dhclient()
        guest.ns.run("ping", "-c", "9", "-W", "1", "8.8.8.8", check=False)
        guest.ns.run("ping", "-c", "1", "185.30.2.5")
    lab.shows("arp.opcode == 1 && arp.dst.proto_ipv4 == 185.30.2.254", 4)
    lab.hides("arp.opcode == 2 && arp.src.proto_ipv4 == 185.30.2.254")
    lab.fault("DHCP020", "arp.dst.proto_ipv4 == 185.30.2.254")
    lab.consequence("VLAN019")
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def dhcp_renewal_unanswered(lab: Lab) -> None:
    """The router's firewall drops DHCP. A guest that had its lease before, and renews early, asks by unicast again and
    again in vain, and by broadcast at the end."""
    stage = Stage(lab, GuestNetwork(cidr="10.123.0.0/24", gateway="10.123.0.1", number=0x204), first_tap=12)
    guest = stage.guest(0x31, "long-1", ip="10.123.0.49")
    stage.serve()
    guest.dhclient(more="".join(f"supersede dhcp-{name}-time {seconds};\n" for name, seconds in _TIMES.items()))
    stage.router.drop("udp dport 67")
    with lab.record(*at_tap(guest)):
        time.sleep(85)
    lab.shows("dhcp.option.dhcp == 3 && ip.dst == 10.123.0.1", 3)
    lab.shows("dhcp.option.dhcp == 3 && ip.dst == 255.255.255.255")
    lab.hides("dhcp.type == 2")
    lab.fault("DHCP023", "dhcp.option.dhcp == 3", mac=guest.mac)
    for code in ("DHCP010", "DHCP001"):
        lab.consequence(code)


@scenario
def dhcp_relayed_seen_twice(lab: Lab) -> None:
    """A relay between a guest and Kea, recorded on both of its sides: every message is sent on as a packet of its own,
    and none is lost. Healthy."""
    network = Elsewhere(cidr="10.188.4.0/23", gateway="10.188.4.1", number=0x0BF0, vlan=946)
    stage, server, upstream = relayed(lab, network, 97)
    options = f', "option-data": [{{"name": "routers", "data": "{network.gateway}"}}]'
    kea(server, network.cidr, "10.188.4.50 - 10.188.4.90", more=options)
    guest = stage.guest(0x0D, "rel-1", known=False)
    tap = Recorder(name="tap", point=at_tap(guest))
    with record_along(lab, tap, Recorder(name="upstream", point=(stage.host.ns, upstream, "bridge")), linger=5):
        for _ in range(3):
            guest.stop(guest.udhcpc())
            time.sleep(2)
    lab.shows("dhcp.option.dhcp == 1", 6)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)
