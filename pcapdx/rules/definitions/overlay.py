"""OVERLAY: who tunnels what to whom, by the inner frames that dissectors read.

A leg is one direction between two tunnel endpoints under one network identifier. What its inner frames ask for and who
speaks in them tells whether two legs with different ports or identifiers are meant to be one network.
"""

from collections.abc import Mapping
from dataclasses import field

from dissectors.arp import Arp
from dissectors.icmp import Icmp
from pcapdx.case import View
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.values import dataclass

PORTS = frozenset({4789, 6081, 8472})
KINDS = {1: "VXLAN", 2: "GENEVE", 3: "GRE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """From whom to whom, and how."""

    src: str
    dst: str
    """An endpoint, or a multicast group."""
    tunnel: int
    port: int
    """0 for GRE."""
    vni: int
    """VNI, or GRE key; -1 without."""

    @property
    def words(self) -> str:
        """``VXLAN 5001 on port 8472``."""
        identifier = "" if self.vni < 0 else f" {self.vni}"
        return f"{KINDS.get(self.tunnel, 'tunnel')}{identifier}{f' on port {self.port}' if self.port else ''}"


@dataclass(slots=True)
class Leg:
    """What was read of one way."""

    frames: list[int] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    """Addresses that inner ARP requests ask for."""
    spoken_to: set[str] = field(default_factory=set)
    """Addresses that inner packets go to."""
    speakers: set[str] = field(default_factory=set)
    """Addresses of inner senders, by ARP and IP."""

    replied: set[str] = field(default_factory=set)
    """Addresses of inner senders that answer: ARP replies, echo replies."""

    def wants(self, other: "Leg") -> bool:
        """Whether this leg asks for an address that speaks in the other."""
        return bool(self.asked & other.speakers)

    def answers(self, other: "Leg") -> bool:
        """Whether what the other leg asks for answers in this one: then both are one network that works."""
        return bool(self.replied & (other.asked | other.spoken_to))


@once_a_view
def legs(view: View) -> Mapping[Way, Leg]:
    """Every leg of the capture, in order of appearance."""
    found: dict[Way, Leg] = {}
    for one in view.all_messages:
        frame = one.frame
        if not frame.tunnel:
            continue
        src, dst = frame.outer_src, frame.outer_dst
        if src is None or dst is None:
            continue
        way = Way(src=src, dst=dst, tunnel=frame.tunnel, port=frame.outer_dport, vni=frame.vni)
        leg = found.setdefault(way, Leg())
        if not leg.frames or leg.frames[-1] != one.number:
            leg.frames.append(one.number)
            leg.moments.append(one.ts_ns)
        if isinstance(one.message, Arp):
            arp = one.message
            leg.speakers.update(ip for ip in (arp.sender_ip,) if ip and ip != "0.0.0.0")
            if arp.reply and not arp.gratuitous and arp.sender_ip:
                leg.replied.add(arp.sender_ip)
            if arp.request and not arp.gratuitous and arp.target_ip:
                leg.asked.add(arp.target_ip)
        elif frame.src is not None and frame.dst is not None and frame.src != "0.0.0.0":
            leg.speakers.add(frame.src)
            leg.spoken_to.add(frame.dst)
            if isinstance(one.message, Icmp) and one.message.echo_reply:
                leg.replied.add(frame.src)
    return found
