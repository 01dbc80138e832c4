"""PWD008 delivered-not-acknowledged, PWD010 delivered-again: the guest took its password and never said so.

What it does
------------
Finds a password that reached the guest's TCP whole, after which no "saved_password" came from that guest within a
minute (PWD008), and one that was delivered twice with no acknowledgement between (PWD010).

Why it matters
--------------
The router keeps a password that is not acknowledged and delivers it again at the next boot, overwriting what the owner
set meanwhile.

Common causes
-------------
The script in the guest failed to set the password; the guest rebooted in between; the acknowledgement was lost.

What else it could be
---------------------
A capture that ends within the minute: then nothing is said. One connection that was recorded at two places.

Next steps
----------
Look at the guest's log of the script or of cloud-init.
"""

from collections.abc import Iterator
from itertools import pairwise

from dissectors.password_server import PasswordExchange, PasswordKind
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.windows import PASSWORD_ACK, SECOND
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.password_reset import steps


def check_acknowledged(view: View) -> Iterator[Finding]:
    """PWD008: the last delivery to each guest, when nothing acknowledges it."""
    last = {(one.client, one.server): one for one in view.exchanges(PasswordExchange) if one.delivered}
    for (client, server), one in last.items():
        assert one.answer is not None  # that is what delivered means
        if acknowledged(view, one, None) or view.remains_ns(one.answer.ts_ns) < PASSWORD_ACK:
            continue
        yield NOT_ACKNOWLEDGED.finding(
            subject=steps.subject(one.flow.originator.mac, one.flow.vlan, client, server),
            summary=f"{client} got its password from {server} and did not acknowledge it.",
            evidence=(cite(view, one.answer.frames, "password delivered; no saved_password request follows in 60 s"),),
            filter=f"tcp.port == {one.port} && ip.addr == {client}",
            first_ns=one.answer.ts_ns,
            alternatives=("the guest was shut down or rebooted before it came to that",),
            next_steps=(_guest_log(client),),
        )


def check_again(view: View) -> Iterator[Finding]:
    """PWD010: the same password to the same guest twice, unacknowledged in between."""
    delivered: dict[tuple[str | None, str | None], list[PasswordExchange]] = {}
    for one in view.exchanges(PasswordExchange):
        if one.delivered:
            delivered.setdefault((one.client, one.server), []).append(one)
    for (client, server), deliveries in delivered.items():
        again = [
            (before, after)
            for before, after in pairwise(deliveries)
            if before.answer
            and after.answer
            and before.answer.message.digest == after.answer.message.digest
            and not acknowledged(view, before, after)
            and not _copies(before, after)
        ]
        if not again:
            continue
        answers = [one.answer for pair in again for one in pair if one.answer]
        yield AGAIN.finding(
            subject=steps.subject(deliveries[0].flow.originator.mac, deliveries[0].flow.vlan, client, server),
            summary=f"{client} got the same password from {server} {len(again) + 1} times without acknowledging it.",
            evidence=(cite(view, (one.number for one in answers), "the same password delivered (by its digest)"),),
            filter=f"tcp.port == {deliveries[0].port} && ip.addr == {client}",
            first_ns=answers[0].ts_ns,
            last_ns=answers[-1].ts_ns,
            alternatives=("wget asked again after a cut connection: then the first delivery was not whole",),
            next_steps=(_guest_log(client),),
        )


def _copies(one: PasswordExchange, other: PasswordExchange) -> bool:
    """One connection that was recorded at two places, with and without its tag."""
    same_port = one.flow.originator.port == other.flow.originator.port
    return same_port and abs(other.request.ts_ns - one.request.ts_ns) < SECOND


def acknowledged(view: View, delivery: PasswordExchange, before: PasswordExchange | None) -> bool:
    """Whether the guest sent "saved_password" after a delivery (and before a later one)."""
    return any(
        one.request.message.kind is PasswordKind.SAVED
        and one.client == delivery.client
        and one.request.ts_ns >= delivery.request.ts_ns
        and (before is None or one.request.ts_ns <= before.request.ts_ns)
        for one in view.exchanges(PasswordExchange)
    )


def _guest_log(client: str | None) -> NextStep:
    return NextStep(
        where=f"guest {client}",
        command="grep -iE 'password|cloud-set' /var/log/cloud-init.log /var/log/messages /var/log/syslog | tail",
        meaning="an error of chpasswd or of the script: that is why it did not acknowledge",
    )


NOT_ACKNOWLEDGED = Rule(
    code="PWD008",
    name="delivered-not-acknowledged",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.WARNING,
    check=check_acknowledged,
    explains=("PWD010",),
)
AGAIN = Rule(
    code="PWD010",
    name="delivered-again",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.WARNING,
    check=check_again,
)
