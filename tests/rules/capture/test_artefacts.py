"""CAP002 and CAP003: filters that hide tags, and packets recorded twice."""

from pathlib import Path

import pytest

from captures.lab.artefacts import noting_filter
from pcapdx.diagnose import Analysis, analyze
from pcapdx.diagnosis import State
from pcapdx.model import Topic
from pcapdx.vantage import CaptureArgument, Role
from tests.rules.build import Tape, arp_reply, arp_request, echo, plugins

GUEST, PEER = "02:01:00:cc:00:16", "02:01:00:cc:00:01"


def talk(vlan: int = 0, *, one_way: bool = False) -> Tape:
    """Somebody asks; somebody answers."""
    tape = Tape()
    for n in range(4):
        tape.add(n + 0.001, arp_reply(PEER, "10.1.0.1", GUEST, "10.1.0.7"), vlan=vlan, wire=True)
        if not one_way:
            tape.add(n, arp_request(GUEST, "10.1.0.7", "10.1.0.1"), vlan=vlan)
    return tape


def filtered(folder: Path, tape: Tape, expression: str, role: Role | None) -> Analysis:
    """The same as pcapng that notes a capture filter."""
    tape.analysis(folder)
    path = noting_filter(expression, "eno1")(folder / "tape.pcap")
    return analyze([CaptureArgument(name="a", role=role, path=str(path), named=True)], plugins(), strict=True)


def codes(analysis: Analysis) -> set[str]:
    """Of all findings."""
    return {one.finding.code for one in analysis.diagnosed.findings}


@pytest.mark.parametrize(
    ("tape", "expression", "role", "told"),
    [
        (talk(), "arp or port 67", Role.NIC, True),
        (talk(), "arp or port 67", None, True),
        (talk(101, one_way=True), "arp or port 67", Role.TRUNK, True),
        (talk(101), "arp or port 67", Role.TRUNK, False),
        (talk(), "arp or port 67", Role.TAP, False),
        (talk(), "arp or (vlan and arp)", Role.NIC, False),
        (talk(), "ether host 02:01:00:cc:00:16", Role.NIC, False),
    ],
    ids=["no tag", "role unknown", "one way", "both ways", "at a tap", "with vlan", "link-layer filter"],
)
def test_filters(tmp_path: Path, tape: Tape, expression: str, role: Role | None, told: bool) -> None:
    assert ("CAP002" in codes(filtered(tmp_path, tape, expression, role))) is told


def pings(count: int, *, again_after_s: float = 0, vlan: int = 0) -> Tape:
    """Echo requests, each perhaps recorded once more."""
    tape = Tape()
    for n in range(count):
        frame = echo(GUEST, "10.1.0.7", PEER, "10.1.0.1", number=n)
        tape.add(n / 10, frame, vlan=101)
        if again_after_s:
            tape.add(n / 10 + again_after_s, frame, vlan=vlan or 101)
    return tape


def test_every_packet_twice(tmp_path: Path) -> None:
    assert pings(60, again_after_s=0.0001).findings(tmp_path, "CAP003", role=Role.TRUNK)


def test_too_few_to_say(tmp_path: Path) -> None:
    assert not pings(40, again_after_s=0.0001).findings(tmp_path, "CAP003", role=Role.TRUNK)


def test_what_comes_later_is_sent_again(tmp_path: Path) -> None:
    assert not pings(60, again_after_s=0.02).findings(tmp_path, "CAP003", role=Role.TRUNK)


def test_a_router_between_two_vlans_makes_no_copies(tmp_path: Path) -> None:
    assert not pings(60, again_after_s=0.0001, vlan=102).findings(tmp_path, "CAP003", role=Role.TRUNK)


@pytest.mark.parametrize("role", [Role.TAP, Role.BRIDGE, Role.VLAN, Role.ROUTER, Role.ANY, None])
def test_where_no_tag_is_expected_none_is_missed(tmp_path: Path, role: Role | None) -> None:
    topics = {one.topic: one for one in talk().analysis(tmp_path, role=role).diagnosed.topics}
    assert topics[Topic.VLAN_TRUNK].state is State.CANNOT_TELL
    assert "802.1Q" in topics[Topic.VLAN_TRUNK].why
