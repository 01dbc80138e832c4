"""Hold-out: passwords, meta-data and the console proxy, by other servers and clients."""

import time
from datetime import timedelta

from captures.lab.elsewhere import Elsewhere, haproxy, lighttpd, nginx, nginx_tls
from captures.lab.guest import Guest
from captures.lab.noise import neighbours
from captures.lab.post import pcapng, snap
from captures.lab.public import Public
from captures.lab.scenario import Lab, scenario
from captures.lab.services import password
from captures.lab.services.certificates import authority
from captures.lab.services.metadata import keys
from captures.lab.stage import Stage, at_tap

_SYN = "tcp.flags.syn == 1 && tcp.flags.ack == 0"
_ACK = "dhcp.option.dhcp == 5"
_CERTIFICATE, _HELLO = "tls.handshake.type == 11", "tls.handshake.type == 1"
_ZONE = "vm.cloud.example.org"


def _stage(lab: Lab, n: int, *, first_tap: int, prefix: str = "02:05") -> tuple[Stage, Guest, str]:
    """A network, a guest that the router knows, and its address."""
    network = Elsewhere(cidr=f"100.{100 + n}.8.0/23", gateway=f"100.{100 + n}.9.254", number=0x2200 + n, vlan=1900 + n,
                        prefix=prefix)  # fmt: skip
    stage = Stage(lab, network, first_tap=first_tap)
    ip = network.ip(0x120 + n)
    guest = stage.guest(0x300 + n, f"srv-{n}", ip=ip)
    stage.serve()
    return stage, guest, ip


@scenario
def held_out_password_all_bad_request(lab: Lab) -> None:
    """A router of an old build (4.4's socat server) cannot read the header and answers bad_request to everybody: two
    guests, curl and wget, one after the other. On the bridge, cut at 256 bytes."""
    stage, guest, _ = _stage(lab, 1, first_tap=10, prefix="06:77")
    other = stage.guest(0x400, "srv-b", ip=stage.network.ip(0x140))
    stage.router.stop_dhcp()
    stage.serve()
    password.start(stage.router, {}, "G2", only_keyword=b"bad_request")
    with lab.record(*stage.at_bridge, told=False, steps=(snap(256), pcapng), linger=4):
        guest.dhclient()
        guest.ask_password(guest.lease().server)
        other.udhcpc()
        for _ in range(2):
            other.ns.run("curl", "-s", "-m", "9", "-H", "DomU_Request: send_my_password",
                         f"http://{stage.network.gateway}:8080/", check=False)  # fmt: skip
            time.sleep(2)
    lab.shows('tcp.srcport == 8080 && tcp.payload contains "bad_request"', 3)
    lab.fault("PWD007", "tcp.port == 8080", server=stage.network.gateway)


@scenario
def held_out_password_swallowed(lab: Lab) -> None:
    """The router's INPUT chain lost the rule for 8080: the SYNs of the guest's script vanish, DNS, DHCP and ARP are
    answered. -i any on the host, cooked version 1, cut at 96 bytes."""
    stage, guest, _ = _stage(lab, 2, first_tap=14)
    stage.router.drop("tcp dport 8080")
    with lab.record(*stage.at_any, told=False, link_type="LINUX_SLL", steps=(snap(96),), compress="gz", linger=5):
        neighbours(stage, 0x21)
        guest.dhcpcd(seconds=8)
        guest.ns.run("ping", "-qc", "3", stage.network.gateway)
        guest.ask_password(stage.network.gateway, wait=40)
    lab.shows(f"{_SYN} && tcp.dstport == 8080", 6)
    lab.hides("tcp.srcport == 8080")
    lab.fault("PWD003", f"{_SYN} && tcp.dstport == 8080", port=8080)


@scenario
def held_out_password_web_server(lab: Lab) -> None:
    """On port 8080 of the address that the lease names sits somebody's nginx, which answers the guest's request for its
    password with a page."""
    stage, guest, _ = _stage(lab, 3, first_tap=18)
    nginx(stage.router, "server { listen 8080; location / { default_type text/html; "
                        "return 200 '<html><body>Welcome to the gateway</body></html>'; } }")  # fmt: skip
    with lab.record(*at_tap(guest), linger=5):
        guest.dhclient()
        for _ in range(2):
            guest.ask_password(guest.lease().server)
            time.sleep(3)
    lab.shows('http.server contains "nginx"', 2)
    lab.fault("PWD012", "tcp.port == 8080", server=stage.network.gateway)
    lab.consequence("PWD008")
    lab.consequence("PWD010")
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def held_out_password_second_boot(lab: Lab) -> None:
    """A guest's second boot: the password was fetched long ago, the old socat server says saved_password, and the guest
    leaves it at that. Healthy; at the tap, role not told."""
    stage, guest, _ = _stage(lab, 4, first_tap=22, prefix="06:77")
    password.start(stage.router, {}, "G1")
    with lab.record(*at_tap(guest), told=False, nano=True, compress="zst", linger=8):
        guest.udhcpc()
        guest.ask_password(guest.lease().server)
    lab.shows('tcp.srcport == 8080 && tcp.payload contains "saved_password"')
    lab.info("PWD006", "tcp.port == 8080")
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def held_out_password_fetched(lab: Lab) -> None:
    """A reset: the Python 2 server delivers, the guest (curl in a script) acknowledges 4 s later. -i any on the host,
    cooked version 2. Healthy."""
    stage, guest, ip = _stage(lab, 5, first_tap=26)
    lab.secret("Zx9-lab-secret-held-5")
    password.start(stage.router, {ip: "Zx9-lab-secret-held-5"}, "G2")
    with lab.record(*stage.at_any, told=False, link_type="LINUX_SLL2", compress="gz", linger=3):
        guest.dhclient()
        server = guest.lease().server
        for word in ("send_my_password", "saved_password"):
            guest.ns.run("curl", "-s", "-m", "9", "-H", f"DomU_Request: {word}", f"http://{server}:8080/")
            time.sleep(4)
    lab.proof("PWD009", 'http.request.line contains "saved_password"', ip=ip)


@scenario
def held_out_metadata_refused(lab: Lab) -> None:
    """The router's web server did not start: cloud-init asks for instance-id, is refused, and asks again with growing
    pauses. On the bridge among neighbours."""
    stage, guest, _ = _stage(lab, 6, first_tap=30)
    with lab.record(*stage.at_bridge, told=False, steps=(pcapng,), compress="xz", linger=4):
        neighbours(stage, 0x21, 0x22)
        guest.udhcpc()
        guest.cloud_init("--fallback", guest.lease().server, "--no-password", "--patience", "28")
    lab.shows("tcp.srcport == 80 && tcp.flags.reset == 1", 4)
    lab.fault("META001", f"tcp.srcport == 80 || ({_SYN} && tcp.dstport == 80)", server=stage.network.gateway)
    lab.consequence("META011")


@scenario
def held_out_metadata_lighttpd(lab: Lab) -> None:
    """An operator's own router image serves the data by lighttpd: instance-id and user-data are there, public-keys and
    cloud-identifier are not. Healthy."""
    stage, guest, ip = _stage(lab, 7, first_tap=34)
    have = keys(7, ip, "srv-7", None)
    del have["cloud-identifier"]
    files = {f"latest/meta-data/{name}": text for name, text in have.items()}
    files["latest/meta-data/index.txt"] = "\n".join([*have, "public-keys", "cloud-identifier"])
    files["latest/user-data"] = "#cloud-config\npassword: Zx9-lab-userdata-held-7\n"
    lab.secret("Zx9-lab-userdata-held-7")
    lighttpd(stage.router, 80, files)
    with lab.record(*at_tap(guest), compress="gz", linger=4):
        guest.dhclient()
        time.sleep(1)
        guest.cloud_init("--fallback", guest.lease().server, "--no-password")
    lab.shows("http.response.code == 404", 2, 3)
    lab.shows("http.response.code == 200", 8)
    lab.info("META006", "http.response.code == 404")
    lab.proof("META013", 'http.request.uri contains "instance-id"', ip=ip)


@scenario
def held_out_metadata_503(lab: Lab) -> None:
    """A router with haproxy before a web server that is dead: 503 for every key. Inside the router."""
    stage, guest, _ = _stage(lab, 8, first_tap=38)
    haproxy(stage.router, "frontend a\n  mode http\n  bind :80\n  default_backend b\nbackend b\n  mode http\n"
                          "  server w 127.0.0.1:81 disabled\n")  # fmt: skip
    with lab.record(*stage.in_router, steps=(snap(500),), linger=4):
        guest.dhclient()
        guest.cloud_init("--fallback", guest.lease().server, "--no-password", "--patience", "20")
    lab.shows("http.response.code == 503", 3)
    lab.fault("META005", "http", server=stage.network.gateway)
    lab.consequence("META011")


def _console(lab: Lab, ip: str) -> tuple[Public, str]:
    """A CPVM with this address, and its dashed name in another zone than the lab's usual one."""
    name = f"{ip.replace('.', '-')}.{_ZONE}"
    return Public(lab, ip, records=((name, ip),), dashed_name=False, first_tap=80), name


def _visits(public: Public, name: str, times: int, *options: str) -> None:
    for _ in range(times):
        public.page(name, options=options)
        time.sleep(1.5)


@scenario
def held_out_console_expired_an_hour_ago(lab: Lab) -> None:
    """nginx on the CPVM, and a certificate that expired an hour ago; curl and wget refuse it. At the CPVM's tap; role
    not told."""
    public, name = _console(lab, "203.0.113.9")
    root = authority("Trustworthy Root R9")
    public.trust(root)
    pem = public.pem(f"*.{_ZONE}", issuer=root, starts=timedelta(days=-90), ends=timedelta(hours=-1))
    nginx(public.cpvm, nginx_tls(443, pem, "console"))
    with lab.record(*public.at_cpvm, told=False, nano=True, compress="zst", linger=2):
        _visits(public, name, 2)
        for _ in range(2):
            public.browser.ns.run("wget", "-q", "-t", "1", "-T", "9", "-O", "/dev/null",
                                  f"--ca-certificate={public.bundle}", f"https://{name}/", check=False)  # fmt: skip
    lab.shows(_CERTIFICATE, 4)
    lab.fault("CPVM006", _CERTIFICATE)
    lab.consequence("CPVM010")


@scenario
def held_out_console_wildcard_too_high(lab: Lab) -> None:
    """The certificate is for *.cloud.example.org, the console's names have one label more. wget refuses after the
    handshake. -i any on the browser's machine, cooked version 2."""
    public, name = _console(lab, "203.0.113.10")
    root = authority("Trustworthy Root R9")
    public.trust(root)
    nginx(public.cpvm, nginx_tls(443, public.pem("*.cloud.example.org", "cloud.example.org", issuer=root), "console"))
    with lab.record(public.browser.ns, "any", "any", told=False, link_type="LINUX_SLL2", linger=2):
        _visits(public, name, 2)
        for _ in range(2):
            public.browser.ns.run("wget", "-q", "-t", "1", "-T", "9", "-O", "/dev/null",
                                  f"--ca-certificate={public.bundle}", f"https://{name}/", check=False)  # fmt: skip
    lab.shows(_CERTIFICATE, 3)
    lab.fault("CPVM007", f"{_CERTIFICATE} || {_HELLO}", name=name)
    lab.consequence("CPVM010")


@scenario
def held_out_console_websocket_refused(lab: Lab) -> None:
    """The page loads from nginx on 443, nothing listens on 8443: three tries are refused. On the public bridge."""
    public, name = _console(lab, "203.0.113.11")
    root = authority("Trustworthy Root R9")
    public.trust(root)
    nginx(public.cpvm, nginx_tls(443, public.pem(f"*.{_ZONE}", issuer=root), "console" * 300))
    with lab.record(public.host.ns, "brbond0-500", "bridge", steps=(pcapng,), compress="gz", linger=5):
        public.page(name)
        for _ in range(3):
            public.websocket(name)
            time.sleep(2)
    lab.shows("tcp.srcport == 8443 && tcp.flags.reset == 1", 3)
    lab.fault("CPVM005", "tcp.port == 8443", server="203.0.113.11", port=8443)


@scenario
def held_out_console_through_haproxy(lab: Lab) -> None:
    """A fixed console name points to haproxy, which passes TLS 1.3 on to nginx; a browser resumes sessions and a second
    one leaves spare connections unused. Healthy; at the balancer's public tap."""
    ip = "203.0.113.12"
    public = Public(lab, ip, records=((f"vnc.{_ZONE}", ip),), dashed_name=False, first_tap=80)
    root = authority("Trustworthy Root R9")
    public.trust(root)
    nginx(public.cpvm, nginx_tls(7443, public.pem(f"vnc.{_ZONE}", issuer=root), "console" * 500, newest="TLSv1.3"))
    proxies = "frontend a\n  mode tcp\n  bind :443\n  default_backend b\nbackend b\n  mode tcp\n"
    proxies += "  server w 127.0.0.1:7443\n"
    haproxy(public.cpvm, proxies)
    with lab.record(*public.at_cpvm, told=False, linger=2):
        for _ in range(3):
            public.browser.ns.run("bash", "-c", f"exec 3<>/dev/tcp/{ip}/443; sleep 1", check=False)
            public.browser.ns.run("socat", "-T", "1", "/dev/null", f"TCP:{ip}:443,linger=0", check=False)
            public.page(f"vnc.{_ZONE}")
            public.s_client("-sess_out", str(lab.folder / "s"), name=f"vnc.{_ZONE}", seconds=2)
    lab.shows(_HELLO, 6)
