"""Where a capture was taken: by its argument, else read off its traffic with care."""

from dataclasses import replace
from pathlib import Path

import pytest

from pcapdx.diagnose import analyze
from pcapdx.errors import PcapdxError
from pcapdx.inference import ENOUGH_FRAMES
from pcapdx.vantage import CaptureArgument, Role, Vantage, parse_argument
from tests import labelled
from tests.capture.writing import Packet, enhanced, interface, option, section


@pytest.mark.parametrize(
    ("text", "name", "role", "path"),
    [
        ("hostA:trunk=a-eth1.pcap", "hostA", Role.TRUNK, "a-eth1.pcap"),
        ("hostA:TRUNK=a.pcap", "hostA", Role.TRUNK, "a.pcap"),
        ("vm=/tmp/x=y.pcap", "vm", None, "/tmp/x=y.pcap"),
        ("r-12.lab=a", "r-12.lab", None, "a"),
        ("br0=-", "br0", None, "-"),
        ("/data/dhcp.pcap.gz", "dhcp", None, "/data/dhcp.pcap.gz"),
        ("a.b.PCAPNG.zst", "a.b", None, "a.b.PCAPNG.zst"),
        ("-", "stdin", None, "-"),
        (".pcap", ".pcap", None, ".pcap"),
        ("./a=b.pcap", "a=b", None, "./a=b.pcap"),
        ("=x.pcap", "=x", None, "=x.pcap"),
    ],
)
def test_argument(text: str, name: str, role: Role | None, path: str) -> None:
    parsed = parse_argument(text)
    assert (parsed.name, parsed.role, parsed.path) == (name, role, path)
    assert parsed.named is (text not in (path, name))


def test_unknown_role_is_told() -> None:
    with pytest.raises(
        PcapdxError, match=r"'switch' is no role; the roles are tap, bridge, vlan, nic, bond, trunk, router, any"
    ):
        parse_argument("a:switch=b.pcap")


@pytest.mark.parametrize("role", Role)
def test_wire(role: Role) -> None:
    assert role.is_wire is (role in {Role.NIC, Role.BOND, Role.TRUNK})


def vantage_of(path: Path | str) -> Vantage:
    argument = CaptureArgument(name="x", role=None, path=str(path), named=True)
    return analyze([argument], labelled.plugins()).case.views[0].vantage


def taken(role: Role) -> list[str]:
    """Cases of one capture that were taken so, by their truth."""
    return [
        name
        for name, case in sorted(labelled.CASES.items())
        if case.truth.get("taken_at") == role and len(case.arguments) == 1
    ]


ALIKE = {
    # what each place may be taken for, besides unknown: its neighbours show the same, and so does an end's own NIC
    Role.TAP: {Role.TAP},
    Role.BRIDGE: {Role.BRIDGE, Role.TAP},
    Role.VLAN: {Role.VLAN, Role.BRIDGE, Role.TAP},
    Role.NIC: {Role.NIC, Role.TRUNK, Role.BOND, Role.TAP},
    Role.BOND: {Role.BOND, Role.NIC, Role.TRUNK},
    Role.TRUNK: {Role.TRUNK, Role.NIC, Role.BOND},
    Role.ROUTER: {Role.ROUTER, Role.TAP},
    Role.ANY: {Role.ANY},
}


TRUNKS_BY_OTHER_NAMES = {
    "held-out-fifth-xen-vif-without-tag",
    "held-out-seventh-bridges-own-port",
    "held-out-seventh-proxy-beside-the-vlan",
    "held-out-seventh-tag-comes-back",
    "held-out-seventh-vlan-taken-off-port",
    "innocent-broadcasts-of-a-trunk",
    "ovs-port-without-tag",
    "ovs-trunk-nic-by-design",
    "template-tags-its-frames",
}
"""Taps and bridges with tagged frames of several VLANs: what goes over them is a trunk, whoever is behind it."""


@pytest.mark.parametrize("name", sorted({name for role in Role for name in taken(role)} - TRUNKS_BY_OTHER_NAMES))
def test_inferred_role_is_not_wrong(name: str) -> None:
    """With the roles of the truth files left out."""
    case = labelled.CASES[name]
    [argument] = case.arguments
    [view] = analyze([replace(argument, role=None)], labelled.plugins()).case.views
    assert view.vantage.inferred
    assert view.vantage.role is None or view.vantage.role in ALIKE[Role(case.truth["taken_at"])], view.vantage.why
    assert bool(view.vantage.why) is (view.vantage.role is not None)


def test_enough_is_inferred() -> None:
    """Never guessing would pass the test above."""
    known = [
        name
        for role in (Role.TRUNK, Role.NIC, Role.ANY)
        for name in taken(role)
        if vantage_of(labelled.CASES[name].arguments[0].path).role is not None
    ]
    assert len(known) >= 10


def test_a_given_role_stands() -> None:
    [argument] = labelled.CASES["dhcp-lease-trunk"].arguments
    [view] = analyze([replace(argument, role=Role.ROUTER)], labelled.plugins()).case.views
    assert (view.vantage.role, view.vantage.inferred, view.vantage.why) == (Role.ROUTER, False, "")


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("vnet3", Role.TAP),
        ("vif12.0", Role.TAP),
        ("tap0", Role.TAP),
        ("any", Role.ANY),
        ("bond0", Role.BOND),
        ("bond0.101", Role.VLAN),
        ("brbond0-101", Role.BRIDGE),
        ("breth1-101", Role.BRIDGE),
        ("brvx-500", Role.BRIDGE),
        ("cloudVirBr101", Role.BRIDGE),
        ("xapi1", Role.BRIDGE),
        ("eth0", None),
        ("cloudbr0", None),
        ("\x1b[2J", None),
    ],
)
def test_interface_names(name: str, role: Role | None, tmp_path: Path) -> None:
    """Those that CloudStack, libvirt and Xen give tell the place; others do not."""
    path = tmp_path / "x.pcapng"
    frame = bytes.fromhex("ffffffffffff0201000000010806") + bytes(46)
    path.write_bytes(section() + interface(option(2, name.encode())) + enhanced(Packet(1, frame)))
    vantage = vantage_of(path)
    assert (vantage.role, vantage.interface) == (role, name)


@pytest.mark.parametrize(
    ("names", "role"),
    [(("vnet3", "eth1"), Role.ANY), (("vnet3", "vnet4"), Role.TAP), (("eth0", "eth1"), None)],
)
def test_several_interfaces_in_one_file(names: tuple[str, ...], role: Role | None, tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    frame = bytes.fromhex("ffffffffffff0201000000010806") + bytes(46)
    blocks = b"".join(interface(option(2, name.encode())) for name in names)
    path.write_bytes(section() + blocks + enhanced(Packet(1, frame)))
    assert vantage_of(path).role == role


def test_a_tap_and_a_nic_without_names() -> None:
    [argument] = labelled.CASES["held-out-third-tap-and-nic-in-one-file"].arguments
    assert vantage_of(argument.path).why == "several interfaces, with and without a tag"


def test_few_frames_tell_nothing() -> None:
    """Nine frames between two machines could have been seen by either."""
    assert ENOUGH_FRAMES >= 10
    assert vantage_of(labelled.CASES["dhcp-capture-ends-early"].arguments[0].path).role is None
