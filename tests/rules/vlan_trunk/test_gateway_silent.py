"""VLAN019: a gateway that is silent among hosts that answer; and addresses that are no gateway."""

from pathlib import Path

from pcapdx.model import Severity
from pcapdx.site import Network, Site
from pcapdx.vantage import Role
from tests.rules.build import Tape, arp_reply, arp_request, echo

ASKERS = ("02:01:00:cc:00:16", "02:01:00:cc:00:17")
NAMED = Site(network=(Network(cidr="10.1.0.0/24", gateway="10.1.0.99"),))


def network(target: str, *, askers: int = 2, others: int = 2, tries: int = 4) -> Tape:
    """Hosts ask for a silent address, and for others that answer."""
    tape = Tape()
    for n, mac in enumerate(ASKERS[:askers]):
        ip = f"10.1.0.{10 + n}"
        for other in range(others):
            answering = f"02:01:00:cc:01:0{other}"
            tape.add(other, arp_request(mac, ip, f"10.1.0.{50 + other}"))
            tape.add(other + 0.001, arp_reply(answering, f"10.1.0.{50 + other}", mac, ip))
        for at in range(tries):
            tape.add(3 + at + n / 10, arp_request(mac, ip, target))
    return tape.add(12, arp_request("02:01:00:cc:01:00", "10.1.0.50", "10.1.0.51"))


def test_two_askers_of_a_likely_gateway(tmp_path: Path) -> None:
    found = network("10.1.0.1").finding(tmp_path, "VLAN019", role=Role.BRIDGE)
    assert (found.severity, found.subject.server) == (Severity.WARNING, "10.1.0.1")


def test_a_named_gateway_needs_one_asker(tmp_path: Path) -> None:
    found = network("10.1.0.99", askers=1).finding(tmp_path, "VLAN019", role=Role.BRIDGE, site=NAMED)
    assert found.severity is Severity.ERROR


def test_one_asker_of_a_guess(tmp_path: Path) -> None:
    """A system VM pings the first address of the management network, which it only supposes to be a gateway."""
    assert not network("10.1.0.1", askers=1).findings(tmp_path, "VLAN019", role=Role.BRIDGE)


def test_an_ordinary_address_that_is_off(tmp_path: Path) -> None:
    assert not network("10.1.0.77").findings(tmp_path, "VLAN019", role=Role.BRIDGE)


def test_one_other_host_is_not_enough(tmp_path: Path) -> None:
    assert not network("10.1.0.1", others=1).findings(tmp_path, "VLAN019", role=Role.BRIDGE)


def test_two_tries_are_not_enough(tmp_path: Path) -> None:
    assert not network("10.1.0.1", tries=2).findings(tmp_path, "VLAN019", role=Role.BRIDGE)


def test_a_way_out_that_works_is_the_gateway(tmp_path: Path) -> None:
    tape = network("10.1.0.1")
    routed = echo("00:1c:73:00:00:01", "192.0.2.7", ASKERS[0], "10.1.0.10", reply=True)
    routed["IP"].ttl = 57
    assert not tape.add(2, routed).findings(tmp_path, "VLAN019", role=Role.BRIDGE)


def dies(*, others_too: bool = False, apart: float = 1) -> Tape:
    """The gateway answers, sends on what came from elsewhere, and is silent from the tenth second on."""
    tape, edge = Tape(), "00:1c:73:00:00:01"
    for n, mac in enumerate(ASKERS):
        ip = f"10.1.0.{10 + n}"
        tape.add(n, arp_request(mac, ip, "10.1.0.1")).add(n + 0.001, arp_reply(edge, "10.1.0.1", mac, ip))
        routed = echo(edge, "192.0.2.7", mac, ip, reply=True)
        routed["IP"].ttl = 57
        tape.add(n + 3, routed)
        onwards = echo(mac, "172.16.0.9", edge, "192.0.2.7")  # the asker is a router itself
        onwards["IP"].ttl = 63
        tape.add(n + 2, onwards)
        for k in range(4):
            tape.add(10 + n / 10 + k * apart, arp_request(mac, ip, "10.1.0.1"))
    for k in range(2):
        other, ip = f"02:01:00:cc:01:0{k}", f"10.1.0.{50 + k}"
        for at in (5, *(() if others_too else (12,))):
            tape.add(at, arp_request(ASKERS[0], "10.1.0.10", ip))
            tape.add(at + 0.001, arp_reply(other, ip, ASKERS[0], "10.1.0.10"))
    return tape.add(10 + 4 * apart + 5, arp_request(ASKERS[0], "10.1.0.10", "10.1.0.77"))


def test_a_gateway_that_dies_in_the_middle(tmp_path: Path) -> None:
    found = dies().finding(tmp_path, "VLAN019", role=Role.BRIDGE)
    assert (found.severity, found.subject.server) == (Severity.WARNING, "10.1.0.1")


def test_the_way_to_all_of_them_is_lost(tmp_path: Path) -> None:
    assert not dies(others_too=True).findings(tmp_path, "VLAN019", role=Role.BRIDGE)


def test_who_asks_now_and_then_is_answered_out_of_sight(tmp_path: Path) -> None:
    """At a switch's port the answers to other hosts do not come by."""
    assert not dies(apart=30).findings(tmp_path, "VLAN019", role=Role.BRIDGE)
