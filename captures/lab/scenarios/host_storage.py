"""NFS from hosts: the port silent or refused, a path that loses large frames, one that loses any."""

import random
import time

from captures.lab import middlebox
from captures.lab.cloud import Machine
from captures.lab.management import Management, connects
from captures.lab.post import pcapng
from captures.lab.scenario import Lab, scenario

_SINK = ("socat", "-u", "TCP-LISTEN:2049,fork,reuseaddr", "OPEN:/dev/null")


@scenario
def host_nfs_silent(lab: Lab) -> None:
    """A host mounts secondary storage. The firewall of the NFS server drops ports 111 and 2049; it answers ping."""
    pod = Management(lab, prefix="192.168.40")
    host = pod.machine("b8:59:9f:00:01:21", "kvm1", 21)
    nas = pod.machine("00:a0:98:00:01:30", "nas1", 30)
    nas.drop("tcp dport { 111, 2049 }")
    with lab.record(*pod.at(host), linger=4):
        host.ns.run("ping", "-qc", "2", f"{pod.prefix}.30")
        connects(host, f"{pod.prefix}.30", 2049, tries=2, wait=8)
    lab.shows("tcp.flags.syn == 1 && tcp.dstport == 2049", 4)
    lab.fault("HOST007", "tcp.dstport == 2049", server=f"{pod.prefix}.30", port=2049)


@scenario
def host_nfs_refused(lab: Lab) -> None:
    """The NFS service of a secondary storage is stopped: the SSVM's mounts are refused at port 2049. Recorded on the
    label bridge, role not told."""
    pod = Management(lab, prefix="10.203.0", first_tap=12)
    ssvm = pod.machine("1e:00:9e:00:00:51", "s-5-VM", 51)
    pod.machine("00:a0:98:00:01:31", "nas1", 31)
    with lab.record(*pod.at_bridge, told=False, steps=(pcapng,), linger=1):
        connects(ssvm, f"{pod.prefix}.31", 2049, tries=5, pause=2)
    lab.shows("tcp.flags.reset == 1 && tcp.srcport == 2049", 5)
    lab.fault("HOST007", "tcp.port == 2049", server=f"{pod.prefix}.31", port=2049)


@scenario
def host_nfs_without_portmapper(lab: Lab) -> None:
    """An NFSv4 server: nothing listens at 111, which a client tries first, and 2049 works. No fault."""
    pod = Management(lab, prefix="192.168.41")
    host = pod.machine("b8:59:9f:00:01:22", "kvm1", 22)
    nas = pod.machine("00:a0:98:00:01:32", "nas1", 32)
    nas.ns.spawn(*_SINK)
    time.sleep(0.5)
    with lab.record(*pod.at(host), compress="gz", linger=1):
        connects(host, f"{pod.prefix}.32", 111, tries=4)
        words = f"head -c 40000 /dev/zero | socat -u - TCP:{pod.prefix}.32:2049"
        host.ns.run("sh", "-c", words)
    lab.shows("tcp.flags.reset == 1 && tcp.srcport == 111", 4)
    lab.shows("tcp.dstport == 2049 && tcp.len > 0", 5)


def _jumbo(lab: Lab, prefix: str, behave: middlebox.Behaviour) -> tuple[Management, Machine]:
    """A host with MTU 9000 and, behind a cable, an NFS server with the same."""
    pod = Management(lab, prefix=prefix)
    host = pod.machine("b8:59:9f:00:01:23", "kvm1", 23)
    nas = Machine(pod.switch, None, "00:a0:98:00:01:33", "nas1")
    nas.address(f"{prefix}.33", 24)
    far = middlebox.insert(lab, pod.switch.ns, nas.tap, pod.bridge, behave)
    for machine in (host, nas):
        machine.ns.ip("link", "set", "eth0", "mtu", "9000")
    for name in (host.tap, nas.tap, far, f"{nas.tap}-in", pod.server.tap, pod.bridge):
        pod.switch.ns.ip("link", "set", name, "mtu", "9000")
    nas.ns.spawn(*_SINK)
    time.sleep(0.5)
    return pod, host


def _writes(host: Machine, server: str, seconds: float) -> None:
    """Small calls with pauses, then a large write, on one connection."""
    calls = "for n in 1 2 3 4; do head -c 180 /dev/zero; sleep 0.3; done; head -c 90000 /dev/zero; sleep 30"
    host.ns.run("sh", "-c", f"({calls}) | socat -u - TCP:{server}:2049", check=False, seconds=seconds)


@scenario
def host_storage_mtu_blackhole(lab: Lab) -> None:
    """Host and NFS server have MTU 9000, a switch between them does not: small calls are answered, every frame above
    1518 bytes is lost without a word."""
    pod, host = _jumbo(lab, "10.204.0", lambda frame, _: [] if len(frame) > 1518 else [(0.0, frame)])
    with lab.record(*pod.at(host), linger=1):
        _writes(host, "10.204.0.33", 14)
    lab.shows("tcp.dstport == 2049 && tcp.len > 1460", 4)
    lab.shows("tcp.options.mss_val > 8900", 2)
    lab.hides("icmp")
    lab.fault("HOST009", "tcp.len > 1460", server="10.204.0.33", port=2049)


@scenario
def host_storage_mtu_blackhole_read(lab: Lab) -> None:
    """As host-storage-mtu-blackhole, for what the server sends: the host asks, and the large answer never arrives.
    Recorded at the server, role not told."""
    pod = Management(lab, prefix="10.205.0")
    host, nas = pod.machine("b8:59:9f:00:01:24", "kvm1", 24), pod.machine("00:a0:98:00:01:34", "nas2", 34)
    for machine in (host, nas):
        machine.ns.ip("link", "set", "eth0", "mtu", "9000")
    for name in (host.tap, nas.tap, pod.server.tap, pod.bridge):
        pod.switch.ns.ip("link", "set", name, "mtu", "9000")
    pod.switch.ns.run("nft", "add", "table", "bridge", "lab")
    pod.switch.ns.run("nft", "add chain bridge lab forward { type filter hook forward priority 0; }")
    pod.switch.ns.run("nft", "add rule bridge lab forward meta length gt 1518 drop")
    answer = "head -c 120 >/dev/null; head -c 90 /dev/zero; sleep 0.3; head -c 60000 /dev/zero; sleep 30"
    nas.ns.spawn("socat", "TCP-LISTEN:2049,fork,reuseaddr", f"SYSTEM:{answer}")
    time.sleep(0.5)
    with lab.record(*pod.at(nas), told=False, compress="gz", linger=1):
        words = "(head -c 120 /dev/zero; sleep 12) | socat - TCP:10.205.0.34:2049 >/dev/null"
        host.ns.run("sh", "-c", words, check=False, seconds=14)
    lab.shows("tcp.srcport == 2049 && tcp.len > 1460", 4)
    lab.fault("HOST009", "tcp.len > 1460", server="10.205.0.34", port=2049)


@scenario
def host_storage_loss(lab: Lab) -> None:
    """A bad cable on the storage network loses a third of all frames, large and small: retransmissions without end, but
    the large ones get through. No black hole."""
    dice = random.Random(7)
    pod, host = _jumbo(lab, "10.206.0", lambda frame, _: [] if dice.random() < 0.35 else [(0.0, frame)])
    with lab.record(*pod.at(host), compress="zst", linger=1):
        for _ in range(3):
            _writes(host, "10.206.0.33", 8)
    lab.shows("tcp.analysis.retransmission && tcp.len > 1460", 5)
