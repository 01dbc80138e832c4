"""Joins requests with answers on one TCP connection, and says how each ended; shared by all that rides on HTTP."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import zip_longest
from typing import Any

from pcapdx.dissect import Conversation, End, Seen
from pcapdx.values import dataclass

_NOT_IN_CAPTURE = frozenset({End.GAP, End.CUT, End.LIMIT})


class Ended(StrEnum):
    """How it ended for one request."""

    ANSWERED = "answered"
    """The whole answer is in the capture."""
    SHORT = "short"
    """The answer began, and FIN or RST came before its end."""
    PARTIAL = "partial"
    """The answer began; whether it was finished is not in the capture."""
    CLOSED = "closed"
    """The server ended the connection without a byte of an answer."""
    RESET = "reset"
    """The server reset the connection without a byte of an answer."""
    ABANDONED = "abandoned"
    """The client gave up before any byte of an answer."""
    OPEN = "open"
    """No answer, and no end of the connection, in the capture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A request and what became of it."""

    request: Seen[Any]
    answer: Seen[Any] | None
    ended: Ended
    client: str | None
    server: str | None
    port: int
    """The server's."""
    request_acked: bool
    """The server's TCP acknowledged all that the client sent."""
    answer_acked: bool
    """The client's TCP acknowledged all that the server sent."""


def join(
    conversation: Conversation, requests: list[Seen[Any]], answers: list[tuple[Seen[Any], bool]]
) -> Iterator[Joined]:
    """The n-th request with the n-th answer, since HTTP/1 answers in order. Each answer comes with whether it is whole.

    An answer may even come before its request is read: the socat password server writes its status line at once.
    """
    flow = conversation.flow
    if not flow.began and requests:
        answers = [one for one in answers if one[0].ts_ns >= requests[0].ts_ns]
    for request, found in zip_longest(requests, answers[: len(requests)]):
        answer, complete = found if found is not None else (None, False)
        client, server = (flow.originator, flow.responder)
        if not request.from_originator:
            client, server = server, client
        yield Joined(
            request=request,
            answer=answer,
            ended=Ended.ANSWERED if complete else _ended(conversation, request, answer is not None),
            client=client.ip,
            server=server.ip,
            port=server.port,
            request_acked=0 < client.stream_bytes <= client.acked_bytes,
            answer_acked=0 < server.stream_bytes <= server.acked_bytes,
        )


def _ended(conversation: Conversation, request: Seen[Any], began: bool) -> Ended:
    """How an answer that is not all there ended."""
    closing = conversation.flow.closing
    end = conversation.responder_end if request.from_originator else conversation.originator_end
    if closing is None or end in _NOT_IN_CAPTURE:
        return Ended.PARTIAL if began else Ended.OPEN
    if began:
        return Ended.SHORT
    server = conversation.flow.responder if request.from_originator else conversation.flow.originator
    if not server.syn:
        return Ended.OPEN  # where its stream begins is not known, so bytes of it may be missing in the capture
    if closing.by_originator == request.from_originator:
        return Ended.ABANDONED
    return Ended.RESET if closing.how is End.RST else Ended.CLOSED
