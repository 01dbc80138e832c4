"""NICs and bridges of hypervisors: guests without a tag, two tags, a dead link, a bond's idle member."""

import time

from captures.lab import middlebox
from captures.lab.cloud import GuestNetwork, Machine, veth
from captures.lab.guest import Guest
from captures.lab.post import pcapng, snap, wire
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.vlan_missing import neighbours
from captures.lab.stage import Trunk


@scenario
def nic_guest_untagged_on_trunk(lab: Lab) -> None:
    """The tap of one guest sits in the label bridge instead of its VLAN's: its frames leave the NIC untagged and nobody
    answers. Another guest of the same network is tagged 1001 and works."""
    network = GuestNetwork(cidr="10.101.0.0/24", gateway="10.101.0.1", number=0x1B0, vlan=1001)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=0,1001") for name in ("kvm1", "kvm2"))
    near, _ = neighbours(here, there, network)
    lost = Guest(here.host, here.native(), network.mac(0x31), "lost-1")
    lost.address(network.ip(49), 24, network.ip(114))
    with lab.record(*here.at_nic, steps=(wire((near.mac, lost.mac)),), linger=3):
        lost.ns.run("ping", "-qc", "8", network.ip(114), check=False)
        time.sleep(6)
    lab.shows(f"!vlan && eth.src == {lost.mac}", 3)
    lab.shows(f"vlan.id == 1001 && eth.src == {near.mac}", 5)
    lab.fault("HYP004", f"!vlan && eth.src == {lost.mac}", mac=lost.mac)
    lab.proof("VLAN020", vlan=1001)


@scenario
def nic_guest_untagged_nested(lab: Lab) -> None:
    """As nic-guest-untagged-on-trunk, after a NIC was attached to a running guest; the hosts are themselves virtual, so
    nothing is padded, and the guest asks for an address by DHCP. The role is not told."""
    network = GuestNetwork(cidr="172.29.0.0/24", gateway="172.29.0.1", number=0x1B1, vlan=1002)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "ens192", "trunks=0,1002") for name in ("kvm1", "kvm2"))
    neighbours(here, there, network, every="1")
    lost = Guest(here.host, here.native(), network.mac(0x32), "lost-2")
    with lab.record(*here.at_nic, told=False, steps=(pcapng,), compress="zst", linger=6):
        lost.dhclient(seconds=20)
    lab.shows(f"!vlan && eth.src == {lost.mac}", 3)
    lab.fault("HYP004", f"!vlan && eth.src == {lost.mac}", mac=lost.mac)
    lab.consequence("DHCP001", mac=lost.mac)
    lab.proof("VLAN020", vlan=1002)


@scenario
def nic_system_vm_on_native_network(lab: Lab) -> None:
    """A system VM's management NIC is untagged on the trunk, as the host's own management address is; guests are
    tagged. Healthy."""
    network = GuestNetwork(cidr="10.103.0.0/24", gateway="10.103.0.1", number=0x1B2, vlan=1003)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth0", "trunks=0,1003") for name in ("kvm1", "kvm2"))
    near, _ = neighbours(here, there, network)
    native = here.native()
    own = Machine(here.host, native, "b8:59:9f:00:10:31", "host1")
    ssvm = Machine(here.host, native, "1e:00:c2:00:00:21", "s-2-VM")
    far = Machine(there.host, there.native(), "b8:59:9f:00:10:32", "host2")
    for machine, last in ((own, 31), (ssvm, 40), (far, 32)):
        machine.address(f"192.168.110.{last}", 24)
    with lab.record(*here.at_nic, steps=(wire((near.mac, own.mac, ssvm.mac)),), compress="gz", linger=2):
        for machine in (own, ssvm):
            machine.ns.spawn("ping", "-q", "-i", "1", "192.168.110.32")
        time.sleep(8)
    lab.shows(f"!vlan && eth.src == {ssvm.mac}", 5)
    lab.proof("VLAN020", vlan=1003)


def tagging(vlan: int) -> middlebox.Behaviour:
    """What a guest that tags by itself does: a tag on all it sends, taken off what it receives."""
    tag = b"\x81\x00" + vlan.to_bytes(2)

    def behave(frame: bytes, direction: middlebox.Direction) -> list[tuple[float, bytes]]:
        if direction == "out":
            return [(0.0, frame[:12] + tag + frame[12:])]
        return [(0.0, frame[:12] + frame[16:])] if frame[12:16] == tag else []

    return behave


@scenario
def nic_double_tag(lab: Lab) -> None:
    """A guest tags its frames 30 by itself, and its host adds the network's 1005: both tags are on the wire. The host
    of the peer keeps only one, so nobody answers."""
    network = GuestNetwork(cidr="10.105.0.0/24", gateway="10.105.0.1", number=0x1B3, vlan=1005)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=1005") for name in ("kvm1", "kvm2"))
    near, far = neighbours(here, there, network)
    qinq = ("vlan_mode=dot1q-tunnel", "tag=1005", "other_config:qinq-ethtype=802.1q")
    here.ovs.vsctl("set", "Open_vSwitch", ".", "other_config:vlan-limit=2")
    bridge = here.host.bridge("brdot1q")
    veth(here.host.ns, "q0", here.host.ns, "q1")
    here.host.ns.ip("link", "set", "q0", "master", bridge)
    for name in ("q0", "q1"):
        here.host.ns.ip("link", "set", name, "up")
    here.ovs.port("cloudbr1", "q1", *qinq)
    guest = Guest(here.host, None, network.mac(0x33), "vnf-1")
    middlebox.insert(lab, here.host.ns, guest.tap, bridge, tagging(30))
    guest.address(network.ip(51), 24)
    with lab.record(*here.at_nic, told=False, steps=(wire((near.mac, guest.mac)),), linger=3):
        guest.ns.run("ping", "-qc", "9", network.ip(114), check=False)
    lab.shows(f"vlan.id == 1005 && vlan.id == 30 && eth.src == {guest.mac}", 5)
    lab.hides(f"eth.src == {far.mac} && eth.dst == {guest.mac}")
    lab.fault("HYP006", f"vlan.id == 30 && eth.src == {guest.mac}")
    lab.proof("VLAN020", vlan=1005)


@scenario
def nic_provider_qinq(lab: Lab) -> None:
    """A provider carries a customer's VLANs inside its own (802.1ad): two tags on every frame, on purpose. Healthy."""
    network = GuestNetwork(cidr="10.106.0.0/24", gateway="10.106.0.1", number=0x1B4, vlan=300)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=300") for name in ("kvm1", "kvm2"))
    near, _ = neighbours(here, there, network)
    trunk.switch.vsctl("set", "Open_vSwitch", ".", "other_config:vlan-limit=2")
    for label in ("kvm1", "kvm2"):
        trunk.switch.change(f"{label}-port", "vlan_mode=dot1q-tunnel", "tag=77", "trunks=[]")
    where = lab.namespace("mirror")
    veth(where, "span0", trunk.switch.ns, "span-port")
    for place, name in ((where, "span0"), (trunk.switch.ns, "span-port")):
        place.ip("link", "set", name, "up")
    trunk.switch.port(trunk.bridge, "span-port", "trunks=77")
    mirror = ("--id=@p", "get", "port", "span-port", "--", "--id=@m", "create", "mirror", "name=m", "select-all=true",
              "output-port=@p", "--", "set", "bridge", trunk.bridge, "mirrors=@m")  # fmt: skip
    trunk.switch.vsctl("--", *mirror)
    with lab.record(where, "span0", "trunk", steps=(wire(()),), linger=1):
        time.sleep(8)
    lab.shows("ieee8021ad && vlan.id == 300", 5)
    lab.shows(f"eth.src == {near.mac}", 3)


@scenario
def nic_receives_nothing(lab: Lab) -> None:
    """The link of a host's NIC is up but dead in one direction: a hundred frames leave in over a minute, none comes in.
    Guests of two VLANs ask in vain."""
    networks = [
        GuestNetwork(cidr=f"10.107.{n}.0/24", gateway=f"10.107.{n}.1", number=0x1B5 + n, vlan=1070 + n) for n in (1, 2)
    ]
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "ens2f0", "trunks=0,1071,1072") for name in ("kvm1", "kvm2"))
    guests = []
    for network in networks:
        gateway = Machine(there.host, there.vlan(network.vlan), network.mac(1), f"gw{network.vlan}")
        gateway.address(network.gateway, 24)
        guest = Guest(here.host, here.vlan(network.vlan), network.mac(0x34), f"web-{network.vlan}")
        guests.append(guest)
    guests[1].address(networks[1].ip(52), 24, networks[1].gateway)
    trunk.switch.remove(trunk.bridge, "kvm1-port")
    with lab.record(*here.at_nic, steps=(wire([guest.mac for guest in guests]),), linger=3):
        guests[1].ns.spawn("ping", "-q", "-i", "1", networks[1].gateway)
        guests[0].dhclient(seconds=62)
    lab.shows("arp.opcode == 1", 20)
    lab.hides("arp.opcode == 2 || dhcp.type == 2")
    lab.fault("HYP008", "arp.opcode == 1 || dhcp")
    for code in ("DHCP001", "VLAN001"):
        lab.consequence(code)


@scenario
def nic_idle_bond_member(lab: Lab) -> None:
    """The idle member of an active-backup bond: the switch sends it the broadcasts of every VLAN, the host sends
    nothing by it. Healthy."""
    networks = [
        GuestNetwork(cidr=f"10.108.{n}.0/24", gateway=f"10.108.{n}.1", number=0x1B8 + n, vlan=1080 + n) for n in (1, 2)
    ]
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=1081,1082") for name in ("kvm1", "kvm2"))
    veth(here.host.ns, "eth2", trunk.switch.ns, "kvm1-port2")
    for where, name in ((here.host.ns, "eth2"), (trunk.switch.ns, "kvm1-port2")):
        where.ip("link", "set", name, "up")
    trunk.switch.port(trunk.bridge, "kvm1-port2", "trunks=1081,1082")
    for network in networks:
        near, far = neighbours(here, there, network)
        near.ns.spawn("arping", "-b", "-q", "-I", "eth0", network.ip(77))
        far.ns.spawn("arping", "-b", "-q", "-I", "eth0", network.ip(114))
    with lab.record(here.host.ns, "eth2", "bond", steps=(wire(()), snap(64)), linger=1):
        time.sleep(14)
    lab.shows("arp.opcode == 1", 20)
    lab.hides("arp.opcode == 2")
