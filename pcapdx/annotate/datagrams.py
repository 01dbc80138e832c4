"""Secrets in single packets: SNMP communities, DHCP authentication and vendor options, VRRP passwords, syslog.

Sources: RFC 1157 and 3416 (SNMP), RFC 3118 and 2132 (DHCP options 90, 43, 125), RFC 8415 (DHCPv6 options 11, 17),
RFC 2338, 5.3.10 (VRRP version 2 authentication), 2281 (HSRP), 2453 (RIP), 2865 (RADIUS), 2328 (OSPF).
"""

from collections.abc import Callable, Iterator

from pcapdx.annotate import words
from pcapdx.annotate.words import Found

Finder = Callable[[bytes], Iterator[Found]]

MAGIC = b"\x63\x82\x53\x63"
OPTIONS_AT = 240
SECRET_OPTIONS = frozenset({43, 90, 125})
SECRET_OPTIONS_V6 = frozenset({11, 17})
VRRP_PLAIN_TEXT = 1
RADIUS_SECRETS = frozenset({2, 3})


def snmp(data: bytes) -> Iterator[Found]:
    """The community of versions 1 and 2c."""
    at = 2 + (data[1] & 0x7F if len(data) > 1 and data[1] & 0x80 else 0)
    if data[:1] == b"\x30" and data[at : at + 2] == b"\x02\x01" and data[at + 2 : at + 4] in (b"\0\4", b"\1\4"):
        size = data[at + 4] if at + 4 < len(data) else 0
        if size < 0x80:
            yield at + 5, min(at + 5 + size, len(data)), "SNMP community"
        else:
            yield at + 5, len(data), "SNMP community"


def dhcp(data: bytes) -> Iterator[Found]:
    """Values of options that authenticate or that only the vendor knows."""
    if data[OPTIONS_AT - 4 : OPTIONS_AT] != MAGIC:
        return
    at = OPTIONS_AT
    while at + 1 < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        end = at + 2 + data[at + 1]
        if data[at] in SECRET_OPTIONS:
            yield at + 2, min(end, len(data)), "DHCP option"
        at = end


def dhcpv6(data: bytes) -> Iterator[Found]:
    """The same of DHCPv6, in messages of clients and servers."""
    at = 4
    while at + 4 <= len(data):
        code, size = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        if code in SECRET_OPTIONS_V6:
            yield at + 4, min(at + 4 + size, len(data)), "DHCP option"
        at += 4 + size


def vrrp(data: bytes) -> Iterator[Found]:
    """The password of version 2, behind the addresses."""
    if len(data) >= 8 and data[0] >> 4 == 2 and data[4] == VRRP_PLAIN_TEXT:
        begin = 8 + 4 * data[3]
        yield begin, min(begin + 8, len(data)), "VRRP password"


def hsrp(data: bytes) -> Iterator[Found]:
    """The word of version 1 by which routers know each other."""
    if len(data) >= 20 and data[0] == 0:
        yield 8, 16, "HSRP password"


def rip(data: bytes) -> Iterator[Found]:
    """The password of version 2, in place of the first route."""
    if data[1:2] == b"\x02" and data[4:8] == b"\xff\xff\0\x02":
        yield 8, min(24, len(data)), "RIP password"


def radius(data: bytes) -> Iterator[Found]:
    """Passwords, which the shared secret alone hides, and answers to CHAP."""
    at = 20
    while at + 2 <= len(data) and data[at + 1] >= 2:
        if data[at] in RADIUS_SECRETS:
            yield at + 2, min(at + data[at + 1], len(data)), "RADIUS password"
        at += data[at + 1]


def ospf(data: bytes) -> Iterator[Found]:
    """The password of authentication type 1."""
    if len(data) >= 24 and data[0] == 2 and data[14:16] == b"\0\x01":
        yield 16, 24, "OSPF password"


BY_PORT: dict[int, Finder] = {
    **dict.fromkeys((161, 162), snmp),
    **dict.fromkeys((67, 68), dhcp),
    **dict.fromkeys((546, 547), dhcpv6),
    **dict.fromkeys((514, 5060), words.find),
    520: rip,
    1985: hsrp,
    **dict.fromkeys((1645, 1646, 1812, 1813), radius),
}
OSPF, VRRP = 89, 112
BY_PROTOCOL: dict[int, Finder] = {VRRP: vrrp, OSPF: ospf}
