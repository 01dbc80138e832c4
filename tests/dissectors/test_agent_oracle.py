"""Links of agents, connection by connection, against what tshark says of the TLS and TCP below them.

tshark has no dissector for the agents' protocol, and needs none: all that ours tells is whether a connection to port
8250 became a link, and that shows in handshake messages, alerts, encrypted records and payloads without TLS.
"""

import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from captures.accuracy import HERE
from dissectors.agent import AgentLink, AgentState
from tests.dissectors.oracle import dissect

PATTERNS = ("host-agent*.pcap*", "host-balancer*.pcap*", "held-out-agent*.pcap*", "console-management*.pcap*")
READABLE = sorted({path for each in PATTERNS for path in HERE.glob(each) if path.suffix not in (".xz", ".lz4")})
FIELDS = (
    "tcp.stream", "ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "tcp.len", "tls.handshake.type",
    "tls.record.content_type", "tls.record.opaque_type", "tls.alert_message.level",
)  # fmt: skip
HELLO, CIPHER, ALERT, DATA = "1", "20", "21", "23"


@dataclass
class Stream:
    """What tshark says of one connection."""

    agent: tuple[str, str] = ("", "")
    payload: int = 0
    handshake: set[str] = field(default_factory=set)
    records: set[str] = field(default_factory=set)
    sealed_ways: set[str] = field(default_factory=set)
    fatal: bool = False


def by_tshark(path: Path) -> dict[tuple[str, str], Stream]:
    """Connections to port 8250 with payload, by the agent's address and port."""
    words = ["tshark", "-nr", str(path), "-d", "tcp.port==8250,tls", "-Y", "tcp.port == 8250", "-T", "fields"]
    words += ["-E", "separator=/t", "-E", "aggregator=,"] + [word for one in FIELDS for word in ("-e", one)]
    streams: dict[str, Stream] = defaultdict(Stream)
    for line in subprocess.run(words, capture_output=True, check=True, text=True).stdout.splitlines():
        stream, src, sport, dst, dport, length, handshake, records, sealed, level = line.split("\t")
        one = streams[stream]
        one.agent = (src, sport) if dport == "8250" else (dst, dport)
        one.payload += int(length or 0)
        one.handshake |= set(filter(None, handshake.split(",")))
        kinds = set(filter(None, f"{records},{sealed}".split(",")))
        one.records |= kinds
        one.fatal |= "2" in level.split(",")
        if kinds & {CIPHER, DATA}:
            one.sealed_ways.add(src)
    return {one.agent: one for one in streams.values() if one.payload}


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_oracle(path: Path) -> None:
    streams = by_tshark(path)
    links = dissect(path).view.exchanges(AgentLink)
    assert {(one.agent or "", str(one.flow.originator.port)) for one in links} == set(streams)
    for one in links:
        theirs = streams[one.agent or "", str(one.flow.originator.port)]
        assert one.flow.originator.payload_bytes + one.flow.responder.payload_bytes == theirs.payload
        match one.state:
            case AgentState.LINKED:
                assert len(theirs.sealed_ways) == 2, "both sides encrypt"
                assert one.handshake is None or HELLO in theirs.handshake
            case AgentState.FAILED:
                assert HELLO in theirs.handshake or ALERT in theirs.records
                assert theirs.fatal or ALERT in theirs.records or len(theirs.sealed_ways) < 2
            case AgentState.PLAIN:
                assert not theirs.handshake >= {"1", "2"}
            case AgentState.UNKNOWN:
                assert not theirs.sealed_ways or one.handshake is not None


def test_something_is_read() -> None:
    assert len(READABLE) > 5
