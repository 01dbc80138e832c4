"""HOST024 clock-far-off: a machine's clock and the capture's are minutes apart.

What it does
------------
Compares the Date headers of HTTP answers, and what NTP servers that vouch for their time say, with the time at which
the capture saw them. Two answers that are off by the same five minutes or more, or one from the future, are worth a
remark; where several machines are off alike, it is the capturing host.

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

from dissectors.http import HttpExchange
from dissectors.ntp import NtpAnswer
from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration, listed
from pcapdx.values import dataclass

FAR = 300 * SECOND
ALIKE = 5 * SECOND
SEVERAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one answer says of its sender's clock."""

    off_ns: int
    """The sender's time less the capture's."""
    date: str | int
    """As it was told."""
    number: int
    ts_ns: int


Off = Sequence[Told]


def check(view: View) -> Iterator[Finding]:
    """One finding a machine, or one for the capturing host."""
    known = {server: off for server, answers in _answers(view).items() if (off := _firm(answers)) is not None}
    far = {server: off for server, off in known.items() if abs(off[0].off_ns) >= FAR}
    shared = [off[0].off_ns for off in far.values()]
    if len(far) >= SEVERAL and len(far) == len(known) and max(shared) - min(shared) < 2 * ALIKE:
        yield _capture(view, far)
        return
    for server, off in far.items():
        yield _machine(view, server, off, others=len(known) - len(far))


def _answers(view: View) -> Mapping[str, Off]:
    found: dict[str, list[Told]] = {}
    for one in view.exchanges(HttpExchange):
        answer = one.response
        if answer is None or answer.message.via or not answer.message.date or answer.frame.src is None:
            continue
        date_ns = _moment(answer.message.date)
        if date_ns is not None:
            told = Told(
                off_ns=date_ns - answer.ts_ns, date=answer.message.date, number=answer.number, ts_ns=answer.ts_ns
            )
            found.setdefault(answer.frame.src, []).append(told)
    for ntp in view.messages(NtpAnswer):
        told_ns = ntp.message.transmit_ns
        if told_ns is not None and ntp.message.synchronised and ntp.frame.src is not None:
            told = Told(off_ns=told_ns - ntp.ts_ns, date=told_ns, number=ntp.number, ts_ns=ntp.ts_ns)
            found.setdefault(ntp.frame.src, []).append(told)
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
    if first.off_ns >= FAR:
        return answers[:1]
    agreeing = [one for one in answers if abs(one.off_ns - first.off_ns) <= ALIKE]
    dates = {one.date for one in agreeing}
    return agreeing if len(dates) >= SEVERAL or abs(first.off_ns) < FAR else None


def _words(off_ns: int) -> str:
    minutes = abs(off_ns) // (60 * SECOND)
    hours, days = minutes // 60, minutes // (60 * 24)
    how_far = f"{days} days" if days > 1 else f"{hours} hours" if hours > 1 else duration(abs(off_ns))
    return f"{how_far} {'ahead of' if off_ns > 0 else 'behind'}"


def _capture(view: View, far: Mapping[str, Off]) -> Finding:
    answers = [one for off in far.values() for one in off]
    return RULE.finding(
        subject=Subject(name="the capture's clock"),
        confidence=Confidence.LIKELY,
        summary=(
            f"The clocks of {listed(list(far)[:3])} agree, and are {_words(answers[0].off_ns)} the capture's: the "
            "capturing host's clock is wrong."
        ),
        evidence=(
            cite(view, (one.number for one in answers), "the time that was told, against the time of the frames"),
        ),
        filter="http.date || ntp",
        first_ns=answers[0].ts_ns,
        last_ns=answers[-1].ts_ns,
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
        summary=f"The clock of {server} is {_words(off[0].off_ns)} the capture's.",
        evidence=(cite(view, (one.number for one in off), "the time that was told, against the time of the frames"),),
        filter=f"(http.date || ntp) && {'ipv6' if ':' in server else 'ip'}.src == {server}",
        first_ns=off[0].ts_ns,
        last_ns=off[-1].ts_ns,
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
