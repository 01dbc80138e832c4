"""Healthy DHCP, and what only looks like a fault."""

import signal
import time

from captures.lab.cloud import GuestNetwork, Host
from captures.lab.guest import Guest
from captures.lab.keepalived import keepalived
from captures.lab.noise import neighbours
from captures.lab.post import between, pcapng, snap
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, Trunk, at_tap

_ACK = "dhcp.option.dhcp == 5"


@scenario
def dhcp_lease_dhclient(lab: Lab) -> None:
    """A Debian guest boots with dhclient and gets CloudStack's address at once."""
    stage = Stage(lab, GuestNetwork(cidr="10.1.1.0/24", gateway="10.1.1.1", number=0xCC), first_tap=7)
    guest = stage.guest(0x16, "web-1", ip="10.1.1.87")
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), linger=6):
        guest.dhclient()
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def dhcp_lease_udhcpc(lab: Lab) -> None:
    """An Alpine guest boots with udhcpc in a busy network and gets its lease. Recorded on the bridge."""
    stage = Stage(lab, GuestNetwork(cidr="192.168.77.0/24", gateway="192.168.77.254", number=0x1F3), first_tap=40)
    guest = stage.guest(0x105, "alpine-5", ip="192.168.77.31")
    stage.serve()
    with lab.record(*stage.at_bridge, told=False, nano=True, compress="zst"):
        neighbours(stage, 0x21, 0x22, 0x23)
        guest.udhcpc()
        time.sleep(9)
    lab.shows("dns.flags.response == 1")
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def dhcp_lease_dhcpcd(lab: Lab) -> None:
    """A guest boots with dhcpcd, probes its address by ARP and announces it."""
    stage = Stage(lab, GuestNetwork(cidr="172.16.96.0/21", gateway="172.16.96.1", number=0x88), first_tap=1)
    guest = stage.guest(0x33, "arch-1", ip="172.16.98.12", ipv6=True)
    stage.serve()
    with lab.record(*at_tap(guest), told=False, steps=(pcapng,)):
        guest.dhcpcd(seconds=12)
    lab.shows("arp.src.proto_ipv4 == 0.0.0.0")
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def dhcp_lease_trunk(lab: Lab) -> None:
    """A guest on one host gets its lease from the router on another, through a trunk. Recorded at the NIC of the
    router's host, where tags are as they should be."""
    network = GuestNetwork(cidr="10.77.3.0/24", gateway="10.77.3.1", number=0x2D0, vlan=733)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=733,734") for name in ("kvm1", "kvm2"))
    guest = Guest(here.host, here.vlan(733), network.mac(0x44), "shop-1")
    router = Router(there.host, there.vlan(733), network)
    router.dhcp([(guest.mac, network.ip(99), guest.name)])
    with lab.record(there.host.ns, there.uplink, "trunk", linger=6):
        guest.dhclient()
        guest.ns.run("ping", "-c", "2", network.gateway)
    lab.shows(f"vlan.id == 733 && {_ACK}", 1, 1)
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def dhcp_lost_discover(lab: Lab) -> None:
    """The router restarts dnsmasq as it does at every deployment: the guest's first DISCOVER is lost, the second one is
    answered."""
    stage = Stage(lab, GuestNetwork(cidr="10.45.0.0/24", gateway="10.45.0.1", number=0x45), first_tap=9)
    guest = stage.guest(0x18, "mail-1")
    with lab.record(*at_tap(guest), linger=6, compress="xz"):
        client = guest.udhcpc(seconds=1.5)
        stage.serve()
        time.sleep(3)
        guest.stop(client)
    lab.shows("dhcp.option.dhcp == 1", 2)
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def dhcp_router_restart(lab: Lab) -> None:
    """The router is rebuilt while a guest boots: its first DISCOVERs go unanswered for 8 s, then it is served."""
    stage = Stage(lab, GuestNetwork(cidr="10.46.4.0/22", gateway="10.46.4.1", number=0x46), first_tap=14)
    guest = stage.guest(0x2B, "mail-2", ip="10.46.6.2")
    with lab.record(*stage.at_bridge, told=False, linger=6):
        guest.dhclient(seconds=8)
        stage.serve()
        time.sleep(22)
    lab.shows(_ACK)
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def dhcp_capture_ends_early(lab: Lab) -> None:
    """The recorder was stopped two seconds after the guest's only DISCOVER, which dnsmasq missed in a restart; the
    guest was served a little later, unseen."""
    stage = Stage(lab, GuestNetwork(cidr="10.9.9.0/24", gateway="10.9.9.1", number=0x99), first_tap=4)
    guest = stage.guest(0x51, "short-1")
    with lab.record(*at_tap(guest)):
        guest.udhcpc(seconds=1.6)
    stage.serve()
    time.sleep(6)
    guest.lease()
    lab.shows("dhcp", 1, 1)


@scenario
def dhcp_capture_begins_midway(lab: Lab) -> None:
    """The recorder was started between the guest's DISCOVER and the answer: the first frame is the OFFER."""
    stage = Stage(lab, GuestNetwork(cidr="10.12.0.0/16", gateway="10.12.0.1", number=0x112), first_tap=6)
    guest = stage.guest(0x1C, "late-1", ip="10.12.77.5")
    stage.serve()
    with lab.record(*at_tap(guest), told=False, steps=(between(2),), linger=5):
        guest.udhcpc()
        guest.ns.run("ping", "-c", "2", "10.12.0.1")
    lab.hides("dhcp.option.dhcp == 1")
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def dhcp_renew_unicast(lab: Lab) -> None:
    """The guest renews its lease by unicast, twice, in a capture that never saw a DISCOVER."""
    stage = Stage(lab, GuestNetwork(cidr="192.168.32.0/22", gateway="192.168.32.1", number=0x132), first_tap=12)
    guest = stage.guest(0x77, "renew-1", ip="192.168.33.200")
    stage.serve()
    client = guest.udhcpc()
    with lab.record(*at_tap(guest), nano=True, linger=5):
        for _ in range(2):
            client.send_signal(signal.SIGUSR1)
            time.sleep(4)
    guest.stop(client)
    lab.shows("dhcp.option.dhcp == 3 && ip.dst == 192.168.32.1", 2)
    lab.shows(_ACK, 2)
    lab.hides("dhcp.option.dhcp == 1")
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def dhcp_one_direction_only(lab: Lab) -> None:
    """Four boots of a guest, all served, recorded with the filter "udp dst port 67": only the requests are there."""
    stage = Stage(lab, GuestNetwork(cidr="10.70.70.0/24", gateway="10.70.70.1", number=0x170), first_tap=15)
    guest = stage.guest(0x41, "loop-1")
    stage.serve()
    with lab.record(*at_tap(guest), bpf="udp dst port 67", linger=8):
        for _ in range(4):
            guest.stop(guest.udhcpc())
            time.sleep(4)
    lab.shows("dhcp.option.dhcp == 1", 4)
    lab.hides("dhcp.type == 2")


@scenario
def dhcp_release_and_new_lease(lab: Lab) -> None:
    """A guest releases its lease as Windows does at shutdown, boots again and gets the same address."""
    stage = Stage(lab, GuestNetwork(cidr="10.55.5.0/24", gateway="10.55.5.1", number=0x155), first_tap=17)
    guest = stage.guest(0x2E, "win-like", ip="10.55.5.61")
    stage.serve()
    with lab.record(*at_tap(guest), linger=6):
        client = guest.udhcpc(options=("-R", "-V", "MSFT 5.0"))
        time.sleep(1)
        guest.stop(client)
        time.sleep(4)
        guest.udhcpc(options=("-V", "MSFT 5.0"))
    lab.shows("dhcp.option.dhcp == 7")
    lab.shows(_ACK, 2)
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def dhcp_inform(lab: Lab) -> None:
    """A guest with a static address asks for options only (INFORM). The router is told to ignore INFORM of machines
    it does not know, and answers this one, which it knows."""
    stage = Stage(lab, GuestNetwork(cidr="10.60.0.0/24", gateway="10.60.0.1", number=0x160), first_tap=19)
    guest = stage.guest(0x25, "static-1", ip="10.60.0.37")
    stage.serve()
    with lab.record(*at_tap(guest), told=False):
        guest.dhcpcd(seconds=12, options=("-s", "10.60.0.37/24"))
    lab.shows("dhcp.option.dhcp == 8")


@scenario
def dhcp_second_nic_without_router(lab: Lab) -> None:
    """The guest's NIC is not its default one: CloudStack leaves router, DNS and domain out of the lease on purpose."""
    stage = Stage(lab, GuestNetwork(cidr="10.90.2.0/24", gateway="10.90.2.1", number=0x192), first_tap=23)
    guest = stage.guest(0x3A, "two-legs", known=False)
    hosts = [(f"{guest.mac},set:10_90_2_44", "10.90.2.44", guest.name)]
    options = "".join(f"tag:10_90_2_44,{option}\n" for option in (3, 6, 15))
    stage.router.dhcp(hosts, options=options)
    with lab.record(*at_tap(guest), linger=6):
        guest.udhcpc()
    lab.hides(f"{_ACK} && dhcp.option.router")
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def dhcp_lease_short_snap_length(lab: Lab) -> None:
    """A healthy boot recorded with a snap length of 128: the options of every DHCP message are cut off."""
    stage = Stage(lab, GuestNetwork(cidr="10.99.0.0/24", gateway="10.99.0.1", number=0x199), first_tap=25)
    guest = stage.guest(0x12, "cut-1", ip="10.99.0.14")
    stage.serve()
    with lab.record(*at_tap(guest), steps=(snap(128),), linger=6):
        guest.dhclient()
        guest.ns.run("ping", "-c", "3", "10.99.0.1")
    lab.shows("frame.len > frame.cap_len", 4)


@scenario
def dhcp_lease_snap_length_96(lab: Lab) -> None:
    """Two healthy boots, of which the first loses two DISCOVERs to a restart of dnsmasq. Recorded on the bridge with a
    snap length of 96: no DHCP message shows its type."""
    stage = Stage(lab, GuestNetwork(cidr="10.98.0.0/24", gateway="10.98.0.1", number=0x198), first_tap=35)
    first, second = stage.guest(0x13, "cut-2"), stage.guest(0x14, "cut-3")
    with lab.record(*stage.at_bridge, told=False, steps=(snap(96),), compress="gz", linger=6):
        first.udhcpc(seconds=5)
        stage.serve()
        first.ns.run("ping", "-c", "3", "10.98.0.1", check=False)
        second.dhclient()
        second.ns.run("ping", "-c", "3", "10.98.0.1")
    lab.shows("udp.srcport == 67 && frame.len > frame.cap_len", 4)
    for guest in (first, second):
        lab.proof("DHCP031", f"udp.srcport == 67 && eth.dst == {guest.mac}", mac=guest.mac)


@scenario
def dhcp_relayed(lab: Lab) -> None:
    """The network has no router of its own: a relay passes requests to a DHCP server in another network and the
    answers back. Recorded on the server's bridge, where every request carries the relay's address."""
    network = GuestNetwork(cidr="10.80.1.0/24", gateway="10.80.1.1", number=0x180)
    stage = Stage(lab, network, first_tap=30, router=False)
    upstream = stage.host.bridge("breth1-900")
    servers = GuestNetwork(cidr="10.250.0.0/24", gateway="10.250.0.1", number=0x181)
    relay = Guest(stage.host, stage.bridge, network.mac(1), "relay")
    relay.plug(upstream, servers.mac(1))
    relay.address("10.80.1.1", 24)
    relay.address("10.250.0.1", 24, nic=1)
    relay.ns.sysctl("net.ipv4.ip_forward", 1)
    relay.ns.spawn("dnsmasq", "-k", "-p", "0", "-u", "root", "-C", "/dev/null", "-x", str(lab.folder / "relay.pid"),
                   "--dhcp-relay=10.80.1.1,10.250.0.53")  # fmt: skip
    server = _remote_server(stage.host, upstream, servers, network)
    guest = stage.guest(0x20, "edge-1", ip="10.80.1.77")
    server.dhcp(stage.known)
    with lab.record(stage.host.ns, upstream, "bridge", linger=6):
        guest.udhcpc()
    lab.shows("dhcp.ip.relay == 10.80.1.1 && dhcp.option.dhcp == 5")
    lab.info("DHCP026", "dhcp.ip.relay == 10.80.1.1")
    lab.proof("DHCP031", _ACK, mac=guest.mac)


def _remote_server(host: Host, bridge: str, here: GuestNetwork, served: GuestNetwork) -> Router:
    server = Router(host, bridge, served, ip="10.250.0.53", mac=here.mac(0x35), label="dhcp-server")
    server.ns.ip("route", "add", "default", "via", here.gateway)
    return server


@scenario
def dhcp_lease_any(lab: Lab) -> None:
    """Two healthy boots recorded with -i any on the host: every frame is there up to three times, without its
    destination MAC."""
    stage = Stage(lab, GuestNetwork(cidr="10.102.0.0/24", gateway="10.102.0.1", number=0x19A), first_tap=33)
    guests = [stage.guest(0x14 + number, f"any-{number}") for number in range(2)]
    stage.serve()
    with lab.record(*stage.at_any, told=False, link_type="LINUX_SLL", compress="gz", linger=6):
        for guest in guests:
            guest.dhclient()
            guest.ns.run("ping", "-c", "2", "10.102.0.1")
    lab.shows(_ACK, 4)
    for guest in guests:
        lab.proof("DHCP031", f"{_ACK} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)


@scenario
def dhcp_two_networks_on_a_trunk(lab: Lab) -> None:
    """Two guest networks, each with a router and DHCP server of its own, on one trunk: two servers and two subnets, as
    it should be, each in its VLAN."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "bond0", "trunks=811,812") for name in ("kvm1", "kvm2"))
    guests = []
    for vlan, network in (
        (811, GuestNetwork(cidr="10.103.1.0/24", gateway="10.103.1.1", number=0x19B, vlan=811)),
        (812, GuestNetwork(cidr="10.103.2.0/24", gateway="10.103.2.1", number=0x19C, vlan=812)),
    ):
        guest = Guest(here.host, here.vlan(vlan), network.mac(0x15), f"net-{vlan}")
        router = Router(there.host, there.vlan(vlan), network, label=f"vr{vlan}")
        router.dhcp([(guest.mac, network.ip(40), guest.name)])
        guests.append(guest)
    with lab.record(here.host.ns, here.uplink, "trunk", told=False, linger=6, steps=(pcapng,)):
        for guest in guests:
            guest.udhcpc()
    for guest in guests:
        lab.proof("DHCP031", f"{_ACK} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)


@scenario
def dhcp_router_failover(lab: Lab) -> None:
    """The primary router of a redundant pair dies after a guest has its lease. The backup takes the gateway's address
    over, announces it, and serves the guest's next boot: server and gateway change their MAC once."""
    network = GuestNetwork(cidr="10.104.0.0/24", gateway="10.104.0.1", number=0x19D)
    stage = Stage(lab, network, first_tap=36, router=False)
    guest = stage.guest(0x16, "ha-1")
    primary, backup = (
        Router(stage.host, stage.bridge, network, ip=network.ip(host), mac=network.mac(host), label=f"vr{host}")
        for host in (2, 3)
    )
    keepalived(primary, network, priority=100)
    keepalived(backup, network, priority=80)
    time.sleep(6)
    primary.dhcp(stage.known, dns=network.gateway, listen=network.gateway)
    with lab.record(*stage.at_bridge, linger=5):
        client = guest.udhcpc()
        time.sleep(5)
        primary.stop_dhcp()
        primary.ns.ip("link", "set", "eth0", "down")
        guest.stop(client)
        time.sleep(8)
        backup.dhcp(stage.known, dns=network.gateway, listen=network.gateway)
        guest.udhcpc()
        guest.ns.run("ping", "-c", "2", network.gateway)
    lab.shows(f"{_ACK} && eth.src == {primary.mac}")
    lab.shows(f"{_ACK} && eth.src == {backup.mac}")
    lab.proof("DHCP031", _ACK, mac=guest.mac)
