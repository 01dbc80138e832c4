"""A seventh hold-out, links and hosts: short captures at one point, and faults that begin or end while it runs."""

import time

from captures.lab.along import TwoHosts, bridge_drops, record_along
from captures.lab.cloud import GuestNetwork, Machine, veth
from captures.lab.elsewhere import Elsewhere, networkd
from captures.lab.guest import Guest
from captures.lab.management import Management, connects
from captures.lab.post import between, snap, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.vlan_missing import neighbours
from captures.lab.stage import Point, Stage, Trunk, TrunkHost, at_tap


def _label_bridge(here: TrunkHost) -> Point:
    """Put a Linux bridge ``cloudbr0`` on the uplink, above which the host's VLANs are: all frames pass it, tagged."""
    host = here.host
    here.ovs.remove("cloudbr1", here.uplink)
    host.bridge("cloudbr0")
    veth(host.ns, "up0", host.ns, "up0-p")
    for name in ("up0", here.uplink):
        host.ns.ip("link", "set", name, "master", "cloudbr0")
    for name in ("up0", "up0-p"):
        host.ns.ip("link", "set", name, "up")
    here.ovs.port("cloudbr1", "up0-p")
    return host.ns, "cloudbr0", "bridge"


@scenario
def held_out_seventh_vlan_taken_off_port(lab: Lab) -> None:
    """Two guests of VLAN 612 talk to their router on another host; twelve seconds into the capture somebody takes 612
    off the switch port of their host. From then on they ask in vain, while 613 goes on. Recorded on cloudbr0 of their
    host with a snap length of 96; the role is not told."""
    network = Elsewhere(cidr="10.66.12.0/24", gateway="10.66.12.1", number=0x2A12, vlan=612, prefix="02:07")
    alive = Elsewhere(cidr="10.66.13.0/24", gateway="10.66.13.1", number=0x2A13, vlan=613, prefix="02:07")
    two = TwoHosts(lab, network, alive, first_tap=31, nic="ens1f0")
    guests = [two.guest(0x21 + n, f"app-{n}", ip=40 + n) for n in range(2)]
    where = _label_bridge(two.near)
    local = [*(guest.mac for guest in guests), two.other.mac]
    two.talk()
    with lab.record(*where, told=False, steps=(wire(local), snap(96)), linger=2):
        for guest in guests:
            guest.ns.spawn("ping", "-q", "-i", "1", network.gateway)
            guest.ns.spawn("arping", "-b", "-q", "-I", "eth0", network.gateway)
        time.sleep(12)
        two.trunk.switch.change("kvm1-port", "trunks=613")
        time.sleep(22)
    lab.shows("vlan.id == 612 && arp.opcode == 1 && frame.time_relative > 13", 20)
    lab.shows(f"vlan.id == 612 && eth.src == {two.router.mac} && frame.time_relative < 11", 5)
    lab.hides(f"vlan.id == 612 && eth.src == {two.router.mac} && frame.time_relative > 14")
    lab.shows("vlan.id == 613 && icmp.type == 0 && frame.time_relative > 14", 10)
    lab.fault("VLAN001", "vlan.id == 612 && frame.time_relative > 12", vlan=612)
    lab.consequence("VLAN019")


@scenario
def held_out_seventh_vlan_of_one_host(lab: Lab) -> None:
    """An isolated network whose router and guests all run on this host: their broadcasts leave by the NIC, tagged 2710,
    and nothing comes back, because nobody is there. Two guests boot with dhcpcd and talk to the router. Healthy."""
    network = Elsewhere(cidr="172.29.0.0/22", gateway="172.29.0.1", number=0x0B71, vlan=2710, prefix="02:0a")
    alive = Elsewhere(cidr="172.29.8.0/24", gateway="172.29.8.1", number=0x0B72, vlan=2711, prefix="02:0a")
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "bond0", first_tap=9 * n) for n, name in enumerate(("kvm1", "kvm2")))
    bridge = here.vlan(2710)
    router = Router(here.host, bridge, network)
    guests = [Guest(here.host, bridge, network.mac(0x31 + n), f"lone-{n}") for n in range(2)]
    router.dhcp([(one.mac, network.ip(0x131 + n), one.name) for n, one in enumerate(guests)])
    near, _ = neighbours(here, there, alive)
    local = (router.mac, near.mac, *(guest.mac for guest in guests))
    with lab.record(here.host.ns, "bond0", "bond", told=False, steps=(wire(local),), linger=2):
        for guest in guests:
            guest.dhcpcd(seconds=7)
        for n in range(4):
            for guest in guests:
                guest.ns.run("ping", "-qc", "2", network.gateway)
                guest.ns.ip("neigh", "flush", "all")
            router.ns.run("ping", "-qc", "1", network.ip(0x131 + n % 2))
            router.ns.ip("neigh", "flush", "all")
            time.sleep(2)
    lab.shows("vlan.id == 2710 && arp.opcode == 1", 8)
    lab.shows("vlan.id == 2711 && icmp.type == 0", 5)
    lab.hides("vlan.id == 2710 && (icmp || dhcp.option.dhcp == 2)")


@scenario
def held_out_seventh_laptop_has_an_address_of_ours(lab: Lab) -> None:
    """A technician's laptop has the address of an instance; two clients are answered by both, until he pulls its cable
    after a quarter of a minute. Recorded with -i any on the host, snap length 96."""
    network = Elsewhere(cidr="192.168.77.0/24", gateway="192.168.77.1", number=0x77, vlan=1770, prefix="02:03")
    stage = Stage(lab, network, first_tap=4)
    owner = stage.guest(0x24, "mail-1")
    laptop = Machine(stage.host, stage.bridge, "3c:52:82:6a:11:09", "laptop")
    clients = [stage.guest(0x25 + n, f"client-{n}") for n in range(2)]
    for machine, last in ((owner, 36), (laptop, 36), (clients[0], 37), (clients[1], 38)):
        machine.address(network.ip(last), 24, network.gateway)

    def ask() -> None:
        for client in clients:
            client.ns.run("ping", "-qc", "1", "-W", "1", network.ip(36), check=False)
            client.ns.ip("neigh", "flush", "all")
        time.sleep(1.3)

    with lab.record(*stage.at_any, steps=(snap(96),), linger=1):
        for _ in range(9):
            ask()
        laptop.ns.ip("link", "set", "eth0", "down")
        for _ in range(7):
            ask()
    for machine in (owner, laptop):
        lab.shows(f"arp.opcode == 2 && arp.src.hw_mac == {machine.mac}", 8)
    lab.fault("HYP015", f"arp.opcode == 2 && arp.src.proto_ipv4 == {network.ip(36)}", ip=network.ip(36))
    lab.consequence("HYP016")


@scenario
def held_out_seventh_address_moves_once(lab: Lab) -> None:
    """Two database guests share an address by a script of their own: the first gives it up, the second takes it and
    announces it. A client goes on asking. Recorded at the router's own interface, first 200 frames. Healthy."""
    network = Elsewhere(cidr="10.140.0.0/24", gateway="10.140.0.1", number=0x8C, vlan=1402, prefix="02:00")
    stage = Stage(lab, network, first_tap=11)
    pair = [stage.guest(0x41 + n, f"db-{n}") for n in range(2)]
    for n, one in enumerate(pair):
        one.address(network.ip(65 + n), 24, network.gateway)
    shared = f"{network.ip(70)}/24"
    pair[0].ns.ip("address", "add", shared, "dev", "eth0")
    with lab.record(*stage.in_router, told=False, steps=(between(1, 200), snap(96)), linger=1):
        for n in range(12):
            if n == 6:
                pair[0].ns.ip("address", "del", shared, "dev", "eth0")
                pair[1].ns.ip("address", "add", shared, "dev", "eth0")
                pair[1].ns.run("arping", "-U", "-q", "-c", "3", "-I", "eth0", network.ip(70), check=False)
            stage.router.ns.run("ping", "-qc", "1", "-W", "1", network.ip(70), check=False)
            if n % 2:
                stage.router.ns.ip("neigh", "flush", "all")
            time.sleep(1)
    for one in pair:
        lab.shows(f"arp.opcode == 2 && arp.src.hw_mac == {one.mac} && arp.src.proto_ipv4 == {network.ip(70)}")


@scenario
def held_out_seventh_guest_on_the_label_bridge(lab: Lab) -> None:
    """A guest of VLAN 1530 was started with its tap in the label bridge instead of that of its VLAN: systemd-networkd's
    DISCOVERs leave the bond untagged, while its neighbour's frames carry the tag and are answered. Recorded on the bond
    with a snap length of 96, half a minute; the role is not told."""
    network = Elsewhere(cidr="10.141.0.0/24", gateway="10.141.0.1", number=0x8D, vlan=1530, prefix="02:05")
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "bond0", first_tap=20 * n) for n, name in enumerate(("kvm1", "kvm2")))
    near, _ = neighbours(here, there, network, every="1")
    router = Router(there.host, "brbond0-1530", network)
    guest = Guest(here.host, here.native(), network.mac(0x51), "lost-1")
    router.dhcp([(guest.mac, network.ip(81), guest.name)])
    steps = (wire((near.mac, guest.mac)), snap(96))
    with lab.record(here.host.ns, "bond0", "bond", told=False, steps=steps, linger=1):
        networkd(guest, 32)
    lab.shows(f"udp.dstport == 67 && !vlan && eth.src == {guest.mac}", 4)
    lab.hides(f"vlan && eth.src == {guest.mac}")
    lab.shows("vlan.id == 1530 && icmp.type == 0", 20)
    lab.fault("HYP004", f"eth.src == {guest.mac}", mac=guest.mac)
    for code in ("OVS002", "DHCP001", "DHCP002"):
        lab.consequence(code, mac=guest.mac)


@scenario
def held_out_seventh_tag_comes_back(lab: Lab) -> None:
    """The Open vSwitch port of a guest has no tag: its DISCOVERs go nowhere and other tenants' tagged frames come to
    it, until somebody sets the tag and dhcpcd gets its lease. Recorded at its tap."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "ens2f1", first_tap=20 * n) for n, name in enumerate(("kvm1", "kvm2")))
    networks = [
        Elsewhere(cidr=f"10.150.{n}.0/24", gateway=f"10.150.{n}.1", number=0x960 + n, vlan=1500 + n, prefix="02:02")
        for n in range(3)
    ]
    for network in networks:
        near, far = neighbours(here, there, network, every="1")
        far.ns.spawn("arping", "-b", "-q", "-I", "eth0", network.ip(113))
        near.ns.spawn("arping", "-b", "-q", "-w", "5", "-I", "eth0", network.ip(114))
    guest = Guest(here.host, None, networks[0].mac(0x51), "shop-1")
    here.ovs.port("cloudbr1", guest.tap)
    router = Router(there.host, "brens2f1-1500", networks[0])
    router.dhcp([(guest.mac, networks[0].ip(81), guest.name)])
    with lab.record(*at_tap(guest), linger=2):
        guest.dhcpcd(seconds=9)
        here.ovs.change(guest.tap, "tag=1500")
        time.sleep(18)
    for vlan in (1500, 1501, 1502):
        lab.shows(f"vlan.id == {vlan} && arp && frame.time_relative < 9", 4)
    lab.hides("vlan && frame.time_relative > 11")
    lab.shows("dhcp.option.dhcp == 5")
    lab.fault("OVS001", "vlan.id == 1501 || vlan.id == 1502 || vlan.id == 1500")
    lab.consequence("DHCP001", mac=guest.mac)
    lab.consequence("DHCP002", mac=guest.mac)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def held_out_seventh_bridges_own_port(lab: Lab) -> None:
    """An operator records the Open vSwitch bridge itself, whose local port sees the broadcasts of the guests and never
    what is answered to one of them. Three guests boot with udhcpc and ask their router. Healthy."""
    network = Elsewhere(cidr="10.151.0.0/24", gateway="10.151.0.1", number=0x970, vlan=830, prefix="02:02")
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", first_tap=20 * n) for n, name in enumerate(("kvm1", "kvm2")))
    router = Router(there.host, there.vlan(830), network)
    guests = [Guest(here.host, None, network.mac(0x31 + n), f"node-{n}") for n in range(3)]
    for guest in guests:
        here.ovs.port("cloudbr1", guest.tap, "tag=830")
    router.dhcp([(one.mac, network.ip(49 + n), one.name) for n, one in enumerate(guests)])
    with lab.record(here.host.ns, "cloudbr1", "bridge", linger=2):
        for guest in guests:
            guest.udhcpc()
            guest.ns.spawn("arping", "-b", "-q", "-i", "2", "-I", "eth0", network.gateway)
        for guest in guests:
            for _ in range(4):
                guest.ns.run("ping", "-qc", "1", network.gateway)
                guest.ns.ip("neigh", "flush", "all")
                time.sleep(1)
    lab.shows("arp.opcode == 1", 12)
    lab.shows("dhcp.option.dhcp == 1", 3)
    lab.hides("icmp || arp.opcode == 2 || dhcp.option.dhcp == 5")


@scenario
def held_out_seventh_second_address_not_known(lab: Lab) -> None:
    """An administrator adds a second address inside his guest and does not tell CloudStack: what he sends from it
    passes the tap and not the NIC, the first address works. Twenty seconds, snap length 96, two points."""
    network = Elsewhere(cidr="10.152.0.0/24", gateway="10.152.0.1", number=0x980, vlan=1521, prefix="02:02")
    two = TwoHosts(lab, network, first_tap=14, nic="eno2")
    guest = two.guest(0x61, "web-1", ip=97)
    second = network.ip(98)
    guest.ns.ip("address", "add", f"{second}/24", "dev", "eth0")
    peer = two.peer(0x71, "peer", 113)
    peer.ns.spawn("python3", "-m", "http.server", "80", "--directory", str(lab.folder))
    bridge_drops(two.near.host, f"iifname {guest.tap} ip saddr {second}")
    time.sleep(0.8)
    with record_along(lab, two.tap(guest, steps=(snap(96),)), two.near_nic(steps=(snap(96),))):
        for _ in range(3):
            for source in (network.ip(97), second):
                words = ("curl", "-s", "-m", "3", "-o", "/dev/null", "--interface", source)
                guest.ns.run(*words, f"http://{network.ip(113)}/", check=False)
                guest.ns.run("ping", "-qc", "1", "-W", "1", "-I", source, network.ip(113), check=False)
    lab.shows(f"ip.src == {second} && tcp.flags.syn == 1", 5)
    lab.hides(f"ip.dst == {second}")
    lab.shows(f"ip.dst == {network.ip(97)} && tcp.srcport == 80", 6)
    lab.fault("SG003", f"ip.src == {second}", mac=guest.mac, ip=second)
    lab.consequence("HYP001")


@scenario
def held_out_seventh_mail_port_closed_by_policy(lab: Lab) -> None:
    """The security group of a guest lets nothing out to port 25, as most clouds do; its mailer tries three servers, and
    the web works. Recorded at its tap with the filter "tcp" for twenty seconds. Healthy: that is policy."""
    network = Elsewhere(cidr="10.153.0.0/24", gateway="10.153.0.1", number=0x990, prefix="02:02")
    stage = Stage(lab, network, first_tap=6, router=False)
    guest = stage.guest(0x21, "mailer")
    guest.address(network.ip(33), 24)
    for n in range(3):
        server = stage.guest(0x31 + n, f"mx-{n}")
        server.address(network.ip(50 + n), 24)
        for port in (25, 80):
            server.ns.spawn("python3", "-m", "http.server", str(port), "--directory", str(lab.folder))
    bridge_drops(stage.host, f"iifname {guest.tap} tcp dport 25")
    time.sleep(1)
    with lab.record(*at_tap(guest), bpf="tcp", steps=(snap(96),), linger=3):
        for n in range(3):
            guest.ns.run("curl", "-s", "-m", "3", "-o", "/dev/null", f"http://{network.ip(50 + n)}/")
            connects(guest, network.ip(50 + n), 25, tries=1, wait=4)
    lab.shows("tcp.flags.syn == 1 && tcp.dstport == 25", 6)
    lab.hides("tcp.srcport == 25")
    lab.info("SG002", "tcp.dstport == 25", ip=network.ip(33), port=25)


@scenario
def held_out_seventh_storage_goes_silent(lab: Lab) -> None:
    """A host writes to its NFS storage; in the middle of the capture the firewall of the storage server is switched on
    and drops port 2049, and new mounts are not answered. It answers ping all the time. Recorded at the host's NIC, snap
    length 96."""
    pod = Management(lab, prefix="172.18.4")
    host = pod.machine("ac:1f:6b:40:01:21", "kvm7", 27)
    nas = pod.machine("00:11:32:9a:00:30", "nas", 30)
    nas.ns.spawn("socat", "-u", "TCP-LISTEN:2049,fork,reuseaddr", "OPEN:/dev/null")
    time.sleep(0.5)
    server = f"{pod.prefix}.30"
    host.ns.spawn("ping", "-q", "-i", "1", server)
    calls = "while sleep 0.5; do head -c 700 /dev/zero; done"
    with lab.record(*pod.at(host), steps=(snap(96),), linger=4):
        host.ns.spawn("sh", "-c", f"({calls}) | socat -u - TCP:{server}:2049")
        time.sleep(9)
        nas.drop("tcp dport 2049")
        time.sleep(2)
        connects(host, server, 2049, tries=2, wait=8)
    lab.shows("tcp.srcport == 2049 && frame.time_relative < 9", 10)
    lab.shows("tcp.flags.syn == 1 && tcp.dstport == 2049 && frame.time_relative > 9", 6)
    lab.hides("tcp.srcport == 2049 && frame.time_relative > 10")
    syn = "tcp.flags.syn == 1 && tcp.dstport == 2049 && frame.time_relative > 9"
    lab.fault("HOST007", syn, server=server, port=2049)
    lab.consequence("HOST010")


@scenario
def held_out_seventh_management_restarts(lab: Lab) -> None:
    """The management server is restarted: its agent's link ends, is refused for a dozen seconds, and is there again.
    Recorded at the host for forty seconds. Healthy."""
    pod = Management(lab, prefix="172.18.5", first_tap=2)
    host = pod.machine("ac:1f:6b:40:01:22", "kvm8", 28)
    service = pod.serve()
    pod.agent(host)
    time.sleep(2)
    with lab.record(*pod.at(host), told=False, linger=1):
        time.sleep(7)
        service.kill()
        service.wait()
        time.sleep(13)
        pod.serve()
        time.sleep(16)
    lab.shows("tcp.flags.reset == 1 && tcp.srcport == 8250", 2)
    lab.shows("tls.handshake.type == 2 && frame.time_relative > 18")
    lab.info("HOST002")


@scenario
def held_out_seventh_proxy_beside_the_vlan(lab: Lab) -> None:
    """The hosts' management is VLAN 214 and the console proxy's management NIC is untagged on cloudbr0: it asks for its
    gateway in vain while the host is answered. Beside it a guest asks for a neighbour that was deleted, which is no
    fault. Recorded on cloudbr0 for a quarter of a minute."""
    trunk = Trunk(lab)
    here, there = trunk.host("kvm1", "ens1f1", first_tap=1), trunk.host("core", "ens1f1", first_tap=40)
    where = _label_bridge(here)
    host = Machine(here.host, here.vlan(214), "ac:1f:6b:40:02:11", "kvm")
    host.address("10.214.0.11", 24)
    proxy = Machine(here.host, "cloudbr0", "1e:00:63:00:00:31", "v-9-VM")
    proxy.address("10.214.0.131", 24)
    gateway = Machine(there.host, there.vlan(214), "00:1b:21:4a:05:01", "gw")
    gateway.address("10.214.0.1", 24)
    tenants = GuestNetwork(cidr="10.215.0.0/24", gateway="10.215.0.1", number=0x2F1, vlan=1215)
    near, _ = neighbours(here, there, tenants, every="1")
    with lab.record(*where, steps=(wire([host.mac, proxy.mac, near.mac]),), linger=3):
        near.ns.spawn("ping", "-q", "-c", "3", tenants.ip(77))
        for _ in range(3):
            host.ns.run("ping", "-qc", "1", "-W", "1", "10.214.0.1")
            proxy.ns.run("ping", "-qc", "4", "-W", "1", "10.214.0.1", check=False)
            host.ns.ip("neigh", "flush", "all")
    lab.shows("arp.opcode == 1 && !vlan && arp.dst.proto_ipv4 == 10.214.0.1", 5)
    lab.shows("vlan.id == 214 && icmp.type == 0", 3)
    lab.fault("PHYS002", f"arp && eth.src == {proxy.mac}", mac=proxy.mac)
    lab.consequence("HYP004", mac=proxy.mac)
