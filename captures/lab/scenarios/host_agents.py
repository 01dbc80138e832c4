"""Agents of hosts and system VMs and the management server's port 8250."""

import time
from datetime import timedelta

from captures.lab.management import Management
from captures.lab.namespaces import end
from captures.lab.post import pcapng, snap
from captures.lab.scenario import Lab, scenario
from captures.lab.services import certificates


@scenario
def host_agent_works(lab: Lab) -> None:
    """A host's agent connects, starts up and pings every two seconds (sixty in the field, to keep this short)."""
    pod = Management(lab)
    host = pod.machine("b8:59:9f:00:01:11", "kvm1", 11)
    pod.serve()
    with lab.record(*pod.at(host)):
        pod.agent(host)
        time.sleep(12)
    lab.shows("tls.app_data && tcp.port == 8250", 8)
    lab.proof("HOST016", "tcp.port == 8250", server=pod.ip)


@scenario
def host_agent_midway(lab: Lab) -> None:
    """The capture begins long after the agents of a host and of a system VM connected: pings and their answers only.
    Recorded on the label bridge."""
    pod = Management(lab, prefix="10.200.0", first_tap=3)
    machines = [pod.machine("b8:59:9f:00:01:12", "kvm1", 12), pod.machine("1e:00:9c:00:00:31", "s-3-VM", 31)]
    pod.serve()
    for machine in machines:
        pod.agent(machine, every=1.5)
    time.sleep(3)
    with lab.record(*pod.at_bridge, told=False, steps=(snap(128), pcapng), compress="gz"):
        time.sleep(10)
    lab.hides("tcp.flags.syn == 1")
    lab.proof("HOST016", server=pod.ip)


@scenario
def host_agent_port_silent(lab: Lab) -> None:
    """A firewall drops what comes for port 8250 of the management server, which answers ARP and ping: the agent's SYNs
    go unanswered."""
    pod = Management(lab, prefix="192.168.20")
    host = pod.machine("b8:59:9f:00:01:13", "kvm1", 13)
    pod.serve()
    pod.server.drop("tcp dport 8250")
    with lab.record(*pod.at(host), linger=4):
        pod.agent(host)
        time.sleep(4)
        host.ns.run("ping", "-qc", "2", pod.ip)
        time.sleep(10)
    lab.shows("tcp.flags.syn == 1 && tcp.dstport == 8250", 4)
    lab.hides("tcp.srcport == 8250")
    lab.fault("HOST001", "tcp.dstport == 8250", server=pod.ip, port=8250)


@scenario
def host_agent_server_gone(lab: Lab) -> None:
    """The global setting "host" names an address that is nobody's: the agent of a host asks for it by ARP in vain,
    while it talks to others. The profile names the management server."""
    pod = Management(lab, prefix="192.168.21")
    lab.truth.site = {"management": {"servers": [pod.ip], "networks": ["192.168.21.0/24"]}}
    host = pod.machine("b8:59:9f:00:01:14", "kvm1", 14)
    other = pod.machine("b8:59:9f:00:01:15", "kvm2", 15)
    pod.switch.ns.ip("link", "set", pod.server.tap, "down")
    with lab.record(*pod.at(host), told=False, compress="zst", linger=3):
        pod.agent(host)
        host.ns.spawn("ping", "-q", "-i", "2", f"{pod.prefix}.15")
        time.sleep(16)
    lab.shows(f"arp.opcode == 1 && arp.dst.proto_ipv4 == {pod.ip}", 6)
    lab.shows(f"arp.src.hw_mac == {other.mac}", 1)
    lab.hides("tcp")
    lab.fault("HOST001", f"arp.dst.proto_ipv4 == {pod.ip}", server=pod.ip)


@scenario
def host_agent_port_refused(lab: Lab) -> None:
    """The management service is stopped: the agents of two hosts are refused every five seconds. Recorded on the label
    bridge."""
    pod = Management(lab, prefix="10.201.0", first_tap=6)
    machines = [pod.machine(f"b8:59:9f:00:01:1{n}", f"kvm{n}", 10 + n) for n in (6, 7)]
    with lab.record(*pod.at_bridge, told=False, nano=True, linger=1):
        for machine in machines:
            pod.agent(machine)
        time.sleep(17)
    lab.shows("tcp.flags.reset == 1 && tcp.srcport == 8250", 6)
    lab.fault("HOST002", "tcp.port == 8250", server=pod.ip, port=8250)


@scenario
def host_management_restart(lab: Lab) -> None:
    """The management service is restarted: the agent's link ends, two tries to reconnect are refused, the next one
    works. No fault."""
    pod = Management(lab, prefix="192.168.22")
    host = pod.machine("b8:59:9f:00:01:17", "kvm1", 17)
    service = pod.serve()
    with lab.record(*pod.at(host), compress="lz4"):
        pod.agent(host)
        time.sleep(5)
        end(service)
        time.sleep(14)
        pod.serve()
        time.sleep(12)
    lab.shows("tcp.flags.reset == 1 && tcp.flags.ack == 1 && tcp.seq == 1", 2)
    lab.info("HOST002")
    lab.proof("HOST016", server=pod.ip)


@scenario
def host_agent_certificate_expired(lab: Lab) -> None:
    """The management server's certificate has expired. The agent (TLS 1.2) says so and hangs up, again and again."""
    pod = Management(lab, prefix="192.168.23")
    host = pod.machine("b8:59:9f:00:01:18", "kvm1", 18)
    pod.serve(ends=timedelta(days=-10))
    with lab.record(*pod.at(host), linger=1):
        pod.agent(host, version="TLSv1_2")
        time.sleep(17)
    lab.shows("tls.handshake.type == 1", 3)
    lab.shows("tls.alert_message.desc == 45", 3)
    lab.fault("HOST003", "tls", server=pod.ip, port=8250)


@scenario
def host_agent_foreign_authority(lab: Lab) -> None:
    """The management server was rebuilt with a new certificate authority that the hosts do not know. The agent speaks
    TLS 1.3, so that its refusal is encrypted. Recorded at the management server, role not told."""
    pod = Management(lab, prefix="10.202.0")
    host = pod.machine("b8:59:9f:00:01:19", "kvm1", 19)
    pod.serve(issuer=certificates.authority("ca.cloudstack.apache.org"))
    with lab.record(*pod.at(pod.server), told=False, steps=(pcapng,), compress="xz", linger=1):
        pod.agent(host, version="TLSv1_3")
        time.sleep(17)
    lab.shows("tls.handshake.type == 1", 3)
    lab.fault("HOST003", "tls", server=pod.ip, port=8250)


@scenario
def host_agent_port_probed(lab: Lab) -> None:
    """A load balancer checks the agent port: it connects and closes, time and again, without a word of TLS. The agent's
    link works beside it."""
    pod = Management(lab, prefix="192.168.24", first_tap=9)
    host = pod.machine("b8:59:9f:00:01:20", "kvm1", 20)
    balancer = pod.machine("00:0d:3a:00:01:02", "lb1", 2)
    pod.serve()
    with lab.record(*pod.at_bridge):
        pod.agent(host)
        for _ in range(6):
            balancer.ns.run("socat", "-T", "1", "/dev/null", f"TCP:{pod.ip}:8250", check=False)
            time.sleep(1)
    lab.shows("tcp.flags.syn == 1 && tcp.dstport == 8250", 6)
    lab.proof("HOST016", server=pod.ip)
