"""CPVM010 client-rejects-certificate, CPVM015 ws-exception-per-port: clients say no to the certificate.

What it does
------------
Finds a client's plain alert about the server's certificate in a handshake, and reads the reason from the certificate
where it was shown in clear (CPVM010). Where the client accepted it on 443 after an alert and rejects it on 8443 it is
CPVM015: the user's exception holds for one port only.

Why it matters
--------------
The console does not open. On the websocket's port nobody is asked for an exception, so the screen just stays black.

Common causes
-------------
What CPVM006 to CPVM009 say of the certificate; a private root that is not installed at this client; a client whose
clock is wrong.

What else it could be
---------------------
A scanner that asks for many names and trusts nobody: it is left out. A server that no name, path or profile makes a
console proxy is only remarked.

Next steps
----------
Look at the certificate as this client gets it, and at the client's clock and trusted roots.
"""

from collections.abc import Iterator, Sequence

from dissectors.console_proxy import ChainVerdict, ConsoleHandshake, DateVerdict, NameVerdict
from dissectors.tls import Reaction
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Topic
from pcapdx.rule import Particulars, Rule
from pcapdx.rules.console_proxy_tls import steps
from pcapdx.rules.console_proxy_tls.certificate import UNKNOWN_CA, alert_of
from pcapdx.rules.console_proxy_tls.consoles import at, handshakes, other_handshakes, tls_filter, to_client
from pcapdx.rules.definitions.wording import cite, listed, times

ALERTS = {
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    UNKNOWN_CA: "unknown_ca",
}
EXPIRED = 45
NAMES_OF_A_SCANNER = 10
PAGE_PORT, WEBSOCKET_PORT = 443, 8443

CLOCK = NextStep(
    where="browser",
    command="date -u; timedatectl status",
    meaning="a clock that is off makes good certificates look expired or not yet valid",
)


def check(view: View) -> Iterator[Finding]:
    """CPVM010: one finding a client, server, port and name."""
    for shakes in _rejected(handshakes(view)):
        if not _scans(view, shakes[0].handshake.client):
            yield _finding(view, shakes, None)
    for shakes in _rejected(other_handshakes(view)):
        yield _finding(view, shakes, Severity.INFO)


def check_per_port(view: View) -> Iterator[Finding]:
    """CPVM015: one finding a client and server."""
    for shakes in _rejected(handshakes(view)):
        refused = shakes[0].handshake
        if refused.port != WEBSOCKET_PORT:
            continue
        page = [
            one.handshake
            for one in handshakes(view)
            if (one.handshake.client, one.handshake.server, one.handshake.port)
            == (refused.client, refused.server, PAGE_PORT)
        ]
        no = [one for one in page if one.reaction is Reaction.REJECTED]
        yes = [one for one in page if one.reaction is Reaction.ACCEPTED and no and one.flow.index > no[0].flow.index]
        if not yes:
            continue
        frames = [one.reaction_frame for one in (no[0], yes[0]) if one.reaction_frame is not None]
        shared = _particulars(view, shakes)
        shared["evidence"] = (cite(view, frames, "on 443: rejected first, then accepted"), *shared["evidence"])
        yield PER_PORT.finding(
            summary=(
                f"{refused.client} accepted the certificate of {refused.server} on 443 after a warning and rejects it "
                f"on {WEBSOCKET_PORT}, where no browser asks."
            ),
            **shared,
            next_steps=(steps.certificate(refused.server, refused.port, shakes[0].name), steps.upload()),
        )


def _rejected(shakes: Sequence[ConsoleHandshake]) -> Iterator[list[ConsoleHandshake]]:
    """Handshakes that ended with a client's alert about the certificate, by client, server, port and name."""
    groups: dict[object, list[ConsoleHandshake]] = {}
    for one in shakes:
        if alert_of(one) in ALERTS:
            groups.setdefault(to_client(one), []).append(one)
    yield from groups.values()


def _scans(view: View, client: str | None) -> bool:
    """The client asks for so many names that it is no user."""
    names = {one.name for one in (*handshakes(view), *other_handshakes(view)) if one.handshake.client == client}
    return len(names) >= NAMES_OF_A_SCANNER


def _finding(view: View, shakes: Sequence[ConsoleHandshake], severity: Severity | None) -> Finding:
    first = shakes[0]
    hand = first.handshake
    alert = alert_of(first)
    reasons = reasons_of(first)
    words = f"; {listed(reasons)}" if reasons else ""
    return REJECTS.finding(
        severity=severity,
        summary=(
            f"{hand.client} rejects the certificate of {at(first)} {times(len(shakes))} with the alert "
            f"{ALERTS[alert or 0]}{words}."
        ),
        **_particulars(view, shakes),
        alternatives=_alternatives(first, alert, reasons),
        limits=()
        if first.leaf is not None
        else ("the certificate is encrypted in TLS 1.3: only the alert is known, not what is wrong with it",),
        next_steps=(steps.certificate(hand.server, hand.port, first.name), *((CLOCK,) if alert == EXPIRED else ())),
    )


def reasons_of(shake: ConsoleHandshake) -> list[str]:
    """What is wrong with the certificate that was shown, in words; none where it was not shown or looks sound."""
    leaf, name = shake.leaf, shake.name
    found = []
    if leaf is not None:
        if shake.date_verdict is DateVerdict.EXPIRED:
            found.append("it is expired")
        elif shake.date_verdict is DateVerdict.NOT_YET:
            found.append("it is not valid yet")
        if shake.name_verdict in (NameVerdict.MISMATCH, NameVerdict.COMMON_NAME_ONLY):
            found.append(f"it does not cover {name}")
        if shake.chain_verdict is ChainVerdict.SELF_SIGNED:
            found.append("it is signed by itself")
        elif shake.chain_verdict is ChainVerdict.INCOMPLETE:
            found.append("its issuer's certificate was not sent")
    return found


def _alternatives(shake: ConsoleHandshake, alert: int | None, reasons: list[str]) -> tuple[str, ...]:
    if alert == EXPIRED and shake.date_verdict is DateVerdict.VALID:
        return ("the client's clock is wrong: by the capture's clock the certificate is valid",)
    if shake.leaf is not None and not reasons:
        return ("the root of its chain is not installed at this client",)
    return ()


def _particulars(view: View, shakes: Sequence[ConsoleHandshake]) -> Particulars:
    first = shakes[0]
    frames: list[int] = []
    moments: list[int] = []
    for one in shakes:
        parts = (one.handshake.server_hello, one.handshake.chain, *one.handshake.client_alerts[:1])
        frames.extend(part.number for part in parts if part is not None)
        moments.extend(part.ts_ns for part in parts if part is not None)
    return Particulars(
        subject=to_client(first),
        evidence=(cite(view, frames, "the server's flight, then the client's alert"),),
        filter=f"tls.alert_message && {tls_filter(first)}",
        first_ns=min(moments),
        last_ns=max(moments),
    )


REJECTS = Rule(
    code="CPVM010",
    name="client-rejects-certificate",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check,
)
PER_PORT = Rule(
    code="CPVM015",
    name="ws-exception-per-port",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check_per_port,
)
