"""Which addresses are reached from anywhere, and which lie in one of the planned networks."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network

_INTERNAL = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "224.0.0.0/3",
            "::/127",
            "fc00::/7",
            "fe80::/10",
            "ff00::/8",
        ),
    )
)
"""RFC 1918, 6598, 3927, 4193, loopback, link-local, and what is no unicast address."""
NEIGHBOURS_V4, NEIGHBOURS_V6 = 24, 64


@lru_cache(maxsize=1 << 12)
def is_public(ip: str | None) -> bool:
    """Neither private nor local: an address that the whole world may have."""
    return ip is not None and not within(ip, map(str, _INTERNAL))


def within(ip: str | None, networks: Iterable[str]) -> bool:
    """Whether an address lies in one of these networks."""
    if not ip:
        return False
    address = ip_address(ip)
    return any(address in ip_network(one) for one in networks)


def neighbours(one: str, other: str) -> bool:
    """Whether two addresses may well be of one subnet: the first 24 bits (IPv6: 64) are equal."""
    length = NEIGHBOURS_V6 if ":" in one else NEIGHBOURS_V4
    return ip_address(other) in ip_network(f"{one}/{length}", strict=False)
