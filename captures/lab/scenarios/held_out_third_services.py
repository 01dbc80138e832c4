"""Hold-out, third part: leases, passwords, meta-data, consoles, groups and hosts, by somebody who had read no rule."""

import time

from captures.lab.along import TwoHosts, bridge_drops, record_along
from captures.lab.artefacts import mirrored
from captures.lab.cloud import Host, Machine, veth
from captures.lab.elsewhere import Elsewhere, dhcpd, haproxy, networkd, nginx, nginx_tls
from captures.lab.guest import Guest
from captures.lab.management import Management, connects
from captures.lab.noise import neighbours
from captures.lab.post import pcapng, snap, stretched
from captures.lab.public import DOMAIN, Public
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.security_groups import listen
from captures.lab.services import password, storage
from captures.lab.services.certificates import authority
from captures.lab.services.metadata import Metadata, keys
from captures.lab.stage import Stage, at_tap

_SYN = "tcp.flags.syn == 1 && tcp.flags.ack == 0"
_DISCOVER, _ACK = "dhcp.option.dhcp == 1", "dhcp.option.dhcp == 5"
_ASK = ("curl", "-s", "-m", "9", "-H", "DomU_Request: send_my_password")
_PXE = ("-V", "PXEClient:Arch:00007:UNDI:003016", "-O", "bootfile")


def _stage(lab: Lab, n: int, *, vlan: int = 0, prefix: str = "02:0c") -> Stage:
    """A /25 in 10.147 with its gateway at the end."""
    network = Elsewhere(
        cidr=f"10.147.{n}.128/25", gateway=f"10.147.{n}.254", number=0x900 + n, vlan=vlan or 2100 + n, prefix=prefix
    )
    return Stage(lab, network, first_tap=n * 3)


@scenario
def held_out_third_unknown_and_no_web(lab: Lab) -> None:
    """Two faults at once: the router does not know the MAC of one guest (networkd), and its web server is down, which
    another one (udhcpc, curl) finds out. On the bridge among neighbours."""
    stage = _stage(lab, 1)
    known = stage.guest(0x21, "ok-1", ip=stage.network.ip(33))
    unknown = stage.guest(0x22, "new-1", known=False)
    neighbours(stage, 11)
    stage.serve()
    with lab.record(*stage.at_bridge, told=False, steps=(pcapng,), compress="zst", linger=6):
        known.udhcpc()
        for key in ("instance-id", "local-hostname", "instance-id"):
            url = f"http://{stage.network.gateway}/latest/meta-data/{key}"
            known.ns.run("curl", "-s", "-m", "9", url, check=False)
            time.sleep(2)
        networkd(unknown, 30)
    lab.shows(f"{_DISCOVER} && dhcp.hw.mac_addr == {unknown.mac}", 3)
    lab.fault("DHCP002", f"{_DISCOVER} && dhcp.hw.mac_addr == {unknown.mac}", mac=unknown.mac)
    lab.fault("META001", "tcp.port == 80", server=stage.network.gateway)
    lab.proof("DHCP031", f"{_ACK} && dhcp.hw.mac_addr == {known.mac}", mac=known.mac)


@scenario
def held_out_third_password_of_gateway(lab: Lab) -> None:
    """A shared network: the router serves DHCP and passwords at .9, the gateway is somebody's physical router. The
    guest's script asks the gateway for the password and is refused. At the tap; the site profile is told."""
    network = Elsewhere(
        cidr="100.70.6.0/25", gateway="100.70.6.126", server="100.70.6.9", number=0x77, vlan=706, prefix="1e:00"
    )
    stage = Stage(lab, network, first_tap=8)
    edge = Machine(stage.host, stage.bridge, "00:1c:73:70:06:01", "edge")
    edge.address(network.gateway, 25)
    guest = stage.guest(0x55, "win-1", ip=network.ip(77))
    stage.serve()
    password.start(stage.router, {network.ip(77): "Zx9-lab-secret-third-1"})
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), compress="gz", linger=3):
        guest.dhcpcd(seconds=9)
        for _ in range(3):
            guest.ns.run(*_ASK, f"http://{network.gateway}:8080/", check=False)
            time.sleep(1)
    lab.shows("tcp.srcport == 8080 && tcp.flags.reset == 1", 3)
    lab.fault("PWD004", "tcp.port == 8080", server=network.gateway)
    lab.consequence("PWD001")
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def held_out_third_password_closed(lab: Lab) -> None:
    """The old socat password server never gets its lock: it accepts, waits a second, and closes without a byte. wget
    asks as the script does, then Python. -i any on the host, cooked version 2, cut at 128 bytes."""
    stage = _stage(lab, 2, prefix="06:11")
    guest = stage.guest(0x21, "pw-1", ip=stage.network.ip(33))
    stage.serve()
    password.start_locked(stage.router, 1)
    asked = f"u.Request('http://{stage.network.gateway}:8080/', headers={{'DomU_Request': 'send_my_password'}})"
    code = f"import urllib.request as u; u.urlopen({asked}, timeout=9)"
    with lab.record(*stage.at_any, told=False, link_type="LINUX_SLL2", steps=(snap(128),), compress="gz", linger=4):
        neighbours(stage, 12)
        guest.udhcpc()
        guest.ask_password(stage.network.gateway)
        guest.ns.run("python3", "-c", code, check=False)
    lab.shows("tcp.srcport == 8080 && tcp.flags.fin == 1", 3)
    lab.fault("PWD013", "tcp.port == 8080", server=stage.network.gateway)


@scenario
def held_out_third_no_data_of_mine(lab: Lab) -> None:
    """The router has data for other guests, none for the address of this one, whose keys are all 404 (curl in a loop);
    its neighbour's crawl is complete. On the bridge, times in nanoseconds."""
    stage = _stage(lab, 3)
    network = stage.network
    good, bad = (stage.guest(0x21 + n, name, ip=network.ip(33 + n)) for n, name in enumerate(("has", "hasnt")))
    stage.serve()
    data = Metadata(stage.router)
    data.add(network.ip(33), keys(33, network.ip(33), "has", None), "#cloud-config\nhostname: has\n")
    data.serve()
    with lab.record(*stage.at_bridge, told=False, nano=True, compress="gz", linger=3):
        good.dhclient()
        good.cloud_init("--fallback", network.gateway, "--no-password")
        bad.udhcpc()
        for _ in range(3):
            for key in ("instance-id", "local-hostname", "local-ipv4", ""):
                bad.ns.run("curl", "-s", "-m", "9", f"http://{network.gateway}/latest/meta-data/{key}", check=False)
            time.sleep(3)
    lab.shows("http.response.code == 404", 12)
    lab.fault("META003", "http.response.code == 404", ip=network.ip(34))
    lab.proof("META013", 'http.request.uri contains "instance-id"', ip=network.ip(33))


@scenario
def held_out_third_boot_disk_gone(lab: Lab) -> None:
    """The instance's disk does not boot: its firmware (here udhcpc as a PXE client) gets an address, finds nothing to
    load, and no system asks for an address afterwards, for more than three minutes. At its tap, neighbours around."""
    stage = _stage(lab, 4)
    guest = stage.guest(0x21, "dead-disk", ip=stage.network.ip(33))
    stage.serve()
    with lab.record(*at_tap(guest), steps=(stretched(4), snap(600)), compress="gz", linger=1):
        neighbours(stage, 12, 13)
        client = guest.udhcpc(options=_PXE)
        time.sleep(1)
        guest.stop(client)
        guest.ns.ip("address", "flush", "dev", "eth0")
        time.sleep(52)
    lab.shows('dhcp.option.vendor_class_id contains "PXEClient"', 2)
    lab.fault("TMPL003", 'dhcp.option.vendor_class_id contains "PXEClient"', mac=guest.mac)
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def held_out_third_boots_by_network_first(lab: Lab) -> None:
    """All is well: the firmware tries the network first (a PXE client), then the system starts from disk and its
    dhclient gets the same address. At the tap, role not told. Healthy."""
    stage = _stage(lab, 5)
    guest = stage.guest(0x21, "netfirst", ip=stage.network.ip(33))
    stage.serve()
    with lab.record(*at_tap(guest), told=False, steps=(stretched(2),), linger=5):
        neighbours(stage, 12)
        client = guest.udhcpc(options=_PXE)
        time.sleep(1)
        guest.stop(client)
        guest.ns.ip("address", "flush", "dev", "eth0")
        time.sleep(22)
        guest.dhclient()
        guest.ns.run("ping", "-qc", "5", stage.network.gateway)
    lab.shows(_ACK, 2)
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def held_out_third_second_address(lab: Lab) -> None:
    """A guest of a zone with security groups was given a second address by its owner, which CloudStack does not know:
    the host drops all that comes from it, ARP too; its first address works. Tap and NIC."""
    network = Elsewhere(cidr="172.22.18.0/24", gateway="172.22.18.1", number=0x2218, vlan=218, prefix="1e:00")
    alive = Elsewhere(cidr="172.22.19.0/24", gateway="172.22.19.1", number=0x2219, vlan=219, prefix="1e:00")
    hosts = TwoHosts(lab, network, alive, first_tap=14, nic="enp9s0")
    guest = hosts.guest(0x31, "two-1", ip=41)
    hosts.peer(0x51, "peer", 81)
    guest.ns.ip("address", "add", f"{network.ip(141)}/24", "dev", "eth0")
    bridge_drops(hosts.near.host, f"iifname {guest.tap} ip saddr {network.ip(141)}")
    bridge_drops(hosts.near.host, f"iifname {guest.tap} arp saddr ip {network.ip(141)}")
    with record_along(lab, hosts.tap(guest, "tap"), hosts.near_nic("nic", compress="gz"), linger=4):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "1.3", network.ip(81))
        guest.ns.spawn("ping", "-q", "-i", "0.9", "-I", network.ip(141), network.ip(81))
        guest.ns.spawn("arping", "-q", "-b", "-c", "6", "-s", network.ip(141), "-I", "eth0", network.gateway)
        time.sleep(18)
    lab.shows(f"icmp.type == 8 && ip.src == {network.ip(141)}", 8)
    lab.hides(f"icmp.type == 0 && ip.dst == {network.ip(141)}")
    lab.shows(f"icmp.type == 0 && ip.dst == {network.ip(41)}", 8)
    lab.fault("SG003", f"ip.src == {network.ip(141)}", ip=network.ip(141), mac=guest.mac)
    lab.consequence("HYP001")


@scenario
def held_out_third_migration_data_port(lab: Lab) -> None:
    """The firewall of a target host admits libvirt's control port 16514 but not the migration data ports: every
    migration hangs at its first data. -i any on the target host, cooked version 2, cut at 128 bytes."""
    pod = Management(lab, prefix="100.71.12", first_tap=50)
    source, target = (pod.machine(f"0c:42:a1:71:00:0{n}", f"kvm{n}", 20 + n) for n in (1, 2))
    listen(target, 16514, 49152, 49153)
    target.drop("tcp dport 49152-49216")
    with lab.record(
        target.ns, "any", "any", told=False, link_type="LINUX_SLL2", steps=(snap(128),), compress="gz", linger=4
    ):
        for port in (49152, 49153):
            connects(source, "100.71.12.22", 16514, tries=1, pause=0.3)
            connects(source, "100.71.12.22", port, tries=1, wait=9, pause=2)
    lab.shows(f"{_SYN} && tcp.dstport >= 49152", 6)
    lab.hides("tcp.srcport >= 49152 && tcp.srcport <= 49216 && tcp.flags.ack == 1")
    lab.fault("HOST011", f"{_SYN} && tcp.dstport >= 49152 && tcp.dstport <= 49216", server="100.71.12.22")


@scenario
def held_out_third_nfs_wrong_path(lab: Lab) -> None:
    """A host's primary storage was added with a path that the NFS server does not export (version 3, as libnfs asks);
    another host has the right one. On the bridge of the storage network, pcapng."""
    pod = Management(lab, prefix="10.60.9", first_tap=80)
    hosts = [pod.machine(f"0c:42:a1:60:00:0{n}", f"kvm{n}", 30 + n) for n in (1, 2)]
    storage.nfs_server(pod.server, "10.60.9.0/24")
    with lab.record(*pod.at_bridge, told=False, steps=(pcapng,), compress="zst", linger=2):
        storage.nfs(hosts[0], "nfs-ls", storage.url(pod.ip))
        for _ in range(3):
            storage.nfs(hosts[1], "nfs-ls", storage.url(pod.ip, "/export/prim"))
            time.sleep(2)
        storage.nfs(hosts[0], "nfs-ls", storage.url(pod.ip))
    lab.shows("mount.status != 0", 3)
    lab.fault("HOST008", "mount", server=pod.ip)


@scenario
def held_out_third_console_of_another_name(lab: Lab) -> None:
    """The CPVM's certificate names one address's dashed name only, that of its old public address. Python, wget and
    curl refuse it. At the CPVM's NIC by a mirror that gives each frame twice, 120 µs apart; TLS 1.2."""
    public = Public(lab, "203.0.113.61", first_tap=13)
    root = authority("Trusted Root T3")
    public.trust(root)
    pem = public.pem(f"203-0-113-45.{DOMAIN}", issuer=root)
    nginx(public.cpvm, nginx_tls(443, pem, "console"))
    code = (
        "import ssl, urllib.request as u; "
        f"u.urlopen('https://{public.name}/', context=ssl.create_default_context(cafile='{public.bundle}'), timeout=5)"
    )
    with lab.record(*public.at_cpvm, told=False, steps=(mirrored(120),), compress="gz", linger=2):
        for _ in range(2):
            public.browser.ns.run("python3", "-c", code, check=False)
            public.page()
            time.sleep(2)
    lab.shows("tls.handshake.type == 11", 4)
    lab.fault("CPVM007", "tls.handshake.type == 11 || tls.handshake.type == 1", name=public.name)
    lab.consequence("CPVM010")


@scenario
def held_out_third_console_zone_silent(lab: Lab) -> None:
    """The name server of the console's zone is dead: the browser's resolver asks it and has no answer for the dashed
    name; other names are answered. -i any on the browser's machine, cooked version 1."""
    public = Public(lab, "203.0.113.62", first_tap=13)
    public.resolver.stop_dhcp()
    _resolver(public, f"server=/{DOMAIN}/198.51.100.200", "address=/intranet.example.net/198.51.100.80")
    with lab.record(public.browser.ns, "any", "any", told=False, link_type="LINUX_SLL", linger=6):
        for _ in range(2):
            public.page()
            public.browser.ns.run("getent", "ahostsv4", "intranet.example.net", check=False)
            time.sleep(1)
    lab.shows('dns.flags.response == 0 && dns.qry.name contains "203-0-113-62"', 4)
    lab.hides('dns.a && dns.qry.name contains "203-0-113-62"')
    lab.fault("CPVM001", 'dns.qry.name contains "203-0-113-62"', name=public.name)


def _resolver(public: Public, *lines: str) -> None:
    """Another dnsmasq as the browser's resolver."""
    text = "\n".join(("no-resolv", "no-hosts", "bind-interfaces", "except-interface=lo", "user=root", *lines, ""))
    conf = public.lab.file("resolver.conf", text)
    public.resolver.ns.spawn("dnsmasq", "-k", "-x", str(conf.with_suffix(".pid")), "-C", str(conf))
    time.sleep(0.6)


@scenario
def held_out_third_console_scanned(lab: Lab) -> None:
    """All is well with a console: a user's resolver is slow and answers the second query only, the page loads, his
    browser resumes its session, gives up one page halfway, and opens the websocket; a scanner tries two hundred ports.
    At the CPVM's tap. Healthy."""
    public = Public(lab, "203.0.113.63", first_tap=13)
    root = authority("Trusted Root T3")
    public.trust(root)
    pem = public.pem(f"*.{DOMAIN}", issuer=root)
    page = nginx_tls(443, pem, "console" * 90)
    nginx(public.cpvm, page, nginx_tls(8443, pem, "ws"))
    scan = (
        "import socket\nfor port in [*range(1, 190), 443, 3389, 5900, 8080, 8250, 8443]:\n"
        f"    s = socket.socket(); s.settimeout(1); s.connect_ex(('{public.ip}', port)); s.close()"
    )
    with lab.record(*public.at_cpvm, told=False, compress="zst", linger=2):
        public.resolver.drop("udp dport 53")
        lab.thread(lambda: _admit_later(public))
        public.page()
        public.s_client("-tls1_2", "-sess_out", str(lab.folder / "session"), seconds=2)
        public.s_client("-tls1_2", "-sess_in", str(lab.folder / "session"), seconds=2)
        public.browser.ns.run("socat", "-u", f"TCP:{public.ip}:443,linger=0", "/dev/null", check=False, seconds=1)
        public.page()
        public.browser.ns.run("python3", "-c", scan)
        public.page()
    lab.shows("tls.handshake.type == 1", 4)
    lab.shows("tcp.flags.reset == 1", 150)


def _admit_later(public: Public) -> None:
    """Let the resolver hear again after three seconds."""
    time.sleep(3)
    public.resolver.admit()


@scenario
def held_out_third_static_with_containers(lab: Lab) -> None:
    """All is well: a guest has its address by hand, on purpose, and bridges three containers with MACs and addresses of
    their own into the network; all talk to the router and each other. At the guest's tap. Healthy."""
    stage = _stage(lab, 6)
    guest = Guest(stage.host, stage.bridge, stage.network.mac(0x21), "docker-1")
    guest.ns.ip("link", "add", "docker0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
    guest.ns.ip("link", "set", "docker0", "address", guest.mac, "up")
    guest.ns.ip("link", "set", "eth0", "master", "docker0")
    guest.ns.ip("address", "add", f"{stage.network.ip(20)}/25", "dev", "docker0")
    containers = []
    for n in range(3):
        inside = lab.namespace(f"c{n}")
        veth(guest.ns, f"c{n}", inside, "eth0")
        guest.ns.ip("link", "set", f"c{n}", "master", "docker0", "up")
        inside.ip("link", "set", "eth0", "address", f"02:42:0a:93:06:0{n}", "up")
        inside.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        inside.ip("address", "add", f"{stage.network.ip(30 + n)}/25", "dev", "eth0")
        containers.append(inside)
    neighbours(stage, 12)
    with lab.record(*at_tap(guest), steps=(stretched(3),), compress="gz", linger=1):
        for inside in (guest.ns, *containers):
            inside.spawn("ping", "-q", "-i", "2.3", stage.network.gateway)
            inside.spawn("ping", "-q", "-i", "3", stage.network.ip(12))
        time.sleep(45)
    lab.shows("icmp.type == 0", 60)


@scenario
def held_out_third_two_servers_one_pool(lab: Lab) -> None:
    """All is well: a provider's pair of DHCP servers with the same reservations behind one relay. Both answer every
    guest with the same address; dhclient and udhcpc take one. On the guests' bridge. Healthy."""
    host = Host(lab, first_tap=70)
    clients, servers = host.bridge("breth1-2190"), host.bridge("breth1-2191")
    agent = Machine(host, clients, "00:1c:73:90:00:01", "relay")
    agent.address("10.190.0.1", 24)
    agent.plug(servers, "00:1c:73:90:00:02")
    agent.address("10.191.0.1", 24, nic=1)
    agent.ns.sysctl("net.ipv4.ip_forward", 1)
    guests = [Guest(host, clients, f"02:0c:90:00:00:0{n}", f"pair-{n}") for n in (1, 2)]
    entries = "".join(
        f"host g{n} {{ hardware ethernet {guest.mac}; fixed-address 10.190.0.{50 + n}; }}\n"
        for n, guest in enumerate(guests)
    )
    for n in (2, 3):
        server = Machine(host, servers, f"00:16:3e:19:00:0{n}", f"dhcp{n}")
        server.address(f"10.191.0.{n}", 24, "10.191.0.1")
        text = "authoritative; default-lease-time 86400; subnet 10.191.0.0 netmask 255.255.255.0 { }\n"
        text += "subnet 10.190.0.0 netmask 255.255.255.0 { option routers 10.190.0.1; }\n"
        dhcpd(server, text + entries)
    words = ("dhcrelay", "-4", "-d", "-pf", str(lab.folder / "relay.pid"), "-id", "eth0", "-iu", "eth1")
    agent.ns.spawn(*words, "10.191.0.2", "10.191.0.3")
    time.sleep(1)
    with lab.record(host.ns, clients, "bridge", told=False, steps=(pcapng,), compress="gz", linger=6):
        guests[0].dhclient()
        guests[1].udhcpc()
        for guest in guests:
            guest.ns.run("ping", "-qc", "3", "10.190.0.1")
    lab.shows("dhcp.option.dhcp == 2", 4)
    for guest in guests:
        lab.proof("DHCP031", f"{_ACK} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)


@scenario
def held_out_third_ipv6_only(lab: Lab) -> None:
    """All is well: a network without IPv4. Its guest has an address by SLAAC from the router's advertisements, and
    talks to the router for three minutes. At the tap. Healthy."""
    stage = Stage(lab, _stage_network(), first_tap=44, router=False)
    router = Machine(stage.host, stage.bridge, stage.network.mac(1), "vr", ipv6=True)
    router.ns.ip("address", "add", "2001:db8:7:7::1/64", "dev", "eth0", "nodad")
    conf = lab.file("radvd.conf", "port=0\nenable-ra\nuser=root\ndhcp-range=2001:db8:7:7::,ra-only,64\n")
    guest = Guest(stage.host, stage.bridge, stage.network.mac(0x21), "six-1")
    with lab.record(*at_tap(guest), steps=(stretched(4),), compress="gz", linger=1):
        router.ns.spawn("dnsmasq", "-k", "-x", str(conf.with_suffix(".pid")), "-C", str(conf))
        time.sleep(1)
        guest.ipv6(True)
        time.sleep(6)
        guest.ns.spawn("ping", "-q", "-i", "2.5", "2001:db8:7:7::1")
        time.sleep(38)
    lab.shows("icmpv6.type == 134", 1)
    lab.shows("icmpv6.type == 129", 10)
    lab.hides("ip || arp")


def _stage_network() -> Elsewhere:
    """A network whose IPv4 plan nobody uses."""
    return Elsewhere(cidr="10.147.7.128/25", gateway="10.147.7.254", number=0x907, vlan=2107, prefix="02:0c")


@scenario
def held_out_third_balancer_checks(lab: Lab) -> None:
    """All is well: a balancer in front of the management server looks every second whether port 8250 opens, without a
    word (SYN, SYN-ACK, RST); two agents talk through it. -i any on the balancer, cooked version 2. Healthy."""
    pod = Management(lab, prefix="100.73.4", first_tap=20)
    balancer = pod.machine("0c:42:a1:73:00:0a", "lb", 10)
    hosts = [pod.machine(f"0c:42:a1:73:00:0{n}", f"kvm{n}", 20 + n) for n in (1, 2)]
    pod.serve_many("100.73.4.10")
    text = "frontend a\n  mode tcp\n  bind :8250\n  default_backend b\nbackend b\n  mode tcp\n"
    text += "  server ms 100.73.4.5:8250 check inter 1s\n"
    haproxy(balancer, text)
    with lab.record(balancer.ns, "any", "any", told=False, link_type="LINUX_SLL2", compress="gz", linger=1):
        for host in hosts:
            pod.agent(host, every=4, server="100.73.4.10")
        time.sleep(26)
    lab.shows("tcp.flags.reset == 1 && tcp.port == 8250", 15)
    lab.shows("tls.app_data", 8)
