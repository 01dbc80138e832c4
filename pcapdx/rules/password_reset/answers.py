"""PWD005 empty-body, PWD006 nothing-waiting, PWD007 bad-request, PWD012 foreign-server-on-8080, PWD013
closed-without-byte.

What it does
------------
Reads what a password server answered to "send_my_password": a 200 without a body, the word saved_password (nothing
waits), the word bad_request, an answer that is not CloudStack's, or a connection that closes without a byte.

Why it matters
--------------
In each of these cases the guest keeps its old password, and its owner waits in vain.

Common causes
-------------
Nothing waits because the reset was fetched already, was never sent to the router, or the router was rebuilt (PWD006). A
200 without a body is what the Python 3 server sends when it fails (before pull request 9699), and what the first 4.6
builds sent when nothing waited (PWD005). A proxy strips the DomU_Request header, or a broken 4.5 server answers
everybody so (PWD007). The socat server of 4.5 and older holds a lock (PWD013).

What else it could be
---------------------
"Nothing waiting" is the normal answer at every boot without a reset; only a reset known from the profile makes it a
fault. An application on 8080 that never asked for DomU_Request is not judged. Where the snap length cuts the header
off, only a connection that a router closes without a byte is, and three of them.

Next steps
----------
Look whether the router holds a password for exactly the address that asked, and at the server's journal.
"""

from collections.abc import Iterator

from dissectors.http import Ended, HttpRequest
from dissectors.password_server import AnswerKind, Generation, PasswordExchange, PasswordKind
from pcapdx.case import View
from pcapdx.dissect import End, Flow
from pcapdx.model import Confidence, Finding, Severity, Topic
from pcapdx.rule import ParticularsWithSteps, Rule
from pcapdx.rules.definitions.leases import leases
from pcapdx.rules.definitions.servers import why_router
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.password_reset import PORT, steps

LOCKED = "the socat server of CloudStack 4.5 and older waits for a lock; later servers crash so"


def asked(view: View) -> Iterator[PasswordExchange]:
    """Requests for a password, by the header that only CloudStack's clients send."""
    for one in view.exchanges(PasswordExchange):
        if one.request.message.kind is PasswordKind.SEND:
            yield one


def reset_known(view: View, client: str | None) -> bool:
    """The profile says that a password reset was asked for this guest."""
    return any(one.password_reset and one.ip == client for one in view.site.guest)


def is_windows(view: View, client: str | None) -> bool:
    """The guest's DHCP client is Windows'."""
    return any(one.windows and one.ip == client for one in leases(view))


def check_empty(view: View) -> Iterator[Finding]:
    """PWD005: a CloudStack server's 200 with no body, and the connection closed."""
    for one in asked(view):
        answer = one.answer.message if one.answer else None
        if answer is None or answer.kind is not AnswerKind.EMPTY or not answer.complete or answer.status != 200:
            continue
        if answer.generation in (Generation.FOREIGN, Generation.SOCAT):
            continue
        grave = reset_known(view, one.client) or is_windows(view, one.client)
        yield EMPTY.finding(
            severity=Severity.ERROR if grave else Severity.WARNING,
            confidence=Confidence.CERTAIN if grave else Confidence.LIKELY,
            summary=f"{one.server} answered {one.client}'s request for its password with an empty 200.",
            **particulars(view, one, "200 OK without a body, then the connection is closed"),
            alternatives=(
                "nothing is waiting: the first 4.6 builds answered so; the wire does not tell it from "
                "a server that fails",
            ),
        )


def check_nothing(view: View) -> Iterator[Finding]:
    """PWD006: the answer "saved_password" to a request for the password."""
    for one in asked(view):
        if one.answer is None or one.answer.message.kind is not AnswerKind.SAVED_PASSWORD:
            continue
        known = reset_known(view, one.client)
        yield NOTHING.finding(
            severity=Severity.ERROR if known else Severity.INFO,
            summary=f"{one.server} has no password waiting for {one.client}.",
            **particulars(view, one, 'answer "saved_password": nothing waits for this address'),
            alternatives=()
            if known
            else ("normal at every boot without a reset; a fault only if a reset was just made for this guest",),
        )


def check_bad_request(view: View) -> Iterator[Finding]:
    """PWD007: the answer "bad_request"."""
    for one in asked(view):
        if one.answer is None or one.answer.message.kind is not AnswerKind.BAD_REQUEST:
            continue
        yield BAD_REQUEST.finding(
            summary=f"{one.server} answered {one.client}'s request for its password with bad_request.",
            **particulars(view, one, 'answer "bad_request"'),
            alternatives=(
                "a proxy between guest and router strips the DomU_Request header: compare a capture in the router",
                "a router of CloudStack 4.5 whose script misreads every request: then all guests get this answer",
            ),
        )


def check_foreign(view: View) -> Iterator[Finding]:
    """PWD012: something that is not CloudStack's password server answered."""
    for one in asked(view):
        answer = one.answer.message if one.answer else None
        if answer is None or one.request.message.proxied:
            continue
        if answer.generation is not Generation.FOREIGN and answer.kind is not AnswerKind.HTML:
            continue
        software = f" ({answer.servers[0]})" if answer.servers else ""
        yield FOREIGN.finding(
            confidence=Confidence.LIKELY,
            summary=(
                f"{one.client} asked {one.server} for its password, and what answers there on port {one.port} is no "
                f"CloudStack password server{software}."
            ),
            **particulars(view, one, f"status {answer.status}, none of a password server's marks"),
            alternatives=("an error page of a proxy on the way",),
        )


def check_closed(view: View) -> Iterator[Finding]:
    """PWD013: the connection was made and closed or reset before any byte of an answer."""
    grouped: dict[tuple[str | None, str | None], list[PasswordExchange]] = {}
    for one in asked(view):
        if one.answer is None and one.ended in (Ended.CLOSED, Ended.RESET):
            grouped.setdefault((one.client, one.server), []).append(one)
    for (client, server), tries in grouped.items():
        first = tries[0]
        shared = particulars(view, first, "request, then the server ends the connection without a byte")
        shared["evidence"] = (
            *shared["evidence"],
            *(cite(view, one.request.frames, "the same again") for one in tries[1:3]),
        )
        yield CLOSED.finding(
            summary=(
                f"{server} took {client}'s request for its password and closed without a byte ({len(tries)} times)."
            ),
            **shared,
            alternatives=(LOCKED,),
        )
    for (client, server), flows in _closed_unread(view).items():
        yield _closed_on_cut_requests(view, client, server, flows)


def _closed_unread(view: View) -> dict[tuple[str, str], list[Flow]]:
    """By client and router: connections to the password server that closed so, with requests that the snap length cut.

    Nothing else listens there, but one such connection could be anything.
    """
    grouped: dict[tuple[str, str], list[Flow]] = {}
    for one in view.conversations(HttpRequest):
        flow, closing = one.flow, one.flow.closing
        asker, answerer = flow.originator, flow.responder
        unread = one.originator_end is End.CUT and 0 < asker.stream_bytes <= asker.acked_bytes
        bare = closing is not None and not closing.by_originator and not answerer.stream_bytes
        if answerer.port == PORT and flow.began and unread and bare and why_router(view, answerer.ip or ""):
            grouped.setdefault((asker.ip or "", answerer.ip or ""), []).append(flow)
    return {ends: flows for ends, flows in grouped.items() if len(flows) >= REPETITION}


def _closed_on_cut_requests(view: View, client: str, server: str, flows: list[Flow]) -> Finding:
    first, last = flows[0], flows[-1]
    frames = [
        number
        for flow in flows
        for number in (flow.originator.payload_frame, flow.closing.frame if flow.closing else None)
        if number is not None
    ]
    return CLOSED.finding(
        subject=steps.subject(first.originator.mac, first.vlan, client, server),
        confidence=Confidence.LIKELY,
        summary=(
            f"{server} took what {client} asked on port {PORT} and closed without a byte ({len(flows)} times): so a "
            "password server fails."
        ),
        evidence=(cite(view, frames, "request, then the server ends the connection without a byte"),),
        filter=f"tcp.port == {PORT} && ip.addr == {client} && ip.addr == {server}",
        first_ns=first.originator.payload_ns,
        last_ns=last.closing.ts_ns if last.closing else None,
        alternatives=(LOCKED,),
        limits=("the requests are cut by the snap length: that they ask for a password does not show",),
        next_steps=(steps.stored(client), steps.journal(), steps.management(client)),
    )


def particulars(view: View, one: PasswordExchange, what: str) -> ParticularsWithSteps:
    """What every finding about one exchange says."""
    flow, answer = one.flow, one.answer
    closing = flow.closing
    frames = [*one.request.frames, *(answer.frames if answer else ())]
    if closing is not None:
        frames.append(closing.frame)
    return ParticularsWithSteps(
        subject=steps.subject(flow.originator.mac, flow.vlan, one.client, one.server),
        evidence=(cite(view, frames, f"request for the password; {what}"),),
        filter=f"tcp.port == {one.port} && ip.addr == {one.client} && tcp.port == {flow.originator.port}",
        first_ns=one.request.ts_ns,
        last_ns=answer.ts_ns if answer else one.request.ts_ns,
        next_steps=(
            steps.stored(one.client or ""),
            steps.journal(),
            steps.management(one.client or ""),
        ),
    )


EMPTY = Rule(
    code="PWD005",
    name="empty-body",
    known=(9699,),
    topic=Topic.PASSWORD_RESET,
    severity=Severity.WARNING,
    check=check_empty,
    explains=("PWD016", "PWD015"),
)
NOTHING = Rule(
    code="PWD006",
    name="nothing-waiting",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.INFO,
    check=check_nothing,
)
BAD_REQUEST = Rule(
    code="PWD007",
    name="bad-request",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.ERROR,
    check=check_bad_request,
    explains=("PWD015",),
)
FOREIGN = Rule(
    code="PWD012",
    name="foreign-server-on-8080",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.WARNING,
    check=check_foreign,
)
CLOSED = Rule(
    code="PWD013",
    name="closed-without-byte",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.ERROR,
    check=check_closed,
    explains=("PWD016", "PWD015"),
)
