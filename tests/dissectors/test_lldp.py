import pytest
from hypothesis import given

from dissectors.lldp import Lldp, Vlan, read
from pcapdx.dissect import Cursor, Malformed, Truncated
from tests.dissectors.feeding import mutated, survives

MANDATORY = bytes.fromhex("0207 04 000130f9ada0 0404 05 312f31 0602 0078")
SUMMIT = (
    MANDATORY
    + bytes.fromhex("0817") + b"Summit300-48-Port 1001\0"
    + bytes.fromhex("0a0d") + b"Summit300-48\0"
    + bytes.fromhex("100c 0501 0affff01 02 000003e9 00")
    + bytes.fromhex("fe09 00120f 03 03 00000007")
    + bytes.fromhex("fe06 00120f 04 05f2 fe06 0080c2 01 01e8 fe07 0080c2 02 02 0003")
    + bytes.fromhex("fe0a 0080c2 03 01e8 03 766d31 fe0b 0080c2 03 01e9 04 766d3200")
    + bytes.fromhex("fe0a 0080c2 04 05 0000424203")
    + bytes.fromhex("0000")
)  # fmt: skip
MAC_PORT = (
    bytes.fromhex("0207 04 02010acc0001 0407 03 02010acc0002 0602 0000 0805") + b"eth1" + bytes.fromhex("00 0000")
)


def test_what_a_switch_port_says() -> None:
    (message,) = read(Cursor(SUMMIT + bytes(8)))
    assert message == Lldp(
        chassis="00:01:30:f9:ad:a0",
        chassis_subtype=4,
        port="1/1",
        port_subtype=5,
        ttl_s=120,
        port_description="Summit300-48-Port 1001",
        system_name="Summit300-48",
        system_description=None,
        management=("10.255.255.1",),
        port_vlan=488,
        vlans=(Vlan(vid=488, name="vm1"), Vlan(vid=489, name="vm2")),
        protocol_vlans=(3,),
        protocols=("0000424203",),
        aggregation=3,
        aggregated_port=7,
        max_frame=1522,
        cut=False,
    )
    assert message.aggregated
    assert message.vlan_ids == (488, 489)
    assert message.label == "Summit300-48 port 1/1 TTL 120 s"


def test_a_port_whose_id_is_a_mac_is_known_by_its_description() -> None:
    (message,) = read(Cursor(MAC_PORT))
    assert (message.port, message.port_name, message.ttl_s) == ("02:01:0a:cc:00:02", "eth1", 0)
    assert message.label == "02:01:0a:cc:00:01 port eth1 TTL 0 s"


def test_addresses_as_identity() -> None:
    unit = bytes.fromhex("0206 05 01 0a000001 0412 04 02 fd000000000000000000000000000001 0602 0078")
    (message,) = read(Cursor(unit))
    assert (message.chassis, message.port) == ("10.0.0.1", "fd00::1")
    (other,) = read(Cursor(bytes.fromhex("0203 05 06 aa 0402 07 41 0602 0078")))
    assert other.chassis is None


def test_without_an_end() -> None:
    """Some senders fill the frame to its last byte."""
    (message,) = read(Cursor(MANDATORY, wire_bytes=len(MANDATORY)))
    assert message.port == "1/1"


def test_of_a_unit_that_was_cut_what_there_is() -> None:
    units = read(Cursor(SUMMIT[:58], wire_bytes=len(SUMMIT)))
    message = next(units)
    assert (message.port, message.port_description, message.system_name) == ("1/1", "Summit300-48-Port 1001", None)
    assert message.cut
    with pytest.raises(Truncated):
        next(units)


def test_the_first_three_are_due() -> None:
    with pytest.raises(Malformed, match="TLV 2 where 1 is due"):
        list(read(Cursor(MANDATORY[9:] + MANDATORY[:9])))


def test_values_too_short_for_their_kind_are_left_out() -> None:
    odd = bytes.fromhex("fe04 0080c2 01 fe05 00120f 04 05 fe08 00120f 03 03 0000 00 fe03 0080c2 1001 05 0000")
    (message,) = read(Cursor(MANDATORY + odd))
    assert (message.port_vlan, message.max_frame, message.aggregation, message.management) == (None, None, None, ())


@pytest.mark.parametrize("length", range(len(SUMMIT)))
def test_cut_at_every_byte(length: int) -> None:
    """By the snap length always truncated; a sender may end behind any optional TLV."""
    with pytest.raises(Truncated):
        list(read(Cursor(SUMMIT[:length], wire_bytes=len(SUMMIT))))
    survives(read, SUMMIT[:length])


@given(mutated(SUMMIT, MAC_PORT))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
