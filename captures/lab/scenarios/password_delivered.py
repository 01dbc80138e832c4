"""Passwords that arrive, by every generation of the server, and what only looks like a fault."""

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager

from captures.lab import middlebox
from captures.lab.cloud import GuestNetwork
from captures.lab.guest import SAVED_HEADER, SECRET_HEADER, Guest
from captures.lab.middlebox import Direction
from captures.lab.noise import neighbours
from captures.lab.post import pcapng
from captures.lab.scenario import Lab, scenario
from captures.lab.services import console, password
from captures.lab.stage import Stage, at_tap

_ASKED = 'http.request.line contains "send_my_password"'
_SAVED = 'http.request.line contains "saved_password"'


def _boot(
    lab: Lab,
    stage: Stage,
    guest: Guest,
    secret: str,
    generation: password.Generation,
    recording: AbstractContextManager[None],
) -> None:
    """Lease, password, acknowledgement, while ``recording``."""
    lab.secret(secret)
    stage.serve()
    password.start(stage.router, {ip: secret for mac, ip, _ in stage.known if mac == guest.mac}, generation)
    with recording:
        guest.dhclient()
        time.sleep(1)
        guest.reset_password(guest.lease().server)
        time.sleep(6)
    lab.shows(_ASKED)
    lab.shows(_SAVED)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)
    lab.proof("PWD009", f"{_SAVED} || {_ASKED}")


@scenario
def password_delivered_g1(lab: Lab) -> None:
    """A guest of an old cloud boots after a password reset. The socat server gives the password, the guest sets it and
    acknowledges."""
    stage = Stage(lab, GuestNetwork(cidr="10.1.1.0/24", gateway="10.1.1.1", number=0x11), first_tap=1)
    guest = stage.guest(0x16, "legacy-1", ip="10.1.1.55")
    _boot(lab, stage, guest, "Zx9-lab-secret-01", "G1", lab.record(*at_tap(guest)))


@scenario
def password_delivered_g2(lab: Lab) -> None:
    """A guest boots after a password reset; the Python 2 server gives the password, the guest acknowledges. Recorded on
    the bridge among neighbours."""
    stage = Stage(lab, GuestNetwork(cidr="172.19.0.0/22", gateway="172.19.3.254", number=0x12), first_tap=4)
    guest = stage.guest(0x2C, "crm-1", ip="172.19.1.7")
    neighbours(stage, 0x21, 0x22)
    _boot(lab, stage, guest, "Zx9-lab-secret-02", "G2", lab.record(*stage.at_bridge, told=False, compress="gz"))


@scenario
def password_delivered_g4(lab: Lab) -> None:
    """A guest boots after a password reset; the current server gives the password, the guest acknowledges."""
    stage = Stage(lab, GuestNetwork(cidr="192.168.60.0/24", gateway="192.168.60.1", number=0x14), first_tap=9)
    guest = stage.guest(0x3D, "shop-2", ip="192.168.60.88")
    _boot(
        lab, stage, guest, "Zx9-lab-secret-03", "G4", lab.record(*at_tap(guest), told=False, nano=True, steps=(pcapng,))
    )


@scenario
def password_delivered_router(lab: Lab) -> None:
    """As password-delivered-g4, recorded with -i any inside the router."""
    stage = Stage(lab, GuestNetwork(cidr="10.140.0.0/16", gateway="10.140.0.1", number=0x15), first_tap=19)
    guest = stage.guest(0x4E, "etl-4", ip="10.140.33.3")
    recording = lab.record(stage.router.ns, "any", "any", link_type="LINUX_SLL", compress="zst")
    _boot(lab, stage, guest, "Zx9-lab-secret-04", "G4", recording)


@scenario
def password_delivered_out_of_order(lab: Lab) -> None:
    """A healthy delivery over a bad path: segments of the answer overtake each other, and one comes twice."""
    held: list[bytes] = []

    def shuffle(frame: bytes, direction: Direction) -> Iterable[tuple[float, bytes]]:
        payload = middlebox.tcp_payload(frame)
        if direction == "out" and payload and not held:
            held.append(payload)
            return [(0.012, frame), (0.02, frame)]
        return [(0, frame)]

    network = GuestNetwork(cidr="10.28.0.0/24", gateway="10.28.0.1", number=0x16)
    stage = Stage(lab, network, first_tap=3, cable=shuffle)
    guest = stage.guest(0x5F, "far-1", ip="10.28.0.44")
    _boot(lab, stage, guest, "Zx9-lab-secret-05", "G2", lab.record(*at_tap(guest)))
    lab.shows("tcp.analysis.out_of_order || tcp.analysis.retransmission")


@scenario
def password_nothing_waiting(lab: Lab) -> None:
    """An ordinary boot without a reset: the server says saved_password, the guest does nothing."""
    stage = Stage(lab, GuestNetwork(cidr="10.29.0.0/24", gateway="10.29.0.1", number=0x17), first_tap=5)
    guest = stage.guest(0x6A, "plain-1", ip="10.29.0.9")
    stage.serve()
    password.start(stage.router, {})
    with lab.record(*at_tap(guest), linger=70):
        guest.udhcpc()
        guest.ask_password(guest.lease().server)
    lab.shows(_ASKED)
    lab.info("PWD006", "http.response || http.request")
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def password_web_app_on_8080(lab: Lab) -> None:
    """Two instances talk to each other's web application on port 8080; no password server is meant."""
    stage = Stage(lab, GuestNetwork(cidr="10.30.0.0/24", gateway="10.30.0.1", number=0x18), first_tap=7)
    client, server = stage.guest(0x71, "front-1"), stage.guest(0x72, "back-1")
    for guest in (client, server):
        guest.address(stage.network.ip(int(guest.mac[-2:], 16)), 24, stage.network.gateway)
    console.start(server, 8080)
    with lab.record(*at_tap(client), told=False, linger=3):
        for path in ("/", "/api/orders?page=1", "/health"):
            client.ns.run("curl", "-s", "-o", "/dev/null", f"http://{stage.network.ip(0x72)}:8080{path}")
            time.sleep(1)
    lab.shows("http.response.code == 200", 3)


@scenario
def password_refused_on_another_port(lab: Lab) -> None:
    """The password is delivered; before that a monitoring agent in the guest tried port 8081 of the router, where
    nothing listens."""
    stage = Stage(lab, GuestNetwork(cidr="10.32.0.0/24", gateway="10.32.0.1", number=0x19), first_tap=8)
    guest = stage.guest(0x73, "agent-1", ip="10.32.0.61")
    secret = "Zx9-lab-secret-06"
    lab.secret(secret)
    stage.serve()
    password.start(stage.router, {"10.32.0.61": secret})
    with lab.record(*at_tap(guest), linger=4, compress="xz"):
        guest.dhclient()
        guest.ns.run("curl", "-s", "http://10.32.0.1:8081/", check=False)
        guest.reset_password("10.32.0.1")
    lab.shows("tcp.flags.reset == 1 && tcp.srcport == 8081")
    lab.proof("PWD009", f"{_SAVED} || {_ASKED}")


@scenario
def password_capture_ends_before_acknowledgement(lab: Lab) -> None:
    """The recorder was stopped right after the password had come; whether it was acknowledged is not in the file."""
    stage = Stage(lab, GuestNetwork(cidr="10.33.0.0/24", gateway="10.33.0.1", number=0x1A), first_tap=10)
    guest = stage.guest(0x74, "cut-2", ip="10.33.0.12")
    secret = "Zx9-lab-secret-07"
    lab.secret(secret)
    stage.serve()
    password.start(stage.router, {"10.33.0.12": secret})
    with lab.record(*at_tap(guest), told=False):
        guest.udhcpc()
        guest.ask_password("10.33.0.1", header=SECRET_HEADER)
    guest.ask_password("10.33.0.1", header=SAVED_HEADER)
    lab.hides(_SAVED)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def password_two_boots(lab: Lab) -> None:
    """A guest gets and acknowledges its password at one boot, and is told at the next that nothing waits any more."""
    stage = Stage(lab, GuestNetwork(cidr="10.34.0.0/24", gateway="10.34.0.1", number=0x1B), first_tap=12)
    guest = stage.guest(0x75, "twice-1", ip="10.34.0.13")
    lab.secret("Zx9-lab-secret-08")
    stage.serve()
    password.start(stage.router, {"10.34.0.13": "Zx9-lab-secret-08"}, "G2")
    with lab.record(*at_tap(guest), linger=5, compress="lz4"):
        client = guest.dhclient()
        guest.reset_password("10.34.0.1")
        guest.stop(client)
        time.sleep(8)
        guest.dhclient()
        guest.ask_password("10.34.0.1")
    lab.shows(_ASKED, 2)
    lab.info("PWD006", _ASKED)
    lab.proof("PWD009", f"{_SAVED} || {_ASKED}")
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)
