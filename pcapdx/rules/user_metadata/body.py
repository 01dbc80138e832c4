"""META009 body-stalled, META010 short-body: the answer begins and does not end.

What it does
------------
Finds a metadata answer whose full-size segments are sent three times and more and never acknowledged, while smaller
ones pass (META009), and one that the server ends before the length it promised (META010).

Why it matters
--------------
Small keys work and the user-data does not: the guest comes up with a name and without its start-up script.

Common causes
-------------
A smaller MTU on the way than both ends believe, without ICMP that says so: user-data is the first thing big enough.

What else it could be
---------------------
Plain loss, which hits small segments as well; a client that hangs up first.

Next steps
----------
Ping with the size of the full segment and "don't fragment", hop by hop.
"""

from collections.abc import Iterator

from dissectors.http import Ended
from dissectors.metadata import MetadataExchange
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, frames_filter
from pcapdx.rules.user_metadata.asked import apache, requests, subject

FULL = 500
"""Payload bytes that a segment of a real key exceeds only when it is part of a larger body."""


def check_stalled(view: View) -> Iterator[Finding]:
    """META009: one finding a flow."""
    told: set[int] = set()
    for one in requests(view):
        server = one.flow.responder
        if one.flow.index in told or server.stuck_retransmissions < REPETITION or server.stuck_bytes < FULL:
            continue
        if server.stuck_bytes < server.largest_payload or not _small_ones_pass(view, one):
            continue
        told.add(one.flow.index)
        frames = [one.request.number, *([server.stuck_frame] if server.stuck_frame else [])]
        yield STALLED.finding(
            subject=subject(one),
            summary=(
                f"{one.server}'s answer to {one.client} stalls: a segment of {server.stuck_bytes} bytes was sent again "
                f"{server.stuck_retransmissions} times and never acknowledged, while small ones pass."
            ),
            evidence=(cite(view, frames, f"request, and the first repetition of a {server.stuck_bytes}-byte segment"),),
            filter=f"tcp.port == {one.flow.originator.port} && tcp.port == {one.port} && ip.addr == {one.client}",
            first_ns=one.request.ts_ns,
            last_ns=server.last_payload_ns,
            alternatives=("plain loss: then small segments are sent again as well",),
            next_steps=(
                NextStep(
                    where=f"guest {one.client}",
                    command=(
                        f"ping -M do -s {server.stuck_bytes + 12} -c 3 {one.server}; ping -M do -s 500 -c 3 "
                        f"{one.server}"
                    ),
                    meaning="the large one lost and the small one answered: a smaller MTU on the way",
                ),
            ),
        )


def _small_ones_pass(view: View, stalled: MetadataExchange) -> bool:
    """Something of that server's was acknowledged by this client: headers of this answer, or small keys before."""
    if stalled.flow.responder.acked_bytes > 0:
        return True
    return any(one.client == stalled.client and one.acked for one in requests(view))


def check_short(view: View) -> Iterator[Finding]:
    """META010: one finding a request."""
    for one in requests(view):
        answer = one.answer.message if one.answer else None
        if answer is None or answer.complete or one.ended is not Ended.SHORT or answer.content_length is None:
            continue
        closing = one.flow.closing
        if closing is None or closing.by_originator or one.answer is None:
            continue
        yield SHORT.finding(
            subject=subject(one),
            summary=(
                f"{one.server} promised {one.client} {answer.content_length:,} bytes and closed after "
                f"{answer.body_bytes:,}."
            ),
            evidence=(cite(view, (*one.answer.frames, closing.frame), "answer, and the end of the connection"),),
            filter=frames_filter((*one.answer.frames, closing.frame)),
            first_ns=one.request.ts_ns,
            next_steps=(apache(one.server),),
        )


STALLED = Rule(
    code="META009",
    name="body-stalled",
    topic=Topic.USER_METADATA,
    severity=Severity.ERROR,
    check=check_stalled,
    explains=("META010", "META011"),
)
SHORT = Rule(
    code="META010",
    name="short-body",
    topic=Topic.USER_METADATA,
    severity=Severity.WARNING,
    check=check_short,
)
