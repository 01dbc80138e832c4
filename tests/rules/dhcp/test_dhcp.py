"""DHCP rules at their boundaries: how many DISCOVERs, how long a wait, whose answers; and two captures of one path."""

from pathlib import Path

from scapy.layers.dhcp import BOOTP
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from pcapdx.diagnose import analyze
from pcapdx.model import Confidence, Severity
from pcapdx.site import Guest, Network, Router, Site
from pcapdx.vantage import CaptureArgument, Role
from tests.rules.build import Tape, answer, arp_reply, arp_request, discover, plugins, request

GUEST, OTHER, ROUTER, STRANGER = "02:01:00:cc:00:16", "02:01:00:cc:00:17", "02:01:00:cc:00:01", "02:01:00:cc:00:66"
FAR = "02:01:00:cd:00:01"
GATEWAY = "10.1.1.1"


def asking(*moments: float, mac: str = GUEST) -> Tape:
    """DISCOVERs at these seconds, ARP that goes on for twenty seconds more, so that the capture shows both ways."""
    tape = Tape()
    for place, moment in enumerate(moments):
        tape.add(moment, discover(mac, xid=7 + place))
    tape.add(0.5, arp_request(OTHER, "10.1.1.9", GATEWAY)).add(0.6, arp_reply(ROUTER, GATEWAY, OTHER, "10.1.1.9"))
    return tape.add(max(moments) + 20, arp_request(OTHER, "10.1.1.9", "10.1.1.77"))


def lease(tape: Tape, at_s: float, mac: str, ip: str, *, xid: int = 900, lease_s: int = 0xFFFFFFFF) -> Tape:
    """A whole exchange."""
    tape.add(at_s, discover(mac, xid=xid))
    tape.add(at_s + 0.01, answer("offer", ROUTER, GATEWAY, mac, ip, xid=xid, lease=lease_s))
    tape.add(at_s + 0.02, request(mac, ip, GATEWAY, xid=xid))
    return tape.add(at_s + 0.03, answer("ack", ROUTER, GATEWAY, mac, ip, xid=xid, lease=lease_s))


def test_three_discovers_over_ten_seconds_are_an_error(tmp_path: Path) -> None:
    found = asking(0, 4, 12).finding(tmp_path, "DHCP001")
    assert (found.severity, found.confidence) == (Severity.ERROR, Confidence.CERTAIN)
    assert found.evidence[0].frames == (1, 4, 5)


def test_one_discover_is_noise(tmp_path: Path) -> None:
    assert asking(0).grave(tmp_path) == set()


def test_two_discovers_are_a_doubtful_warning(tmp_path: Path) -> None:
    found = asking(0, 4).finding(tmp_path, "DHCP001")
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.POSSIBLE)


def test_the_capture_ends_too_early(tmp_path: Path) -> None:
    tape = Tape()
    for moment in (0, 2, 4):
        tape.add(moment, discover(GUEST))
    assert tape.grave(tmp_path) == set()


def test_whoever_chooses_a_server_was_answered(tmp_path: Path) -> None:
    """One direction only: the REQUEST tells of an OFFER that the capture does not show."""
    tape = asking(0, 4, 12)
    tape.add(13, request(GUEST, "10.1.1.57", GATEWAY, xid=9))
    assert "DHCP001" not in tape.grave(tmp_path)


def test_others_are_served(tmp_path: Path) -> None:
    tape = lease(asking(0, 4, 12), 5, OTHER, "10.1.1.9")
    assert tape.grave(tmp_path) == {"DHCP002"}


def test_a_lease_is_proved(tmp_path: Path) -> None:
    tape = lease(Tape(), 0, GUEST, "10.1.1.57")
    assert tape.proofs(tmp_path) == {"DHCP031"}
    assert tape.grave(tmp_path) == set()


def test_a_router_whose_lease_ends_is_a_remark(tmp_path: Path) -> None:
    site = Site(router=(Router(mac=ROUTER, ips=(GATEWAY,)),))
    found = lease(Tape(), 0, GUEST, "10.1.1.57", lease_s=3600).finding(tmp_path, "DHCP025", site=site)
    assert found.severity is Severity.INFO
    assert not lease(Tape(), 0, GUEST, "10.1.1.57").findings(tmp_path, "DHCP025", site=site)


def test_an_address_that_is_not_cloudstacks(tmp_path: Path) -> None:
    site = Site(guest=(Guest(mac=GUEST, ip="10.1.1.99"),), network=(Network(cidr="10.1.1.0/24"),))
    tape = lease(Tape(), 0, GUEST, "10.1.1.57")
    assert tape.grave(tmp_path, site=site) >= {"DHCP016"}
    assert tape.grave(tmp_path) == set()


def test_a_router_that_was_replaced_is_no_second_server(tmp_path: Path) -> None:
    tape = lease(Tape(), 0, GUEST, "10.1.1.57")
    tape.add(60, discover(GUEST, xid=5)).add(60.1, answer("offer", STRANGER, GATEWAY, GUEST, "10.1.1.57", xid=5))
    tape.add(60.2, request(GUEST, "10.1.1.57", GATEWAY, xid=5))
    tape.add(60.3, answer("ack", STRANGER, GATEWAY, GUEST, "10.1.1.57", xid=5))
    assert tape.grave(tmp_path) == set()


def test_two_servers_that_answer_one_request(tmp_path: Path) -> None:
    tape = Tape().add(0, discover(GUEST)).add(0.1, answer("offer", ROUTER, GATEWAY, GUEST, "10.1.1.57"))
    tape.add(0.2, answer("offer", "52:54:00:11:22:33", "192.168.88.1", GUEST, "192.168.88.9"))
    assert "DHCP013" in tape.grave(tmp_path)


def test_two_networks_on_all_interfaces_at_once(tmp_path: Path) -> None:
    """Without tags, servers that no client asked both of may serve a network each."""
    tape = Tape()
    for n, (mac, server) in enumerate(((GUEST, ROUTER), (OTHER, STRANGER), (GUEST, ROUTER), (OTHER, STRANGER))):
        tape.add(20 * n, discover(mac, xid=n)).add(
            20 * n + 0.1, answer("offer", server, GATEWAY, mac, "10.1.1.57", xid=n)
        )
        tape.add(20 * n + 0.2, request(mac, "10.1.1.57", GATEWAY, xid=n))
        tape.add(20 * n + 0.3, answer("ack", server, GATEWAY, mac, "10.1.1.57", xid=n))
        tape.add(20 * n + 0.4, arp_request(mac, "10.1.1.57", GATEWAY))
    assert tape.grave(tmp_path, role=Role.ANY) == set()
    assert {"DHCP013", "DHCP018"} & tape.grave(tmp_path, role=Role.BRIDGE)


def test_a_second_server_beside_another_network(tmp_path: Path) -> None:
    """On all interfaces at once only the two that answer one client are held against each other."""
    tape = Tape().add(0, discover(GUEST)).add(0.1, answer("offer", ROUTER, GATEWAY, GUEST, "10.1.1.57"))
    tape.add(3, answer("offer", STRANGER, "192.168.88.1", GUEST, "192.168.88.9"))
    for n in (1, 2):
        tape.add(n, discover(OTHER, xid=5 + n)).add(
            n + 0.1, answer("offer", FAR, "10.9.0.1", OTHER, "10.9.0.7", xid=5 + n)
        )
    found = tape.finding(tmp_path, "DHCP013", role=Role.ANY)
    assert STRANGER in found.summary
    assert FAR not in found.summary


def two(tmp_path: Path, near: Tape, far: Tape) -> set[str]:
    """Codes of what two captures of one path say together."""
    arguments = []
    for name, tape in (("near", near), ("far", far)):
        (tmp_path / name).mkdir()
        tape.analysis(tmp_path / name)
        path = str(tmp_path / name / "tape.pcap")
        arguments.append(CaptureArgument(name=name, role=Role.NIC, path=path, named=True))
    found = analyze(arguments, plugins(), strict=True).diagnosed
    return {found.diagnoses[0].root.finding.code} if found.diagnoses else set()


def test_discovers_that_never_reach_the_other_point(tmp_path: Path) -> None:
    far = Tape().add(-5, arp_request(OTHER, "10.1.1.9", GATEWAY)).add(40, arp_reply(ROUTER, GATEWAY, OTHER, "10.1.1.9"))
    assert two(tmp_path, asking(0, 4, 12), far) == {"DHCP006"}


def test_discovers_that_do_reach_it(tmp_path: Path) -> None:
    assert two(tmp_path, asking(0, 4, 12), asking(0, 4, 12)) == {"DHCP001"}


def test_a_relay_between_the_points(tmp_path: Path) -> None:
    """It sends every DISCOVER on as a packet of its own, from its address to the server's."""
    far = Tape()
    for place, at in enumerate((0, 4, 12)):
        message = discover(GUEST, xid=7 + place)[BOOTP].copy()
        message.giaddr, message.hops = GATEWAY, 1
        relayed = Ether(src=ROUTER, dst=OTHER) / IP(src="172.22.7.1", dst="172.22.7.5") / UDP(sport=67, dport=67)
        far.add(at + 0.001, relayed / message)
    far.add(40, arp_request(OTHER, "172.22.7.5", "172.22.7.1"))
    assert two(tmp_path, asking(0, 4, 12), far) == {"DHCP001"}


def test_another_time_proves_nothing(tmp_path: Path) -> None:
    far = Tape().add(500, arp_request(OTHER, "10.1.1.9", GATEWAY)).add(540, arp_request(OTHER, "10.1.1.9", GATEWAY))
    assert two(tmp_path, asking(0, 4, 12), far) == {"DHCP001"}


def test_a_network_without_dhcp_by_plan(tmp_path: Path) -> None:
    """Known by its VLAN at a trunk, by its addresses where frames have no tag; other networks' plans say nothing."""
    gives_up = asking(0, 4, 12).add(16, arp_request(GUEST, "169.254.7.9", "169.254.7.9"))
    assert gives_up.grave(tmp_path, role=Role.BRIDGE) >= {"DHCP001", "DHCP022"}
    planned = Network(cidr="10.1.1.0/24", vlan=1204, type="l2")
    for networks, said in (((planned,), set()), ((Network(cidr="10.9.9.0/24", type="l2"),), {"DHCP001", "DHCP022"})):
        found = gives_up.grave(tmp_path, role=Role.BRIDGE, site=Site(network=networks))
        assert found & {"DHCP001", "DHCP022"} == said


def two_in_vain(*, name_at_s: float | None) -> Tape:
    """A lease, then two clients nobody answers; perhaps the router still answers a name."""
    tape = lease(asking(10, 14, 22), 1, OTHER, "10.1.1.9")
    for moment in (11, 15, 23):
        tape.add(moment, discover(STRANGER, xid=int(moment)))
    if name_at_s is not None:
        query = DNS(id=5, rd=1, qd=DNSQR(qname="a.example.com"))
        reply = DNS(id=5, qr=1, rd=1, ra=1, qd=query.qd, an=DNSRR(rrname="a.example.com", rdata="192.0.2.1"))
        asked = Ether(src=OTHER, dst=ROUTER) / IP(src="10.1.1.9", dst=GATEWAY) / UDP(sport=40000, dport=53) / query
        told = Ether(src=ROUTER, dst=OTHER) / IP(src=GATEWAY, dst="10.1.1.9") / UDP(sport=53, dport=40000) / reply
        tape.add(name_at_s, asked).add(name_at_s + 0.01, told)
    return tape


def test_a_server_that_answers_nobody_any_more_may_have_died(tmp_path: Path) -> None:
    assert two_in_vain(name_at_s=None).grave(tmp_path) == {"DHCP001"}
    assert two_in_vain(name_at_s=2).grave(tmp_path) == {"DHCP001"}


def test_a_server_that_answers_for_names_is_alive(tmp_path: Path) -> None:
    """CloudStack's router has one dnsmasq for both."""
    assert two_in_vain(name_at_s=25).grave(tmp_path) == {"DHCP002"}
