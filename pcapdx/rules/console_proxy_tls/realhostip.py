"""CPVM002 realhostip: a console is still sent to realhostip.com.

What it does
------------
Finds a lookup, a TLS handshake or a request for a name below realhostip.com.

Why it matters
--------------
CloudStack's own domain of releases up to 4.2 ended in 2014, its DNS and its certificate with it: such a console never
opens.

Common causes
-------------
consoleproxy.url.domain was never changed after an upgrade.

What else it could be
---------------------
An old bookmark of one user.

Next steps
----------
Set a domain and upload a certificate of your own.
"""

from collections.abc import Iterator

from dissectors.console_proxy import ConsoleHandshake
from dissectors.dns import DnsExchange
from dissectors.http import HttpExchange
from pcapdx.case import View
from pcapdx.model import Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.console_proxy_tls import steps
from pcapdx.rules.console_proxy_tls.consoles import REALHOSTIP, host_name, named, within
from pcapdx.rules.definitions.wording import cite, listed


def check(view: View) -> Iterator[Finding]:
    """One finding a name."""
    asked_for: dict[tuple[int, str], list[tuple[int, int, str]]] = {}
    for vlan, name, frame, ts_ns, how in _names(view):
        if name is not None and within(name, REALHOSTIP):
            asked_for.setdefault((vlan, name), []).append((frame, ts_ns, how))
    for (vlan, name), met in asked_for.items():
        ways = list(dict.fromkeys(how for _, _, how in met))
        yield RULE.finding(
            subject=Subject(vlan=vlan, name=name),
            summary=f"A console is asked for under {name}; realhostip.com ended in 2014.",
            evidence=(cite(view, (frame for frame, _, _ in met), f"{listed(ways)} for {name}"),),
            filter=named(name),
            first_ns=min(ts_ns for _, ts_ns, _ in met),
            last_ns=max(ts_ns for _, ts_ns, _ in met),
            alternatives=("an old bookmark of this one user",),
            next_steps=(steps.domain(), steps.upload()),
        )


def _names(view: View) -> Iterator[tuple[int, str | None, int, int, str]]:
    """VLAN, name, frame, time, and in what it was asked for."""
    for asked in view.exchanges(DnsExchange):
        yield asked.vlan, asked.name, asked.queries[0].number, asked.queries[0].ts_ns, "lookup"
    for shake in view.exchanges(ConsoleHandshake):
        hello = shake.handshake.client_hello
        if hello is not None:
            yield shake.handshake.flow.vlan, shake.name, hello.number, hello.ts_ns, "TLS handshake"
    for one in view.exchanges(HttpExchange):
        request = one.request
        yield one.flow.vlan, host_name(request.message.host), request.number, request.ts_ns, "request"


RULE = Rule(
    code="CPVM002",
    name="realhostip",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check,
    explains=("CPVM001", "CPVM006", "CPVM007"),
)
