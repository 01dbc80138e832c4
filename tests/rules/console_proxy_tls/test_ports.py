"""CPVM004 and CPVM005, CPVM016: ports that refuse or stay silent."""

from pathlib import Path

import pytest

from pcapdx.model import Confidence, Severity
from pcapdx.site import Console, Site
from tests.rules.build import Tape, arp_reply, arp_request, tcp
from tests.rules.console_proxy_tls.browsing import (
    B_IP,
    BROWSER,
    NAME,
    P_IP,
    PROXY,
    answer,
    get,
    lookup,
    refused,
    spoken,
)

PAGE = (get("/resource/noVNC/vnc.html"), answer("200 OK", b"x" * 10))
SITE = Site(console=Console(addresses=(P_IP,)))
MANAGEMENT = ("52:54:00:00:00:05", "10.250.1.5")
AGENT = (PROXY, "10.250.1.112")


def silent(tape: Tape, at_s: float, port: int, source: int = 45_000) -> Tape:
    for after in (0, 1, 3):
        tape.add(at_s + after, tcp(BROWSER, B_IP, source, PROXY, P_IP, port, "S", seq=100))
    tape.add(at_s + 20, arp_request(BROWSER, B_IP, P_IP))
    return tape.add(at_s + 20.001, arp_reply(PROXY, P_IP, BROWSER, B_IP))


@pytest.mark.parametrize(("times", "severity"), [(1, Severity.WARNING), (3, Severity.ERROR)])
def test_page_port_refused(tmp_path: Path, times: int, severity: Severity) -> None:
    found = refused(lookup(Tape(), 0, NAME, P_IP), 1, 443, times).finding(tmp_path, "CPVM004")
    assert (found.severity, found.confidence, found.subject.port) == (severity, Confidence.CERTAIN, 443)


def test_page_port_silent(tmp_path: Path) -> None:
    assert silent(lookup(Tape(), 0, NAME, P_IP), 1, 443).finding(tmp_path, "CPVM004").severity is Severity.ERROR


def test_only_the_shape_of_a_mac_is_a_remark(tmp_path: Path) -> None:
    found = refused(Tape(), 1, 443).finding(tmp_path, "CPVM004")
    assert (found.severity, found.confidence) == (Severity.INFO, Confidence.POSSIBLE)
    somebody = ("00:50:56:00:00:09", "192.0.2.9")
    assert refused(Tape(), 1, 443, server=somebody).findings(tmp_path, "CPVM004") == ()


def test_a_port_closed_by_design_beside_the_open_one(tmp_path: Path) -> None:
    tape = spoken(refused(lookup(Tape(), 0, NAME, P_IP), 1, 443), 8, 80, PAGE)
    assert tape.findings(tmp_path, "CPVM004") == ()


def test_websocket_port_after_the_page(tmp_path: Path) -> None:
    found = refused(spoken(Tape(), 0, 80, PAGE), 5, 8080).finding(tmp_path, "CPVM005")
    assert (found.severity, found.subject.server, found.subject.port) == (Severity.ERROR, P_IP, 8080)
    assert len(found.evidence) == 2
    assert silent(spoken(Tape(), 0, 80, PAGE), 5, 8443).finding(tmp_path, "CPVM005").subject.port == 8443


@pytest.mark.parametrize(
    "tape",
    [
        refused(spoken(Tape(), 0, 80, PAGE), 60, 8080),  # half a minute later nobody waits for it any more
        refused(Tape(), 5, 8080),  # no page
        refused(spoken(Tape(), 0, 80, (PAGE[0], answer("403 Forbidden"))), 5, 8080),
        refused(spoken(Tape(), 0, 80, (get("/shop", "www.example.org"), PAGE[1])), 5, 8080),  # a web site
    ],
)
def test_no_websocket_is_missing(tmp_path: Path, tape: Tape) -> None:
    assert tape.findings(tmp_path, "CPVM005") == ()


def test_the_other_websocket_port_serves(tmp_path: Path) -> None:
    tape = spoken(refused(spoken(Tape(), 0, 80, PAGE), 5, 8080), 6, 8443, [(">", b"x")])
    assert tape.findings(tmp_path, "CPVM005") == ()


def test_a_port_scan_finds_nothing_at_fault(tmp_path: Path) -> None:
    tape = refused(spoken(Tape(), 0, 80, PAGE), 5, 8080, 1)
    for port in range(20, 40):
        refused(tape, 6 + port / 100, port, 1)
    assert tape.grave(tmp_path) == set()
    assert "CPVM005" in refused(tape, 12, 8080, 2).grave(tmp_path), "who needs the port comes again"


def test_management_refuses_a_known_console_proxy(tmp_path: Path) -> None:
    site = Site(console=Console(addresses=(AGENT[1],)))
    tape = refused(Tape(), 0, 8250, client=AGENT, server=MANAGEMENT)
    found = tape.finding(tmp_path, "CPVM016", site=site)
    assert (found.severity, found.confidence) == (Severity.ERROR, Confidence.CERTAIN)
    assert tape.finding(tmp_path, "CPVM016").confidence is Confidence.LIKELY
    explained = {one.finding.code: one.explained_by for one in tape.analysis(tmp_path).diagnosed.findings}
    assert explained["HOST002"] is not None


def test_management_is_back_or_another_one_answers(tmp_path: Path) -> None:
    back = spoken(refused(Tape(), 0, 8250, client=AGENT, server=MANAGEMENT), 20, 8250, [(">", b"x")], client=AGENT,
                  server=MANAGEMENT)  # fmt: skip
    assert back.finding(tmp_path, "CPVM016").severity is Severity.INFO
    other = spoken(refused(Tape(), 0, 8250, client=AGENT, server=MANAGEMENT), 3, 8250, [(">", b"x")], client=AGENT,
                   server=("52:54:00:00:00:06", "10.250.1.6"))  # fmt: skip
    assert other.finding(tmp_path, "CPVM016").severity is Severity.INFO


def test_a_hypervisors_agent_is_no_console_proxy(tmp_path: Path) -> None:
    host = ("b8:59:9f:00:00:11", "10.250.1.21")
    assert refused(Tape(), 0, 8250, client=host, server=MANAGEMENT).findings(tmp_path, "CPVM016") == ()
