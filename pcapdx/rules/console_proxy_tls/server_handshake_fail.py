"""CPVM012 server-handshake-fail: the server ends the handshake.

What it does
------------
Finds handshakes that the server ends: with handshake_failure, protocol_version, internal_error or unrecognized_name,
or by closing or resetting the connection after the ClientHello without a byte.

Why it matters
--------------
Nobody gets a page from this port, whatever certificate was uploaded.

Common causes
-------------
The key was not loaded (PKCS#8 is expected), so the console proxy has no usable certificate; no common cipher or
version, as with an old console proxy and a new browser; something else sits on the port.

What else it could be
---------------------
A scanner with odd ciphers: a client that later gets through is not counted, and where others get through it is a
remark. A balancer that takes TLS off and is not meant to be spoken to like this. A server that is no known console
proxy is only remarked.

Next steps
----------
Read the console proxy's log for keystore errors.
"""

from collections.abc import Iterator, Sequence

from dissectors.console_proxy import ConsoleHandshake
from dissectors.tls import Alert, Party, Reaction
from pcapdx.case import View
from pcapdx.dissect import End, Seen
from pcapdx.model import Confidence, Finding, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.console_proxy_tls import steps
from pcapdx.rules.console_proxy_tls.consoles import at, handshakes, other_handshakes, tls_filter, to_client
from pcapdx.rules.definitions.wording import cite, listed, times

TLS_1_1, PROTOCOL_VERSION = 0x0302, 70
ALERTS = {40: "handshake_failure", 70: "protocol_version", 80: "internal_error", 112: "unrecognized_name"}
INCOMPLETE = frozenset({End.GAP, End.CUT, End.LIMIT})


def check(view: View) -> Iterator[Finding]:
    """One finding a client, server, port and name."""
    for known, shakes in ((True, handshakes(view)), (False, other_handshakes(view))):
        groups: dict[object, list[ConsoleHandshake]] = {}
        for one in shakes:
            groups.setdefault(to_client(one), []).append(one)
        for members in groups.values():
            failed = [(one, why) for one in members if (why := _why(one)) is not None]
            if failed and not any(_gets_through(one) for one in members):
                yield _finding(view, failed, _severity(failed, shakes, known))


def _gets_through(shake: ConsoleHandshake) -> bool:
    """The handshake succeeded, or the client did its part where the rest is not in the capture."""
    return shake.handshake.completed is True or shake.handshake.reaction is Reaction.ACCEPTED


def _alert(shake: ConsoleHandshake) -> Seen[Alert] | None:
    """The server's alert that ended the handshake."""
    for one in shake.handshake.server_alerts:
        if not one.message.harmless and one.message.description in ALERTS:
            return one
    return None


def _is_old(shake: ConsoleHandshake) -> bool:
    """The client offers nothing newer than TLS 1.1, and is told so: RFC 8996 has that switched off."""
    hello, alert = shake.handshake.client_hello, _alert(shake)
    too_old = hello is not None and hello.message.max_version <= TLS_1_1
    return too_old and alert is not None and alert.message.description == PROTOCOL_VERSION


def _why(shake: ConsoleHandshake) -> str | None:
    """How the server ended the handshake, in words; None where it did not."""
    hand, alert = shake.handshake, _alert(shake)
    if hand.client_hello is None:
        return None
    if alert is not None:
        return f"the alert {ALERTS[alert.message.description or 0]}"
    silent = hand.flow.responder.stream_bytes == 0 and hand.server_hello is None
    if not silent or hand.ended_by is not Party.SERVER or hand.ended_how in INCOMPLETE:
        return None
    if hand.ended_how is End.RST:
        return "a reset"
    asked = hand.flow.originator
    arrived = 0 < asked.stream_bytes <= asked.acked_bytes
    return "the end of the connection" if arrived else None


def _severity(
    failed: Sequence[tuple[ConsoleHandshake, str]], shakes: Sequence[ConsoleHandshake], known: bool
) -> Severity:
    """An error where nobody gets through, more than once; a remark where others do, about clients that are too old, or
    about a server that is no known console proxy."""
    hand = failed[0][0].handshake
    others = any(
        (one.handshake.server, one.handshake.port) == (hand.server, hand.port) and _gets_through(one) for one in shakes
    )
    if others or not known or all(_is_old(one) for one, _ in failed):
        return Severity.INFO
    return Severity.WARNING if len(failed) == 1 else Severity.ERROR


def _finding(view: View, failed: Sequence[tuple[ConsoleHandshake, str]], severity: Severity) -> Finding:
    first = failed[0][0]
    hand = first.handshake
    frames: list[int] = []
    moments: list[int] = []
    for one, _ in failed:
        hello, alert, closing = one.handshake.client_hello, _alert(one), one.handshake.flow.closing
        frames.extend(part.number for part in (hello, alert) if part is not None)
        moments.extend(part.ts_ns for part in (hello, alert) if part is not None)
        frames.extend((closing.frame,) if closing is not None else ())
    ways = listed(dict.fromkeys(why for _, why in failed))
    by_alert = _alert(first) is not None
    return RULE.finding(
        subject=to_client(first),
        severity=severity,
        confidence=Confidence.CERTAIN if by_alert else Confidence.LIKELY,
        summary=f"{at(first)} answers {hand.client}'s ClientHello with {ways}, {times(len(failed))}; none succeeds.",
        evidence=(cite(view, frames, f"ClientHello, then {ways} from the server"),),
        filter=f"(tls || tcp.flags.reset == 1 || tcp.flags.fin == 1) && {tls_filter(first).removeprefix('tls && ')}",
        first_ns=min(moments),
        last_ns=max(moments),
        alternatives=(
            "client and server share no cipher or version: try another client",
            *(() if by_alert else ("a firewall on the way resets the connection in the server's name",)),
        ),
        next_steps=(steps.log(), steps.certificate(hand.server, hand.port, first.name), steps.listeners()),
    )


RULE = Rule(
    code="CPVM012",
    name="server-handshake-fail",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check,
)
