import pytest
from hypothesis import given

from dissectors.ipv6_nd import (
    NeighborAdvertisement,
    NeighborSolicitation,
    Prefix,
    RouterAdvertisement,
    RouterSolicitation,
    read,
)
from pcapdx.dissect import Cursor, Truncated
from tests.dissectors.feeding import mutated, survives

ADVERTISEMENT = bytes.fromhex(
    "8600 1d2a 40 c0 0708 00000000 00000000"
    "0101 020102110001"
    "0304 40c0 00015180 00003840 00000000 fd000131000000000000000000000000"
    "0501 0000 00000578"
    "1903 0000 0000001e fd000131000000000000000000000001"
)
SOLICITATION = bytes.fromhex("8500 7bb8 00000000 0101 020102110016")
NEIGHBOR = bytes.fromhex("8700 0000 00000000 fd000131000000000001 02fffe110016 0101 020102110016")
ANSWER = bytes.fromhex("8800 0000 e0000000 fd000131000000000001 02fffe110016 0201 020102110016")


def test_router_advertisement() -> None:
    (message,) = read(Cursor(ADVERTISEMENT))
    assert message == RouterAdvertisement(
        hop_limit=64,
        managed=True,
        other=True,
        lifetime_s=1800,
        source_mac="02:01:02:11:00:01",
        prefixes=(Prefix(prefix="fd00:131::/64", on_link=True, autonomous=True, valid_s=86400, preferred_s=14400),),
        mtu=1400,
        dns=("fd00:131::1",),
    )
    assert message.label == "Router Advertisement fd00:131::/64"


def test_router_solicitation() -> None:
    assert list(read(Cursor(SOLICITATION))) == [RouterSolicitation(source_mac="02:01:02:11:00:16")]


def test_neighbors() -> None:
    address, mac = "fd00:131::1:2ff:fe11:16", "02:01:02:11:00:16"
    assert list(read(Cursor(NEIGHBOR))) == [NeighborSolicitation(target=address, source_mac=mac)]
    assert list(read(Cursor(ANSWER))) == [
        NeighborAdvertisement(target=address, target_mac=mac, router=True, solicited=True, override=True)
    ]


def test_other_icmpv6_is_left_alone() -> None:
    assert list(read(Cursor(bytes.fromhex("8000 0000 0001 0002")))) == []


def test_an_option_of_length_nothing_is_malformed() -> None:
    assert survives(read, SOLICITATION[:8] + bytes.fromhex("0100 000000000000")) == []


@pytest.mark.parametrize("length", range(1, 16))
def test_cut_in_the_fixed_part(length: int) -> None:
    """Behind it the options begin, and a message may end there."""
    with pytest.raises(Truncated):
        list(read(Cursor(ADVERTISEMENT[:length], wire_bytes=len(ADVERTISEMENT))))


@given(mutated(ADVERTISEMENT, SOLICITATION, NEIGHBOR, ANSWER))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
