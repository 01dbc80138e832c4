"""Datagrams that are larger than a link: DNS answers over IPv4 and IPv6, and DHCP behind a relay."""

import time

from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, at_tap

_MTU = 1280
_ASK = """
import socket, struct, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.settimeout(2)
labels = b"".join(bytes([len(one)]) + one.encode() for one in sys.argv[2].split("."))
for number in range(1, 4):
    head = struct.pack("!6H", number, 0x0100, 1, 0, 0, 1)
    extra = struct.pack("!BHHIH", 0, 41, 4096, 0, 0)
    s.sendto(head + labels + struct.pack("!BHH", 0, 16, 1) + extra, (sys.argv[1], 53))
    s.recv(65535)
"""


@scenario
def dns_answers_in_fragments(lab: Lab) -> None:
    """A name has three kilobytes of text. A guest asks for it over IPv4 and IPv6 with a large buffer, and every answer
    comes in three fragments. Healthy."""
    network = GuestNetwork(cidr="10.195.0.0/24", gateway="10.195.0.1", number=0x351)
    stage = Stage(lab, network, first_tap=2)
    router = stage.router
    router.ipv6(True)
    router.ns.ip("address", "add", "fd00:351::1/64", "dev", "eth0", "nodad")
    guest = stage.guest(0x12, "web-1", ipv6=True)
    guest.address(network.ip(0x12), 24, network.gateway)
    guest.ns.ip("address", "add", "fd00:351::12/64", "dev", "eth0", "nodad")
    router.ns.ip("link", "set", "eth0", "mtu", str(_MTU))
    texts = "".join(f"txt-record=notes.example,{n:02d}{'abcdefgh' * 30}\n" for n in range(12))
    conf = lab.file("big.conf", f"no-resolv\nno-hosts\nedns-packet-max=4096\n{texts}")
    router.ns.spawn("dnsmasq", "-k", "-u", "root", "-x", f"{lab.folder}/big.pid", "-C", str(conf))
    time.sleep(2)
    with lab.record(*at_tap(guest), compress="gz", linger=1):
        for server in (network.gateway, "fd00:351::1"):
            guest.ns.run("python3", "-c", _ASK, server, "notes.example")
    lab.shows("ip.flags.mf == 1 && ip.proto == 17", 6)
    lab.shows("ipv6.fraghdr", 6)
    lab.shows("dns.flags.response == 1 && dns.txt", 6)


@scenario
def dhcp_relayed_in_fragments(lab: Lab) -> None:
    """A relay passes requests through a tunnel with an MTU of 280 to a server beyond, and each of them and of its
    answers is cut in two on the way. The guest is served. Healthy."""
    network = GuestNetwork(cidr="10.196.1.0/24", gateway="10.196.1.1", number=0x352)
    stage = Stage(lab, network, first_tap=6, router=False)
    upstream = stage.host.bridge("breth1-901")
    relay = Machine(stage.host, stage.bridge, network.mac(1), "relay")
    server = Machine(stage.host, upstream, "02:01:03:53:00:35", "server")
    relay.plug(upstream, "02:01:03:53:00:01")
    relay.address("10.196.1.1", 24)
    relay.address("10.251.0.1", 24, nic=1)
    server.address("10.251.0.53", 24, "10.251.0.1")
    relay.ns.sysctl("net.ipv4.ip_forward", 1)
    guest = stage.guest(0x12, "edge-1")
    for machine, nic in ((relay, "eth1"), (server, "eth0")):
        machine.ns.ip("link", "set", nic, "mtu", "280")
    conf = lab.file(
        "server.conf",
        f"port=0\ndhcp-range=10.196.1.50,10.196.1.60,255.255.255.0,1h\ndhcp-option=3,10.196.1.1\n"
        f"dhcp-leasefile={lab.folder}/server.leases\n",
    )
    server.ns.spawn("dnsmasq", "-k", "-u", "root", "-x", f"{lab.folder}/server.pid", "-C", str(conf))
    relay.ns.spawn("dnsmasq", "-k", "-p", "0", "-u", "root", "-x", f"{lab.folder}/relay.pid", "-C", "/dev/null",
                   "--dhcp-relay=10.196.1.1,10.251.0.53")  # fmt: skip
    time.sleep(1)
    with lab.record(server.host.ns, server.tap, "tap", told=False, linger=1):
        guest.dhclient()
    lab.shows("ip.flags.mf == 1 && ip.proto == 17", 4)
    lab.shows("dhcp.ip.relay == 10.196.1.1 && dhcp.option.dhcp == 5", 1)
    lab.info("DHCP026")
