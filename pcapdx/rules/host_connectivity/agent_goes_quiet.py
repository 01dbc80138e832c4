"""HOST004 agent-goes-quiet: an agent's connection stays open and nobody says anything on it any more.

What it does
------------
Finds a connection to port 8250 on which both sides sent data, and then for more than 150 seconds (two and a half times
the ping interval) neither, while host and management server are heard otherwise. A pause that is no longer than two and
a half times the connection's own rhythm is none.

Why it matters
--------------
After 150 s the management server investigates the host, and may declare it down and start its guests elsewhere.

Common causes
-------------
The agent's process hangs, often on storage that does not answer; its host swaps; a firewall on the way has forgotten
the connection, and neither side has noticed yet.

What else it could be
---------------------
An agent that speaks by another connection meanwhile is left out. A longer ping.interval looks the same where the
capture holds too few pings to tell.

Next steps
----------
Look at the agent on the host, then at whatever it waits for.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.dissect import Flow, Half
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import speaks
from pcapdx.rules.definitions.management import agent_links, last_data_ns
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import cite, duration
from pcapdx.rules.host_connectivity import AGENT

BEHIND = 150 * SECOND
"""ping.interval (60 s) times ping.timeout (2.5)."""
OPENING = 2
"""SYN and the acknowledgement of its answer."""
SEGMENTS_A_PING = 2
"""A host's own: the ping, and the acknowledgement of its answer."""


def check(view: View) -> Iterator[Finding]:
    """One finding an agent's connection."""
    for flow in agent_links(view):
        last_ns = last_data_ns(flow)
        if last_ns is None or flow.closing is not None or not (_spoke(flow) and _stays_quiet(view, flow, last_ns)):
            continue
        if all(_alive(view, half, flow, last_ns + BEHIND) for half in (flow.originator, flow.responder)):
            yield _finding(view, flow, last_ns)


def _spoke(flow: Flow) -> bool:
    return min(flow.originator.payload_bytes, flow.responder.payload_bytes) > 0


def _stays_quiet(view: View, flow: Flow, last_ns: int) -> bool:
    quiet = view.last_ns - last_ns
    if quiet <= BEHIND or 2 * quiet <= 5 * _rhythm_ns(flow, last_ns):
        return False
    later = (one for one in agent_links(view) if one.originator.ip == flow.originator.ip and one.index != flow.index)
    return not any((last_data_ns(one) or 0) > last_ns for one in later)


def _rhythm_ns(flow: Flow, last_ns: int) -> int:
    """Time from ping to ping, rather too long than too short."""
    opening = OPENING if flow.began else 0
    pauses = (flow.originator.packets - opening) // SEGMENTS_A_PING - 1
    return (last_ns - (flow.originator.first_ns or last_ns)) // max(pauses, 1)


def _alive(view: View, half: Half, flow: Flow, since_ns: int) -> bool:
    """Whether a machine is heard from a moment on: by its MAC, or by its address where that MAC is a router's."""
    for one in view.talkers:
        if (one.mac, one.vlan) == (half.mac, flow.vlan) and not one.odd_ttl:
            return (one.last_ns or 0) > since_ns and one.sent >= REPETITION
    return half.ip is not None and speaks(view, half.ip, flow.vlan, flow.vni, since_ns)


def _finding(view: View, flow: Flow, last_ns: int) -> Finding:
    host, server = flow.originator, flow.responder
    quiet = view.last_ns - last_ns
    bare = max(host.last_ns or 0, server.last_ns or 0) > last_ns + BEHIND
    frames = [number for number in (host.payload_frame, host.last_frame, server.last_frame) if number is not None]
    return RULE.finding(
        subject=Subject(mac=host.mac, vlan=flow.vlan, ip=host.ip, server=server.ip, port=AGENT),
        confidence=Confidence.LIKELY,
        summary=(
            f"The agent of {host.ip} and the management server {server.ip} have an open connection and say nothing on "
            f"it for {duration(quiet)}; the management server counts a host as behind after {BEHIND // SECOND} s."
        ),
        evidence=(cite(view, frames, "the last segments of the connection; neither data nor its end follows"),),
        filter=f"tcp.port == {AGENT} && ip.addr == {host.ip}",
        first_ns=last_ns,
        last_ns=view.last_ns,
        alternatives=(
            "ping.interval is set to more than a minute",
            "both ends answer each other's keep-alives: the path is sound, the agent's process hangs"
            if bare
            else "a firewall on the way has forgotten the connection",
        ),
        next_steps=(
            NextStep(
                where=f"{host.ip}",
                command=f"ss -tnpo 'dport = :{AGENT}'; ps -eo pid,stat,wchan:32,comm | awk '$2 ~ /D/'; "
                "tail -50 /var/log/cloudstack/agent/agent.log",
                meaning="processes in state D wait for storage; unacknowledged bytes in Send-Q: the path is dead",
            ),
            NextStep(
                where="CloudStack API",
                command="list configurations name=ping.interval; list hosts type=Routing filter=name,state,lastpinged",
                meaning=f"whether {host.ip} is behind by the server's own count",
            ),
        ),
    )


RULE = Rule(
    code="HOST004",
    name="agent-goes-quiet",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.WARNING,
    check=check,
)
