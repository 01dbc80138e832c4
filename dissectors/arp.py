"""ARP and RARP (RFC 826, 903), with the probes and announcements of RFC 5227."""

from collections.abc import Iterator

from pcapdx.dissect import Cursor, Dissector, Layer, Sample, Seen, Traffic
from pcapdx.frame import Segment, ip_text, mac_text, segment_of
from pcapdx.values import dataclass

_REQUEST, _REPLY = 1, 2
_HARDWARE = frozenset({1, 6})
"""Ethernet, and the IEEE 802 networks that write addresses like it."""
_IPV4 = 0x0800
_SNAP = bytes.fromhex("aaaa030000000806")
_NOBODY = "0.0.0.0"
_ZERO_MAC = "00:00:00:00:00:00"
_TWENTY_SECONDS = 20 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Arp:
    """One packet. MACs are None where the hardware is no Ethernet, IPs where the protocol is not IPv4."""

    op: int
    """1 request, 2 reply, 3 and 4 the same of RARP."""
    sender_mac: str | None
    sender_ip: str | None
    """0.0.0.0 in a probe."""
    target_mac: str | None
    target_ip: str | None

    @property
    def request(self) -> bool:
        """Who has the target address?"""
        return self.op == _REQUEST

    @property
    def reply(self) -> bool:
        """The sender has the sender address."""
        return self.op == _REPLY

    @property
    def gratuitous(self) -> bool:
        """Sender and target address are the same, as after a failover or at the start of an interface."""
        return self.op in (_REQUEST, _REPLY) and self.sender_ip is not None and self.sender_ip == self.target_ip

    @property
    def probe(self) -> bool:
        """Asks whether anybody has the address that the sender would like to take (RFC 5227, 2.1.1)."""
        return self.request and self.sender_ip == _NOBODY and self.target_ip != _NOBODY

    @property
    def announcement(self) -> bool:
        """A gratuitous request that leaves the target MAC open (RFC 5227, 2.3)."""
        return self.request and self.gratuitous and self.target_mac == _ZERO_MAC

    @property
    def label(self) -> str:
        """As Wireshark words it: ``who has 10.1.1.1? tell 10.1.1.57``."""
        sender, target = self.sender_ip or "?", self.target_ip or "?"
        if self.op > _REPLY:
            return f"RARP {self.op}: {self.target_mac or '?'} is {target}"
        if self.reply:
            return f"{sender} is at {self.sender_mac or '?'}"
        if self.gratuitous:
            return f"{sender} is announced by {self.sender_mac or '?'}"
        return f"who has {target}? {'(probe)' if self.probe else f'tell {sender}'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArpExchange:
    """One asker's requests for one address until a reply came, and the replies."""

    vlan: int
    """Outermost VLAN id, 0 untagged."""
    vni: int | None
    asker_mac: str
    asker_ip: str
    """0.0.0.0 where the asker probes."""
    target_ip: str
    requests: tuple[Seen[Arp], ...]
    replies: tuple[Seen[Arp], ...]
    """More than one sender MAC in them means that two hosts have the address, or one answers for another."""
    inner_vlan: int | None = None
    """Second VLAN id of double-tagged frames (QinQ)."""

    @property
    def segment(self) -> Segment:
        """Equal for all of one broadcast domain; see :attr:`pcapdx.frame.Frame.segment`."""
        return segment_of(self.vlan, self.inner_vlan, self.vni)

    @property
    def answered(self) -> bool:
        """Somebody replied."""
        return bool(self.replies)


def read(cursor: Cursor) -> Iterator[Arp]:
    """The packet of one frame, also behind an LLC/SNAP header (RFC 1042); padding after it is left alone."""
    if cursor.peek(1) == _SNAP[:1] and cursor.take(len(_SNAP), "LLC and SNAP header") != _SNAP:
        return  # SNAP of something else
    hardware = cursor.u16("hardware type")
    protocol = cursor.u16("protocol type")
    mac_bytes = cursor.u8("hardware address length")
    ip_bytes = cursor.u8("protocol address length")
    op = cursor.u16("operation")
    sender_mac = cursor.take(mac_bytes, "sender hardware address")
    sender_ip = cursor.take(ip_bytes, "sender protocol address")
    target_mac = cursor.take(mac_bytes, "target hardware address")
    target_ip = cursor.take(ip_bytes, "target protocol address")
    ethernet = hardware in _HARDWARE and mac_bytes == 6
    ipv4 = protocol == _IPV4 and ip_bytes == 4
    yield Arp(
        op=op,
        sender_mac=_mac(sender_mac) if ethernet else None,
        sender_ip=_ip(sender_ip) if ipv4 else None,
        target_mac=_mac(target_mac) if ethernet else None,
        target_ip=_ip(target_ip) if ipv4 else None,
    )


def _mac(address: bytes) -> str | None:
    return mac_text(int.from_bytes(address, "big"))


def _ip(address: bytes) -> str | None:
    return ip_text(4, 0, 0, 0, int.from_bytes(address, "big"))


def pair(traffic: Traffic) -> Iterator[ArpExchange]:
    """One exchange per asker and target, a new one at the first request after a reply; in the order asked."""
    asked: list[tuple[list[Seen[Arp]], list[Seen[Arp]]]] = []
    current: dict[tuple[object, ...], tuple[list[Seen[Arp]], list[Seen[Arp]]]] = {}
    for seen in traffic.seen:
        arp: Arp = seen.message
        if arp.gratuitous or arp.sender_mac is None or arp.sender_ip is None:
            continue
        if arp.request:
            key = (seen.frame.segment, arp.sender_mac, arp.sender_ip, arp.target_ip)
            found = current.get(key)
            if found is None or found[1]:
                found = current[key] = ([], [])
                asked.append(found)
            found[0].append(seen)
        elif arp.reply:
            found = current.get((seen.frame.segment, arp.target_mac, arp.target_ip, arp.sender_ip))
            if found is not None:
                found[1].append(seen)
    for requests, replies in asked:
        frame, arp = requests[0].frame, requests[0].message
        yield ArpExchange(
            vlan=frame.vlan,
            vni=frame.vni if frame.vni >= 0 else None,
            asker_mac=arp.sender_mac or "",
            asker_ip=arp.sender_ip or "",
            target_ip=arp.target_ip or "",
            requests=tuple(requests),
            replies=tuple(replies),
            inner_vlan=frame.segment[1] if frame.segment[1] >= 0 else None,
        )


DISSECTOR = Dissector(
    name="arp",
    spec="RFC 826",
    messages=(Arp,),
    read=read,
    layer=Layer.LINK,
    ethertypes=frozenset({0x0806, 0x8035}),
    llc_saps=frozenset({_SNAP[0]}),
    sample=Sample(first=6, every_ns=_TWENTY_SECONDS),
    pair=pair,
    exchanges=(ArpExchange,),
)
