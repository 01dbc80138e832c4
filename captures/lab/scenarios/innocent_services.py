"""Healthy services at which somebody knocks in vain, or of which a filter left only half."""

import time

from captures.lab.artefacts import receive_tags_lost
from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.elsewhere import nginx, nginx_tls
from captures.lab.guest import Guest
from captures.lab.management import Management, connects
from captures.lab.post import between, only, shifted, wire
from captures.lab.public import DOMAIN, Public
from captures.lab.scenario import Lab, scenario
from captures.lab.services import password
from captures.lab.services.certificates import authority
from captures.lab.services.metadata import Metadata, keys
from captures.lab.stage import Stage, Trunk, at_tap

_SINK = "import socket,sys\ns = socket.create_server(('', int(sys.argv[1])))\nwhile True: c, _ = s.accept(); c.recv(99)"
_SCAN = """
import socket, time
for _ in range(4):
    for port in (21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 443, 445, 993, 2049, 3260, 3306, 3389, 5900, 8250):
        s = socket.socket(); s.settimeout(1); s.connect_ex(("{server}", port)); s.close()
    time.sleep(5)
"""


def _listen(machine: Machine, *ports: int) -> None:
    for port in ports:
        machine.ns.spawn("python3", "-c", _SINK, str(port))
    time.sleep(0.5)


@scenario
def innocent_scan_that_comes_again(lab: Lab) -> None:
    """A monitoring machine looks through twenty ports of a host every few seconds, four times; only ssh is open there.
    Nobody needs any of the others. Recorded on the label bridge. Healthy."""
    pod = Management(lab, prefix="10.126.0", first_tap=2)
    watcher = pod.machine("b8:59:9f:00:26:21", "mon1", 21)
    host = pod.machine("b8:59:9f:00:26:22", "kvm1", 22)
    _listen(host, 22)
    with lab.record(*pod.at_bridge, told=False, linger=4):
        watcher.ns.run("python3", "-c", _SCAN.format(server="10.126.0.22"))
    for port in (111, 2049, 8250):
        lab.shows(f"tcp.srcport == {port} && tcp.flags.reset == 1", 4)


@scenario
def innocent_openings_alone(lab: Lab) -> None:
    """A host mounts, asks and reports as it should: every connection is accepted. Recorded on the label bridge with the
    filter "tcp[tcpflags] == tcp-syn", as to see who connects to whom. Healthy."""
    pod = Management(lab, prefix="10.127.0", first_tap=4)
    host = pod.machine("b8:59:9f:00:27:22", "kvm1", 22)
    filer = pod.machine("00:a0:98:00:27:31", "nas1", 31)
    pod.serve_many()
    _listen(filer, 111, 2049)
    with lab.record(*pod.at_bridge, told=False, bpf="tcp[tcpflags] == tcp-syn", linger=4):
        for _ in range(4):
            for machine, port in ((filer, 111), (filer, 2049), (pod.server, 8250)):
                connects(host, pod.ip if machine is pod.server else "10.127.0.31", port, tries=1, pause=0.3)
                connects(filer, pod.ip, 8250, tries=1, pause=0.3)
    lab.shows("tcp.flags == 0x02", 24)
    lab.hides("tcp.flags != 0x02")


@scenario
def innocent_portmapper_first(lab: Lab) -> None:
    """As host-nfs-without-portmapper, but the recorder was stopped among the first tries: the refusals of port 111 are
    there, and what the client does next is not. Healthy."""
    pod = Management(lab, prefix="10.128.0")
    host = pod.machine("b8:59:9f:00:28:22", "kvm1", 22)
    filer = pod.machine("00:a0:98:00:28:32", "nas1", 32)
    _listen(filer, 2049)
    with lab.record(*pod.at(host), steps=(between(1, 10),), linger=1):
        connects(host, "10.128.0.32", 111, tries=4)
        connects(host, "10.128.0.32", 2049, tries=1)
    lab.shows("tcp.flags.reset == 1 && tcp.srcport == 111", 3)
    lab.hides("tcp.port == 2049")


def _console(lab: Lab, ip: str, *, newest: str = "TLSv1.2") -> Public:
    """A console that works, and a stranger in its network."""
    public = Public(lab, ip, first_tap=13)
    root = authority("Trusted Root N1")
    public.trust(root)
    pem = public.pem(f"*.{DOMAIN}", issuer=root)
    page = nginx_tls(443, pem, "console" * 90, newest=newest)
    nginx(public.cpvm, page, nginx_tls(8443, pem, "ws"), "server { listen 80; return 301 https://$host$request_uri; }")
    return public


def _stranger(public: Public, last: int) -> Machine:
    stranger = Machine(public.host, "brbond0-500", "00:1c:73:0b:0b:78", "stranger")
    stranger.address(f"203.0.113.{last}", 24)
    return stranger


def _knocks(stranger: Machine, *words: str) -> None:
    for one in words:
        stranger.ns.run("sh", "-c", f"{one} </dev/null >/dev/null 2>&1", check=False, seconds=5)
        time.sleep(0.5)


@scenario
def innocent_console_of_clients_alone(lab: Lab) -> None:
    """A user's console works while a stranger asks in plain HTTP at 443 and in TLS at 80. Recorded at the console
    proxy's tap with the filter "dst host CPVM": nothing that it answers is in the file. Healthy."""
    public = _console(lab, "203.0.113.131")
    stranger = _stranger(public, 8)
    with lab.record(*public.at_cpvm, bpf=f"dst host {public.ip}", linger=2):
        public.page()
        _knocks(
            stranger,
            f"curl -s -m 3 http://{public.ip}:443/",
            f"openssl s_client -connect {public.ip}:80 -servername {public.name}",
        )
        public.page()
    lab.shows("tls.handshake.type == 1 || tcp.dstport == 80", 3)
    lab.hides(f"ip.src == {public.ip}")


@scenario
def innocent_console_and_old_clients(lab: Lab) -> None:
    """A user's console works; a stranger looks for old versions of TLS, which the console proxy has switched off on
    purpose, and finds none. Healthy."""
    public = _console(lab, "203.0.113.132")
    stranger = _stranger(public, 9)
    old = f"openssl s_client -connect {public.ip}:443 -servername {public.name} -cipher ALL:@SECLEVEL=0"
    with lab.record(*public.at_cpvm, told=False, linger=2):
        public.page()
        _knocks(stranger, f"{old} -tls1", f"{old} -tls1_1", f"{old} -tls1")
        public.page()
    lab.shows("tls.alert_message.desc == 70", 2)
    lab.shows("tls.handshake.type == 11", 2)


@scenario
def innocent_recorder_in_the_past(lab: Lab) -> None:
    """A console works. The clock of the machine that recorded at its tap was set a year too early, before the
    certificate was made; the user's browser takes it. Healthy."""
    public = _console(lab, "203.0.113.133")
    with lab.record(*public.at_cpvm, steps=(only("port 443 or arp"), shifted(-365 * 86_400)), linger=2):
        for _ in range(2):
            public.page()
            time.sleep(1)
    lab.shows("tls.handshake.type == 11", 2)
    lab.hides("tls.alert_message.level == 2")
    lab.info("CPVM006")


@scenario
def innocent_pings_without_their_tags(lab: Lab) -> None:
    """As capture-receive-tags-lost, with nothing in the file but the pings. Healthy."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=0,953") for name in ("kvm1", "kvm2"))
    network = GuestNetwork(cidr="10.129.0.0/24", gateway="10.129.0.1", number=0x329, vlan=953)
    one, other = (
        Guest(host.host, host.vlan(953), network.mac(0x33 + n), f"web-{n}") for n, host in enumerate((here, there))
    )
    one.address(network.ip(51), 24)
    other.address(network.ip(52), 24)
    steps = (only("icmp or (vlan and icmp)"), receive_tags_lost((one.mac,)), wire((one.mac,)))
    with lab.record(*here.at_nic, steps=steps, linger=1):
        one.ns.run("ping", "-qc", "5", network.ip(52))
    lab.shows("vlan && icmp.type == 8", 5)
    lab.shows("!vlan && icmp.type == 0", 5)
    lab.info("VLAN004")


@scenario
def innocent_head_of_user_data(lab: Lab) -> None:
    """A script in a guest asks the router for the head of its user-data alone (curl -I), by HTTP/1.0: the server tells
    the length, sends no body, and closes. Then it fetches the whole. Healthy."""
    stage = Stage(lab, GuestNetwork(cidr="10.133.0.0/24", gateway="10.133.0.1", number=0x335), first_tap=6)
    guest = stage.guest(0x19, "app-9", ip="10.133.0.21")
    stage.serve()
    data = Metadata(stage.router)
    data.add("10.133.0.21", keys(9, "10.133.0.21", "app-9", None), "#cloud-config\n" + "# a comment\n" * 90)
    data.serve()
    with lab.record(*at_tap(guest), linger=2):
        guest.dhclient()
        for options in (("-I",), ()):
            guest.ns.run("curl", "-s", "-0", *options, "http://10.133.0.1/latest/user-data")
    lab.shows("http.request.method == HEAD", 1)
    lab.shows("http.content_length > 0 && http.response.code == 200", 2)


@scenario
def innocent_answers_by_the_other_member(lab: Lab) -> None:
    """A console works, name and all. Recorded at one member of the bond by which the browser's site is connected: what
    is sent to the browser's network takes the other member, but for the ARP. Healthy."""
    public = _console(lab, "203.0.113.134")
    with lab.record(*public.at_browser, told=False, steps=(only("arp or src host 198.51.100.77"),), linger=6):
        for _ in range(3):
            public.page()
            time.sleep(1)
    lab.shows("dns.flags.response == 0", 3)
    lab.hides("dns.flags.response == 1")


@scenario
def innocent_password_with_a_poor_recorder(lab: Lab) -> None:
    """A guest boots after a password reset, gets its password and acknowledges it. The recorder was overloaded
    and lost acknowledgements and some of what came from the router: the end of each connection is there, its
    beginning and the answer are not.
    Healthy."""
    stage = Stage(lab, GuestNetwork(cidr="10.136.0.0/24", gateway="10.136.0.1", number=0x338), first_tap=7)
    guest = stage.guest(0x21, "crm-2", ip="10.136.0.21")
    stage.serve()
    secret = "Zx9-lab-secret-62"
    lab.secret(secret)
    password.start(stage.router, {"10.136.0.21": secret}, "G4")
    lost = only("not (tcp port 8080 and (tcp[tcpflags] = tcp-ack or (src port 8080 and tcp[tcpflags] & 10 != 0)))")
    with lab.record(*at_tap(guest), steps=(lost,), linger=2):
        guest.dhclient()
        guest.reset_password(guest.lease().server)
    lab.shows("tcp.srcport == 8080 && tcp.flags.fin == 1", 2)
    lab.hides("tcp.srcport == 8080 && (tcp.len > 0 || tcp.flags.syn == 1)")


@scenario
def innocent_web_server_of_a_guest(lab: Lab) -> None:
    """A guest runs a web server of its own (nginx) that forbids what it does not serve. Its neighbour's scanner asks it
    for metadata, as it asks every address. Both have their leases from the router. Recorded on the bridge. Healthy."""
    stage = Stage(lab, GuestNetwork(cidr="10.137.0.0/24", gateway="10.137.0.1", number=0x339), first_tap=7)
    shop = stage.guest(0x22, "shop-1", ip="10.137.0.22")
    scanner = stage.guest(0x23, "scan-1", ip="10.137.0.23")
    stage.serve()
    nginx(shop, "server { listen 80; location / { return 403; } }")
    with lab.record(*stage.at_bridge, told=False, linger=2):
        for guest in (shop, scanner):
            guest.dhclient()
        for path in ("meta-data/", "meta-data/instance-id", "user-data"):
            scanner.ns.run("curl", "-s", "-o", "/dev/null", f"http://10.137.0.22/latest/{path}")
    lab.shows("http.response.code == 403", 3)
