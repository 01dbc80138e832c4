"""META011 cloud-init-gave-up: two minutes of tries for the first key, all in vain.

What it does
------------
Finds a guest that tries for nearly two minutes to get its instance-id (or any connection to the router's port 80),
never gets it, and stops.

Why it matters
--------------
cloud-init does not try again until the next boot.

Common causes
-------------
Whatever kept the router from answering: see the finding that explains this one.

What else it could be
---------------------
A monitoring agent that polls for ever: it does not stop.

Next steps
----------
Look for "Giving up" in cloud-init's log.
"""

from collections.abc import Iterator

from dissectors.metadata import MetadataKind
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.servers import tried
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration
from pcapdx.rules.user_metadata import PORT
from pcapdx.rules.user_metadata.asked import requests

PATIENCE = 110 * SECOND


def check(view: View) -> Iterator[Finding]:
    """One finding a client and server."""
    got = {
        (one.client, one.server)
        for one in requests(view)
        if one.answer is not None
        and one.answer.message.status == 200
        and one.request.message.kind in (MetadataKind.MANDATORY, MetadataKind.LISTING)
    }
    tries: dict[tuple[str, str], list[tuple[int, int, str | None, int]]] = {}
    for flow in tried(view, PORT):
        client, server = flow.originator, flow.responder
        if not client.ip or not server.ip or not flow.began or client.first_ns is None or client.first_frame is None:
            continue
        found_here = client.first_ns, client.first_frame, client.mac, flow.vlan
        tries.setdefault((client.ip, server.ip), []).append(found_here)
    for (client_ip, server_ip), found in tries.items():
        found.sort()
        waited = found[-1][0] - found[0][0]
        if (client_ip, server_ip) in got or waited < PATIENCE or len(found) < 3:
            continue
        yield RULE.finding(
            subject=Subject(mac=found[0][2], vlan=found[0][3], ip=client_ip, server=server_ip, port=PORT),
            summary=f"{client_ip} tried {duration(waited)} to get its metadata from {server_ip} and gave up.",
            evidence=(cite(view, (number for _, number, _, _ in found), "first frames of its tries"),),
            filter=f"tcp.port == {PORT} && ip.addr == {client_ip} && ip.addr == {server_ip}",
            first_ns=found[0][0],
            last_ns=found[-1][0],
            next_steps=(
                NextStep(
                    where=f"guest {client_ip}",
                    command="grep -iE 'giving up|DataSourceCloudStack' /var/log/cloud-init.log",
                    meaning="'Giving up': cloud-init tries again at the next boot only",
                ),
            ),
        )


RULE = Rule(
    code="META011",
    name="cloud-init-gave-up",
    topic=Topic.USER_METADATA,
    severity=Severity.ERROR,
    check=check,
)
