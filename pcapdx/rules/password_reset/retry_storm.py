"""PWD016 retry-storm: one guest asks for its password ten times a minute and more.

What it does
------------
Counts password requests of one guest; ten connections within a minute are a storm.

Why it matters
--------------
Each takes the password server of an old router a lock, so other guests wait; and it shows that the guest is not content
with the answers.

Common causes
-------------
The old Windows agent asks once a second for half an hour.

What else it could be
---------------------
wget's three tries at one boot: they are three.

Next steps
----------
Look at the finding about the single tries.
"""

from collections.abc import Iterator

from dissectors.password_server import PasswordExchange, PasswordKind
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration
from pcapdx.rules.password_reset import steps

MANY = 10
WITHIN = 60 * SECOND


def check(view: View) -> Iterator[Finding]:
    """One finding a guest and server."""
    grouped: dict[tuple[str | None, str | None], list[PasswordExchange]] = {}
    for one in view.exchanges(PasswordExchange):
        if one.request.message.kind is PasswordKind.SEND:
            grouped.setdefault((one.client, one.server), []).append(one)
    for (client, server), tries in grouped.items():
        starts = [one.request.ts_ns for one in tries]
        if not any(late - early <= WITHIN for early, late in zip(starts, starts[MANY - 1 :], strict=False)):
            continue
        yield RULE.finding(
            subject=steps.subject(tries[0].flow.originator.mac, tries[0].flow.vlan, client, server),
            summary=(
                f"{client} asked {server} for its password {len(tries)} times in {duration(starts[-1] - starts[0])}."
            ),
            evidence=(cite(view, (one.request.number for one in tries), "password requests"),),
            filter=f"tcp.port == {tries[0].port} && ip.addr == {client}",
            first_ns=starts[0],
            last_ns=starts[-1],
            next_steps=(
                NextStep(
                    where=f"guest {client}",
                    command="Get-Service CloudInstanceManager (Windows)",
                    meaning="running: the old agent, which asks every second until it gets a password",
                ),
            ),
        )


RULE = Rule(
    code="PWD016",
    name="retry-storm",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.WARNING,
    check=check,
)
