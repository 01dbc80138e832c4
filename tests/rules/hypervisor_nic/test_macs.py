"""HYP013, HYP016, HYP020, HYP024: whose MAC it is, and where."""

from pathlib import Path

from scapy.layers.dhcp import DHCP
from scapy.packet import Packet

from pcapdx.model import Severity
from pcapdx.vantage import Role
from tests.rules.build import Tape, arp_reply, arp_request, discover, echo

MAC, GATEWAY_MAC = "02:01:00:cc:00:23", "00:1b:21:5c:44:01"
HERE, THERE, GATEWAY = "10.1.0.71", "10.1.0.72", "10.1.0.1"


def both_sides(here: str, there: str, *, turns: int = 4, step_s: float = 2) -> Tape:
    """ARP of one MAC from this host and from the wire, in turn, among others that show the padding."""
    tape = Tape()
    for n in range(turns):
        for k in range(2):
            at = n * step_s + k * 0.1
            tape.add(at, arp_request(MAC, here, GATEWAY), vlan=101)
            tape.add(at + step_s / 2, arp_request(MAC, there, GATEWAY), vlan=101, wire=True)
    return tape


def test_one_mac_on_both_sides(tmp_path: Path) -> None:
    found = both_sides(HERE, THERE).finding(tmp_path, "HYP016", role=Role.NIC)
    assert (found.subject.mac, found.subject.vlan) == (MAC, 101)


def test_a_reflection_has_the_same_address(tmp_path: Path) -> None:
    assert not both_sides(HERE, HERE).findings(tmp_path, "HYP016", role=Role.NIC)


def test_a_move_is_no_second_machine(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(6):
        tape.add(n, arp_request(MAC, HERE, GATEWAY), vlan=101)
        tape.add(20 + n, arp_request(MAC, THERE, GATEWAY), vlan=101, wire=True)
    assert not tape.findings(tmp_path, "HYP016", role=Role.NIC)


def named(mac: str, name: str, xid: int, vendor: str = "") -> Packet:
    packet = discover(mac, xid=xid)
    options: list[object] = [("message-type", "discover"), ("hostname", name)]
    packet[DHCP].options = [*options, *([("vendor_class_id", vendor)] if vendor else []), "end"]
    return packet


def test_two_names_in_turn(tmp_path: Path) -> None:
    tape = Tape()
    for n, name in enumerate(("shop-1", "copy-1", "shop-1", "copy-1")):
        tape.add(5 * n, named(MAC, name, n))
    assert tape.finding(tmp_path, "HYP016").severity is Severity.ERROR


def test_a_new_name_once(tmp_path: Path) -> None:
    tape = Tape()
    for n, name in enumerate(("image", "image", "shop-1", "shop-1")):
        tape.add(5 * n, named(MAC, name, n))
    assert not tape.findings(tmp_path, "HYP016")


def test_a_boot_rom_in_a_reboot_loop(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(6):
        tape.add(5 * n, named(MAC, ("rom", "shop-1")[n % 2], n, ("PXEClient:Arch:0", "")[n % 2]))
    assert not tape.findings(tmp_path, "HYP016")


def test_two_boots_of_one_image_minutes_apart(tmp_path: Path) -> None:
    tape = Tape()
    for n, name in enumerate(("a-1", "b-1", "a-1")):
        tape.add(300 * n, named(MAC, name, n))
    assert not tape.findings(tmp_path, "HYP016")


MEMBERS = ("b8:59:9f:11:20:40", "b8:59:9f:11:20:41")


def rewritten(*guests: tuple[str, str], members: tuple[str, ...] = MEMBERS) -> Tape:
    """Guests that claim their own addresses, which the members of a bond claim, too."""
    tape = Tape()
    for n, (mac, ip) in enumerate(guests):
        for k in range(4):
            tape.add(n + 4 * k, arp_request(mac, ip, GATEWAY))
            tape.add(n + 4 * k + 0.5, arp_reply(members[k % len(members)], ip, GATEWAY_MAC, GATEWAY))
    return tape


def test_a_bond_rewrites(tmp_path: Path) -> None:
    assert rewritten((MAC, HERE), ("02:01:00:cc:00:24", THERE)).findings(tmp_path, "HYP013")


def test_proxy_arp_has_one_mac(tmp_path: Path) -> None:
    tape = rewritten((MAC, HERE), ("02:01:00:cc:00:24", THERE), members=MEMBERS[:1])
    assert not tape.findings(tmp_path, "HYP013")


def test_one_address_is_a_duplicate_and_no_bond(tmp_path: Path) -> None:
    assert not rewritten((MAC, HERE)).findings(tmp_path, "HYP013")


def departed(*, away: bool, from_here: bool = False) -> Tape:
    """A guest that speaks here for a while; pings for it that go on for two minutes."""
    tape = Tape()
    for n in range(4):
        tape.add(n, arp_request(MAC, HERE, GATEWAY), vlan=101)
        tape.add(n + 0.1, arp_request(GATEWAY_MAC, GATEWAY, HERE), vlan=101, wire=not from_here)
    for n in range(130):
        tape.add(5 + n, echo(GATEWAY_MAC, GATEWAY, MAC, HERE, number=n), vlan=101, wire=not from_here)
    if from_here:
        tape.add(3, arp_request("02:01:00:cc:00:99", "10.1.0.99", GATEWAY), vlan=101, wire=True)
    if away:
        for n in range(4):
            tape.add(6 + 20 * n, arp_request(MAC, HERE, "10.1.0.9"), vlan=101, wire=True)
    return tape


def test_a_guest_that_left_is_still_sent_to(tmp_path: Path) -> None:
    assert departed(away=True).finding(tmp_path, "HYP020", role=Role.NIC).severity is Severity.WARNING


def test_a_guest_that_is_silent_may_be_stopped(tmp_path: Path) -> None:
    assert departed(away=False).finding(tmp_path, "HYP020", role=Role.NIC).severity is Severity.INFO


def test_what_this_host_sends_to_it_goes_out(tmp_path: Path) -> None:
    assert not departed(away=True, from_here=True).findings(tmp_path, "HYP020", role=Role.NIC)


def nested(*guests: str, answered: bool = False, host: str = "00:50:56:a1:7c:10") -> Tape:
    """A host that is answered, and guests that ask for the same address."""
    tape = Tape()
    tape.add(0, arp_request(host, "10.1.0.10", GATEWAY)).add(0.1, arp_reply(GATEWAY_MAC, GATEWAY, host, "10.1.0.10"))
    for n, mac in enumerate(guests):
        for k in range(4):
            tape.add(1 + k, arp_request(mac, f"10.1.0.{20 + n}", GATEWAY))
            if answered:
                tape.add(1.1 + k, arp_reply(GATEWAY_MAC, GATEWAY, mac, f"10.1.0.{20 + n}"))
    return tape


TWO = ("02:01:00:cc:00:31", "02:01:00:cc:00:32")


def test_guests_of_a_virtual_host_get_nothing(tmp_path: Path) -> None:
    assert nested(*TWO).findings(tmp_path, "HYP024", role=Role.NIC)


def test_one_guest_is_too_few(tmp_path: Path) -> None:
    assert not nested(TWO[0]).findings(tmp_path, "HYP024", role=Role.NIC)


def test_answered_guests(tmp_path: Path) -> None:
    assert not nested(*TWO, answered=True).findings(tmp_path, "HYP024", role=Role.NIC)


def test_a_host_of_metal(tmp_path: Path) -> None:
    assert not nested(*TWO, host="b8:59:9f:00:00:01").findings(tmp_path, "HYP024", role=Role.NIC)
