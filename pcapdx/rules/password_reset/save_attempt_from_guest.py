"""PWD017 save-attempt-from-guest: a guest tries to set a password on the router.

What it does
------------
Finds a request "save_password", or a POST, to a password server on the guest network.

Why it matters
--------------
Passwords are set by the management server through the router's loopback only; the same from a guest is an attempt to
change somebody's password. Routers refuse it.

Common causes
-------------
A security scanner, a curious tenant, an attack.

What else it could be
---------------------
A health check of the router: those come from its own loopback and never show on the guest network.

Next steps
----------
Find out who the guest is.
"""

from collections.abc import Iterator

from dissectors.password_server import PasswordExchange, PasswordKind
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.password_reset import steps


def check(view: View) -> Iterator[Finding]:
    """One finding a guest and server."""
    for one in view.exchanges(PasswordExchange):
        if one.request.message.kind is not PasswordKind.SAVE:
            continue
        yield RULE.finding(
            subject=steps.subject(one.flow.originator.mac, one.flow.vlan, one.client, one.server),
            summary=f"{one.client} tried to set a password on the router {one.server} (save_password from a guest).",
            evidence=(cite(view, one.request.frames, "request save_password on the guest network"),),
            filter=f"tcp.port == {one.port} && ip.addr == {one.client}",
            first_ns=one.request.ts_ns,
            next_steps=(
                NextStep(
                    where="CloudStack API",
                    command=f"listVirtualMachines listall=true keyword={one.client}",
                    meaning="whose instance this is; then a matter for security",
                ),
            ),
        )


RULE = Rule(
    code="PWD017",
    name="save-attempt-from-guest",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.WARNING,
    check=check,
)
