"""Delays on one segment of a path, recorded at three points; nothing is lost."""

import random
import time

from captures.lab.along import TwoHosts, record_along
from captures.lab.cloud import GuestNetwork
from captures.lab.middlebox import Behaviour, Direction
from captures.lab.scenario import Lab, scenario


def _delayed(lab: Lab, n: int, behave: Behaviour) -> None:
    """A guest pings its router's host and is pinged from there."""
    network = GuestNetwork(cidr=f"10.{233 + n}.0.0/24", gateway=f"10.{233 + n}.0.1", number=0x400 + n, vlan=3801 + n)
    hosts = TwoHosts(lab, network, first_tap=2 + n)
    guest, peer = hosts.guest(0x41, "late-1", ip=41), hosts.peer(0x51, "late-2", 51)
    hosts.trunk.cable(hosts.far, behave)
    with record_along(lab, hosts.tap(guest), hosts.near_nic(), hosts.far_nic()):
        guest.ns.spawn("ping", "-q", "-i", "0.2", network.ip(51))
        peer.ns.spawn("ping", "-q", "-i", "0.3", network.ip(41))
        time.sleep(16)
    lab.shows("icmp.type == 8", 200)
    lab.proof("VLAN020", vlan=network.vlan)


@scenario
def path_one_way_full(lab: Lab) -> None:
    """The link from the far host is full: half of what comes from there waits 60 ms in a queue, nothing is lost; the
    way to it is free. A remark."""
    dice = random.Random(11)

    def queue(frame: bytes, direction: Direction) -> tuple[tuple[float, bytes], ...]:
        return ((0.06 if direction == "out" and dice.random() < 0.5 else 0.0, frame),)

    _delayed(lab, 0, queue)
    lab.info("PHYS010", "icmp.type == 8")


@scenario
def path_over_another_site(lab: Lab) -> None:
    """The two hosts are 30 ms apart, each way. A remark."""
    _delayed(lab, 1, lambda frame, direction: ((0.03, frame),))
    lab.info("PHYS010", "icmp")


@scenario
def path_a_little_jitter(lab: Lab) -> None:
    """Packets take up to three milliseconds more, both ways, as on a busy network. Nothing to say."""
    dice = random.Random(12)
    _delayed(lab, 2, lambda frame, direction: ((dice.random() * 0.003, frame),))
