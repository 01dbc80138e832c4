"""DHCP and BOOTP over IPv4 (RFC 2131, 2132, 3046, 3396, 3397, 3442, 4702).

``message`` holds what one packet says, ``options`` reads the option fields, ``exchange`` joins packets. The reader
starts at the UDP header, since a wrong UDP checksum is one of the ways in which an offer is never accepted. Where the
snap length cut a message it yields what is there, if that is the client's MAC at least, and is truncated all the same.
"""

from collections.abc import Iterator

from dissectors.dhcp.checksum import Checksum, udp_checksum
from dissectors.dhcp.exchange import DhcpExchange, DhcpKind, pair
from dissectors.dhcp.message import Dhcp, DhcpType, Route
from dissectors.dhcp.options import collect, typed
from pcapdx.dissect import Cursor, Dissector, Layer, Malformed, Sample, Truncated
from pcapdx.frame import Frame, ip_text, mac_text

__all__ = ["DISSECTOR", "Checksum", "Dhcp", "DhcpExchange", "DhcpKind", "DhcpType", "Route"]

_UDP_HEADER = 8
_THROUGH_MAC = 34
"""Bytes from ``op`` to the end of the client's MAC: less tells nobody's request from another's."""
_FIXED = 236
"""Bytes before the options."""
_COOKIE = b"\x63\x82\x53\x63"
_ETHERNET = 1
_SECOND = 10**9


def read(cursor: Cursor) -> Iterator[Dhcp]:
    """The one message of a UDP datagram, from its UDP header on."""
    frame = cursor.frame
    if frame is not None and (frame.more_fragments or frame.fragment_offset):
        raise Truncated("an IP fragment holds only a part of the message", cursor.at)
    header = cursor.take(_UDP_HEADER, "UDP header")
    length = int.from_bytes(header[4:6], "big")
    if length < _UDP_HEADER:
        raise Malformed(f"UDP length {length} is less than its header", cursor.at - 4)
    try:
        body = cursor.sub(length - _UDP_HEADER, "DHCP message")
    except Truncated as problem:
        cut = problem
    else:
        yield _whole(header, body, frame)
        return
    if cursor.left >= _THROUGH_MAC:
        there = Cursor(cursor.peek(cursor.left).ljust(_FIXED, b"\0"), closed=True, frame=frame)
        yield _message(there, Checksum.UNKNOWN, False, cut=True)
    raise cut


def _whole(header: bytes, body: Cursor, frame: Frame | None) -> Dhcp:
    datagram = header + body.peek(body.left)
    checksum, offloaded = udp_checksum(datagram, frame)
    return _message(body, checksum, offloaded, cut=False)


def _message(body: Cursor, checksum: Checksum, offloaded: bool, *, cut: bool) -> Dhcp:
    op, hardware_type, hardware_bytes, hops = body.take(4, "op, htype, hlen, hops")
    xid = body.u32("xid")
    secs = body.u16("secs")
    flags = body.u16("flags")
    ciaddr, yiaddr, siaddr, giaddr = (_address(body.u32(name)) for name in ("ciaddr", "yiaddr", "siaddr", "giaddr"))
    hardware = body.take(16, "chaddr")
    sname = body.sub(64, "sname")
    file = body.sub(128, "file")
    # Plain BOOTP (RFC 951) has a vendor area without the cookie, or with nothing in it.
    has_options = body.peek(4) == _COOKIE
    if has_options:
        body.skip(4, "magic cookie")
    options = collect(body if has_options else None, file, sname, cut=cut)
    return Dhcp(
        op=op,
        xid=xid,
        chaddr=mac_text(int.from_bytes(hardware[:6], "big"))
        if hardware_type == _ETHERNET and hardware_bytes == 6
        else None,
        hardware_type=hardware_type,
        hops=hops,
        secs=secs,
        broadcast=bool(flags & 0x8000),
        ciaddr=ciaddr,
        yiaddr=yiaddr,
        siaddr=siaddr,
        giaddr=giaddr,
        sname=options.sname,
        options=options.codes,
        checksum=checksum,
        checksum_offloaded=offloaded,
        cut=cut,
        **typed(options),
    )


def _address(word: int) -> str | None:
    return ip_text(4, 0, 0, 0, word) if word else None


def withheld(message: object) -> str | None:
    """The key of an authentication."""
    return "DHCP authentication" if isinstance(message, Dhcp) and 90 in message.options else None


DISSECTOR = Dissector(
    name="dhcp",
    spec="RFC 2131",
    messages=(Dhcp,),
    read=read,
    layer=Layer.TRANSPORT,
    udp_ports=frozenset({67, 68}),
    # A loop repeats one DISCOVER a million times; addresses, xid and chaddr are within the key.
    sample=Sample(first=64, every_ns=_SECOND),
    pair=pair,
    exchanges=(DhcpExchange,),
    withheld=withheld,
    secrets={"options": "codes only: the keys of authentication (option 90) and vendor options are never read"},
    names=frozenset({"hostname", "domain", "fqdn", "search", "sname", "tftp_server"}),
)
