"""HOST015 management-port-exposed: the management server's own ports answer a public address.

What it does
------------
Finds connections from a public address to ports 8250 (agents), 8096 (the API without login) and 9090 (cluster) that are
accepted. An agent that talks on 8250 for a while, as in an edge zone, makes that one a remark.

Why it matters
--------------
Whoever reaches 8096 needs no password to own the cloud. None of these ports is meant for the public.

Common causes
-------------
A management server with a public address and no firewall; a port forwarding that is too wide.

What else it could be
---------------------
A firewall on the way that translates addresses may hide who really asks; only true public addresses are named. A
machine that neither the profile, nor an agent, nor a command of the API makes a management server is left out.

Next steps
----------
Close the port at the edge, then look in the log who used it.
"""

from collections.abc import Iterator, Sequence

from dissectors.http import HttpExchange
from pcapdx.case import View
from pcapdx.dissect import Flow
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.addresses import is_public, within
from pcapdx.rules.definitions.macs import is_system_vm_public
from pcapdx.rules.definitions.management import agent_links
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, listed, times
from pcapdx.rules.host_connectivity import AGENT

OPEN_API, CLUSTER = 8096, 9090
COMMAND = "command="
"""In the target of every request to the API."""
PORTS = {AGENT: "agents", OPEN_API: "the API without login", CLUSTER: "the cluster"}


def check(view: View) -> Iterator[Finding]:
    """One finding a server and port."""
    servers = {flow.responder.ip for flow in agent_links(view)} | set(view.site.management.servers)
    commands = {
        one.flow.index
        for one in view.exchanges(HttpExchange)
        if one.flow is not None and COMMAND in one.request.message.target
    }
    inside = (*view.site.management.networks, *view.site.storage.networks)
    exposed: dict[tuple[int, str, int], list[Flow]] = {}
    for flow in view.flows.where(ports=PORTS):
        client, server = flow.originator, flow.responder
        if not server.syn or server.ip is None or not is_public(client.ip) or within(client.ip, inside):
            continue
        if server.ip not in servers and flow.index not in commands:
            continue  # other services have these ports, too
        just_began = (
            flow.closing is None and view.remains_ns(client.first_ns or 0) < 2 * SECOND and server.port == AGENT
        )
        if not is_system_vm_public(client.mac) and client.packets > client.syn and not just_began:
            exposed.setdefault((flow.vlan, server.ip, server.port), []).append(flow)
    for (vlan, server_ip, port), flows in exposed.items():
        yield _finding(view, vlan, server_ip, port, flows)


def _agent(flow: Flow) -> bool:
    """Data both ways for a second and more."""
    halves = flow.originator, flow.responder
    return all((one.last_payload_ns or 0) - (one.payload_ns or 0) > SECOND for one in halves)


def _finding(view: View, vlan: int, server: str, port: int, flows: Sequence[Flow]) -> Finding:
    clients = sorted({flow.originator.ip or "" for flow in flows})
    agents = port == AGENT and all(map(_agent, flows))
    frames = [number for flow in flows for number in (*flow.originator.syn_frames[:1], *flow.responder.syn_frames[:1])]
    return RULE.finding(
        subject=Subject(vlan=vlan, server=server, port=port),
        severity=Severity.INFO if agents else Severity.WARNING,
        summary=(
            f"Port {port} ({PORTS[port]}) of {server} accepts connections from the public "
            f"{'address' if len(clients) == 1 else 'addresses'} {listed(clients[:3])}, {times(len(flows))}"
            + ("; an agent talks there." if agents else ".")
        ),
        evidence=(cite(view, frames, f"SYN from a public address, accepted on {port}"),),
        filter=f"tcp.port == {port} && ip.addr == {server} && tcp.flags.syn == 1",
        first_ns=min(flow.originator.first_ns or 0 for flow in flows),
        last_ns=max(flow.originator.last_ns or 0 for flow in flows),
        alternatives=("hosts of an edge zone that connect from public addresses on purpose",) if port == AGENT else (),
        next_steps=(
            NextStep(
                where=f"{server}, and the firewall before it",
                command=f"ss -ltnp 'sport = :{port}'; nft list ruleset | grep -w {port}",
                meaning=f"admit {port} from the management network only",
            ),
            NextStep(
                where="CloudStack API",
                command="list configurations name=integration.api.port",
                meaning="0 switches the port 8096 off; a login is then needed for everything",
            ),
        ),
    )


RULE = Rule(
    code="HOST015",
    name="management-port-exposed",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.WARNING,
    check=check,
)
