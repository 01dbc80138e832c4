"""CPVM013 plain-http-on-tls-port: one side speaks HTTP in clear where the other expects TLS, or the other way round.

What it does
------------
Finds a console proxy that answers in plain HTTP on 443 or 8443, or is asked so there, and a ClientHello that goes to
its port 80 or 8080.

Why it matters
--------------
The browser says "wrong version number" or shows nothing; no certificate can help.

Common causes
-------------
consoleproxy.sslEnabled and the scheme of the URL do not agree; the console proxy was not rebuilt after the change.

What else it could be
---------------------
A scanner: where the port for TLS answers somebody in TLS in the same capture, the console proxy is as it should be, and
the stray try is only remarked. So is one of which no answer would be in the capture, and a server that is no known
console proxy.

Next steps
----------
Compare the setting with what listens on the console proxy, then rebuild it.
"""

from collections.abc import Iterator, Sequence

from dissectors.console_proxy import ConsoleHandshake
from dissectors.tls import TlsHandshake
from pcapdx.case import View
from pcapdx.model import Confidence, Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.console_proxy_tls import steps
from pcapdx.rules.console_proxy_tls.consoles import TLS_PORTS, consoles, handshakes, other_handshakes, why_name
from pcapdx.rules.definitions.wording import cite, times

CLEAR_PORTS = (80, 8080)
SECURED = {80: 443, 8080: 8443}
"""The port for TLS that stands in place of one in clear."""


def check(view: View) -> Iterator[Finding]:
    """One finding a server and port."""
    for known, shakes in ((True, handshakes(view)), (False, other_handshakes(view))):
        servers: dict[tuple[int, str | None, int], list[ConsoleHandshake]] = {}
        for one in shakes:
            hand = one.handshake
            if hand.port in TLS_PORTS and one.plain_http and hand.server_hello is None:
                servers.setdefault((hand.flow.vlan, hand.server, hand.port), []).append(one)
        for members in servers.values():
            yield _in_clear(view, [one.handshake for one in members], known)
    yield from _tls_on_clear_ports(view)


def _tls_on_clear_ports(view: View) -> Iterator[Finding]:
    """A ClientHello to port 80 or 8080 of a console proxy that does not answer in kind."""
    servers: dict[tuple[int, str | None, int], list[TlsHandshake]] = {}
    for hand in view.exchanges(TlsHandshake):
        if hand.port not in CLEAR_PORTS or hand.client_hello is None or hand.server_hello is not None:
            continue
        name = hand.sni.lower().rstrip(".") if hand.sni else None
        if hand.server in consoles(view) or why_name(view, name) is not None:
            servers.setdefault((hand.flow.vlan, hand.server, hand.port), []).append(hand)
    for members in servers.values():
        first = members[0]
        yield _finding(
            view,
            members,
            f"{first.client} speaks TLS to port {first.port} of the console proxy {first.server}, a port in clear.",
            f"ClientHello to port {first.port}",
            Severity.INFO if _stray(view, members) else Severity.WARNING,
        )


def _stray(view: View, members: Sequence[TlsHandshake]) -> bool:
    """Whether the port for TLS is where it should be, or nothing that the server says is here."""
    first = members[0]
    unseen = all(one.flow.responder.packets == 0 for one in members)
    return unseen or _takes_tls(view, first.server, SECURED.get(first.port, first.port))


def _takes_tls(view: View, server: str | None, port: int) -> bool:
    """Whether this port answered somebody in TLS: the port and the setting agree."""
    hands = view.exchanges(TlsHandshake)
    return any(one.server == server and one.port == port and one.server_hello is not None for one in hands)


def _in_clear(view: View, members: Sequence[TlsHandshake], known: bool) -> Finding:
    answering = [one for one in members if one.server_plain is not None]
    first = (answering or members)[0]
    who = f"{first.server}:{first.port}"
    if answering and any(one.client_hello is not None for one in answering):
        summary = f"{who} answers a TLS ClientHello in plain HTTP, {times(len(answering))}."
    elif answering:
        summary = f"{who} is asked and answers in plain HTTP on a port for TLS, {times(len(answering))}."
    else:
        summary = f"{first.client} sends plain HTTP to {who}, a port for TLS, {times(len(members))}."
    stray = not answering and _stray(view, members)
    severity = Severity.INFO if stray or not known else Severity.ERROR if answering else Severity.WARNING
    return _finding(view, members, summary, f"HTTP in clear on port {first.port}", severity)


def _finding(view: View, members: Sequence[TlsHandshake], summary: str, what: str, severity: Severity) -> Finding:
    first = members[0]
    parts = [
        part for one in members for part in (one.client_hello, one.client_plain, one.server_plain) if part is not None
    ]
    return RULE.finding(
        subject=Subject(vlan=first.flow.vlan, server=first.server, port=first.port),
        severity=severity,
        confidence=Confidence.CERTAIN,
        summary=summary,
        evidence=(cite(view, (number for part in parts for number in part.frames), what),),
        filter=f"tcp.port == {first.port} && ip.addr == {first.server} && tcp.len > 0",
        first_ns=min(part.ts_ns for part in parts),
        last_ns=max(part.ts_ns for part in parts),
        alternatives=("a scanner that tries every protocol on every port",),
        next_steps=(steps.domain(), steps.listeners(), steps.proxy()),
    )


RULE = Rule(
    code="CPVM013",
    name="plain-http-on-tls-port",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check,
    explains=("CPVM012", "CPVM005"),
)
