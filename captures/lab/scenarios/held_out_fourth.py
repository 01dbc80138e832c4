"""Hold-out, fourth part: several networks in one file and other traps, after the third part had been mended."""

import time
from pathlib import Path

from captures.lab.along import Recorder, TwoHosts, record_along
from captures.lab.cloud import Host, Machine
from captures.lab.elsewhere import Elsewhere, lighttpd
from captures.lab.guest import Guest
from captures.lab.keepalived import keepalived
from captures.lab.management import Management
from captures.lab.namespaces import command, end
from captures.lab.overlay import Underlay
from captures.lab.post import pcapng, snap, stretched
from captures.lab.public import DOMAIN, Public
from captures.lab.router import Router, rogue_dhcp
from captures.lab.scenario import Lab, scenario
from captures.lab.services import console, storage
from captures.lab.services.certificates import authority
from captures.lab.stage import Stage, Trunk, at_tap

_SYN = "tcp.flags.syn == 1 && tcp.flags.ack == 0"
_DISCOVER, _ACK = "dhcp.option.dhcp == 1", "dhcp.option.dhcp == 5"


def _net(n: int, vlan: int = 0, prefix: str = "02:11") -> Elsewhere:
    """A /24 in 10.163."""
    return Elsewhere(
        cidr=f"10.163.{n}.0/24", gateway=f"10.163.{n}.1", number=0xE00 + n, vlan=vlan or 2200 + n, prefix=prefix
    )


@scenario
def held_out_fourth_three_tenants_on_any(lab: Lab) -> None:
    """All is well: three isolated networks on one host, each with a router of its own that serves DHCP and advertises
    an IPv6 prefix of its own; two guests of each boot in turn. -i any, cooked version 1. Healthy."""
    host = Host(lab, first_tap=3)
    guests = []
    for n in (1, 2, 3):
        network = _net(n)
        bridge = host.bridge(f"breth1-{network.vlan}")
        router = Router(host, bridge, network, label=f"vr{n}")
        pair = [Guest(host, bridge, network.mac(0x20 + k), f"t{n}-{k}", ipv6=True) for k in (1, 2)]
        router.dhcp([(guest.mac, network.ip(40 + k), guest.name) for k, guest in enumerate(pair)])
        router.ipv6(True)
        router.ns.ip("address", "add", f"2001:db8:{n}::1/64", "dev", "eth0", "nodad")
        lines = f"port=0\nenable-ra\nuser=root\nbind-interfaces\ninterface=eth0\ndhcp-range=2001:db8:{n}::,ra-only,64\n"
        conf = lab.file(f"ra{n}.conf", lines)
        guests.append((pair, router, conf))
    with lab.record(host.ns, "any", "any", told=False, link_type="LINUX_SLL", compress="gz", linger=4):
        for _, router, conf in guests:
            router.ns.spawn("dnsmasq", "-k", "-x", str(conf.with_suffix(".pid")), "-C", str(conf))
        for k in (0, 1):
            for pair, _, _ in guests:
                pair[k].dhclient()
                time.sleep(0.7)
        time.sleep(3)
    lab.shows(_ACK, 6)
    lab.shows("icmpv6.type == 134", 3)


@scenario
def held_out_fourth_two_pairs_on_any(lab: Lab) -> None:
    """All is well: two networks with a redundant pair of routers each, both pairs with the virtual router id 51 that
    CloudStack gives to all of them. -i any on their host, cooked version 2. Healthy."""
    host = Host(lab, first_tap=3)
    for n in (4, 5):
        network = _net(n)
        bridge = host.bridge(f"breth1-{network.vlan}")
        for k, priority in ((2, 150), (3, 90)):
            mac, ip = network.mac(k), network.ip(k)
            keepalived(Router(host, bridge, network, ip=ip, mac=mac, label=f"vr{n}-{k}"), network, priority=priority)
    time.sleep(6)
    with lab.record(host.ns, "any", "any", told=False, link_type="LINUX_SLL2", compress="gz"):
        time.sleep(16)
    lab.shows("vrrp", 25)


@scenario
def held_out_fourth_two_pairs_on_a_trunk(lab: Lab) -> None:
    """All is well: the same two networks on a trunk, the primary of one pair on one host and that of the other on the
    other; the NIC of the first, cut at 80 bytes. Healthy."""
    trunk = Trunk(lab)
    hosts = [trunk.host(name, "eno1", "trunks=2206,2207", first_tap=9) for name in ("hv1", "hv2")]
    for n, order in ((6, (150, 90)), (7, (90, 150))):
        network = _net(n)
        for k, (host, priority) in enumerate(zip(hosts, order, strict=True), 2):
            bridge = host.vlan(network.vlan)
            mac, ip = network.mac(k), network.ip(k)
            router = Router(host.host, bridge, network, ip=ip, mac=mac, label=f"vr{n}-{k}")
            keepalived(router, network, priority=priority)
    time.sleep(6)
    with lab.record(*hosts[0].at_nic, told=False, steps=(snap(80),), compress="gz"):
        time.sleep(16)
    lab.shows("vrrp", 25)


@scenario
def held_out_fourth_arp_scan(lab: Lab) -> None:
    """All is well: an inventory tool in one VLAN of a trunk asks for every address of its /24, most of which nobody
    has; the few that there are answer from another host. Healthy; NIC of the asker's host, role not told."""
    hosts = TwoHosts(lab, _net(8), _net(9), first_tap=9, nic="eno1")
    asker = hosts.guest(0x31, "inventory", ip=40)
    for n in (60, 61):
        hosts.peer(0x50 + n, f"peer{n}", n)
    nic = hosts.near_nic("nic")
    knock = (
        "import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nfor n in range(2, 255):\n"
        f"    s.sendto(b'', ('{hosts.network.ip(0).rsplit('.', 1)[0]}.%d' % n, 9))\n    time.sleep(0.03)"
    )
    with record_along(
        lab, Recorder(name="nic", point=nic.point, local=nic.local, told=False, compress="zst"), linger=3
    ):
        hosts.talk()
        asker.ns.run("python3", "-c", knock)
        time.sleep(4)
    lab.shows("arp.opcode == 1", 250)
    lab.shows("vlan.id == 2208 && arp.opcode == 2", 2)


@scenario
def held_out_fourth_path_mtu_found(lab: Lab) -> None:
    """All is well: a guest loads a page from beyond its router, whose far link takes 1,000 bytes only; the server is
    told so by ICMP, sends smaller segments, and the page arrives. At the tap of the guest, the server. Healthy."""
    stage = Stage(lab, _net(10), first_tap=9)
    guest = stage.guest(0x21, "pmtu", ip=stage.network.ip(40))
    guest.address(stage.network.ip(40), 24, stage.network.gateway)
    beyond = stage.host.bridge("beyond0")
    stage.router.plug(beyond, "02:11:ff:00:00:01")
    stage.router.address("198.51.101.1", 24, nic=1)
    stage.router.ns.sysctl("net.ipv4.ip_forward", 1)
    stage.router.ns.ip("link", "set", "eth1", "mtu", "1000")
    client = Machine(stage.host, beyond, "00:1c:73:99:00:02", "client")
    client.address("198.51.101.2", 24, "198.51.101.1")
    lighttpd(guest, 80, {"index.txt": "page " * 4000})
    with lab.record(*at_tap(guest), told=False, compress="gz", linger=2):
        for _ in range(3):
            guest.ns.ip("route", "flush", "cache")
            client.ns.run("curl", "-s", "-m", "9", "-o", "/dev/null", f"http://{stage.network.ip(40)}/")
            time.sleep(1)
    lab.shows("icmp.type == 3 && icmp.code == 4", 1)
    lab.shows("tcp.len > 900", 20)


@scenario
def held_out_fourth_console_tab_closed(lab: Lab) -> None:
    """All is well: a user opens three consoles and closes each tab within a second of its screen; the fourth he looks
    at. TLS 1.2, page and websocket; at the CPVM's tap. Healthy."""
    public = Public(lab, "203.0.113.71", first_tap=13)
    root = authority("Trusted Root T4")
    public.trust(root)
    pem = public.pem(f"*.{DOMAIN}", issuer=root)
    console.start(public.cpvm, 443, pem)
    console.start(public.cpvm, 8443, pem)
    program = str(Path(__file__).parent.parent / "programs" / "websocket.py")
    with lab.record(*public.at_cpvm, told=False, steps=(snap(700),), compress="zst", linger=2):
        for _ in range(3):
            public.page()
            words = ("python3", program, public.name, "8443", str(public.bundle))
            public.browser.ns.run(*words, check=False, seconds=1.1)
        public.page()
        public.websocket()
    lab.shows("tls.handshake.type == 1", 8)


@scenario
def held_out_fourth_one_plan_in_two_overlays(lab: Lab) -> None:
    """All is well: two tenants' networks 10.1.1.0/24 in VXLAN 6001 and 6002; in each a guest boots (udhcpc) from a
    router on another host and pings it. At the underlay NIC, pcapng. Healthy."""
    underlay = Underlay(lab)
    here, there = underlay.host("hv1", "10.255.9.11", first_tap=3), underlay.host("hv2", "10.255.9.12", first_tap=9)
    guests = []
    for n in (1, 2):
        network = Elsewhere(cidr="10.1.1.0/24", gateway="10.1.1.1", number=0x700 + n, vlan=6000 + n, prefix="02:11")
        bridge, beyond = here.network(6000 + n, there.ip), there.network(6000 + n, here.ip)
        router = Router(there.host, beyond, network, label=f"vr{n}")
        guest = Guest(here.host, bridge, network.mac(9), f"g{n}")
        router.dhcp([(guest.mac, "10.1.1.9", guest.name)])
        guests.append(guest)
    with lab.record(*here.at_nic, told=False, steps=(pcapng,), compress="gz", linger=2):
        for guest in guests:
            guest.udhcpc()
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "0.8", "10.1.1.1")
        for _ in range(4):
            time.sleep(2)
            for guest in guests:
                guest.ns.ip("neigh", "flush", "all")
    for guest in guests:
        lab.proof("DHCP031", f"{_ACK} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)


@scenario
def held_out_fourth_address_twice_on_any(lab: Lab) -> None:
    """Two instances of one network have the same address, one by hand. Neighbours and the router ask for it now and
    then and are answered by both. -i any on their host, cooked version 2, beside another tenant's network."""
    stage = Stage(lab, _net(11), first_tap=3)
    other = _net(12)
    bridge = stage.host.bridge(f"breth1-{other.vlan}")
    stranger = Machine(stage.host, bridge, other.mac(5), "stranger")
    stranger.address(other.ip(5), 24)
    router = Router(stage.host, bridge, other, label="vr2")
    twins = [Guest(stage.host, stage.bridge, stage.network.mac(0x20 + k), f"twin-{k}") for k in (1, 2)]
    for twin in twins:
        twin.address(stage.network.ip(60), 24)
    asker = Guest(stage.host, stage.bridge, stage.network.mac(0x30), "asker")
    asker.address(stage.network.ip(70), 24)
    with lab.record(*stage.at_any, told=False, link_type="LINUX_SLL2", compress="gz", linger=2):
        stranger.ns.spawn("ping", "-q", "-i", "1", router.ip)
        for _ in range(7):
            for machine in (asker, stage.router):
                machine.ns.ip("neigh", "flush", "all")
                machine.ns.run("ping", "-qc", "1", "-W", "1", stage.network.ip(60), check=False)
            time.sleep(1)
    lab.fault("HYP015", f"arp.src.proto_ipv4 == {stage.network.ip(60)}", ip=stage.network.ip(60))


@scenario
def held_out_fourth_rogue_on_any(lab: Lab) -> None:
    """An instance runs libvirt, whose dnsmasq serves 192.168.122.0/24 on the wrong side: two guests of its network get
    two offers each; another tenant's guests boot beside. -i any, cooked version 1."""
    stage = Stage(lab, _net(13), first_tap=3)
    other = _net(14)
    bridge = stage.host.bridge(f"breth1-{other.vlan}")
    router = Router(stage.host, bridge, other, label="vr2")
    theirs = Guest(stage.host, bridge, other.mac(9), "theirs")
    router.dhcp([(theirs.mac, other.ip(9), theirs.name)])
    wrong = Guest(stage.host, stage.bridge, stage.network.mac(0x40), "libvirt")
    wrong.address("192.168.122.1", 24)
    rogue_dhcp(wrong, "192.168.122.50", "192.168.122.90")
    guests = [stage.guest(0x20 + k, f"g-{k}") for k in (1, 2)]
    stage.serve()
    with lab.record(*stage.at_any, told=False, link_type="LINUX_SLL", compress="gz", linger=4):
        guests[0].dhclient()
        theirs.udhcpc()
        guests[1].udhcpc()
    lab.shows("dhcp.option.dhcp_server_id == 192.168.122.1", 2)
    lab.fault("DHCP013", "dhcp.option.dhcp == 2")
    for code in ("DHCP014", "DHCP016", "DHCP012", "DHCP011", "DHCP018", "HYP017"):
        lab.consequence(code)


@scenario
def held_out_fourth_dhcp_dead_in_one_file(lab: Lab) -> None:
    """The router's dnsmasq has died; a guest asks for 40 s (dhcpcd). Its tap and the NIC of its host, where it is
    tagged, are in one pcapng file with two interfaces; the router answers a neighbour."""
    hosts = TwoHosts(lab, _net(15), _net(16), first_tap=17, nic="eno4")
    guest = hosts.guest(0x31, "both-2")
    static = hosts.guest(0x32, "stat", ip=77)
    second = lab.folder / "nic.pcap"

    def both(path: Path) -> Path:
        out = path.with_suffix(".both.pcapng")
        command("mergecap", "-F", "pcapng", "-I", "none", "-w", str(out), str(path), str(second))
        return out

    words = ("tcpdump", "-i", "eno4", "-nU", "--immediate-mode", "-Z", "root", "-w", str(second))
    recorder = hosts.near.host.ns.spawn(*words)
    with lab.record(guest.host.ns, guest.tap, "any", told=False, steps=(both,), compress="zst", linger=6):
        hosts.talk()
        static.ns.spawn("ping", "-q", "-i", "2", hosts.network.gateway)
        guest.dhcpcd(seconds=42, more="noipv4ll")
        end(recorder)
    lab.shows(f"vlan && {_DISCOVER}", 3)
    lab.fault("DHCP001", _DISCOVER, mac=guest.mac)
    lab.consequence("DHCP002")


@scenario
def held_out_fourth_v4_dead_v6_alive(lab: Lab) -> None:
    """Dual stack: the router's dnsmasq for IPv4 has died, its advertisements go on, so the guest has an IPv6 address
    and talks by it while it asks for an IPv4 one (dhclient, 45 s). At the tap."""
    stage = Stage(lab, _net(17), first_tap=44)
    router = stage.router
    router.ipv6(True)
    router.ns.ip("address", "add", "2001:db8:17::1/64", "dev", "eth0", "nodad")
    conf = lab.file("ra.conf", "port=0\nenable-ra\nuser=root\ndhcp-range=2001:db8:17::,ra-only,64\n")
    router.ns.spawn("dnsmasq", "-k", "-x", str(conf.with_suffix(".pid")), "-C", str(conf))
    guest = Guest(stage.host, stage.bridge, stage.network.mac(0x21), "dual-1")
    with lab.record(*at_tap(guest), told=False, compress="gz", linger=6):
        guest.ipv6(True)
        time.sleep(5)
        guest.ns.spawn("ping", "-q", "-i", "2", "2001:db8:17::1")
        guest.dhclient(seconds=45)
    lab.shows("icmpv6.type == 129", 8)
    lab.fault("DHCP001", _DISCOVER, mac=guest.mac)
    lab.consequence("TMPL002")


@scenario
def held_out_fourth_no_default_route(lab: Lab) -> None:
    """The template's network settings have a netmask of 255.0.0.0 and no gateway: the guest asks by ARP for machines of
    other networks in 10/8, which nobody answers; its router's address is answered. At its tap, with the site
    profile."""
    stage = Stage(lab, _net(18), first_tap=44)
    guest = stage.guest(0x21, "mask-8", ip=stage.network.ip(33))
    guest.address(stage.network.ip(33), 8)
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), compress="gz", linger=3):
        for target in ("10.7.1.5", "10.8.2.9", "10.20.0.53", stage.network.gateway):
            guest.ns.run("ping", "-qc", "5", target, check=False, seconds=6)
    lab.shows("arp.opcode == 1", 9)
    lab.fault("TMPL013", "arp.opcode == 1", mac=guest.mac)


@scenario
def held_out_fourth_management_stays_down(lab: Lab) -> None:
    """The management server's service does not come back after an upgrade: two agents are refused every five seconds
    for more than five minutes. -i any on the server, cooked version 2."""
    pod = Management(lab, prefix="100.75.4", first_tap=20)
    hosts = [pod.machine(f"0c:42:a1:75:00:0{n}", f"kvm{n}", 20 + n) for n in (1, 2)]
    with lab.record(
        pod.server.ns, "any", "any", told=False, link_type="LINUX_SLL2", steps=(stretched(6),), compress="gz", linger=1
    ):
        for host in hosts:
            pod.agent(host)
        time.sleep(55)
    lab.shows("tcp.srcport == 8250 && tcp.flags.reset == 1", 18)
    lab.fault("HOST002", "tcp.port == 8250", server=pod.ip)


@scenario
def held_out_fourth_iscsi_refused(lab: Lab) -> None:
    """An iSCSI target does not let a host in (its initiator name is not listed); another host logs in. On the bridge of
    the storage network with the tags of its VLAN lost, cut at 400 bytes."""
    pod = Management(lab, prefix="10.61.9", first_tap=80)
    hosts = [pod.machine(f"0c:42:a1:61:00:0{n}", f"kvm{n}", 30 + n) for n in (1, 2)]
    storage.iscsi_target(pod.server, "iqn.2026-01.com.example:kvm1")
    with lab.record(*pod.at_bridge, told=False, steps=(snap(400),), compress="zst", linger=2):
        storage.iscsi(hosts[0], pod.ip, "iqn.2026-01.com.example:kvm1")
        for _ in range(3):
            storage.iscsi(hosts[1], pod.ip, "iqn.2026-01.com.example:kvm2")
            time.sleep(2)
    lab.shows("iscsi", 4)
    lab.fault("HOST023", "iscsi", server=pod.ip)
