"""CPVM001 name-not-resolved: the console proxy's name has no address.

What it does
------------
Finds a console proxy's name (the dashed address below the console domain) that a client asks for twice or more and
gets no address for: NXDOMAIN, SERVFAIL, refused, an answer without address, or no answer at all.

Why it matters
--------------
The browser never opens a connection: the console stays white, and nothing is wrong on the console proxy.

Common causes
-------------
The zone of consoleproxy.url.domain was never made or lacks the wildcard; the name server is down.

What else it could be
---------------------
Answers that take another way than the capture's, where the client then speaks with the very address that the name
spells. A resolver that knows another half of a split zone than the users' one; a search suffix that a resolver appended
(left out where the plain name is asked too).

Next steps
----------
Ask for the name at a public resolver and at the users' one.
"""

from collections.abc import Iterator, Sequence

from dissectors.console_proxy import dashed_ip
from dissectors.dns import DnsExchange
from pcapdx.case import View
from pcapdx.model import Confidence, Finding, Severity, Subject, Topic
from pcapdx.path.admission import address, packet
from pcapdx.path.trail import UDP
from pcapdx.rule import Rule
from pcapdx.rules.console_proxy_tls import steps
from pcapdx.rules.console_proxy_tls.consoles import why_name
from pcapdx.rules.definitions.observable import hears
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, listed, times

NXDOMAIN = "NXDOMAIN"
SILENT = "no answer"
CODES = {0: "no address", 2: "SERVFAIL", 3: NXDOMAIN, 5: "REFUSED"}
ADDRESS_TYPE = 1
TRIES = 2
ANSWER = 5 * SECOND
"""A resolver's own time-out."""


def check(view: View) -> Iterator[Finding]:
    """One finding a client and name."""
    asked: dict[tuple[str, str], list[DnsExchange]] = {}
    for one in view.exchanges(DnsExchange):
        if why_name(view, one.name) is not None:
            asked.setdefault((one.client, one.name), []).append(one)
    for (client, name), exchanges in asked.items():
        if any(one.addresses or _unread(view, one) for one in exchanges) or _has_suffix(name, client, asked):
            continue
        failed = [(one, outcome) for one in exchanges if (outcome := _outcome(view, one)) is not None]
        silent = all(outcome == SILENT for _, outcome in failed)
        # a question that was recorded at two places has one port
        times_asked = {(one.queries[0].frame.sport, one.id, one.type) for one, _ in failed}
        if len(times_asked) >= TRIES and not (silent and _goes_there(view, client, name)):
            yield _finding(view, client, name, failed)


def _goes_there(view: View, client: str, name: str) -> bool:
    """Whether the client speaks with the address that the name spells: it was told, by a way that is not here."""
    ip = dashed_ip(name)
    return ip is not None and any(True for _ in view.flows.where(client=client, server=ip))


def _unread(view: View, one: DnsExchange) -> bool:
    """Something came back that the snap length cut: it may have been the address."""
    frame = one.queries[-1].frame
    return one.answer is None and frame.flow >= 0 and view.flows.at(frame.flow).responder.packets > 0


def _has_suffix(name: str, client: str, asked: dict[tuple[str, str], list[DnsExchange]]) -> bool:
    """The same client asked for the name without its last labels: these are a search suffix."""
    return any(name.startswith(f"{other}.") for who, other in asked if who == client)


def _outcome(view: View, one: DnsExchange) -> str | None:
    """How a lookup failed, in a word; None where it did not, or where that cannot be told."""
    if one.answer is not None:
        if one.rcode == 0 and one.type != ADDRESS_TYPE:
            return None
        return CODES.get(one.rcode or 0)
    frame = one.queries[-1].frame
    if one.transport == "tcp" or frame.flow < 0 or view.flows.at(frame.flow).responder.packets:
        return None
    waited = view.remains_ns(frame.ts_ns) >= ANSWER
    answer = packet(UDP, src=address(one.server), dst=address(one.client), sport=frame.dport, dport=frame.sport)
    return SILENT if waited and hears(view, frame.eth_src, one.vlan, answer=answer) else None


def _finding(view: View, client: str, name: str, failed: Sequence[tuple[DnsExchange, str]]) -> Finding:
    first = failed[0][0]
    outcomes = list(dict.fromkeys(outcome for _, outcome in failed))
    frames = [
        number for one, _ in failed for number in (one.queries[0].number, *(one.answer.frames if one.answer else ()))
    ]
    return RULE.finding(
        subject=Subject(vlan=first.vlan, ip=client, name=name),
        confidence=Confidence.CERTAIN if NXDOMAIN in outcomes else Confidence.LIKELY,
        summary=f"{client} asked {times(len(failed))} for the console proxy's name {name} and got {listed(outcomes)}.",
        evidence=(cite(view, frames, f"lookups of {name}: {listed(outcomes)}"),),
        filter=f'dns.qry.name == "{name}"',
        first_ns=first.queries[0].ts_ns,
        last_ns=failed[-1][0].queries[-1].ts_ns,
        alternatives=(f"{first.server} knows another half of a split zone than the resolver of the users",),
        next_steps=(steps.record(name), steps.domain()),
    )


RULE = Rule(
    code="CPVM001",
    name="name-not-resolved",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check,
)
