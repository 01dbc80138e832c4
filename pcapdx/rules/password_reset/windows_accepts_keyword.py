"""PWD015 windows-accepts-keyword: a Windows agent takes an empty or error answer for the new password.

What it does
------------
Finds a Windows guest that got an empty body or bad_request and then acknowledged it as its password.

Why it matters
--------------
The Administrator password is now that text, or empty; nobody knows it is.

Common causes
-------------
The agent takes any body other than saved_password as the password (CloudStack's VMOps instance manager).

What else it could be
---------------------
A Linux guest: the vendor class of its DHCP client tells.

Next steps
----------
Mend the password server first, then reset the password again.
"""

from collections.abc import Iterator

from dissectors.password_server import AnswerKind, PasswordExchange, PasswordKind
from pcapdx.case import View
from pcapdx.model import Finding, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.password_reset import steps
from pcapdx.rules.password_reset.answers import asked, is_windows


def check(view: View) -> Iterator[Finding]:
    """One finding a guest."""
    for one in asked(view):
        if one.answer is None or one.answer.message.kind not in (AnswerKind.EMPTY, AnswerKind.BAD_REQUEST):
            continue
        thanks = next(
            (
                other
                for other in view.exchanges(PasswordExchange)
                if other.request.message.kind is PasswordKind.SAVED
                and other.client == one.client
                and other.request.ts_ns >= one.answer.ts_ns
            ),
            None,
        )
        if thanks is None or not is_windows(view, one.client):
            continue
        what = "an empty answer" if one.answer.message.kind is AnswerKind.EMPTY else "the words of an error"
        yield RULE.finding(
            subject=steps.subject(one.flow.originator.mac, one.flow.vlan, one.client, one.server),
            summary=(
                f"The Windows guest {one.client} took {what} of {one.server} for its new password and acknowledged it."
            ),
            evidence=(
                cite(view, one.answer.frames, "answer without a password"),
                cite(view, thanks.request.frames, "saved_password: the guest believes it has one"),
            ),
            filter=f"tcp.port == {one.port} && ip.addr == {one.client}",
            first_ns=one.answer.ts_ns,
            next_steps=(steps.listener(one.server or ""), steps.journal()),
        )


RULE = Rule(
    code="PWD015",
    name="windows-accepts-keyword",
    known=(1079,),
    topic=Topic.PASSWORD_RESET,
    severity=Severity.ERROR,
    check=check,
    explains=("PWD005",),
)
