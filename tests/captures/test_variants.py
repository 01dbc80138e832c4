"""Every labelled case once more as somebody else might have recorded it: begun late, ended early, cut at 96 bytes,
roles not told, points in another order, a clock an hour off. Nothing may be claimed at warning or above that is not
true of the case.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from captures.lab import post
from pcapdx.vantage import CaptureArgument
from tests import labelled

Arguments = Sequence[CaptureArgument]

TRUE_OF_A_PART = {
    ("dhcp-range-missing-for-one-subnet", "late"): "DHCP001",  # whom the router serves was before
    ("dhcp-unknown-mac-any", "late"): "DHCP001",
    ("held-out-dhcp-mac-unknown", "late"): "DHCP001",
    ("held-out-third-unknown-and-no-web", "late"): "DHCP001",
    ("held-out-third-management-maintenance", "early"): "HOST002",  # that the restart ends comes later
    ("held-out-sixth-agents-change-servers", "early"): "HOST002",  # that another takes them in comes later
    ("held-out-fifth-password-at-own-address", "cut"): "PWD001",  # what the gateway serves is cut off
    ("held-out-fifth-router-starts-late", "early"): "PWD001",  # that the server comes up comes later
    ("vlan-qinq-one-customer-unserved", "late"): "HYP006",  # the customer that is served was before
    ("vlan-only-peer-stopped-midway", "late"): "VLAN001",  # that its VLAN was carried was before
    ("ovs-port-without-tag", "untold"): "HYP004",  # a tap that shows tags of others could be a NIC
    ("path-vlan-native-on-far-port", "late2"): "HYP004",  # untagged at that NIC is what was done
    ("nic-cables-swapped", "untold"): "VLAN022",  # without roles two NICs are two points of a path
    ("nic-cables-swapped", "unnamed"): "VLAN022",
    ("path-vlan-not-on-near-port", "unnamed"): "VLAN022",  # a tap and the far NIC, the one between them aside
}
"""Other rules that tell the same fault where the part does not show as much; the label is of the whole."""


def _steps(frames: int) -> dict[str, post.Step]:
    return {
        "early": post.between(1, max(1, frames * 6 // 10)),
        "late": post.between(max(1, frames * 4 // 10)),
        "cut": post.snap(96),
        "shifted": post.shifted(3600.5),
    }


def variants(arguments: Arguments, folder: Path) -> Iterator[tuple[str, Arguments]]:
    """Names and the captures to analyse instead."""
    yield "untold", [replace(one, role=None) for one in arguments]
    several = len(arguments) > 1
    if several:
        yield "unnamed", [replace(one, role=None, named=False) for one in arguments]
        yield "reversed", arguments[::-1]
    for place, one in enumerate(arguments):
        whole = post.plain(one.path, folder)
        _, records = post.read(whole)
        for name, step in _steps(len(records)).items():
            if records and (several or name != "shifted"):
                changed = replace(one, path=str(step(whole).rename(folder / f"{name}{place}.pcap")))
                yield f"{name}{place if several else ''}", [*arguments[:place], changed, *arguments[place + 1 :]]


@pytest.mark.parametrize("name", sorted(labelled.CASES))
def test_nothing_untrue_is_said_of_a_variant(name: str, tmp_path: Path) -> None:
    if shutil.which("editcap") is None:
        pytest.skip("editcap (tshark) is not installed")
    case = labelled.CASES[name]
    untrue = []
    for variant, arguments in variants(case.arguments, tmp_path):
        allowed = case.allowed | {TRUE_OF_A_PART.get((name, variant), "")}
        untrue += [f"{variant}: {one}" for one in labelled.untrue(name, arguments, allowed)]
    assert not untrue, "\n".join(untrue)
