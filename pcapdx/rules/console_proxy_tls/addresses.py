"""Whether an address is a site's own. Python's ``is_private`` also counts ranges of documentation, public here."""

from ipaddress import ip_address, ip_network

_OWN = tuple(
    ip_network(one)
    for one in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)
"""RFC 1918, 6598, 3927, 1122, 4193, 4291."""


def is_private(ip: str | None) -> bool:
    """Reached within a site only; False where there is no address."""
    return ip is not None and any(ip_address(ip) in one for one in _OWN)
