"""The control network of a host (cloud0, 169.254.0.0/16) and addresses of hosts that two NICs answer for."""

import time

from captures.lab.cloud import Host, Machine
from captures.lab.management import Management, connects
from captures.lab.post import pcapng, stretched, wire
from captures.lab.scenario import Lab, scenario
from captures.lab.services.ssh import key_scan, sshd
from captures.lab.stage import Trunk

_SSH = 3922


def _control_mac(ip: str) -> str:
    """As CloudStack makes it: 0e, 00, and the address."""
    return "0e:00:" + ":".join(f"{int(part):02x}" for part in ip.split("."))


def _cloud0(lab: Lab) -> tuple[Host, Machine]:
    """A host's bridge cloud0, and the host's own end of it as a machine of its own."""
    host = Host(lab, "kvm")
    host.bridge("cloud0")
    end = Machine(host, "cloud0", "52:54:00:1d:aa:01", "host")
    end.address("169.254.0.1", 16)
    return host, end


def _system_vm(host: Host, ip: str, label: str) -> Machine:
    vm = Machine(host, "cloud0", _control_mac(ip), label)
    vm.address(ip, 16)
    return vm


@scenario
def host_control_network_dead(lab: Lab) -> None:
    """The control NIC of a system VM is in no bridge: the host asks for its link-local address in vain, while another
    system VM is reached. Pauses are stretched eight times after the recording. Recorded on cloud0."""
    host, end = _cloud0(lab)
    sshd(_system_vm(host, "169.254.61.7", "v-2-VM"), _SSH)
    with lab.record(host.ns, "cloud0", "bridge", steps=(stretched(8),), linger=3):
        for _ in range(7):
            key_scan(end, "169.254.61.7", _SSH)
            connects(end, "169.254.98.14", _SSH, tries=1, pause=0.5, wait=4)
    lab.shows("arp.opcode == 1 && arp.dst.proto_ipv4 == 169.254.98.14", 6)
    lab.fault("HOST012", "arp.dst.proto_ipv4 == 169.254.98.14", server="169.254.98.14")


@scenario
def host_system_vm_without_sshd(lab: Lab) -> None:
    """A router's sshd does not start: the host is refused on its port 3922 for more than two minutes. Pauses are
    stretched eight times after the recording. Role not told."""
    host, end = _cloud0(lab)
    _system_vm(host, "169.254.12.200", "r-4-VM")
    with lab.record(host.ns, "cloud0", "bridge", told=False, steps=(stretched(8), pcapng), compress="gz", linger=1):
        connects(end, "169.254.12.200", _SSH, tries=10, pause=2)
    lab.shows("tcp.flags.reset == 1 && tcp.srcport == 3922", 8)
    lab.fault("HOST012", "tcp.port == 3922", server="169.254.12.200", port=_SSH)


@scenario
def host_system_vm_boots(lab: Lab) -> None:
    """A system VM boots: its control address is not there at first, then its port 3922 is refused, then it works, all
    within a minute. Healthy. Pauses are stretched four times after the recording."""
    host, end = _cloud0(lab)
    vm = Machine(host, "cloud0", _control_mac("169.254.33.9"), "s-6-VM")
    with lab.record(host.ns, "cloud0", "bridge", steps=(stretched(4),)):
        connects(end, "169.254.33.9", _SSH, tries=1, wait=4)
        vm.address("169.254.33.9", 16)
        connects(end, "169.254.33.9", _SSH, tries=3, pause=1)
        sshd(vm, _SSH)
        key_scan(end, "169.254.33.9", _SSH)
    lab.shows("tcp.flags.reset == 1 && tcp.srcport == 3922", 2)
    lab.shows("ssh || tcp.srcport == 3922 && tcp.len > 0", 1)


@scenario
def host_control_traffic_leaks(lab: Lab) -> None:
    """The uplink of a host was put into its bridge cloud0: what host and system VMs say there comes out on the wire,
    untagged. Recorded at the uplink."""
    trunk = Trunk(lab)
    here = trunk.host("kvm1", "eth1")
    here.host.bridge("cloud0")
    leg = ("link", "add", "leak", "type", "veth", "peer", "name", "leak-p")
    here.host.ns.ip(*leg)
    here.host.ns.ip("link", "set", "leak", "master", "cloud0")
    for name in ("leak", "leak-p"):
        here.host.ns.ip("link", "set", name, "up")
    here.ovs.port("cloudbr1", "leak-p", "trunks=0")
    end = Machine(here.host, "cloud0", "52:54:00:1d:aa:01", "host")
    end.address("169.254.0.1", 16)
    vm = _system_vm(here.host, "169.254.20.33", "v-7-VM")
    sshd(vm, _SSH)
    other = trunk.host("kvm2", "eth1", first_tap=20)
    stranger = Machine(other.host, other.native(), "b8:59:9f:00:02:70", "other")
    stranger.address("192.168.70.12", 24)
    with lab.record(*here.at_nic, steps=(wire([vm.mac, end.mac]),)):
        key_scan(end, "169.254.20.33", _SSH)
        vm.ns.run("ping", "-c", "2", "-W", "1", "169.254.7.7", check=False)
        stranger.ns.run("ping", "-c", "1", "-W", "1", "192.168.70.1", check=False)
    lab.shows(f"eth.src == {vm.mac}", 2)
    lab.fault("HOST013", f"eth.src == {vm.mac}", vlan=0)


@scenario
def host_control_traffic_at_home(lab: Lab) -> None:
    """A host reaches two system VMs on its bridge cloud0, as it should. Healthy."""
    host, end = _cloud0(lab)
    for ip, label in (("169.254.61.8", "v-2-VM"), ("169.254.9.77", "r-8-VM")):
        sshd(_system_vm(host, ip, label), _SSH)
    with lab.record(host.ns, "cloud0", "bridge", told=False, compress="xz"):
        for ip in ("169.254.61.8", "169.254.9.77"):
            key_scan(end, ip, _SSH)
    lab.shows("tcp.srcport == 3922 && tcp.len > 0", 4)


def _two_nics(lab: Lab, prefix: str, ignore: int) -> tuple[Management, Machine, Machine]:
    """A host with two NICs in one subnet, and somebody who asks for both of its addresses."""
    pod = Management(lab, prefix=prefix)
    host = pod.machine("b8:59:9f:00:03:10", "kvm1", 11)
    host.plug(pod.bridge, "b8:59:9f:00:03:11")
    host.address(f"{prefix}.12", 24, nic=1)
    host.ns.sysctl("net.ipv4.conf.all.arp_ignore", ignore)
    for nic in ("all", "eth0", "eth1"):
        host.ns.sysctl(f"net.ipv4.conf.{nic}.rp_filter", 0)
    asker = pod.machine("b8:59:9f:00:03:20", "kvm2", 20)
    return pod, host, asker


def _asks(asker: Machine, *ips: str) -> None:
    for _ in range(3):
        for ip in ips:
            asker.ns.run("ip", "neigh", "flush", "dev", "eth0")
            asker.ns.run("ping", "-qc", "1", "-W", "1", ip, check=False)
            time.sleep(0.3)


@scenario
def host_arp_flux(lab: Lab) -> None:
    """A host has two NICs in the management subnet, each with an address, and Linux's usual arp_ignore: both NICs
    answer for both addresses."""
    pod, _, asker = _two_nics(lab, "192.168.80", 0)
    with lab.record(*pod.at_bridge):
        _asks(asker, "192.168.80.11", "192.168.80.12")
    lab.shows("arp.opcode == 2 && arp.src.proto_ipv4 == 192.168.80.11", 4)
    lab.fault("HOST014", "arp.src.proto_ipv4 == 192.168.80.11", ip="192.168.80.11")
    lab.consequence("HOST014", ip="192.168.80.12")


@scenario
def host_two_nics_one_subnet(lab: Lab) -> None:
    """As host-arp-flux with arp_ignore 1: each NIC answers for its own address only. Healthy."""
    pod, _, asker = _two_nics(lab, "192.168.81", 1)
    with lab.record(*pod.at_bridge, told=False, compress="gz"):
        _asks(asker, "192.168.81.11", "192.168.81.12")
    lab.shows("arp.opcode == 2", 4)


@scenario
def host_system_vm_firewalled(lab: Lab) -> None:
    """The firewall inside a system VM drops what comes for port 3922, while the VM answers ping: the host tries for
    more than two minutes. Pauses are stretched four times after the recording."""
    host, end = _cloud0(lab)
    vm = _system_vm(host, "169.254.77.30", "s-14-VM")
    sshd(vm, _SSH)
    vm.drop(f"tcp dport {_SSH}")
    with lab.record(host.ns, "cloud0", "bridge", steps=(stretched(4),), compress="zst", linger=3):
        end.ns.run("ping", "-qc", "1", "169.254.77.30")
        for _ in range(6):
            connects(end, "169.254.77.30", _SSH, tries=1, wait=6)
    lab.shows("tcp.flags.syn == 1 && tcp.dstport == 3922", 12)
    lab.fault("HOST012", "tcp.dstport == 3922", server="169.254.77.30", port=_SSH)


@scenario
def host_control_address_of_another(lab: Lab) -> None:
    """Somebody gave a system VM's control NIC another address by hand: its MAC was made for 169.254.44.2, it speaks as
    169.254.44.3."""
    host, end = _cloud0(lab)
    vm = Machine(host, "cloud0", _control_mac("169.254.44.2"), "r-9-VM")
    vm.address("169.254.44.3", 16)
    sshd(vm, _SSH)
    with lab.record(host.ns, "cloud0", "bridge"):
        key_scan(end, "169.254.44.3", _SSH)
    lab.shows("arp.opcode == 2 && arp.src.proto_ipv4 == 169.254.44.3", 1)
    lab.fault("HOST013", "arp.opcode == 2", mac=vm.mac)
