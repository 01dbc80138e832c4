"""Password servers that are absent, mute, broken or strangers."""

import time

from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.guest import Guest
from captures.lab.keepalived import keepalived
from captures.lab.noise import neighbours
from captures.lab.post import pcapng
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.services import console, password
from captures.lab.services.password import serve
from captures.lab.services.resets import Resets
from captures.lab.stage import Stage, at_tap

_SYN = "tcp.dstport == 8080 && tcp.flags.syn == 1 && tcp.flags.ack == 0"
_RST = "tcp.srcport == 8080 && tcp.flags.reset == 1"
_ASKED = 'http.request.line contains "send_my_password"'
_SAVED = 'http.request.line contains "saved_password"'
_LEASE = "dhcp.option.dhcp == 5"


def _leased(lab: Lab, guest: Guest) -> str:
    """The address of the DHCP server after a boot with dhclient."""
    guest.dhclient()
    time.sleep(1)
    lab.proof("DHCP031", _LEASE, mac=guest.mac)
    return guest.lease().server


@scenario
def password_refused(lab: Lab) -> None:
    """The password server of the router is dead: the guest's one SYN to port 8080 is refused."""
    stage = Stage(lab, GuestNetwork(cidr="10.50.0.0/24", gateway="10.50.0.1", number=0x51), first_tap=2)
    guest = stage.guest(0x16, "web-1", ip="10.50.0.31")
    stage.serve()
    with lab.record(*at_tap(guest), linger=6):
        guest.ask_password(_leased(lab, guest))
    lab.shows(_RST)
    lab.fault("PWD001", f"{_RST} || {_SYN}", server="10.50.0.1", port=8080)


@scenario
def password_refused_cloud_init(lab: Lab) -> None:
    """The password server is dead. cloud-init's wget asks the router, and a script in the guest asks it twice more;
    recorded on the bridge among neighbours."""
    stage = Stage(lab, GuestNetwork(cidr="172.17.64.0/20", gateway="172.17.64.1", number=0x52), first_tap=11)
    guest = stage.guest(0x17, "web-2", ip="172.17.70.5")
    stage.serve()
    with lab.record(*stage.at_bridge, told=False, linger=6, steps=(pcapng,), compress="gz"):
        neighbours(stage, 0x31, 0x32)
        server = _leased(lab, guest)
        for _ in range(3):
            guest.ask_password(server)
            time.sleep(2)
    lab.shows(_RST, 3)
    lab.fault("PWD001", f"{_RST} || ({_SYN})", server="172.17.64.1", port=8080)


@scenario
def password_refused_at_own_address(lab: Lab) -> None:
    """A redundant router gives its own address as DHCP server, but its password server listens on the gateway's address
    only: the guest that asks the DHCP server is refused, one that asks the gateway is served."""
    network = GuestNetwork(cidr="10.51.2.0/24", gateway="10.51.2.1", number=0x53, server="10.51.2.4")
    stage = Stage(lab, network, first_tap=14)
    backup = Router(stage.host, stage.bridge, network, ip="10.51.2.5", mac=network.mac(5), label="vr-backup")
    keepalived(stage.router, network, priority=100)
    keepalived(backup, network, priority=80)
    guest = stage.guest(0x18, "web-3", ip="10.51.2.77")
    other = stage.guest(0x19, "web-4", ip="10.51.2.78")
    time.sleep(6)
    stage.serve()
    lab.secret("Zx9-lab-secret-11")
    password.start(stage.router, {"10.51.2.78": "Zx9-lab-secret-11"}, ip=network.gateway)
    with lab.record(*stage.at_bridge, linger=8):
        server = _leased(lab, guest)
        guest.ask_password(server)
        other.udhcpc()
        other.reset_password(other.lease().gateway)
    lab.shows(f"{_RST} && ip.src == 10.51.2.4")
    lab.shows("vrrp", 5)
    lab.fault("PWD002", f"{_RST} || ({_SYN})", server="10.51.2.4", port=8080)
    for code in ("PWD001", "DHCP024", "PWD018"):
        lab.consequence(code)
    lab.proof("PWD009", f"{_SAVED} || {_ASKED}")


@scenario
def password_timeout(lab: Lab) -> None:
    """The router's firewall drops what comes for port 8080, as it does for addresses outside the guest CIDR: SYN after
    SYN goes unanswered while the router answers ARP and DNS."""
    stage = Stage(lab, GuestNetwork(cidr="10.52.0.0/24", gateway="10.52.0.1", number=0x54), first_tap=17)
    guest = stage.guest(0x1A, "web-5", ip="10.52.0.18")
    stage.serve()
    stage.router.drop("tcp dport 8080")
    with lab.record(*at_tap(guest), told=False, linger=5, compress="lz4"):
        server = _leased(lab, guest)
        guest.ns.run("getent", "ahostsv4", f"data-server.{stage.network.domain}", check=False)
        guest.ask_password(server)
    lab.shows(_SYN, 6)
    lab.hides("tcp.flags.ack == 1")
    lab.fault("PWD003", _SYN, server="10.52.0.1", port=8080)


@scenario
def password_asked_of_physical_gateway(lab: Lab) -> None:
    """In a shared network the gateway is a physical router. The guest's script asks the gateway instead of the DHCP
    server: refused by a machine that is no CloudStack router."""
    network = GuestNetwork(cidr="185.20.30.0/25", gateway="185.20.30.1", number=0x55, vlan=2100, server="185.20.30.9")
    stage = Stage(lab, network, first_tap=20)
    gateway = Machine(stage.host, stage.bridge, "00:1c:73:aa:04:11", "gateway")
    gateway.address("185.20.30.1", 25)
    guest = stage.guest(0x1B, "rhel-1", ip="185.20.30.60")
    stage.serve()
    password.start(stage.router, {"185.20.30.60": "Zx9-lab-secret-12"})
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), linger=6):
        _leased(lab, guest)
        guest.ask_password(guest.lease().gateway)
    lab.shows(f"{_RST} && ip.src == 185.20.30.1")
    lab.fault("PWD004", f"{_RST} || ({_SYN})", server="185.20.30.1", port=8080)
    lab.consequence("PWD001")


@scenario
def password_empty_body(lab: Lab) -> None:
    """A password waits, but the Python 3 server writes text where bytes are needed and dies after its headers: 200,
    no body, FIN."""
    stage = Stage(lab, GuestNetwork(cidr="10.53.0.0/24", gateway="10.53.0.1", number=0x56), first_tap=23)
    guest = stage.guest(0x1C, "web-6", ip="10.53.0.44")
    stage.serve()
    password.start(stage.router, {"10.53.0.44": "Zx9-lab-secret-13"}, "G3")
    with lab.record(*at_tap(guest), linger=5, nano=True):
        guest.ask_password(_leased(lab, guest))
    lab.shows("http.response.code == 200")
    lab.fault("PWD005", "tcp.srcport == 8080 && tcp.len > 0", server="10.53.0.1", port=8080)


@scenario
def password_bad_request(lab: Lab) -> None:
    """A socat server with a broken parser answers bad_request to everybody, although the header is there."""
    stage = Stage(lab, GuestNetwork(cidr="10.54.0.0/24", gateway="10.54.0.1", number=0x57), first_tap=26)
    guest = stage.guest(0x1D, "web-7", ip="10.54.0.45")
    stage.serve()
    password.start(stage.router, {}, "G2", only_keyword=b"bad_request")
    with lab.record(*at_tap(guest), told=False, linger=4):
        server = _leased(lab, guest)
        for _ in range(2):
            guest.ask_password(server)
            time.sleep(1)
    lab.fault("PWD007", "tcp.port == 8080 && tcp.len > 0", server="10.54.0.1", port=8080)


@scenario
def password_not_acknowledged(lab: Lab) -> None:
    """The guest gets its password, fails to set it (read-only root) and never acknowledges."""
    stage = Stage(lab, GuestNetwork(cidr="10.56.0.0/24", gateway="10.56.0.1", number=0x58), first_tap=29)
    guest = stage.guest(0x1E, "web-8", ip="10.56.0.46")
    stage.serve()
    lab.secret("Zx9-lab-secret-14")
    password.start(stage.router, {"10.56.0.46": "Zx9-lab-secret-14"})
    with lab.record(*stage.at_bridge, linger=72, compress="gz"):
        neighbours(stage, 0x33)
        guest.ask_password(_leased(lab, guest))
    lab.hides(_SAVED)
    lab.fault("PWD008", f"({_ASKED}) || (tcp.srcport == 8080 && tcp.len > 0)", ip="10.56.0.46")


@scenario
def password_delivered_again(lab: Lab) -> None:
    """The guest fails to set its password at two boots in a row; the server gives out the same one each time."""
    stage = Stage(lab, GuestNetwork(cidr="10.57.0.0/24", gateway="10.57.0.1", number=0x59), first_tap=32)
    guest = stage.guest(0x1F, "web-9", ip="10.57.0.47")
    stage.serve()
    lab.secret("Zx9-lab-secret-15")
    password.start(stage.router, {"10.57.0.47": "Zx9-lab-secret-15"})
    with lab.record(*at_tap(guest), told=False, linger=66):
        for _ in range(2):
            client = guest.udhcpc()
            guest.ask_password(guest.lease().server)
            guest.stop(client)
            time.sleep(12)
    lab.shows(_ASKED, 2)
    lab.hides(_SAVED)
    lab.proof("DHCP031", _LEASE, mac=guest.mac)
    lab.fault("PWD010", f"({_ASKED}) || (tcp.srcport == 8080 && tcp.len > 0)", ip="10.57.0.47")
    lab.consequence("PWD008")


@scenario
def password_never_asked(lab: Lab) -> None:
    """A template without any script for it: the guest has its lease, talks to the world, and never asks for a
    password."""
    stage = Stage(lab, GuestNetwork(cidr="10.58.0.0/24", gateway="10.58.0.1", number=0x5A), first_tap=35)
    guest = stage.guest(0x20, "bare-1", ip="10.58.0.48")
    stage.serve()
    password.start(stage.router, {"10.58.0.48": "Zx9-lab-secret-16"})
    with lab.record(*at_tap(guest), compress="zst"):
        guest.udhcpc()
        ping = guest.ns.spawn("ping", "-i", "10", "10.58.0.1")
        time.sleep(195)
        ping.terminate()
    lab.hides("tcp")
    lab.info("PWD011", mac=guest.mac)
    lab.proof("DHCP031", _LEASE, mac=guest.mac)


@scenario
def password_foreign_server(lab: Lab) -> None:
    """The DHCP server's address answers on port 8080, but with the HTML page of an application server."""
    stage = Stage(lab, GuestNetwork(cidr="10.59.0.0/24", gateway="10.59.0.1", number=0x5B), first_tap=38)
    guest = stage.guest(0x21, "web-10", ip="10.59.0.49")
    stage.serve()
    console.start(stage.router, 8080)
    with lab.record(*at_tap(guest), linger=4):
        guest.ask_password(_leased(lab, guest))
    lab.shows(_ASKED)
    lab.fault("PWD012", "http", server="10.59.0.1", port=8080)


@scenario
def password_closed_without_byte(lab: Lab) -> None:
    """The socat server's lock is never free: every connection is accepted, waits four seconds, and is closed without
    a byte. wget tries three times."""
    stage = Stage(lab, GuestNetwork(cidr="10.61.0.0/24", gateway="10.61.0.1", number=0x5C), first_tap=41)
    guest = stage.guest(0x22, "old-2", ip="10.61.0.50")
    stage.serve()
    password.start_locked(stage.router, 4)
    with lab.record(*at_tap(guest), told=False, linger=4):
        guest.ask_password(_leased(lab, guest))
    lab.shows(_ASKED, 3)
    lab.hides("tcp.srcport == 8080 && tcp.len > 0")
    lab.fault("PWD013", "tcp.port == 8080", server="10.61.0.1", port=8080)


@scenario
def password_reset_without_byte(lab: Lab) -> None:
    """The password server accepts, reads the request and resets the connection."""
    stage = Stage(lab, GuestNetwork(cidr="10.62.0.0/24", gateway="10.62.0.1", number=0x5D), first_tap=43)
    guest = stage.guest(0x23, "old-3", ip="10.62.0.51")
    stage.serve()
    serve(stage.router, Resets, password.PORT)
    with lab.record(*stage.at_bridge, linger=4, compress="gz"):
        guest.ask_password(_leased(lab, guest))
    lab.shows(_ASKED, 1)
    lab.fault("PWD013", "tcp.port == 8080", server="10.62.0.1", port=8080)


@scenario
def password_data_server_unresolved(lab: Lab) -> None:
    """The guest's resolver is an external one that does not know the name data-server; cloud-init falls back to the
    DHCP server and is served there."""
    stage = Stage(lab, GuestNetwork(cidr="10.63.0.0/24", gateway="10.63.0.1", number=0x5E), first_tap=45)
    resolver = Router(stage.host, stage.bridge, stage.network, ip="10.63.0.250", mac="00:1c:73:aa:04:12", label="dns")
    resolver.dhcp([], data_server=False, serve_dhcp=False)
    guest = stage.guest(0x24, "web-11", ip="10.63.0.52")
    stage.serve(dns="10.63.0.250")
    secret = "Zx9-lab-secret-17"
    lab.secret(secret)
    password.start(stage.router, {"10.63.0.52": secret})
    with lab.record(*at_tap(guest), linger=4):
        server = _leased(lab, guest)
        guest.ns.run("getent", "ahostsv4", "data-server", check=False)
        guest.reset_password(server)
    lab.shows("dns.flags.rcode != 0")
    lab.info("PWD018", 'dns.qry.name contains "data-server"')
    lab.proof("PWD009", f"{_SAVED} || {_ASKED}")
