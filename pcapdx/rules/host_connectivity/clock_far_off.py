"""HOST024 clock-far-off: a machine's clock and the capture's are minutes apart.

What it does
------------
Compares the Date headers of HTTP answers with the time at which the capture saw them. Two answers that are off by the
same five minutes or more, or one from the future, are worth a remark; where several machines are off alike, it is the
capturing host.

Why it matters
--------------
Certificates seem expired or not yet valid, agents' and consoles' TLS fails, Kerberos refuses, and logs of two machines
do not fit together.

Common causes
-------------
No NTP on a management server, host or storage; a virtual machine that was resumed from a snapshot.

What else it could be
---------------------
An answer out of a cache has the date of its making: those that a proxy names are left out, and the same date twice
tells nothing.

Next steps
----------
Ask both machines for their time.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC

from dissectors.http import HttpExchange, HttpResponse
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration, listed

FAR = 300 * SECOND
ALIKE = 5 * SECOND
SEVERAL = 2

Off = Sequence[tuple[int, Seen[HttpResponse]]]
"""Date header less capture time, and the answer."""


def check(view: View) -> Iterator[Finding]:
    """One finding a machine, or one for the capturing host."""
    known = {server: off for server, answers in _answers(view).items() if (off := _firm(answers)) is not None}
    far = {server: off for server, off in known.items() if abs(off[0][0]) >= FAR}
    shared = [off[0][0] for off in far.values()]
    if len(far) >= SEVERAL and len(far) == len(known) and max(shared) - min(shared) < 2 * ALIKE:
        yield _capture(view, far)
        return
    for server, off in far.items():
        yield _machine(view, server, off, others=len(known) - len(far))


def _answers(view: View) -> Mapping[str, Off]:
    found: dict[str, list[tuple[int, Seen[HttpResponse]]]] = {}
    for one in view.exchanges(HttpExchange):
        answer = one.response
        if answer is None or answer.message.via or not answer.message.date or answer.frame.src is None:
            continue
        date_ns = _moment(answer.message.date)
        if date_ns is not None:
            found.setdefault(answer.frame.src, []).append((date_ns - answer.ts_ns, answer))
    return found


def _moment(text: str) -> int | None:
    from email.utils import parsedate_to_datetime  # here, since few captures need it

    try:
        date = parsedate_to_datetime(text)
        return int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()) * SECOND
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _firm(answers: Off) -> Off | None:
    """Answers that are off by the same time although their dates differ, or one from the future."""
    first = answers[0]
    if first[0] >= FAR:
        return answers[:1]
    agreeing = [one for one in answers if abs(one[0] - first[0]) <= ALIKE]
    dates = {one[1].message.date for one in agreeing}
    return agreeing if len(dates) >= SEVERAL or abs(first[0]) < FAR else None


def _words(off_ns: int) -> str:
    minutes = abs(off_ns) // (60 * SECOND)
    hours, days = minutes // 60, minutes // (60 * 24)
    how_far = f"{days} days" if days > 1 else f"{hours} hours" if hours > 2 else duration(abs(off_ns))
    return f"{how_far} {'ahead of' if off_ns > 0 else 'behind'}"


def _capture(view: View, far: Mapping[str, Off]) -> Finding:
    answers = [one for off in far.values() for one in off]
    return RULE.finding(
        subject=Subject(name="the capture's clock"),
        confidence=Confidence.LIKELY,
        summary=(
            f"The clocks of {listed(list(far)[:3])} agree, and are {_words(answers[0][0])} the capture's: the "
            "capturing host's clock is wrong."
        ),
        evidence=(cite(view, (one.number for _, one in answers), "Date headers, against the time of their frames"),),
        filter="http.date",
        first_ns=answers[0][1].ts_ns,
        last_ns=answers[-1][1].ts_ns,
        alternatives=("the capture's times were changed after it was taken",),
        next_steps=(
            NextStep(
                where="where the capture was taken",
                command="date -u; chronyc tracking",
                meaning="off by that much: judge no certificate's dates by this capture",
            ),
        ),
    )


def _machine(view: View, server: str, off: Off, *, others: int) -> Finding:
    return RULE.finding(
        subject=Subject(server=server),
        confidence=Confidence.LIKELY if others else Confidence.POSSIBLE,
        summary=f"The clock of {server} is {_words(off[0][0])} the capture's.",
        evidence=(cite(view, (one.number for _, one in off), "Date headers, against the time of their frames"),),
        filter=f"http.date && ip.src == {server}" if ":" not in server else f"http.date && ipv6.src == {server}",
        first_ns=off[0][1].ts_ns,
        last_ns=off[-1][1].ts_ns,
        alternatives=()
        if others
        else ("the capturing host's clock is wrong: no other machine's time is in this capture",),
        next_steps=(
            NextStep(
                where=f"{server}, and where the capture was taken",
                command="date -u; chronyc tracking",
                meaning="the one that is far from true time; certificates are judged by its own clock there",
            ),
        ),
    )


RULE = Rule(
    code="HOST024",
    name="clock-far-off",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.INFO,
    check=check,
)
