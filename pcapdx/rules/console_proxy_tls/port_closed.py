"""CPVM004 page-port-closed, CPVM005 ws-port-closed: a port of the console proxy refuses or stays silent.

What it does
------------
Finds a console proxy whose page ports (80, 443) refuse or never answer (CPVM004), and one whose page was served while
its websocket's port (8080, 8443) refuses or never answers the same client within half a minute (CPVM005).

Why it matters
--------------
No page: the browser says that it cannot connect. No websocket: the page stands there and the screen stays black.

Common causes
-------------
The process on the console proxy is dead; a firewall before it, or its own, admits only 80 and 443 (issue 8332); the
VM is of an old template; TLS was switched on and the VM not rebuilt.

What else it could be
---------------------
A console proxy that is just being rebuilt, for up to three minutes: refusals that end are a remark. A port that is
closed by design while the other one of its kind serves is not reported, nor what a port scan finds closed. Where
neither name, path nor site profile makes the machine a console proxy, and only its MAC looks like a system VM's, it is
a remark, too.

Next steps
----------
See what listens on the console proxy, then follow the SYN from the outside.
"""

from collections.abc import Iterator

from dissectors.http import HttpExchange
from pcapdx.case import View
from pcapdx.model import Confidence, Evidence, Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.console_proxy_tls import steps
from pcapdx.rules.console_proxy_tls.consoles import PAGE_PORTS, WEBSOCKET_PORTS, consoles, handshakes, pages
from pcapdx.rules.definitions.macs import is_system_vm_public
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.syn_dead import Tries, refused, syn_dead
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import cite, duration, times

WEBSOCKET_AFTER = 30 * SECOND
SERVED = frozenset({200, 304})


@once_a_view
def closed(view: View) -> tuple[tuple[Tries, bool], ...]:
    """Tries for any of the four ports that failed, and whether they were refused (else silent)."""
    ports = (*PAGE_PORTS, *WEBSOCKET_PORTS)
    dead = [(one, False) for one in syn_dead(view, ports, even_if_worked=True)]
    return (*((one, True) for one in refused(view, ports, even_if_worked=True)), *dead)


def check_page(view: View) -> Iterator[Finding]:
    """CPVM004: one finding a client, server and port."""
    for tries, by_rst in closed(view):
        if tries.port not in PAGE_PORTS or _serves(view, tries.server) or (tries.worked and not tries.works_again):
            continue
        why = consoles(view).get(tries.server)
        if why is None and not (is_system_vm_public(tries.server_mac) and tries.count >= REPETITION):
            continue
        severity = Severity.WARNING if tries.count == 1 else Severity.ERROR
        if why is None or tries.works_again:
            severity = Severity.INFO
        yield PAGE.finding(
            subject=_subject(tries),
            severity=severity,
            confidence=Confidence.CERTAIN if why else Confidence.POSSIBLE,
            summary=_summary(tries, by_rst, "the page of a console proxy"),
            evidence=_evidence(view, tries, by_rst),
            filter=_filter(tries),
            first_ns=tries.first_ns,
            last_ns=tries.last_ns,
            alternatives=(
                "the console proxy is being rebuilt: then it accepts within three minutes",
                *(() if why else (f"{tries.server} is no console proxy: only its MAC has the shape of a system VM's",)),
            ),
            next_steps=(steps.proxy(), steps.listeners()),
        )


def check_websocket(view: View) -> Iterator[Finding]:
    """CPVM005: one finding a client, server and port, with the page that was served before."""
    for tries, by_rst in closed(view):
        if tries.port not in WEBSOCKET_PORTS or tries.server not in consoles(view) or tries.worked:
            continue
        if _other_websocket(view, tries):
            continue
        page = _page_before(view, tries)
        if page is None:
            continue
        yield WEBSOCKET.finding(
            subject=_subject(tries),
            summary=_summary(tries, by_rst, "the websocket of a console whose page it got"),
            evidence=(page, *_evidence(view, tries, by_rst)),
            filter=_filter(tries),
            first_ns=tries.first_ns,
            last_ns=tries.last_ns,
            alternatives=("a firewall between browser and console proxy that admits 80 and 443 only",),
            next_steps=(steps.listeners(), steps.domain()),
        )


def _serves(view: View, server: str) -> bool:
    """One of the page ports of a server is open."""
    return any(
        one.responder.syn or one.responder.payload_bytes for one in view.flows.where(ports=PAGE_PORTS, server=server)
    )


def _other_websocket(view: View, tries: Tries) -> bool:
    """The same client got through to the other port a websocket may be at: this one is closed by design."""
    flows = view.flows.where(ports=WEBSOCKET_PORTS, server=tries.server, client=tries.client)
    return any(one.responder.syn for one in flows if one.responder.port != tries.port)


def _page_before(view: View, tries: Tries) -> Evidence | None:
    """A page that the client began to get of the server before it tried the websocket, at most half a minute ago."""
    for began, ended, frames in _pages_of(view, tries.client, tries.server):
        if began <= tries.first_ns <= ended + WEBSOCKET_AFTER:
            return cite(view, frames, "the page is served before")
    return None


def _pages_of(view: View, client: str, server: str) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Begin, end and decisive frames of each page that one got of the other."""
    for one in pages(view):
        answer = one.response
        if (one.client, one.server) == (client, server) and answer is not None and _is_served(one):
            yield one.request.ts_ns, answer.ts_ns, (one.request.number, *answer.frames[-1:])
    for shake in handshakes(view):
        hand = shake.handshake
        if (hand.client, hand.server) == (client, server) and hand.port in PAGE_PORTS and hand.completed:
            hellos = [one for one in (hand.client_hello, hand.server_hello) if one is not None]
            if hellos:
                ended = hand.flow.responder.last_payload_ns or hellos[-1].ts_ns
                yield hellos[0].ts_ns, ended, tuple(one.number for one in hellos)


def _is_served(one: HttpExchange) -> bool:
    return one.port in PAGE_PORTS and one.response is not None and one.response.message.status in SERVED


def _subject(tries: Tries) -> Subject:
    return Subject(vlan=tries.vlan, ip=tries.client, server=tries.server, port=tries.port)


def _summary(tries: Tries, by_rst: bool, what: str) -> str:
    if by_rst:
        words = f"was refused {times(len(tries.flows))} (RST from port {tries.port})"
    else:
        words = f"got no answer to {tries.count} SYNs in {duration(tries.last_ns - tries.first_ns)}"
    again = "; later it worked" if tries.works_again else ""
    return f"{tries.client} wanted {what} at {tries.server}:{tries.port} and {words}{again}."


def _evidence(view: View, tries: Tries, by_rst: bool) -> tuple[Evidence, ...]:
    what = "answered by RST" if by_rst else "nothing comes back"
    return (cite(view, tries.frames, f"SYN to {tries.port}; {what}"),)


def _filter(tries: Tries) -> str:
    return f"tcp.port == {tries.port} && ip.addr == {tries.client} && ip.addr == {tries.server}"


PAGE = Rule(
    code="CPVM004",
    name="page-port-closed",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check_page,
    explains=("SG001",),
)
WEBSOCKET = Rule(
    code="CPVM005",
    name="ws-port-closed",
    known=(8332,),
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check_websocket,
    explains=("SG001",),
)
