"""Hold-out, second part: recorded when the first part had been judged and mended, and before any rule saw these."""

import time
from datetime import timedelta

from captures.lab.along import Recorder, record_along
from captures.lab.cloud import Machine
from captures.lab.elsewhere import Elsewhere, big_endian, networkd
from captures.lab.guest import Guest
from captures.lab.keepalived import redundant_pair
from captures.lab.management import Management, connects
from captures.lab.noise import neighbours
from captures.lab.post import pcapng, shifted, snap, wire
from captures.lab.public import DOMAIN, Public
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.security_groups import listen
from captures.lab.services import password
from captures.lab.stage import Stage, Trunk, at_tap

_SYN = "tcp.flags.syn == 1 && tcp.flags.ack == 0"
_DISCOVER, _ACK = "dhcp.option.dhcp == 1", "dhcp.option.dhcp == 5"


@scenario
def held_out_second_native_mismatch(lab: Lab) -> None:
    """At the port of the guests' host VLAN 231 is the native one, so the switch sends it untagged; the host wants it
    tagged. Two guests (06:) with static addresses; VLAN 232 works. Both hosts' NICs, clocks 3 s apart, roles not
    told."""
    network = Elsewhere(cidr="100.90.2.0/23", gateway="100.90.3.254", number=0x2310, vlan=231, prefix="06:23")
    alive = Elsewhere(cidr="100.90.4.0/28", gateway="100.90.4.1", number=0x2320, vlan=232, prefix="06:23")
    trunk = Trunk(lab)
    here = trunk.host("left", "eno3", "vlan_mode=native-untagged", "tag=231", "trunks=231,232", first_tap=17)
    there = trunk.host("right", "eno3", "trunks=231,232")
    router = Router(there.host, there.vlan(231), network)
    bridge = here.vlan(231)
    guests = [Guest(here.host, bridge, network.mac(0x50 + n), f"w-{n}") for n in range(2)]
    for n, guest in enumerate(guests):
        guest.address(network.ip(20 + n), 23, network.gateway)
    near = Machine(here.host, here.vlan(232), alive.mac(3), "near")
    far = Machine(there.host, there.vlan(232), alive.mac(4), "far")
    near.address(alive.ip(3), 28)
    far.address(alive.ip(4), 28)
    ours, theirs = [near.mac, *(guest.mac for guest in guests)], [far.mac, router.mac]
    points = (
        Recorder(name="left", point=here.at_nic, local=ours, told=False, steps=(pcapng,), compress="gz"),
        Recorder(name="right", point=there.at_nic, local=theirs, told=False, steps=(shifted(3.04),)),
    )
    with record_along(lab, *points, linger=4):
        near.ns.spawn("ping", "-q", "-i", "0.5", alive.ip(4))
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "3", network.gateway)
        time.sleep(22)
    lab.shows("!vlan && arp.opcode == 2", 10)
    lab.fault("VLAN004", "arp", vlan=231)
    for code in ("VLAN001", "VLAN002", "VLAN019", "VLAN016"):
        lab.consequence(code)


@scenario
def held_out_second_typed_wrong(lab: Lab) -> None:
    """Somebody typed 451 for 541 on one host: its guest (networkd) asks tagged 451, which no port of the switch but its
    own carries; the router is in 541. Both NICs; VLAN 540 works."""
    network = Elsewhere(cidr="10.54.10.0/23", gateway="10.54.10.1", number=0x0541, vlan=541, prefix="02:00")
    alive = Elsewhere(cidr="10.54.12.0/23", gateway="10.54.12.1", number=0x0540, vlan=540, prefix="02:00")
    trunk = Trunk(lab)
    here = trunk.host("n1", "ens3f0", "trunks=451,540,541", first_tap=7)
    there = trunk.host("n2", "ens3f0", "trunks=540,541")
    router = Router(there.host, there.vlan(541), network)
    guest = Guest(here.host, here.vlan(451), network.mac(0x77), "typo-1")
    router.dhcp([(guest.mac, network.ip(300), guest.name)])
    near = Machine(here.host, here.vlan(540), alive.mac(3), "near")
    far = Machine(there.host, there.vlan(540), alive.mac(4), "far")
    near.address(alive.ip(3), 23)
    far.address(alive.ip(4), 23)
    points = (
        Recorder(name="n1", point=here.at_nic, local=[near.mac, guest.mac], compress="zst"),
        Recorder(name="n2", point=there.at_nic, local=[far.mac, router.mac]),
    )
    with record_along(lab, *points, linger=4):
        near.ns.spawn("ping", "-q", "-i", "0.7", alive.ip(4))
        networkd(guest, 45)
    lab.shows(f"vlan.id == 451 && {_DISCOVER}", 3)
    lab.fault("VLAN002", f"vlan.id == 451 && {_DISCOVER}", vlan=451)
    for code in ("VLAN001", "VLAN003", "DHCP001", "DHCP006"):
        lab.consequence(code)


@scenario
def held_out_second_quiet_networks(lab: Lab) -> None:
    """All is well: three networks have one instance each here and their routers on the same host, and each instance
    looks for a machine that is switched off; management is native on the same NIC, where the host is polled.
    Healthy."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth4", "trunks=0,71,72,73") for name in ("n1", "n2"))
    local = []
    for n, vlan in enumerate((71, 72, 73)):
        net = f"10.71.{n * 2}"
        network = Elsewhere(cidr=f"{net}.0/23", gateway=f"{net}.1", number=vlan, vlan=vlan, prefix="02:05")
        bridge = here.vlan(vlan)
        router = Router(here.host, bridge, network, label=f"vr{vlan}")
        guest = Guest(here.host, bridge, network.mac(9), f"g{vlan}")
        guest.address(network.ip(9), 23, network.gateway)
        guest.ns.spawn("ping", "-q", "-i", "2", network.ip(200))
        guest.ns.spawn("ping", "-q", "-i", "3", network.gateway)
        local += [router.mac, guest.mac]
    kvm = Machine(here.host, here.native(), "0c:42:a1:10:00:01", "kvm")
    ms = Machine(there.host, there.native(), "0c:42:a1:10:00:05", "ms")
    kvm.address("172.18.0.21", 23)
    ms.address("172.18.1.5", 23)
    with lab.record(*here.at_nic, told=False, steps=(wire([kvm.mac, *local]), snap(96)), compress="gz", linger=2):
        for _ in range(20):
            ms.ns.run("ping", "-qc", "1", "172.18.0.21")
            ms.ns.run("arping", "-b", "-q", "-c", "1", "-I", "eth0", "172.18.0.77", check=False)
            time.sleep(0.9)
    lab.shows("vlan && arp.opcode == 1", 40)
    lab.shows("!vlan && icmp.type == 0", 15)


@scenario
def held_out_second_password_refused(lab: Lab) -> None:
    """The password server of the router is not there. A guest with udhcpc asks with curl, then with wget; at the VLAN
    device of its host, cut at 128 bytes."""
    network = Elsewhere(cidr="172.27.128.0/23", gateway="172.27.129.254", number=0x88, vlan=128, prefix="02:05")
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=128") for name in ("n1", "n2"))
    guest = Guest(here.host, here.vlan(128), network.mac(6), "pw-1")
    router = Router(there.host, there.vlan(128), network)
    router.dhcp([(guest.mac, network.ip(290), guest.name)])
    with lab.record(here.host.ns, "eth1.128", "vlan", steps=(snap(128), pcapng), linger=6):
        guest.udhcpc()
        time.sleep(1)
        url = f"http://{network.gateway}:8080/"
        guest.ns.run("curl", "-s", "-m", "5", "-H", "DomU_Request: send_my_password", url, check=False)
        guest.ask_password(network.gateway)
    lab.shows("tcp.srcport == 8080 && tcp.flags.reset == 1", 2)
    lab.fault("PWD001", "tcp.port == 8080", server=network.gateway, port=8080)


@scenario
def held_out_second_password_empty(lab: Lab) -> None:
    """The Python 3 server of the router dies after its headers: a 200 without a body, for wget and for curl. -i any on
    the host, cooked version 1; neighbours around."""
    network = Elsewhere(cidr="192.168.254.0/28", gateway="192.168.254.1", number=0x89, vlan=1290, prefix="06:31")
    stage = Stage(lab, network, first_tap=11)
    guest = stage.guest(7, "pw-2", ip=network.ip(7))
    stage.serve()
    password.start(stage.router, {network.ip(7): "Zx9-lab-secret-held-9"}, "G3")
    with lab.record(*stage.at_any, told=False, link_type="LINUX_SLL", compress="zst", linger=6):
        neighbours(stage, 11)
        guest.dhclient()
        time.sleep(1)
        guest.ask_password(network.gateway)
        url = f"http://{network.gateway}:8080/"
        guest.ns.run("curl", "-s", "-m", "5", "-H", "DomU_Request: send_my_password", url, check=False)
    lab.shows("http.response.code == 200", 2)
    lab.fault("PWD005", "tcp.port == 8080", server=network.gateway)


@scenario
def held_out_second_dnsmasq_gone(lab: Lab) -> None:
    """dnsmasq of the router has died: a guest with dhcpcd asks for most of a minute, the router answers its neighbour's
    ARP. At the guest's tap, written by a big-endian machine with nanoseconds."""
    network = Elsewhere(cidr="10.222.0.0/23", gateway="10.222.1.254", number=0x9A, vlan=222, prefix="52:54")
    stage = Stage(lab, network, first_tap=2)
    guest = stage.guest(4, "arch-9")
    with lab.record(*at_tap(guest), told=False, nano=True, steps=(big_endian,), linger=7):
        neighbours(stage, 5)
        guest.dhcpcd(seconds=42, more="noipv4ll")
    lab.shows(_DISCOVER, 4)
    lab.fault("DHCP001", _DISCOVER, mac=guest.mac)


@scenario
def held_out_second_router_pair(lab: Lab) -> None:
    """A redundant pair of routers in a /23: the primary dies after a guest's boot, the other takes over and serves its
    next one. Healthy; on the bridge, cut at 400 bytes."""
    network = Elsewhere(cidr="10.223.0.0/23", gateway="10.223.1.254", number=0x9B, vlan=223, prefix="02:05")
    stage = Stage(lab, network, first_tap=5, router=False)
    guest = stage.guest(4, "ha-9", ip=network.ip(300))
    pair = redundant_pair(stage, network, priorities=(150, 90))
    time.sleep(6)
    pair[0].dhcp(stage.known, dns=network.gateway, listen=network.gateway)
    with lab.record(*stage.at_bridge, told=False, steps=(snap(400),), compress="gz", linger=6):
        client = guest.dhclient()
        time.sleep(4)
        pair[0].stop_dhcp()
        pair[0].ns.ip("link", "set", "eth0", "down")
        guest.stop(client)
        time.sleep(7)
        pair[1].dhcp(stage.known, dns=network.gateway, listen=network.gateway)
        guest.dhclient()
    lab.shows(f"{_ACK} && eth.src == {pair[1].mac}")
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def held_out_second_storage_silent(lab: Lab) -> None:
    """A firewall on the storage box drops 2049; the box answers ping and iSCSI. Two hosts mount in vain. Storage
    bridge, cooked version 2 by -i any, cut at 96 bytes."""
    pod = Management(lab, prefix="198.18.7", first_tap=70)
    hosts = [pod.machine(f"0c:42:a1:55:00:0{n}", f"kvm{n}", 20 + n) for n in range(2)]
    listen(pod.server, 2049, 3260)
    pod.server.drop("tcp dport 2049")
    with lab.record(
        pod.switch.ns, "any", "any", told=False, link_type="LINUX_SLL2", steps=(snap(96),), compress="gz", linger=4
    ):
        for host in hosts:
            host.ns.spawn("ping", "-q", "-i", "1", pod.ip)
            connects(host, pod.ip, 3260, tries=1, pause=0.3)
        for host in hosts:
            connects(host, pod.ip, 2049, tries=1, wait=8, pause=0.3)
    lab.shows(f"{_SYN} && tcp.dstport == 2049", 6)
    lab.hides("tcp.srcport == 2049")
    lab.fault("HOST007", "tcp.dstport == 2049", server=pod.ip)


@scenario
def held_out_second_console_self_signed(lab: Lab) -> None:
    """The CPVM still has the certificate it made for itself, served by openssl s_server; curl, wget and openssl refuse
    it. At the browser, cooked version 1."""
    public = Public(lab, "203.0.113.201", first_tap=33)
    pem = public.pem(f"*.{DOMAIN}", issuer=None, ends=timedelta(days=3000))
    words = ("openssl", "s_server", "-accept", "443", "-cert", str(pem), "-www", "-quiet", "-tls1_2")
    public.cpvm.ns.spawn(*words)
    time.sleep(1)
    with lab.record(public.browser.ns, "any", "any", told=False, link_type="LINUX_SLL", linger=2):
        for _ in range(2):
            public.page()
            time.sleep(1)
            public.s_client(seconds=3)
            wget = ("wget", "-q", "-t", "1", "-T", "9", "-O", "/dev/null", f"--ca-certificate={public.bundle}")
            public.browser.ns.run(*wget, f"https://{public.name}/", check=False)
    lab.shows("tls.handshake.type == 11", 4)
    lab.fault("CPVM009", "tls.handshake.type == 11")
    for code in ("CPVM010", "CPVM008"):
        lab.consequence(code)


@scenario
def held_out_second_any_on_a_host(lab: Lab) -> None:
    """All is well: guests of two /23 boot and talk on a host and across a trunk, with an access switch's broadcasts on
    the native VLAN. -i any, cooked version 2, which has no tags. Healthy."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth0", "trunks=0,301,302", first_tap=n) for n, name in ((0, "n1"), (40, "n2")))
    guests = []
    for n, vlan in enumerate((301, 302)):
        net = f"10.30.{n * 2}"
        network = Elsewhere(cidr=f"{net}.0/23", gateway=f"{net}.1", number=vlan, vlan=vlan, prefix="02:05")
        guest = Guest(here.host, here.vlan(vlan), network.mac(9), f"g{vlan}")
        router = Router(there.host, there.vlan(vlan), network, label=f"vr{vlan}")
        router.dhcp([(guest.mac, network.ip(270), guest.name)])
        guests.append((guest, network))
    here.native()
    desk = Machine(there.host, there.native(), "9c:8e:99:41:77:10", "desk")
    desk.address("192.168.7.9", 24)
    with lab.record(here.host.ns, "any", "any", link_type="LINUX_SLL2", compress="zst", linger=6):
        desk.ns.spawn("arping", "-b", "-q", "-I", "eth0", "192.168.7.90")
        for guest, network in guests:
            guest.dhclient()
            guest.ns.run("ping", "-qc", "5", "-i", "0.5", network.gateway)
    lab.shows(_ACK, 4)
    for guest, _ in guests:
        lab.proof("DHCP031", f"{_ACK} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)
