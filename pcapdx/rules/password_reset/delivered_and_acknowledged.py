"""PWD009 delivered-and-acknowledged: the whole password exchange worked.

What it does
------------
Proves that a password reached the guest's TCP whole and that the guest acknowledged it to the router.

Why it matters
--------------
It closes a ticket, or moves it into the guest: if login still fails, cloud-init's set-passwords ran only once per
instance (issue 8584), the user name is wrong, or sshd refuses passwords.
"""

from collections.abc import Iterator

from dissectors.password_server import AnswerKind, PasswordExchange, PasswordKind
from pcapdx.case import View
from pcapdx.model import Proof, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.password_reset import steps


def check(view: View) -> Iterator[Proof]:
    """One proof a guest and server."""
    exchanges = view.exchanges(PasswordExchange)
    for one in exchanges:
        if not one.delivered or one.answer is None:
            continue
        thanks = next(
            (
                other
                for other in exchanges
                if other.request.message.kind is PasswordKind.SAVED
                and other.client == one.client
                and other.server == one.server
                and other.request.ts_ns >= one.request.ts_ns
                and other.answer is not None
                and other.answer.message.kind is AnswerKind.SAVED_PASSWORD
            ),
            None,
        )
        if thanks is None or thanks.answer is None:
            continue
        yield RULE.proof(
            subject=steps.subject(one.flow.originator.mac, one.flow.vlan, one.client, one.server),
            summary=f"password delivered to {one.client} by {one.server} and acknowledged",
            evidence=(
                cite(view, one.answer.frames, "password delivered, acknowledged by the guest's TCP"),
                cite(view, (*thanks.request.frames, *thanks.answer.frames), "saved_password, confirmed by the router"),
            ),
            filter=f"tcp.port == {one.port} && ip.addr == {one.client}",
            first_ns=one.request.ts_ns,
            last_ns=thanks.answer.ts_ns,
        )


RULE = Rule(
    code="PWD009",
    name="delivered-and-acknowledged",
    topic=Topic.PASSWORD_RESET,
    severity=None,
    check=check,
)
