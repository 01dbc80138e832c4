"""CPVM025 console-handshake-completed: a browser took the console proxy's certificate.

What it does
------------
Proves that a TLS handshake with a console proxy succeeded under the name asked for: up to TLS 1.2 with a certificate
that is valid and covers the name, in TLS 1.3 (where it is encrypted) by the client's acceptance.

Why it matters
--------------
It clears name, port 443 or 8443, key and certificate for this client; a console that stays black fails behind.
"""

from collections.abc import Iterator, Sequence

from dissectors.console_proxy import ConsoleHandshake, DateVerdict, NameVerdict
from pcapdx.case import View
from pcapdx.model import Proof, Topic
from pcapdx.rule import Rule
from pcapdx.rules.console_proxy_tls.consoles import at, handshakes, tls_filter, to_client, to_server
from pcapdx.rules.definitions.wording import cite


def check(view: View) -> Iterator[Proof]:
    """One proof a server, port and name; of its clients' handshakes the first is shown."""
    completed: dict[tuple[int, str | None, int, str], list[ConsoleHandshake]] = {}
    for one in handshakes(view):
        hand = one.handshake
        if hand.completed and hand.client_hello is not None and one.name is not None and _fits(one):
            completed.setdefault((hand.flow.vlan, hand.server, hand.port, one.name), []).append(one)
    for alike in completed.values():
        yield _proof(view, alike)


def _proof(view: View, alike: Sequence[ConsoleHandshake]) -> Proof:
    first = alike[0]
    hand = first.handshake
    shown = "valid, covers the name" if first.leaf is not None else "resumed" if hand.resumed else "encrypted"
    clients = len({one.handshake.client for one in alike})
    others = f" and {clients - 1} other client{'s' if clients > 2 else ''}" if clients > 1 else ""
    parts = [part for part in (hand.client_hello, hand.server_hello, hand.chain) if part is not None]
    frames = [*(part.number for part in parts), *((hand.reaction_frame,) if hand.reaction_frame is not None else ())]
    moments = [part.ts_ns for one in alike for part in (one.handshake.client_hello, one.handshake.server_hello) if part]
    return RULE.proof(
        subject=to_server(first) if clients > 1 else to_client(first),
        summary=f"TLS handshake of {hand.client}{others} with {at(first)} completed (certificate {shown})",
        evidence=(cite(view, frames, "ClientHello, the server's flight, the client's Finished"),),
        filter=tls_filter(first),
        first_ns=min(moments),
        last_ns=max(moments),
    )


def _fits(shake: ConsoleHandshake) -> bool:
    """The certificate is sound for the name, or not to be seen."""
    return shake.name_verdict in (NameVerdict.MATCH, NameVerdict.UNSEEN) and shake.date_verdict in (
        DateVerdict.VALID,
        DateVerdict.UNSEEN,
    )


RULE = Rule(
    code="CPVM025", name="console-handshake-completed", topic=Topic.CONSOLE_PROXY_TLS, severity=None, check=check
)
