"""Password requests that go an odd way: Windows, secondary addresses, proxies, storms."""

import time

from captures.lab.cloud import GuestNetwork
from captures.lab.guest import SAVED_HEADER, SECRET_HEADER
from captures.lab.post import snap
from captures.lab.scenario import Lab, scenario
from captures.lab.services import password
from captures.lab.stage import Stage, at_tap

_ASKED = 'http.request.line contains "send_my_password"'
_SAVED = 'http.request.line contains "saved_password"'
_LEASE = "dhcp.option.dhcp == 5"
_WINDOWS = ("-V", "MSFT 5.0")


@scenario
def password_windows_takes_empty_body(lab: Lab) -> None:
    """A Windows guest with the old agent asks a Python 3 server that dies after its headers. The agent takes the empty
    body for the password, sets it, and acknowledges."""
    stage = Stage(lab, GuestNetwork(cidr="10.111.0.0/24", gateway="10.111.0.1", number=0x101), first_tap=2)
    guest = stage.guest(0x16, "win-1", ip="10.111.0.16")
    stage.serve()
    password.start(stage.router, {"10.111.0.16": "Zx9-lab-secret-21"}, "G3")
    with lab.record(*at_tap(guest), linger=4):
        guest.udhcpc(options=_WINDOWS)
        guest.ask_password("10.111.0.1")
        guest.ask_password("10.111.0.1", header=SAVED_HEADER)
    lab.fault("PWD015", f"({_ASKED}) || ({_SAVED}) || (tcp.srcport == 8080 && tcp.len > 0)")
    lab.consequence("PWD005")


@scenario
def password_retry_storm(lab: Lab) -> None:
    """The old Windows agent asks a server without its password once a second."""
    stage = Stage(lab, GuestNetwork(cidr="10.112.0.0/24", gateway="10.112.0.1", number=0x102), first_tap=4)
    guest = stage.guest(0x17, "win-2", ip="10.112.0.17")
    stage.serve()
    password.start(stage.router, {}, "G2", only_keyword=b"")
    with lab.record(*at_tap(guest), told=False, linger=4, compress="zst"):
        guest.udhcpc(options=_WINDOWS)
        for _ in range(14):
            guest.ask_password("10.112.0.1")
            time.sleep(1)
    lab.shows(_ASKED, 12)
    lab.fault("PWD005", f"({_ASKED}) || (tcp.srcport == 8080 && tcp.len > 0)", server="10.112.0.1", port=8080)
    lab.consequence("PWD016")


@scenario
def password_asked_from_secondary_address(lab: Lab) -> None:
    """The guest asks from its secondary address, for which no password waits: saved_password, although a reset was
    made."""
    stage = Stage(lab, GuestNetwork(cidr="10.113.0.0/24", gateway="10.113.0.1", number=0x103), first_tap=6)
    guest = stage.guest(0x18, "two-ips", ip="10.113.0.18")
    stage.serve()
    password.start(stage.router, {"10.113.0.18": "Zx9-lab-secret-22"})
    lab.truth.site = stage.site()
    wget = ("wget", "-q", "-t", "3", "-T", "20", "-O", "-", "--header", SECRET_HEADER, "http://10.113.0.1:8080")
    with lab.record(*at_tap(guest), linger=4):
        guest.dhclient()
        guest.address("10.113.0.190", 24)
        guest.ns.run(*wget, "--bind-address=10.113.0.190")
    lab.shows(f"({_ASKED}) && ip.src == 10.113.0.190")
    lab.fault("PWD014", "ip.src == 10.113.0.190 && tcp.dstport == 8080")
    for code in ("PWD006", "TMPL005"):
        lab.consequence(code)


@scenario
def password_asked_through_proxy(lab: Lab) -> None:
    """The image has a web proxy in its environment, so the request for the password goes to the proxy, which knows
    nothing of it."""
    stage = Stage(lab, GuestNetwork(cidr="10.114.0.0/24", gateway="10.114.0.1", number=0x104), first_tap=8)
    guest, proxy = stage.guest(0x19, "proxied", ip="10.114.0.19"), stage.guest(0x1A, "proxy", ip="10.114.0.20")
    proxy.address("10.114.0.20", 24, "10.114.0.1")
    stage.serve()
    password.serve(proxy, password.Refusing, 3128)
    wget = ("wget", "-q", "-t", "3", "-T", "20", "-O", "-", "--header", SECRET_HEADER, "http://10.114.0.1:8080")
    with lab.record(*at_tap(guest), linger=4):
        guest.dhclient()
        guest.ns.run(*wget, check=False, env={"http_proxy": "http://10.114.0.20:3128"})
    lab.fault("PWD020", "tcp.dstport == 3128 && tcp.len > 0")


@scenario
def password_slow_answer(lab: Lab) -> None:
    """The socat server waits seven seconds for its lock before it answers; the password comes and is acknowledged."""
    stage = Stage(lab, GuestNetwork(cidr="10.115.0.0/24", gateway="10.115.0.1", number=0x105), first_tap=10)
    guest = stage.guest(0x1B, "old-5", ip="10.115.0.21")
    stage.serve()
    lab.secret("Zx9-lab-secret-23")
    password.start(stage.router, {"10.115.0.21": "Zx9-lab-secret-23"}, "G1", delay=7)
    with lab.record(*at_tap(guest), told=False, nano=True, linger=4):
        guest.dhclient()
        guest.reset_password("10.115.0.1")
    lab.fault("PWD019", f"({_ASKED}) || (tcp.srcport == 8080 && tcp.len > 0)", server="10.115.0.1")
    lab.proof("PWD009", f"({_ASKED}) || ({_SAVED})")


@scenario
def password_save_attempt_from_guest(lab: Lab) -> None:
    """A guest tries to store a password for another guest, which the server admits from its own machine only."""
    stage = Stage(lab, GuestNetwork(cidr="10.116.0.0/24", gateway="10.116.0.1", number=0x106), first_tap=12)
    guest = stage.guest(0x1C, "curious", ip="10.116.0.22")
    stage.serve()
    password.start(stage.router, {})
    form = ("-F", "ip=10.116.0.99", "-F", "password=Zx9-lab-secret-24", "-F", "token=0123")
    lab.secret("Zx9-lab-secret-24")
    with lab.record(*at_tap(guest), linger=4):
        guest.dhclient()
        guest.ns.run("curl", "-s", "-H", "DomU_Request: save_password", *form, "http://10.116.0.1:8080/", check=False)
    lab.fault("PWD017", 'http.request.method == "POST" || tcp.dstport == 8080 && tcp.len > 0', ip="10.116.0.22")
    lab.proof("DHCP031", _LEASE, mac=guest.mac)


@scenario
def password_and_metadata_silent_in_a_hurry(lab: Lab) -> None:
    """The router's firewall drops ports 80 and 8080. The recorder inside the router is stopped with the last SYN of a
    guest that tries each of them for nine seconds with curl; snap length 96."""
    stage = Stage(lab, GuestNetwork(cidr="10.169.0.0/24", gateway="10.169.0.1", number=0x169), first_tap=6)
    guest = stage.guest(0x21, "hurry-1", ip="10.169.0.33")
    stage.serve()
    stage.router.drop("tcp dport { 80, 8080 }")
    with lab.record(*stage.in_router, told=False, steps=(snap(96),), linger=0.5):
        guest.udhcpc()
        for url in ("http://10.169.0.1/latest/meta-data/instance-id", "http://10.169.0.1:8080/"):
            guest.ns.run("curl", "-s", "-m", "9", "-H", SECRET_HEADER, url, check=False)
    lab.hides("tcp.srcport == 80 || tcp.srcport == 8080")
    for code, port in (("META002", 80), ("PWD003", 8080)):
        lab.shows(f"tcp.dstport == {port}", 4)
        lab.fault(code, f"tcp.dstport == {port}", server="10.169.0.1", port=port)
