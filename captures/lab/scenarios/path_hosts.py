"""What happens to frames inside a host, recorded at the tap and at the NIC of one run."""

import time

from captures.lab.along import TwoHosts, bridge_drops, record_along
from captures.lab.cloud import GuestNetwork
from captures.lab.management import connects
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.security_groups import listen

_DISCOVER = "dhcp.option.dhcp == 1"
_OPENING = "tcp.flags.syn == 1 && tcp.flags.ack == 0"


def _networks(n: int, vlan: int) -> tuple[GuestNetwork, GuestNetwork]:
    """The network that matters and one that always works."""
    return (
        GuestNetwork(cidr=f"10.{170 + n}.0.0/24", gateway=f"10.{170 + n}.0.1", number=0x2B0 + n, vlan=vlan),
        GuestNetwork(cidr=f"10.{170 + n}.8.0/24", gateway=f"10.{170 + n}.8.1", number=0x2F0 + n, vlan=vlan + 1),
    )


@scenario
def path_tap_not_in_bridge(lab: Lab) -> None:
    """The guest's tap fell out of the bridge: what it sends is at the tap and nowhere else, while another VLAN of the
    host works."""
    network, alive = _networks(1, 2001)
    hosts = TwoHosts(lab, network, alive, first_tap=3)
    guest = hosts.guest(0x21, "lost-1")
    hosts.serve()
    hosts.near.host.ns.ip("link", "set", guest.tap, "nomaster")
    with record_along(lab, hosts.tap(guest), hosts.near_nic(), linger=3):
        hosts.talk()
        guest.dhclient(seconds=30)
    lab.shows(_DISCOVER, 3)
    lab.fault("HYP001", _DISCOVER, mac=guest.mac)
    for code in ("DHCP001", "DHCP006"):
        lab.consequence(code)


@scenario
def path_nothing_reaches_tap(lab: Lab) -> None:
    """A rule on the host drops every frame for the tap of a guest with a static address; what it sends gets out. Others
    ping it and its own pings are answered in vain."""
    network, alive = _networks(2, 2011)
    hosts = TwoHosts(lab, network, alive, first_tap=5)
    guest = hosts.guest(0x22, "deaf-1", ip=41)
    peer = hosts.peer(0x52, "peer", 81)
    bridge_drops(hosts.near.host, f"oifname {guest.tap} ether daddr {guest.mac}")
    with record_along(lab, hosts.near_nic(), hosts.tap(guest), linger=3):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "2", network.gateway)
        peer.ns.spawn("ping", "-q", "-i", "2", network.ip(41))
        time.sleep(18)
    lab.shows(f"eth.dst == {guest.mac} && arp.opcode == 2", 5)
    lab.fault("HYP002", f"eth.dst == {guest.mac}", mac=guest.mac)
    for code in ("VLAN016", "VLAN019"):
        lab.consequence(code)


@scenario
def path_forward_policy_drop(lab: Lab) -> None:
    """Docker came to the host and set FORWARD to DROP for bridged frames: ARP passes, all IPv4 dies, DHCP with it."""
    network, alive = _networks(3, 2021)
    hosts = TwoHosts(lab, network, alive, first_tap=7)
    guest = hosts.guest(0x23, "dock-1")
    static = hosts.guest(0x24, "dock-2", ip=42)
    hosts.serve()
    bridge_drops(hosts.near.host, f"iifname {{ {guest.tap}, {static.tap} }} ether type ip")
    with record_along(
        lab, hosts.tap(static, "vm2", compress="gz"), hosts.tap(guest, "vm1"), hosts.near_nic(), linger=3
    ):
        hosts.talk()
        static.ns.spawn("ping", "-q", "-i", "1", network.gateway)
        guest.dhclient(seconds=30)
    lab.shows(_DISCOVER, 3)
    lab.fault("HYP003", f"icmp.type == 8 && !vlan || {_DISCOVER}")
    for code in ("DHCP001", "DHCP006", "HYP001", "SG005"):
        lab.consequence(code)


def _service(lab: Lab, n: int, vlan: int) -> tuple[TwoHosts, GuestNetwork]:
    network, alive = _networks(n, vlan)
    return TwoHosts(lab, network, alive, first_tap=4 * n), network


@scenario
def path_group_drops_ingress(lab: Lab) -> None:
    """A security group admits 22 and not 5432: the SYNs come in at the NIC and never to the tap. Policy, no fault."""
    hosts, network = _service(lab, 4, 2031)
    server = hosts.guest(0x25, "db-1", ip=43)
    client = hosts.peer(0x55, "client", 85)
    listen(server, 22, 5432)
    bridge_drops(hosts.near.host, f"oifname {server.tap} tcp dport 5432")
    with record_along(lab, hosts.near_nic(), hosts.tap(server), linger=4):
        hosts.talk()
        client.ns.spawn("ping", "-q", "-i", "1", network.ip(43))
        connects(client, network.ip(43), 22, tries=2, pause=0.5)
        connects(client, network.ip(43), 5432, tries=2, wait=6)
    lab.shows(f"{_OPENING} && tcp.dstport == 5432", 6)
    lab.info("SG001", "tcp.dstport == 5432", server=network.ip(43), port=5432)


@scenario
def path_guest_firewall(lab: Lab) -> None:
    """The guest itself drops what comes for 5432: the SYNs are at the NIC and at the tap. The host let them pass."""
    hosts, network = _service(lab, 5, 2041)
    server = hosts.guest(0x26, "db-2", ip=44)
    client = hosts.peer(0x56, "client", 86)
    listen(server, 22, 5432)
    server.drop("tcp dport 5432")
    with record_along(lab, hosts.near_nic(), hosts.tap(server), linger=4):
        hosts.talk()
        connects(client, network.ip(44), 22, tries=2, pause=0.5)
        connects(client, network.ip(44), 5432, tries=2, wait=6)
    lab.shows(f"{_OPENING} && tcp.dstport == 5432", 12)


@scenario
def path_group_drops_egress(lab: Lab) -> None:
    """The client's group allows DNS, ping and 22 out, not 443: its SYNs are at the tap and not at the NIC."""
    hosts, network = _service(lab, 6, 2051)
    client = hosts.guest(0x27, "cli-1", ip=45)
    server = hosts.peer(0x57, "server", 87)
    listen(server, 22, 443)
    bridge_drops(hosts.near.host, f"iifname {client.tap} tcp dport 443")
    with record_along(lab, hosts.tap(client), hosts.near_nic(), linger=4):
        hosts.talk()
        connects(client, network.ip(87), 22, tries=2, pause=0.5)
        connects(client, network.ip(87), 443, tries=2, wait=6)
    lab.shows(f"{_OPENING} && tcp.dstport == 443", 6)
    lab.info("SG002", "tcp.dstport == 443", ip=network.ip(45), port=443)


@scenario
def path_secondary_address_unknown(lab: Lab) -> None:
    """A second address was set inside the guest and not in CloudStack: the host drops what has it as its source, ARP
    included, and passes what has the first."""
    hosts, network = _service(lab, 7, 2061)
    guest = hosts.guest(0x28, "two-1", ip=46)
    peer = hosts.peer(0x58, "peer", 88)
    guest.address(network.ip(66), network.length)
    bridge_drops(hosts.near.host, f"iifname {guest.tap} ip saddr {network.ip(66)}")
    with record_along(lab, hosts.tap(guest), hosts.near_nic(), linger=3):
        hosts.talk()
        guest.ns.run("ping", "-qc", "5", "-i", "0.5", network.ip(88))
        guest.ns.run("ping", "-qc", "6", "-i", "0.7", "-I", network.ip(66), network.ip(88), check=False)
        peer.ns.run("ping", "-qc", "2", network.ip(46))
    lab.shows(f"ip.src == {network.ip(66)}", 6)
    lab.fault("SG003", f"ip.src == {network.ip(66)}", mac=guest.mac, ip=network.ip(66))


@scenario
def path_foreign_mac_from_guest(lab: Lab) -> None:
    """A guest bridges a container with a MAC of its own: the host drops all frames that do not have the NIC's MAC."""
    hosts, network = _service(lab, 8, 2071)
    guest = hosts.guest(0x29, "nest-1", ip=47)
    hosts.peer(0x59, "peer", 89)
    guest.ns.ip("link", "add", "link", "eth0", "name", "mv0", "address", "52:54:00:aa:00:07", "type", "macvlan")
    guest.ns.ip("link", "set", "mv0", "up")
    guest.ns.ip("address", "add", f"{network.ip(67)}/24", "dev", "mv0")
    bridge_drops(hosts.near.host, f"iifname {guest.tap} ether saddr != {guest.mac}")
    with record_along(lab, hosts.tap(guest), hosts.near_nic(), linger=3):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "0.7", "-I", "eth0", network.ip(89))
        guest.ns.run("arping", "-c", "8", "-I", "mv0", network.ip(89), check=False)
    lab.shows("eth.src == 52:54:00:aa:00:07", 6)
    lab.fault("SG004", "eth.src == 52:54:00:aa:00:07", mac="52:54:00:aa:00:07")


@scenario
def path_stale_filter_rules(lab: Lab) -> None:
    """Rules of an earlier instance still stand for a tap: they admit another MAC, so all frames of the new guest die.
    Its neighbour on the same bridge boots well."""
    hosts, network = _service(lab, 9, 2081)
    guest = hosts.guest(0x2A, "new-1")
    neighbour = hosts.guest(0x2B, "old-1")
    hosts.serve()
    bridge_drops(hosts.near.host, f"iifname {guest.tap} ether saddr != 02:01:02:b9:00:77")
    with record_along(lab, hosts.tap(guest), hosts.tap(neighbour, "neighbour"), hosts.near_nic(), linger=3):
        hosts.talk()
        neighbour.dhclient()
        neighbour.ns.spawn("ping", "-q", "-i", "1", network.gateway)
        guest.dhclient(seconds=28)
    lab.shows(f"{_DISCOVER} && eth.src == {guest.mac}", 3)
    lab.fault("SG005", f"eth.src == {guest.mac}", mac=guest.mac)
    for code in ("DHCP001", "DHCP002", "DHCP006", "HYP001"):
        lab.consequence(code)
    lab.proof("DHCP031", mac=neighbour.mac)


@scenario
def path_healthy_inside_host(lab: Lab) -> None:
    """Two guests of one host talk with each other and with the router on the other: what stays inside the host is not
    at its NIC, as it should be."""
    hosts, network = _service(lab, 10, 2091)
    one = hosts.guest(0x2C, "in-1", ip=48)
    hosts.guest(0x2D, "in-2", ip=49)
    with record_along(lab, hosts.tap(one), hosts.near_nic(), hosts.far_nic()):
        hosts.talk()
        one.ns.spawn("ping", "-q", "-i", "0.5", network.ip(49))
        one.ns.spawn("ping", "-q", "-i", "0.5", network.gateway)
        time.sleep(9)
    lab.shows("icmp.type == 0 && !vlan", 20)
