"""The rule contract's own doings."""

import pytest

from pcapdx.model import Evidence, Severity, Subject, Topic
from pcapdx.rule import Rule

RULE = Rule(code="SG001", name="ingress-dropped", topic=Topic.SECURITY_GROUPS, severity=Severity.INFO)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("tcp.port == 80 && ip.addr == 10.1.1.1", "tcp.port == 80 && ip.addr == 10.1.1.1"),
        ("tcp.port == 80 && ip.addr == fd00::1", "tcp.port == 80 && ipv6.addr == fd00::1"),
        ("ip.src == ::1 && ip.dst == 10.1.1.1", "ipv6.src == ::1 && ip.dst == 10.1.1.1"),
        ("eth.addr == 02:01:00:cc:00:16", "eth.addr == 02:01:00:cc:00:16"),
    ],
)
def test_filters_fit_the_addresses(given: str, shown: str) -> None:
    found = RULE.finding(
        subject=Subject(), summary="", evidence=(Evidence(capture="c", frames=(1,), what=""),), filter=given
    )
    assert found.filter == shown
