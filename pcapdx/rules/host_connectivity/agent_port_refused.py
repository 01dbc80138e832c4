"""HOST002 agent-port-refused: the management server's port 8250 answers agents with a RST.

What it does
------------
Finds a management server that refuses three tries or more of agents within a minute. A refusal that ends, as after a
restart of the service, is a remark; so is one after which the agents are linked to another management server.

Why it matters
--------------
No host, console proxy or secondary storage VM of this management server is managed. Guests run on.

Common causes
-------------
The management service is stopped or does not come up; the setting "host" names a machine that is none.

What else it could be
---------------------
A restart in progress: give it five minutes. Maintenance of one of several management servers, to whose agents the
others are known, too.

Next steps
----------
See whether anything listens on the management server.
"""

from collections.abc import Iterator, Sequence

from pcapdx.case import View
from pcapdx.dissect import Flow
from pcapdx.model import Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.management import linked_elsewhere
from pcapdx.rules.definitions.syn_dead import Tries, refused
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import cite, listed, times
from pcapdx.rules.host_connectivity import AGENT, steps

WITHIN = 60 * SECOND


def check(view: View) -> Iterator[Finding]:
    """One finding a management server."""
    by_server: dict[tuple[int, str], list[Tries]] = {}
    for tries in refused(view, (AGENT,), even_if_worked=True):
        by_server.setdefault((tries.vlan, tries.server), []).append(tries)
    for (vlan, server), members in by_server.items():
        moved = [flow for one in members for flow in linked_elsewhere(view, one.client, server, one.last_ns)]
        gone = {flow.originator.ip for flow in moved}
        ended = all(one.works_again or one.client in gone for one in members)
        moments = sorted(flow.originator.first_syn_ns or 0 for one in members for flow in one.flows)
        often = any(later - first <= WITHIN for first, later in zip(moments, moments[REPETITION - 1 :], strict=False))
        if often or ended:
            yield _finding(view, vlan, server, members, moved, ended=ended)


def _finding(
    view: View, vlan: int, server: str, members: Sequence[Tries], moved: Sequence[Flow], *, ended: bool
) -> Finding:
    clients = listed([one.client for one in members[:3]])
    first = members[0]
    alone = len(members) == 1
    count = sum(len(one.flows) for one in members)
    others = listed(sorted({flow.responder.ip or "?" for flow in moved}))
    again = [one.worked[-1].originator.first_frame or 0 for one in members if one.works_again]
    return RULE.finding(
        subject=Subject(
            mac=first.client_mac if alone else None,
            vlan=vlan,
            ip=first.client if alone else None,
            server=server,
            port=AGENT,
        ),
        severity=Severity.INFO if ended else Severity.ERROR,
        summary=(
            f"The management server {server} refuses agents on port {AGENT}: {clients} {times(count)}"
            + (f"; by the end they are linked to {others}." if ended and moved else "")
            + (", then it accepts them again." if ended and not moved else "" if ended else ".")
        ),
        evidence=(
            cite(view, (number for one in members for number in one.frames), f"SYN to {AGENT}, answered by RST"),
            *((cite(view, again, "a later connection works"),) if again else ()),
            *(
                (cite(view, (flow.originator.payload_frame or 0 for flow in moved), f"links to {others}"),)
                if moved
                else ()
            ),
        ),
        filter=f"tcp.port == {AGENT} && ip.addr == {server}",
        first_ns=min(one.first_ns for one in members),
        last_ns=max(one.last_ns for one in members),
        alternatives=() if ended else ("the service is being restarted: then it accepts within some minutes",),
        next_steps=(steps.service(server, AGENT, "cloudstack-management"), steps.setting(server)),
    )


RULE = Rule(
    code="HOST002",
    name="agent-port-refused",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check,
    explains=("HOST004",),
)
