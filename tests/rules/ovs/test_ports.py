"""OVS001, OVS002: ports that lost their tag, and those that are trunks by design."""

from pathlib import Path

from pcapdx.model import Severity
from pcapdx.site import Guest, Network, Site
from pcapdx.vantage import Role
from tests.rules.build import Tape, arp_reply, arp_request, codes, discover, rarp

GUEST, PEER = "02:01:00:cc:00:41", "02:01:00:cc:00:42"


def broadcasts(*vlans: int, each: int = 4) -> Tape:
    """Other tenants' broadcasts with their tags, and an untagged guest that asks."""
    tape = Tape()
    for place, vlan in enumerate(vlans):
        for n in range(each):
            tape.add(
                n + place / 10, arp_request(f"02:01:00:dd:00:{place:02x}", f"10.{place}.0.9", "10.0.0.1"), vlan=vlan
            )
    return tape.add(1, discover(GUEST))


def test_tags_of_two_vlans(tmp_path: Path) -> None:
    assert broadcasts(1201, 1202).finding(tmp_path, "OVS001", role=Role.TAP).severity is Severity.ERROR


def test_one_vlan_may_be_meant(tmp_path: Path) -> None:
    assert not broadcasts(1201).findings(tmp_path, "OVS001", role=Role.TAP)


def test_a_nic_is_no_tap(tmp_path: Path) -> None:
    assert not broadcasts(1201, 1202).findings(tmp_path, "OVS001", role=Role.NIC)


def test_the_guest_tags_itself(tmp_path: Path) -> None:
    tape = broadcasts(1201, 1202)
    tape.add(2, arp_request(GUEST, "10.0.0.7", "10.0.0.9"), vlan=1201)
    assert tape.finding(tmp_path, "OVS001", role=Role.TAP).severity is Severity.INFO


def test_the_profile_says_trunk(tmp_path: Path) -> None:
    site = Site(guest=(Guest(name="fw", mac=GUEST, ip="10.0.0.7"),), network=(Network(cidr="10.0.0.0/24", type="l2"),))
    found = broadcasts(1201, 1202).finding(tmp_path, "OVS001", role=Role.TAP, site=site)
    assert found.severity is Severity.INFO


def tagged_then_not(*, answered: bool = False, back: bool = False, after: int = 5) -> Tape:
    """A guest in VLAN 101, later without a tag, at a NIC that shows both kinds of padding."""
    tape = Tape()
    for n in range(5):
        tape.add(n, arp_request(GUEST, "10.1.0.7", "10.1.0.9"), vlan=101)
        tape.add(n + 0.1, arp_reply(PEER, "10.1.0.9", GUEST, "10.1.0.7"), vlan=101, wire=True)
    tape.add(9, rarp(GUEST))
    for n in range(after):
        tape.add(10 + n, arp_request(GUEST, "10.1.0.7", "10.1.0.9"))
        if answered:
            tape.add(10.1 + n, arp_reply(PEER, "10.1.0.9", GUEST, "10.1.0.7"), wire=True)
    if back:
        tape.add(30, arp_request(GUEST, "10.1.0.7", "10.1.0.9"), vlan=101)
    return tape


def test_a_port_lost_its_tag(tmp_path: Path) -> None:
    found = tagged_then_not().finding(tmp_path, "OVS002", role=Role.NIC)
    assert (found.severity, found.subject.mac) == (Severity.ERROR, GUEST)


def test_answered_without_a_tag(tmp_path: Path) -> None:
    assert not tagged_then_not(answered=True).findings(tmp_path, "OVS002", role=Role.NIC)


def test_it_has_its_tag_again(tmp_path: Path) -> None:
    assert not tagged_then_not(back=True).findings(tmp_path, "OVS002", role=Role.NIC)


def test_the_recorded_port_gets_its_tag_back(tmp_path: Path) -> None:
    """Nobody told the place: all tags end at once, and who had one is still asked for and answers."""
    other = "02:01:00:cc:00:43"
    tape = tagged_then_not()
    for n in range(5):
        tape.add(10.2 + n, arp_request(other, "10.1.0.8", "10.1.0.9"))
        tape.add(10.3 + n, arp_reply(PEER, "10.1.0.9", other, "10.1.0.8"))
    assert not {"OVS002", "HYP004"} & codes(tape.analysis(tmp_path))


def test_tags_of_several_vlans_end_together(tmp_path: Path) -> None:
    """At a place nobody told, it is the recorded port; at a NIC, it is the guest's."""
    tape = tagged_then_not()
    for n in range(5):
        tape.add(0.5 + n, arp_request("02:01:00:dd:00:01", "10.2.0.8", "10.2.0.9"), vlan=102)
    assert "OVS002" not in codes(tape.analysis(tmp_path))
    assert "OVS002" in codes(tape.analysis(tmp_path, role=Role.NIC))


def test_announcements_do_not_count(tmp_path: Path) -> None:
    assert not tagged_then_not(after=2).findings(tmp_path, "OVS002", role=Role.NIC)


def test_nobody_told_the_place(tmp_path: Path) -> None:
    """Looks like a tap, and like the NIC of a host with one guest in the label bridge: a remark."""
    found = broadcasts(1201, 1202).finding(tmp_path, "OVS001")
    assert (found.severity, found.subject.mac, bool(found.limits)) == (Severity.INFO, GUEST, True)
    between = broadcasts(1201, 1202).add(5, arp_reply("02:01:00:dd:00:09", "10.0.0.1", PEER, "10.0.0.9"), vlan=1201)
    assert not between.findings(tmp_path, "OVS001")
    switch = broadcasts(1201, 1202).add(5, arp_request(PEER, "10.0.0.8", "10.0.0.1"))
    assert not switch.findings(tmp_path, "OVS001")
