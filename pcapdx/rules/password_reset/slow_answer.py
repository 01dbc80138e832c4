"""PWD019 slow-answer: the password server takes more than five seconds.

What it does
------------
Measures from a password request to the first byte of its answer.

Why it matters
--------------
A guest's script waits twenty seconds at most; a router that is slow at boot time soon is too slow.

Common causes
-------------
An overloaded router; the lock of the socat server in CloudStack 4.5 and older.

What else it could be
---------------------
A lossy path: then the request or the answer was sent again.

Next steps
----------
Look at the router's load.
"""

from collections.abc import Iterator

from dissectors.password_server import PasswordExchange
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration
from pcapdx.rules.password_reset import steps

SLOW = 5 * SECOND


def check(view: View) -> Iterator[Finding]:
    """One finding a guest and server."""
    for one in view.exchanges(PasswordExchange):
        begun = one.flow.responder.payload_ns
        if one.answer is None or begun is None or begun - one.request.ts_ns < SLOW:
            continue
        sent_again = one.flow.originator.retransmissions + one.flow.responder.retransmissions
        yield RULE.finding(
            subject=steps.subject(one.flow.originator.mac, one.flow.vlan, one.client, one.server),
            summary=(
                f"{one.server} took {duration(begun - one.request.ts_ns)} to answer {one.client}'s password request."
            ),
            evidence=(cite(view, (*one.request.frames, *one.answer.frames), "request and its late answer"),),
            filter=f"tcp.port == {one.port} && ip.addr == {one.client}",
            first_ns=one.request.ts_ns,
            last_ns=begun,
            alternatives=(f"a lossy path: {sent_again} segments were sent again here",) if sent_again else (),
            next_steps=(
                NextStep(
                    where="virtual router",
                    command="uptime; free -m; ps -ef | grep -c serve_password",
                    meaning="a high load or many waiting servers explains it",
                ),
            ),
        )


RULE = Rule(
    code="PWD019",
    name="slow-answer",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.WARNING,
    check=check,
)
