"""HOST001 agent-port-unreachable: an agent's tries for the management server get no answer.

What it does
------------
Finds a host or system VM whose SYNs to port 8250 are never answered, or that asks by ARP in vain for a management
server (one that the site profile names, or to whose port 8250 it connected before).

Why it matters
--------------
The host goes to "Alert" and is no longer managed; console proxy and secondary storage stop. Guests run on.

Common causes
-------------
A firewall; the setting "host" names a wrong address; the management network's VLAN does not reach this host.

What else it could be
---------------------
A capture at one NIC of a host that uses another; a management server that is down as a whole.

Next steps
----------
Follow the SYN: route and ARP on the host, then the firewall of the management server.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Confidence, Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import ArpDead, arp_dead
from pcapdx.rules.definitions.management import linked_elsewhere
from pcapdx.rules.definitions.syn_dead import Tries, syn_dead
from pcapdx.rules.definitions.wording import at_least, cite, duration, times
from pcapdx.rules.host_connectivity import AGENT, steps


def check(view: View) -> Iterator[Finding]:
    """One finding a host and management server."""
    for tries in syn_dead(view, (AGENT,), even_if_worked=True):
        yield _silent(view, tries)
    servers = {one.responder.ip for one in view.flows.where(ports=(AGENT,))} | set(view.site.management.servers)
    for dead in arp_dead(view):
        if dead.target_ip in servers:
            yield _unknown(view, dead)


def _silent(view: View, tries: Tries) -> Finding:
    moved = linked_elsewhere(view, tries.client, tries.server, tries.last_ns)
    return RULE.finding(
        subject=Subject(mac=tries.client_mac, vlan=tries.vlan, ip=tries.client, server=tries.server, port=AGENT),
        severity=Severity.INFO if tries.works_again or moved else Severity.ERROR,
        summary=(
            f"{tries.client} tried {times(tries.count)} in {duration(tries.last_ns - tries.first_ns)} to reach the "
            f"management server {tries.server} on port {AGENT}; no answer"
            + (", until it worked again." if tries.works_again else "")
            + (f"; it is linked to {moved[0].responder.ip} now." if moved and not tries.works_again else "")
            + ("" if moved or tries.works_again else ".")
        ),
        evidence=(cite(view, tries.frames, f"SYN to {AGENT}; nothing comes back"),),
        filter=f"tcp.port == {AGENT} && ip.addr == {tries.server}",
        first_ns=tries.first_ns,
        last_ns=tries.last_ns,
        alternatives=(
            f"the answers take another NIC of {tries.client} than the one captured here",
            f"{tries.server} is down: then it does not answer ARP or ping either",
        ),
        next_steps=(
            steps.path(tries.client, tries.server, AGENT),
            steps.firewall(tries.server, AGENT),
            steps.setting(tries.server),
        ),
    )


def _unknown(view: View, dead: ArpDead) -> Finding:
    return RULE.finding(
        subject=Subject(mac=dead.asker_mac, vlan=dead.vlan, ip=dead.asker_ip, server=dead.target_ip, port=AGENT),
        confidence=Confidence.LIKELY,
        summary=(
            f"{dead.asker_ip} asked for the management server {dead.target_ip} by ARP "
            f"{at_least(view, len(dead.frames), 'arp')}; nobody answers."
        ),
        evidence=(cite(view, dead.frames, f"ARP: who has {dead.target_ip}; no reply, so no SYN is ever sent"),),
        filter=f"arp.dst.proto_ipv4 == {dead.target_ip}",
        first_ns=dead.first_ns,
        last_ns=dead.last_ns,
        alternatives=(f"{dead.target_ip} answers on another NIC of {dead.asker_ip} than the one captured here",),
        next_steps=(steps.path(dead.asker_ip, dead.target_ip, AGENT), steps.setting(dead.target_ip)),
    )


RULE = Rule(
    code="HOST001",
    name="agent-port-unreachable",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check,
    explains=("SG001",),
)
