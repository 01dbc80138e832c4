"""A sixth hold-out, recorded before any rule had seen it: passwords, meta-data, IPv6, names."""

import time
from pathlib import Path

from captures.lab.crowd import Crowd
from captures.lab.elsewhere import Elsewhere, nginx
from captures.lab.post import between, pcapng, snap
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.dhcp_ipv6 import advertise
from captures.lab.services import password
from captures.lab.services.metadata import Metadata, keys
from captures.lab.stage import Stage, at_tap

_LEASE, _DISCOVER = "dhcp.option.dhcp == 5", "dhcp.option.dhcp == 1"
_PROGRAMS = Path(__file__).parent.parent / "programs"
_SYN = "tcp.flags.syn == 1 && tcp.flags.ack == 0"


def _network(net: str, number: int, prefix: str, *, last: int = 1, server: str = "") -> Elsewhere:
    return Elsewhere(cidr=f"{net}.0/24", gateway=f"{net}.{last}", number=number, prefix=prefix, server=server)


@scenario
def held_out_sixth_password_port_dropped(lab: Lab) -> None:
    """A router's firewall was rebuilt without the rule for port 8080. A guest boots by udhcpc, gets its SSH key over
    port 80, and asks for its password by wget for a minute. tcpdump -i any -s 200 inside the router, where the SYNs
    arrive, among ten neighbours who resolve names and fetch pages."""
    network = _network("10.199.2", 0x1992, "02:68")
    stage = Stage(lab, network, first_tap=8)
    guest = stage.guest(0x33, "rhel-1", ip=network.ip(51))
    crowd = Crowd(lab, network, [(stage.host, stage.bridge)], 10, first=100)
    stage.serve()
    data = Metadata(stage.router)
    data.add(network.ip(51), keys(51, network.ip(51), "rhel-1", None), "#!/bin/sh\n")
    data.serve()
    password.start(stage.router, {network.ip(51): "Zx9-lab-secret-601"})
    stage.router.drop("tcp dport 8080")
    with lab.record(stage.router.ns, "any", "any", steps=(snap(200),), compress="gz", linger=4):
        crowd.start(2)
        guest.udhcpc()
        key = f"http://{network.gateway}/latest/meta-data/instance-id"
        guest.ns.run("wget", "-q", "-O", "/dev/null", key, check=False)
        guest.ask_password(network.gateway, wait=66)
    lab.shows(f"tcp.dstport == 8080 && {_SYN}", 9)
    lab.hides("tcp.srcport == 8080")
    lab.fault("PWD003", "tcp.dstport == 8080", server=network.gateway)


@scenario
def held_out_sixth_password_of_an_old_address(lab: Lab) -> None:
    """A password was reset, and the management server stored it at the router under the address that the guest had
    before its NIC was moved: the guest asks at its next boot and hears that nothing is waiting. The profile tells of
    the reset. Recorded on the bridge, role not told, among fourteen neighbours."""
    network = _network("10.61.200", 0x61C8, "02:30")
    stage = Stage(lab, network, first_tap=22)
    guest = stage.guest(0x2A, "moved-1", ip=network.ip(42))
    crowd = Crowd(lab, network, [(stage.host, stage.bridge)], 14, first=100)
    stage.serve()
    site = stage.site()
    site["guest"] = [{"mac": guest.mac, "ip": network.ip(42), "name": "moved-1", "password_reset": True}]
    lab.truth.site = site
    lab.secret("Zx9-lab-secret-602")
    password.start(stage.router, {network.ip(17): "Zx9-lab-secret-602"}, "G2")
    with lab.record(*stage.at_bridge, told=False, steps=(snap(900),), compress="zst", linger=3):
        crowd.start(3)
        guest.dhclient()
        time.sleep(2)
        guest.ask_password(network.gateway)
        time.sleep(14)
    lab.shows('tcp.srcport == 8080 && tcp.payload contains "saved_password"')
    lab.fault("PWD006", "tcp.port == 8080", ip=network.ip(42))
    lab.proof("DHCP031", f"{_LEASE} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)


@scenario
def held_out_sixth_nothing_waiting_for_anybody(lab: Lab) -> None:
    """Power is back in a rack: five guests boot within ten seconds, and each asks for a password, of which none was
    reset; the old socat server of a 4.5 router takes three seconds for each answer. A sixth guest runs Tomcat on 8080,
    which another polls. Recorded on the bridge with "tcp port 8080 or udp port 67 or udp port 68". Healthy."""
    network = _network("10.12.32", 0x0C20, "06:1f")
    stage = Stage(lab, network, first_tap=60)
    guests = [stage.guest(0x10 + n, f"rack-{n}") for n in range(5)]
    stage.serve()
    tomcat, polls = stage.guest(0x61, "tomcat"), stage.guest(0x62, "polls")
    for n, machine in enumerate((tomcat, polls)):
        machine.address(network.ip(97 + n), 24)
    nginx(tomcat, "server { listen 8080; location / { default_type text/html; return 200 '<h1>It works</h1>'; } }")
    password.start(stage.router, {}, "G1", delay=3)
    url = f"http://{network.ip(97)}:8080/"
    bpf = "tcp port 8080 or udp port 67 or udp port 68"
    with lab.record(*stage.at_bridge, bpf=bpf, compress="gz", linger=6):
        for guest in guests:
            guest.udhcpc()
            words = ("wget", "-q", "-t", "3", "-T", "20", "-O", "-", "--header", "DomU_Request: send_my_password")
            guest.ns.spawn(*words, f"http://{network.gateway}:8080")
            polls.ns.run("curl", "-s", "-m", "3", "-o", "/dev/null", url)
            time.sleep(1)
        time.sleep(8)
    lab.shows('tcp.srcport == 8080 && tcp.payload contains "saved_password"', 5)
    lab.info("PWD006", "tcp.port == 8080")
    for guest in guests:
        lab.proof("DHCP031", f"{_LEASE} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)


@scenario
def held_out_sixth_metadata_for_one_missing(lab: Lab) -> None:
    """The command that puts an instance's data on the router failed: its cloud-init gets 404 for every key, again and
    again, while a second guest's crawl is answered. Recorded inside the router; of a rotated capture (-C) this is the
    second file, which begins after the first requests."""
    network = _network("192.168.12", 0x0C0C, "02:3c")
    stage = Stage(lab, network, first_tap=17)
    empty, full = stage.guest(0x11, "empty-1", ip=network.ip(17)), stage.guest(0x12, "full-1", ip=network.ip(18))
    crowd = Crowd(lab, network, [(stage.host, stage.bridge)], 8, first=100)
    stage.serve()
    data = Metadata(stage.router)
    data.add(network.ip(18), keys(18, network.ip(18), "full-1", None), "#cloud-config\n")
    data.serve()
    with lab.record(*stage.in_router, steps=(between(45), pcapng), compress="gz", linger=4):
        crowd.start(2)
        empty.dhclient()
        words = f"while sleep 4; do wget -q -O /dev/null http://{network.gateway}/latest/local-hostname; done"
        empty.ns.spawn("sh", "-c", words)
        empty.ns.spawn("sh", "-c", f"sleep 3; wget -q -O /dev/null http://{network.gateway}/latest/meta-data/")
        full.udhcpc()
        full.cloud_init("--fallback", network.gateway, "--no-password")
        empty.cloud_init("--fallback", network.gateway, "--patience", "30", "--no-password", seconds=45)
    lab.shows(f"http.response.code == 404 && ip.dst == {network.ip(17)}", 6)
    lab.fault("META003", f"http.response.code == 404 && ip.dst == {network.ip(17)}", ip=network.ip(17))
    lab.consequence("META011")


@scenario
def held_out_sixth_metadata_by_half_the_network(lab: Lab) -> None:
    """The rule of a router that admits its guests to ports 80 and 8080 was written for a /25 when the network was
    small, and the network is a /24 today: a guest in the upper half gets its lease and its DNS and no meta-data, one in
    the lower half gets all. cloud-init. Recorded on the bridge, role not told, xz."""
    network = _network("10.130.7", 0x1307, "02:5c")
    stage = Stage(lab, network, first_tap=28)
    upper, lower = stage.guest(0x21, "upper-1", ip=network.ip(200)), stage.guest(0x22, "lower-1", ip=network.ip(20))
    stage.serve()
    data = Metadata(stage.router)
    for n, name in ((200, "upper-1"), (20, "lower-1")):
        data.add(network.ip(n), keys(n, network.ip(n), name, None), "#cloud-config\n")
    data.serve()
    password.start(stage.router, {})
    stage.router.drop("ip saddr != 10.130.7.0/25 tcp dport { 80, 8080 }")
    with lab.record(*stage.at_bridge, told=False, compress="xz", linger=4):
        lower.udhcpc()
        lower.cloud_init("--fallback", network.gateway)
        upper.dhclient()
        upper.cloud_init("--fallback", network.gateway, "--patience", "45", "--timeout", "16", seconds=60)
    lab.shows(f"tcp.dstport == 80 && {_SYN} && ip.src == {network.ip(200)}", 8)
    lab.fault("META002", f"tcp.dstport == 80 && ip.src == {network.ip(200)}", server=network.gateway)
    for code in ("META011", "PWD003"):
        lab.consequence(code)
    lab.proof("DHCP031", f"{_LEASE} && dhcp.hw.mac_addr == {upper.mac}", mac=upper.mac)


@scenario
def held_out_sixth_metadata_after_a_reboot(lab: Lab) -> None:
    """An image of many clouds asks Amazon's address first, in vain, and OpenStack's path of the router, which has none;
    the router is being rebooted and its Apache refuses the first three requests, then serves them; the instance has no
    SSH key. All comes right within fifteen seconds. Recorded at the guest's tap. Healthy."""
    network = _network("10.77.3", 0x4D03, "02:ca")
    stage = Stage(lab, network, first_tap=36)
    guest = stage.guest(0x17, "multi-1", ip=network.ip(23))
    stage.serve()
    data = Metadata(stage.router)
    data.add(network.ip(23), keys(23, network.ip(23), "multi-1", None), "#cloud-config\n")
    password.start(stage.router, {})
    curl = ("curl", "-s", "-m", "4", "-o", "/dev/null")
    with lab.record(*at_tap(guest), linger=5):
        guest.dhclient()
        guest.ns.ip("route", "add", "169.254.0.0/16", "dev", "eth0")
        guest.ns.run(*curl, "http://169.254.169.254/latest/api/token", check=False)
        for _ in range(3):
            guest.ns.run(*curl, f"http://{network.gateway}/latest/meta-data/instance-id", check=False)
            time.sleep(1.5)
        data.serve()
        guest.ns.run(*curl, f"http://{network.gateway}/openstack/latest/meta_data.json", check=False)
        guest.ns.run(*curl, f"http://{network.gateway}/latest/meta-data/public-keys", check=False)
        guest.cloud_init("--fallback", network.gateway)
    lab.shows("tcp.srcport == 80 && tcp.flags.reset == 1", 3)
    lab.shows("http.response.code == 404", 2)
    lab.proof("META013", 'http.request.uri contains "instance-id"', ip=network.ip(23))
    lab.proof("DHCP031", _LEASE, mac=guest.mac)


@scenario
def held_out_sixth_ipv6_only(lab: Lab) -> None:
    """A tenant runs on IPv6 alone: its guests make their addresses from the router's advertisements, never speak DHCP
    or ARP, and fetch pages from each other. Recorded on their bridge for two minutes. Healthy."""
    network = _network("10.6.6", 0x0666, "02:46")
    stage = Stage(lab, network, first_tap=44)
    stage.router.ns.ip("address", "flush", "dev", "eth0")
    stage.router.ipv6(True)
    stage.router.ns.sysctl("net.ipv6.conf.all.forwarding", 1)
    stage.router.ns.ip("address", "add", "2001:db8:66::1/64", "dev", "eth0")
    server = stage.guest(0x31, "v6-web", ipv6=True)
    server.ns.ip("address", "add", "2001:db8:66::80/64", "dev", "eth0", "nodad")
    page = lab.file("www/index.html", "<p>six</p>").parent
    advertise(stage.router, prefix="2001:db8:66::", seconds=8)
    with lab.record(*stage.at_bridge, bpf="ip6 or arp or ip", linger=2):
        guest = stage.guest(0x32, "v6-app", ipv6=True)
        server.ns.spawn("python3", "-m", "http.server", "80", "--bind", "::", "--directory", str(page))
        time.sleep(10)
        for _ in range(12):
            guest.ns.run("curl", "-s", "-m", "4", "-o", "/dev/null", "http://[2001:db8:66::80]/", check=False)
            guest.ns.run("ping", "-6", "-qc", "2", "2001:db8:66::1", check=False)
            time.sleep(8.5)
    lab.hides("ip || arp")
    lab.shows("ipv6 && http.response.code == 200", 8)


@scenario
def held_out_sixth_names_that_are_not_there(lab: Lab) -> None:
    """A Kubernetes of a tenant: its programs ask for names like 10-244-1-7.default.pod.cluster.local with every suffix
    of their search list, and get NXDOMAIN for all but the last, or for all; a zone of a partner has been dead for a
    week and its names fail (REFUSED). Names, not networks. Recorded on the bridge with "port 53", role not told.
    Healthy."""
    network = _network("10.244.0", 0x2440, "02:0b")
    stage = Stage(lab, network, first_tap=66)
    pods = [stage.guest(0x20 + n, f"pod-{n}") for n in range(4)]
    for n, pod in enumerate(pods):
        pod.address(network.ip(32 + n), 24, network.gateway)
    stage.serve()
    with lab.record(*stage.at_bridge, told=False, bpf="port 53", linger=1):
        for pod in pods:
            pod.ns.resolver(network.gateway, "default.svc.cs2cloud.internal svc.cs2cloud.internal cs2cloud.internal")
            for name in ("10-244-1-7.default.pod", "172-16-0-9.sslip", "data-server", "api.partner.example.org"):
                pod.ns.run("getent", "ahosts", name, check=False, seconds=12)
    lab.shows("dns.flags.rcode == 3", 8)
    lab.shows("dns.flags.rcode == 5", 2)
