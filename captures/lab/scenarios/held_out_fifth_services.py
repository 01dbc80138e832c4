"""Hold-out, fifth part: a week of an operator, services. Small faults in the middle of much that works."""

import time
from pathlib import Path

from captures.lab import management
from captures.lab.cloud import Machine, veth
from captures.lab.elsewhere import Elsewhere, lighttpd
from captures.lab.guest import Guest
from captures.lab.keepalived import keepalived
from captures.lab.management import Management
from captures.lab.noise import neighbours
from captures.lab.post import pcapng, snap, stretched
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.services import password, storage
from captures.lab.services.metadata import Metadata, keys
from captures.lab.stage import Stage, at_tap

_SYN = "tcp.flags.syn == 1 && tcp.flags.ack == 0"
_ACK = "dhcp.option.dhcp == 5"
_AGENT = str(Path(management.__file__).parent / "programs" / "agent.py")


def _net(n: int, *, server: str = "", prefix: str = "02:02") -> Elsewhere:
    """A /22 of 10.3x with its gateway at the upper end."""
    net = f"10.{30 + n}"
    return Elsewhere(
        cidr=f"{net}.4.0/22",
        gateway=f"{net}.7.254",
        server=server and f"{net}.{server}",
        number=0x4100 + n,
        vlan=2710 + n,
        prefix=prefix,
    )


def _loop(machine: Machine, command: str, every: float) -> None:
    """Run a shell command again and again until the scenario ends."""
    machine.ns.spawn("sh", "-c", f"while :; do {command} >/dev/null 2>&1; sleep {every}; done")


class _BusyHost:
    """A KVM host with three isolated networks, an agent's link, and secondary storage that it lists by NFS."""

    def __init__(self, lab: Lab, n: int) -> None:
        self.pod = Management(lab, prefix=f"172.20.{n}", first_tap=200)
        self.stage = Stage(lab, _net(n), first_tap=17)
        self.host = self.stage.host
        label = self.host.bridge("cloudbr0")
        veth(self.host.ns, "eno1", self.pod.switch.ns, "hv-port")
        self.host.ns.ip("link", "set", "eno1", "master", label, "up")
        self.pod.switch.ns.ip("link", "set", "hv-port", "master", self.pod.bridge, "up")
        self.host.ns.ip("address", "add", f"172.20.{n}.21/24", "dev", label)
        self.pod.serve_many()
        storage.nfs_server(self.pod.server, f"172.20.{n}.0/24")
        self.others = [self._tenant(lab, n + k) for k in (1, 2)]

    def _tenant(self, lab: Lab, n: int) -> tuple[Router, list[Guest]]:
        network = _net(n)
        bridge = self.host.bridge(f"breth1-{network.vlan}")
        router = Router(self.host, bridge, network, label=f"vr{n}")
        guests = [Guest(self.host, bridge, network.mac(0x20 + k), f"t{n}-{k}", ipv6=k == 0) for k in range(2)]
        router.dhcp([(guest.mac, network.ip(0x120 + k), guest.name) for k, guest in enumerate(guests)])
        data = Metadata(router)
        for k, guest in enumerate(guests):
            data.add(network.ip(0x120 + k), keys(k, network.ip(0x120 + k), guest.name, None), "#cloud-config\n")
        data.serve()
        lighttpd(guests[1], 8000, {"index.txt": "page " * 60})
        return router, guests

    def work(self) -> None:
        """All that goes on here from now on."""
        words = ("python3", _AGENT, self.pod.ip, str(self.pod.bundle), "3")
        self.host.ns.spawn(*words)
        self.host.ns.spawn("sh", "-c", f"while :; do nfs-ls {storage.url(self.pod.ip)}; sleep 5; done")
        for router, (first, second) in self.others:
            for guest in (first, second):
                guest.dhclient()
            first.cloud_init("--fallback", router.ip, "--no-password")
            _loop(first, f"curl -s -m 3 http://{second.lease().ip}:8000/index.txt", 2)
            _loop(second, f"ping -c 1 {router.ip}; getent hosts deb.debian.org", 3)


@scenario
def held_out_fifth_any_on_a_busy_host(lab: Lab) -> None:
    """All is well: tcpdump -i any -s 96 on a KVM host with three tenants, an agent and NFS, for half a minute; guests
    boot, load pages of each other and resolve names. Cooked version 2. Healthy."""
    busy = _BusyHost(lab, 1)
    guest = busy.stage.guest(0x31, "web-1", ip=busy.stage.network.ip(300))
    busy.stage.serve()
    with lab.record(
        *busy.stage.at_any, told=False, link_type="LINUX_SLL2", steps=(snap(96),), compress="zst", linger=1
    ):
        busy.work()
        guest.udhcpc()
        guest.ns.spawn("ping", "-q", "-i", "2", busy.stage.network.gateway)
        time.sleep(18)
    lab.shows("tcp.port == 8250", 10)
    lab.shows("tcp.port == 2049", 10)


@scenario
def held_out_fifth_metadata_dropped_on_any(lab: Lab) -> None:
    """The input rules of one router let nobody to its port 80: a guest that boots waits for its meta-data in vain
    (cloud-init's order), while the guests of two other tenants on the host crawl theirs; an agent and NFS go on beside.
    tcpdump -i any on the host, cooked version 2."""
    busy = _BusyHost(lab, 4)
    network = busy.stage.network
    guest = busy.stage.guest(0x31, "app-1", ip=network.ip(300))
    busy.stage.serve()
    Metadata(busy.stage.router).serve()
    busy.stage.router.drop("tcp dport 80")
    with lab.record(*busy.stage.at_any, told=False, link_type="LINUX_SLL2", compress="zst", linger=4):
        busy.work()
        guest.dhclient()
        guest.cloud_init("--fallback", network.gateway, "--patience", "35", "--timeout", "12", "--no-password")
    lab.shows(f"{_SYN} && tcp.dstport == 80 && ip.dst == {network.gateway}", 6)
    lab.hides(f"tcp.srcport == 80 && ip.src == {network.gateway}")
    lab.fault("META002", f"{_SYN} && tcp.dstport == 80 && ip.dst == {network.gateway}", server=network.gateway)
    for code in ("META011", "SG001"):
        lab.consequence(code)


@scenario
def held_out_fifth_router_upstream_gone(lab: Lab) -> None:
    """The upstream router of the public network goes dark while two virtual routers ask for it; their peers of
    site-to-site VPNs in that network go on answering. Taken in one virtual router, at eth0 (guests) and eth2 (public),
    begun some seconds before. The guests' pages from outside fail."""
    stage = Stage(lab, _net(7), first_tap=3)
    network, router = stage.network, stage.router
    guests = [stage.guest(0x31 + k, f"web-{k}", ip=network.ip(300 + k)) for k in range(3)]
    for k, guest in enumerate(guests):
        guest.address(network.ip(300 + k), 22, network.gateway)
    cloud0, public = stage.host.bridge("cloud0"), stage.host.bridge("brbond0-900")
    router.plug(cloud0, "0e:00:a9:fe:12:0a")
    router.address("169.254.18.10", 16, nic=1)
    router.plug(public, "1e:00:2f:00:01:0a")
    router.address("198.18.40.31", 26, "198.18.40.1", nic=2)
    router.ns.sysctl("net.ipv4.ip_forward", 1)
    for words in (
        "add table ip nat",
        "add chain ip nat post { type nat hook postrouting priority 100; }",
        "add rule ip nat post oifname eth2 masquerade",
    ):
        router.ns.run("nft", words)
    stage.serve()
    edge = Machine(stage.host, public, "00:1c:73:40:00:01", "edge")
    edge.address("198.18.40.1", 26)
    edge.ns.ip("address", "add", "203.0.113.80/32", "dev", "lo")
    lighttpd(edge, 80, {"index.txt": "outside " * 90})
    peers = []
    for k in range(3):
        peer = Machine(stage.host, public, f"1e:00:2f:00:02:{k:02x}", f"vr-peer{k}")
        peer.address(f"198.18.40.{40 + k}", 26, "198.18.40.1")
        peers.append(peer)
    points = [(router.ns, f"eth{n}", "router", f"eth{n}") for n in (0, 2)]
    with (
        lab.record(*points[0][:2], "router", name="eth0", told=False, steps=(snap(128),), compress="gz", linger=3),
        lab.record(*points[1][:2], "router", name="eth2", told=False, steps=(snap(128),), compress="gz", linger=3),
    ):
        for k, guest in enumerate(guests):
            _loop(guest, "curl -s -m 4 http://203.0.113.80/index.txt; getent hosts deb.debian.org", 1.2 + k / 3)
        for k in range(3):
            router.ns.spawn("ping", "-q", "-i", "2", f"198.18.40.{40 + k}")
        peers[1].ns.spawn("ping", "-q", "-i", "2", "198.18.40.1")
        time.sleep(8)
        stage.host.ns.ip("link", "set", edge.tap, "down")
        for machine in (router, peers[1]):
            machine.ns.ip("neigh", "flush", "to", "198.18.40.1")
        time.sleep(25)
    lab.shows("arp.opcode == 1 && arp.dst.proto_ipv4 == 198.18.40.1", 15)
    lab.shows("icmp.type == 0 && ip.src == 198.18.40.41", 8)
    lab.fault("VLAN019", "arp.opcode == 1 && arp.dst.proto_ipv4 == 198.18.40.1", ip="198.18.40.1")
    for code in ("DHCP020", "PHYS005"):
        lab.consequence(code)


@scenario
def held_out_fifth_password_at_own_address(lab: Lab) -> None:
    """A redundant pair: dnsmasq of the primary answers from its own address, its password server listens on the shared
    one only. One guest asks the server of its lease and is refused, another asks the gateway and is served. On the
    bridge, among three neighbours."""
    network = _net(8, server="4.2")
    stage = Stage(lab, network, first_tap=3)
    second = Router(stage.host, stage.bridge, network, ip=network.ip(3), mac=network.mac(3), label="vr-b")
    keepalived(stage.router, network, priority=120)
    keepalived(second, network, priority=80)
    guests = [stage.guest(0x31 + k, f"pw-{k}", ip=network.ip(300 + k)) for k in range(2)]
    neighbours(stage, 61, 62, 63)
    stage.serve()
    secrets = {network.ip(300 + k): f"Kq7-lab-secret-fifth-{k}" for k in range(2)}
    lab.secret(secrets[network.ip(301)])
    time.sleep(6)
    password.start(stage.router, secrets, ip=network.gateway)
    with lab.record(*stage.at_bridge, told=False, steps=(pcapng,), compress="zst", linger=3):
        guests[0].dhclient()
        guests[1].udhcpc()
        guests[1].reset_password(network.gateway)
        for _ in range(3):
            guests[0].ask_password(guests[0].lease().server)
            time.sleep(3)
    server = network.ip(2)
    lab.shows(f"tcp.srcport == 8080 && tcp.flags.reset == 1 && ip.src == {server}", 2)
    lab.fault("PWD002", f"tcp.port == 8080 && ip.addr == {server}", server=server)
    lab.consequence("DHCP024")
    lab.proof("PWD009", "tcp.port == 8080", ip=network.ip(301))


@scenario
def held_out_fifth_password_not_set(lab: Lab) -> None:
    """A template whose script cannot run chpasswd: it fetches the password and never acknowledges it, while the guest
    goes on for 75 s. Two other guests reset theirs as they should, four neighbours talk. On the bridge."""
    stage = Stage(lab, _net(9), first_tap=3)
    network = stage.network
    guests = [stage.guest(0x31 + k, f"db-{k}", ip=network.ip(300 + k)) for k in range(3)]
    stage.serve()
    secrets = {network.ip(300 + k): f"Wv4-lab-secret-fifth-{k}" for k in range(3)}
    lab.secret(*secrets.values())
    password.start(stage.router, secrets, "G2")
    with lab.record(*stage.at_bridge, told=False, compress="zst", linger=1):
        neighbours(stage, 61, 62, 63, 64)
        for guest in guests:
            guest.udhcpc()
        guests[0].reset_password(network.gateway)
        guests[1].ask_password(network.gateway)
        guests[1].ns.spawn("ping", "-q", "-i", "3", network.gateway)
        time.sleep(4)
        guests[2].reset_password(network.gateway)
        time.sleep(74)
    lab.shows("http.request && ip.src == 10.39.5.45", 1, 1)
    lab.fault("PWD008", f"tcp.port == 8080 && ip.addr == {network.ip(301)}", ip=network.ip(301))
    for k in (0, 2):
        lab.proof("PWD009", "tcp.port == 8080", ip=network.ip(300 + k))


@scenario
def held_out_fifth_data_of_another(lab: Lab) -> None:
    """An address was used again, and the router still has the meta-data of the instance that had it before: its
    local-ipv4 and names are another's. Two neighbours get their own. Taken at eth0 of the router."""
    stage = Stage(lab, _net(10), first_tap=3)
    network = stage.network
    guests = [stage.guest(0x31 + k, f"srv-{k}", ip=network.ip(300 + k)) for k in range(3)]
    stage.serve()
    data = Metadata(stage.router)
    for k in range(3):
        whose = 340 if k == 1 else 300 + k
        name = "old-shop" if k == 1 else f"srv-{k}"
        data.add(network.ip(300 + k), keys(whose, network.ip(whose), name, None), f"#cloud-config\nhostname: {name}\n")
    data.serve()
    with lab.record(*stage.in_router, told=False, nano=True, compress="zst", linger=2):
        neighbours(stage, 61, 62)
        for guest in guests:
            guest.udhcpc()
            guest.cloud_init("--fallback", network.gateway, "--no-password")
    lab.shows('http.file_data contains "old-shop"')
    lab.fault("META008", f"http && ip.addr == {network.ip(301)}", ip=network.ip(301))
    for k in (0, 2):
        lab.proof("META013", "http", ip=network.ip(300 + k))


@scenario
def held_out_fifth_user_data_stalls(lab: Lab) -> None:
    """Between the router and the bridge nothing above 1,250 bytes passes: keys of the meta-data come, the 9 kB of
    user-data never do. Two guests try it, by cloud-init's order and with curl. Taken at eth0 of the router."""
    network = _net(11)
    stage = Stage(lab, network, first_tap=3, cable=lambda frame, _: () if len(frame) > 1250 else ((0.0, frame),))
    guests = [stage.guest(0x31 + k, f"big-{k}", ip=network.ip(300 + k)) for k in range(2)]
    stage.serve()
    data = Metadata(stage.router)
    for k in range(2):
        lines = "".join(f"# {n * 7919 % 10007:05}\n" for n in range(1100))
        data.add(network.ip(300 + k), keys(300 + k, network.ip(300 + k), f"big-{k}", None), "#cloud-config\n" + lines)
    data.serve()
    with lab.record(*stage.in_router, told=False, compress="zst", linger=3):
        neighbours(stage, 61, 62)
        for guest in guests:
            guest.dhclient()
        base = f"http://{network.gateway}/latest"
        for guest in guests:
            for path in ("meta-data/instance-id", "user-data", "meta-data/local-hostname"):
                guest.ns.run("curl", "-s", "-m", "14", "-o", "/dev/null", f"{base}/{path}", check=False)
    lab.shows("tcp.srcport == 80 && tcp.len > 1200", 6)
    lab.fault("META009", "tcp.srcport == 80 && tcp.len > 1200", server=network.gateway)
    for code in ("VLAN017", "TMPL011", "HOST009", "META010", "META011", "HYP023"):
        lab.consequence(code)


@scenario
def held_out_fifth_router_starts_late(lab: Lab) -> None:
    """All is well: a network is restarted while its guest boots. The first DISCOVERs find no router, then dnsmasq comes
    up, then (after two refusals) Apache and the password server; everything is fetched. On the bridge. Healthy."""
    stage = Stage(lab, _net(12), first_tap=3)
    network = stage.network
    guest = stage.guest(0x31, "early-1", ip=network.ip(300))
    secret = {network.ip(300): "Rt5-lab-secret-fifth"}
    lab.secret(*secret.values())
    data = Metadata(stage.router)
    data.add(network.ip(300), keys(300, network.ip(300), "early-1", None), "#cloud-config\n")
    with lab.record(*stage.at_bridge, told=False, compress="gz", linger=2):
        neighbours(stage, 61)
        guest.dhclient(seconds=9)
        stage.serve()
        time.sleep(16)
        guest.cloud_init("--fallback", network.gateway, "--patience", "4", "--no-password")
        guest.ask_password(network.gateway)
        data.serve()
        password.start(stage.router, secret)
        guest.cloud_init("--fallback", network.gateway)
    lab.shows("tcp.srcport == 80 && tcp.flags.reset == 1", 2)
    lab.shows("http.response.code == 200", 9)
    lab.proof("PWD009", "tcp.port == 8080", ip=network.ip(300))


@scenario
def held_out_fifth_only_ipv6_noise(lab: Lab) -> None:
    """A template whose network settings name an interface that the instance has not: its kernel says what it says by
    itself (IPv6) and nobody asks for an address, for more than two minutes. Its neighbours' broadcasts come to its tap;
    the profile tells an IPv4 network with DHCP."""
    stage = Stage(lab, _net(13), first_tap=3)
    guest = stage.guest(0x31, "mute-1", ip=stage.network.ip(300))
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), steps=(stretched(4),), compress="gz", linger=1):
        neighbours(stage, 61, 62, 63)
        guest.ipv6(True)
        for _ in range(9):
            stage.router.ns.run("arping", "-q", "-c", "1", "-I", "eth0", stage.network.ip(700), check=False)
            time.sleep(4)
    lab.shows(f"ipv6 && eth.src == {guest.mac}", 4)
    lab.hides(f"ip && eth.src == {guest.mac}")
    lab.fault("TMPL002", f"ipv6 && eth.src == {guest.mac}", mac=guest.mac)
    lab.consequence("TMPL001")


@scenario
def held_out_fifth_router_fails_over(lab: Lab) -> None:
    """All is well: the primary of a redundant pair is rebooted; the other takes the gateway's address with gratuitous
    ARP and serves, and does not give it back at once when the first returns (three seconds later, lower now). Guests
    ping through it. On the bridge, cut at 96 bytes. Healthy."""
    network = _net(14, server="4.2")
    stage = Stage(lab, network, first_tap=3)
    second = Router(stage.host, stage.bridge, network, ip=network.ip(3), mac=network.mac(3), label="vr-b")
    keepalived(stage.router, network, priority=120)
    keepalived(second, network, priority=80)
    neighbours(stage, 61, 62)
    guest = stage.guest(0x31, "web-1", ip=network.ip(300))
    guest.address(network.ip(300), 22, network.gateway)
    time.sleep(6)
    with lab.record(*stage.at_bridge, told=False, steps=(snap(96),), compress="gz", linger=1):
        guest.ns.spawn("ping", "-q", "-i", "0.5", network.gateway)
        time.sleep(10)
        stage.host.ns.ip("link", "set", stage.router.tap, "down")
        time.sleep(20)
    lab.shows(f"arp.opcode == 1 && arp.src.proto_ipv4 == {network.gateway} && eth.src == {second.mac}", 2)
    lab.shows("icmp.type == 0", 30)


@scenario
def held_out_fifth_data_asked_of_the_gateway(lab: Lab) -> None:
    """A shared network: the virtual router serves at .9, the gateway is a physical router with a web page of its own. A
    template's script asks the gateway for its meta-data (curl) and gets 404 for every key; a neighbour asks the virtual
    router and gets all. On the bridge, pcapng, with the site profile."""
    network = Elsewhere(
        cidr="198.19.44.0/24", gateway="198.19.44.254", server="198.19.44.9", number=0x6144, vlan=644, prefix="1e:00"
    )
    stage = Stage(lab, network, first_tap=3)
    edge = Machine(stage.host, stage.bridge, "00:1c:73:44:00:fe", "edge")
    edge.address(network.gateway, 24)
    lighttpd(edge, 80, {"index.html": "<h1>EdgeOS</h1>"})
    good, bad = (stage.guest(0x31 + k, f"sh-{k}", ip=network.ip(60 + k)) for k in range(2))
    stage.serve()
    data = Metadata(stage.router)
    for k in range(2):
        data.add(network.ip(60 + k), keys(60 + k, network.ip(60 + k), f"sh-{k}", None), "#cloud-config\n")
    data.serve()
    lab.truth.site = stage.site()
    with lab.record(*stage.at_bridge, told=False, steps=(pcapng,), compress="gz", linger=3):
        neighbours(stage, 81, 82)
        good.dhclient()
        good.cloud_init("--fallback", stage.router.ip, "--no-password")
        bad.udhcpc()
        for _ in range(2):
            for key in ("meta-data/instance-id", "meta-data/local-hostname", "meta-data/", "user-data"):
                bad.ns.run("curl", "-s", "-m", "5", f"http://{network.gateway}/latest/{key}", check=False)
            time.sleep(3)
    lab.shows("http.response.code == 404", 8)
    lab.fault("META012", f"http && ip.addr == {network.gateway}", server=network.gateway)
    lab.consequence("META003")
    lab.proof("META013", "http", ip=network.ip(60))
