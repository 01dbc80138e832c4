"""A seventh hold-out, services: at the router's own interface, slow or failing now and then, two faults at once."""

import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from itertools import count

from captures.lab.elsewhere import Elsewhere, haproxy, lighttpd, networkd, nginx, nginx_tls
from captures.lab.guest import SAVED_HEADER, SECRET_HEADER, Guest
from captures.lab.post import between, snap
from captures.lab.public import DOMAIN, Public
from captures.lab.scenario import Lab, scenario
from captures.lab.services import console, password
from captures.lab.services.certificates import authority
from captures.lab.services.metadata import Metadata, keys
from captures.lab.services.password import serve
from captures.lab.stage import Stage, at_tap

_ASKED = 'http.request.line contains "send_my_password"'
_SAVED = 'http.request.line contains "saved_password"'
_LEASE = "dhcp.option.dhcp == 5"


def _curl(guest: Guest, url: str, *words: str, most: int = 25) -> str:
    """What curl gets."""
    return guest.ns.run("curl", "-s", "-m", str(most), *words, url, check=False).stdout


@scenario
def held_out_seventh_console_expired_and_half_open(lab: Lab) -> None:
    """Two faults at once: the certificate of the console ran out three days ago, and nothing listens on the websocket's
    port. The user's client rejects the certificate, he goes on all the same, and the console stays black. nginx serves
    the page. Recorded at the CPVM's tap, twenty seconds."""
    public = Public(lab, ip="203.0.113.88")
    root = authority("Example Commercial CA")
    public.trust(root)
    pem = public.pem(f"*.{DOMAIN}", issuer=root, starts=timedelta(days=-400), ends=timedelta(days=-3))
    nginx(public.cpvm, nginx_tls(443, pem, "<html>console</html>"))
    with lab.record(*public.at_cpvm, steps=(between(1, 200),), linger=2):
        public.page()
        time.sleep(1)
        for _ in range(3):
            public.page(options=("-k",))
            public.websocket()
            time.sleep(2)
    lab.shows("tcp.flags.reset == 1 && tcp.srcport == 8443", 3)
    lab.shows("tls.alert_message.desc == 45")
    lab.fault("CPVM006", "tls.handshake.type == 11")
    lab.fault("CPVM005", "tcp.port == 8443", server="203.0.113.88", port=8443)
    lab.consequence("CPVM010")


@scenario
def held_out_seventh_console_behind_haproxy(lab: Lab) -> None:
    """A load balancer ends TLS for a fixed name and passes the websocket to the console proxy's own port: TLS 1.3 on
    443 for both. The session is over after six seconds. Snap length 96. Healthy."""
    name = f"vnc.{DOMAIN}"
    public = Public(lab, ip="203.0.113.89", records=((name, "203.0.113.89"),), dashed_name=False)
    root = authority("Example Commercial CA")
    public.trust(root)
    pem = public.pem(name, issuer=root)
    console.start(public.cpvm, 8080, ip="127.0.0.1")
    haproxy(
        public.cpvm,
        f"frontend console\n  mode http\n  bind :443 ssl crt {pem}\n  default_backend vnc\n"
        "backend vnc\n  mode http\n  server own 127.0.0.1:8080\n",
    )
    with lab.record(*public.at_cpvm, told=False, steps=(snap(96),), linger=2):
        for _ in range(2):
            public.page(name)
        public.websocket(name, 443)
    lab.shows("tcp.port == 443 && tcp.len > 0", 20)
    lab.hides("tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.dstport != 443")


@scenario
def held_out_seventh_clones_with_networkd(lab: Lab) -> None:
    """Two guests of one template have its machine-id, from which systemd-networkd makes the same client identifier for
    both; the IAID, which it makes of the NIC's name, is set to what both have. Both get their own address, as the
    router goes by MAC. Recorded inside the router with a filter for DHCP."""
    network = Elsewhere(cidr="10.161.0.0/24", gateway="10.161.0.1", number=0xA61, vlan=1611, prefix="02:04")
    stage = Stage(lab, network, first_tap=3)
    guests = [stage.guest(0x21 + n, f"clone-{n}") for n in range(2)]
    stage.serve()
    with lab.record(*stage.in_router, bpf="udp port 67 or udp port 68", linger=2):
        for guest in guests:
            networkd(guest, 9, "[DHCPv4]\\nIAID=3387514962\\n")
    for guest in guests:
        lab.shows(f"{_LEASE} && dhcp.hw.mac_addr == {guest.mac}")
        lab.proof("DHCP031", f"{_LEASE} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)
    lab.fault("TMPL006", "dhcp.option.dhcp == 1 || dhcp.option.dhcp == 3")
    lab.consequence("DHCP018")


@scenario
def held_out_seventh_late_dhcp_after_ipv6(lab: Lab) -> None:
    """A guest's kernel says what it says by IPv6 as soon as the NIC is up; its busybox asks for an address twenty
    seconds later, and the router answers only the second DISCOVER, because dnsmasq was being restarted. Recorded at its
    tap, forty seconds. Healthy."""
    network = Elsewhere(cidr="10.162.0.0/24", gateway="10.162.0.1", number=0xA62, vlan=1612, prefix="02:04")
    stage = Stage(lab, network, first_tap=7)
    guest = stage.guest(0x21, "alpine-1", ipv6=True)
    with lab.record(*at_tap(guest), told=False, linger=3):
        guest.ns.ip("link", "set", "eth0", "down")
        guest.ns.ip("link", "set", "eth0", "up")
        time.sleep(20)
        guest.udhcpc(seconds=1.5)
        stage.serve()
        time.sleep(6)
    lab.shows("icmpv6.type == 133 && frame.time_relative < 20")
    lab.shows("dhcp.option.dhcp == 1", 2)
    lab.proof("DHCP031", _LEASE, mac=guest.mac)


@scenario
def held_out_seventh_password_server_is_slow(lab: Lab) -> None:
    """The old password server has one lock for all guests: each of two answers takes seven seconds. curl asks and
    acknowledges. Recorded inside the router for half a minute."""
    network = Elsewhere(cidr="10.163.0.0/24", gateway="10.163.0.1", number=0xA63, vlan=1613, prefix="02:04")
    stage = Stage(lab, network, first_tap=12)
    guest = stage.guest(0x21, "old-1", ip="10.163.0.33")
    stage.serve()
    lab.secret("Zx9-lab-secret-71")
    password.start(stage.router, {"10.163.0.33": "Zx9-lab-secret-71"}, "G1", delay=7)
    with lab.record(*stage.in_router, linger=3):
        guest.udhcpc()
        for header in (SECRET_HEADER, SAVED_HEADER):
            _curl(guest, "http://10.163.0.1:8080/", "-H", header)
    lab.shows("tcp.srcport == 8080 && tcp.len > 0", 2)
    lab.fault("PWD019", f"({_ASKED}) || ({_SAVED}) || (tcp.srcport == 8080 && tcp.len > 0)", server="10.163.0.1")
    lab.proof("DHCP031", _LEASE, mac=guest.mac)
    lab.proof("PWD009", f"{_SAVED} || {_ASKED}")


@scenario
def held_out_seventh_password_server_dies(lab: Lab) -> None:
    """The password server gives one guest its password and dies; a second guest is refused. wget and curl. Recorded at
    the router's interface, first 200 frames."""
    network = Elsewhere(cidr="10.164.0.0/24", gateway="10.164.0.1", number=0xA64, vlan=1614, prefix="02:04")
    stage = Stage(lab, network, first_tap=15)
    first, second = (stage.guest(0x21 + n, f"win-{n}", ip=f"10.164.0.{33 + n}") for n in range(2))
    stage.serve()
    lab.secret("Zx9-lab-secret-72")
    password.start(stage.router, {"10.164.0.33": "Zx9-lab-secret-72"})
    with lab.record(*stage.in_router, told=False, steps=(between(1, 200),), linger=3):
        first.dhcpcd(seconds=8)
        first.reset_password("10.164.0.1")
        stage.router.ns.run("nft", "add", "table", "inet", "dead")
        stage.router.ns.run("nft", "add chain inet dead input { type filter hook input priority 0; }")
        stage.router.ns.run("nft", "add rule inet dead input tcp dport 8080 reject with tcp reset")
        second.udhcpc()
        for _ in range(3):
            _curl(second, "http://10.164.0.1:8080/", "-H", SECRET_HEADER)
            time.sleep(2)
    lab.shows("tcp.flags.reset == 1 && tcp.srcport == 8080", 3)
    lab.fault("PWD001", "tcp.port == 8080", server="10.164.0.1", port=8080)
    lab.proof("PWD009", f"({_SAVED}) || ({_ASKED})", ip="10.164.0.33")


class _EveryThird(BaseHTTPRequestHandler):
    """Meta-data of which every third request fails, as with a backend that is short of memory."""

    server_version, sys_version = "Apache", ""
    turn: Iterator[int]

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the console."""

    def do_GET(self) -> None:
        """Answers, or does not."""
        if next(type(self).turn) % 3 == 0:
            self.send_error(503)
            return
        body = b"value\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@scenario
def held_out_seventh_every_third_key_fails(lab: Lab) -> None:
    """The router's web server answers every third request with 503 and the others as it should. curl asks for nine
    keys. Recorded with -i any inside the router, filter "tcp port 80"."""
    network = Elsewhere(cidr="10.165.0.0/24", gateway="10.165.0.1", number=0xA65, vlan=1615, prefix="02:04")
    stage = Stage(lab, network, first_tap=19)
    guest = stage.guest(0x21, "ci-1", ip="10.165.0.33")
    guest.address("10.165.0.33", 24, network.gateway)
    serve(stage.router, type("Third", (_EveryThird,), {"turn": count(1)}), 80)
    with lab.record(stage.router.ns, "any", "any", told=False, bpf="tcp port 80", linger=1):
        for key in list(keys(1, "10.165.0.33", "ci-1", None))[:9]:
            _curl(guest, f"http://10.165.0.1/latest/meta-data/{key}")
            time.sleep(0.5)
    lab.shows("http.response.code == 503", 3)
    lab.shows("http.response.code == 200", 6)
    lab.fault("META005", "http.response.code == 503 || http.request", server="10.165.0.1")


@scenario
def held_out_seventh_no_data_and_no_password(lab: Lab) -> None:
    """Two faults at once: the router has no data for this guest, and its password server accepts and closes without a
    word. Beside them the image asks EC2's address first, which is no fault. curl and wget; lighttpd. Recorded at the
    router's interface."""
    network = Elsewhere(cidr="10.166.0.0/24", gateway="10.166.0.1", number=0xA66, vlan=1616, prefix="02:04")
    stage = Stage(lab, network, first_tap=22)
    guest = stage.guest(0x21, "lost-1", ip="10.166.0.33")
    stage.serve()
    lighttpd(stage.router, 80, {"index.txt": "It works\n"})
    password.start_locked(stage.router, 1)
    with lab.record(*stage.in_router, linger=4):
        guest.dhclient()
        _curl(guest, "http://169.254.169.254/latest/meta-data/", most=2)
        for key in ("instance-id", "local-hostname", "", "instance-id"):
            _curl(guest, f"http://10.166.0.1/latest/meta-data/{key}")
            time.sleep(0.5)
        guest.ask_password("10.166.0.1")
    lab.shows("http.response.code == 404", 4)
    lab.hides("tcp.srcport == 8080 && tcp.len > 0")
    lab.fault("META003", "http", ip="10.166.0.33")
    lab.fault("PWD013", "tcp.port == 8080", server="10.166.0.1", port=8080)
    lab.info("META007", "ip.dst == 169.254.169.254")
    lab.proof("DHCP031", _LEASE, mac=guest.mac)


@scenario
def held_out_seventh_nothing_waiting(lab: Lab) -> None:
    """A guest boots for the tenth time: it asks for data of other clouds first, has no user-data and no SSH key, and no
    password is waiting. The recorder was started in the middle of it, at the router's interface. Healthy."""
    network = Elsewhere(cidr="10.167.0.0/24", gateway="10.167.0.1", number=0xA67, vlan=1617, prefix="02:04")
    stage = Stage(lab, network, first_tap=25)
    guest = stage.guest(0x21, "tenth-1", ip="10.167.0.33")
    stage.serve()
    guest.address("10.167.0.33", 24, network.gateway)
    data = Metadata(stage.router)
    data.add("10.167.0.33", keys(7, "10.167.0.33", "tenth-1", None))
    data.serve()
    password.start(stage.router, {})
    with lab.record(*stage.in_router, steps=(between(6),), linger=2):
        for path in ("openstack/latest/meta_data.json", "computeMetadata/v1/", "2009-04-04/meta-data/instance-id"):
            _curl(guest, f"http://10.167.0.1/{path}")
        guest.cloud_init("--fallback", "10.167.0.1")
    lab.shows("http.response.code == 404", 3)
    lab.shows("http.response.code == 200", 8)
    lab.info("PWD006", _ASKED)
