"""User- and meta-data: a guest asks with cloud-init's requests, in its order."""

import time
from collections.abc import Iterable

from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.guest import Guest
from captures.lab.middlebox import Direction
from captures.lab.noise import neighbours
from captures.lab.post import pcapng
from captures.lab.scenario import Lab, scenario
from captures.lab.services import console, password
from captures.lab.services.metadata import Metadata, keys
from captures.lab.stage import Stage, at_tap

_SYN = "tcp.dstport == 80 && tcp.flags.syn == 1 && tcp.flags.ack == 0"
_RST = "tcp.srcport == 80 && tcp.flags.reset == 1"
_INSTANCE_ID = 'http.request.uri contains "instance-id"'
_LEASE = "dhcp.option.dhcp == 5"


def _data(
    lab: Lab, stage: Stage, number: int, ip: str, name: str, *, ssh_key: bool = True, size: int = 400
) -> Metadata:
    """Apache's data for one guest: its keys, an SSH key and user-data of about ``size`` bytes, both secrets."""
    token, key = f"Zx9-lab-userdata-{number:02d}", f"AAAAC3NzaC1lZDI1NTE5AAAAIZx9labSshKey{number:02d}"
    user_data = f"#cloud-config\nwrite_files:\n- path: /etc/app.token\n  content: {token}\n"
    user_data += "".join(f"# line {line:05d} of the operator's comment\n" for line in range(max(0, size - 80) // 40))
    data = Metadata(stage.router)
    data.add(ip, keys(number, ip, name, f"ssh-ed25519 {key} ops@example" if ssh_key else None), user_data)
    lab.secret(token, *((key,) if ssh_key else ()))
    return data


def _boot(lab: Lab, guest: Guest, *words: str) -> None:
    """Lease and cloud-init; ``--no-password`` where the scenario has no password server."""
    guest.dhclient()
    time.sleep(1)
    guest.cloud_init("--fallback", guest.lease().server, *words)
    lab.proof("DHCP031", _LEASE, mac=guest.mac)


@scenario
def metadata_crawl_complete(lab: Lab) -> None:
    """A guest boots with cloud-init: lease, name data-server, instance-id, user-data, all keys and password, served."""
    stage = Stage(lab, GuestNetwork(cidr="10.1.1.0/24", gateway="10.1.1.1", number=0x61), first_tap=1)
    guest = stage.guest(0x16, "app-1", ip="10.1.1.201")
    stage.serve()
    _data(lab, stage, 1, "10.1.1.201", "app-1").serve()
    lab.secret("Zx9-lab-secret-31")
    password.start(stage.router, {"10.1.1.201": "Zx9-lab-secret-31"})
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), linger=4, compress="gz"):
        _boot(lab, guest)
    lab.shows("http.response.code == 200", 12)
    lab.proof("META013", _INSTANCE_ID, ip="10.1.1.201")
    lab.proof("PWD009", 'http.request.line contains "saved_password"', ip="10.1.1.201")
    lab.proof("TMPL014", mac=guest.mac)


@scenario
def metadata_crawl_large_user_data(lab: Lab) -> None:
    """A guest with 24 KB of user-data boots in a busy network; everything is served. Recorded on the bridge."""
    stage = Stage(lab, GuestNetwork(cidr="172.23.0.0/20", gateway="172.23.15.254", number=0x62), first_tap=5)
    guest = stage.guest(0x17, "app-2", ip="172.23.4.20")
    stage.serve()
    _data(lab, stage, 2, "172.23.4.20", "app-2", size=24000).serve()
    with lab.record(*stage.at_bridge, told=False, nano=True, steps=(pcapng,), compress="zst", linger=4):
        neighbours(stage, 0x31, 0x32)
        _boot(lab, guest, "--no-password")
    lab.proof("META013", _INSTANCE_ID, ip="172.23.4.20")


@scenario
def metadata_crawl_router(lab: Lab) -> None:
    """A guest boots with cloud-init and is served; recorded inside the router."""
    stage = Stage(lab, GuestNetwork(cidr="192.168.48.0/21", gateway="192.168.48.1", number=0x63), first_tap=8)
    guest = stage.guest(0x18, "app-3", ip="192.168.50.50")
    stage.serve()
    _data(lab, stage, 3, "192.168.50.50", "app-3").serve()
    with lab.record(*stage.in_router, linger=4, compress="xz"):
        _boot(lab, guest, "--no-password")
    lab.proof("META013", _INSTANCE_ID, ip="192.168.50.50")


@scenario
def metadata_optional_key_missing(lab: Lab) -> None:
    """The guest was deployed without an SSH key: the script that fetches public-keys gets 404, all else is there."""
    stage = Stage(lab, GuestNetwork(cidr="10.71.0.0/24", gateway="10.71.0.1", number=0x64), first_tap=10)
    guest = stage.guest(0x19, "app-4", ip="10.71.0.21")
    stage.serve()
    _data(lab, stage, 4, "10.71.0.21", "app-4", ssh_key=False).serve()
    with lab.record(*at_tap(guest), linger=4):
        _boot(lab, guest, "--no-password")
        guest.ns.run("wget", "-q", "-t", "3", "-T", "20", "-O", "-", "http://10.71.0.1/latest/public-keys", check=False)
    lab.shows("http.response.code == 404", 1, 1)
    lab.info("META006", "http.response.code == 404")
    lab.proof("META013", _INSTANCE_ID, ip="10.71.0.21")


@scenario
def metadata_probes_of_other_clouds(lab: Lab) -> None:
    """An image that knows several clouds probes the paths of OpenStack, Google, Azure and EC2 at the router, gets 404
    for each, and then finds CloudStack's data."""
    stage = Stage(lab, GuestNetwork(cidr="10.72.0.0/24", gateway="10.72.0.1", number=0x65), first_tap=13)
    guest = stage.guest(0x1A, "multi-1", ip="10.72.0.22")
    stage.serve()
    _data(lab, stage, 5, "10.72.0.22", "multi-1").serve()
    paths = ("openstack", "computeMetadata/v1/", "metadata/instance?api-version=2021-02-01", "2009-04-04/meta-data/")
    with lab.record(*at_tap(guest), told=False, linger=4, compress="gz"):
        guest.udhcpc()
        for path in paths:
            guest.ns.run("curl", "-s", "-o", "/dev/null", f"http://10.72.0.1/{path}")
        guest.ns.run("curl", "-s", "-o", "/dev/null", "-X", "PUT", "http://10.72.0.1/latest/api/token")
        guest.cloud_init("--fallback", "10.72.0.1", "--no-password")
    lab.shows("http.response.code >= 400", 5)
    lab.proof("META013", _INSTANCE_ID, ip="10.72.0.22")


@scenario
def metadata_polled(lab: Lab) -> None:
    """Hours after its boot a guest's agent asks for user-data and one key every few seconds and is served each time."""
    stage = Stage(lab, GuestNetwork(cidr="10.82.0.0/24", gateway="10.82.0.1", number=0x70), first_tap=44)
    guest = stage.guest(0x25, "agent-2", ip="10.82.0.32")
    stage.serve()
    _data(lab, stage, 12, "10.82.0.32", "agent-2", ssh_key=False).serve()
    guest.udhcpc()
    with lab.record(*at_tap(guest), told=False, nano=True, linger=3, compress="gz"):
        for _ in range(6):
            _curl(guest, "http://10.82.0.1/latest/user-data", 5)
            _curl(guest, "http://10.82.0.1/latest/meta-data/service-offering", 5)
            time.sleep(4)
    lab.shows("http.response.code == 200", 12)


@scenario
def metadata_refused(lab: Lab) -> None:
    """Apache on the router is dead: every try of cloud-init is refused for two minutes, then it gives up."""
    stage = Stage(lab, GuestNetwork(cidr="10.73.0.0/24", gateway="10.73.0.1", number=0x66), first_tap=16)
    guest = stage.guest(0x1B, "app-5", ip="10.73.0.23")
    stage.serve()
    with lab.record(*at_tap(guest), linger=8):
        _boot(lab, guest, "--no-password")
    lab.shows(_RST, 10)
    lab.fault("META001", f"{_RST} || ({_SYN})", server="10.73.0.1", port=80)
    lab.consequence("META011")


@scenario
def metadata_silent(lab: Lab) -> None:
    """The router's firewall drops what comes for port 80; it answers DHCP, ARP and DNS. cloud-init waits in vain and
    gives up after two minutes. Recorded on the bridge among neighbours."""
    stage = Stage(lab, GuestNetwork(cidr="172.24.8.0/22", gateway="172.24.8.1", number=0x67), first_tap=18)
    guest = stage.guest(0x1C, "app-6", ip="172.24.9.24")
    stage.serve()
    stage.router.drop("tcp dport 80")
    with lab.record(*stage.at_bridge, told=False, linger=8, compress="gz"):
        neighbours(stage, 0x33)
        _boot(lab, guest, "--no-password")
    lab.shows(_SYN, 6)
    lab.hides(f"tcp.srcport == 80 && ip.dst == {guest.lease().ip}")
    lab.fault("META002", _SYN, server="172.24.8.1", port=80)
    lab.consequence("META011")


@scenario
def metadata_no_data_for_this_ip(lab: Lab) -> None:
    """The router has data for its other guests, none for this one: everything the guest asks for is 404."""
    stage = Stage(lab, GuestNetwork(cidr="10.74.0.0/24", gateway="10.74.0.1", number=0x68), first_tap=21)
    guest = stage.guest(0x1D, "app-7", ip="10.74.0.25")
    stage.serve()
    _data(lab, stage, 6, "10.74.0.99", "app-other").serve()
    lab.truth.secrets.clear()  # the other guest's data never crosses this wire
    with lab.record(*at_tap(guest), told=False, linger=5):
        _boot(lab, guest, "--no-password", "--patience", "20")
        for path in ("meta-data/", "meta-data/local-hostname", "user-data"):
            guest.ns.run("curl", "-s", "-o", "/dev/null", f"http://10.74.0.1/latest/{path}")
    lab.shows("http.response.code == 404", 5)
    lab.fault("META003", "http", ip="10.74.0.25")
    lab.consequence("META011")


@scenario
def metadata_forbidden(lab: Lab) -> None:
    """The access file of the guest's folder admits another address: 403 for every key."""
    stage = Stage(lab, GuestNetwork(cidr="10.75.0.0/24", gateway="10.75.0.1", number=0x69), first_tap=24)
    guest = stage.guest(0x1E, "app-8", ip="10.75.0.26")
    stage.serve()
    data = _data(lab, stage, 7, "10.75.0.26", "app-8")
    data.restrict("10.75.0.26", "Require ip 10.75.0.140\n")
    data.serve()
    lab.truth.secrets.clear()
    with lab.record(*at_tap(guest), linger=5):
        _boot(lab, guest, "--no-password", "--patience", "18")
    lab.shows("http.response.code == 403", 3)
    lab.fault("META004", "http", server="10.75.0.1")
    lab.consequence("META011")


@scenario
def metadata_server_error(lab: Lab) -> None:
    """The access file of the guest's folder is broken: Apache answers 500 to every key."""
    stage = Stage(lab, GuestNetwork(cidr="10.76.0.0/24", gateway="10.76.0.1", number=0x6A), first_tap=27)
    guest = stage.guest(0x1F, "app-9", ip="10.76.0.27")
    stage.serve()
    data = _data(lab, stage, 8, "10.76.0.27", "app-9")
    data.restrict("10.76.0.27", "Requre ip 10.76.0.27\n")
    data.serve()
    lab.truth.secrets.clear()
    with lab.record(*stage.at_bridge, told=False, linger=5, compress="lz4"):
        neighbours(stage, 0x34)
        _boot(lab, guest, "--no-password", "--patience", "18")
    lab.shows("http.response.code == 500", 3)
    lab.fault("META005", "http", server="10.76.0.1")
    lab.consequence("META011")


@scenario
def metadata_ec2_address_only(lab: Lab) -> None:
    """The image knows EC2 only: it asks 169.254.169.254, where nobody answers, and never asks the router; it pings
    the router for two minutes more."""
    stage = Stage(lab, GuestNetwork(cidr="10.77.0.0/24", gateway="10.77.0.1", number=0x6B), first_tap=30)
    guest = stage.guest(0x20, "ec2-1", ip="10.77.0.28")
    stage.serve()
    with lab.record(*at_tap(guest)):
        guest.dhclient()
        time.sleep(1)
        for _ in range(4):
            _curl(guest, "http://169.254.169.254/latest/meta-data/instance-id", 12)
        guest.ns.run("ping", "-i", "9", "-c", "15", "10.77.0.1")
    lab.shows("tcp.flags.syn == 1 && ip.dst == 169.254.169.254", 6)
    lab.fault("META007", "ip.dst == 169.254.169.254")
    lab.consequence("META011")
    lab.proof("DHCP031", _LEASE, mac=guest.mac)


@scenario
def metadata_ec2_address_first(lab: Lab) -> None:
    """The image tries EC2's address first, in vain, and then finds the router's data."""
    stage = Stage(lab, GuestNetwork(cidr="10.78.0.0/24", gateway="10.78.0.1", number=0x6C), first_tap=33)
    guest = stage.guest(0x21, "ec2-2", ip="10.78.0.29")
    stage.serve()
    _data(lab, stage, 9, "10.78.0.29", "ec2-2").serve()
    with lab.record(*at_tap(guest), told=False, linger=4):
        guest.dhclient()
        time.sleep(1)
        _curl(guest, "http://169.254.169.254/latest/meta-data/instance-id", 9)
        guest.cloud_init("--fallback", "10.78.0.1", "--no-password")
    lab.shows("tcp.flags.syn == 1 && ip.dst == 169.254.169.254", 3)
    lab.info("META007", "ip.dst == 169.254.169.254")
    lab.proof("DHCP031", _LEASE, mac=guest.mac)
    lab.proof("META013", _INSTANCE_ID, ip="10.78.0.29")


@scenario
def metadata_asked_of_physical_gateway(lab: Lab) -> None:
    """In a shared network an image asks the default gateway, a physical router with a web page of its own, instead of
    the DHCP server: 200, but nothing of CloudStack's."""
    network = GuestNetwork(cidr="185.20.31.0/24", gateway="185.20.31.254", number=0x6D, server="185.20.31.9", vlan=2101)
    stage = Stage(lab, network, first_tap=36)
    gateway = Machine(stage.host, stage.bridge, "00:1c:73:aa:05:22", "gateway")
    gateway.address("185.20.31.254", 24)
    console.start(gateway, 80)
    guest = stage.guest(0x22, "rhel-2", ip="185.20.31.61")
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), linger=4):
        guest.dhclient()
        time.sleep(1)
        for path in ("meta-data/instance-id", "user-data", "meta-data/"):
            _curl(guest, f"http://{guest.lease().gateway}/latest/{path}", 5)
    lab.fault("META012", "http.request", server="185.20.31.254")
    lab.proof("DHCP031", _LEASE, mac=guest.mac)


@scenario
def metadata_of_another_guest(lab: Lab) -> None:
    """The address was given to a new guest before the router was told: it gets the data of the expunged guest that had
    the address before."""
    stage = Stage(lab, GuestNetwork(cidr="10.79.0.0/24", gateway="10.79.0.1", number=0x6E), first_tap=39)
    guest = stage.guest(0x23, "new-1", ip="10.79.0.30")
    stage.serve()
    data = Metadata(stage.router)
    data.add("10.79.0.30", keys(41, "10.79.0.87", "expunged-1", None), "#cloud-config\npassword: Zx9-lab-userdata-10\n")
    data.serve()
    lab.secret("Zx9-lab-userdata-10")
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), linger=4, compress="gz"):
        _boot(lab, guest, "--no-password")
    lab.shows('http.file_data contains "10.79.0.87"')
    lab.fault("META008", 'http.request.uri contains "local-ipv4" || http.file_data contains "10.79.0.87"')


@scenario
def metadata_body_stalled(lab: Lab) -> None:
    """The path from the router loses every frame above 1000 bytes without a word: headers and small keys arrive, the
    user-data stalls while its full segments are repeated."""

    def narrow(frame: bytes, direction: Direction) -> Iterable[tuple[float, bytes]]:
        return [] if direction == "out" and len(frame) > 1000 else [(0, frame)]

    network = GuestNetwork(cidr="10.81.0.0/24", gateway="10.81.0.1", number=0x6F)
    stage = Stage(lab, network, first_tap=42, cable=narrow)
    guest = stage.guest(0x24, "tunnel-1", ip="10.81.0.31")
    stage.serve()
    _data(lab, stage, 11, "10.81.0.31", "tunnel-1", size=9000).serve()
    lab.truth.secrets.clear()  # the segment that carries the token is lost
    with lab.record(*stage.in_router, told=False, linger=2):
        guest.dhclient()
        time.sleep(1)
        _curl(guest, "http://10.81.0.1/latest/meta-data/instance-id", 5)
        _curl(guest, "http://10.81.0.1/latest/user-data", 25)
    lab.shows("tcp.analysis.retransmission && tcp.len > 1000", 3)
    lab.fault("META009", "tcp.srcport == 80 && tcp.len > 1000")
    for code in ("META010", "META011", "VLAN017", "TMPL011"):
        lab.consequence(code)
    lab.secret("Zx9-lab-userdata-11")


def _curl(guest: Guest, url: str, seconds: int) -> None:
    guest.ns.run("curl", "-s", "-m", str(seconds), "-A", "Cloud-Init/24.4.1", "-o", "/dev/null", url, check=False)
