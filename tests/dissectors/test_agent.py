import ssl
from dataclasses import replace

import pytest

from dissectors.agent import AgentLink, AgentState, pair
from dissectors.tls import pair as pair_tls
from dissectors.tls import read
from pcapdx.dissect import Traffic
from tests.dissectors.feeding import CLIENT, SERVER, talk
from tests.dissectors.handshakes import Talk, handshake

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
DATA = b"\x17\x03\x03\x00\x20" + bytes(32)
REFUSAL = b"\x15\x03\x03\x00\x02\x02\x30"


def links(flights: Talk, port: int = 8250) -> list[AgentLink]:
    traffic = Traffic(conversations=(talk(read, flights, port),))
    return list(pair(replace(traffic, exchanges=tuple(pair_tls(traffic)))))


def state(flights: Talk) -> AgentState:
    (found,) = links(flights)
    assert (found.agent, found.server) == (CLIENT, SERVER)
    return found.state


@pytest.mark.parametrize("version", [V12, V13])
def test_linked(version: ssl.TLSVersion) -> None:
    assert state(handshake(version)) is AgentState.LINKED


def test_refused() -> None:
    hello, answer = handshake(V12)[:2]
    assert state([hello, answer, (">", REFUSAL)]) is AgentState.FAILED


def test_plain() -> None:
    assert state([(">", b"GET / HTTP/1.1\r\n\r\n")]) is AgentState.PLAIN


def test_a_capture_that_began_later() -> None:
    assert state([(">", DATA), ("<", DATA)]) is AgentState.LINKED


def test_only_a_hello() -> None:
    assert state(handshake(V12)[:1]) is AgentState.UNKNOWN


def test_other_ports_are_left_alone() -> None:
    assert links(handshake(V12), port=443) == []
