"""From tap to NIC of one host: what ends while it is recorded, and what only goes another way."""

import socket
import time

from captures.lab.along import Recorder, TwoHosts, record_along
from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.namespaces import Namespace
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.held_out_sixth_alike import moved_wire


def _networks(n: int, vlan: int) -> tuple[GuestNetwork, GuestNetwork]:
    return (
        GuestNetwork(cidr=f"10.44.{n}.0/24", gateway=f"10.44.{n}.1", number=0x440 + n, vlan=vlan),
        GuestNetwork(cidr=f"10.45.{n}.0/24", gateway=f"10.45.{n}.1", number=0x450 + n, vlan=vlan + 1),
    )


@scenario
def path_device_leaves_bridge_midway(lab: Lab) -> None:
    """Two guests ping their router on another host. After twelve seconds the VLAN's device is taken out of their
    bridge: from then on nothing of theirs leaves the host, and what one sends to the router is flooded to the tap of
    the other. Another VLAN goes on. Recorded at a tap and at the NIC."""
    network, alive = _networks(1, 2445)
    hosts = TwoHosts(lab, network, alive, first_tap=4)
    guest, other = hosts.guest(0x20, "left-1", ip=20), hosts.guest(0x21, "left-2", ip=21)
    with record_along(lab, hosts.tap(guest), hosts.near_nic(), linger=2):
        hosts.talk()
        for one in (guest, other):
            one.ns.spawn("ping", "-q", "-i", "0.8", network.gateway)
        time.sleep(12)
        hosts.near.host.ns.ip("link", "set", f"{hosts.near.uplink}.{network.vlan}", "nomaster")
        time.sleep(26)
    lab.shows(f"!vlan && arp.opcode == 1 && eth.src == {guest.mac}", 5)
    lab.shows(f"vlan && icmp.type == 0 && eth.dst == {guest.mac}", 10)
    lab.fault("HYP001", f"!vlan && eth.src == {guest.mac}", mac=guest.mac)
    for code in ("VLAN019", "VLAN022"):
        lab.consequence(code)


def announce(where: Namespace, interface: str, mac: str) -> None:
    """Say that a machine has come, as QEMU does after a migration: RARP, five times within a second."""
    raw = bytes.fromhex(mac.replace(":", ""))
    rarp = b"\xff" * 6 + raw + bytes.fromhex("80350001080006040003") + (raw + bytes(4)) * 2
    with where.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as stream:
        stream.bind((interface, 0))
        for pause in (0.05, 0.15, 0.25, 0.35, 0.1):
            stream.send(rarp)
            time.sleep(pause)


@scenario
def path_router_comes_to_the_host_midway(lab: Lab) -> None:
    """As path-device-leaves-bridge-midway, but it is the router that is migrated to the guests' host after twelve
    seconds: what they say to it does not leave the host any more, save what is for everybody. Healthy."""
    network, alive = _networks(2, 2447)
    hosts = TwoHosts(lab, network, alive, first_tap=8)
    guest, other = hosts.guest(0x20, "stay-1", ip=20), hosts.guest(0x21, "stay-2", ip=21)
    router: Machine = hosts.router
    moved: list[float] = []
    near = hosts.near_nic()
    padding = moved_wire(near.local, router.mac, lambda: moved[0], here_after=True)
    with record_along(lab, hosts.tap(guest), Recorder(name=near.name, point=near.point, steps=(padding,)), linger=2):
        hosts.talk()
        for one in (guest, other):
            one.ns.spawn("ping", "-q", "-i", "0.8", network.gateway)
        time.sleep(12)
        old, new = hosts.far.host.ns, hosts.near.host.ns
        old.ip("link", "set", router.tap, "netns", new.name, "name", "vnet40")
        moved.append(time.time())
        new.ip("link", "set", "vnet40", "master", hosts.bridge)
        new.ip("link", "set", "vnet40", "up")
        announce(router.ns, "eth0", router.mac)
        time.sleep(8)
        guest.ns.run("arping", "-qc", "4", "-I", "eth0", network.ip(99), check=False)
        time.sleep(12)
    lab.shows(f"!vlan && icmp.type == 0 && eth.dst == {guest.mac}", 35)
    lab.shows(f"vlan && icmp.type == 0 && eth.dst == {guest.mac}", 10, 22)
