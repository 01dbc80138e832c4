"""Pseudonyms of IP and MAC addresses: prefixes are kept, and what an address tells a network by its kind.

IPv4: every octet keeps its number of digits, so that a pseudonym fits wherever the address stands as text. Ranges that
mean something (private, link-local, multicast …) map into themselves; ``.0``, ``.1``, ``.254`` and ``.255`` stay.
MAC: vendor, group and local bit stay. IPv6: the last 24 bits map as those of a MAC, so that solicited-node groups and
addresses made of MACs hold together; ``::`` as interface identifier stays, for it names the network.
"""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Network, ip_network

from pcapdx.anonymize.trie import Trie

_KINDS = (
    "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
    "169.254.169.254/32", "169.254.0.1/32", "1.1.1.1/32", "8.8.8.8/32", "8.8.4.4/32", "9.9.9.9/32",
)  # fmt: skip
"""RFC 1918, 6598, 3927; the metadata service, the host's end of CloudStack's control network, and resolvers that all
the world asks."""
_SAME = ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4")
"""What is nobody's address stays as it is: unspecified, loopback, groups, broadcast (and masks)."""
_KINDS_V6 = ("2000::/3", "fc00::/8", "fd00::/8", "fe80::/10", "ff00::/8", "::/8", "2001::/32", "2002::/16")
_LOW24, _LOW64 = (1 << 24) - 1, (1 << 64) - 1
_GROUP, _EUI, _UNIVERSAL = 1 << 40, 0xFFFE, 1 << 57
_SOLICITED = 0xFF02_0000_0000_0000_0000_0001_FF00_0000
_SOLICITED_MAC = 0x3333_FF00_0000
_CONTROL_MAC, _CONTROL_NET = 0x0E00_A9FE_0000, 0xA9FE_0000
_SHARED_MACS = (0x0000_5E00_0100, 0x0000_5E00_0200, 0x0000_0C07_AC00)
"""VRRP and HSRP: the last byte is a group's number, and all of it is well known."""
_WITH_V4 = (0xFFFF << 32, 0x64FF9B << 96)
"""IPv4 addresses within IPv6: mapped (RFC 4291) and translated (RFC 6052)."""


def _digits_kept() -> list[int]:
    """By octet: the bits that no branch may swap, or octets would get more or fewer digits."""
    kept = [0] * 256
    for place in range(8):
        bit = 0x80 >> place
        for begin in range(0, 256, 2 * bit):
            below = range(begin, begin + 2 * bit)
            if any(len(str(one)) != len(str(one ^ bit)) for one in below):
                for one in below:
                    kept[one] |= bit
    return kept


def _run_kept(filled: tuple[int, ...], longest: int) -> list[int]:
    """By octet: the bits behind a beginning of ones alone or (as ``filled`` says) of zeros, ``longest`` at most."""
    kept = [0] * 256
    for octet in range(256):
        for place in range(longest):
            if place == 0 or any(octet >> (8 - place) == (0, (1 << place) - 1)[digit] for digit in filled):
                kept[octet] |= 0x80 >> place
    return kept


_DIGITS = _digits_kept()
_ENDS, _ONES = _run_kept((0, 1), 8), _run_kept((1,), 8)


def _special(kinds: tuple[str, ...]) -> list[tuple[int, int]]:
    return [(int(one.network_address), one.prefixlen) for one in map(ip_network, kinds)]


_V4, _V4_SAME = _special(_KINDS), [ip_network(one) for one in _SAME]
_V4_ALL = [*_V4, *_special(_SAME)]
_V6 = _special(_KINDS_V6)


def _towards(value: int, bits: int, prefixes: list[tuple[int, int]]) -> int:
    """The bits at which a value is still on the way to one of the prefixes."""
    fast = 0
    for net, length in prefixes:
        common = bits - (value ^ net).bit_length()
        reached = min(common + 1, length)
        fast |= (1 << bits) - (1 << (bits - reached))
    return fast


def fast_v4(value: int) -> int:
    """Of an IPv4 address the bits that stay."""
    if any(int(one.network_address) ^ value < one.num_addresses for one in _V4_SAME if isinstance(one, IPv4Network)):
        return 0xFFFF_FFFF
    octets = [value >> shift & 255 for shift in (24, 16, 8, 0)]
    fast = 0
    for octet in octets:
        fast = fast << 8 | _DIGITS[octet]
    return fast | _ONES[octets[2]] << 8 | _ENDS[octets[3]] | _towards(value, 32, _V4_ALL)


def _fast_v6(value: int) -> int:
    return _towards(value << 64, 128, _V6) >> 64


class Addresses:
    """The pseudonyms that a key of 32 bytes stands for."""

    def __init__(self, keys: Callable[[str], bytes]) -> None:
        """``keys`` gives the key for a purpose."""
        self._v4 = Trie(keys("ipv4"), 32, fast_v4, restless=True)
        self._net = Trie(keys("ipv6"), 64, _fast_v6)
        self._middle = Trie(keys("interface"), 40)
        self._low = Trie(keys("nic"), 24)
        self.ipv4 = lru_cache(maxsize=1 << 16)(self._v4.hide)
        self.mac = lru_cache(maxsize=1 << 16)(self._mac)
        self.ipv6 = lru_cache(maxsize=1 << 16)(self._ipv6)

    def reveal_ipv4(self, value: int) -> int:
        """The address whose pseudonym this is."""
        return self._v4.reveal(value)

    def _mac(self, value: int) -> int:
        return self._of_mac(value, self._low.hide, self.ipv4)

    def reveal_mac(self, value: int) -> int:
        """The address whose pseudonym this is."""
        return self._of_mac(value, self._low.reveal, self._v4.reveal)

    def _of_mac(self, value: int, low: Callable[[int], int], ipv4: Callable[[int], int]) -> int:
        if value & _GROUP:
            return value & ~_LOW24 | low(value & _LOW24) if value & ~_LOW24 == _SOLICITED_MAC else value
        if not value or value & ~0xFF in _SHARED_MACS:
            return value
        if value & ~0xFFFF == _CONTROL_MAC:
            return _CONTROL_MAC | ipv4(_CONTROL_NET | value & 0xFFFF) & 0xFFFF
        return value & ~_LOW24 | low(value & _LOW24)

    def _ipv6(self, value: int) -> int:
        return self._of_ipv6(value, self._net.hide, self._interface, self.ipv4, self._low.hide)

    def reveal_ipv6(self, value: int) -> int:
        """The address whose pseudonym this is."""
        return self._of_ipv6(value, self._net.reveal, self._reveal_interface, self._v4.reveal, self._low.reveal)

    def _of_ipv6(
        self,
        value: int,
        net: Callable[[int], int],
        interface: Callable[[int], int],
        ipv4: Callable[[int], int],
        low: Callable[[int], int],
    ) -> int:
        if value >> 32 << 32 in _WITH_V4:
            return value >> 32 << 32 | ipv4(value & 0xFFFF_FFFF)
        if value >> 120 == 0xFF:
            return value & ~_LOW24 | low(value & _LOW24) if value & ~_LOW24 == _SOLICITED else value
        if value >> 32 == 0:
            return value
        begin = value >> 64
        return (begin if begin >> 54 == 0x3FA else net(begin)) << 64 | interface(value & _LOW64)

    def _interface(self, value: int) -> int:
        return self._of_interface(value, self.mac, self._middle.hide, self._low.hide)

    def _reveal_interface(self, value: int) -> int:
        return self._of_interface(value, self.reveal_mac, self._middle.reveal, self._low.reveal)

    def _of_interface(
        self, value: int, mac: Callable[[int], int], middle: Callable[[int], int], low: Callable[[int], int]
    ) -> int:
        """Of an interface identifier: one made of a MAC stays one, and the empty one stays."""
        if _is_eui(value):
            kept = value ^ _UNIVERSAL
            fresh = mac(kept >> 40 << 24 | kept & _LOW24)
            return (fresh >> 24 << 40 | _EUI << 24 | fresh & _LOW24) ^ _UNIVERSAL
        if not value:
            return 0
        fresh = value
        while True:  # walks on within the permutation until it is out of what has a meaning of its own
            fresh = middle(fresh >> 24) << 24 | low(fresh & _LOW24)
            if fresh and not _is_eui(fresh):
                return fresh


def _is_eui(interface: int) -> bool:
    """Made of a MAC (RFC 4291, appendix A); not of a group's, which would not come back."""
    return interface >> 24 & 0xFFFF == _EUI and not interface >> 56 & 1


def network_v4(hidden: int, length: int) -> int:
    """The network of so many bits that a pseudonym lies in."""
    return hidden & ((1 << 32) - (1 << (32 - length)))


def network_v6(hidden: int, length: int) -> int:
    """The same of IPv6."""
    return hidden & ((1 << 128) - (1 << (128 - length)))
