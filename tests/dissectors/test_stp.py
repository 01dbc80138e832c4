import pytest
from hypothesis import given

from dissectors.stp import Bpdu, BridgeId, read
from pcapdx.dissect import Cursor, Malformed
from tests.dissectors.feeding import assert_cuts, mutated, survives

ROOT, BRIDGE = "6001 000d65adf600", "8001 000bfd860f00"
TIMES = "0100 1400 0200 0f00"
PLAIN = bytes.fromhex(f"424203 0000 00 00 81 {ROOT} 0000000a {BRIDGE} 8001 {TIMES}")
RAPID = bytes.fromhex(f"424203 0000 02 02 3d {ROOT} 0000000a {BRIDGE} 8001 {TIMES} 00")
NOTIFICATION = bytes.fromhex("424203 0000 00 80")
PVST = bytes.fromhex(f"aaaa03 00000c 010b 0000 02 02 0e {ROOT} 00000000 {ROOT} 8004 {TIMES} 00 0000 0002 0065")


def test_plain() -> None:
    (message,) = read(Cursor(PLAIN))
    assert message == Bpdu(
        version=0,
        type=0,
        flags=0x81,
        root=BridgeId(priority=0x6000, extension=1, mac="00:0d:65:ad:f6:00"),
        root_cost=10,
        bridge=BridgeId(priority=0x8000, extension=1, mac="00:0b:fd:86:0f:00"),
        port=0x8001,
        message_age_s=1,
        max_age_s=20,
        hello_s=2,
        forward_delay_s=15,
        pvst=False,
        pvst_vlan=None,
    )
    assert message.topology_change
    assert message.acknowledges_change
    assert message.role is None
    assert message.forwards is None
    assert message.label == "Conf. TC + Root = 24576/1/00:0d:65:ad:f6:00 Cost = 10 Port = 0x8001"


def test_rapid() -> None:
    (message,) = read(Cursor(RAPID))
    assert (message.version, message.role, message.topology_change) == (2, "designated", True)
    assert message.forwards


def test_notification() -> None:
    (message,) = read(Cursor(NOTIFICATION + bytes(39)))
    assert (message.type, message.root, message.topology_change) == (0x80, None, True)
    assert message.label == "Topology Change Notification"


def test_for_one_vlan() -> None:
    (message,) = read(Cursor(PVST))
    assert (message.pvst, message.pvst_vlan, message.topology_change) == (True, 101, False)
    assert "VLAN 101" in message.label
    (cut,) = read(Cursor(PVST[:-2], wire_bytes=len(PVST)))
    assert (cut.pvst, cut.pvst_vlan) == (True, None)


def test_other_snap_and_llc_are_left_alone() -> None:
    assert list(read(Cursor(bytes.fromhex("aaaa03 00000c 2000") + bytes(40)))) == []
    assert list(read(Cursor(bytes.fromhex("4242f3") + bytes(40)))) == []


@pytest.mark.parametrize(("at", "value"), [(4, 1), (6, 7)], ids=["protocol", "type"])
def test_an_unknown_kind_is_malformed(at: int, value: int) -> None:
    with pytest.raises(Malformed):
        list(read(Cursor(PLAIN[:at] + bytes((value,)) + PLAIN[at + 1 :])))


def test_cut_at_every_byte() -> None:
    assert_cuts(read, PLAIN)
    assert_cuts(read, NOTIFICATION)


@given(mutated(PLAIN, RAPID, NOTIFICATION, PVST))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
