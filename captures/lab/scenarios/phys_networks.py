"""Physical networks: management and storage in the wrong VLAN, or by the wrong NIC."""

import time

from captures.lab.cloud import Machine
from captures.lab.management import Management
from captures.lab.post import pcapng, wire
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Trunk, TrunkHost

_NFS = ("socat", "-u", "TCP-LISTEN:2049,fork,reuseaddr", "OPEN:/dev/null")


def _machine(where: TrunkHost, vlan: int, mac: str, label: str, ip: str) -> Machine:
    """A machine on a host, in a VLAN or, with 0, on the native network."""
    machine = Machine(where.host, where.vlan(vlan) if vlan else where.native(), mac, label)
    machine.address(ip, 24)
    return machine


def _ping(machine: Machine, ip: str, count: int = 3) -> None:
    machine.ns.run("ping", "-qc", str(count), "-W", "1", ip, check=False)


def _nfs(machine: Machine) -> None:
    machine.ns.spawn(*_NFS)
    time.sleep(0.3)


def _writes(machine: Machine, server: str, pause: float = 0.3) -> None:
    """Small calls on one connection to NFS, for as long as the scenario runs."""
    calls = f"while sleep {pause}; do head -c 900 /dev/zero; done"
    machine.ns.spawn("sh", "-c", f"({calls}) | socat -u - TCP:{server}:2049")


@scenario
def phys_system_vm_untagged(lab: Lab) -> None:
    """The hosts' management is VLAN 210; on this host the label bridge of management is on the bare NIC, so a console
    proxy's management NIC is untagged: it asks for its gateway and the management server in vain, while the host itself
    is answered. Recorded at the host's NIC."""
    trunk = Trunk(lab)
    here, there = trunk.host("kvm1", "eth1"), trunk.host("core", "eth1", first_tap=20)
    host = _machine(here, 210, "b8:59:9f:00:05:11", "kvm", "10.60.0.11")
    proxy = _machine(here, 0, "1e:00:44:00:00:21", "v-3-VM", "10.60.0.121")
    gateway = Machine(there.host, there.vlan(210), "00:1b:21:00:05:01", "gw")
    gateway.address("10.60.0.1", 24)
    with lab.record(*here.at_nic, steps=(wire([host.mac, proxy.mac]),), linger=3):
        _ping(host, "10.60.0.1")
        for _ in range(2):
            _ping(proxy, "10.60.0.1", 4)
        _ping(host, "10.60.0.1")
    lab.shows("arp.opcode == 1 && !vlan && arp.dst.proto_ipv4 == 10.60.0.1", 4)
    lab.fault("PHYS002", f"arp && eth.src == {proxy.mac}", mac=proxy.mac)
    lab.consequence("HYP004", mac=proxy.mac)


@scenario
def phys_system_vm_tagged(lab: Lab) -> None:
    """As phys-system-vm-untagged, set up as it should be: the system VM is in the hosts' VLAN, asks for its gateway,
    which answers, and guesses another address, where nobody is. Healthy."""
    trunk = Trunk(lab)
    here, there = trunk.host("kvm1", "eth1"), trunk.host("core", "eth1", first_tap=20)
    bridge = here.vlan(211)
    host = Machine(here.host, bridge, "b8:59:9f:00:05:12", "kvm")
    host.address("10.61.0.11", 24)
    proxy = Machine(here.host, bridge, "1e:00:44:00:00:22", "v-4-VM")
    proxy.address("10.61.0.122", 24)
    gateway = Machine(there.host, there.vlan(211), "00:1b:21:00:05:02", "gw")
    gateway.address("10.61.0.254", 24)
    with lab.record(*here.at_nic, told=False, steps=(wire([host.mac, proxy.mac]), pcapng), compress="gz", linger=2):
        _ping(host, "10.61.0.254")
        _ping(proxy, "10.61.0.254")
        _ping(proxy, "10.61.0.1")
    lab.proof("VLAN020", vlan=211)


@scenario
def phys_storage_nic_untagged(lab: Lab) -> None:
    """Storage is VLAN 220. A secondary storage VM's storage NIC is untagged, as CloudStack up to 4.18 makes it: it asks
    for the NFS server in vain, while the host writes to it in the VLAN. Recorded at the host's NIC, role not told."""
    trunk = Trunk(lab)
    here, there = trunk.host("kvm1", "eth1"), trunk.host("core", "eth1", first_tap=20)
    host = _machine(here, 220, "b8:59:9f:00:05:13", "kvm", "10.62.0.11")
    ssvm = _machine(here, 0, "1e:00:44:00:00:23", "s-5-VM", "10.62.0.123")
    nas = Machine(there.host, there.vlan(220), "00:a0:98:00:05:03", "nas")
    nas.address("10.62.0.30", 24)
    stranger = Machine(there.host, there.native(), "00:1b:21:00:05:63", "other")
    stranger.address("192.168.62.1", 24)
    _nfs(nas)
    with lab.record(*here.at_nic, told=False, steps=(wire([host.mac, ssvm.mac]),), linger=3):
        _writes(host, "10.62.0.30")
        _ping(stranger, "192.168.62.9", 2)
        for _ in range(2):
            _ping(ssvm, "10.62.0.30", 4)
    lab.shows("vlan.id == 220 && tcp.dstport == 2049", 10)
    lab.fault("PHYS003", f"arp && eth.src == {ssvm.mac}", mac=ssvm.mac)
    lab.consequence("HYP004", mac=ssvm.mac)


def _storage(lab: Lab, vlan: int, net: str) -> tuple[Trunk, TrunkHost, TrunkHost, Machine, Machine, Machine]:
    """Two hosts that write to one storage server in a VLAN; recorded at the storage's own NIC."""
    trunk = Trunk(lab)
    first, second = trunk.host("kvm1", "eth1"), trunk.host("kvm2", "eth1", first_tap=10)
    there = trunk.host("core", "eth1", first_tap=20)
    one = _machine(first, vlan, "b8:59:9f:00:05:14", "h1", f"{net}.11")
    two = _machine(second, vlan, "b8:59:9f:00:05:15", "h2", f"{net}.12")
    nas = Machine(there.host, there.vlan(vlan), "00:a0:98:00:05:04", "nas")
    nas.address(f"{net}.30", 24)
    _nfs(nas)
    return trunk, first, there, one, two, nas


@scenario
def phys_storage_bridge_taken(lab: Lab) -> None:
    """Storage is VLAN 230. When a secondary storage VM starts on a host, the VLAN's device is taken out of the
    operator's bridge for a bridge of CloudStack's: the host loses its storage in the middle of a read, the system VM
    and another host go on. Recorded at the storage server's port."""
    _, first, there, one, two, nas = _storage(lab, 230, "10.63.0")
    ssvm = Machine(first.host, None, "1e:00:44:00:00:24", "s-6-VM")
    ssvm.address("10.63.0.124", 24)
    pours = "while sleep 0.3; do head -c 900 /dev/zero; done"
    nas.ns.spawn("socat", "TCP-LISTEN:3260,fork,reuseaddr", f"SYSTEM:{pours}")
    time.sleep(0.3)
    with lab.record(*there.at_nic, steps=(wire([nas.mac]),), linger=1):
        one.ns.spawn("socat", "-u", "TCP:10.63.0.30:3260", "OPEN:/dev/null")
        _writes(two, "10.63.0.30", 0.6)
        time.sleep(4)
        first.host.bridge("breth1-230new")
        first.host.ns.ip("link", "set", "eth1.230", "master", "breth1-230new")
        first.host.ns.ip("link", "set", ssvm.tap, "master", "breth1-230new")
        ssvm.ns.run("arping", "-U", "-c", "1", "-I", "eth0", "10.63.0.124", check=False)
        _writes(ssvm, "10.63.0.30", 0.7)
        time.sleep(22)
    lab.shows(f"eth.src == {ssvm.mac} && vlan.id == 230", 3)
    lab.fault("PHYS003", "tcp.port == 3260", server="10.63.0.30")


@scenario
def phys_storage_outage_for_all(lab: Lab) -> None:
    """As phys-storage-bridge-taken, but the storage server itself stops serving shortly after a secondary storage VM
    has started: all clients lose it at once, and get it back. No VLAN is to blame."""
    _, first, there, one, two, nas = _storage(lab, 231, "10.64.0")
    ssvm = Machine(first.host, "breth1-231", "1e:00:44:00:00:25", "s-7-VM")
    ssvm.address("10.64.0.125", 24)
    with lab.record(*there.at_nic, told=False, steps=(wire([nas.mac]), pcapng), compress="gz"):
        for client, pause in ((one, 0.3), (two, 0.6), (ssvm, 0.7)):
            _writes(client, "10.64.0.30", pause)
        time.sleep(4)
        nas.drop("tcp dport 2049")
        time.sleep(13)
        nas.admit()
        time.sleep(14)
    lab.shows("tcp.analysis.retransmission", 6)


def _shared_vlan(lab: Lab, vlan: int, net: str) -> tuple[TrunkHost, Machine, Machine, Machine]:
    """A host whose own management is in a VLAN, a guest in the same VLAN, and the gateway elsewhere."""
    trunk = Trunk(lab)
    here, there = trunk.host("kvm1", "eth1"), trunk.host("core", "eth1", first_tap=20)
    host = _machine(here, vlan, "b8:59:9f:00:05:16", "kvm", f"{net}.11")
    guest = Machine(here.host, f"breth1-{vlan}", "02:01:00:d2:00:05", "web-1")
    guest.address(f"{net}.77", 24)
    gateway = Machine(there.host, there.vlan(vlan), "00:1b:21:00:05:05", "gw")
    gateway.address(f"{net}.1", 24)
    return here, host, guest, gateway


@scenario
def phys_host_vlan_taken(lab: Lab) -> None:
    """The guests' range holds VLAN 240, the hosts' own. When a guest of it starts, the VLAN's device is moved to the
    guests' bridge: what the host sends still leaves (by an asymmetry of the operator's bridge), what comes for it goes
    to the guests. Recorded at the host's NIC."""
    here, host, guest, _ = _shared_vlan(lab, 240, "10.65.0")
    with lab.record(*here.at_nic, steps=(wire([host.mac, guest.mac]),), linger=2):
        _ping(host, "10.65.0.1", 2)
        host.ns.run("nft", "add", "table", "netdev", "lab")
        host.ns.run("nft", "add chain netdev lab in { type filter hook ingress device eth0 priority 0; policy drop; }")
        host.ns.ip("neigh", "flush", "dev", "eth0")
        _ping(guest, "10.65.0.1", 2)
        for _ in range(3):
            _ping(host, "10.65.0.1", 3)
    lab.shows(f"arp.opcode == 2 && eth.dst == {host.mac}", 6)
    lab.fault("PHYS004", f"arp && eth.addr == {host.mac}", mac=host.mac, vlan=240)
    lab.proof("VLAN020", vlan=240)


@scenario
def phys_host_among_guests(lab: Lab) -> None:
    """A flat network: a host's own address and its guests are in one VLAN, as a small site plans it. The host pings,
    and asks by arping again and again. Healthy."""
    here, host, guest, _ = _shared_vlan(lab, 241, "10.66.0")
    with lab.record(*here.at_nic, told=False, steps=(wire([host.mac, guest.mac]),), compress="zst"):
        _ping(guest, "10.66.0.1", 2)
        host.ns.run("arping", "-c", "5", "-I", "eth0", "10.66.0.1", check=False)
        host.ns.run("curl", "-s", "-m", "2", "http://10.66.0.1/", check=False)
        _ping(host, "10.66.0.1", 2)
    lab.proof("VLAN020", vlan=241)


@scenario
def phys_storage_over_management(lab: Lab) -> None:
    """A host has a NIC in the storage network, and still writes to its primary storage from its management address,
    through the router. The profile tells the plan."""
    pod = Management(lab, prefix="192.168.110")
    lab.truth.site = {
        "management": {"servers": [pod.ip], "networks": ["192.168.110.0/24"]},
        "storage": {"networks": ["10.67.0.0/24"], "servers": ["10.67.0.30"]},
    }
    host = pod.machine("b8:59:9f:00:05:17", "kvm1", 11)
    router = pod.machine("00:1b:21:00:05:07", "gw", 1)
    router.ns.ip("address", "add", "10.67.0.30/32", "dev", "lo")
    _nfs(router)
    with lab.record(*pod.at(host)):
        _writes(host, "10.67.0.30", 0.2)
        time.sleep(6)
    lab.shows("tcp.dstport == 2049 && tcp.len > 0", 15)
    lab.fault("PHYS006", "tcp.port == 2049", server="10.67.0.30", port=2049)


@scenario
def phys_storage_over_management_unplanned(lab: Lab) -> None:
    """As phys-storage-over-management without a profile, at a trunk: the same NIC of the host has an address in the
    storage's own VLAN, where it asks by ARP, and writes by the management network all the same."""
    trunk = Trunk(lab)
    here, there = trunk.host("kvm1", "eth1"), trunk.host("core", "eth1", first_tap=20)
    mac = "b8:59:9f:00:05:18"
    management = _machine(here, 250, mac, "mgmt", "10.68.0.11")
    storage = _machine(here, 251, mac, "stor", "10.69.0.11")
    router = Machine(there.host, there.vlan(250), "00:1b:21:00:05:08", "gw")
    router.address("10.68.0.1", 24)
    router.ns.ip("address", "add", "10.69.0.30/32", "dev", "lo")
    neighbour = Machine(there.host, there.vlan(251), "00:1b:21:00:05:09", "stor2")
    neighbour.address("10.69.0.12", 24)
    management.ns.ip("route", "add", "default", "via", "10.68.0.1")
    _nfs(router)
    with lab.record(*here.at_nic, told=False, steps=(wire([mac]),), compress="gz"):
        _ping(storage, "10.69.0.12", 2)
        _writes(management, "10.69.0.30", 0.2)
        time.sleep(6)
    lab.shows("tcp.dstport == 2049 && tcp.len > 0", 15)
    lab.fault("PHYS006", "tcp.port == 2049", server="10.69.0.30", port=2049)
    lab.proof("VLAN020")


@scenario
def phys_secondary_storage(lab: Lab) -> None:
    """A secondary storage VM and the management server write to secondary storage by the management network, where it
    belongs, and a host to its primary storage by the storage network. The profile tells the plan. Healthy."""
    pod = Management(lab, prefix="192.168.111")
    lab.truth.site = {
        "management": {"servers": [pod.ip], "networks": ["192.168.111.0/24"]},
        "storage": {"networks": ["10.70.0.0/24"]},
    }
    ssvm = pod.machine("1e:00:44:00:00:26", "s-8-VM", 126)
    host = pod.machine("b8:59:9f:00:05:19", "kvm1", 11)
    host.address("10.70.0.11", 24)
    nas = pod.machine("00:a0:98:00:05:09", "nas", 30)
    nas.address("10.70.0.30", 24)
    _nfs(nas)
    with lab.record(*pod.at_bridge, compress="xz"):
        for client, server in ((ssvm, "192.168.111.30"), (pod.server, "192.168.111.30"), (host, "10.70.0.30")):
            _writes(client, server, 0.2)
        time.sleep(5)
    lab.shows("tcp.dstport == 2049 && tcp.len > 0", 40)
