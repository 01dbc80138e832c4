"""A sixth hold-out, recorded before any rule had seen it: switches, NICs of hypervisors, Open vSwitch."""

import time
from collections.abc import Iterable

from captures.lab.along import Recorder, TwoHosts, record_along
from captures.lab.cloud import Machine
from captures.lab.crowd import Crowd
from captures.lab.elsewhere import Elsewhere, dhcpd
from captures.lab.guest import Guest
from captures.lab.middlebox import Direction
from captures.lab.post import pcapng, snap, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Trunk

_DISCOVER = "dhcp.option.dhcp == 1"


def _network(net: str, number: int, vlan: int, prefix: str, *, length: int = 24, server: str = "") -> Elsewhere:
    """A network whose addresses begin with ``net``; its gateway is the last one."""
    gateway = f"{net}.254"
    return Elsewhere(cidr=f"{net}.0/{length}", gateway=gateway, number=number, vlan=vlan, prefix=prefix, server=server)


@scenario
def held_out_sixth_allowed_list_overwritten(lab: Lab) -> None:
    """Somebody typed "switchport trunk allowed vlan 2316" without "add" at the port of the second of three hosts: VLAN
    2317 is gone there, and stays between the first and the third. Databases had connections open over it; the recorders
    on the three hosts were started afterwards, so the capture begins in the middle of dying connections, among the
    traffic of fifteen other machines in 2316."""
    trunk = Trunk(lab)
    hosts = [trunk.host(f"hv{n}", "eno49", "trunks=2316,2317", first_tap=7 * n) for n in range(3)]
    network = _network("172.27.64", 0x0A17, 2317, "02:5e")
    crowd = Crowd(lab, _network("172.27.80", 0x0A16, 2316, "02:5e"), [(h.host, h.vlan(2316)) for h in hosts], 15)
    machines = []
    for n, host in enumerate(hosts):
        machine = Machine(host.host, host.vlan(2317), network.mac(0x0B0 + n), f"db{n}")
        machine.address(network.ip(20 + n), 24)
        machine.ns.spawn("socat", "TCP-LISTEN:5432,fork,reuseaddr", "SYSTEM:cat")
        machines.append(machine)
    time.sleep(0.5)
    for n, target in ((0, 21), (2, 21), (0, 22)):
        words = f"while sleep 0.8; do echo row; done | socat - TCP:{network.ip(target)}:5432"
        machines[n].ns.spawn("sh", "-c", words)
    machines[1].ns.spawn("ping", "-q", "-i", "1", network.ip(22))
    crowd.start()
    time.sleep(3)
    trunk.switch.change("hv1-port", "trunks=2316")
    time.sleep(2)
    recorders = [
        Recorder(
            name=f"hv{n}",
            point=(host.host.ns, host.uplink, "nic"),
            local=[machines[n].mac, *crowd.macs(host.host)],
            steps=(snap(160), pcapng) if n == 2 else (snap(160),),
            compress="gz",
        )
        for n, host in enumerate(hosts)
    ]
    with record_along(lab, *recorders, linger=3):
        time.sleep(45)
    lab.shows("vlan.id == 2317 && arp.opcode == 1", 15)
    lab.fault("VLAN002", "vlan.id == 2317 && arp.opcode == 1", vlan=2317)
    lab.consequence("VLAN001", vlan=2317)


@scenario
def held_out_sixth_port_is_access(lab: Lab) -> None:
    """A new rack: the switch port of a host is an access port of the management VLAN 18. Management works, untagged;
    guests of VLANs 301 and 302 ask in vain, tagged. Among the broadcasts of a dozen machines of VLAN 18."""
    trunk = Trunk(lab)
    here, core = trunk.host("hv1", "ens1f1", "tag=18"), trunk.host("core", "eno1", "trunks=18,301,302", first_tap=9)
    crowd = Crowd(lab, _network("10.18.4", 0x0018, 18, "3c:ec"), [(core.host, core.vlan(18))], 12)
    host = Machine(here.host, here.native(), "3c:ec:ef:44:10:21", "hv-ip")
    host.address("10.18.4.21", 24)
    tenants = [_network(f"192.168.{n}", 0x0300 + n, 300 + n, "02:0c") for n in (1, 2)]
    guests = []
    for tenant in tenants:
        Router(core.host, core.vlan(tenant.vlan), tenant, label=f"vr{tenant.vlan}")
        guests.append(Guest(here.host, here.vlan(tenant.vlan), tenant.mac(0x21), f"g{tenant.vlan}"))
    static = Machine(here.host, f"br{here.uplink}-301", tenants[0].mac(0x22), "static")
    static.address(tenants[0].ip(34), 24)
    local = [host.mac, static.mac, *(one.mac for one in guests)]
    with lab.record(*here.at_nic, told=False, steps=(wire(local), snap(400)), compress="gz", linger=4):
        crowd.start(5)
        host.ns.spawn("ping", "-q", "-i", "2", crowd.server)
        static.ns.spawn("ping", "-q", "-i", "1", tenants[0].gateway)
        guests[0].udhcpc(seconds=1)
        guests[1].dhclient(seconds=45)
    lab.shows("vlan", 25)
    lab.shows(f"icmp.type == 0 && eth.dst == {host.mac}", 10)
    lab.hides("vlan && eth.src[0:3] == 3c:ec:00")
    lab.fault("VLAN006", "vlan")
    for code in ("VLAN001", "VLAN019", "DHCP001", "DHCP022"):
        lab.consequence(code)


def _lost_offers(frame: bytes, _: Direction) -> Iterable[tuple[float, bytes]]:
    """A switch port that is not trusted by DHCP snooping: what a server says does not come in; nobody else has one."""
    at = 14 + 4 * (frame[12:14] == b"\x81\x00")
    server = frame[at - 2 : at] == b"\x08\x00" and frame[at + 9] == 17 and frame[at + 20 : at + 22] == b"\0\x43"
    return [] if server else [(0.0, frame)]


@scenario
def held_out_sixth_snooping_untrusted(lab: Lab) -> None:
    """DHCP snooping was switched on and the port of the server's host never trusted: isc-dhcp-server's offers leave
    that host and never come to the guests', whose pings to it are answered all the while. dhcpcd and udhcpc."""
    network, alive = _network("10.66.12", 0x0661, 1660, "02:77"), _network("10.66.13", 0x0662, 1661, "02:77")
    hosts = TwoHosts(lab, network, alive, first_tap=31, nic="eno2")
    hosts.trunk.cable(hosts.far, _lost_offers)
    first, second = hosts.guest(0x91, "snoop-1"), hosts.guest(0x92, "snoop-2")
    talker = hosts.guest(0x93, "talker", ip=93)
    pool = f"subnet 10.66.12.0 netmask 255.255.255.0 {{ range {network.ip(130)} {network.ip(160)}; }}"
    dhcpd(hosts.router, f"default-lease-time 7200; ping-check off; {pool}")
    with record_along(lab, hosts.near_nic("hvA"), hosts.far_nic("hvB", compress="gz"), linger=7):
        hosts.talk()
        talker.ns.spawn("ping", "-q", "-i", "0.8", network.gateway)
        first.dhcpcd(seconds=2)
        second.udhcpc(seconds=34)
    lab.shows(f"vlan.id == 1660 && {_DISCOVER}", 8)
    lab.shows("dhcp.option.dhcp == 2", 3)
    lab.fault("VLAN016", "dhcp.option.dhcp == 2", vlan=1660)
    for code in ("DHCP001", "DHCP007", "DHCP008", "DHCP022", "DHCP002"):
        lab.consequence(code)


@scenario
def held_out_sixth_appliance_takes_an_address(lab: Lab) -> None:
    """A power strip's management card was given the address of a guest by hand, in a VLAN that reaches the racks: both
    answer for it whenever somebody asks. Recorded with -s 96 at the NIC of the guest's host, among twenty others."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "bond0", "trunks=77", first_tap=11 * n) for n, name in enumerate(("hv4", "hv5")))
    network = _network("10.200.77", 0x0077, 77, "02:d4")
    places = [(here.host, here.vlan(77)), (there.host, there.vlan(77))]
    crowd = Crowd(lab, network, places, 20)
    taken = network.ip(45)
    guest = Machine(here.host, places[0][1], network.mac(45), "victim")
    card = Machine(there.host, places[1][1], "00:c0:b7:6a:11:02", "pdu")
    for machine in (guest, card):
        machine.address(taken, 24)
    local = [guest.mac, *crowd.macs(here.host)]
    with lab.record(*here.at_nic, steps=(wire(local), snap(96)), linger=1):
        crowd.start()
        for asker in crowd.members[4:7]:
            words = f"while sleep 3.4; do ip neigh flush dev eth0; ping -qc 1 -W 1 {taken}; done"
            asker.ns.spawn("sh", "-c", words)
        guest.ns.spawn("ping", "-q", "-i", "2", crowd.server)
        card.ns.spawn("ping", "-q", "-i", "5", network.ip(62))
        time.sleep(40)
    for machine in (guest, card):
        lab.shows(f"arp.opcode == 2 && arp.src.proto_ipv4 == {taken} && eth.src == {machine.mac}", 3)
    lab.fault("HYP015", f"arp.src.proto_ipv4 == {taken}", ip=taken)
    lab.proof("VLAN020", vlan=77)


def _one_bucket(frame: bytes, _: Direction) -> Iterable[tuple[float, bytes]]:
    """One member of a bundle is dead: flows whose ports hash to it are lost, both ways."""
    at = 14 + 4 * (frame[12:14] == b"\x81\x00")
    tcp = frame[at - 2 : at] == b"\x08\x00" and frame[at + 9] == 6
    return [] if tcp and (frame[at + 21] ^ frame[at + 23] ^ frame[at + 15] ^ frame[at + 19]) & 1 else [(0.0, frame)]


@scenario
def held_out_sixth_dead_member_of_a_bundle(lab: Lab) -> None:
    """One member of the port-channel between the switches lost its light in one direction only and stays in the bundle:
    every connection whose hash falls on it hangs, the next one works. A guest connects 22 times to a service on another
    host. Recorded on the bond of its host and at the NIC of the other."""
    network, alive = _network("10.90.3", 0x0903, 903, "02:f1"), _network("10.90.4", 0x0904, 904, "02:f1")
    hosts = TwoHosts(lab, network, alive, first_tap=3, nic="bond1")
    guest, peer = hosts.guest(0x51, "client", ip=51), hosts.peer(0x61, "server", 61)
    hosts.trunk.cable(hosts.far, _one_bucket)
    peer.ns.spawn("socat", "TCP-LISTEN:6443,fork,reuseaddr", "SYSTEM:cat")
    time.sleep(0.5)
    near = hosts.near_nic("hvA")
    near = Recorder(name=near.name, point=(*near.point[:2], "bond"), local=near.local)
    with record_along(lab, near, hosts.far_nic("hvB"), linger=3):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "1", network.ip(61))
        for n in range(22):
            target = f"TCP:{network.ip(61)}:6443,sourceport={41000 + n * 3},connect-timeout=5"
            guest.ns.spawn("sh", "-c", f"(for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done) | socat - {target}")
            time.sleep(0.4)
        time.sleep(8)
    lab.shows("tcp.dstport == 6443 && tcp.flags.syn == 1", 40)
    lab.shows("tcp.srcport == 6443 && tcp.len > 0", 20)
    lab.fault("HYP014", "tcp.port == 6443")


@scenario
def held_out_sixth_vnet_on_label_bridge(lab: Lab) -> None:
    """An instance was started by hand after a failed import, with its NIC on the label bridge and not on that of VLAN
    1450: what it asks leaves untagged, and nobody is there. Eighteen guests of VLAN 1450 talk, tagged, by the same NIC,
    and the host has its own address in VLAN 9. dhcpcd, which takes a 169.254 address in the end."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth2", "trunks=0,9,1450", first_tap=13 * n) for n, name in enumerate(("h1", "h2")))
    network = _network("10.145.0", 0x0B50, 1450, "02:36")
    places = [(here.host, here.vlan(1450)), (there.host, there.vlan(1450))]
    crowd = Crowd(lab, network, places, 18)
    router = Router(there.host, places[1][1], network)
    guest = Guest(here.host, here.native(), network.mac(0x31), "import-1")
    router.dhcp([(guest.mac, network.ip(49), guest.name)])
    host = Machine(here.host, here.vlan(9), "ac:1f:6b:00:77:01", "h1-ip")
    host.address("10.9.0.11", 24)
    far = Machine(there.host, there.vlan(9), "ac:1f:6b:00:77:02", "h2-ip")
    far.address("10.9.0.12", 24)
    local = [guest.mac, host.mac, *crowd.macs(here.host)]
    with lab.record(*here.at_nic, steps=(wire(local), snap(500)), compress="xz", linger=6):
        crowd.start()
        host.ns.spawn("ping", "-q", "-i", "3", "10.9.0.12")
        guest.dhcpcd(seconds=42, more="timeout 20")
    lab.shows(f"!vlan && {_DISCOVER} && eth.src == {guest.mac}", 3)
    lab.hides(f"vlan && eth.src == {guest.mac}")
    lab.fault("HYP004", f"!vlan && eth.src == {guest.mac}", mac=guest.mac)
    for code in ("DHCP001", "DHCP002", "DHCP022", "OVS002"):
        lab.consequence(code, mac=guest.mac)
    lab.proof("VLAN020", vlan=1450)


def _plugged(hosts: TwoHosts, vlan: int, sequence: int, name: str, ip: int) -> Guest:
    """A guest whose tap is a port of the near host's Open vSwitch itself."""
    guest = Guest(hosts.near.host, None, hosts.network.mac(sequence), name)
    hosts.near.ovs.port("cloudbr1", guest.tap, f"tag={vlan}")
    guest.address(hosts.network.ip(ip), 24, hosts.network.gateway)
    hosts.guests.append(guest)
    return guest


def _at_trunk(hosts: TwoHosts, name: str, *more: str) -> Recorder:
    nic = hosts.near_nic(name)
    return Recorder(name=name, point=nic.point, local=[*nic.local, *more])


@scenario
def held_out_sixth_broadcast_flow_stale(lab: Lab) -> None:
    """A left-over OpenFlow rule of the host's switch drops broadcasts of VLAN 1733 that come from the uplink: machines
    elsewhere ask for a guest by ARP in vain until it speaks by itself, and then it answers. At its tap and the NIC."""
    network, alive = _network("10.33.7", 0x0337, 1733, "02:1b"), _network("10.33.8", 0x0338, 1734, "02:1b")
    hosts = TwoHosts(lab, network, alive, first_tap=17, nic="eth3")
    guest = _plugged(hosts, 1733, 0x71, "quiet-1", 71)
    peers = [hosts.peer(0x81 + n, f"peer-{n}", 81 + n) for n in range(2)]
    hosts.near.ovs.flow("cloudbr1", "priority=120,in_port=1,dl_vlan=1733,dl_dst=ff:ff:ff:ff:ff:ff,actions=drop")
    guest.ns.spawn("ping", "-q", "-i", "1", network.gateway)
    time.sleep(2)
    with record_along(lab, hosts.tap(guest), _at_trunk(hosts, "hv", guest.mac), linger=2):
        hosts.talk()
        for peer in peers:
            peer.ns.spawn("ping", "-q", "-i", "1", network.ip(71))
        time.sleep(12)
        guest.ns.run("ping", "-qc", "8", "-i", "0.5", network.ip(81))
    lab.shows(f"vlan && arp.opcode == 1 && arp.dst.proto_ipv4 == {network.ip(71)}", 15)
    lab.shows(f"!vlan && icmp.type == 0 && eth.dst == {guest.mac}", 5)
    lab.fault("OVS007", f"arp.opcode == 1 && arp.dst.proto_ipv4 == {network.ip(71)}", mac=guest.mac)


@scenario
def held_out_sixth_private_vlan_return(lab: Lab) -> None:
    """A private VLAN: an isolated guest sends in the secondary VLAN 3101, and its gateway, behind a promiscuous port of
    the switch, answers in the primary one, 3100. The flows that should let that in to the guest's port are missing on
    its host. Recorded at its tap and the NIC; another network works."""
    network, alive = _network("10.31.0", 0x0310, 3100, "02:8e"), _network("10.31.8", 0x0311, 3108, "02:8e")
    hosts = TwoHosts(lab, network, alive, first_tap=23, ports=("trunks=3100,3101,3108", "trunks=3100,3108"))
    hosts.trunk.switch.flow(hosts.trunk.bridge, "priority=90,in_port=1,dl_vlan=3101,actions=mod_vlan_vid:3100,output:2")
    guest = _plugged(hosts, 3101, 0x44, "iso-1", 44)
    hosts.near.ovs.remove("cloudbr1", f"p-{hosts.near.uplink}.3100")
    with record_along(lab, hosts.tap(guest), _at_trunk(hosts, "hv", guest.mac), linger=3):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "1", network.gateway)
        time.sleep(18)
    lab.shows("vlan.id == 3101 && arp.opcode == 1", 6)
    lab.shows("vlan.id == 3100 && arp.opcode == 2", 6)
    lab.hides("!vlan && arp.opcode == 2")
    lab.fault("OVS008", "arp", mac=guest.mac)
    for code in ("VLAN001", "VLAN004", "VLAN019", "HYP002"):
        lab.consequence(code)


@scenario
def held_out_sixth_new_vlan_forgotten(lab: Lab) -> None:
    """The first network in VLAN 3333 was made this morning, and nobody told the switch of the VLAN. Its two guests here
    ask for their router, on another host, by ARP and udhcpc, in vain; sixteen guests of VLAN 3332 and the host's own
    management, untagged, work by the same NIC. Recorded there for a minute, -s 128, the role not told."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "bond0", "trunks=0,3332", first_tap=30 * n) for n, name in enumerate(("n1", "n2")))
    network, other = _network("10.133.3", 0x0D05, 3333, "02:a9"), _network("10.133.2", 0x0D04, 3332, "02:a9")
    crowd = Crowd(lab, other, [(here.host, here.vlan(3332)), (there.host, there.vlan(3332))], 16)
    router = Router(there.host, there.vlan(3333), network)
    first = Guest(here.host, here.vlan(3333), network.mac(0x21), "new-1")
    second = Machine(here.host, f"br{here.uplink}-3333", network.mac(0x22), "new-2")
    second.address(network.ip(34), 24, network.gateway)
    router.dhcp([(first.mac, network.ip(33), first.name)])
    ends = [Machine(one.host, one.native(), f"0c:42:a1:33:00:0{n}", f"ip{n}") for n, one in enumerate((here, there))]
    for n, end in enumerate(ends):
        end.address(f"10.1.33.{10 + n}", 24)
    local = [first.mac, second.mac, ends[0].mac, *crowd.macs(here.host)]
    with lab.record(*here.at_nic, told=False, steps=(wire(local), snap(128)), compress="gz", linger=6):
        crowd.start(3)
        ends[0].ns.spawn("ping", "-q", "-i", "2", "10.1.33.11")
        second.ns.spawn("ping", "-q", "-i", "1", network.gateway)
        first.udhcpc(seconds=50)
    lab.shows("vlan.id == 3333", 30)
    lab.hides(f"vlan.id == 3333 && !(eth.src == {first.mac} || eth.src == {second.mac})")
    lab.fault("VLAN001", "vlan.id == 3333", vlan=3333)
    for code in ("VLAN019", "DHCP001"):
        lab.consequence(code)
    lab.proof("VLAN020", vlan=3332)


@scenario
def held_out_sixth_receiver_dead(lab: Lab) -> None:
    """The receiving half of a host's optic died: its guests and its agent ask for more than a minute, tagged and
    untagged, LLDP of the switch is gone, and not one frame comes in. Recorded at the NIC, gzip."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "ens2f0", "trunks=0,1210,1211", first_tap=9 * n) for n, name in enumerate("pq"))
    networks = [_network(f"10.121.{n}", 0x1210 + n, 1210 + n, "02:27") for n in range(2)]
    local = []
    for n, network in enumerate(networks):
        far = Machine(there.host, there.vlan(network.vlan), network.mac(0x90), f"far{n}")
        far.address(network.gateway, 24)
        for k in range(3):
            near = Machine(
                here.host,
                f"br{here.uplink}-{network.vlan}" if k else here.vlan(network.vlan),
                network.mac(0x10 + k),
                f"near{n}{k}",
            )
            near.address(network.ip(16 + k), 24, network.gateway)
            near.ns.spawn("ping", "-q", "-i", "2.2", network.gateway)
            local.append(near.mac)
    agent = Machine(here.host, here.native(), "0c:42:a1:12:10:01", "agent")
    agent.address("10.1.12.10", 24, "10.1.12.1")
    agent.ns.spawn("ping", "-q", "-i", "3", "10.1.12.1")
    local.append(agent.mac)
    trunk.cable(here, lambda frame, direction: [] if direction == "in" else [(0.0, frame)])
    with lab.record(*here.at_nic, steps=(wire(local),), compress="gz", linger=1):
        time.sleep(72)
    lab.shows("arp.opcode == 1", 60)
    lab.hides("arp.opcode == 2")
    lab.fault("HYP008", "arp.opcode == 1")
    for code in ("VLAN001", "VLAN019", "HOST001"):
        lab.consequence(code)
