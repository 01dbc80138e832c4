"""CPVM001, CPVM002 and CPVM003: names."""

from pathlib import Path

from pcapdx.model import Confidence, Severity
from pcapdx.site import Console, Site
from tests.rules.build import Tape, arp_request
from tests.rules.console_proxy_tls.browsing import B_IP, BROWSER, NAME, P_IP, answer, get, lookup, spoken

NXDOMAIN, SERVFAIL = 3, 2
PAGE = (get("/resource/noVNC/vnc.html"), answer("200 OK", b"x" * 10))


def running_until(tape: Tape, at_s: float) -> Tape:
    return tape.add(at_s, arp_request(BROWSER, B_IP, "198.51.100.1"))


def test_name_without_record(tmp_path: Path) -> None:
    tape = lookup(lookup(Tape(), 0, NAME, "", rcode=NXDOMAIN), 2, NAME, "", rcode=NXDOMAIN, number=2)
    found = tape.finding(tmp_path, "CPVM001")
    assert (found.subject.name, found.subject.ip, found.severity) == (NAME, B_IP, Severity.ERROR)
    assert found.evidence[0].frames == (1, 2, 3, 4)


def test_one_failure_is_none(tmp_path: Path) -> None:
    assert lookup(Tape(), 0, NAME, "", rcode=NXDOMAIN).findings(tmp_path, "CPVM001") == ()


def test_silence_needs_time_and_a_capture_that_would_show_an_answer(tmp_path: Path) -> None:
    def asked(until_s: float) -> Tape:
        tape = lookup(lookup(Tape(), 0, NAME, None), 2, NAME, None, number=2)
        lookup(tape, 2.5, "www.example.org", "192.0.2.1", number=3)
        return running_until(tape, until_s)

    assert asked(9).finding(tmp_path, "CPVM001").confidence is Confidence.LIKELY
    assert asked(4).findings(tmp_path, "CPVM001") == ()


def test_name_that_resolves_at_last_is_fine(tmp_path: Path) -> None:
    tape = lookup(lookup(Tape(), 0, NAME, "", rcode=SERVFAIL), 1, NAME, "", rcode=SERVFAIL, number=2)
    assert lookup(tape, 2, NAME, P_IP, number=3).findings(tmp_path, "CPVM001") == ()


def test_search_suffixes_do_not_count(tmp_path: Path) -> None:
    tape = Tape()
    for number in (1, 2):
        lookup(tape, number, f"{NAME}.corp.example", "", rcode=NXDOMAIN, number=number)
        lookup(tape, number + 0.1, NAME, P_IP, number=number + 10)
    assert tape.findings(tmp_path, "CPVM001") == ()


def test_services_that_resolve_any_address_are_no_consoles(tmp_path: Path) -> None:
    tape = Tape()
    for number in (1, 2):
        lookup(tape, number, "10-1-2-3.sslip.io", "", rcode=NXDOMAIN, number=number)
        lookup(tape, number, "www.example.org", "", rcode=NXDOMAIN, number=number + 10)
    assert tape.findings(tmp_path, "CPVM001") == ()


def test_console_domain_of_the_profile(tmp_path: Path) -> None:
    tape = lookup(Tape(), 0, "vnc.cloud.example", "", rcode=NXDOMAIN)
    lookup(tape, 1, "vnc.cloud.example", "", rcode=NXDOMAIN, number=2)
    site = Site(console=Console(domain="*.cloud.example"))
    assert tape.finding(tmp_path, "CPVM001", site=site).subject.name == "vnc.cloud.example"
    assert tape.findings(tmp_path, "CPVM001") == ()


def test_realhostip_explains_that_it_does_not_resolve(tmp_path: Path) -> None:
    name = "203-0-113-45.realhostip.com"
    tape = lookup(lookup(Tape(), 0, name, "", rcode=NXDOMAIN), 2, name, "", rcode=NXDOMAIN, number=2)
    root, other = tape.analysis(tmp_path).diagnosed.findings
    assert (root.finding.code, other.finding.code, other.explained_by) == ("CPVM002", "CPVM001", root.id)
    assert lookup(Tape(), 0, "norealhostip.com", P_IP).findings(tmp_path, "CPVM002") == ()


def test_name_leads_elsewhere(tmp_path: Path) -> None:
    name = "203-0-113-61.console.example.com"
    dead = lookup(Tape(), 0, name, P_IP)
    assert dead.finding(tmp_path, "CPVM003").severity is Severity.ERROR
    works = spoken(lookup(Tape(), 0, name, P_IP), 1, 80, (get("/resource/noVNC/vnc.html", name), PAGE[1]))
    found = works.finding(tmp_path, "CPVM003")
    assert (found.severity, found.subject.name, found.subject.server) == (Severity.WARNING, name, P_IP)


def test_name_that_leads_where_it_says(tmp_path: Path) -> None:
    tape = spoken(lookup(Tape(), 0, NAME, P_IP), 1, 80, PAGE)
    assert tape.findings(tmp_path, "CPVM003") == ()


def test_nat_of_the_profile_is_no_mismatch_and_a_private_address_is_a_remark(tmp_path: Path) -> None:
    behind = ("1e:00:9b:00:00:3a", "10.9.9.9")
    tape = spoken(Tape(), 0, 80, PAGE, server=behind)
    assert tape.finding(tmp_path, "CPVM003").severity is Severity.INFO
    site = Site(console=Console(nat={P_IP: "10.9.9.9"}))
    assert tape.findings(tmp_path, "CPVM003", site=site) == ()


def test_an_answer_that_was_cut_may_be_the_address(tmp_path: Path) -> None:
    """With a snap length of 96 no more than the answer's coming is known."""
    tape = lookup(lookup(Tape(), 0, NAME, None), 2, NAME, None, number=2)
    lookup(tape, 2.5, "www.example.org", "192.0.2.1", number=3)
    assert running_until(tape, 20).findings(tmp_path, "CPVM001")
    cut = lookup(tape, 9, NAME, P_IP, number=4).packets.pop()
    assert not tape.add(9.01, cut, snap=96).findings(tmp_path, "CPVM001")
