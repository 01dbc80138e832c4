"""HYP022: groups that a host uses and never asks for."""

from pathlib import Path

import pytest

from pcapdx.model import Severity
from pcapdx.vantage import Role
from tests.rules.build import Tape, arp_reply, arp_request
from tests.rules.control import NIC, SWITCH, igmp, vxlan

HOST, QUERIER, OTHER = "10.0.50.11", "10.0.50.254", "10.0.50.12"
USED, WANTED = "239.0.1.146", "239.0.1.145"
QUERY, REPORT = 0x11, 0x16


def underlay(*, queries: int = 3, seconds: int = 80, answered: tuple[tuple[str, str], ...] = ((HOST, WANTED),)) -> Tape:
    tape = Tape()
    for n in range(seconds):
        tape.add(n, vxlan(HOST, USED, 402, arp_request("02:03:01:92:00:01", "10.1.146.1", f"10.1.146.{n % 200 + 2}")))
    for n in range(queries):
        tape.add(20 * n + 1, igmp(SWITCH, QUERIER, "0.0.0.0", QUERY, code=30))
        for source, group in answered:
            tape.add(20 * n + 2, igmp(NIC, source, group, REPORT))
    return tape


def test_a_group_without_a_report(tmp_path: Path) -> None:
    found = underlay().finding(tmp_path, "HYP022", role=Role.NIC)
    assert (found.severity, found.subject.ip, found.subject.server) == (Severity.WARNING, HOST, USED)


@pytest.mark.parametrize(
    "tape",
    [
        underlay(queries=1),
        underlay(answered=()),
        underlay(answered=((OTHER, WANTED),)),
        underlay(answered=((HOST, WANTED), (HOST, USED))),
        underlay(answered=((HOST, WANTED), (OTHER, USED))),
        underlay(queries=0),
    ],
    ids=["asked once", "no reports seen", "of another host", "reported", "another reports for it", "nobody asks yet"],
)
def test_nothing_is_missing(tmp_path: Path, tape: Tape) -> None:
    assert not tape.findings(tmp_path, "HYP022", role=Role.NIC)


def test_nobody_asks_for_long(tmp_path: Path) -> None:
    tape = underlay(queries=0, seconds=270).add(3, igmp(NIC, HOST, USED, REPORT))
    assert tape.finding(tmp_path, "HYP022", role=Role.NIC).severity is Severity.INFO
    near, far, ip = "02:03:01:92:00:01", "02:03:01:92:00:02", "10.1.146.1"
    for n in range(0, 260, 13):  # asked again and again: answered at first, then no longer
        tape.add(n + 0.5, vxlan(HOST, USED, 402, arp_request(near, ip, "10.1.146.250")))
        if n < 120:
            tape.add(n + 0.51, vxlan(OTHER, HOST, 402, arp_reply(far, "10.1.146.250", near, ip)))
        tape.add(n + 0.6, vxlan(OTHER, HOST, 402, arp_request(far, "10.1.146.250", "10.1.146.251")))
    found = tape.finding(tmp_path, "HYP022", role=Role.NIC)
    assert found.severity is Severity.WARNING
    assert "10.1.146.250 no longer hears broadcasts" in found.summary
    filtered = underlay(queries=0, seconds=270)
    assert not filtered.findings(tmp_path, "HYP022", role=Role.NIC)
