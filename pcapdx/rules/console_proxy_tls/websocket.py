"""CPVM014 ws-upgrade-refused, CPVM020 ws-dies-early, CPVM021 idle-cut, CPVM022 console-in-clear: the websocket.

What it does
------------
Reads what becomes of requests for a console's websocket in clear: another answer than 101 (CPVM014); accepted and
closed by the server within two seconds, twice or more (CPVM020); closed by the server after three to five minutes
without a word of the client (CPVM021, a remark); accepted in clear over a public network (CPVM022).

Why it matters
--------------
Without its websocket the console's screen stays black. In clear, its token and every key that is pressed can be read
on the way.

Common causes
-------------
A reverse proxy that does not pass the upgrade or the path (issue 7317), a console proxy of an old template (issue
4612); a token that expired or cannot be checked since port 8250 is down; VNC to the hypervisor fails; the session's
time-out; consoleproxy.sslEnabled is off.

What else it could be
---------------------
The user closed the window: then the client ends the connection first. A lab or a VPN where clear text is meant;
between private addresses it is a remark.

Next steps
----------
Look at the console proxy's other legs: 8250 to the management server, 5900 and up to the hypervisor.
"""

from collections.abc import Iterator, Sequence

from dissectors.console_proxy import ConsolePage, console_page
from dissectors.http import HttpExchange
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Particulars, Rule
from pcapdx.rules.console_proxy_tls import steps
from pcapdx.rules.console_proxy_tls.addresses import is_private
from pcapdx.rules.console_proxy_tls.consoles import handshakes, host_name, pages
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration, listed, times

SWITCHED = 101
DIES_WITHIN = 2 * SECOND
DEATHS = 2
IDLE_FROM, IDLE_UNTIL = 175 * SECOND, 305 * SECOND
"""The garbage collector's 180 s and the session's 300 s, with some slack."""

LEGS = NextStep(
    where="console proxy VM",
    command="tcpdump -enni any 'tcp port 8250 or tcp portrange 5900-6100'",
    meaning="a refused or silent 8250: tokens cannot be checked; a refused 59xx: the instance stopped or moved",
)


def websockets(view: View) -> list[HttpExchange]:
    """Requests in clear for a console's websocket that got an answer."""
    return [
        one
        for one in pages(view)
        if console_page(one.request.message.target) is ConsolePage.WEBSOCKET and one.response is not None
    ]


def status(one: HttpExchange) -> int:
    """Of the answer; 0 without one."""
    return one.response.message.status if one.response is not None else 0


def check_refused(view: View) -> Iterator[Finding]:
    """CPVM014: one finding a client, server and port."""
    for (client, server, port), found in _grouped(one for one in websockets(view) if status(one) != SWITCHED):
        statuses = sorted({status(one) for one in found})
        software = next((name for one in found if one.response for name in one.response.message.servers), None)
        yield UPGRADE_REFUSED.finding(
            summary=(
                f"{server}:{port} answers {client}'s request for the console's websocket with {listed(statuses)} "
                f"{times(len(found))}, not with 101."
            ),
            **_particulars(
                view,
                found,
                Subject(vlan=found[0].flow.vlan, ip=client, server=server, port=port),
                f"request for the websocket, answered {listed(statuses)}",
            ),
            alternatives=(
                f"a reverse proxy answers in the console proxy's place{f' ({software})' if software else ''}",
                "the token expired: open the console anew",
            ),
            next_steps=(steps.log(), steps.listeners()),
        )


def check_dies(view: View) -> Iterator[Finding]:
    """CPVM020: one finding a console's name and client."""
    for (client, server, port), found in _grouped(one for one in websockets(view) if _dies(one)):
        if len(found) < DEATHS:
            continue
        name = host_name(found[0].request.message.host) or server
        yield DIES.finding(
            summary=f"{server}:{port} accepts {client}'s websocket and closes it within 2 s, {times(len(found))}.",
            **_particulars(
                view,
                found,
                # By the console's name, so that what happens on the proxy's other legs can be its cause.
                Subject(vlan=found[0].flow.vlan, name=name),
                "101, then the server ends the connection first",
            ),
            alternatives=("the token expired, or the management server cannot be asked for it",),
            next_steps=(LEGS, steps.log()),
        )


def check_idle(view: View) -> Iterator[Finding]:
    """CPVM021: one finding a connection, in clear or within TLS."""
    accepted = [one.flow for one in websockets(view) if status(one) == SWITCHED]
    accepted += [one.handshake.flow for one in handshakes(view) if one.handshake.completed]
    for flow in accepted:
        closing, spoke = flow.closing, flow.originator.last_payload_ns
        if closing is None or closing.by_originator or spoke is None:
            continue
        if not IDLE_FROM <= closing.ts_ns - spoke <= IDLE_UNTIL:
            continue
        yield IDLE.finding(
            summary=(
                f"{flow.responder.ip}:{flow.responder.port} ended {flow.originator.ip}'s console after "
                f"{duration(closing.ts_ns - spoke)} without input."
            ),
            subject=Subject(vlan=flow.vlan, ip=flow.originator.ip, server=flow.responder.ip, port=flow.responder.port),
            evidence=(cite(view, (closing.frame,), "the server ends the connection"),),
            filter=f"tcp.port == {flow.originator.port} && ip.addr == {flow.responder.ip}",
            first_ns=spoke,
            last_ns=closing.ts_ns,
            alternatives=("a firewall on the way forgets idle connections",),
        )


def check_clear(view: View) -> Iterator[Finding]:
    """CPVM022: one finding a server."""
    servers: dict[str | None, list[HttpExchange]] = {}
    for one in websockets(view):
        if status(one) == SWITCHED:
            servers.setdefault(one.server, []).append(one)
    for server, found in servers.items():
        clients = sorted({one.client for one in found if one.client})
        at_home = is_private(server) and all(is_private(one) for one in clients)
        yield CLEAR.finding(
            severity=Severity.INFO if at_home else Severity.WARNING,
            summary=(
                f"The console of {server} is used without TLS: {listed(clients[:3])} sends its token and every key in "
                f"clear to port {found[0].port}."
            ),
            **_particulars(view, found, Subject(vlan=found[0].flow.vlan, server=server), "websocket opened in clear"),
            alternatives=("a lab, or a VPN that encrypts all this on the way",),
            next_steps=(steps.domain(), steps.upload()),
        )


def _dies(one: HttpExchange) -> bool:
    """Accepted, and the server ended it first and at once."""
    closing = one.flow.closing
    if status(one) != SWITCHED or closing is None or closing.by_originator or one.response is None:
        return False
    return closing.ts_ns - one.response.ts_ns < DIES_WITHIN


def _grouped(
    exchanges: Iterator[HttpExchange],
) -> Iterator[tuple[tuple[str | None, str | None, int], list[HttpExchange]]]:
    groups: dict[tuple[str | None, str | None, int], list[HttpExchange]] = {}
    for one in exchanges:
        groups.setdefault((one.client, one.server, one.port), []).append(one)
    yield from groups.items()


def _particulars(view: View, found: Sequence[HttpExchange], subject: Subject, what: str) -> Particulars:
    frames: list[int] = []
    for one in found:
        closing = one.flow.closing
        answer = one.response.frames if one.response is not None else ()
        frames.extend((*one.request.frames, *answer, *((closing.frame,) if closing is not None else ())))
    first = found[0]
    return Particulars(
        subject=subject,
        evidence=(cite(view, frames, what),),
        filter=f"tcp.port == {first.port} && ip.addr == {first.server}",
        first_ns=min(one.request.ts_ns for one in found),
        last_ns=max(one.request.ts_ns for one in found),
    )


UPGRADE_REFUSED = Rule(
    code="CPVM014",
    name="ws-upgrade-refused",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check_refused,
)
DIES = Rule(
    code="CPVM020",
    name="ws-dies-early",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.WARNING,
    check=check_dies,
)
IDLE = Rule(
    code="CPVM021",
    name="idle-cut",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.INFO,
    check=check_idle,
)
CLEAR = Rule(
    code="CPVM022",
    name="console-in-clear",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.WARNING,
    check=check_clear,
)
