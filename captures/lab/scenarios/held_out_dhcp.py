"""Hold-out: DHCP and templates with other servers, relays and clients."""

import time

from captures.lab.along import Recorder, record_along
from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.elsewhere import Elsewhere, big_endian, dhcpd, kea, networkd, relay, windows_discovers
from captures.lab.guest import Guest
from captures.lab.middlebox import insert
from captures.lab.noise import neighbours
from captures.lab.post import pcapng, snap
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, at_tap

_DISCOVER = "dhcp.option.dhcp == 1"
_ACK = "dhcp.option.dhcp == 5"


def relayed(lab: Lab, network: GuestNetwork, first_tap: int) -> tuple[Stage, Machine, str]:
    """A network with a relay as its gateway, and a machine for the server behind it; the server's bridge."""
    stage = Stage(lab, network, first_tap=first_tap, router=False)
    upstream = stage.host.bridge("brens3-77")
    gateway = Machine(stage.host, stage.bridge, "00:1c:73:66:01:01", "relay")
    gateway.plug(upstream, "00:1c:73:66:01:02")
    gateway.address(network.gateway, network.length)
    gateway.address("172.22.77.1", 28, nic=1)
    gateway.ns.sysctl("net.ipv4.ip_forward", 1)
    server = Machine(stage.host, upstream, "00:16:3e:66:01:53", "server")
    server.address("172.22.77.5", 28, "172.22.77.1")
    relay(gateway, "172.22.77.5")
    return stage, server, upstream


@scenario
def held_out_dhcp_relay_server_dead(lab: Lab) -> None:
    """An external DHCP server behind a relay is stopped. A guest with dhcpcd asks, the relay passes it on, and the
    server's machine, which answers ARP, says nothing (its firewall drops port 67). At the guest's tap and on the
    server's bridge."""
    network = Elsewhere(cidr="100.72.4.0/23", gateway="100.72.5.254", number=0x0BEE, vlan=944, prefix="06:11")
    stage, server, upstream = relayed(lab, network, 90)
    server.drop("udp dport 67")
    guest = stage.guest(0x0A, "fedora-1", known=False)
    with record_along(
        lab,
        Recorder(name="tap", point=at_tap(guest), steps=(pcapng,), compress="gz"),
        Recorder(name="upstream", point=(stage.host.ns, upstream, "bridge"), told=False),
        linger=7,
    ):
        guest.dhcpcd(seconds=48, more="noipv4ll")
    lab.shows(f"{_DISCOVER} && dhcp.ip.relay == 0.0.0.0", 3)
    lab.shows(f"{_DISCOVER} && dhcp.ip.relay == {network.gateway}", 3)
    lab.fault("DHCP001", _DISCOVER, mac=guest.mac)
    lab.info("DHCP026", f"dhcp.ip.relay == {network.gateway}")


@scenario
def held_out_dhcp_relayed_kea(lab: Lab) -> None:
    """The same with a server that runs: Kea behind ISC's relay gives a guest with systemd-networkd its address for two
    hours. Recorded on the guests' bridge."""
    network = Elsewhere(cidr="100.72.6.0/23", gateway="100.72.6.1", number=0x0BEF, vlan=945, prefix="06:11")
    stage, server, _ = relayed(lab, network, 95)
    options = f', "option-data": [{{"name": "routers", "data": "{network.gateway}"}}]'
    kea(server, network.cidr, "100.72.6.50 - 100.72.6.90", more=options)
    guest = stage.guest(0x0C, "nd-1", known=False)
    with lab.record(*stage.at_bridge, told=False, nano=True, compress="zst", linger=3):
        networkd(guest, 14)
        guest.ns.run("ping", "-qc", "4", network.gateway)
    lab.shows(_ACK)
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def held_out_dhcp_second_server(lab: Lab) -> None:
    """Somebody's lab server with ISC dhcpd hangs on the guest VLAN and offers 10.0.0.x beside the router. An Alpine
    guest hears both; recorded at its tap, cut at 400 bytes."""
    network = Elsewhere(cidr="198.51.100.64/28", gateway="198.51.100.65", number=0x3C, vlan=2020, prefix="1e:00")
    stage = Stage(lab, network, first_tap=61)
    guest = stage.guest(9, "alp-1", ip="198.51.100.70")
    stage.serve()
    rogue = Machine(stage.host, stage.bridge, "f4:52:14:0c:9a:11", "labserver")
    rogue.address("10.0.0.1", 24)
    dhcpd(
        rogue,
        """authoritative; default-lease-time 600; max-lease-time 7200;
        subnet 10.0.0.0 netmask 255.255.255.0 { range 10.0.0.100 10.0.0.120; option routers 10.0.0.1; }""",
    )
    with lab.record(*at_tap(guest), steps=(snap(400), big_endian), linger=6):
        for _ in range(3):
            guest.stop(guest.udhcpc(seconds=6))
            time.sleep(3)
    lab.shows("dhcp.option.dhcp == 2 && ip.src == 10.0.0.1", 2)
    lab.shows(f"dhcp.option.dhcp == 2 && ip.src == {network.gateway}", 2)
    lab.fault("DHCP013", "dhcp.option.dhcp == 2")
    for code in ("DHCP011", "DHCP012", "DHCP016", "DHCP020", "HYP017", "DHCP014", "DHCP010"):
        lab.consequence(code)


@scenario
def held_out_dhcp_nak_then_lease(lab: Lab) -> None:
    """A shared network with an operator's own ISC dhcpd. A guest comes from another network with its old lease, is told
    NAK, and has an address of here a moment later. Healthy; -i any, cooked version 2."""
    network = Elsewhere(cidr="100.80.0.0/23", gateway="100.80.0.1", number=0x51, vlan=71, prefix="02:05")
    stage = Stage(lab, network, first_tap=12, router=False)
    server = Machine(stage.host, stage.bridge, "d4:be:d9:00:15:67", "dhcp1")
    server.address("100.80.0.1", 23)
    dhcpd(
        server,
        """authoritative; default-lease-time 3600; ping-check false;
        subnet 100.80.0.0 netmask 255.255.254.0 { range 100.80.1.10 100.80.1.60; option routers 100.80.0.1;
        option domain-name-servers 100.80.0.1; }""",
    )
    guest = stage.guest(5, "moved-5", known=False)
    lease = """lease { interface "eth0"; fixed-address 192.168.14.77; option subnet-mask 255.255.255.0;
      option dhcp-lease-time 86400; option dhcp-server-identifier 192.168.14.1;
      renew 5 2037/01/01 00:00:00; rebind 5 2037/06/01 00:00:00; expire 5 2037/12/01 00:00:00; }"""
    with lab.record(*stage.at_any, told=False, link_type="LINUX_SLL2", linger=6):
        guest.dhclient(lease=lease)
        guest.ns.run("ping", "-qc", "5", network.gateway)
    lab.shows("dhcp.option.dhcp == 6")
    lab.shows(_ACK)
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def held_out_dhcp_windows_hears_nothing(lab: Lab) -> None:
    """The host's and the guest's filters pass everything, the router offers at once; inside the guest a third-party
    firewall swallows what comes from port 67. A Windows client's DISCOVERs at 0, 4, 12 and 28 s, then APIPA. No Windows
    runs here: its frames are made by hand with its option set and timing."""
    network = Elsewhere(cidr="10.201.112.0/23", gateway="10.201.113.254", number=0x8F, vlan=811, prefix="02:05")
    stage = Stage(lab, network, first_tap=44)
    guest = stage.guest(0x77, "WIN-K3J", ip="10.201.112.119")
    stage.serve()
    with lab.record(*at_tap(guest), told=False, nano=True, compress="gz", linger=6):
        neighbours(stage, 0x31)
        windows_discovers(guest, (4.1, 8.2, 15.7, 16.0))
    lab.shows(_DISCOVER, 4, 4)
    lab.shows("dhcp.option.dhcp == 2", 4)
    lab.fault("DHCP008", f"{_DISCOVER} || dhcp.option.dhcp == 2", mac=guest.mac)
    lab.consequence("DHCP022", mac=guest.mac)


@scenario
def held_out_dhcp_mac_unknown(lab: Lab) -> None:
    """CloudStack could not tell the router of a new NIC. Its guest, systemd-networkd, asks for most of a minute; a
    neighbour with dhcpcd gets its lease. Inside the router, with the filter "udp"."""
    network = Elsewhere(cidr="10.33.254.0/23", gateway="10.33.254.1", number=0x1102, vlan=512, prefix="02:05")
    stage = Stage(lab, network, first_tap=81)
    guest = stage.guest(0x10, "ghost-1", known=False)
    other = stage.guest(0x11, "known-1", ip="10.33.255.9")
    stage.serve()
    with lab.record(*stage.in_router, bpf="udp", compress="lz4", linger=8):
        neighbours(stage, 0x41)
        other.dhcpcd(seconds=3)
        networkd(guest, 50)
    lab.shows(f"{_DISCOVER} && dhcp.hw.mac_addr == {guest.mac}", 3)
    lab.hides(f"dhcp.type == 2 && dhcp.hw.mac_addr == {guest.mac}")
    lab.fault("DHCP002", _DISCOVER, mac=guest.mac)
    lab.proof("DHCP031", f"{_ACK} && dhcp.hw.mac_addr == {other.mac}", mac=other.mac)


@scenario
def held_out_dhcp_slow_but_served(lab: Lab) -> None:
    """A loaded router: every answer takes 1.9 s; udhcpc, which waits 3 s, gets its lease all the same. Healthy; on the
    bridge."""

    def slow(frame: bytes, direction: str) -> list[tuple[float, bytes]]:
        return [(1.9 if direction == "out" and frame[23:24] == b"\x11" else 0.0, frame)]

    network = Elsewhere(cidr="172.31.250.0/28", gateway="172.31.250.1", number=0x77, vlan=4011, prefix="1e:00")
    stage = Stage(lab, network, first_tap=3, cable=slow)
    guests = [stage.guest(3 + n, f"slow-{n}", ip=network.ip(5 + n)) for n in range(2)]
    stage.serve()
    with lab.record(*stage.at_bridge, told=False, steps=(pcapng,), linger=6):
        for guest in guests:
            guest.udhcpc()
            guest.ns.run("ping", "-qc", "2", network.gateway, check=False)
    lab.shows(_ACK, 2)
    for guest in guests:
        lab.proof("DHCP031", f"{_ACK} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)


@scenario
def held_out_template_cloned_id(lab: Lab) -> None:
    """Two clones of a template that kept its machine-id: one client identifier (dhclient, told to build it as
    systemd-networkd does) from two NICs, and an operator's Kea, which goes by it, gives both the same address. On the
    bridge."""
    network = Elsewhere(cidr="10.250.16.0/23", gateway="10.250.16.1", number=0x6A00, vlan=1616, prefix="02:05")
    stage = Stage(lab, network, first_tap=55, router=False)
    server = Machine(stage.host, stage.bridge, "d4:be:d9:00:16:67", "kea1")
    server.address("10.250.16.1", 23)
    options = ', "option-data": [{"name": "routers", "data": "10.250.16.1"}]'
    kea(server, network.cidr, "10.250.17.20 - 10.250.17.60", more=options)
    guests = [stage.guest(0x20 + n, f"clone-{n}", known=False) for n in range(2)]
    same = "send dhcp-client-identifier ff:5f:6d:aa:a8:00:02:00:00:ab:11:00:33:bd:eb:f9:5e:19:2c;"
    with lab.record(*stage.at_bridge, told=False, compress="zst", linger=4):
        for guest in guests:
            guest.dhclient(more=same)
            guest.ns.spawn("ping", "-q", "-i", "1.5", network.gateway)
        time.sleep(12)
    lab.shows(f"{_ACK} && dhcp.ip.your == {guests[0].lease().ip}", 2)
    lab.fault("TMPL006", f"{_DISCOVER} || dhcp.option.dhcp == 3 || {_ACK}")
    for code in ("DHCP018", "HYP015", "DHCP016"):
        lab.consequence(code)
    lab.proof("DHCP031", _ACK)


@scenario
def held_out_template_foreign_address(lab: Lab) -> None:
    """The image has the address of the site where it was made, in another subnet than the network's, and talks to a
    machine with such an address as well. The profile knows what the NIC should have. Frames cut at 256 bytes."""
    network = Elsewhere(cidr="10.44.0.0/23", gateway="10.44.0.1", number=0x9001, vlan=313, prefix="02:05")
    stage = Stage(lab, network, first_tap=4)
    guest = stage.guest(0x31, "golden-7", ip="10.44.1.12")
    stage.serve()
    lab.truth.site = stage.site()
    guest.address("192.168.50.10", 24, "192.168.50.1")
    with lab.record(*at_tap(guest), steps=(snap(256),), linger=3):
        neighbours(stage, 0x41)
        guest.ns.spawn("ping", "-q", "-i", "2", "192.168.50.1")
        for n in range(9):
            guest.ns.run("sh", "-c", f"echo x{n} | socat -u - UDP-SENDTO:192.168.50.255:6666,broadcast", check=False)
            time.sleep(1.5)
    lab.shows(f"eth.src == {guest.mac} && ip.src == 192.168.50.10", 5)
    lab.fault("TMPL005", f"eth.src == {guest.mac}", mac=guest.mac)
    lab.consequence("VLAN019")


def _narrow(frame: bytes, _direction: str) -> list[tuple[float, bytes]]:
    return [] if len(frame) > 1514 else [(0.0, frame)]


@scenario
def held_out_template_jumbo(lab: Lab) -> None:
    """Two guests of a template with MTU 9000 in a network of 1500: connections open with an MSS of 8960, small requests
    are answered, full segments of the upload are lost without a word. At the tap of the one that sends."""
    network = Elsewhere(cidr="10.45.2.0/23", gateway="10.45.2.1", number=0x9002, vlan=314, prefix="02:05")
    stage = Stage(lab, network, first_tap=6)
    guest, peer = (Guest(stage.host, None, network.mac(0x41 + n), f"jumbo-{n}") for n in range(2))
    for one in (guest, peer):
        far = insert(lab, stage.host.ns, one.tap, stage.bridge, _narrow)
        for where, name in ((stage.host.ns, one.tap), (one.ns, "eth0"), (stage.host.ns, far)):
            where.ip("link", "set", name, "mtu", "9000")
    for n, one in enumerate((guest, peer)):
        one.address(network.ip(300 + n), 23, network.gateway)
    lab.truth.site = {"network": [{"cidr": network.cidr, "gateway": network.gateway, "vlan": 314}]}
    peer.ns.spawn("socat", "TCP-LISTEN:8081,fork,reuseaddr", "SYSTEM:cat >/dev/null")
    time.sleep(0.4)
    with lab.record(*at_tap(guest), compress="gz", linger=2):
        guest.ns.run("ping", "-qc", "4", network.ip(301), check=False)
        for _ in range(2):
            feed = f"(echo hello; sleep 1; head -c 60000 /dev/zero; sleep 14) | socat - TCP:{network.ip(301)}:8081"
            guest.ns.run("sh", "-c", feed, check=False, seconds=17)
    lab.shows("tcp.options.mss_val == 8960", 4)
    lab.shows("tcp.analysis.retransmission && tcp.len > 1460", 3)
    lab.fault("HOST009", "tcp", mac=guest.mac)
    for code in ("VLAN017", "TMPL011", "META009"):
        lab.consequence(code)
