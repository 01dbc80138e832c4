"""Pseudonyms of addresses: one to one, prefixes kept, Crypto-PAn where nothing is held fast, kinds as they were."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yacryptopan import CryptoPAn

from pcapdx.anonymize.addresses import fast_v4
from pcapdx.anonymize.trie import Trie
from pcapdx.frame import mac_int
from tests.anonymize.disguising import KEY, pseudonyms

WAYS = pseudonyms().addresses
v4 = st.integers(0, 2**32 - 1)
v6 = st.integers(0, 2**128 - 1)
macs = st.integers(0, 2**48 - 1)
KINDS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10")
STAYS = (
    "0.0.0.0", "255.255.255.255", "255.255.255.0", "127.0.0.1", "224.0.0.18", "239.1.2.3", "169.254.169.254",
    "169.254.0.1", "8.8.8.8",
)  # fmt: skip
STAYS_V6 = ("::", "::1", "ff02::1", "ff05::1:3", "fe80::")


def common(one: int, other: int, bits: int) -> int:
    return bits - (one ^ other).bit_length()


def near(bits: int) -> st.SearchStrategy[tuple[int, int]]:
    """Two values, often with a long prefix in common."""
    return st.tuples(st.integers(0, 2**bits - 1), st.integers(0, bits - 1), st.integers(0, 2**bits - 1)).map(
        lambda drawn: (drawn[0], drawn[0] ^ (1 << drawn[1]) ^ (drawn[2] & ((1 << drawn[1]) - 1)))
    )


@given(v4)
def test_the_tree_is_crypto_pan(value: int) -> None:
    """Equal to an independent implementation where no branch is held fast; the held ones differ by those bits alone."""
    expected = int(IPv4Address(CryptoPAn(KEY).anonymize(str(IPv4Address(value)))))
    assert Trie(KEY, 32).hide(value) == expected
    held = Trie(KEY, 32, fast_v4).hide(value)
    assert held == (expected & ~fast_v4(value)) | (value & fast_v4(value))


@given(v6)
def test_the_tree_is_crypto_pan_for_longer_addresses(value: int) -> None:
    assert Trie(KEY, 128).hide(value) == int(IPv6Address(CryptoPAn(KEY).anonymize(str(IPv6Address(value)))))


@given(near(32))
def test_ipv4(pair: tuple[int, int]) -> None:
    one, other = map(WAYS.ipv4, pair)
    assert WAYS.reveal_ipv4(one) == pair[0]
    assert common(one, other, 32) == common(*pair, 32)
    assert len(str(IPv4Address(one))) == len(str(IPv4Address(pair[0])))


@given(v4)
def test_no_address_that_can_be_another_stays(value: int) -> None:
    assert (WAYS.ipv4(value) == value) is (fast_v4(value) == 2**32 - 1)


@given(near(128))
def test_ipv6(pair: tuple[int, int]) -> None:
    """Prefixes of networks, 64 bits, are kept; what lies within is one to one."""
    one, other = map(WAYS.ipv6, pair)
    assert WAYS.reveal_ipv6(one) == pair[0]
    assert (one == other) is (pair[0] == pair[1])
    shared = common(*pair, 128)
    if shared < 64 and not any(value >> 120 in (0, 0xFF) for value in pair):
        assert common(one, other, 128) == shared


@given(macs)
def test_macs(value: int) -> None:
    hidden = WAYS.mac(value)
    assert WAYS.reveal_mac(hidden) == value
    assert hidden >> 24 == value >> 24
    if value >> 40 & 1 and value >> 24 != 0x3333FF:
        assert hidden == value


@given(macs.map(lambda mac: mac & ~(1 << 40)), st.integers(0, 2**62 - 1))
def test_addresses_made_of_macs_hold_together(mac: int, net: int) -> None:
    """EUI-64, the solicited-node group and its MAC."""

    def eui(of: int) -> int:
        return (of >> 24 << 40 | 0xFFFE << 24 | of & 0xFFFFFF) ^ (1 << 57)

    hidden = WAYS.ipv6((1 << 61 | net >> 1) << 64 | eui(mac))
    assert hidden & (2**64 - 1) == eui(WAYS.mac(mac))
    if mac >> 32 != 0x0E00 and mac >> 40 != 0 and mac >> 24 != 0x00000C:
        low = WAYS.mac(mac) & 0xFFFFFF
        assert WAYS.ipv6(int(IPv6Address("ff02::1:ff00:0")) | mac & 0xFFFFFF) & 0xFFFFFF == low
        assert WAYS.mac(0x3333FF000000 | mac & 0xFFFFFF) & 0xFFFFFF == low


@pytest.mark.parametrize("network", KINDS)
@given(drawn=st.data())
def test_kinds_of_networks_map_into_themselves(network: str, drawn: st.DataObject) -> None:
    net = ip_network(network)
    value = int(net.network_address) + drawn.draw(st.integers(0, net.num_addresses - 1))
    assert IPv4Address(WAYS.ipv4(value)) in net


@given(v4)
def test_the_ends_of_a_network_stay_ends(value: int) -> None:
    for last in (0, 1, 254, 255):
        assert WAYS.ipv4(value & ~255 | last) & 255 == last
    assert WAYS.ipv4(value | 0xFFFF) & 0xFFFF == 0xFFFF


@pytest.mark.parametrize("address", STAYS)
def test_what_is_nobodys_stays(address: str) -> None:
    assert WAYS.ipv4(int(IPv4Address(address))) == int(IPv4Address(address))


@pytest.mark.parametrize("address", STAYS_V6)
def test_what_is_nobodys_stays_in_ipv6(address: str) -> None:
    assert WAYS.ipv6(int(IPv6Address(address))) == int(IPv6Address(address))


@pytest.mark.parametrize("mac", ["ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "00:00:5e:00:01:0a", "01:80:c2:00:00:0e"])
def test_what_is_nobodys_stays_on_the_link(mac: str) -> None:
    assert WAYS.mac(mac_int(mac)) == mac_int(mac)


def test_a_control_nic_goes_with_its_address() -> None:
    hidden = WAYS.mac(mac_int("0e:00:a9:fe:21:4d"))
    assert hidden >> 32 == 0x0E00
    assert hidden & 0xFFFFFFFF == WAYS.ipv4(int(IPv4Address("169.254.33.77")))


@given(v4)
def test_ipv4_within_ipv6(value: int) -> None:
    for prefix in (0xFFFF << 32, 0x64FF9B << 96):
        assert WAYS.ipv6(prefix | value) == prefix | WAYS.ipv4(value)
