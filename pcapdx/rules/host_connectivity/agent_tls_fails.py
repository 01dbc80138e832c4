"""HOST003 agent-tls-fails: agents reach the management server's port 8250, and TLS between them fails.

What it does
------------
Finds TLS handshakes on port 8250 that end in an alert, or that either side ends within a second of the hello, twice or
more, where no later one of the same host succeeds. A connection without a ClientHello is a health check and not
counted.

Why it matters
--------------
The host is "Disconnected" although the network is sound.

Common causes
-------------
A certificate that has expired (CloudStack renews its own 15 days before, while the host is connected); a new
certificate authority that hosts do not know; a clock that is wrong; a server that demands a client certificate.

What else it could be
---------------------
Something else on port 8250 that ends connections it does not know.

Next steps
----------
Read the certificate with openssl; provision the host's certificate again.
"""

from collections.abc import Iterator, Sequence

from dissectors.tls import Alert, Reaction, TlsHandshake
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, times
from pcapdx.rules.host_connectivity import AGENT

TWICE = 2
CLOSE_NOTIFY = 0
SOON = 1 * SECOND


def check(view: View) -> Iterator[Finding]:
    """One finding a host and management server."""
    by_pair: dict[tuple[int, str | None, str | None], list[TlsHandshake]] = {}
    for one in view.exchanges(TlsHandshake):
        if one.port == AGENT and one.client_hello is not None:
            by_pair.setdefault((one.flow.vlan, one.client, one.server), []).append(one)
    for (vlan, client, server), members in by_pair.items():
        failures = [one for one in members if failed(one)]
        if len(failures) < TWICE or client is None or server is None:
            continue
        last = max(_start(one) for one in failures)
        if not any(one.completed and _start(one) > last for one in members):
            yield _finding(view, vlan, client, server, failures)


def failed(handshake: TlsHandshake) -> bool:
    """Whether this handshake ended without a link."""
    if handshake.completed or handshake.client_hello is None:
        return False
    if handshake.reaction is Reaction.REJECTED or fatal(handshake):
        return True
    closing = handshake.flow.closing
    return closing is not None and not handshake.torn and closing.ts_ns - _start(handshake) < SOON


def fatal(handshake: TlsHandshake) -> tuple[Seen[Alert], ...]:
    """Alerts in clear, other than the one that ends a link in peace."""
    alerts = (*handshake.client_alerts, *handshake.server_alerts)
    return tuple(one for one in alerts if one.message.description not in (None, CLOSE_NOTIFY))


def _start(handshake: TlsHandshake) -> int:
    hello = handshake.server_hello or handshake.client_hello
    return hello.ts_ns if hello is not None else 0


def _reason(failures: Sequence[TlsHandshake]) -> tuple[str, tuple[int, ...]]:
    """Why, in words, with the frames that say so."""
    for one in failures:
        leaf = one.chain.message.leaf if one.chain is not None else None
        alerts = fatal(one)
        said = f"alert {alerts[0].message.name}" if alerts else "no alert in clear"
        if one.chain is not None and leaf is not None and leaf.not_after_ns < one.chain.ts_ns:
            return f"the server's certificate has expired ({said})", one.chain.frames
        if alerts:
            by = "the agent" if alerts[0] in one.client_alerts else "the server"
            return f"{by} sends {said}", alerts[0].frames
    closing = failures[0].flow.closing
    if failures[0].reaction is Reaction.REJECTED:
        return "the agent does not accept the server's handshake", (failures[0].reaction_frame or 0,)
    return "the connection is ended right after the hello", (closing.frame,) if closing is not None else ()


def _finding(view: View, vlan: int, client: str, server: str, failures: Sequence[TlsHandshake]) -> Finding:
    reason, frames = _reason(failures)
    hellos = [one.client_hello.number for one in failures if one.client_hello is not None]
    return RULE.finding(
        subject=Subject(mac=failures[0].flow.originator.mac, vlan=vlan, ip=client, server=server, port=AGENT),
        confidence=Confidence.CERTAIN if any(map(fatal, failures)) else Confidence.LIKELY,
        summary=f"TLS of {client} to the management server {server}:{AGENT} failed {times(len(failures))}: {reason}.",
        evidence=(
            cite(view, hellos, "ClientHello of each try"),
            *((cite(view, frames, reason),) if frames else ()),
        ),
        filter=f"tls && tcp.port == {AGENT} && ip.addr == {client}",
        first_ns=_start(failures[0]),
        last_ns=_start(failures[-1]),
        next_steps=(
            NextStep(
                where=client,
                command=f"openssl s_client -connect {server}:{AGENT} </dev/null | openssl x509 -noout -dates -issuer",
                meaning="notAfter in the past (compare with date), or an issuer that is not the host's CA",
            ),
            NextStep(
                where=client,
                command="keytool -list -v -keystore /etc/cloudstack/agent/cloud.jks | grep -E 'Owner|Issuer|until'",
                meaning="the host's own certificate and the CA it trusts",
            ),
            NextStep(
                where="CloudStack API",
                command="provision certificate hostid=<host> reconnect=true",
                meaning="gives the host a new certificate of the current CA",
            ),
        ),
    )


RULE = Rule(
    code="HOST003",
    name="agent-tls-fails",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check,
    explains=("HOST004",),
)
