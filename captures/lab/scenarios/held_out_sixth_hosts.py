"""A sixth hold-out, recorded before any rule had seen it: hosts and storage, physical networks, security groups."""

import time

from captures.lab.along import Recorder, TwoHosts, bridge_drops, record_along
from captures.lab.cloud import GuestNetwork, Host, Machine
from captures.lab.crowd import Crowd
from captures.lab.elsewhere import Elsewhere
from captures.lab.management import Management, connects
from captures.lab.namespaces import until
from captures.lab.post import between, pcapng, snap, wire
from captures.lab.router import rogue_dhcp
from captures.lab.scenario import Lab, scenario
from captures.lab.services.ssh import sshd
from captures.lab.services.storage import nfs, nfs_server, url
from captures.lab.stage import Stage, Trunk, at_tap

_SYN = "tcp.flags.syn == 1 && tcp.flags.ack == 0"


def _network(net: str, number: int, vlan: int, prefix: str, *, last: int = 254) -> Elsewhere:
    return Elsewhere(cidr=f"{net}.0/24", gateway=f"{net}.{last}", number=number, vlan=vlan, prefix=prefix)


def _sink(machine: Machine, port: int) -> None:
    machine.ns.spawn("socat", "-u", f"TCP-LISTEN:{port},fork,reuseaddr", "OPEN:/dev/null")
    until(lambda: machine.ns.run("ss", "-Hltn", f"sport = :{port}").stdout, f"{machine.label} listens on {port}")


@scenario
def held_out_sixth_agent_port_filtered(lab: Lab) -> None:
    """A rule of the management server's own firewall lets agents of the old pods in and forgot a new host: its agent
    tries port 8250 again and again without an answer, while ping and the web port of the same server answer, and its
    neighbours' agents are linked. tcpdump -i any -s 96 on the host, among a dozen machines of the pod."""
    pod = Management(lab, prefix="10.40.8", first_tap=2)
    host = pod.machine("0c:42:a1:5e:20:71", "hv71", 71)
    other = pod.machine("0c:42:a1:5e:20:72", "hv72", 72)
    crowd = Crowd(
        lab, GuestNetwork(cidr="10.40.8.0/24", gateway="10.40.8.1"), [(pod.switch, pod.bridge)], 12, first=100
    )
    pod.serve_many()
    pod.server.drop(f"ip saddr {pod.prefix}.71 tcp dport 8250")
    page = lab.file("ui/index.html", "<html>CloudStack</html>").parent
    pod.server.ns.spawn("python3", "-m", "http.server", "8080", "--directory", str(page))
    pod.agent(other)
    crowd.start(3)
    with lab.record(host.ns, "any", "any", steps=(snap(96),), compress="gz", linger=4):
        pod.agent(host)
        host.ns.spawn("ping", "-q", "-i", "2.3", pod.ip)
        for _ in range(9):
            host.ns.run("curl", "-s", "-m", "3", "-o", "/dev/null", f"http://{crowd.server}/", check=False)
            host.ns.run("curl", "-s", "-m", "3", "-o", "/dev/null", f"http://{pod.ip}:8080/", check=False)
            host.ns.run("getent", "hosts", "nobody.invalid", check=False, seconds=3)
            time.sleep(4)
    lab.shows(f"tcp.dstport == 8250 && {_SYN}", 5)
    lab.hides(f"tcp.srcport == 8250 && ip.dst == {pod.prefix}.71")
    lab.fault("HOST001", "tcp.dstport == 8250", server=pod.ip)


def _jumbo(pod: Management, *machines: Machine) -> None:
    for machine in machines:
        machine.ns.ip("link", "set", "eth0", "mtu", "9000")
    for name in (*(one.tap for one in machines), pod.bridge):
        pod.switch.ns.ip("link", "set", name, "mtu", "9000")


@scenario
def held_out_sixth_iscsi_port_without_jumbo(lab: Lab) -> None:
    """One port of the storage switch was left at 1500 when all others got jumbo frames: a host's iSCSI session does its
    log-in and small commands, and hangs at the first large write; a second host's session to the same target writes on.
    Recorded on the bridge before that port, -s 128, role not told."""
    pod = Management(lab, prefix="10.73.0", first_tap=5)
    good, bad = pod.machine("e4:1d:2d:70:00:11", "hv1", 11), pod.machine("e4:1d:2d:70:00:12", "hv2", 12)
    target = pod.machine("00:50:cc:81:00:40", "san", 40)
    _jumbo(pod, good, bad, target, pod.server)
    pod.switch.ns.run("nft", "add", "table", "bridge", "lab")
    pod.switch.ns.run("nft", "add chain bridge lab forward { type filter hook forward priority 0; }")
    rule = "meta length gt 1500 drop"
    pod.switch.ns.run("nft", f"add rule bridge lab forward iifname {bad.tap} {rule}")
    pod.switch.ns.run("nft", f"add rule bridge lab forward oifname {bad.tap} {rule}")
    _sink(target, 3260)
    small = "for n in 1 2 3 4 5; do head -c 240 /dev/zero; sleep 0.4; done"
    with lab.record(*pod.at_bridge, told=False, steps=(snap(128),), compress="gz", linger=1):
        for one, size in ((good, 9000), (bad, 9000)):
            words = f"({small}; for n in 1 2 3; do head -c {size * 5} /dev/zero; sleep 2; done; sleep 20)"
            one.ns.spawn("sh", "-c", f"{words} | socat -u - TCP:{pod.prefix}.40:3260")
            one.ns.spawn("ping", "-q", "-i", "1.5", f"{pod.prefix}.40")
        time.sleep(20)
    lab.shows(f"tcp.dstport == 3260 && tcp.len > 1460 && ip.src == {pod.prefix}.12", 4)
    lab.shows(f"tcp.dstport == 3260 && tcp.len > 1460 && ip.src == {pod.prefix}.11", 10)
    lab.fault("HOST009", f"tcp.len > 1460 && ip.src == {pod.prefix}.12", server=f"{pod.prefix}.40", port=3260)
    for code in ("VLAN017", "PHYS007"):
        lab.consequence(code)


@scenario
def held_out_sixth_jumbo_storage_works(lab: Lab) -> None:
    """Jumbo frames on a storage network that carries them: a host writes with 9000 bytes to one target; a backup server
    left at 1500 reads from it with what it announced, and a console behind a router with 1400 gets its large answers
    after the router said once that they are too long. Recorded at the target, -s 128. Healthy."""
    pod = Management(lab, prefix="10.74.0", first_tap=9)
    host, target = pod.machine("e4:1d:2d:71:00:11", "hv1", 11), pod.machine("00:50:cc:82:00:40", "san", 40)
    backup, gateway = pod.machine("e4:1d:2d:71:00:19", "bak", 19), pod.machine("44:f4:77:00:00:01", "gw", 1)
    _jumbo(pod, host, target, gateway, pod.server)
    outside = Host(lab, "office")
    office = outside.bridge("office0")
    far = Machine(outside, office, "f8:75:a4:01:02:03", "console")
    far.address("192.0.2.77", 24, "192.0.2.1")
    link = gateway.plug(None, "44:f4:77:00:00:02", "vnet-gw")
    pod.switch.ns.ip("link", "set", link.tap, "netns", outside.ns.name)
    outside.ns.ip("link", "set", link.tap, "master", office)
    outside.ns.ip("link", "set", link.tap, "up")
    gateway.address("192.0.2.1", 24, nic=1)
    gateway.ns.ip("link", "set", "eth1", "mtu", "1400")
    gateway.ns.sysctl("net.ipv4.ip_forward", 1)
    _sink(target, 3260)
    page = lab.file("san/big.bin", bytes(40000)).parent
    target.ns.spawn("python3", "-m", "http.server", "8000", "--directory", str(page))
    until(lambda: target.ns.run("ss", "-Hltn", "sport = :8000").stdout, "the target's page")
    with lab.record(*pod.at(target), steps=(snap(128), pcapng), compress="gz", linger=1):
        words = "(for n in 1 2 3 4; do head -c 40000 /dev/zero; sleep 0.7; done)"
        host.ns.spawn("sh", "-c", f"{words} | socat -u - TCP:{pod.prefix}.40:3260")
        for reader in (backup, far):
            for _ in range(3):
                reader.ns.run("curl", "-s", "-m", "9", "-o", "/dev/null", f"http://{pod.prefix}.40:8000/big.bin")
                time.sleep(0.6)
    lab.shows("tcp.dstport == 3260 && tcp.len > 8000", 8)
    lab.shows("icmp.type == 3 && icmp.code == 4")


@scenario
def held_out_sixth_control_nic_not_plugged(lab: Lab) -> None:
    """A router was started on a host while cloud0 was being rebuilt, and its control NIC is in no bridge: the host asks
    for 169.254.5.91 for more than two minutes to configure it. The console proxy beside it answers on port 3922.
    Recorded on cloud0."""
    host = Host(lab, "hv", first_tap=61)
    cloud = host.bridge("cloud0")
    host.ns.ip("address", "add", "169.254.0.1/16", "dev", cloud)
    router = Machine(host, None, "0e:00:a9:fe:05:5b", "r-91-VM")
    router.address("169.254.5.91", 16)
    proxy = Machine(host, cloud, "0e:00:a9:fe:e1:07", "v-2-VM")
    proxy.address("169.254.225.7", 16)
    sshd(proxy, 3922)
    with lab.record(host.ns, cloud, "bridge", linger=2):
        for n in range(24):
            words = ("socat", "/dev/null", "TCP:169.254.5.91:3922,connect-timeout=4")
            host.ns.run(*words, check=False, seconds=6)
            if n % 5 == 0:
                host.ns.run("ssh-keyscan", "-T", "3", "-p", "3922", "-t", "ed25519", "169.254.225.7", check=False)
            time.sleep(2.5)
    lab.shows("arp.opcode == 1 && arp.dst.proto_ipv4 == 169.254.5.91", 40)
    lab.fault("HOST012", "arp.dst.proto_ipv4 == 169.254.5.91", server="169.254.5.91")


@scenario
def held_out_sixth_public_vlan_on_one_host_only(lab: Lab) -> None:
    """The public VLAN 44 was never allowed at the port of one of two hosts: a console proxy and a router there ask for
    the provider's gateway in vain; on the other host a storage VM is answered. One terminal, so the two hosts were
    recorded one after the other."""
    trunk = Trunk(lab)
    bad, good, core = (
        trunk.host(name, "eth1", vlans, first_tap=8 * n)
        for n, (name, vlans) in enumerate((("hv1", "trunks=43"), ("hv2", "trunks=43,44"), ("core", "trunks=43,44")))
    )
    upstream = Machine(core.host, core.vlan(44), "5c:5e:ab:00:44:01", "upstream")
    upstream.address("198.51.100.1", 26)
    upstream.ns.ip("address", "add", "9.9.9.9/32", "dev", "lo")
    system = [Machine(bad.host, bad.vlan(44), "1e:02:7a:00:01:1d", "v-8-VM")]
    system.append(Machine(bad.host, f"br{bad.uplink}-44", "1e:01:c4:00:01:22", "r-9-VM"))
    system.append(Machine(good.host, good.vlan(44), "1e:00:66:00:01:30", "s-7-VM"))
    for n, machine in enumerate(system):
        machine.address(f"198.51.100.{20 + n}", 26, "198.51.100.1")
    tenant = _network("10.43.0", 0x0430, 43, "02:19")
    ends = []
    for n, where in enumerate((bad, good, core)):
        ends.append(Machine(where.host, where.vlan(43), tenant.mac(0x50 + n), f"t{n}"))
        ends[-1].address(tenant.ip(50 + n), 24)
    for one in ends[:2]:
        one.ns.spawn("ping", "-q", "-i", "0.6", tenant.ip(52))
    for machine in system:
        machine.ns.spawn("ping", "-q", "-i", "1", "9.9.9.9")
    local = ([ends[0].mac, system[0].mac, system[1].mac], [ends[1].mac, system[2].mac])
    for name, where, macs in (("hv1", bad, local[0]), ("hv2", good, local[1])):
        with lab.record(*where.at_nic, name=name, steps=(wire(macs),), linger=1):
            time.sleep(8)
            if where is good:
                system[2].ns.run("arping", "-qc", "4", "-I", "eth0", "198.51.100.1")
            time.sleep(12)
        time.sleep(3)
    asks = "vlan.id == 44 && arp.opcode == 1 && arp.dst.proto_ipv4 == 198.51.100.1"
    lab.shows(asks, 20)
    lab.fault("PHYS005", asks, vlan=44)
    for code in ("VLAN001", "VLAN002", "VLAN019"):
        lab.consequence(code, vlan=44)


@scenario
def held_out_sixth_one_port_with_a_smaller_frame(lab: Lab) -> None:
    """Three hosts in a VLAN; the switch port of the third takes no frame above 1422 bytes. What the first sends to the
    second arrives, small or large; of what it sends to the third the large frames are lost. Recorded at the NICs of all
    three, -s 100."""
    trunk = Trunk(lab)
    hosts = [trunk.host(f"hv{n}", "eno1", "trunks=1500", first_tap=5 * n) for n in range(3)]
    network = _network("10.150.2", 0x1500, 1500, "02:ab")
    machines = []
    for n, host in enumerate(hosts):
        machine = Machine(host.host, host.vlan(1500), network.mac(0x60 + n), f"m{n}")
        machine.address(network.ip(60 + n), 24)
        machine.ns.spawn("socat", "-u", "TCP-LISTEN:7000,fork,reuseaddr", "OPEN:/dev/null")
        machines.append(machine)
    trunk.limit(hosts[2], 1422)
    recorders = [
        Recorder(name=f"hv{n}", point=(host.host.ns, "eno1", "nic"), local=[machines[n].mac], steps=(snap(100),))
        for n, host in enumerate(hosts)
    ]
    with record_along(lab, *recorders, linger=2):
        for target in (61, 62):
            machines[0].ns.spawn("ping", "-q", "-i", "0.4", network.ip(target))
            words = "for n in 1 2 3 4 5 6; do head -c 300 /dev/zero; sleep 0.3; done; head -c 30000 /dev/zero; sleep 16"
            machines[0].ns.spawn("sh", "-c", f"({words}) | socat -u - TCP:{network.ip(target)}:7000")
        time.sleep(18)
    lab.shows(f"tcp.len > 1380 && ip.dst == {network.ip(62)}", 6)
    lab.fault("PHYS007", f"frame.len > 1422 && ip.dst == {network.ip(62)}")
    for code in ("VLAN017", "HYP023"):
        lab.consequence(code)


@scenario
def held_out_sixth_address_set_inside_only(lab: Lab) -> None:
    """A guest took a second address for a container, which nobody told CloudStack: the security group's filter lets out
    what comes from its first address and drops what comes from the second, ARP and IP. Recorded at its tap and at the
    NIC of its host."""
    network, alive = _network("192.168.160", 0x1600, 1600, "02:6f", last=1), _network("10.161.0", 0x1601, 1601, "02:6f")
    hosts = TwoHosts(lab, network, alive, first_tap=14, nic="eth1")
    guest = hosts.guest(0x46, "docker-1", ip=70)
    second = network.ip(201)
    guest.ns.ip("address", "add", f"{second}/24", "dev", "eth0")
    for rule in (f"ip saddr {second}", f"arp saddr ip {second}"):
        bridge_drops(hosts.near.host, f"iifname {guest.tap} {rule}")
    hosts.router.ns.ip("address", "add", "203.0.113.80/32", "dev", "lo")
    with record_along(lab, hosts.tap(guest), hosts.near_nic("hv"), linger=2):
        hosts.talk()
        guest.ns.spawn("ping", "-q", "-i", "0.7", network.gateway)
        guest.ns.spawn("ping", "-q", "-i", "0.9", "-I", second, network.gateway)
        guest.ns.spawn("arping", "-q", "-b", "-s", second, "-I", "eth0", network.ip(99))
        time.sleep(14)
    lab.shows(f"!vlan && ip.src == {second}", 8)
    lab.hides(f"vlan && ip.src == {second}")
    lab.fault("SG003", f"ip.src == {second} || arp.src.proto_ipv4 == {second}", ip=second)
    lab.consequence("TMPL005")


@scenario
def held_out_sixth_rules_of_another_guest(lab: Lab) -> None:
    """vnet20 belonged to a guest that is gone; its ebtables rules stayed and drop all that does not come from that
    guest's MAC, so the new owner of the name gets nothing out, neither DHCP nor ARP. A neighbour on the same bridge is
    fine. Recorded at both taps and at the NIC of the host."""
    network, alive = _network("10.171.3", 0x1713, 1713, "02:13"), _network("10.171.4", 0x1714, 1714, "02:13")
    hosts = TwoHosts(lab, network, alive, first_tap=20, nic="bond0")
    guest, neighbour = hosts.guest(0x52, "new-owner"), hosts.guest(0x53, "beside")
    hosts.serve()
    bridge_drops(hosts.near.host, f"iifname {guest.tap} ether saddr != 02:13:17:13:00:07")
    with record_along(lab, hosts.tap(guest, "vm1"), hosts.tap(neighbour, "vm2"), hosts.near_nic("hv"), linger=6):
        hosts.talk()
        neighbour.udhcpc()
        neighbour.ns.spawn("ping", "-q", "-i", "1", network.gateway)
        guest.udhcpc(seconds=16)
        guest.ns.ip("address", "add", f"{network.ip(30)}/24", "dev", "eth0")
        guest.ns.run("ping", "-qc", "6", "-W", "1", network.gateway, check=False)
        time.sleep(2)
    lab.shows(f"!vlan && eth.src == {guest.mac} && dhcp", 3)
    lab.hides(f"vlan && eth.src == {guest.mac}")
    lab.fault("SG005", f"eth.src == {guest.mac}", mac=guest.mac)
    for code in ("HYP001", "DHCP001", "DHCP002", "DHCP005", "DHCP006", "VLAN019", "VLAN022"):
        lab.consequence(code)
    lab.proof("DHCP031", f"dhcp.option.dhcp == 5 && dhcp.hw.mac_addr == {neighbour.mac}", mac=neighbour.mac)


@scenario
def held_out_sixth_guest_with_libvirt(lab: Lab) -> None:
    """A guest got its lease, then was made a hypervisor itself: somebody put its NIC into the bridge of libvirt's
    default network, whose dnsmasq now answers the whole network with 192.168.122.x. The next guest boots while the
    router is restarted and takes the offer. Recorded on the bridge with the filter "port 67 or port 68 or arp"."""
    network = _network("10.44.9", 0x0449, 449, "02:f7", last=1)
    stage = Stage(lab, network, first_tap=33)
    nested, late = stage.guest(0x21, "nested-kvm"), stage.guest(0x22, "late-1")
    stage.serve()
    crowd = Crowd(lab, network, [(stage.host, stage.bridge)], 10, first=100)
    with lab.record(*stage.at_bridge, bpf="port 67 or port 68 or arp", linger=4):
        crowd.start(3)
        nested.udhcpc()
        time.sleep(2)
        nested.ns.ip("address", "add", "192.168.122.1/24", "dev", "eth0")
        rogue_dhcp(nested, "192.168.122.2", "192.168.122.254")
        stage.router.drop("udp dport 67")
        late.dhclient()
        time.sleep(3)
    lab.shows(f"dhcp.option.dhcp == 2 && eth.src == {nested.mac}")
    lab.fault("DHCP014", f"dhcp.type == 2 && eth.src == {nested.mac}", mac=nested.mac)
    for code in ("SG007", "DHCP013", "DHCP016", "TMPL005", "HYP017"):
        lab.consequence(code)


@scenario
def held_out_sixth_scanner_in_the_pod(lab: Lab) -> None:
    """The security team's scanner sweeps a pod: four hosts, thirty ports, agent, libvirt, migration, VNC, NFS and iSCSI
    among them. Two hosts drop what they do not want, two refuse it, and three addresses are nobody's. The hosts' own
    agents and mounts go on. Recorded on the pod's bridge, role not told, -s 160. Healthy."""
    pod = Management(lab, prefix="10.48.0", first_tap=1)
    pod.serve_many()
    hosts = [pod.machine(f"0c:42:a1:48:00:{n}", f"hv{n}", n) for n in (21, 22, 23, 24)]
    nas = pod.machine("00:a0:98:48:00:30", "nas", 30)
    _sink(nas, 2049)
    scanner = pod.machine("00:15:5d:48:00:99", "scanner", 99)
    for host in hosts[:2]:
        host.drop(f"ip saddr {pod.prefix}.99 tcp dport != 22")
    ports = (22, 80, 111, 443, 2049, 3260, 5900, 5901, 5902, 8080, 8250, 8443, 9090, 16509, 16514, 49152, 49153)
    with lab.record(*pod.at_bridge, told=False, steps=(snap(160),), compress="gz", linger=2):
        for host in hosts:
            pod.agent(host)
            words = "while sleep 0.9; do head -c 200 /dev/zero; done"
            host.ns.spawn("sh", "-c", f"({words}) | socat -u - TCP:{pod.prefix}.30:2049")
        for port in ports:
            for last in (21, 22, 23, 24, 30, 5, 61, 62, 63):
                target = f"TCP:{pod.prefix}.{last}:{port},connect-timeout=4"
                scanner.ns.spawn("socat", "/dev/null", target)
            time.sleep(0.8)
        time.sleep(6)
    lab.shows(f"tcp.dstport == 49152 && {_SYN}", 6)
    lab.shows(f"tcp.dstport == 8250 && {_SYN} && ip.src == {pod.prefix}.99", 5)


@scenario
def held_out_sixth_agents_change_servers(lab: Lab) -> None:
    """The first of two management servers is taken down for an upgrade: the agents of three hosts lose their links, are
    refused there, and link to the second, where they stay; the first is back half a minute later and its port refuses
    until then. Recorded on the bridge, role not told. Healthy."""
    pod = Management(lab, prefix="10.49.0", first_tap=1)
    service = pod.serve_many(f"{pod.prefix}.6")
    second = pod.machine("b8:59:9f:49:00:06", "ms2", 6)
    pem = lab.folder / "ms.pem"
    hosts = [pod.machine(f"ac:1f:6b:49:00:{n}", f"hv{n}", n) for n in (31, 32, 33)]
    words = f"openssl-listen:8250,fork,reuseaddr,cert={pem},verify=0"
    second.ns.spawn("socat", words, "EXEC:cat")
    with lab.record(*pod.at_bridge, told=False, steps=(snap(220), pcapng), linger=2):
        first = [pod.agent(host) for host in hosts]
        time.sleep(8)
        service.terminate()
        time.sleep(0.3)
        for one in hosts:
            connects(one, pod.ip, 8250, tries=2, pause=0.5)
        for agent in first:
            agent.terminate()
        for host in hosts:
            pod.agent(host, server=f"{pod.prefix}.6")
        time.sleep(12)
    lab.shows("tcp.srcport == 8250 && tcp.flags.reset == 1", 3)
    lab.shows(f"ip.dst == {pod.prefix}.6 && tls.app_data", 3)


@scenario
def held_out_sixth_storage_that_thinks(lab: Lab) -> None:
    """A NAS's write cache is full: for 25 s it takes no more data from two hosts and says so (zero window), its kernel
    answers each probe and each ping, then it drains and all goes on. A slow server, not a network. Recorded at the NIC
    of a host, -s 100, pcapng."""
    pod = Management(lab, prefix="10.75.0", first_tap=7)
    hosts = [pod.machine(f"e4:1d:2d:75:00:1{n}", f"hv{n}", 10 + n) for n in (1, 2)]
    nas = pod.machine("00:a0:98:75:00:40", "nas", 40)
    reads = "import socket,sys,time,threading\n"
    reads += "s=socket.socket();s.setsockopt(1,2,1);s.setsockopt(1,8,8192);s.bind(('',2049));s.listen(9)\n"
    reads += "t0=time.time()\n"
    reads += "def one(c):\n while True:\n  t=time.time()-t0\n  if 8<t<33: time.sleep(.2);continue\n"
    reads += "  if not c.recv(4096): return\n"
    reads += "while True:\n c,_=s.accept();threading.Thread(target=one,args=(c,),daemon=True).start()\n"
    nas.ns.spawn("python3", "-c", reads)
    until(lambda: nas.ns.run("ss", "-Hltn", "sport = :2049").stdout, "the NAS listens")
    with lab.record(*pod.at(hosts[0]), steps=(snap(100), pcapng), linger=1):
        for host in hosts:
            words = "while sleep 0.5; do head -c 1100 /dev/zero; done"
            host.ns.spawn("sh", "-c", f"({words}) | socat -u - TCP:{pod.prefix}.40:2049")
            host.ns.spawn("ping", "-q", "-i", "2", f"{pod.prefix}.40")
        time.sleep(42)
    lab.shows("tcp.analysis.zero_window", 2)


@scenario
def held_out_sixth_customer_on_a_bad_line(lab: Lab) -> None:
    """A customer on a bad mobile line loads a page of an instance: every third frame between the provider and him is
    lost, so the instance repeats segments again and again, and a second customer is fine. Recorded at the instance's
    tap, role not told; -c 400. Healthy: the loss is beyond the gateway."""
    network = _network("10.58.1", 0x0581, 581, "02:cd", last=1)
    stage = Stage(lab, network, first_tap=19)
    server = stage.guest(0x31, "shop")
    server.address(network.ip(49), 24, network.gateway)
    stage.router.ns.sysctl("net.ipv4.ip_forward", 1)
    world = Host(lab, "world")
    street = world.bridge("street0")
    link = stage.router.plug(None, "1e:00:58:00:00:02", "vnet-pub")
    stage.host.ns.ip("link", "set", link.tap, "netns", world.ns.name)
    world.ns.ip("link", "set", link.tap, "master", street)
    world.ns.ip("link", "set", link.tap, "up")
    stage.router.address("203.0.113.1", 24, nic=1)
    phone, desk = (Machine(world, street, f"d8:3a:dd:58:00:0{n}", f"cust{n}") for n in (1, 2))
    for n, one in enumerate((phone, desk)):
        one.address(f"203.0.113.{70 + n}", 24, "203.0.113.1")
    world.ns.run("nft", "add", "table", "netdev", "lab")
    chain = f"add chain netdev lab in {{ type filter hook ingress device {link.tap} priority 0; }}"
    world.ns.run("nft", chain)
    world.ns.run("nft", "add rule netdev lab in ip daddr 203.0.113.70 numgen random mod 100 < 34 drop")
    page = lab.file("shop/index.html", "<p>offer</p>\n" * 3000).parent
    server.ns.spawn("python3", "-m", "http.server", "80", "--directory", str(page))
    until(lambda: server.ns.run("ss", "-Hltn", "sport = :80").stdout, "the shop is open")
    with lab.record(*at_tap(server), told=False, steps=(between(1, 400),), compress="gz", linger=1):
        for _ in range(3):
            for customer in (phone, desk):
                customer.ns.run("curl", "-s", "-m", "12", "-o", "/dev/null", f"http://{network.ip(49)}/", check=False)
    lab.shows("tcp.analysis.retransmission", 8)


@scenario
def held_out_sixth_export_for_the_old_net(lab: Lab) -> None:
    """Hosts were moved to another storage subnet, and the export list of the NFS server names the old one: a host's
    mounts by NFSv3 are refused (nfs-ganesha, libnfs), those of a host that still has an address in the old one work.
    Recorded on the storage bridge with "host NAS", role not told."""
    pod = Management(lab, prefix="10.76.8", first_tap=4)
    old, new = pod.machine("e4:1d:2d:76:00:11", "hv1", 11), pod.machine("e4:1d:2d:76:00:12", "hv2", 212)
    nas = pod.machine("00:a0:98:76:00:40", "nas", 40)
    nfs_server(nas, f"{pod.prefix}.0/25", path="/vol/primary1")
    with lab.record(*pod.at_bridge, told=False, bpf=f"host {pod.prefix}.40", linger=2):
        for _ in range(3):
            for one in (old, new):
                nfs(one, "nfs-ls", url(f"{pod.prefix}.40", "/vol/primary1"))
            time.sleep(3)
    lab.shows("mount.status == 13", 2)
    lab.fault("HOST008", "mount", server=f"{pod.prefix}.40")
