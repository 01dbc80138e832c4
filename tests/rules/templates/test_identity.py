"""TMPL005 to TMPL013: addresses, identifiers, MACs, keys, sizes, tags and routes of guests."""

from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from pcapdx.model import Severity
from pcapdx.site import Guest, Site
from pcapdx.vantage import Role
from tests.dissectors.test_ssh import GREETING, INIT, KEY, NEW_KEYS, REPLY, packet, text
from tests.rules.build import Tape, arp_reply, arp_request, echo, tcp
from tests.rules.console_proxy_tls.browsing import spoken
from tests.rules.templates.booting import (
    BY_MAC,
    BY_MACHINE,
    G_IP,
    GUEST,
    O_IP,
    OTHER,
    R_IP,
    ROUTER,
    SITE,
    ask,
    boot,
)

FOREIGN = "10.1.1.200"


def pings(source: str, count: int = 6, mac: str = GUEST) -> Tape:
    tape = Tape()
    for n in range(count):
        tape.add(n, echo(mac, source, ROUTER, R_IP, number=n + 1))
        tape.add(n + 0.01, echo(ROUTER, R_IP, mac, source, number=n + 1, reply=True))
    return tape


def test_foreign_address(tmp_path: Path) -> None:
    found = pings(FOREIGN).finding(tmp_path, "TMPL005", site=SITE)
    assert (found.severity, found.subject.mac, found.subject.ip) == (Severity.WARNING, GUEST, FOREIGN)


def test_addresses_that_are_its_own(tmp_path: Path) -> None:
    secondary = Site(guest=(Guest(mac=GUEST, ip=G_IP, secondary_ips=(FOREIGN,)),))
    assert pings(FOREIGN).findings(tmp_path, "TMPL005", site=secondary) == ()
    assert pings(G_IP).findings(tmp_path, "TMPL005", site=SITE) == ()
    assert pings(FOREIGN, 3).findings(tmp_path, "TMPL005", site=SITE) == ()
    assert pings("169.254.9.9").findings(tmp_path, "TMPL005", site=SITE) == ()
    assert pings(FOREIGN).findings(tmp_path, "TMPL005") == ()


def test_a_guest_that_forwards_is_left_out(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(5):
        tape.packets += pings(f"172.17.0.{n + 2}").packets
    assert tape.findings(tmp_path, "TMPL005", site=SITE) == ()


def clones(first: bytes, second: bytes, *, ip: str = O_IP, later_s: float = 3) -> Tape:
    tape = boot(boot(Tape(), 0, says=[("client_id", first)]), later_s, OTHER, ip, xid=2, says=[("client_id", second)])
    return tape.add(later_s + 2, arp_request(OTHER, ip, R_IP))


def test_same_client_identifier(tmp_path: Path) -> None:
    alive = clones(BY_MACHINE, BY_MACHINE).add(4, arp_request(GUEST, G_IP, R_IP))
    assert alive.finding(tmp_path, "TMPL006").severity is Severity.WARNING
    same = clones(BY_MACHINE, BY_MACHINE, ip=G_IP).add(4, arp_request(GUEST, G_IP, R_IP))
    assert same.finding(tmp_path, "TMPL006").severity is Severity.ERROR
    made_anew = clones(BY_MACHINE, BY_MACHINE)
    assert made_anew.finding(tmp_path, "TMPL006").severity is Severity.INFO


def test_identifiers_that_differ_or_are_macs(tmp_path: Path) -> None:
    assert clones(BY_MACHINE, BY_MACHINE[:-1] + b"x").findings(tmp_path, "TMPL006") == ()
    assert clones(BY_MAC, BY_MAC).findings(tmp_path, "TMPL006") == ()
    assert (
        boot(boot(Tape(), 0, says=[("client_id", BY_MACHINE)]), 9, says=[("client_id", BY_MACHINE)]).findings(
            tmp_path, "TMPL006"
        )
        == ()
    )


@pytest.mark.parametrize(("name", "said"), [("golden-master", True), ("ubuntu", False), ("WIN-4F7T2", False)])
def test_same_host_name(tmp_path: Path, name: str, said: bool) -> None:
    tape = boot(boot(Tape(), 0, says=[("hostname", name)]), 3, OTHER, O_IP, xid=2, says=[("hostname", name.upper())])
    found = tape.findings(tmp_path, "TMPL008")
    assert bool(found) is said
    assert all(one.severity is Severity.INFO for one in found)


def test_an_identifier_explains_the_name(tmp_path: Path) -> None:
    """Both are of one image: one thing to mend."""
    says = [("client_id", BY_MACHINE), ("hostname", "golden-master")]
    tape = boot(boot(Tape(), 0, says=says), 3, OTHER, O_IP, xid=2, says=says)
    (only,) = tape.analysis(tmp_path).diagnosed.diagnoses
    assert only.root.finding.code == "TMPL006"


def test_mac_inside_differs_from_the_frames(tmp_path: Path) -> None:
    inner, outer = GUEST, "56:6f:3a:00:00:09"
    found = Tape().add(0, ask("discover", inner, outside=outer)).finding(tmp_path, "TMPL009")
    assert (found.severity, found.subject.mac) == (Severity.WARNING, inner)
    relayed = Tape().add(0, ask("discover", inner, outside=outer, giaddr="10.1.1.254"))
    assert relayed.findings(tmp_path, "TMPL009") == ()
    assert Tape().add(0, ask("discover")).findings(tmp_path, "TMPL009") == ()


def test_a_known_name_with_another_mac(tmp_path: Path) -> None:
    own = "52:54:00:7b:11:c4"
    tape = Tape().add(0, ask("discover", own, says=[("hostname", "web-1")]))
    assert tape.finding(tmp_path, "TMPL009", site=SITE).subject.mac == own
    assert tape.findings(tmp_path, "TMPL009") == ()
    both = Tape().add(0, ask("discover", own, says=[("hostname", "web-1")])).add(1, arp_request(GUEST, G_IP, R_IP))
    assert both.findings(tmp_path, "TMPL009", site=SITE) == ()


def test_another_mac_at_a_silent_guests_tap(tmp_path: Path) -> None:
    tape = pings(G_IP, mac="52:54:00:7b:11:c4")
    assert tape.finding(tmp_path, "TMPL009", role=Role.TAP, site=SITE).subject.mac == "52:54:00:7b:11:c4"
    assert tape.findings(tmp_path, "TMPL009", role=Role.BRIDGE, site=SITE) == ()
    assert pings(G_IP).findings(tmp_path, "TMPL009", role=Role.TAP, site=SITE) == ()


def logins(*servers: tuple[str, str], keys: tuple[bytes, ...] = (REPLY, REPLY)) -> Tape:
    tape = Tape()
    for n, (server, reply) in enumerate(zip(servers, keys, strict=True)):
        said = [(">", GREETING), ("<", GREETING + INIT + reply + NEW_KEYS), (">", INIT)]
        spoken(tape, n, 22, said, client=(ROUTER, R_IP), server=server)
    return tape


def test_shared_host_key(tmp_path: Path) -> None:
    found = logins((GUEST, G_IP), (OTHER, O_IP)).finding(tmp_path, "TMPL010")
    assert found.severity is Severity.WARNING
    assert found.subject.name is not None
    assert found.subject.name.startswith("SHA256:")


def test_host_keys_that_may_be_the_same(tmp_path: Path) -> None:
    other = packet(31, text(KEY[:-1] + b"x") + text(bytes(32)) + text(bytes(83)))
    assert logins((GUEST, G_IP), (OTHER, O_IP), keys=(REPLY, other)).findings(tmp_path, "TMPL010") == ()
    assert logins((GUEST, G_IP), (GUEST, FOREIGN)).findings(tmp_path, "TMPL010") == ()  # one machine, two addresses
    assert logins((GUEST, G_IP), (OTHER, G_IP)).findings(tmp_path, "TMPL010") == ()  # an address that moved


def opened(mss: int, *, repeats: int = 0) -> Tape:
    """A lease with MTU 1400, then a connection whose one large segment is repeated."""
    tape = boot(Tape(), 0, told=[("interface-mtu", 1400)])
    tape.add(2, tcp(GUEST, G_IP, 40_000, ROUTER, R_IP, 443, "S", seq=100, mss=mss))
    tape.add(2.01, tcp(ROUTER, R_IP, 443, GUEST, G_IP, 40_000, "SA", seq=500, ack=101, mss=1460))
    tape.add(2.02, tcp(GUEST, G_IP, 40_000, ROUTER, R_IP, 443, "A", seq=101, ack=501))
    for n in range(repeats):
        tape.add(3 + n, tcp(GUEST, G_IP, 40_000, ROUTER, R_IP, 443, "PA", seq=101, ack=501, size=1448))
    return tape.add(20, arp_request(GUEST, G_IP, R_IP))


def test_mss_beyond_the_mtu_of_the_lease(tmp_path: Path) -> None:
    assert opened(1460, repeats=5).finding(tmp_path, "TMPL011").severity is Severity.ERROR
    assert opened(1460).finding(tmp_path, "TMPL011").severity is Severity.INFO
    assert opened(1360, repeats=5).findings(tmp_path, "TMPL011") == ()


def test_mss_that_a_router_complains_of(tmp_path: Path) -> None:
    quoted = IP(src=G_IP, dst="192.0.2.1") / TCP(sport=40_000, dport=443) / Raw(bytes(8))
    complaint = Ether(src=ROUTER, dst=GUEST) / IP(src=R_IP, dst=G_IP) / ICMP(type=3, code=4, nexthopmtu=1400) / quoted
    assert opened(1460).add(3, complaint).finding(tmp_path, "TMPL011").severity is Severity.ERROR


def test_tags_of_a_guest(tmp_path: Path) -> None:
    tape = pings(G_IP).add(9, arp_request(GUEST, G_IP, R_IP), vlan=120)
    found = tape.finding(tmp_path, "TMPL012", role=Role.TAP, site=SITE)
    assert (found.severity, found.subject.vlan) == (Severity.WARNING, 120)
    assert tape.findings(tmp_path, "TMPL012", role=Role.TRUNK, site=SITE) == ()
    assert pings(G_IP).findings(tmp_path, "TMPL012", role=Role.TAP, site=SITE) == ()


def lost(target: str = "8.8.8.8", times: int = 4) -> Tape:
    tape = boot(Tape(), 0)
    for n in range(times):
        tape.add(5 + n, arp_request(GUEST, G_IP, target))
    return tape.add(30, arp_request(OTHER, O_IP, R_IP))


def test_far_addresses_asked_for_on_the_wire(tmp_path: Path) -> None:
    found = lost().finding(tmp_path, "TMPL013")
    assert (found.severity, found.subject.ip) == (Severity.WARNING, G_IP)


@pytest.mark.parametrize("tape", [lost("10.1.1.99"), lost("169.254.169.254"), lost(times=2)])
def test_addresses_that_are_rightly_asked_for(tmp_path: Path, tape: Tape) -> None:
    assert tape.findings(tmp_path, "TMPL013") == ()


def test_proxy_arp_answers_for_others(tmp_path: Path) -> None:
    tape = lost().add(5.01, arp_reply(ROUTER, "8.8.8.8", GUEST, G_IP))
    assert tape.findings(tmp_path, "TMPL013") == ()
