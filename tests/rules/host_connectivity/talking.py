"""Conversations for tests of rules about hosts: TCP with payload of one's own."""

import itertools

from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from tests.rules.build import Tape, tcp

End = tuple[str, str]
"""MAC and address."""
HOST: End = ("b8:59:9f:00:00:11", "192.168.10.11")
OTHER: End = ("b8:59:9f:00:00:12", "192.168.10.12")
SERVER: End = ("b8:59:9f:00:00:05", "192.168.10.5")
SSVM: End = ("1e:00:31:00:00:51", "185.15.246.31")


class Talk:
    """One TCP connection, whose segments follow each other and are acknowledged."""

    def __init__(self, tape: Tape, near: End, far: End, port: int, *, source: int = 40_001, vlan: int = 0) -> None:
        self.tape, self.near, self.far, self.port, self.source, self.vlan = tape, near, far, port, source, vlan
        self.sent = {near: 101, far: 501}

    def open(self, at_s: float) -> "Talk":
        """SYN, SYN/ACK and ACK."""
        self._segment(at_s, self.near, "S", seq=100, ack=0)
        self._segment(at_s + 0.001, self.far, "SA", seq=500, ack=101)
        return self._segment(at_s + 0.002, self.near, "A")

    def says(self, at_s: float, who: End, data: bytes | int, *, acked: bool = True) -> "Talk":
        """Payload from one side (or so many bytes of it), acknowledged by the other."""
        payload = data if isinstance(data, bytes) else b"x" * data
        self._segment(at_s, who, "PA", payload=payload)
        self.sent[who] += len(payload)
        return self._segment(at_s + 0.0005, self.near if who == self.far else self.far, "A") if acked else self

    def again(self, at_s: float, who: End, size: int) -> "Talk":
        """The last segment of so many bytes once more."""
        return self._segment(at_s, who, "PA", seq=self.sent[who] - size, payload=b"x" * size)

    def ends(self, at_s: float, who: End, *, flags: str = "FA") -> "Talk":
        """FIN, or RST with ``R``."""
        return self._segment(at_s, who, flags)

    def _segment(
        self, at_s: float, who: End, flags: str, *, seq: int | None = None, ack: int | None = None, payload: bytes = b""
    ) -> "Talk":
        other = self.far if who == self.near else self.near
        ports = (self.source, self.port) if who == self.near else (self.port, self.source)
        made = tcp(
            who[0], who[1], ports[0], other[0], other[1], ports[1], flags,
            seq=self.sent[who] if seq is None else seq, ack=self.sent[other] if ack is None else ack,
        )  # fmt: skip
        made[TCP].remove_payload()
        self.tape.add(at_s, made / Raw(payload) if payload else made, vlan=self.vlan)
        return self


def prohibits(refuser: End, to: End, packet: Packet, *, code: int = 13) -> Packet:
    """An ICMP error that quotes a packet."""
    quote = bytes(packet[IP])[:48]
    return Ether(src=refuser[0], dst=to[0]) / IP(src=refuser[1], dst=to[1]) / ICMP(type=3, code=code) / Raw(quote)


def syn(near: End, far: End, port: int, *, source: int = 40_001) -> Packet:
    """A SYN."""
    return tcp(near[0], near[1], source, far[0], far[1], port, "S", seq=100)


def silent(tape: Tape, near: End, far: End, port: int, *, at_s: float = 1, every_s: float = 0) -> Tape:
    """Four SYNs without an answer, of one connection or, every so many seconds, of one each."""
    for n, at in enumerate((0, 1, 3, 7)):
        moment = at_s + (n * every_s if every_s else at)
        tape.add(moment, syn(near, far, port, source=40_001 + (n if every_s else 0)))
    return tape


def refused(tape: Tape, near: End, far: End, port: int, times: int, *, at_s: float = 1, every_s: float = 5) -> Tape:
    """Connections that are refused."""
    for n in range(times):
        at, source = at_s + n * every_s, 41_000 + n
        tape.add(at, tcp(near[0], near[1], source, far[0], far[1], port, "S", seq=100 + n))
        tape.add(at + 0.001, tcp(far[0], far[1], port, near[0], near[1], source, "RA", ack=101 + n))
    return tape


def life(tape: Tape, until_s: float, *ends: End, every_s: float = 5) -> Tape:
    """Each pair of neighbours in the list exchanges a small connection every so often."""
    at, source = 0.0, 50_000
    while at <= until_s:
        for near, far in itertools.pairwise(ends):
            Talk(tape, near, far, 9999, source=source).open(at).says(at + 0.01, near, 5).ends(at + 0.02, near)
            source += 1
        at += every_s
    return tape
