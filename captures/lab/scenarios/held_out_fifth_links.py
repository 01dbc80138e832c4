"""Hold-out, fifth part: a week of an operator, links and hosts. Trunks of ten VLANs, Xen's names, groups of guests."""

import time

from captures.lab.along import Recorder, TwoHosts, bridge_drops, record_along
from captures.lab.cloud import Machine, veth
from captures.lab.elsewhere import Elsewhere, lighttpd
from captures.lab.guest import Guest
from captures.lab.lldpd import lldpd
from captures.lab.post import pcapng, snap, wire, wire_from
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.vlan_missing import neighbours
from captures.lab.stage import Trunk, TrunkHost, at_tap


def _net(n: int, prefix: str = "02:03") -> Elsewhere:
    """A /25 of 100.96 in VLAN 1700 + n."""
    net = f"100.96.{n}"
    return Elsewhere(cidr=f"{net}.0/25", gateway=f"{net}.1", number=0x5100 + n, vlan=1700 + n, prefix=prefix)


def _hosts(lab: Lab, n: int, *, nic: str = "ens6f0") -> TwoHosts:
    """Two hosts with the network n and one that works."""
    return TwoHosts(lab, _net(n), _net(n + 1), first_tap=21, nic=nic)


def _crowd(here: TrunkHost, there: TrunkHost, *numbers: int) -> list[str]:
    """Networks that work: a pair of machines in each that ping, load pages and ask for each other; those here."""
    local = []
    for k, n in enumerate(numbers):
        near, far = neighbours(here, there, _net(n), every=f"{1.1 + k / 5:.1f}")
        lighttpd(far, 80, {"index.txt": f"page of {n} " * 40})
        near.ns.spawn("sh", "-c", f"while :; do curl -s -m 3 -o /dev/null {_net(n).ip(114)}/index.txt; sleep 2; done")
        far.ns.spawn("sh", "-c", f"while :; do arping -q -b -c 1 -I eth0 {_net(n).ip(113)}; sleep 3; done")
        local.append(near.mac)
    return local


def _vif(machine: Machine, name: str) -> None:
    """Give the host end of a machine's NIC the name and MAC that Xen gives it."""
    host, nic = machine.host.ns, machine.nics[0]
    host.ip("link", "set", nic.tap, "down")
    host.ip("link", "set", nic.tap, "name", name, "address", "fe:ff:ff:ff:ff:ff")
    host.ip("link", "set", name, "up")
    nic.tap = name


@scenario
def held_out_fifth_one_of_ten_vlans(lab: Lab) -> None:
    """A host's trunk has ten VLANs; the switch does not carry 1709 to it. A guest of 1709 asks for an address
    (dhclient), another with an address asks for its gateway; eight other VLANs are busy, and in a ninth a guest asks
    now and then for a neighbour that is switched off. One NIC, cut at 96 bytes, begun in the middle of it all."""
    trunk = Trunk(lab)
    here = trunk.host("hv1", "bond0", f"trunks={','.join(str(1700 + n) for n in range(1, 11) if n != 9)}", first_tap=9)
    there = trunk.host("hv2", "bond0", f"trunks={','.join(str(1700 + n) for n in range(1, 11))}", first_tap=9)
    local = _crowd(here, there, *range(1, 9))
    dead, quiet = _net(9), _net(10)
    bridge = here.vlan(dead.vlan)
    asks, static = (Guest(here.host, bridge, dead.mac(0x21 + k), f"dead-{k}") for k in range(2))
    router = Router(there.host, there.vlan(dead.vlan), dead)
    router.dhcp([(asks.mac, dead.ip(33), asks.name)])
    static.address(dead.ip(34), 25, dead.gateway)
    beside, _ = neighbours(here, there, quiet, every="1.5")
    lonely = Guest(here.host, f"brbond0-{quiet.vlan}", quiet.mac(0x21), "lonely")
    lonely.address(quiet.ip(33), 25)
    local += [asks.mac, static.mac, lonely.mac, beside.mac]
    lldpd(lab, trunk.switch.ns, "hv1-port", system="tor-1", port="Ethernet17")
    time.sleep(3)
    with lab.record(*here.at_nic, told=False, steps=(wire(local), snap(96)), compress="zst", linger=3):
        lonely.ns.spawn("sh", "-c", f"while :; do ping -c 1 -W 1 {quiet.ip(99)} >/dev/null; sleep 4; done")
        static.ns.spawn("ping", "-q", "-i", "2", dead.gateway)
        asks.dhclient(seconds=38)
    lab.shows("vlan.id == 1709 && udp.dstport == 67", 3)
    lab.shows("vlan.id == 1709 && arp.opcode == 1", 6)
    lab.fault("VLAN001", "vlan.id == 1709", vlan=1709)
    for code in ("VLAN019", "DHCP001"):
        lab.consequence(code)


@scenario
def held_out_fifth_ten_vlans_well(lab: Lab) -> None:
    """All is well: a trunk NIC with nine VLANs. In one a guest waits for a peer that is switched off, in another the
    only member asks for its address in a network without DHCP (the switch carries it, nobody else is there), a third
    has containers behind a guest. LLDP of the switch. pcapng. Healthy."""
    trunk = Trunk(lab)
    vlans = ",".join(str(1720 + n) for n in range(1, 10))
    here, there = (trunk.host(name, "ens1f1", f"trunks={vlans}", first_tap=9) for name in ("hv1", "hv2"))
    local = _crowd(here, there, *range(21, 27))
    quiet, many = _net(27), _net(29)
    near, _ = neighbours(here, there, quiet, every="1.3")
    lonely = Guest(here.host, f"brens1f1-{quiet.vlan}", quiet.mac(0x21), "lonely")
    lonely.address(quiet.ip(33), 25)
    local += [lonely.mac, near.mac]
    box, _ = neighbours(here, there, many, every="1.7")
    local.append(box.mac)
    box.ns.ip("link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
    box.ns.ip("link", "set", "br0", "address", box.mac, "up")
    box.ns.ip("address", "flush", "dev", "eth0")
    box.ns.ip("address", "add", f"{many.ip(113)}/25", "dev", "br0")
    box.ns.ip("link", "set", "eth0", "master", "br0")
    for k in range(4):
        inner = lab.namespace(f"container{k}")
        veth(box.ns, f"c{k}", inner, "eth0")
        mac = f"02:42:64:60:1d:{0x50 + k:02x}"
        inner.ip("link", "set", "eth0", "address", mac, "up")
        inner.ip("address", "add", f"{many.ip(80 + k)}/25", "dev", "eth0")
        box.ns.ip("link", "set", f"c{k}", "master", "br0", "up")
        inner.spawn("ping", "-q", "-i", f"{2 + k / 3:.1f}", many.ip(114))
        local.append(mac)
    lldpd(lab, trunk.switch.ns, "hv1-port", system="tor-1", port="Ethernet18")
    time.sleep(3)
    with lab.record(*here.at_nic, told=False, steps=(wire(local), snap(128), pcapng), compress="zst", linger=1):
        lonely.ns.spawn("sh", "-c", f"while :; do ping -c 2 -W 1 {quiet.ip(99)} >/dev/null; sleep 5; done")
        time.sleep(24)
    lab.shows("icmp.type == 0", 90)


@scenario
def held_out_fifth_container_behind_group(lab: Lab) -> None:
    """A zone with security groups: a guest bridges its containers to its NIC, and the host drops every frame whose MAC
    is not the NIC's. The container asks for neighbours and for an address in vain; the guest itself talks. Tap and NIC
    of its host, where two other VLANs go by."""
    hosts = _hosts(lab, 31)
    local = _crowd(hosts.near, hosts.far)
    guest = hosts.guest(0x31, "docker-1")
    network, mac = hosts.network, "02:42:64:60:1f:0c"
    hosts.peer(0x51, "peer", 81)
    guest.ns.ip("link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
    guest.ns.ip("link", "set", "br0", "address", guest.mac, "up")
    guest.ns.ip("link", "set", "eth0", "master", "br0")
    guest.ns.ip("address", "add", f"{network.ip(41)}/25", "dev", "br0")
    inner = lab.namespace("container")
    veth(guest.ns, "c0", inner, "eth0")
    inner.ip("link", "set", "eth0", "address", mac, "up")
    inner.ip("address", "add", f"{network.ip(42)}/25", "dev", "eth0")
    guest.ns.ip("link", "set", "c0", "master", "br0", "up")
    bridge_drops(hosts.near.host, f"iifname {guest.tap} ether saddr != {guest.mac}")
    nic = hosts.near_nic("nic", steps=(snap(128),), compress="gz")
    nic = Recorder(name="nic", point=nic.point, local=[*nic.local, *local, mac], steps=nic.steps, compress="gz")
    with record_along(lab, hosts.tap(guest, "tap", compress="gz"), nic, linger=4):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "1.1", network.ip(81))
        inner.spawn("ping", "-q", "-i", "1.5", network.ip(81))
        inner.spawn("arping", "-q", "-b", "-c", "9", "-I", "eth0", network.gateway)
        time.sleep(6)
        inner.run("udhcpc", "-n", "-q", "-t", "4", "-T", "3", "-i", "eth0", "-s", "/bin/true", check=False)
    lab.shows(f"eth.src == {mac}", 12)
    lab.shows("icmp.type == 0", 15)
    lab.fault("SG004", f"eth.src == {mac}", mac=mac)
    for code in ("HYP001", "DHCP001", "DHCP005", "DHCP006", "SG005", "DHCP002"):
        lab.consequence(code)


@scenario
def held_out_fifth_groups_as_they_are(lab: Lab) -> None:
    """All is well: a zone with security groups. The host lets a guest hear no ARP but for its own address, drops its
    probes for a duplicate address (0.0.0.0), its mDNS and its router solicitations, and a scan of ports that no rule
    admits; the guest boots (dhcpcd probes) and serves port 80. Tap and NIC. Healthy."""
    hosts = _hosts(lab, 33)
    network = hosts.network
    guest = hosts.guest(0x31, "shop-1")
    client = hosts.peer(0x51, "client", 81)
    hosts.serve()
    ip = network.ip(30)
    for rule in (
        f"oifname {guest.tap} arp daddr ip != {ip}",
        f"iifname {guest.tap} arp saddr ip 0.0.0.0",
        f"iifname {guest.tap} ip daddr 224.0.0.0/4",
        f"iifname {guest.tap} ether type ip6",
        f"oifname {guest.tap} tcp dport {{ 22, 3306, 8443 }}",
        f"oifname {guest.tap} ip protocol icmp icmp type echo-request",
    ):
        bridge_drops(hosts.near.host, rule)
    lighttpd(guest, 80, {"index.txt": "shop " * 80})
    with record_along(lab, hosts.tap(guest, "tap", compress="gz"), hosts.near_nic("nic", compress="gz"), linger=4):
        hosts.talk()
        guest.ipv6(True)
        client.ns.spawn("arping", "-q", "-b", "-I", "eth0", network.ip(99))
        guest.dhcpcd(seconds=12, more="noipv4ll")
        guest.ns.spawn("ping", "-q", "-i", "1.3", network.gateway)
        for k in range(4):
            client.ns.run("curl", "-s", "-m", "3", "-o", "/dev/null", f"http://{ip}/index.txt", check=False)
            port = (22, 3306, 8443, 22)[k]
            client.ns.run("socat", "-T", "1", "/dev/null", f"TCP:{ip}:{port},connect-timeout=2", check=False)
            time.sleep(1)
    lab.shows("arp.opcode == 1", 15)
    lab.shows("http.response.code == 200", 4)
    lab.info("SG001", "tcp.dstport == 22", server=ip)


@scenario
def held_out_fifth_gateway_moved_unheard(lab: Lab) -> None:
    """A shared network behind two physical routers without a virtual MAC: the second takes the gateway's address over
    and says so by gratuitous ARP, which comes in at the NIC; the host's filter for ARP lets none through that does not
    ask for the guest, so it goes on sending to the first router's MAC. Tap and NIC, other VLANs beside."""
    hosts = TwoHosts(
        lab,
        Elsewhere(cidr="100.96.35.0/25", gateway="100.96.35.1", server="100.96.35.9", number=0x5135, vlan=1735,
                  prefix="1e:00"),
        _net(36), first_tap=21, nic="ens6f0",
    )  # fmt: skip
    network = hosts.network
    guest = hosts.guest(0x31, "api-1", ip=41)
    hosts.peer(0x51, "peer", 81)
    first, second = (Machine(hosts.far.host, hosts.far_bridge, f"00:1c:73:35:00:0{n}", f"edge{n}") for n in (1, 2))
    first.address(network.gateway, 25)
    bridge_drops(hosts.near.host, f"oifname {guest.tap} arp daddr ip != {network.ip(41)}")
    guest.ns.sysctl("net.ipv4.neigh.eth0.base_reachable_time_ms", 120000)
    with record_along(lab, hosts.near_nic("nic", compress="gz"), hosts.tap(guest, "tap", compress="gz"), linger=2):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "0.9", network.gateway)
        guest.ns.spawn("ping", "-q", "-i", "1.7", network.ip(81))
        time.sleep(8)
        hosts.far.host.ns.ip("link", "set", first.tap, "down")
        second.address(network.gateway, 25)
        second.ns.run("arping", "-q", "-U", "-c", "3", "-I", "eth0", network.gateway, check=False)
        time.sleep(26)
    lab.shows(f"icmp.type == 8 && eth.dst == {first.mac}", 40)
    lab.fault("SG010", f"icmp.type == 8 && eth.dst == {first.mac}", mac=guest.mac)
    for code in ("OVS007", "HYP002"):
        lab.consequence(code)


def _xen(lab: Lab, *numbers: int, uplink: str = "") -> tuple[TrunkHost, TrunkHost]:
    """A XenServer host and another on one switch, all of whose VLANs the switch carries."""
    trunk = Trunk(lab)
    vlans = ",".join(str(1700 + n) for n in numbers)
    here, there = (trunk.host(name, "eth1", f"trunks={vlans}") for name in ("xs1", "xs2"))
    if uplink:
        here.ovs.change("eth1", uplink)
    return here, there


@scenario
def held_out_fifth_xen_uplink_lacks_vlan(lab: Lab) -> None:
    """XenServer with Open vSwitch: the uplink's port got a list of VLANs by hand, and 1741 is not in it. Two instances
    of 1741 reach each other and nobody beyond; an instance of 1742 is fine, as are three more VLANs. Two vifs of 1741,
    the one of 1742, and the NIC."""
    here, there = _xen(lab, 41, 42, 43, 44, 45, uplink="trunks=1742,1743,1744,1745")
    local = _crowd(here, there, 43, 44, 45)
    guests = []
    for k, (n, name) in enumerate(((41, "vif7.0"), (41, "vif8.0"), (42, "vif9.0"))):
        network = _net(n)
        guest = Guest(here.host, None, network.mac(0x31 + k), f"x{k}")
        _vif(guest, name)
        here.ovs.port("cloudbr1", name, f"tag={network.vlan}")
        guest.address(network.ip(41 + k), 25, network.gateway)
        guests.append(guest)
    for n in (41, 42):
        gateway = Machine(there.host, there.vlan(1700 + n), _net(n).mac(1), f"vr{n}")
        gateway.address(_net(n).gateway, 25)
    points = [Recorder(name=g.tap.replace(".", "-"), point=at_tap(g), compress="gz") for g in guests]
    nic = Recorder(name="eth1", point=here.at_nic, local=[*local, *(g.mac for g in guests)], steps=(snap(128),),
                   compress="gz")  # fmt: skip
    with record_along(lab, *points, nic, linger=3):
        for k, guest in enumerate(guests):
            guest.ns.spawn("ping", "-q", "-i", f"{1 + k / 4}", _net((41, 41, 42)[k]).gateway)
        guests[0].ns.spawn("ping", "-q", "-i", "2", _net(41).ip(42))
        time.sleep(22)
    lab.shows("arp.opcode == 1 && arp.dst.proto_ipv4 == 100.96.41.1", 15)
    lab.hides("vlan.id == 1741")
    lab.fault("OVS003", "arp.dst.proto_ipv4 == 100.96.41.1", vlan=1741)
    for code in ("HYP001", "VLAN019"):
        lab.consequence(code)


@scenario
def held_out_fifth_xen_vif_without_tag(lab: Lab) -> None:
    """XenServer with Open vSwitch: a script plugged an instance's vif again without its VLAN, so that it hears the
    broadcasts of four other tenants, tagged, and nobody hears it. Its vif alone, cut at 96 bytes."""
    here, there = _xen(lab, 51, 52, 53, 54, 55)
    _crowd(here, there, 52, 53, 54, 55)
    network = _net(51)
    Machine(there.host, there.vlan(network.vlan), network.mac(1), "vr").address(network.gateway, 25)
    guest = Guest(here.host, None, network.mac(0x31), "shop")
    _vif(guest, "vif12.0")
    here.ovs.port("cloudbr1", "vif12.0", f"tag={network.vlan}")
    guest.address(network.ip(41), 25, network.gateway)
    guest.ns.run("ping", "-qc", "2", network.gateway)
    here.ovs.remove("cloudbr1", "vif12.0")
    here.ovs.port("cloudbr1", "vif12.0")
    guest.ns.ip("neigh", "flush", "all")
    with lab.record(*at_tap(guest), told=False, steps=(snap(96),), compress="gz", linger=2):
        guest.ns.spawn("ping", "-q", "-i", "1", network.gateway)
        time.sleep(24)
    lab.shows("vlan && arp.opcode == 1", 12)
    lab.fault("OVS001", "vlan && arp", mac=guest.mac)
    for code in ("VLAN019", "HYP004", "OVS002"):
        lab.consequence(code)


@scenario
def held_out_fifth_management_vlan_given_to_guests(lab: Lab) -> None:
    """The host's own management is VLAN 1761 on its trunk; a guest network got the same VLAN, and when its first guest
    starts here the new sub-interface takes all frames of 1761 before the host sees them (a flow that hands them to the
    guests' bridge alone does it here). The host's link to the management server repeats, then it asks by ARP. NIC, with
    three tenants beside."""
    trunk = Trunk(lab)
    vlans = "1761,1762,1763,1764"
    here, there = (trunk.host(name, "bond0", f"trunks={vlans}", first_tap=4) for name in ("hv1", "core"))
    host = Machine(here.host, here.vlan(1761), "b8:59:9f:61:00:21", "kvm1")  # ports 1 and 2 of cloudbr1
    host.address("100.96.61.21", 25)
    guests = here.host.bridge("breth1-g61")
    veth(here.host.ns, "g61", here.host.ns, "p-g61")
    here.host.ns.ip("link", "set", "g61", "master", guests, "up")
    here.host.ns.ip("link", "set", "p-g61", "up")
    server = Machine(there.host, there.vlan(1761), "b8:59:9f:61:00:05", "ms1")
    server.address("100.96.61.5", 25)
    other = Machine(there.host, "brbond0-1761", "b8:59:9f:61:00:22", "kvm2")
    other.address("100.96.61.22", 25)
    server.ns.spawn("socat", "TCP-LISTEN:8250,fork,reuseaddr", "EXEC:cat")
    local = _crowd(here, there, 62, 63, 64)
    peer = Machine(there.host, "brbond0-1761", "02:03:00:e9:00:12", "tenant-far")
    peer.address("192.168.61.18", 24)
    time.sleep(1)
    guest = Guest(here.host, guests, "02:03:00:e9:00:11", "tenant-near")
    guest.address("192.168.61.17", 24)
    second = Guest(here.host, guests, "02:03:00:e9:00:13", "tenant-near2")
    second.address("192.168.61.19", 24)
    local += [host.mac, guest.mac, second.mac]
    talk = "while :; do echo PingRoutingCommand; sleep 1; done"
    with lab.record(*here.at_nic, told=False, steps=(wire(local),), compress="zst", linger=2):
        for machine in (host, other):
            machine.ns.spawn("sh", "-c", f"({talk}) | socat - TCP:100.96.61.5:8250 >/dev/null")
        host.ns.spawn("ping", "-q", "-i", "2", "100.96.61.22")
        time.sleep(10)
        here.ovs.port("cloudbr1", "p-g61", "tag=1761", "--", "set", "interface", "p-g61", "ofport_request=99")
        here.ovs.flow("cloudbr1", "priority=300,in_port=1,dl_vlan=1761,actions=strip_vlan,output:99")
        for one in (guest, second):
            one.ns.spawn("ping", "-q", "-i", "1", "192.168.61.18")
        time.sleep(20)
        host.ns.ip("neigh", "flush", "all")
        time.sleep(14)
    lab.shows(f"eth.src == {host.mac} && arp.opcode == 1", 5)
    lab.shows(f"eth.dst == {host.mac} && vlan.id == 1761", 12)
    lab.fault("PHYS004", f"vlan.id == 1761 && eth.addr == {host.mac}", vlan=1761)
    for code in ("HOST001", "HOST004", "HYP017", "VLAN019"):
        lab.consequence(code)


@scenario
def held_out_fifth_imported_twice(lab: Lab) -> None:
    """An instance imported from VMware kept its MAC (00:50:56), and was imported twice: one runs here, one on another
    host, in one VLAN, with addresses of their own. Both talk to a third host. NIC here, cut at 96 bytes, other VLANs
    beside."""
    trunk = Trunk(lab)
    hosts = [trunk.host(f"hv{n}", "eno2", "trunks=1771,1772,1773", first_tap=n) for n in (1, 2, 3)]
    network, mac = _net(71), "00:50:56:b2:11:07"
    twins = [Guest(one.host, one.vlan(1771), mac, f"twin-{k}") for k, one in enumerate(hosts[:2])]
    for k, twin in enumerate(twins):
        twin.address(network.ip(41 + k), 25)
    far = Machine(hosts[2].host, hosts[2].vlan(1771), network.mac(0x51), "far")
    far.address(network.ip(81), 25)
    local = _crowd(hosts[0], hosts[2], 72, 73)
    remote = (network.ip(42), network.ip(81), *(_net(n).ip(114) for n in (72, 73)))
    steps = (wire_from(*remote), wire([*local, mac]), wire_from(network.ip(42)), snap(96))
    with lab.record(*hosts[0].at_nic, told=False, steps=steps, compress="gz", linger=2):
        for _ in range(9):
            for twin in twins:
                twin.ns.ip("neigh", "flush", "all")
                twin.ns.spawn("ping", "-q", "-c", "3", "-i", "0.4", network.ip(81))
                time.sleep(0.3)
            time.sleep(1.6)
    lab.shows(f"arp.opcode == 1 && eth.src == {mac} && arp.src.proto_ipv4 == {network.ip(42)}", 6)
    lab.shows(f"arp.opcode == 1 && eth.src == {mac} && arp.src.proto_ipv4 == {network.ip(41)}", 6)
    lab.fault("HYP016", f"arp && eth.src == {mac}", mac=mac)
    for code in ("VLAN014", "HYP019", "HYP020", "HYP015"):
        lab.consequence(code)


@scenario
def held_out_fifth_switch_daemon_killed(lab: Lab) -> None:
    """ovs-vswitchd of a host is killed and comes back five seconds later: nothing of its five guests in three VLANs
    leaves the NIC in that time, then all of them go on. The switch's LLDP and what other hosts broadcast come in all
    the while. NIC, pcapng."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eno4", "trunks=1791,1792,1793", first_tap=4) for name in ("hv1", "hv2"))
    local = []
    for n in (91, 92, 93):
        network = _net(n)
        far = Machine(there.host, there.vlan(network.vlan), network.mac(0x51), f"far{n}")
        far.address(network.ip(81), 25)
        far.ns.spawn("arping", "-q", "-b", "-I", "eth0", network.ip(99))
        for k in range(2 if n < 93 else 1):
            guest = Guest(here.host, None, network.mac(0x31 + k), f"g{n}-{k}")
            here.ovs.port("cloudbr1", guest.tap, f"tag={network.vlan}")
            guest.address(network.ip(41 + k), 25)
            guest.ns.spawn("ping", "-q", "-i", "0.4", network.ip(81))
            local.append(guest.mac)
    lldpd(lab, trunk.switch.ns, "hv1-port", system="tor-1", port="Ethernet19", every=2)
    time.sleep(2)
    with lab.record(*here.at_nic, told=False, steps=(wire(local), snap(128), pcapng), compress="zst", linger=1):
        time.sleep(9)
        here.ovs.restart(5)
        time.sleep(12)
    lab.shows("icmp.type == 8", 100)
    lab.fault("OVS005", "icmp.type == 8")
    for code in ("VLAN001", "HYP008"):
        lab.consequence(code)
