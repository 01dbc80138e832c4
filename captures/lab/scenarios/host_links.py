"""Agents' links that hang or are cut, ports that the public reaches, migration between hosts."""

import os
import signal
import time

from captures.lab.cloud import Host, Machine
from captures.lab.management import Management, connects
from captures.lab.namespaces import until
from captures.lab.post import pcapng, snap, stretched
from captures.lab.scenario import Lab, scenario

_BALANCER = """
defaults
    mode tcp
    timeout connect 3s
    timeout client {idle}s
    timeout server {idle}s
listen agents
    bind 0.0.0.0:8250
    server ms1 {server}:8250
"""


@scenario
def host_agent_hangs(lab: Lab) -> None:
    """A host's agent is stopped in its tracks (SIGSTOP) after some pings, as when it waits for dead storage; its
    connection stays open. The host goes on pinging the management server. Pauses are stretched fifteen times after the
    recording: two seconds between the agent's pings are thirty."""
    pod = Management(lab, prefix="192.168.26")
    host = pod.machine("b8:59:9f:00:01:26", "kvm1", 26)
    pod.serve()
    with lab.record(*pod.at(host), steps=(stretched(15),)):
        agent = pod.agent(host)
        host.ns.spawn("ping", "-q", "-i", "1.5", pod.ip)
        time.sleep(9)
        agent.send_signal(signal.SIGSTOP)
        time.sleep(16)
    agent.send_signal(signal.SIGCONT)
    lab.shows("tls.app_data && tcp.port == 8250", 6)
    lab.hides("tcp.flags.fin == 1 || tcp.flags.reset == 1")
    lab.fault("HOST004", "tcp.port == 8250", server=pod.ip, port=8250)
    lab.proof("HOST016", server=pod.ip)


@scenario
def host_agent_pings_seldom(lab: Lab) -> None:
    """ping.interval was set to more than three minutes: the agent's link is quiet for long and well. Pauses are
    stretched fifteen times after the recording, so that thirteen seconds are 195. Healthy."""
    pod = Management(lab, prefix="192.168.27")
    host = pod.machine("b8:59:9f:00:01:27", "kvm1", 27)
    pod.serve()
    with lab.record(*pod.at(host), told=False, steps=(stretched(15),), compress="gz"):
        pod.agent(host, every=13)
        host.ns.spawn("ping", "-q", "-i", "4", pod.ip)
        time.sleep(51)
    lab.shows("tls.app_data && tcp.port == 8250", 6)
    lab.proof("HOST016", server=pod.ip)


@scenario
def host_agent_cut_by_balancer(lab: Lab) -> None:
    """Agents of two hosts go through a load balancer (HAProxy) whose idle time-out is shorter than the interval of
    their pings: each link is cut at the same age, again and again. Pauses are stretched four times after the recording,
    so that 12 s are 48. Recorded on the label bridge."""
    pod = Management(lab, prefix="192.168.28")
    pod.serve_many(f"{pod.prefix}.4")
    balancer = pod.machine("00:0d:3a:00:01:04", "lb1", 4)
    settings = lab.file("haproxy.cfg", _BALANCER.format(idle=12, server=pod.ip))
    balancer.ns.spawn("haproxy", "-db", "-f", str(settings))
    hosts = [pod.machine(f"b8:59:9f:00:01:{n}", f"kvm{n}", n) for n in (28, 29)]
    time.sleep(1)
    with lab.record(*pod.at_bridge, steps=(stretched(4), snap(256))):
        for host in hosts:
            pod.agent(host, every=30, server=f"{pod.prefix}.4")
            time.sleep(6)
        time.sleep(40)
    lab.shows(f"tcp.flags.fin == 1 && ip.src == {pod.prefix}.4 && tcp.srcport == 8250", 3)
    lab.fault("HOST005", "tcp.flags.fin == 1 && tcp.port == 8250", server=f"{pod.prefix}.4", port=8250)


@scenario
def host_management_restart_many(lab: Lab) -> None:
    """The management service is restarted while three agents are linked, each with pings at its own moments: all links
    end at once, and all come back. No fault."""
    pod = Management(lab, prefix="192.168.29")
    service = pod.serve_many()
    hosts = [pod.machine(f"b8:59:9f:00:01:{n}", f"kvm{n}", n) for n in (31, 32, 33)]
    with lab.record(*pod.at_bridge, told=False, steps=(snap(200), pcapng), compress="gz"):
        for host in hosts:
            pod.agent(host, every=12)
            time.sleep(1.5)
        time.sleep(16)
        os.killpg(service.pid, signal.SIGKILL)
        time.sleep(0.5)
        pod.serve_many()
        time.sleep(14)
    lab.shows("tcp.flags.fin == 1 && tcp.srcport == 8250 || tcp.flags.reset == 1 && tcp.srcport == 8250", 3)


@scenario
def host_api_port_exposed(lab: Lab) -> None:
    """The integration port 8096 of a management server with a public address is open to the world: somebody from
    another public network asks it for the list of users and gets an answer. Recorded at the management server."""
    edge = Host(lab, "edge")
    bridge = edge.bridge("cloudbr0")
    server = Machine(edge, bridge, "b8:59:9f:00:01:41", "ms1")
    server.address("185.15.244.5", 24)
    stranger = Machine(edge, bridge, "00:1b:21:00:09:01", "gw")
    stranger.address("185.15.244.1", 24)
    stranger.ns.ip("address", "add", "91.198.174.77/32", "dev", "lo")
    server.ns.ip("route", "add", "default", "via", "185.15.244.1")
    page = lab.file("users.xml", "<listusersresponse/>").parent
    server.ns.spawn("python3", "-m", "http.server", "8096", "--directory", str(page))
    until(lambda: server.ns.run("ss", "-Hltn", "sport = :8096").stdout, "the API listens")
    with lab.record(server.ns, "eth0", "nic"):
        words = ("curl", "-s", "--interface", "91.198.174.77", "http://185.15.244.5:8096/users.xml?command=listUsers")
        stranger.ns.run(*words)
    lab.shows("tcp.flags.syn == 1 && tcp.flags.ack == 1 && tcp.srcport == 8096", 1)
    lab.fault("HOST015", "tcp.port == 8096 && tcp.flags.syn == 1", server="185.15.244.5", port=8096)


@scenario
def host_edge_zone_agent(lab: Lab) -> None:
    """A host of an edge zone links to its management server over the public network, as it was planned. Recorded at the
    management server."""
    pod = Management(lab, prefix="185.15.245")
    remote = pod.machine("b8:59:9f:00:01:43", "gw", 1)
    remote.ns.ip("address", "add", "91.198.174.78/32", "dev", "lo")
    remote.ns.ip("route", "replace", f"{pod.ip}/32", "dev", "eth0", "src", "91.198.174.78")
    pod.serve()
    with lab.record(*pod.at(pod.server), told=False):
        pod.agent(remote)
        time.sleep(9)
    lab.shows("ip.src == 91.198.174.78 && tls.app_data", 2)
    lab.info("HOST015", server=pod.ip)
    lab.proof("HOST016", server=pod.ip)


def _reject(machine: Machine, rule: str) -> None:
    """Refuse by ICMP, as firewalld does."""
    machine.ns.run("nft", "add", "table", "inet", "lab")
    machine.ns.run("nft", "add chain inet lab input { type filter hook input priority 0; }")
    machine.ns.run("nft", f"add rule inet lab input {rule} reject with icmpx type admin-prohibited")


def _listen(machine: Machine, port: int) -> None:
    machine.ns.spawn("socat", f"TCP-LISTEN:{port},fork,reuseaddr", "EXEC:cat")
    until(lambda: machine.ns.run("ss", "-Hltn", f"sport = :{port}").stdout, "the port listens")


@scenario
def host_migration_port_prohibited(lab: Lab) -> None:
    """Two hosts talk by libvirt (16514), but the target's firewalld does not admit the ports of the migration itself
    and says so by ICMP."""
    pod = Management(lab, prefix="192.168.50")
    source, target = (pod.machine(f"b8:59:9f:00:01:5{n}", f"kvm{n}", 50 + n) for n in (1, 2))
    _listen(target, 16514)
    _reject(target, "tcp dport 49152-49216")
    with lab.record(*pod.at(source)):
        words = "(head -c 300 /dev/zero; sleep 4) | socat - TCP:192.168.50.52:16514 >/dev/null"
        source.ns.spawn("sh", "-c", words)
        time.sleep(0.5)
        connects(source, "192.168.50.52", 49152, tries=3)
    lab.shows("icmp.code == 13 || icmp.code == 10", 3)
    lab.fault("HOST011", "icmp", server="192.168.50.52")
    lab.info("SG011")


@scenario
def host_libvirt_silent(lab: Lab) -> None:
    """A host's firewall drops what comes for libvirt's ports; the other host tries TLS, then TCP, in vain. It answers
    ping. Recorded on the label bridge, role not told."""
    pod = Management(lab, prefix="10.212.0")
    source, target = (pod.machine(f"b8:59:9f:00:01:6{n}", f"kvm{n}", 60 + n) for n in (1, 2))
    target.drop("tcp dport { 16509, 16514 }")
    with lab.record(*pod.at_bridge, told=False, steps=(pcapng,), linger=4):
        source.ns.run("ping", "-qc", "2", "10.212.0.62")
        connects(source, "10.212.0.62", 16514, tries=1, wait=8)
        connects(source, "10.212.0.62", 16509, tries=1, wait=8)
    lab.shows("tcp.flags.syn == 1 && tcp.dstport == 16514", 4)
    lab.fault("HOST011", "tcp.dstport == 16514 || tcp.dstport == 16509", server="10.212.0.62")


@scenario
def host_libvirt_without_tls(lab: Lab) -> None:
    """libvirt listens without TLS only: 16514 is refused, 16509 works, and the migration goes through. Healthy."""
    pod = Management(lab, prefix="192.168.51")
    source, target = (pod.machine(f"b8:59:9f:00:01:7{n}", f"kvm{n}", 70 + n) for n in (1, 2))
    _listen(target, 16509)
    _listen(target, 49152)
    with lab.record(*pod.at(source), compress="gz"):
        connects(source, "192.168.51.72", 16514, tries=1)
        for port in (16509, 49152):
            words = f"(head -c 3000 /dev/zero; sleep 1) | socat - TCP:192.168.51.72:{port} >/dev/null"
            source.ns.run("sh", "-c", words)
    lab.shows("tcp.flags.reset == 1 && tcp.srcport == 16514", 1)
    lab.info("HOST011", server="192.168.51.72")


@scenario
def host_storage_stall_then_gone(lab: Lab) -> None:
    """A host's storage stops answering (the switch loses its port); the host sends again and again, and then falls
    silent for good, its guest with it, as after the reboot by its heartbeat. Two other hosts go on. Recorded at the
    switch. Pauses are stretched six times after the recording."""
    pod = Management(lab, prefix="10.213.0")
    hosts = [pod.machine(f"b8:59:9f:00:01:8{n}", f"kvm{n}", 80 + n) for n in (1, 2, 3)]
    nas = pod.machine("00:a0:98:00:01:80", "nas1", 30)
    guest = pod.machine("02:01:00:cc:00:81", "web-1", 91)
    nas.ns.spawn("socat", "-u", "TCP-LISTEN:2049,fork,reuseaddr", "OPEN:/dev/null")
    time.sleep(0.5)
    with lab.record(*pod.at_bridge, steps=(stretched(6),), linger=1):
        calls = "while sleep 0.4; do head -c 900 /dev/zero; done"
        hosts[0].ns.spawn("sh", "-c", f"({calls}) | socat -u - TCP:10.213.0.30:2049")
        for one, target in ((guest, 82), (hosts[1], 83), (hosts[0], 83)):
            one.ns.spawn("ping", "-q", "-i", "1", f"10.213.0.{target}")
        time.sleep(4)
        pod.switch.ns.ip("link", "set", nas.tap, "down")
        time.sleep(15)
        for gone in (hosts[0], guest):
            pod.switch.ns.ip("link", "set", gone.tap, "down")
        time.sleep(9)
    lab.shows("tcp.analysis.retransmission && tcp.dstport == 2049", 3)
    lab.fault("HOST010", "tcp.port == 2049", ip="10.213.0.81")


@scenario
def host_storage_stall_survived(lab: Lab) -> None:
    """As host-storage-stall-then-gone, but the storage comes back in time and the host goes on. Pauses are stretched
    six times after the recording. Healthy in the end."""
    pod = Management(lab, prefix="10.214.0")
    hosts = [pod.machine(f"b8:59:9f:00:01:9{n}", f"kvm{n}", 90 + n) for n in (1, 2, 3)]
    nas = pod.machine("00:a0:98:00:01:90", "nas1", 30)
    nas.ns.spawn("socat", "-u", "TCP-LISTEN:2049,fork,reuseaddr", "OPEN:/dev/null")
    time.sleep(0.5)
    with lab.record(*pod.at_bridge, told=False, steps=(stretched(6),), compress="zst"):
        calls = "while sleep 0.4; do head -c 900 /dev/zero; done"
        hosts[0].ns.spawn("sh", "-c", f"({calls}) | socat -u - TCP:10.214.0.30:2049")
        for one, target in ((hosts[1], 93), (hosts[0], 93)):
            one.ns.spawn("ping", "-q", "-i", "1", f"10.214.0.{target}")
        time.sleep(3)
        pod.switch.ns.ip("link", "set", nas.tap, "down")
        time.sleep(10)
        pod.switch.ns.ip("link", "set", nas.tap, "up")
        time.sleep(12)
    lab.shows("tcp.analysis.retransmission && tcp.dstport == 2049", 2)


_SSVM_MAC, _PUBLIC_SSVM = "1e:00:31:00:00:52", "185.15.246.31"


@scenario
def host_system_vm_by_public_nic(lab: Lab) -> None:
    """The management server's network is not among those that a secondary storage VM routes by its management NIC: it
    looks for port 8250 and for NFS by its public one, and the provider's router drops that. The profile tells the
    networks. Recorded on the public bridge."""
    lab.truth.site = {
        "management": {"servers": ["10.50.0.5"], "networks": ["10.50.0.0/24"]},
        "public": {"networks": ["185.15.246.0/24"]},
    }
    host = Host(lab, "kvm")
    bridge = host.bridge("brbond1-40")
    ssvm = Machine(host, bridge, _SSVM_MAC, "s-9-VM")
    ssvm.address(_PUBLIC_SSVM, 24, "185.15.246.1")
    gateway = Machine(host, bridge, "00:1b:21:00:09:03", "gw")
    gateway.address("185.15.246.1", 24)
    gateway.ns.sysctl("net.ipv4.ip_forward", 0)
    with lab.record(host.ns, bridge, "bridge", linger=4):
        ssvm.ns.run("ping", "-qc", "2", "185.15.246.1")
        connects(ssvm, "10.50.0.5", 8250, tries=2, wait=8)
        connects(ssvm, "10.50.0.30", 2049, tries=1, wait=8)
    lab.shows("tcp.flags.syn == 1 && tcp.dstport == 8250", 4)
    lab.fault("HOST006", "tcp.dstport == 8250", server="10.50.0.5", port=8250)
    lab.consequence("HOST001", server="10.50.0.5")
    lab.consequence("HOST006", server="10.50.0.30", port=2049)
    lab.consequence("HOST007", server="10.50.0.30")
    lab.consequence("CPVM016", server="10.50.0.5")


@scenario
def host_system_vm_public_management(lab: Lab) -> None:
    """The management server has a public address on purpose, and a secondary storage VM links to it by its public NIC.
    Healthy. Recorded on the public bridge."""
    pod = Management(lab, prefix="185.15.247")
    ssvm = pod.machine("1e:00:31:00:00:53", "s-11-VM", 33)
    pod.serve()
    with lab.record(*pod.at_bridge, told=False, compress="lz4"):
        pod.agent(ssvm)
        time.sleep(8)
    lab.proof("HOST016", server=pod.ip)


@scenario
def host_system_vm_by_public_nic_unplanned(lab: Lab) -> None:
    """As host-system-vm-by-public-nic for a console proxy, without a profile: that one address is public and the other
    private is all there is to see. Role not told."""
    host = Host(lab, "kvm")
    bridge = host.bridge("cloudbr1")
    proxy = Machine(host, bridge, "06:3a:9c:00:00:54", "v-12-VM")
    proxy.address("185.15.248.32", 24, "185.15.248.1")
    gateway = Machine(host, bridge, "00:1b:21:00:09:04", "gw")
    gateway.address("185.15.248.1", 24)
    gateway.ns.sysctl("net.ipv4.ip_forward", 0)
    with lab.record(host.ns, bridge, "bridge", told=False, steps=(pcapng,), compress="gz", linger=4):
        proxy.ns.run("ping", "-qc", "2", "185.15.248.1")
        connects(proxy, "172.20.1.5", 8250, tries=2, wait=8)
    lab.shows("tcp.flags.syn == 1 && tcp.dstport == 8250", 4)
    lab.fault("HOST006", "tcp.dstport == 8250", server="172.20.1.5", port=8250)
    lab.consequence("HOST001", server="172.20.1.5")
    lab.consequence("CPVM016", server="172.20.1.5")
