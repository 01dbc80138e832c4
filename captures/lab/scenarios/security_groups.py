"""Filters between guests: dropped without a word, refused with one, and services that are just not there."""

import time

from captures.lab.along import bridge_drops
from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.guest import Guest
from captures.lab.management import connects
from captures.lab.noise import neighbours
from captures.lab.post import pcapng
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, at_tap


def listen(machine: Machine, *ports: int) -> None:
    """Answer on some ports."""
    for port in ports:
        machine.ns.spawn("socat", f"TCP-LISTEN:{port},fork,reuseaddr", "SYSTEM:echo ready")
    time.sleep(0.3)


def _two(lab: Lab, subnet: str, number: int, first_tap: int) -> tuple[Stage, Guest, Guest]:
    """A network with a client and a server that listens on 22 and 5432."""
    network = GuestNetwork(cidr=f"{subnet}.0/24", gateway=f"{subnet}.1", number=number)
    stage = Stage(lab, network, first_tap=first_tap)
    client, server = (stage.guest(0x31 + n, name) for n, name in enumerate(("client", "server")))
    client.address(network.ip(49), 24, network.gateway)
    server.address(network.ip(50), 24, network.gateway)
    listen(server, 22, 5432)
    return stage, client, server


def _tries(client: Guest, server: str) -> None:
    """Ping, a port that answers, and one that is meant not to."""
    client.ns.run("ping", "-qc", "2", server, check=False)
    connects(client, server, 22, tries=1, pause=0.2)
    connects(client, server, 5432, tries=2, wait=6)


@scenario
def security_group_ingress_dropped(lab: Lab) -> None:
    """The security group of the server does not admit port 5432: the host drops the SYNs on the bridge without a word,
    while ping and port 22 work. That is policy, no fault."""
    stage, client, server = _two(lab, "10.121.0", 0x1D0, 2)
    bridge_drops(stage.host, f"oifname {server.tap} tcp dport 5432")
    with lab.record(*at_tap(client), linger=4):
        _tries(client, "10.121.0.50")
    lab.shows("tcp.flags.syn == 1 && tcp.dstport == 5432", 6)
    lab.hides("tcp.srcport == 5432")
    lab.info("SG001", "tcp.dstport == 5432", server="10.121.0.50", port=5432)


@scenario
def security_group_dropped_without_groups(lab: Lab) -> None:
    """As security-group-ingress-dropped, in a zone without security groups, as the profile says: rules left behind on
    the host drop what should pass. Recorded on the bridge among neighbours."""
    stage, client, server = _two(lab, "10.122.0", 0x1D1, 5)
    stage.serve()
    lab.truth.site = {**stage.site(), "security_groups": False}
    bridge_drops(stage.host, f"oifname {server.tap} tcp dport 5432")
    with lab.record(*stage.at_bridge, told=False, steps=(pcapng,), compress="zst", linger=4):
        neighbours(stage, 0x61, 0x62)
        _tries(client, "10.122.0.50")
    lab.shows("tcp.flags.syn == 1 && tcp.dstport == 5432", 6)
    lab.hides("tcp.srcport == 5432")
    lab.fault("SG001", "tcp.dstport == 5432", server="10.122.0.50", port=5432)


@scenario
def security_group_guest_firewall(lab: Lab) -> None:
    """The server's own firewall drops what comes for port 5432. Recorded at the server's tap, where the SYNs arrive:
    the host let them pass."""
    stage, client, server = _two(lab, "10.123.0", 0x1D2, 8)
    server.drop("tcp dport 5432")
    other = stage.guest(0x43, "other")
    other.address("10.123.0.67", 24)
    with lab.record(*at_tap(server), compress="gz", linger=4):
        connects(other, "10.123.0.50", 22, tries=1)
        _tries(client, "10.123.0.50")
    lab.shows("tcp.flags.syn == 1 && tcp.dstport == 5432", 6)
    lab.info("SG001", "tcp.dstport == 5432", server="10.123.0.50", port=5432)


@scenario
def security_group_egress_dropped(lab: Lab) -> None:
    """The client's security group allows DNS and ping out, not port 443: its SYNs to three servers leave the tap and go
    no further."""
    network = GuestNetwork(cidr="10.124.0.0/24", gateway="10.124.0.1", number=0x1D3)
    stage = Stage(lab, network, first_tap=11)
    client = stage.guest(0x41, "client", ip=network.ip(65))
    for n in range(3):
        server = stage.guest(0x51 + n, f"server-{n}")
        server.address(network.ip(80 + n), 24)
        listen(server, 443)
    stage.serve()
    bridge_drops(stage.host, f"iifname {client.tap} tcp dport 443")
    with lab.record(*at_tap(client), told=False, linger=4):
        client.udhcpc()
        client.ns.run("getent", "hosts", "data-server", check=False)
        for n in range(3):
            client.ns.run("ping", "-qc", "1", network.ip(80 + n))
            connects(client, network.ip(80 + n), 443, tries=1, wait=5)
    lab.shows("tcp.flags.syn == 1 && tcp.dstport == 443", 9)
    lab.hides("tcp.srcport == 443")
    lab.info("SG002", "tcp.dstport == 443", ip=network.ip(65), port=443)


@scenario
def security_group_service_not_running(lab: Lab) -> None:
    """Nothing listens on port 5432 of the server: a RST at once. No filter is at work."""
    stage, client, _ = _two(lab, "10.125.0", 0x1D4, 15)
    with lab.record(*stage.at_bridge, linger=1):
        client.ns.run("ping", "-qc", "2", "10.125.0.50")
        connects(client, "10.125.0.50", 3306, tries=4)
        connects(client, "10.125.0.50", 22, tries=1)
    lab.shows("tcp.flags.reset == 1 && tcp.srcport == 3306", 4)


@scenario
def security_group_only_ping_dropped(lab: Lab) -> None:
    """The server drops pings and serves everything else, as many do. No fault."""
    _, client, server = _two(lab, "10.126.0", 0x1D5, 18)
    server.drop("icmp type echo-request")
    with lab.record(*at_tap(client), compress="xz", linger=3):
        client.ns.run("ping", "-qc", "5", "10.126.0.50", check=False)
        for port in (22, 5432):
            connects(client, "10.126.0.50", port, tries=2)
    lab.shows("icmp.type == 8", 5)
    lab.hides("icmp.type == 0")


@scenario
def security_group_slow_to_answer(lab: Lab) -> None:
    """The server's host was busy: three SYNs went unanswered before the service did answer. No fault."""
    stage, client, server = _two(lab, "10.127.0", 0x1D6, 21)
    server.drop("tcp dport 5432")
    with lab.record(*stage.at_bridge, told=False, nano=True, linger=4):
        connects(client, "10.127.0.50", 22, tries=1)
        connects(client, "10.127.0.50", 5432, tries=1, wait=4)
        server.ns.run("nft", "flush", "chain", "inet", "lab", "input")
        connects(client, "10.127.0.50", 5432, tries=2)
    lab.shows("tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.dstport == 5432", 4)
    lab.shows("tcp.srcport == 5432 && tcp.flags.syn == 1", 1)


def _rejects(machine: Machine, chain: str, rule: str) -> None:
    """A firewall that says so: ``chain`` is ``input`` or ``forward``."""
    machine.ns.run("nft", "add", "table", "inet", "lab")
    machine.ns.run("nft", f"add chain inet lab {chain} {{ type filter hook {chain} priority 0; }}")
    machine.ns.run("nft", f"add rule inet lab {chain} {rule}")


@scenario
def security_prohibited_by_router(lab: Lab) -> None:
    """A router between two networks refuses port 5432 and says so by ICMP "administratively prohibited". It is not a
    security group: those drop without a word."""
    network = GuestNetwork(cidr="10.128.0.0/24", gateway="10.128.0.1", number=0x1D7)
    stage = Stage(lab, network, first_tap=25)
    beyond = stage.host.bridge("beyond0")
    stage.router.plug(beyond, "02:01:01:d7:00:f1")
    stage.router.address("172.20.5.1", 24, nic=1)
    stage.router.ns.sysctl("net.ipv4.ip_forward", 1)
    server = Machine(stage.host, beyond, "02:01:01:d7:00:f2", "server")
    server.address("172.20.5.9", 24, "172.20.5.1")
    listen(server, 22, 5432)
    _rejects(stage.router, "forward", "tcp dport 5432 reject with icmp type admin-prohibited")
    client = stage.guest(0x42, "client")
    client.address(network.ip(66), 24, network.gateway)
    with lab.record(*at_tap(client), linger=1):
        client.ns.run("ping", "-qc", "2", "172.20.5.9")
        connects(client, "172.20.5.9", 22, tries=1)
        connects(client, "172.20.5.9", 5432, tries=3)
    lab.shows("icmp.type == 3 && icmp.code == 13", 3)
    lab.info("SG011", "icmp.type == 3", server="172.20.5.9", port=5432)


@scenario
def security_rejected_by_host_firewall(lab: Lab) -> None:
    """The server's own firewall (firewalld's default) refuses port 5432 by ICMP "host administratively prohibited", and
    9200 by "port unreachable". Recorded on the bridge."""
    stage, client, server = _two(lab, "10.129.0", 0x1D8, 28)
    _rejects(server, "input", "tcp dport 5432 reject with icmp type host-prohibited")
    server.ns.run("nft", "add rule inet lab input tcp dport 9200 reject with icmp type port-unreachable")
    with lab.record(*stage.at_bridge, told=False, steps=(pcapng,), linger=1):
        connects(client, "10.129.0.50", 22, tries=1)
        connects(client, "10.129.0.50", 5432, tries=3)
        connects(client, "10.129.0.50", 9200, tries=3)
    lab.shows("icmp.type == 3 && icmp.code == 10", 3)
    lab.shows("icmp.type == 3 && icmp.code == 3", 3)
    lab.info("SG011", "icmp.type == 3", server="10.129.0.50", port=5432)
