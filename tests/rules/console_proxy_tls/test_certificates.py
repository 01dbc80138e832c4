"""CPVM006 to CPVM013, CPVM015 and CPVM025: certificates and handshakes."""

import ssl
from datetime import timedelta
from email.utils import formatdate
from functools import cache
from pathlib import Path

import pytest

from pcapdx.model import Severity
from tests.dissectors.handshakes import NOT_AFTER, NOT_BEFORE, Issued, Talk, chain, handshake, issue
from tests.rules.build import START, Tape
from tests.rules.console_proxy_tls.browsing import NAME, P_IP, alert, answer, get, spoken

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
WILDCARD = ("*.console.example.com",)
RESET = ">R"
UNKNOWN_CA, EXPIRED, CERTIFICATE_UNKNOWN, HANDSHAKE_FAILURE, CLOSE_NOTIFY = 48, 45, 46, 40, 0
CERTIFICATE_CODES = {"CPVM006", "CPVM007", "CPVM008", "CPVM009", "CPVM010"}


@cache
def good(sni: str = NAME) -> tuple[tuple[str, bytes], ...]:
    """A handshake that everybody likes, and some data."""
    return tuple(handshake(TLS_1_2, sni=sni))


@cache
def certified(leaf: Issued, *more: Issued, sni: str | None = NAME) -> tuple[tuple[str, bytes], ...]:
    """A handshake with this chain that the client goes through with."""
    return tuple(handshake(TLS_1_2, (leaf, *more), sni=sni))


def rejected(said: tuple[tuple[str, bytes], ...], description: int) -> Talk:
    """The flights up to the certificate, then the client's alert."""
    return [*said[:2], (">", alert(description))]


@cache
def expired() -> Issued:
    return issue("console", chain()[1], dns=WILDCARD, valid=(NOT_BEFORE, NOT_BEFORE + timedelta(days=90)))


@cache
def self_signed() -> Issued:
    return issue("console", dns=WILDCARD)


def codes(tape: Tape, folder: Path) -> dict[str, Severity]:
    """Severity by code of what this topic says."""
    found = tape.analysis(folder).diagnosed.findings
    return {one.finding.code: one.finding.severity for one in found if one.finding.code.startswith("CPVM")}


def test_good_certificate_is_proof_and_no_finding(tmp_path: Path) -> None:
    tape = spoken(Tape(), 0, 443, good())
    assert codes(tape, tmp_path) == {}
    assert tape.proofs(tmp_path) == {"CPVM025"}


def test_dates(tmp_path: Path) -> None:
    tape = spoken(Tape(), 0, 443, certified(expired(), chain()[1]))
    assert codes(tape, tmp_path) == {"CPVM006": Severity.ERROR}
    coming = issue("console", chain()[1], dns=WILDCARD, valid=(NOT_AFTER - timedelta(days=9), NOT_AFTER))
    found = spoken(Tape(), 0, 443, certified(coming, chain()[1])).finding(tmp_path, "CPVM006")
    assert "not valid before 2123-12-23" in found.summary


def test_a_wrong_clock_judges_no_dates(tmp_path: Path) -> None:
    """A Date header of another year says that the capturing host is wrong."""
    tape = spoken(Tape(), 0, 443, certified(expired(), chain()[1]))
    head = f"HTTP/1.1 200 OK\r\nDate: {formatdate(START - 700 * 86_400, usegmt=True)}\r\nContent-Length: 0\r\n\r\n"
    spoken(tape, 1, 80, (get("/", "www.example.org"), ("<", head.encode())))
    assert tape.finding(tmp_path, "CPVM006").severity is Severity.INFO


def test_names(tmp_path: Path) -> None:
    other = issue("console", chain()[1], dns=("*.example.com",))
    found = spoken(Tape(), 0, 443, certified(other, chain()[1])).finding(tmp_path, "CPVM007")
    assert (found.severity, found.subject.name) == (Severity.ERROR, NAME)
    common_name = issue(NAME, chain()[1])
    assert (
        "common name" in spoken(Tape(), 0, 443, certified(common_name, chain()[1])).finding(tmp_path, "CPVM007").summary
    )


def test_ordinary_web_sites_are_not_judged(tmp_path: Path) -> None:
    for leaf in (expired(), self_signed(), issue("x", chain()[1], dns=("other.example",))):
        for sni in ("www.example.org", None):
            assert codes(spoken(Tape(), 0, 443, certified(leaf, sni=sni)), tmp_path) == {}


def test_without_a_name_the_address_must_be_a_known_proxys(tmp_path: Path) -> None:
    tape = spoken(Tape(), 0, 443, certified(self_signed(), sni=None))
    spoken(tape, 2, 80, (get("/resource/noVNC/vnc.html"), answer("200 OK")))
    assert codes(tape, tmp_path) == {"CPVM009": Severity.WARNING}


@pytest.mark.parametrize(
    ("description", "severities"),
    [(UNKNOWN_CA, {"CPVM008": Severity.ERROR}), (CERTIFICATE_UNKNOWN, {"CPVM008": Severity.ERROR}), (EXPIRED, {})],
)
def test_missing_issuer_is_a_fault_only_where_clients_say_so(
    tmp_path: Path, description: int, severities: dict[str, Severity]
) -> None:
    leaf = chain()[0]
    assert codes(spoken(Tape(), 0, 443, certified(leaf)), tmp_path) == {}
    tape = spoken(Tape(), 0, 443, rejected(certified(leaf), description), ends=RESET)
    assert codes(tape, tmp_path) == {**severities, "CPVM010": Severity.ERROR}


def test_missing_issuer_that_others_fetch(tmp_path: Path) -> None:
    leaf = chain()[0]
    tape = spoken(spoken(Tape(), 0, 443, certified(leaf)), 1, 443, rejected(certified(leaf), UNKNOWN_CA), ends=RESET)
    assert codes(tape, tmp_path)["CPVM008"] is Severity.WARNING


def test_self_signed(tmp_path: Path) -> None:
    assert codes(spoken(Tape(), 0, 443, certified(self_signed())), tmp_path) == {"CPVM009": Severity.WARNING}
    tape = spoken(Tape(), 0, 443, rejected(certified(self_signed()), UNKNOWN_CA), ends=RESET)
    assert codes(tape, tmp_path) == {"CPVM009": Severity.ERROR, "CPVM010": Severity.ERROR}
    root, other = tape.analysis(tmp_path).diagnosed.findings
    assert (root.finding.code, other.explained_by) == ("CPVM009", root.id)


def test_rejected_for_no_visible_reason(tmp_path: Path) -> None:
    clock = spoken(Tape(), 0, 443, rejected(good(), EXPIRED), ends=RESET).finding(tmp_path, "CPVM010")
    assert any("clock" in one for one in clock.alternatives)
    root = spoken(Tape(), 0, 443, rejected(good(), UNKNOWN_CA), ends=RESET).finding(tmp_path, "CPVM010")
    assert any("root" in one for one in root.alternatives)


def test_rejected_by_a_client_of_another_site_is_a_remark(tmp_path: Path) -> None:
    said = rejected(certified(self_signed(), sni="www.example.org"), UNKNOWN_CA)
    assert codes(spoken(Tape(), 0, 443, said, ends=RESET), tmp_path) == {"CPVM010": Severity.INFO}


def test_regular_ends_reject_nothing(tmp_path: Path) -> None:
    said = [*good()[:2], (">", alert(CLOSE_NOTIFY, 1))]
    assert codes(spoken(Tape(), 0, 443, said), tmp_path) == {}
    assert codes(spoken(Tape(), 0, 443, ()), tmp_path) == {}


def test_a_scanner_is_no_user(tmp_path: Path) -> None:
    tape = Tape()
    for n in range(12):
        spoken(tape, n, 443, rejected(good(f"203-0-113-{n}.console.example.com"), UNKNOWN_CA), ends=RESET)
    assert "CPVM010" not in codes(tape, tmp_path)


def test_exception_for_one_port(tmp_path: Path) -> None:
    no, yes = rejected(certified(self_signed()), UNKNOWN_CA), certified(self_signed())
    tape = spoken(spoken(Tape(), 0, 443, no, ends=RESET), 2, 443, yes)
    assert "CPVM015" not in codes(tape, tmp_path)
    spoken(tape, 4, 8443, no, ends=RESET)
    explained = {one.finding.code: one.explained_by for one in tape.analysis(tmp_path).diagnosed.findings}
    assert explained["CPVM015"] is not None


def aborted() -> Talk:
    """TLS 1.3: the server's flight, then a record of an encrypted alert's size."""
    flights = handshake(TLS_1_3, sni=NAME)
    return [*flights[:2], (">", b"\x17\x03\x03\x00\x13" + bytes(19))]


def test_tls_1_3_aborts(tmp_path: Path) -> None:
    tape = spoken(Tape(), 0, 443, aborted())
    assert codes(tape, tmp_path) == {}
    spoken(tape, 2, 443, aborted())
    assert codes(tape, tmp_path) == {"CPVM011": Severity.WARNING}
    for at_s in (4, 5, 6):
        spoken(tape, at_s, 443, handshake(TLS_1_3, sni=NAME))
    assert codes(tape, tmp_path) == {}


def test_tls_1_3_that_lasts_is_no_abort(tmp_path: Path) -> None:
    tape = spoken(spoken(Tape(), 0, 443, aborted(), ends_s=30), 40, 443, aborted(), ends_s=30)
    assert codes(tape, tmp_path) == {}


def test_server_fails(tmp_path: Path) -> None:
    failing = [good()[0], ("<", alert(HANDSHAKE_FAILURE))]
    once = spoken(Tape(), 0, 443, failing, ends="<F")
    assert codes(once, tmp_path) == {"CPVM012": Severity.WARNING}
    twice = spoken(once, 2, 443, failing, ends="<F")
    assert codes(twice, tmp_path) == {"CPVM012": Severity.ERROR}
    assert codes(spoken(twice, 4, 443, good()), tmp_path) == {}


@pytest.mark.parametrize(("ends", "said"), [("<F", {"CPVM012"}), ("<R", {"CPVM012"}), (">F", set()), ("", set())])
def test_server_closes_without_a_word(tmp_path: Path, ends: str, said: set[str]) -> None:
    assert set(codes(spoken(Tape(), 0, 443, good()[:1], ends=ends), tmp_path)) == said


def test_server_failing_for_another_site_is_a_remark(tmp_path: Path) -> None:
    said = [good("www.example.org")[0], ("<", alert(HANDSHAKE_FAILURE))]
    assert codes(spoken(Tape(), 0, 443, said, ends="<F"), tmp_path) == {"CPVM012": Severity.INFO}


def test_plain_http_on_a_port_for_tls(tmp_path: Path) -> None:
    tape = spoken(Tape(), 0, 443, [good()[0], answer("400 Bad Request", b"<html>")], ends="<F")
    found = tape.finding(tmp_path, "CPVM013")
    assert (found.severity, found.subject.server, found.subject.port) == (Severity.ERROR, P_IP, 443)
    site = [get("/", "www.example.org"), answer("200 OK", b"<html>")]
    assert codes(spoken(Tape(), 0, 443, site), tmp_path) == {"CPVM013": Severity.INFO}


def test_tls_on_a_port_in_clear(tmp_path: Path) -> None:
    said = [good()[0], answer("400 Bad Request", b"")]
    assert codes(spoken(Tape(), 0, 8080, said, ends="<F"), tmp_path) == {"CPVM013": Severity.WARNING}
    said = [good("www.example.org")[0], answer("400 Bad Request", b"")]
    assert codes(spoken(Tape(), 0, 8080, said, ends="<F"), tmp_path) == {}


@pytest.mark.parametrize(("clear", "secured"), [(8080, 8443), (80, 443)])
def test_a_stray_client_where_the_port_for_tls_works(tmp_path: Path, clear: int, secured: int) -> None:
    works = spoken(Tape(), 0, secured, good())
    said = [good()[0], answer("400 Bad Request", b"")]
    assert codes(spoken(works, 5, clear, said, ends="<F"), tmp_path)["CPVM013"] is Severity.INFO
    stray = spoken(spoken(Tape(), 0, secured, good()), 5, secured, [get("/", NAME)], ends="<R")
    assert codes(stray, tmp_path).get("CPVM013") is not Severity.WARNING
