"""ICMP and ICMPv6: echo, and the errors by which a network says what it does not do (RFC 792, 1191, 4443)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import field

from pcapdx.dissect import Cursor, Dissector, Layer, Malformed, Sample, Seen, Traffic, Truncated
from pcapdx.frame import Segment, ip_text, segment_of
from pcapdx.values import dataclass

_ICMP, _ICMP6 = 1, 58
_ECHO_REPLY, _UNREACHABLE, _SOURCE_QUENCH, _REDIRECT, _ECHO, _TIME_EXCEEDED, _PARAMETER = 0, 3, 4, 5, 8, 11, 12
_FRAGMENTATION_NEEDED = 4
_UNREACHABLE6, _TOO_BIG6, _TIME_EXCEEDED6, _PARAMETER6, _ECHO6, _ECHO_REPLY6 = 1, 2, 3, 4, 128, 129
_ERRORS = {
    4: frozenset({_UNREACHABLE, _SOURCE_QUENCH, _REDIRECT, _TIME_EXCEEDED, _PARAMETER}),
    6: frozenset({_UNREACHABLE6, _TOO_BIG6, _TIME_EXCEEDED6, _PARAMETER6}),
}
_ECHOES = {4: frozenset({_ECHO, _ECHO_REPLY}), 6: frozenset({_ECHO6, _ECHO_REPLY6})}
_HAVE_PORTS = frozenset({6, 17, 33, 132, 136})  # TCP, UDP, DCCP, SCTP, UDP-Lite
_TEN_SECONDS = 10 * 10**9
# Behind identifier, sequence number and the time that ping puts first in its data all echoes of one ping are alike;
# errors are told apart by the addresses and ports that they quote.
_SAMPLE = Sample(first=8, every_ns=_TEN_SECONDS, key_start=24)
_NAMES = {
    4: {3: "destination unreachable", 4: "source quench", 5: "redirect", 11: "time exceeded", 12: "parameter problem"},
    6: {
        1: "destination unreachable",
        2: "packet too big",
        3: "time exceeded",
        4: "parameter problem",
        133: "router solicitation",
        134: "router advertisement",
        135: "neighbor solicitation",
        136: "neighbor advertisement",
        143: "multicast listener report",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """The start of the packet that caused an error. Ports and echo numbers are None where the quote is too short."""

    src: str
    dst: str
    protocol: int
    wire_bytes: int
    """Its length by its own IP header, that header included."""
    sport: int | None = None
    dport: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    identifier: int | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Icmp:
    """One message."""

    version: int
    """4 or 6."""
    type: int
    code: int
    identifier: int | None = None
    """Of an echo."""
    sequence: int | None = None
    """Of an echo."""
    mtu: int | None = None
    """Of the link that the packet did not fit into; 0 from routers older than RFC 1191."""
    gateway: str | None = None
    """The better router that a redirect names."""
    quoted: Quoted | None = None

    @property
    def echo_request(self) -> bool:
        """A ping."""
        return self.type == (_ECHO if self.version == 4 else _ECHO6)

    @property
    def echo_reply(self) -> bool:
        """The answer to a ping."""
        return self.type == (_ECHO_REPLY if self.version == 4 else _ECHO_REPLY6)

    @property
    def unreachable(self) -> bool:
        """Destination unreachable, for whatever reason; for IPv4 that includes fragmentation needed."""
        return self.type == (_UNREACHABLE if self.version == 4 else _UNREACHABLE6)

    @property
    def fragmentation_needed(self) -> bool:
        """The packet is too big for the next link."""
        if self.version == 6:
            return self.type == _TOO_BIG6
        return self.type == _UNREACHABLE and self.code == _FRAGMENTATION_NEEDED

    @property
    def port_unreachable(self) -> bool:
        """The host is there, nothing listens on the port."""
        return self.unreachable and self.code == (3 if self.version == 4 else 4)

    @property
    def prohibited(self) -> bool:
        """A filter refused the packet and said so."""
        return self.unreachable and self.code in ((9, 10, 13) if self.version == 4 else (1, 5, 6))

    @property
    def label(self) -> str:
        """``echo request id 5 seq 1``; errors with what they quote."""
        if self.echo_request or self.echo_reply:
            kind = "request" if self.echo_request else "reply"
            return f"echo {kind} id {self.identifier} seq {self.sequence}"
        words = _NAMES[self.version].get(self.type, f"type {self.type}")
        if self.port_unreachable:
            words = "port unreachable"
        elif self.fragmentation_needed:
            words = f"too big, MTU {self.mtu}"
        elif self.prohibited:
            words = "administratively prohibited"
        if self.quoted is None:
            return words
        port = f" port {self.quoted.dport}" if self.quoted.dport is not None else ""
        return f"{words}: {self.quoted.dst}{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PingExchange:
    """The echo requests of one program from one address to another, and what came back.

    Of a long ping only the first few requests are kept for certain; of later ones those that were seen to be answered.
    """

    vlan: int
    """Outermost VLAN id, 0 untagged."""
    vni: int | None
    src: str
    dst: str
    identifier: int
    requests: tuple[Seen[Icmp], ...]
    replies: tuple[Seen[Icmp], ...]
    errors: tuple[Seen[Icmp], ...]
    """ICMP errors that quote one of the requests."""
    inner_vlan: int | None = None
    """Second VLAN id of double-tagged frames (QinQ)."""

    @property
    def segment(self) -> Segment:
        """Equal for all of one broadcast domain; see :attr:`pcapdx.frame.Frame.segment`."""
        return segment_of(self.vlan, self.inner_vlan, self.vni)

    @property
    def unanswered(self) -> tuple[Seen[Icmp], ...]:
        """Requests whose sequence number no reply bears."""
        answered = {seen.message.sequence for seen in self.replies}
        return tuple(seen for seen in self.requests if seen.message.sequence not in answered)


def read(cursor: Cursor) -> Iterator[Icmp]:
    """The one message of a packet, ICMPv6 by the frame's IP version."""
    frame = cursor.frame
    if frame is not None and frame.fragment_offset:
        return  # the middle of a message: its header came in another fragment
    version = 6 if frame is not None and frame.ip_version == 6 else 4
    kind = cursor.u8("type")
    code = cursor.u8("code")
    cursor.skip(2, "checksum")
    if kind in _ECHOES[version]:
        identifier, sequence = cursor.u16("identifier"), cursor.u16("sequence number")
        yield Icmp(version=version, type=kind, code=code, identifier=identifier, sequence=sequence)
    elif kind in _ERRORS[version]:
        word = cursor.u32("rest of header")
        mtu = gateway = None
        if version == 6 and kind == _TOO_BIG6:
            mtu = word
        elif version == 4 and (kind, code) == (_UNREACHABLE, _FRAGMENTATION_NEEDED):
            mtu = word & 0xFFFF
        elif version == 4 and kind == _REDIRECT:
            gateway = ip_text(4, 0, 0, 0, word)
        yield Icmp(version=version, type=kind, code=code, mtu=mtu, gateway=gateway, quoted=_quoted(cursor))
    else:
        yield Icmp(version=version, type=kind, code=code)


def _quoted(cursor: Cursor) -> Quoted | None:
    """As much of the quoted packet as there is: an error may end anywhere in it, so that is no fault."""
    try:
        version = cursor.peek(1)[0] >> 4 if cursor.left else 0
        src, dst, protocol, wire_bytes, first_fragment = _ip6_header(cursor) if version == 6 else _ip4_header(cursor)
    except (Malformed, Truncated):
        return None
    sport = dport = icmp_type = icmp_code = identifier = sequence = None
    try:
        if not first_fragment:
            pass
        elif protocol in _HAVE_PORTS:
            sport, dport = cursor.u16("source port"), cursor.u16("destination port")
        elif protocol in (_ICMP, _ICMP6):
            icmp_type, icmp_code = cursor.u8("type"), cursor.u8("code")
            cursor.skip(2, "checksum")
            if icmp_type in _ECHOES[6 if protocol == _ICMP6 else 4]:
                identifier, sequence = cursor.u16("identifier"), cursor.u16("sequence number")
    except (Malformed, Truncated):
        pass
    return Quoted(
        src=src,
        dst=dst,
        protocol=protocol,
        wire_bytes=wire_bytes,
        sport=sport,
        dport=dport,
        icmp_type=icmp_type,
        icmp_code=icmp_code,
        identifier=identifier,
        sequence=sequence,
    )


def _ip4_header(cursor: Cursor) -> tuple[str, str, int, int, bool]:
    start = cursor.at
    first = cursor.u8("version and header length")
    header_bytes = (first & 15) * 4
    if first >> 4 != 4 or header_bytes < 20:
        raise Malformed("no IPv4 header", start)
    cursor.skip(1, "TOS")
    wire_bytes = cursor.u16("total length")
    cursor.skip(2, "identification")
    fragment = cursor.u16("fragment offset") & 0x1FFF
    cursor.skip(1, "TTL")
    protocol = cursor.u8("protocol")
    cursor.skip(2, "checksum")
    src, dst = cursor.u32("source"), cursor.u32("destination")
    cursor.skip(min(header_bytes - 20, cursor.left), "options")
    return ip_text(4, 0, 0, 0, src) or "", ip_text(4, 0, 0, 0, dst) or "", protocol, wire_bytes, fragment == 0


def _ip6_header(cursor: Cursor) -> tuple[str, str, int, int, bool]:
    """Extension headers are not walked: an error about a packet with one tells addresses and the header's number."""
    cursor.skip(4, "version, class, flow label")
    wire_bytes = 40 + cursor.u16("payload length")
    protocol = cursor.u8("next header")
    cursor.skip(1, "hop limit")
    words = [cursor.u32("addresses") for _ in range(8)]
    return ip_text(6, *words[:4]) or "", ip_text(6, *words[4:]) or "", protocol, wire_bytes, True


@dataclass(slots=True)
class _Ping:
    """What was seen of one ping; ``later`` are requests beyond those that the sample keeps in full."""

    requests: list[Seen[Icmp]] = field(default_factory=list)
    later: list[Seen[Icmp]] = field(default_factory=list)
    replies: list[Seen[Icmp]] = field(default_factory=list)
    errors: list[Seen[Icmp]] = field(default_factory=list)


def pair(traffic: Traffic) -> Iterator[PingExchange]:
    """One exchange per asker, asked and identifier, in the order in which they began."""
    pings: dict[tuple[tuple[int, int, int], str | None, str | None, int | None], _Ping] = {}
    kept: Counter[tuple[object, ...]] = Counter()
    for seen in traffic.seen:
        icmp: Icmp = seen.message
        frame = seen.frame
        if icmp.echo_request:
            asked = pings.setdefault((frame.segment, frame.src, frame.dst, icmp.identifier), _Ping())
            way = (frame.segment, frame.src, frame.dst)
            kept[way] += 1
            (asked.requests if kept[way] <= _SAMPLE.first else asked.later).append(seen)
        elif icmp.echo_reply:
            ping = pings.get((frame.segment, frame.dst, frame.src, icmp.identifier))
            if ping is not None:
                ping.replies.append(seen)
        elif icmp.quoted is not None and icmp.quoted.identifier is not None:
            ping = pings.get((frame.segment, icmp.quoted.src, icmp.quoted.dst, icmp.quoted.identifier))
            if ping is not None:
                ping.errors.append(seen)
    for ((vlan, inner, vni), src, dst, identifier), one in pings.items():
        # Beyond its first few, the sample keeps requests and replies by their own clocks: a missing reply is no sign.
        replied = {seen.message.sequence for seen in one.replies}
        requests = (*one.requests, *(seen for seen in one.later if seen.message.sequence in replied))
        if not requests:
            continue
        yield PingExchange(
            vlan=vlan,
            vni=vni if vni >= 0 else None,
            src=src or "",
            dst=dst or "",
            identifier=identifier or 0,
            requests=requests,
            replies=tuple(one.replies),
            errors=tuple(one.errors),
            inner_vlan=inner if inner >= 0 else None,
        )


DISSECTOR = Dissector(
    name="icmp",
    spec="RFC 792 and RFC 4443",
    messages=(Icmp,),
    read=read,
    layer=Layer.TRANSPORT,
    ip_protocols=frozenset({_ICMP, _ICMP6}),
    sample=_SAMPLE,
    pair=pair,
    exchanges=(PingExchange,),
)
