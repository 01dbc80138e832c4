"""PWD013 where the snap length cut the request off: three tries at a router's port 8080."""

from pathlib import Path

import pytest

from pcapdx.model import Confidence
from tests.rules.build import Tape, answer, discover, request, tcp

GUEST, ROUTER = "02:01:00:cc:00:16", "02:01:00:cc:00:01"
IP, GATEWAY, OTHER = "10.1.1.57", "10.1.1.1", "10.1.1.9"


def closed(times: int, *, server: str = GATEWAY, port: int = 8080, answered: bool = False, snap: int = 100) -> Tape:
    """A lease, then requests of 160 bytes that the server acknowledges and closes on."""
    tape = Tape().add(0, discover(GUEST)).add(0.1, answer("offer", ROUTER, GATEWAY, GUEST, IP))
    tape.add(0.2, request(GUEST, IP, GATEWAY)).add(0.3, answer("ack", ROUTER, GATEWAY, GUEST, IP))
    here, there = (GUEST, IP), (ROUTER, server)
    for n in range(times):
        source, at = 40_000 + n, 1 + 2 * n
        tape.add(at, tcp(*here, source, *there, port, "S", seq=100))
        tape.add(at + 0.001, tcp(*there, port, *here, source, "SA", seq=500, ack=101))
        tape.add(at + 0.002, tcp(*here, source, *there, port, "PA", seq=101, ack=501, size=160), snap=snap)
        tape.add(at + 0.003, tcp(*there, port, *here, source, "A", seq=501, ack=261))
        if answered:
            tape.add(at + 0.004, tcp(*there, port, *here, source, "PA", seq=501, ack=261, size=90), snap=snap)
        ends = 591 if answered else 501
        tape.add(at + 1, tcp(*there, port, *here, source, "FA", seq=ends, ack=261))
        tape.add(at + 1.001, tcp(*here, source, *there, port, "FA", seq=261, ack=ends + 1))
    return tape


def test_a_router_that_closes_without_a_byte(tmp_path: Path) -> None:
    found = closed(3).finding(tmp_path, "PWD013")
    assert (found.confidence, found.subject.server, found.subject.port) == (Confidence.LIKELY, GATEWAY, 8080)
    assert found.limits


@pytest.mark.parametrize(
    "tape",
    [closed(2), closed(3, server=OTHER), closed(3, port=80), closed(3, answered=True), closed(3, snap=0)],
    ids=["twice", "no router", "another port", "answered", "whole, and no request for a password"],
)
def test_what_is_not_judged(tmp_path: Path, tape: Tape) -> None:
    assert not tape.findings(tmp_path, "PWD013")
