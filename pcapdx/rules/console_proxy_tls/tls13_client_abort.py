"""CPVM011 tls13-client-abort: the client leaves right after the server's encrypted certificate.

What it does
------------
With TLS 1.3 certificate and alerts are encrypted. What shows is the size of the client's first encrypted record: that
of an alert, followed by the end of the connection, says that the client rejected the handshake. Two such connections
at least, and two of three of all, are reported.

Why it matters
--------------
The console does not open, and the capture cannot say why: most often the client does not like the certificate.

Common causes
-------------
What CPVM006 to CPVM009 say of certificates; port 443 of a console proxy mostly speaks TLS 1.2 and shows it in clear.

What else it could be
---------------------
A client with padding, a client certificate or early data has records of other sizes and is not judged. Connections
that a browser opens ahead and drops send no alert.

Next steps
----------
Look at the certificate with openssl, or record with the browser's SSLKEYLOGFILE.
"""

from collections.abc import Iterator, Sequence

from dissectors.console_proxy import ConsoleHandshake
from dissectors.tls import Reaction
from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.console_proxy_tls import steps
from pcapdx.rules.console_proxy_tls.consoles import at, handshakes, tls_filter, to_client
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, times

TLS_1_3 = 0x0304
ABORTS = 2
LEAVES_WITHIN = 1 * SECOND

KEY_LOG = NextStep(
    where="browser",
    command="SSLKEYLOGFILE=/tmp/keys.log chromium --user-data-dir=/tmp/profile",
    meaning="with the keys Wireshark shows certificate and alert: which of dates, name or issuer the client rejects",
)


def check(view: View) -> Iterator[Finding]:
    """One finding a client, server, port and name."""
    groups: dict[object, list[ConsoleHandshake]] = {}
    for one in handshakes(view):
        known = one.handshake.reaction is not Reaction.UNKNOWN
        if one.handshake.version == TLS_1_3 and known and not _alerts_in_clear(one):
            groups.setdefault(to_client(one), []).append(one)
    for shakes in groups.values():
        aborted = [one for one in shakes if _leaves_at_once(one)]
        if len(aborted) >= ABORTS and 3 * len(aborted) >= 2 * len(shakes):
            yield _finding(view, aborted, len(shakes))


def _alerts_in_clear(shake: ConsoleHandshake) -> bool:
    """Then the alert says more: CPVM010."""
    return any(not one.message.encrypted for one in shake.handshake.client_alerts)


def _leaves_at_once(shake: ConsoleHandshake) -> bool:
    """Rejected, and the connection ended within a second of the alert."""
    hand, closing = shake.handshake, shake.handshake.flow.closing
    if hand.reaction is not Reaction.REJECTED or hand.server_hello is None or closing is None:
        return False
    return closing.ts_ns - hand.server_hello.ts_ns < LEAVES_WITHIN


def _finding(view: View, aborted: Sequence[ConsoleHandshake], handshakes_in_all: int) -> Finding:
    first = aborted[0]
    hand = first.handshake
    frames: list[int] = []
    for one in aborted:
        hello, closing = one.handshake.server_hello, one.handshake.flow.closing
        frames.extend((hello.number,) if hello is not None else ())
        frames.extend((closing.frame,) if closing is not None else ())
        frames.extend((one.handshake.reaction_frame,) if one.handshake.reaction_frame is not None else ())
    begun = [one.handshake.server_hello.ts_ns for one in aborted if one.handshake.server_hello is not None]
    return RULE.finding(
        subject=to_client(first),
        confidence=Confidence.LIKELY,
        summary=(
            f"{hand.client} ended {len(aborted)} of {handshakes_in_all} TLS 1.3 handshakes with {at(first)} right "
            "after the certificate was delivered; the reason is encrypted."
        ),
        evidence=(
            cite(
                view,
                frames,
                f"server's flight, then one client record of an alert's size, then the end, {times(len(aborted))}",
            ),
        ),
        filter=f"tls.record.length == 19 && {tls_filter(first)}",
        first_ns=min(begun),
        last_ns=max(begun),
        alternatives=("the user closed the window in these moments",),
        limits=("TLS 1.3 encrypts certificate and alert: only the sizes of records speak here",),
        next_steps=(steps.certificate(hand.server, hand.port, first.name), KEY_LOG),
    )


RULE = Rule(
    code="CPVM011",
    name="tls13-client-abort",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.WARNING,
    check=check,
)
