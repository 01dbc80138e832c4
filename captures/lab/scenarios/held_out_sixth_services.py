"""A sixth hold-out, recorded before any rule had seen it: console proxy, templates, DHCP."""

import signal
import time
from datetime import timedelta
from pathlib import Path

from captures.lab.cloud import Host, Machine
from captures.lab.crowd import Crowd
from captures.lab.elsewhere import Elsewhere, kea, nginx, nginx_tls, windows_discovers
from captures.lab.namespaces import until
from captures.lab.post import between, pcapng, snap
from captures.lab.scenario import Lab, scenario
from captures.lab.services import certificates, console, vnc
from captures.lab.stage import Stage, at_tap

_LEASE, _DISCOVER = "dhcp.option.dhcp == 5", "dhcp.option.dhcp == 1"
_PROGRAMS = Path(__file__).parent.parent / "programs"
_SYN = "tcp.flags.syn == 1 && tcp.flags.ack == 0"


def _network(net: str, number: int, prefix: str, *, last: int = 1, server: str = "") -> Elsewhere:
    return Elsewhere(cidr=f"{net}.0/24", gateway=f"{net}.{last}", number=number, prefix=prefix, server=server)


def _proxy(lab: Lab, net: str) -> tuple[Host, Machine, Machine, Machine]:
    """A console proxy in a public network, the provider's router with a resolver, and a user behind it."""
    host = Host(lab, "edge", first_tap=80)
    public, office = host.bridge("brbond1-812"), host.bridge("office1")
    proxy = Machine(host, public, "1e:00:d2:00:02:11", "v-21-VM")
    proxy.address(f"{net}.17", 24, f"{net}.1")
    upstream = Machine(host, public, "f4:a7:39:00:81:01", "upstream")
    upstream.address(f"{net}.1", 24)
    upstream.plug(office, "f4:a7:39:00:81:02")
    upstream.address("192.0.2.1", 24, nic=1)
    upstream.ns.sysctl("net.ipv4.ip_forward", 1)
    user = Machine(host, office, "9c:b6:d0:44:55:66", "user")
    user.address("192.0.2.130", 24, "192.0.2.1")
    dashed = f"{net}.17".replace(".", "-")
    zone = lab.file("zone.conf", f"no-resolv\nno-hosts\naddress=/{dashed}.vm.cloud.example.org/{net}.17\n")
    upstream.ns.spawn("dnsmasq", "-k", "-u", "root", "-x", str(lab.folder / "zone.pid"), "-C", str(zone))
    user.ns.resolver("192.0.2.1")
    return host, proxy, upstream, user


@scenario
def held_out_sixth_console_certificate_ran_out(lab: Lab) -> None:
    """The wildcard of the consoles' domain ended eleven hours ago, and nobody had it in a calendar: users get no
    console (curl and openssl reject it). tcpdump -i any on the provider's router, among the traffic of nine other
    public addresses, one of which has a certificate signed by itself, as its clients know."""
    net = "100.64.9"
    host, proxy, upstream, user = _proxy(lab, net)
    root = certificates.authority("Example Trust R7")
    below = certificates.authority("Example Trust TLS CA 3", root)
    name = f"{net}.17".replace(".", "-") + ".vm.cloud.example.org"
    certificate, key = certificates.leaf(
        ("*.vm.cloud.example.org",), below, starts=timedelta(days=-398), ends=timedelta(hours=-11)
    )
    pem = certificates.write(lab.folder / "proxy.pem", key, certificate, below.certificate)
    trust = certificates.trust(lab.folder / "roots.pem", root)
    nginx(proxy, nginx_tls(443, pem, "noVNC"), nginx_tls(8443, pem, "ws"))
    crowd = Crowd(lab, _network(net, 0x0812, "1e:01"), [(host, "brbond1-812")], 9, first=40)
    with lab.record(upstream.ns, "any", "any", link_type="LINUX_SLL", compress="gz", linger=1):
        crowd.start(3)
        url = f"https://{name}/resource/noVNC/vnc.html?autoconnect=true&port=8443"
        for _ in range(2):
            user.ns.run("curl", "-s", "-m", "9", "-o", "/dev/null", "--cacert", str(trust), url, check=False)
            target = ("-connect", f"{net}.17:443", "-servername", name, "-CAfile", str(trust), "-verify_return_error")
            user.ns.run("openssl", "s_client", *target, check=False, seconds=3)
            user.ns.run("curl", "-sk", "-m", "5", "-o", "/dev/null", f"https://{crowd.server}/", check=False)
            time.sleep(3)
    lab.shows("tls.alert_message.desc == 45", 2)
    lab.fault("CPVM006", f"tls.handshake.type == 11 && ip.src == {net}.17", server=f"{net}.17")
    for code in ("CPVM010", "CPVM015"):
        lab.consequence(code)


@scenario
def held_out_sixth_console_screen_filtered(lab: Lab) -> None:
    """A hypervisor was installed anew and its firewall lets no VNC in: the page loads, the websocket opens, the console
    proxy's SYNs to port 5907 get no answer, and the websocket ends. The console of an instance on another hypervisor
    works. tcpdump -i any inside the proxy."""
    _, proxy, _, user = _proxy(lab, "100.64.10")
    private = proxy.host.bridge("cloudbr0")
    proxy.plug(private, "1e:00:d2:00:02:12")
    proxy.address("172.16.30.17", 24, nic=1)
    dead, alive = (Machine(proxy.host, private, f"0c:42:a1:00:30:{n}", f"hv{n}") for n in (51, 52))
    for n, hypervisor in enumerate((dead, alive)):
        hypervisor.address(f"172.16.30.{51 + n}", 24)
        vnc.start(hypervisor, 5907 - 2 * n)
    dead.drop("tcp dport 5900-6100")
    console.start(proxy, 80)
    console.start(proxy, 8080, screen=("172.16.30.51", 5907))
    console.start(proxy, 8081, screen=("172.16.30.52", 5905))
    lab.secret("Zx9-lab-token-console")
    websocket = ("python3", str(_PROGRAMS / "websocket.py"), "100-64-10-17.vm.cloud.example.org")
    with lab.record(proxy.ns, "any", "any", compress="gz", linger=2):
        for port in ("8081", "8080", "8080"):
            user.ns.run("curl", "-s", "-m", "5", "-o", "/dev/null", f"http://{websocket[-1]}/resource/noVNC/vnc.html")
            user.ns.run(*websocket, port, check=False, seconds=20)
            time.sleep(1)
    lab.shows(f"tcp.dstport == 5907 && {_SYN}", 6)
    lab.shows("http.response.code == 101", 3)
    lab.fault("CPVM017", "tcp.dstport == 5907", server="172.16.30.51", port=5907)
    for code in ("CPVM020", "CPVM022", "HOST011"):
        lab.consequence(code)


@scenario
def held_out_sixth_certificates_of_tenants(lab: Lab) -> None:
    """Tenants' own business: an appliance with a certificate signed by itself that ended last year, on 443 and 8443,
    read with curl -k by those who know it and rejected by a monitor that checks; a Java application on 8080 that knows
    no path; and a shop with a good certificate. Recorded on the bridge of the tenants' network, role not told.
    Healthy."""
    stage = Stage(lab, _network("172.19.40", 0x1940, "02:7d"), first_tap=40)
    machines = [stage.guest(0x20 + n, name) for n, name in enumerate(("appliance", "java", "shop", "ops", "monitor"))]
    for n, machine in enumerate(machines):
        machine.address(stage.network.ip(32 + n), 24, stage.network.gateway)
    appliance, java, shop, ops, monitor = machines
    own, key = certificates.leaf(("appliance.local",), None, starts=timedelta(days=-900), ends=timedelta(days=-300))
    old = certificates.write(lab.folder / "old.pem", key, own)
    root = certificates.authority("Tenant CA")
    leaf, key = certificates.leaf(("shop.example.com",), root, starts=timedelta(days=-9), ends=timedelta(days=90))
    good = certificates.write(lab.folder / "good.pem", key, leaf)
    trust = certificates.trust(lab.folder / "trust.pem", root)
    nginx(appliance, nginx_tls(443, old, "login"), nginx_tls(8443, old, "admin"))
    nginx(java, "server { listen 8080; location / { return 404 '<html>Whitelabel Error Page</html>'; } }")
    nginx(shop, nginx_tls(443, good, "shop", newest="TLSv1.2 TLSv1.3"))
    curl = ("curl", "-s", "-m", "5", "-o", "/dev/null")
    with lab.record(*stage.at_bridge, told=False, steps=(pcapng,), linger=1):
        for _ in range(3):
            for port in (443, 8443):
                ops.ns.run(*curl, "-k", f"https://{stage.network.ip(32)}:{port}/", check=False)
                url = f"https://appliance.local:{port}/health"
                at = f"appliance.local:{port}:{stage.network.ip(32)}"
                monitor.ns.run(*curl, "--cacert", str(trust), "--resolve", at, url, check=False)
            ops.ns.run(*curl, f"http://{stage.network.ip(33)}:8080/actuator/health", check=False)
            at = f"shop.example.com:443:{stage.network.ip(34)}"
            monitor.ns.run(*curl, "--cacert", str(trust), "--resolve", at, "https://shop.example.com/")
            time.sleep(1)
    lab.shows("tls.alert_message.level == 2", 3)
    lab.shows("http.response.code == 404", 3)


@scenario
def held_out_sixth_clones_share_an_address(lab: Lab) -> None:
    """Two guests of one image send the same DHCP client identifier (udhcpc, from a file of the image), on a shared
    network whose server is a Kea that goes by it: both are given one address, and use it. Recorded on the bridge."""
    network = _network("10.23.4", 0x2304, "02:e0", last=254, server="10.23.4.2")
    stage = Stage(lab, network, first_tap=50, router=False)
    server = Machine(stage.host, stage.bridge, "00:16:3e:23:04:02", "kea")
    server.address("10.23.4.2", 24)
    gateway = Machine(stage.host, stage.bridge, "44:f4:77:23:04:fe", "gw")
    gateway.address(network.gateway, 24)
    more = ', "option-data": [{"name": "routers", "data": "10.23.4.254"}]'
    kea(server, "10.23.4.0/24", "10.23.4.100 - 10.23.4.180", more=more)
    clones = [stage.guest(0x61 + n, f"node-{n}") for n in range(2)]
    same = ("-C", "-x", "0x3d:ff7d1a0c3300020000ab1184e2a90b6c5d4e3f")
    with lab.record(*stage.at_bridge, linger=3):
        for clone in clones:
            clone.udhcpc(options=same)
            time.sleep(1)
        for clone in clones:
            clone.ns.spawn("ping", "-q", "-i", "1", network.gateway)
        time.sleep(9)
    lab.shows(_LEASE, 2)
    lab.fault("TMPL006", f"{_DISCOVER} || dhcp.option.dhcp == 3")
    for code in ("DHCP018", "HYP015", "DHCP016", "HYP016"):
        lab.consequence(code)


@scenario
def held_out_sixth_interface_of_another_maker(lab: Lab) -> None:
    """An image from VMware configures ens192, its NIC here is ens3: nothing comes from the guest in more than two
    minutes, while ten neighbours broadcast. The profile knows the guest. Recorded at its tap, gzip."""
    network = _network("10.187.0", 0x1870, "02:b1")
    stage = Stage(lab, network, first_tap=71)
    guest = stage.guest(0x29, "import-7", ip=network.ip(41))
    crowd = Crowd(lab, network, [(stage.host, stage.bridge)], 10, first=100)
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), compress="gz", linger=1):
        crowd.start(1)
        time.sleep(150)
    lab.hides(f"eth.src == {guest.mac}")
    lab.shows("arp || mdns", 20)
    lab.fault("TMPL001", "arp || mdns", mac=guest.mac)


@scenario
def held_out_sixth_instance_made_again(lab: Lab) -> None:
    """An instance is destroyed and made again from its old root disk: the new one has another MAC, but host name and
    client identifier of the old, which is gone for twelve seconds by then. dhclient. Recorded on the bridge.
    Healthy."""
    network = _network("10.88.14", 0x0E88, "02:9f")
    stage = Stage(lab, network, first_tap=3)
    old, new = stage.guest(0x14, "jenkins"), stage.guest(0x15, "jenkins-again")
    stage.serve()
    same = "send dhcp-client-identifier ff:12:ab:34:cd:00:02:00:00:ab:11:0f:5e:6d:7c:8b:9a:01:02;"
    new.name = old.name
    with lab.record(*stage.at_bridge, linger=3):
        client = old.dhclient(more=same)
        old.ns.run("ping", "-qc", "5", network.gateway)
        old.stop(client)
        stage.host.ns.ip("link", "set", old.tap, "down")
        time.sleep(12)
        new.dhclient(more=same)
        new.ns.run("ping", "-qc", "5", network.gateway)
    for guest in (old, new):
        lab.proof("DHCP031", f"{_LEASE} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)


@scenario
def held_out_sixth_second_range_forgotten(lab: Lab) -> None:
    """A shared network got a second range, 10.205.1.0/24, and the router's dnsmasq was never given it: guests with
    addresses of the second ask for more than a minute (udhcpc, dhclient), those of the first are served at once. The
    profile tells both ranges. Recorded on the bridge among ten neighbours."""
    network = _network("10.205.0", 0x2050, "1e:00", last=254, server="10.205.0.5")
    stage = Stage(lab, network, first_tap=90)
    served = stage.guest(0x41, "first-range", ip="10.205.0.65")
    silent = [stage.guest(0x51 + n, f"second-{n}", ip=f"10.205.1.{20 + n}") for n in range(2)]
    crowd = Crowd(lab, network, [(stage.host, stage.bridge)], 10, first=100)
    stage.serve()
    site = stage.site()
    ranges = [
        {"cidr": "10.205.0.0/24", "gateway": "10.205.0.254"},
        {"cidr": "10.205.1.0/24", "gateway": "10.205.1.254"},
    ]
    site["network"] = [{**one, "dhcp_server": "10.205.0.5", "type": "shared"} for one in ranges]
    lab.truth.site = site
    with lab.record(*stage.at_bridge, compress="gz", linger=6):
        crowd.start(2)
        silent[0].udhcpc(seconds=1)
        silent[1].dhclient(seconds=20)
        served.udhcpc()
        time.sleep(48)
    unserved = " || ".join(f"dhcp.hw.mac_addr == {one.mac}" for one in silent)
    lab.shows(f"{_DISCOVER} && ({unserved})", 9)
    lab.hides(f"dhcp.type == 2 && ({unserved})")
    lab.fault("DHCP003", f"{_DISCOVER} && ({unserved})")
    for code in ("DHCP001", "DHCP002"):
        lab.consequence(code)
    lab.proof("DHCP031", f"{_LEASE} && dhcp.hw.mac_addr == {served.mac}", mac=served.mac)


_OLD_LEASE = """lease {
  interface "eth0";
  fixed-address 192.168.77.15;
  option subnet-mask 255.255.255.0;
  option routers 192.168.77.1;
  option dhcp-lease-time 864000;
  option dhcp-message-type 5;
  option dhcp-server-identifier 192.168.77.1;
  renew 1 2031/01/06 00:00:00;
  rebind 1 2031/01/06 00:00:00;
  expire 1 2031/01/06 00:00:00;
}
"""


@scenario
def held_out_sixth_dhcp_as_the_filter_shows(lab: Lab) -> None:
    """What "port 67 or port 68" shows on a bridge in two busy minutes, from the 4th frame on: a renewal, a guest whose
    first DISCOVERs fall into a restart of dnsmasq at a deployment, an image that asks for an address of where it was
    made before it asks for one of here, a boot ROM, and a guest that releases. All are served. Healthy."""
    network = _network("10.5.144", 0x0590, "02:a3")
    stage = Stage(lab, network, first_tap=12)
    names = ("renews", "deployed", "golden", "rom")
    renews, deployed, golden, rom = (stage.guest(0x10 + n, name) for n, name in enumerate(names))
    stage.serve()
    with lab.record(*stage.at_bridge, bpf="port 67 or port 68", steps=(between(4),), linger=6):
        client = renews.udhcpc()
        stage.router.stop_dhcp()
        deployed.dhclient(seconds=2.5)
        stage.serve()
        until(lambda: deployed.ns.run("ip", "-4", "-o", "address", "show", "eth0").stdout, "a lease", 40)
        golden.dhclient(seconds=24, lease=_OLD_LEASE)
        rom.stop(rom.udhcpc(options=("-V", "PXEClient:Arch:00007:UNDI:003016")))
        time.sleep(1)
        rom.udhcpc()
        client.send_signal(signal.SIGUSR1)
        time.sleep(4)
    lab.shows(_DISCOVER, 3)
    lab.shows("dhcp.option.requested_ip_address == 192.168.77.15")
    for guest in (deployed, golden, rom):
        lab.proof("DHCP031", f"{_LEASE} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)


@scenario
def held_out_sixth_windows_unknown(lab: Lab) -> None:
    """A Windows instance whose NIC was added behind CloudStack's back: the router does not know its MAC. It asks four
    times in half a minute and takes a 169.254 address (option set and schedule of Windows, sent with scapy); a Debian
    and an Alpine beside it are served. tcpdump on cloudbr0, among twelve neighbours."""
    network = _network("10.71.5", 0x4705, "02:9c")
    stage = Stage(lab, network, first_tap=100)
    windows = stage.guest(0x44, "win-ab12cd", known=False)
    debian, alpine = stage.guest(0x45, "deb-1"), stage.guest(0x46, "alp-1")
    crowd = Crowd(lab, network, [(stage.host, stage.bridge)], 12, first=100)
    stage.serve()
    with lab.record(*stage.at_bridge, told=False, steps=(snap(600),), compress="gz", linger=6):
        crowd.start(2)
        debian.dhclient()
        windows_discovers(windows, (4.2, 7.9, 15.6, 8))
        alpine.udhcpc()
    lab.shows(f"{_DISCOVER} && eth.src == {windows.mac}", 4)
    lab.fault("DHCP002", f"{_DISCOVER} && eth.src == {windows.mac}", mac=windows.mac)
    lab.consequence("DHCP022", mac=windows.mac)
    for guest in (debian, alpine):
        lab.proof("DHCP031", f"{_LEASE} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)
