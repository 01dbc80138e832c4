"""HOST005 balancer-cuts-agent: agents' connections are ended at one and the same idle age.

What it does
------------
Finds connections to port 8250 that the server's side (or a balancer's own client side) ends, two or more of them
equally long (within two seconds) after their last data, at different moments.

Why it matters
--------------
Each cut is a host that goes to "Alert" and comes back; commands under way are lost.

Common causes
-------------
The idle time-out of a load balancer or firewall before the management servers is shorter than ping.interval (60 s), or
than what an agent's long command takes.

What else it could be
---------------------
A restart of the management service ends connections of every age at one moment, and is left out; so is a server that
gives up on a TLS handshake which does not go on.

Next steps
----------
Read the balancer's idle time-outs, client and server side.
"""

from collections.abc import Iterator, Sequence

from pcapdx.case import View
from pcapdx.dissect import Flow
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.management import agent_links
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration, listed, times
from pcapdx.rules.host_connectivity import AGENT
from pcapdx.values import dataclass

TWICE = 2
SAME_AGE = 2 * SECOND
OTHER_MOMENT = 5 * SECOND
IDLE = 8 * SECOND
"""No balancer's time-out is shorter; who ends a connection sooner had another reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A connection that was ended while nothing was said on it."""

    flow: Flow
    by: str | None
    """Address of the side that ended it."""
    ts_ns: int
    frame: int
    age_ns: int
    """Since its last data."""


def check(view: View) -> Iterator[Finding]:
    """One finding a server or balancer."""
    by_server: dict[tuple[int, str | None], list[Cut]] = {}
    links = agent_links(view)
    for flow in links:
        cut = _cut(flow, links)
        if cut is not None:
            by_server.setdefault((flow.vlan, cut.by), []).append(cut)
    for (vlan, server), cuts in by_server.items():
        alike = _alike(cuts)
        moments = {cut.ts_ns // OTHER_MOMENT for cut in cuts}  # both legs of a link through a balancer end at once
        if server is not None and len(alike) >= TWICE and 2 * len(alike) > len(moments):
            yield _finding(view, vlan, server, alike)


def _cut(flow: Flow, links: Sequence[Flow]) -> Cut | None:
    closing = flow.closing
    agent = flow.originator
    if closing is None or not flow.responder.payload_bytes or agent.payload_ns == agent.last_payload_ns:
        return None  # one segment of the agent's is its ClientHello
    if closing.by_originator and not _is_balancer(flow, links):
        return None
    moments = [half.last_payload_ns for half in (flow.originator, flow.responder) if half.last_payload_ns is not None]
    before = [one for one in moments if one <= closing.ts_ns]  # who is cut off may still say goodbye
    age = closing.ts_ns - max(before, default=closing.ts_ns)
    if age < IDLE:
        return None
    by = flow.originator if closing.by_originator else flow.responder
    return Cut(flow=flow, by=by.ip, ts_ns=closing.ts_ns, frame=closing.frame, age_ns=age)


def _is_balancer(flow: Flow, links: Sequence[Flow]) -> bool:
    """Whether the originator has two connections at once, as no agent has."""
    mine = flow.originator
    return any(
        one.index != flow.index
        and one.originator.ip == mine.ip
        and (one.originator.first_ns or 0) < (mine.last_ns or 0)
        and (mine.first_ns or 0) < (one.originator.last_ns or 0)
        for one in links
    )


def _alike(cuts: Sequence[Cut]) -> list[Cut]:
    """The most cuts of one age, of which no two came at one moment."""
    best: list[Cut] = []
    for first in cuts:
        same: list[Cut] = []
        for one in sorted(cuts, key=lambda cut: cut.ts_ns):
            if not 0 <= one.age_ns - first.age_ns <= SAME_AGE:
                continue
            if not same or one.ts_ns - same[-1].ts_ns >= OTHER_MOMENT:
                same.append(one)
        best = max(best, same, key=len)
    return best


def _finding(view: View, vlan: int, server: str, cuts: Sequence[Cut]) -> Finding:
    age = sorted(one.age_ns for one in cuts)[len(cuts) // 2]
    ends = {ip or "" for one in cuts for ip in (one.flow.originator.ip, one.flow.responder.ip)}
    clients = sorted(ends - {server})
    alone = clients[0] if len(clients) == 1 else None
    return RULE.finding(
        subject=Subject(vlan=vlan, ip=alone, server=server, port=AGENT),
        confidence=Confidence.LIKELY,
        summary=(
            f"{server} ended agents' connections (with {listed(clients[:3])}) {times(len(cuts))} when nothing had been "
            f"said on them for {duration(age)}: an idle time-out on the way."
        ),
        evidence=(
            cite(view, (one.frame for one in cuts), f"the end, {duration(age)} after the last data each time"),
            cite(view, (one.flow.originator.last_frame or one.frame for one in cuts), "the connections that ended"),
        ),
        filter=f"tcp.port == {AGENT} && ip.addr == {server} && (tcp.flags.fin == 1 || tcp.flags.reset == 1)",
        first_ns=min(one.ts_ns for one in cuts),
        last_ns=max(one.ts_ns for one in cuts),
        alternatives=("the management server itself ends agents that are silent for so long",),
        next_steps=(
            NextStep(
                where=f"load balancer or firewall before {server}",
                command="grep -E 'timeout (client|server|tunnel)' /etc/haproxy/haproxy.cfg",
                meaning=f"one of them is {duration(age)}: raise it well above ping.interval (60 s), to an hour",
            ),
            NextStep(
                where="management server",
                command="grep -E 'Agent.*disconnect|Ping timeout' "
                "/var/log/cloudstack/management/management-server.log | tail",
                meaning="what it says at the moments of these frames; nothing: it was not the server that ended them",
            ),
        ),
    )


RULE = Rule(
    code="HOST005",
    name="balancer-cuts-agent",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.WARNING,
    check=check,
)
