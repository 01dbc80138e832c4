"""CPVM006 cert-expired, CPVM007 cert-name-mismatch, CPVM008 chain-incomplete, CPVM009 self-signed: the certificate.

What it does
------------
Reads the certificate that a console proxy shows, up to TLS 1.2: its dates by the capture's clock (CPVM006), whether a
name of it covers the one asked for (CPVM007), and whether it is signed by itself (CPVM009). A chain without its
issuer (CPVM008) is a fault only where a client says that it does not know the CA; nobody can tell from a capture whom
a client trusts.

Why it matters
--------------
Browsers warn on 443; on the websocket's port they only fail, and the screen stays black.

Common causes
-------------
The certificate was not renewed; it is for another domain, or its wildcard stands one label too high
(``*.example.com`` does not cover ``1-2-3-4.cp.example.com``); only the common name bears the name; the intermediates
were not uploaded, or in the wrong order; nobody uploaded any.

What else it could be
---------------------
A capturing host whose clock is wrong, as it is where every client takes a certificate "of tomorrow": compare it with a
Date header or NTP. A private CA that is installed at the
clients. Clients that fetch missing intermediates (Windows, Chrome) beside others that do not.

Next steps
----------
Look at the certificate as a client gets it, and upload the whole chain.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from dissectors.console_proxy import ChainVerdict, ConsoleHandshake, DateVerdict, NameVerdict
from dissectors.http import HttpResponse
from dissectors.tls import Certificate, Reaction
from pcapdx.case import View
from pcapdx.model import Confidence, Finding, Severity, Topic
from pcapdx.rule import ParticularsWithSteps, Rule
from pcapdx.rules.console_proxy_tls import steps
from pcapdx.rules.console_proxy_tls.consoles import handshakes, tls_filter, to_server
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, listed

UNKNOWN_CA, CERTIFICATE_UNKNOWN = 48, 46
CLOCKS_DIFFER = 86_400 * SECOND
"""A capture's clock that is a day off judges no dates."""
MOST_NAMES = 4


def check_dates(view: View) -> Iterator[Finding]:
    """CPVM006: one finding a server, name and certificate's fate."""
    wrong = (DateVerdict.EXPIRED, DateVerdict.NOT_YET)
    for shakes, leaf in _alike(view, lambda one: one.date_verdict in wrong):
        first = shakes[0]
        if first.date_verdict is DateVerdict.EXPIRED:
            words = f"expired at {_moment(leaf.not_after_ns)}"
        else:
            words = f"is not valid before {_moment(leaf.not_before_ns)}"
        doubtful = clock_is_wrong(view) or _taken_early(shakes)
        yield DATES.finding(
            severity=Severity.INFO if doubtful else None,
            confidence=Confidence.POSSIBLE if doubtful else Confidence.CERTAIN,
            summary=f"The certificate of {_who(first)} {words}.",
            **_particulars(view, shakes, f"certificate, {words}"),
            alternatives=("the clock of the capturing host is wrong: compare it with NTP",),
        )


def check_name(view: View) -> Iterator[Finding]:
    """CPVM007: one finding a server and name."""
    wrong = (NameVerdict.MISMATCH, NameVerdict.COMMON_NAME_ONLY)
    for shakes, leaf in _alike(view, lambda one: one.name_verdict in wrong):
        first = shakes[0]
        names = leaf.san_dns + leaf.san_ip
        if first.name_verdict is NameVerdict.COMMON_NAME_ONLY:
            words = "names it only as common name, which browsers do not look at"
        else:
            words = f"is for {listed(names[:MOST_NAMES]) if names else leaf.subject}"
        yield NAME.finding(
            summary=f"The certificate of {first.handshake.server} {words}; it does not cover {first.name}.",
            **_particulars(view, shakes, f"asked for {first.name}; the certificate {words}"),
            alternatives=("a balancer in front answers with the certificate of another site",),
        )


def check_chain(view: View) -> Iterator[Finding]:
    """CPVM008: one finding a server and name, where a client says it does not know the CA."""
    for shakes, leaf in _alike(view, lambda one: one.chain_verdict is ChainVerdict.INCOMPLETE):
        refusing = [one for one in shakes if alert_of(one) == UNKNOWN_CA or _silent_reason(one)]
        if not refusing:
            continue
        accepted = any(one.handshake.reaction is Reaction.ACCEPTED for one in shakes)
        issuer = leaf.issuer_cn[0] if leaf.issuer_cn else leaf.issuer
        yield CHAIN.finding(
            severity=Severity.WARNING if accepted else Severity.ERROR,
            confidence=Confidence.LIKELY,
            summary=f"{_who(shakes[0])} does not send {issuer}'s certificate, which issued its own; clients reject it.",
            **_particulars(
                view, refusing, f"certificate issued by {issuer}, which is not sent along; then the client's alert"
            ),
            alternatives=(
                f"{issuer} is a private root that is not installed at this client",
                *(("clients that fetch missing certificates by themselves accept it",) if accepted else ()),
            ),
        )


def check_self_signed(view: View) -> Iterator[Finding]:
    """CPVM009: one finding a server and name."""
    for shakes, leaf in _alike(view, lambda one: one.chain_verdict is ChainVerdict.SELF_SIGNED):
        rejected = any(one.handshake.reaction is Reaction.REJECTED for one in shakes)
        yield SELF_SIGNED.finding(
            severity=Severity.ERROR if rejected else Severity.WARNING,
            summary=f"The certificate of {_who(shakes[0])} is signed by itself ({leaf.subject or 'no subject'}).",
            **_particulars(view, shakes, "certificate whose issuer is its own subject"),
            alternatives=("it is installed as trusted at the clients",),
        )


def alert_of(shake: ConsoleHandshake) -> int | None:
    """The client's first plain alert that ends something."""
    return next((one.message.description for one in shake.handshake.client_alerts if not one.message.harmless), None)


def _silent_reason(shake: ConsoleHandshake) -> bool:
    """A browser that rejects without a reason, where neither name nor dates give one."""
    fine = shake.date_verdict is DateVerdict.VALID and shake.name_verdict is NameVerdict.MATCH
    return alert_of(shake) == CERTIFICATE_UNKNOWN and fine


def _alike(
    view: View, wanted: Callable[[ConsoleHandshake], bool]
) -> Iterator[tuple[Sequence[ConsoleHandshake], Certificate]]:
    """Console handshakes that showed a certificate and are wanted, by server, name and certificate."""
    groups: dict[tuple[object, ...], list[ConsoleHandshake]] = {}
    for one in handshakes(view):
        if one.leaf is not None and wanted(one):
            groups.setdefault((to_server(one), one.leaf.digest, one.date_verdict), []).append(one)
    for members in groups.values():
        leaf = members[0].leaf
        if leaf is not None:
            yield members, leaf


def _taken_early(shakes: Sequence[ConsoleHandshake]) -> bool:
    """Clients take a certificate that is not valid yet, and none rejects it: the recorder's clock is behind theirs."""
    reactions = {one.handshake.reaction for one in shakes}
    early = all(one.date_verdict is DateVerdict.NOT_YET for one in shakes)
    return early and Reaction.ACCEPTED in reactions and Reaction.REJECTED not in reactions


@once_a_view
def clock_is_wrong(view: View) -> bool:
    """Date headers in the capture say another day than its own clock."""
    from email.utils import parsedate_to_datetime  # here, since few captures need it

    away = []
    for one in view.messages(HttpResponse):
        try:
            said = parsedate_to_datetime(one.message.date or "").timestamp()
        except (ValueError, OverflowError):
            continue
        away.append(abs(said * SECOND - one.ts_ns) > CLOCKS_DIFFER)
    return sum(away) * 2 > len(away)


def _moment(ts_ns: int) -> str:
    """A date of a certificate, to the second."""
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ts_ns // SECOND):%Y-%m-%d %H:%M:%S} UTC"


def _who(shake: ConsoleHandshake) -> str:
    """Server and name; the same certificate serves all its ports."""
    name = f" ({shake.name})" if shake.name else ""
    return f"{shake.handshake.server}{name}"


def _particulars(view: View, shakes: Sequence[ConsoleHandshake], what: str) -> ParticularsWithSteps:
    """What every finding about a certificate says, cited from the first handshakes that show it."""
    first = shakes[0]
    frames: list[int] = []
    times: list[int] = []
    for one in shakes:
        shown = (one.handshake.client_hello, one.handshake.chain, *one.handshake.client_alerts[:1])
        frames.extend(number for part in shown if part is not None for number in part.frames)
        times.extend(part.ts_ns for part in shown if part is not None)
    hand = first.handshake
    return ParticularsWithSteps(
        subject=to_server(first),
        evidence=(cite(view, frames, what),),
        filter=f"tls.handshake.type == 11 && {tls_filter(first)}",
        first_ns=min(times),
        last_ns=max(times),
        next_steps=(steps.certificate(hand.server, hand.port, first.name), steps.upload()),
    )


_REJECTED = ("CPVM010", "CPVM011", "CPVM015")
DATES = Rule(
    code="CPVM006",
    name="cert-expired",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check_dates,
    explains=_REJECTED,
)
NAME = Rule(
    code="CPVM007",
    name="cert-name-mismatch",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check_name,
    explains=_REJECTED,
)
CHAIN = Rule(
    code="CPVM008",
    name="chain-incomplete",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check_chain,
    explains=_REJECTED,
)
SELF_SIGNED = Rule(
    code="CPVM009",
    name="self-signed",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.WARNING,
    check=check_self_signed,
    explains=_REJECTED,
)
