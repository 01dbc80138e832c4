"""Healthy networks whose addresses, leases and tags look like a fault to whoever sees a part of them."""

import socket
import time
from pathlib import Path

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from captures.lab import middlebox
from captures.lab.along import TwoHosts
from captures.lab.artefacts import blanked
from captures.lab.cloud import GuestNetwork, Host, Machine
from captures.lab.guest import Guest
from captures.lab.keepalived import redundant_pair
from captures.lab.namespaces import command, end
from captures.lab.post import Step, only, pcapng, wire
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.hypervisor_nics import tagging
from captures.lab.scenarios.openvswitch_ports import tenants
from captures.lab.scenarios.spanning_tree import speak, unit
from captures.lab.scenarios.vlan_qinq import customer, provider_link
from captures.lab.services import password
from captures.lab.stage import Stage, Trunk, at_tap


def _rom(mac: str, xid: int, kind: str, *more: tuple[str, object]) -> Packet:
    """What a boot ROM asks, with the broadcast flag set."""
    own = bytes.fromhex(mac.replace(":", ""))
    pxe = (("vendor_class_id", "PXEClient:Arch:00000:UNDI:002001"), ("param_req_list", [1, 3, 43, 54, 60, 66, 67]))
    options = [("message-type", kind), *more, *pxe, (93, b"\0\0"), (94, b"\x01\x02\x01"), (97, bytes(17)), "end"]
    asked = BOOTP(chaddr=own, xid=xid, flags=0x8000) / DHCP(options=options)
    to_all = Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255")
    return to_all / UDP(sport=68, dport=67) / asked


@scenario
def innocent_boot_server(lab: Lab) -> None:
    """A boot server (dnsmasq as proxyDHCP) tells clients that boot from the network which file to load, and gives no
    address: that comes from the router, as it should. Two such boots, whose requests are made by hand as no boot ROM
    runs here. Recorded on the bridge. Healthy."""
    stage = Stage(lab, GuestNetwork(cidr="10.121.0.0/24", gateway="10.121.0.1", number=0x321), first_tap=3)
    guest = stage.guest(0x16, "pxe-1", ip="10.121.0.57")
    boot = Machine(stage.host, stage.bridge, stage.network.mac(0x30), "boot")
    boot.address("10.121.0.9", 24)
    stage.serve()
    folder = lab.folder / "boot"
    conf = lab.file(
        "boot/conf",
        "port=0\nbind-interfaces\nexcept-interface=lo\ndhcp-range=10.121.0.0,proxy,255.255.255.0\nenable-tftp\n"
        f"tftp-root={folder}\npxe-service=x86PC,Installation,pxelinux\nlog-facility={folder}/log\n",
    )
    boot.ns.spawn("dnsmasq", "-k", "-u", "root", "-x", f"{folder}/pid", "-C", str(conf))
    time.sleep(1)
    with guest.ns.inside():
        wire_end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        wire_end.bind(("eth0", 0))
    with lab.record(*stage.at_bridge, told=False, linger=2), wire_end:
        for xid in (0x5A01, 0x5A02):
            wire_end.send(bytes(_rom(guest.mac, xid, "discover")))
            time.sleep(2)
            took = (("server_id", "10.121.0.1"), ("requested_addr", "10.121.0.57"))
            wire_end.send(bytes(_rom(guest.mac, xid, "request", *took)))
            time.sleep(2)
    lab.shows("dhcp.option.dhcp == 2 && ip.src == 10.121.0.9 && dhcp.ip.your == 0.0.0.0", 2)
    lab.shows("dhcp.option.dhcp == 5 && ip.src == 10.121.0.1", 2)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def innocent_acknowledgement_not_recorded(lab: Lab) -> None:
    """Two boots of a guest, each served. The recorder was overloaded and lost the router's ACK both times; the guest
    announces its address and pings from it. Healthy."""
    stage = Stage(lab, GuestNetwork(cidr="10.122.0.0/24", gateway="10.122.0.1", number=0x322), first_tap=8)
    guest = stage.guest(0x17, "etl-1", ip="10.122.0.58")
    stage.serve()
    with lab.record(*at_tap(guest), steps=(only("not (udp src port 67 and udp[250:1] = 5)"),), linger=6):
        for _ in range(2):
            guest.stop(guest.dhclient())
            guest.ns.run("ping", "-qc", "3", stage.network.gateway)
            time.sleep(1)
    lab.shows("dhcp.option.dhcp == 2", 2)
    lab.shows("dhcp.option.dhcp == 3", 2)
    lab.hides("dhcp.option.dhcp == 5")
    lab.shows("icmp.type == 0", 4)


@scenario
def innocent_bond_balances_both_ways(lab: Lab) -> None:
    """A filer has a bond in mode balance-alb: each neighbour is told by ARP another of its MACs, by unicast answers to
    it alone. Two namespaces with one address stand for the bond's members (there is no bonding driver here); each
    answers its own half of the neighbours. Recorded on the bridge. Healthy."""
    host = Host(lab, "pod", 2)
    bridge = host.bridge("cloudbr0")
    neighbours = []
    for n in (1, 2):
        machine = Machine(host, bridge, f"b8:59:9f:00:21:0{n}", f"kvm{n}")
        machine.address(f"10.123.0.{10 + n}", 24)
        neighbours.append(machine)
        leg = Machine(host, bridge, f"00:11:32:0a:21:0{n}", f"leg{n}")
        leg.address("10.123.0.50", 24)
        leg.ns.run("nft", "add", "table", "arp", "lab")
        leg.ns.run("nft", "add chain arp lab input { type filter hook input priority 0; }")
        leg.ns.run("nft", f"add rule arp lab input arp saddr ip != 10.123.0.{10 + n} drop")
    with lab.record(host.ns, bridge, "bridge", linger=1):
        for _ in range(4):
            for machine in neighbours:
                machine.ns.run("ip", "neigh", "flush", "all")
                machine.ns.run("ping", "-qc", "2", "-i", "0.3", "10.123.0.50")
    for n in (1, 2):
        lab.shows(f"arp.opcode == 2 && arp.src.proto_ipv4 == 10.123.0.50 && eth.src == 00:11:32:0a:21:0{n}", 4)


@scenario
def innocent_failover_of_one_host(lab: Lab) -> None:
    """The backup of a redundant pair of routers takes over for some seconds, then the first one has the address again.
    Recorded on the bridge with the filter "host GUEST": the announcements are not in the file. Healthy."""
    network = GuestNetwork(cidr="10.124.0.0/24", gateway="10.124.0.1", number=0x324)
    stage = Stage(lab, network, first_tap=5, router=False)
    routers = redundant_pair(stage, network)
    guest = stage.guest(0x46, "web-1")
    guest.address(network.ip(63), 24, network.gateway)
    time.sleep(5)
    with lab.record(*stage.at_bridge, told=False, bpf=f"host {network.ip(63)}", linger=1):
        guest.ns.spawn("ping", "-q", "-i", "0.5", network.gateway)
        guest.ns.spawn("arping", "-b", "-q", "-i", "2", "-I", "eth0", network.gateway)
        time.sleep(4)
        stage.host.ns.ip("link", "set", routers[0].tap, "down")
        time.sleep(9)
        stage.host.ns.ip("link", "set", routers[0].tap, "up")
        time.sleep(9)
    for router in routers:
        lab.shows(f"arp.opcode == 2 && arp.src.hw_mac == {router.mac} && arp.src.proto_ipv4 == {network.gateway}", 2)
    lab.hides("arp.isgratuitous")


@scenario
def innocent_broadcasts_of_a_trunk(lab: Lab) -> None:
    """As ovs-trunk-nic-by-design, recorded at the appliance's tap with the filter "broadcast": what it sends and is
    answered is not in the file. Healthy."""
    _, here, networks = tenants(lab, 1224, 1225)
    guest = Guest(here.host, None, networks[0].mac(0x42), "fw-1")
    far = middlebox.insert(lab, here.host.ns, guest.tap, here.host.bridge("brfw"), tagging(1224))
    here.host.ns.ip("link", "set", far, "nomaster")
    here.ovs.port("cloudbr1", far)
    guest.address(networks[0].ip(66), 24)
    guest.ns.run("ping", "-qc", "2", networks[0].ip(114))
    with lab.record(here.host.ns, far, "tap", bpf="broadcast", linger=1):
        guest.ns.run("ping", "-qc", "12", networks[0].ip(114))
    for vlan in (1224, 1225):
        lab.shows(f"vlan.id == {vlan} && arp", 3)
    lab.info("OVS001")


def _with(second: Path) -> Step:
    """Both captures in one file by time."""

    def step(path: Path) -> Path:
        out = path.with_suffix(".both.pcap")
        command("mergecap", "-F", "pcap", "-w", str(out), str(path), str(second))
        return out

    return step


@scenario
def innocent_password_at_two_places(lab: Lab) -> None:
    """A guest boots after a password reset, gets its password and acknowledges it. Its tap and the NIC of its host are
    in one file, so that the delivery is there twice, without and with its tag. Healthy."""
    network = GuestNetwork(cidr="10.125.0.0/24", gateway="10.125.0.1", number=0x325, vlan=625)
    hosts = TwoHosts(lab, network, first_tap=17)
    guest = hosts.guest(0x31, "crm-1")
    hosts.serve()
    secret = "Zx9-lab-secret-61"
    lab.secret(secret)
    password.start(hosts.router, {network.ip(30): secret}, "G4")
    second = lab.folder / "nic.pcap"
    recorder = hosts.near.host.ns.spawn(
        "tcpdump", "-i", "eth1", "-nU", "--immediate-mode", "-Z", "root", "-w", str(second)
    )
    with lab.record(guest.host.ns, guest.tap, "any", told=False, steps=(_with(second),), linger=2):
        guest.dhclient()
        time.sleep(1)
        guest.reset_password(guest.lease().server)
        time.sleep(4)
        end(recorder)
    lab.shows('!vlan && http.request.line contains "send_my_password"', 1)
    lab.shows("vlan && tcp.dstport == 8080 && tcp.len > 0", 2)
    lab.proof("PWD009", 'http.request.line contains "saved_password"')


@scenario
def innocent_units_of_a_customer(lab: Lab) -> None:
    """A provider carries a customer's trunk in VLAN 88, spanning tree included: the units of the customer's native
    VLAN have the provider's tag alone, those of his VLAN 10 have both (made by hand as no daemon here speaks PVST+).
    Recorded on a mirror in the provider's switch. Healthy."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=10,20") for name in ("kvm1", "kvm2"))
    network = customer(0x326, 10)
    one, other = (
        Guest(host.host, host.vlan(10), network.mac(0x12 + n), f"web{n}") for n, host in enumerate((here, there))
    )
    one.address(network.ip(18), 24)
    other.address(network.ip(19), 24)
    point = provider_link(lab, trunk)
    with lab.record(*point, told=False, steps=(wire(()), pcapng), linger=1):
        one.ns.spawn("ping", "-qc", "12", network.ip(19))
        speak(here.host.ns, "eth1", (unit(5), unit(10, 10)), 5)
    lab.shows("stp.pvst.origvlan == 5 && vlan.id == 88", 4)
    lab.shows("stp.pvst.origvlan == 10 && vlan.id == 88 && vlan.id == 10", 4)


@scenario
def innocent_payload_blanked(lab: Lab) -> None:
    """A guest boots, is served and pings its gateway. Before the capture was handed on, all that follows the first 70
    bytes of each frame was overwritten with zeros, a client's MAC inside DHCP with it. Healthy."""
    stage = Stage(lab, GuestNetwork(cidr="10.135.0.0/24", gateway="10.135.0.1", number=0x337), first_tap=4)
    guest = stage.guest(0x18, "etl-2", ip="10.135.0.58")
    stage.serve()
    with lab.record(*at_tap(guest), steps=(blanked(70),), linger=4):
        guest.dhclient()
        guest.ns.run("ping", "-qc", "3", stage.network.gateway)
    lab.shows("udp.dstport == 67", 2)
    lab.shows("icmp.type == 0", 3)
