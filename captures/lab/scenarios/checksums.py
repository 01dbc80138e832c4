"""Checksums that are wrong, that nobody filled in, and that only look so because the recorder saw them too early."""

from captures.lab.along import TwoHosts, bridge_drops
from captures.lab.cloud import GuestNetwork
from captures.lab.guest import Guest
from captures.lab.management import connects
from captures.lab.middlebox import Behaviour, Direction, tcp_checksum_left, tcp_checksum_spoiled, udp_checksum_spoiled
from captures.lab.post import pcapng, wire
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.security_groups import listen
from captures.lab.stage import Stage, at_tap

_PAGE = "SYSTEM:head -c 12000 /dev/zero | tr '\\\\0' x"
_ASK = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
labels = b"".join(bytes([len(one)]) + one.encode() for one in sys.argv[2].split("."))
for _ in range(int(sys.argv[3])):
    s.sendto(struct.pack("!6H", 0x5A17, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, 1, 1), (sys.argv[1], 53))
    try:
        s.recv(512)
        break
    except TimeoutError:
        pass
"""


def _spoils(port: int, *, least: int = 0) -> Behaviour:
    """A cable that changes the checksums of TCP segments from a port, tagged or not."""

    def behave(frame: bytes, direction: Direction) -> tuple[tuple[float, bytes], ...]:
        return ((0.0, tcp_checksum_spoiled(frame, port, least=least)),)

    return behave


@scenario
def checksum_segments_spoiled(lab: Lab) -> None:
    """The router's host has a NIC that computes wrong checksums for segments above 500 bytes: a guest on another host
    connects, asks, and every answer comes again and again, dropped by its kernel. Recorded at the guest's tap."""
    network = GuestNetwork(cidr="10.211.0.0/24", gateway="10.211.0.1", number=0x391)
    stage = Stage(lab, network, first_tap=1, cable=_spoils(80, least=500))
    stage.router.ns.spawn("socat", "TCP-LISTEN:80,fork,reuseaddr", _PAGE)
    guest = stage.guest(0x31, "sum-1", ip=network.ip(49))
    guest.address(network.ip(49), 24, network.gateway)
    with lab.record(*at_tap(guest), linger=3):
        guest.ns.run("ping", "-qc", "3", network.gateway)
        for _ in range(2):
            guest.ns.run("curl", "-s", "-m", "7", "-o", "/dev/null", f"http://{network.gateway}/", check=False)
    lab.shows("tcp.srcport == 80 && tcp.len > 500", 8)
    lab.fault("HYP026", "tcp.srcport == 80 && tcp.len > 500", ip=network.ip(49), server=network.gateway)


@scenario
def checksum_answers_spoiled(lab: Lab) -> None:
    """Every SYN/ACK of a server on another host arrives with a wrong checksum: the client repeats its SYN as if nobody
    were there, while pings are answered. Recorded on the bridge in pcapng; the role is not told."""
    network = GuestNetwork(cidr="10.212.0.0/24", gateway="10.212.0.1", number=0x392)
    stage = Stage(lab, network, first_tap=4, cable=_spoils(8080))
    listen(stage.router, 8080)
    guest = stage.guest(0x32, "sum-2", ip=network.ip(50))
    guest.address(network.ip(50), 24, network.gateway)
    with lab.record(*stage.at_bridge, told=False, steps=(pcapng,), compress="gz", linger=4):
        guest.ns.run("ping", "-qc", "3", network.gateway)
        connects(guest, network.gateway, 8080, tries=2, wait=8)
    lab.shows("tcp.srcport == 8080 && tcp.flags.syn == 1", 6)
    lab.fault("HYP026", "tcp.srcport == 8080 && tcp.flags.syn == 1", ip=network.ip(50), server=network.gateway)


@scenario
def checksum_dns_answers_spoiled(lab: Lab) -> None:
    """The router's DNS answers reach the guest with wrong UDP checksums; a resolver asks each question four times,
    under one number, and gives up."""
    network = GuestNetwork(cidr="10.213.0.0/24", gateway="10.213.0.1", number=0x393)
    stage = Stage(lab, network, first_tap=7, cable=lambda frame, direction: ((0.0, udp_checksum_spoiled(frame, 53)),))
    guest = stage.guest(0x33, "sum-3", ip=network.ip(51))
    guest.address(network.ip(51), 24, network.gateway)
    stage.serve()
    with lab.record(*at_tap(guest), linger=3):
        for _ in range(2):
            guest.ns.run("python3", "-c", _ASK, network.gateway, f"data-server.{network.domain}", "4")
    lab.shows("dns.flags.response == 1", 6)
    lab.fault("HYP026", "dns.flags.response == 1", ip=network.ip(51), server=network.gateway)


@scenario
def checksum_not_filled_in(lab: Lab) -> None:
    """The NIC of the server's host promises to fill in TCP checksums and does not: its segments leave it with the sum
    of the pseudo-header alone, and the client on another host drops them. Recorded at the NIC of the client's host."""
    network = GuestNetwork(cidr="10.214.0.0/24", gateway="10.214.0.1", number=0x394, vlan=3401)
    hosts = TwoHosts(lab, network)
    client, server = hosts.guest(0x34, "sum-4", ip=52), hosts.peer(0x64, "sum-5", 152)
    listen(server, 5432)
    hosts.trunk.cable(hosts.far, lambda frame, direction: ((0.0, tcp_checksum_left(frame, 5432)),))
    near = hosts.near_nic()
    with lab.record(*near.point, steps=(wire(near.local),), linger=4):
        client.ns.spawn("ping", "-q", "-i", "1", network.ip(152))
        client.ns.run("arping", "-c", "3", "-I", "eth0", network.ip(152), check=False)
        connects(client, network.ip(152), 5432, tries=2, wait=8)
    lab.shows("tcp.srcport == 5432 && tcp.flags.syn == 1", 6)
    lab.fault("HYP026", "tcp.srcport == 5432 && tcp.flags.syn == 1", ip=network.ip(52), server=network.ip(152))


@scenario
def checksum_offload_is_no_fault(lab: Lab) -> None:
    """Two guests on one host with checksum offload on: no checksum between them is ever filled in, and their
    connections work; one port is closed to the other by a security group. Recorded at the client's tap."""
    network = GuestNetwork(cidr="10.215.0.0/24", gateway="10.215.0.1", number=0x395)
    stage = Stage(lab, network, first_tap=10)
    client, server = (stage.guest(0x35 + n, name) for n, name in enumerate(("off-1", "off-2")))
    _offload(client, server)
    client.address(network.ip(53), 24, network.gateway)
    server.address(network.ip(54), 24, network.gateway)
    listen(server, 22, 5432)
    server.ns.spawn("socat", "TCP-LISTEN:80,fork,reuseaddr", _PAGE)
    bridge_drops(stage.host, f"oifname {server.tap} tcp dport 5432")
    with lab.record(*at_tap(client), linger=4):
        client.ns.run("curl", "-s", "-m", "5", "-o", "/dev/null", f"http://{network.ip(54)}/", check=False)
        connects(client, network.ip(54), 22, tries=2, pause=0.5)
        connects(client, network.ip(54), 5432, tries=2, wait=6)
    lab.shows("tcp.dstport == 5432", 6)
    lab.info("SG001", "tcp.dstport == 5432", server=network.ip(54), port=5432)


@scenario
def checksum_lost_segments_are_right(lab: Lab) -> None:
    """As checksum-segments-spoiled, but the large segments are lost between the recorder and the guest, by their
    length: every checksum is right."""
    network = GuestNetwork(cidr="10.216.0.0/24", gateway="10.216.0.1", number=0x396)
    stage = Stage(lab, network, first_tap=13)
    stage.router.ns.spawn("socat", "TCP-LISTEN:80,fork,reuseaddr", _PAGE)
    guest = stage.guest(0x37, "sum-6", ip=network.ip(55))
    guest.address(network.ip(55), 24, network.gateway)
    bridge_drops(stage.host, f"oifname {guest.tap} meta length > 1000")
    with lab.record(*stage.in_router, linger=3):
        guest.ns.run("ping", "-qc", "3", network.gateway)
        for _ in range(2):
            guest.ns.run("curl", "-s", "-m", "7", "-o", "/dev/null", f"http://{network.gateway}/", check=False)
    lab.shows("tcp.srcport == 80 && tcp.len > 1000", 8)
    lab.fault("VLAN017", "tcp.srcport == 80 && tcp.len > 1000", ip=network.ip(55), server=network.gateway)
    lab.consequence("META009")


def _offload(*guests: Guest) -> None:
    for guest in guests:
        guest.ns.run("ethtool", "-K", guest.nics[0].name, "tx", "on")
