"""Hold-out: security groups, guests' firewalls, host ports, storage and labels."""

import time

from captures.lab.along import Recorder, TwoHosts, bridge_drops, record_along
from captures.lab.cloud import Machine, veth
from captures.lab.elsewhere import Elsewhere, haproxy
from captures.lab.guest import Guest
from captures.lab.management import Management, connects
from captures.lab.post import pcapng, snap, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.security_groups import listen
from captures.lab.stage import Trunk, at_tap

_SYN = "tcp.flags.syn == 1 && tcp.flags.ack == 0"


def _hosts(lab: Lab, n: int, vlan: int, first_tap: int) -> tuple[TwoHosts, Elsewhere]:
    """Two hosts, the network that matters and one that works."""
    network = Elsewhere(cidr=f"10.{12 + n}.64.0/23", gateway=f"10.{12 + n}.65.254", number=0x600 + n, vlan=vlan,
                        prefix="02:05")  # fmt: skip
    alive = Elsewhere(cidr=f"10.{12 + n}.66.0/28", gateway=f"10.{12 + n}.66.1", number=0x680 + n, vlan=vlan + 7,
                      prefix="1e:00")  # fmt: skip
    return TwoHosts(lab, network, alive, first_tap=first_tap, nic="ens5f0"), network


@scenario
def held_out_group_drops_echo(lab: Lab) -> None:
    """The group of a guest admits TCP 9100 and no ICMP: pings and a scrape of port 9200 come in at the NIC and never to
    its tap, 9100 is served. Policy, no fault. The tap in pcapng, the NIC cut at 128 bytes."""
    hosts, network = _hosts(lab, 1, 1310, 33)
    server = hosts.guest(0x25, "node-exp", ip=43)
    client = hosts.peer(0x55, "prom", 285)
    listen(server, 9100, 9200)
    bridge_drops(hosts.near.host, f"oifname {server.tap} ip protocol icmp icmp type echo-request")
    bridge_drops(hosts.near.host, f"oifname {server.tap} tcp dport 9200")
    nic = hosts.near_nic("nic", steps=(snap(128),), compress="gz")
    with record_along(lab, nic, hosts.tap(server, "tap", steps=(pcapng,)), linger=4):
        hosts.talk()
        client.ns.spawn("ping", "-q", "-i", "1.7", network.ip(43))
        for _ in range(3):
            connects(client, network.ip(43), 9100, tries=1, pause=0.7)
            connects(client, network.ip(43), 9200, tries=1, wait=7, pause=0.2)
    lab.shows("icmp.type == 8", 8)
    lab.shows(f"{_SYN} && tcp.dstport == 9200", 6)
    lab.info("SG001", "tcp.dstport == 9200", server=network.ip(43), port=9200)


@scenario
def held_out_filter_left_behind(lab: Lab) -> None:
    """A zone without security groups (the profile says so): rules left on the host drop what a guest opens to port
    6443; its other connections and its pings get out. Tap and NIC; nothing told of either."""
    hosts, network = _hosts(lab, 2, 1330, 41)
    client = hosts.guest(0x27, "k8s-w1", ip=45)
    server = hosts.peer(0x57, "k8s-m", 287)
    listen(server, 22, 6443)
    lab.truth.site = {"security_groups": False, "network": [{"cidr": network.cidr, "gateway": network.gateway}]}
    bridge_drops(hosts.near.host, f"iifname {client.tap} tcp dport 6443")
    tap = Recorder(name="tap", point=at_tap(client), told=False, compress="zst")
    nic = hosts.near_nic("nic")
    nic = Recorder(name="nic", point=nic.point, local=nic.local, told=False)
    with record_along(lab, tap, nic, linger=4):
        hosts.talk()
        client.ns.spawn("ping", "-q", "-i", "0.9", network.ip(287))
        connects(client, network.ip(287), 22, tries=3, pause=0.5)
        connects(client, network.ip(287), 6443, tries=3, wait=7)
    lab.shows(f"{_SYN} && tcp.dstport == 6443", 9)
    lab.fault("SG002", f"{_SYN} && tcp.dstport == 6443", port=6443)
    for code in ("HYP001", "SG001"):
        lab.consequence(code)


@scenario
def held_out_rules_of_another(lab: Lab) -> None:
    """A tap's name was used before: ebtables rules of the gone instance admit its MAC and address alone, so nothing of
    the new guest (dhcpcd) leaves the host. Its neighbour boots and talks. Two taps and the NIC."""
    hosts, network = _hosts(lab, 3, 1350, 50)
    guest = hosts.guest(0x2A, "reused-1")
    neighbour = hosts.guest(0x2B, "fine-1")
    hosts.serve()
    bridge_drops(hosts.near.host, f"iifname {guest.tap} ether saddr != 02:05:06:03:00:99")
    points = (hosts.tap(guest, "reused", compress="gz"), hosts.tap(neighbour, "fine", steps=(pcapng,)))
    with record_along(lab, *points, hosts.near_nic("nic"), linger=7):
        hosts.talk()
        neighbour.udhcpc()
        neighbour.ns.spawn("ping", "-q", "-i", "0.8", network.gateway)
        guest.dhcpcd(seconds=36, more="noipv4ll")
    lab.shows(f"dhcp.option.dhcp == 1 && eth.src == {guest.mac}", 3)
    lab.fault("SG005", f"eth.src == {guest.mac}", mac=guest.mac)
    for code in ("DHCP001", "DHCP002", "DHCP005", "DHCP006", "HYP001"):
        lab.consequence(code)
    lab.proof("DHCP031", mac=neighbour.mac)


@scenario
def held_out_guest_filters_itself(lab: Lab) -> None:
    """firewalld inside a guest drops 5601 and pings, and refuses 9300 by ICMP: all of it arrives at the guest's tap. No
    fault of the cloud. NIC and tap."""
    hosts, network = _hosts(lab, 4, 1370, 60)
    server = hosts.guest(0x2C, "elk-1", ip=60)
    client = hosts.peer(0x5C, "ops", 288)
    listen(server, 9200)
    server.drop("tcp dport 5601")
    server.drop("icmp type echo-request")
    server.ns.run("nft", "add rule inet lab input tcp dport 9300 reject with icmp type admin-prohibited")
    with record_along(lab, hosts.near_nic("nic"), hosts.tap(server, "tap"), linger=4):
        hosts.talk()
        client.ns.spawn("ping", "-q", "-i", "1.1", network.ip(60))
        for port in (9200, 5601, 9300):
            connects(client, network.ip(60), port, tries=3, wait=6, pause=0.4)
    lab.shows(f"{_SYN} && tcp.dstport == 5601", 12)
    lab.info("SG011", "icmp.type == 3", server=network.ip(60), port=9300)


@scenario
def held_out_agent_port_dropped(lab: Lab) -> None:
    """A firewall between pods drops 8250: the agents of a host and of a secondary storage VM (06:) try again and again;
    the management server answers ARP, ping and SSH. -i any on the switch, cooked version 2, role not told."""
    pod = Management(lab, prefix="100.65.3", first_tap=5)
    host = pod.machine("3c:fd:fe:7a:00:11", "kvm1", 11)
    storage = pod.machine("06:44:0a:00:01:33", "s-9-VM", 33)
    pod.serve()
    listen(pod.server, 22)
    pod.server.drop("tcp dport 8250")
    with lab.record(
        pod.switch.ns, "any", "any", told=False, link_type="LINUX_SLL2", steps=(snap(128),), compress="gz", linger=4
    ):
        for machine in (host, storage):
            pod.agent(machine)
        for _ in range(4):
            host.ns.run("ping", "-qc", "2", pod.ip)
            connects(host, pod.ip, 22, tries=1, pause=3)
    lab.shows(f"{_SYN} && tcp.dstport == 8250", 8)
    lab.hides("tcp.srcport == 8250")
    lab.fault("HOST001", "tcp.dstport == 8250", server=pod.ip, port=8250)
    lab.consequence("CPVM016")


@scenario
def held_out_agent_balancer_empty(lab: Lab) -> None:
    """haproxy before the management servers has no live member: it takes every agent's connection and closes it after
    the ClientHello, each five seconds. Recorded at a host's NIC."""
    pod = Management(lab, prefix="100.65.4", first_tap=5)
    host = pod.machine("3c:fd:fe:7a:00:12", "kvm2", 12)
    haproxy(pod.server, "frontend a\n  mode tcp\n  bind :8250\n  default_backend b\nbackend b\n  mode tcp\n"
                        "  server m1 127.0.0.1:1 disabled\n")  # fmt: skip
    with lab.record(*pod.at(host), nano=True, steps=(pcapng,), linger=1):
        pod.agent(host)
        time.sleep(23)
    lab.shows(f"{_SYN} && tcp.dstport == 8250", 4)
    lab.fault("HOST003", "tcp.port == 8250", server=pod.ip, port=8250)


@scenario
def held_out_agent_links_cut_once(lab: Lab) -> None:
    """The state table before the management server is cleared: the agents' links are reset at one moment, and both are
    made again within seven seconds. No fault; on the label bridge."""
    pod = Management(lab, prefix="100.65.5", first_tap=5)
    hosts = [pod.machine(f"3c:fd:fe:7a:00:2{n}", f"kvm{n}", 20 + n) for n in range(2)]
    pod.serve_many()
    with lab.record(*pod.at_bridge, told=False, compress="xz", linger=1):
        for host in hosts:
            pod.agent(host, every=1.5)
        time.sleep(8)
        pod.server.ns.run("ss", "-K", "sport", "=", ":8250", check=False)
        time.sleep(14)
    lab.shows(f"{_SYN} && tcp.dstport == 8250", 2)
    lab.shows("tls.app_data && tcp.port == 8250", 12)


@scenario
def held_out_nfs_refused(lab: Lab) -> None:
    """The NFS service of the primary storage is stopped: two hosts' mounts are refused on 2049, and on 111. On the
    storage bridge, jumbo frames, cut at 128 bytes; iSCSI to another box works."""
    pod = Management(lab, prefix="10.255.8", first_tap=70)
    hosts = [pod.machine(f"b4:96:91:00:77:0{n}", f"kvm{n}", 20 + n) for n in range(2)]
    other = pod.machine("00:a0:98:5c:10:02", "san", 60)
    for machine in (*hosts, other, pod.server):
        machine.ns.mtu(9000)
    listen(other, 3260)
    with lab.record(*pod.at_bridge, told=False, steps=(snap(128), pcapng), compress="zst", linger=3):
        for _ in range(4):
            for host in hosts:
                connects(host, pod.ip, 2049, tries=1, pause=0.3)
                connects(host, pod.ip, 111, tries=1, pause=0.3)
                connects(host, f"{pod.prefix}.60", 3260, tries=1, pause=1)
    lab.shows("tcp.srcport == 2049 && tcp.flags.reset == 1", 8)
    lab.fault("HOST007", "tcp.port == 2049 || tcp.port == 111", server=pod.ip)


@scenario
def held_out_jumbo_storage(lab: Lab) -> None:
    """Storage with MTU 9000 from end to end: an image is read from port 2049 in full jumbo segments, now and then one
    is lost (a policer drops at random) and repeated. Healthy; at the host's NIC."""
    pod = Management(lab, prefix="10.255.9", first_tap=75)
    host = pod.machine("b4:96:91:00:77:11", "kvm1", 21)
    for machine in (host, pod.server):
        machine.ns.mtu(9000)
        pod.switch.ns.ip("link", "set", machine.tap, "mtu", "9000")
    pod.switch.ns.ip("link", "set", pod.bridge, "mtu", "9000")
    pod.server.ns.spawn("socat", "TCP-LISTEN:2049,fork,reuseaddr", "SYSTEM:head -c 3000000 /dev/zero")
    time.sleep(0.3)
    pod.switch.ns.run("nft", "add", "table", "bridge", "lab")
    pod.switch.ns.run("nft", "add chain bridge lab forward { type filter hook forward priority 0; }")
    rule = f"oifname {host.tap} meta length gt 8000 numgen random mod 60 == 7 drop"
    pod.switch.ns.run("nft", f"add rule bridge lab forward {rule}")
    with lab.record(*pod.at(host), steps=(snap(128),), compress="gz", linger=1):
        for _ in range(2):
            host.ns.run("sh", "-c", f"socat -u TCP:{pod.ip}:2049 - | wc -c", check=False, seconds=20)
            time.sleep(2)
    lab.shows("tcp.srcport == 2049 && tcp.len > 8000", 200)
    lab.shows("tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.out_of_order", 1)


@scenario
def held_out_storage_vm_untagged(lab: Lab) -> None:
    """Management of all hosts is VLAN 3010. On one host the private label is on the bare NIC, so a secondary storage VM
    (06:) asks untagged for gateway, NFS server and management server; the host itself, tagged, is answered by all. One
    NIC, cut at 96 bytes."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "ens2", "trunks=0,3010", first_tap=n) for n, name in ((0, "node1"), (9, "core")))
    host = Machine(here.host, here.vlan(3010), "98:03:9b:00:11:01", "kvm")
    host.address("172.26.10.21", 23)
    vm = Machine(here.host, here.native(), "06:d2:1a:00:00:3e", "ssvm")
    vm.address("172.26.11.62", 23, "172.26.10.1")
    beyond = there.vlan(3010)
    servers = [Machine(there.host, beyond, f"98:03:9b:00:22:0{n}", f"core{n}") for n in range(3)]
    for machine, last in zip(servers, (1, 5, 9), strict=True):
        machine.address(f"172.26.10.{last}", 23)
    steps = (wire([host.mac, vm.mac]), snap(96), pcapng)
    with lab.record(*here.at_nic, steps=steps, compress="gz", linger=3):
        for _ in range(3):
            for last in (1, 5, 9):
                host.ns.run("ping", "-qc", "2", "-i", "0.4", f"172.26.10.{last}")
                vm.ns.run("ping", "-qc", "3", "-W", "1", f"172.26.10.{last}", check=False)
    lab.shows("!vlan && arp.opcode == 1 && arp.dst.proto_ipv4 == 172.26.10.1", 5)
    lab.shows("vlan.id == 3010 && icmp.type == 0", 12)
    lab.fault("PHYS002", f"arp && eth.src == {vm.mac}", mac=vm.mac)
    for code in ("HYP004", "HOST001", "VLAN019", "OVS002"):
        lab.consequence(code)


@scenario
def held_out_labels_crossed(lab: Lab) -> None:
    """On one host cloudbr0 and cloudbr1 stand on each other's NIC: its guests' VLANs 1550 and 1551 leave by the NIC of
    management, where the switch carries neither, and its own management frames by the NIC of guests; another host has
    it right. Both NICs of the first host and the guest NIC of the second."""
    management, guests = Trunk(lab), second_switch(lab)
    crossed = management.host("node1", "eth0", "trunks=0,20", first_tap=0)
    other = guests.host("node2", "eth1", "trunks=0,1550,1551", first_tap=30)
    admin = management.host("node3", "eth0", "trunks=0,20", first_tap=50)
    veth(crossed.host.ns, "eth1", guests.switch.ns, "node1-eth1")
    for where, name in ((crossed.host.ns, "eth1"), (guests.switch.ns, "node1-eth1")):
        where.ip("link", "set", name, "up")
    guests.switch.port(guests.bridge, "node1-eth1", "trunks=0,1550,1551")
    own, near, local = "ac:1f:6b:99:00:01", [], []
    kvm = Machine(crossed.host, None, own, "kvm1")
    kvm.address("10.7.0.21", 23)
    label = crossed.host.bridge("cloudbr0")
    for name in (kvm.tap, "eth1"):
        crossed.host.ns.ip("link", "set", name, "master", label)
    ms = Machine(admin.host, admin.native(), "ac:1f:6b:99:00:05", "ms")
    ms.address("10.7.0.5", 23)
    second = Machine(admin.host, "cloudbr0", "ac:1f:6b:99:00:06", "kvm3")
    second.address("10.7.0.23", 23)
    for vlan in (1550, 1551):
        net = f"10.8.{vlan % 10 * 2}"
        network = Elsewhere(cidr=f"{net}.0/23", gateway=f"{net}.1", number=vlan, vlan=vlan, prefix="02:05")
        bridge = other.vlan(vlan)
        router = Router(other.host, bridge, network, label=f"vr{vlan}")
        peer = Machine(other.host, bridge, network.mac(9), f"peer{vlan}")
        peer.address(network.ip(9), 23)
        guest = Guest(crossed.host, crossed.vlan(vlan), network.mac(0x33), f"g{vlan}")
        guest.address(network.ip(51), 23, network.gateway)
        near.append((guest, network))
        local += [router.mac, peer.mac]
    ours = [own, *(guest.mac for guest, _ in near)]
    where = crossed.host.ns
    points = [Recorder(name=f"node1-{nic}", point=(where, nic, "nic"), local=ours) for nic in ("eth0", "eth1")]
    with record_along(lab, *points, Recorder(name="node2-eth1", point=other.at_nic, local=local), linger=3):
        second.ns.spawn("arping", "-b", "-q", "-I", "eth0", "10.7.0.21")
        kvm.ns.spawn("ping", "-q", "-i", "2", "10.7.0.5")
        for guest, network in near:
            guest.ns.spawn("ping", "-q", "-i", "2", network.gateway)
        for machine, ip in ((peer, network.ip(77)),):
            machine.ns.spawn("arping", "-b", "-q", "-I", "eth0", ip)
        time.sleep(24)
    lab.shows("vlan.id == 1550 && arp.opcode == 1", 10)
    lab.shows("!vlan && arp.dst.proto_ipv4 == 10.7.0.5 && arp.opcode == 1", 5)
    lab.fault("PHYS001", "arp")
    for code in ("VLAN001", "VLAN002", "VLAN003", "HYP007", "HYP009", "PHYS005", "VLAN019", "HOST001"):
        lab.consequence(code)


def second_switch(lab: Lab) -> Trunk:
    """A second switch in the same lab, in a namespace of its own."""
    real = lab.namespace
    try:
        lab.namespace = lambda label: real(f"{label}-b" if label == "switch" else label)  # type: ignore[method-assign]
        return Trunk(lab)
    finally:
        lab.namespace = real  # type: ignore[method-assign]
