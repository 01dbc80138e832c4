"""Priority tags: VLAN id 0, for the three bits of a priority. Recorded on both sides of a switch."""

import random
import time

from captures.lab import middlebox
from captures.lab.along import Recorder, TwoHosts, record_along
from captures.lab.cloud import GuestNetwork, Host, Machine
from captures.lab.management import connects
from captures.lab.middlebox import Behaviour, Direction
from captures.lab.post import wire
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.security_groups import listen

_EXPEDITED = 0xB8
_TAG = b"\x81\x00\xa0\x00"
_PING = ("ping", "-q", "-i", "0.5")


def _tags(frame: bytes, direction: Direction) -> tuple[tuple[float, bytes], ...]:
    """A NIC that puts a priority tag on what is marked as expedited."""
    marked = direction == "out" and frame[12:14] == b"\x08\x00" and frame[15] == _EXPEDITED
    return ((0.0, frame[:12] + _TAG + frame[12:] if marked else frame),)


def _drops(frame: bytes, direction: Direction) -> tuple[tuple[float, bytes], ...]:
    """A switch port that drops what has a tag."""
    return () if frame[12:14] == _TAG[:2] else ((0.0, frame),)


def _passes(frame: bytes, direction: Direction) -> tuple[tuple[float, bytes], ...]:
    return ((0.0, frame),)


def _priorities(lab: Lab, subnet: str, port: Behaviour) -> None:
    switch = Host(lab, "switch", 3)
    bridge = switch.bridge("sw0")
    host = Machine(switch, None, "b8:59:9f:00:21:11", "kvm1")
    storage = Machine(switch, None, "00:a0:98:00:21:20", "filer")
    at_host = middlebox.insert(lab, switch.ns, host.tap, bridge, _tags)
    middlebox.insert(lab, switch.ns, storage.tap, bridge, port)
    host.address(f"{subnet}.11", 24)
    storage.address(f"{subnet}.20", 24)
    listen(storage, 3260)
    with record_along(
        lab,
        Recorder(name="host", point=(switch.ns, at_host, "nic")),
        Recorder(name="filer", point=(storage.ns, "eth0", "nic")),
        linger=2,
    ):
        host.ns.spawn(*_PING, f"{subnet}.20")
        time.sleep(2)
        host.ns.spawn(*_PING, "-Q", str(_EXPEDITED), f"{subnet}.20")
        connects(host, f"{subnet}.20", 3260, tries=2, pause=0.5)
        time.sleep(6)
    lab.shows("vlan.id == 0 && icmp.type == 8", 10)


@scenario
def path_priority_tags_dropped(lab: Lab) -> None:
    """A host's NIC puts a priority tag (VLAN id 0) on packets that are marked as expedited; the storage's switch port
    drops whatever has a tag. Pings without the mark are answered."""
    _priorities(lab, "10.9.21", _drops)
    lab.fault("VLAN023", "vlan.id == 0", mac="b8:59:9f:00:21:11")


@scenario
def path_priority_tags_pass(lab: Lab) -> None:
    """As path-priority-tags-dropped, with a switch port that takes priority tags for what they are: all is answered."""
    _priorities(lab, "10.9.22", _passes)


@scenario
def path_tag_alone_is_too_long(lab: Lab) -> None:
    """A port between the switches takes frames of 1514 bytes and not the four more of a tag: full packets of guests,
    which are tagged there, are lost, those four bytes shorter arrive."""
    network = GuestNetwork(cidr="10.217.0.0/24", gateway="10.217.0.1", number=0x398, vlan=3501)
    hosts = TwoHosts(lab, network)
    client = hosts.guest(0x38, "full-1", ip=56)
    hosts.peer(0x68, "full-2", 156)
    hosts.trunk.limit(hosts.far, 1514)
    with record_along(lab, hosts.near_nic(), hosts.far_nic()):
        client.ns.spawn(*_PING, network.ip(156))
        client.ns.run("ping", "-qc", "25", "-i", "0.2", "-s", "1468", network.ip(156))
        client.ns.run("ping", "-qc", "8", "-i", "0.2", "-s", "1472", network.ip(156), check=False)
        time.sleep(2)
    lab.shows("icmp.type == 8 && ip.len == 1500", 8)
    lab.fault("VLAN017", "icmp.type == 8 && ip.len == 1500", vlan=3501)


def _downloads(lab: Lab, subnet: str, number: int, port: Behaviour) -> None:
    """A guest fetches 12 KB three times from a machine on the other host; recorded at the NIC of the sender's host."""
    network = GuestNetwork(cidr=f"{subnet}.0/24", gateway=f"{subnet}.1", number=number, vlan=3511)
    hosts = TwoHosts(lab, network)
    client, server = hosts.guest(0x39, "get-1", ip=57), hosts.peer(0x69, "web-1", 157)
    hosts.trunk.cable(hosts.near, port)
    server.ns.spawn("socat", "TCP-LISTEN:8000,fork,reuseaddr", "SYSTEM:head -c 12000 /dev/zero | tr '\\\\0' x")
    point = hosts.far_nic()
    with lab.record(*point.point, steps=(wire(point.local),), compress="gz", linger=2):
        client.ns.spawn(*_PING, network.ip(157))
        for _ in range(3):
            client.ns.run("curl", "-s", "-m", "6", "-o", "/dev/null", f"http://{network.ip(157)}:8000/", check=False)


@scenario
def vlan_full_segments_lost(lab: Lab) -> None:
    """The port of the client's host takes 1514 bytes and not the four more of a tag: downloads open and hang, pings are
    answered. Recorded at the NIC of the server's host only."""
    _downloads(lab, "10.240.0", 0x431, lambda frame, direction: () if len(frame) > 1514 else ((0.0, frame),))
    lab.shows("tcp.srcport == 8000 && tcp.len > 1400", 6)
    lab.fault("VLAN017", "tcp.srcport == 8000 && tcp.len > 1400", vlan=3511)
    lab.proof("VLAN020", vlan=3511)


@scenario
def vlan_segments_lost_at_random(lab: Lab) -> None:
    """As vlan-full-segments-lost, with a link that loses one frame in five, whatever its length: slow, but everything
    arrives in the end, or some of it. No fault of the length."""
    dice = random.Random(9)
    _downloads(lab, "10.241.0", 0x432, lambda frame, direction: () if dice.random() < 0.2 else ((0.0, frame),))
    lab.shows("tcp.srcport == 8000 && tcp.len > 1400", 6)
