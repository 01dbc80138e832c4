"""HOST007 nfs-unreachable: a storage server's NFS ports do not answer, or refuse.

What it does
------------
Finds tries for port 2049 or 111 that are never answered, or refused three times. Where 2049 works, a dead 111 is a
remark: NFS version 4 needs none.

Why it matters
--------------
No template, snapshot or volume moves; a host that loses its primary storage may reboot by its own heartbeat.

Common causes
-------------
A firewall on the way; the NFS service is down; the storage network is not routed to this host, or it uses the wrong
NIC.

What else it could be
---------------------
A storage server that is being restarted.

Next steps
----------
Look at the route on the host, at the service and the firewall on the storage server.
"""

from collections.abc import Iterator, Sequence

from pcapdx.case import View
from pcapdx.model import Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.syn_dead import Tries, refused, syn_dead
from pcapdx.rules.definitions.windows import REPETITION, SYN_AFTER
from pcapdx.rules.definitions.wording import cite, listed, times
from pcapdx.rules.host_connectivity import NFS, PORTMAPPER, steps

PORTS = (NFS, PORTMAPPER)


def check(view: View) -> Iterator[Finding]:
    """One finding a client and storage server."""
    failed: dict[tuple[int, str, str], list[tuple[Tries, str]]] = {}
    for tries in syn_dead(view, PORTS, even_if_worked=True):
        failed.setdefault((tries.vlan, tries.client, tries.server), []).append((tries, "unanswered"))
    for tries in refused(view, PORTS, at_least=REPETITION, even_if_worked=True):
        failed.setdefault((tries.vlan, tries.client, tries.server), []).append((tries, "refused"))
    for (vlan, client, server), members in failed.items():
        members.sort(key=lambda one: one[0].port != NFS)
        if members[0][0].port == PORTMAPPER and view.remains_ns(members[0][0].last_ns) < SYN_AFTER:
            continue  # who gets no word from 111 tries 2049 next
        yield _finding(view, vlan, client, server, members)


def _works(view: View, vlan: int, client: str, server: str) -> bool:
    """Whether NFS itself answers this client."""
    flows = view.flows.where(ports=(NFS,), client=client, server=server)
    return any(one.vlan == vlan and (one.responder.syn or one.responder.payload_bytes) for one in flows)


def _finding(view: View, vlan: int, client: str, server: str, members: Sequence[tuple[Tries, str]]) -> Finding:
    first, how = members[0]
    harmless = first.works_again or (first.port == PORTMAPPER and _works(view, vlan, client, server))
    what = listed(f"port {tries.port} {times(tries.count)}, {how}" for tries, how in members)
    remark = ""
    if first.works_again:
        remark = "; later it works"
    elif harmless:
        remark = f"; {NFS} works, and NFS version 4 needs no {PORTMAPPER}"
    return RULE.finding(
        subject=Subject(mac=first.client_mac, vlan=vlan, ip=client, server=server, port=first.port),
        severity=Severity.INFO if harmless else Severity.ERROR,
        summary=f"{client} does not reach NFS on {server}: {what}{remark}.",
        evidence=tuple(cite(view, tries.frames, f"SYN to {tries.port}, {how}") for tries, how in members),
        filter=f"tcp.port in {{{NFS}, {PORTMAPPER}}} && ip.addr == {server}",
        first_ns=min(tries.first_ns for tries, _ in members),
        last_ns=max(tries.last_ns for tries, _ in members),
        alternatives=("the storage server is just being restarted",)
        if how == "refused"
        else (f"the answers take another NIC of {client} than the one captured here",),
        next_steps=(
            steps.path(client, server, first.port),
            steps.service(server, first.port, "nfs-server rpcbind")
            if how == "refused"
            else steps.firewall(server, first.port),
        ),
    )


RULE = Rule(
    code="HOST007",
    name="nfs-unreachable",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check,
    explains=("SG001",),
)
