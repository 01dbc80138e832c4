"""What else is on a network: neighbours that ask ARP, resolve names, ping and announce themselves."""

import random
import socket
import struct
from contextlib import suppress

from captures.lab.cloud import Machine
from captures.lab.stage import Stage

_MDNS = ("224.0.0.251", 5353)


def neighbours(stage: Stage, *sequences: int, resolver: str = "") -> list[Machine]:
    """Plug in neighbours with static addresses that talk for as long as the scenario runs."""
    machines = []
    for sequence in sequences:
        machine = stage.guest(sequence, f"node-{sequence}", ip=stage.network.ip(sequence))
        machine.address(stage.network.ip(sequence), stage.network.length, stage.network.gateway)
        machines.append(machine)
    for machine in machines:
        chatter(stage, machine, resolver or stage.network.dhcp_server)
    return list(machines)


def chatter(stage: Stage, machine: Machine, resolver: str) -> None:
    """Let a machine talk now and then: DNS to the resolver, mDNS, a syslog line to a neighbour that may not exist."""
    dice = random.Random(machine.mac)
    with machine.ns.inside():
        plain, multicast = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    own = stage.network.ip(1 + dice.randrange(60))

    def talk() -> None:
        while not stage.lab.stopping.wait(dice.uniform(0.7, 4.0)):
            name = dice.choice(("deb.debian.org", "ntp.ubuntu.com", "registry.example.net"))
            with suppress(OSError):
                match dice.randrange(3):
                    case 0:
                        plain.sendto(_query(dice.randrange(65536), name), (resolver, 53))
                    case 1:
                        multicast.sendto(_query(0, f"{machine.label}.local"), _MDNS)
                    case _:
                        plain.sendto(b"<30>cron[811]: session opened for user root", (own, 514))
        plain.close()
        multicast.close()

    stage.lab.thread(talk)


def _query(number: int, name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\x01\0\x01"
