"""CPVM025 console-handshake-completed: a browser took the console proxy's certificate.

What it does
------------
Proves that a TLS handshake with a console proxy succeeded under the name asked for: up to TLS 1.2 with a certificate
that is valid and covers the name, in TLS 1.3 (where it is encrypted) by the client's acceptance.

Why it matters
--------------
It clears name, port 443 or 8443, key and certificate for this client; a console that stays black fails behind.
"""

from collections.abc import Iterator

from dissectors.console_proxy import ConsoleHandshake, DateVerdict, NameVerdict
from pcapdx.case import View
from pcapdx.model import Proof, Topic
from pcapdx.rule import Rule
from pcapdx.rules.console_proxy_tls.consoles import at, handshakes, tls_filter, to_client
from pcapdx.rules.definitions.wording import cite


def check(view: View) -> Iterator[Proof]:
    """One proof a client, server, port and name."""
    for one in handshakes(view):
        hand = one.handshake
        hello = hand.client_hello
        if not hand.completed or hello is None or one.name is None or not _fits(one):
            continue
        shown = "valid, covers the name" if one.leaf is not None else "resumed" if hand.resumed else "encrypted"
        parts = [part.number for part in (hello, hand.server_hello, hand.chain) if part is not None]
        frames = [*parts, *((hand.reaction_frame,) if hand.reaction_frame is not None else ())]
        yield RULE.proof(
            subject=to_client(one),
            summary=f"TLS handshake of {hand.client} with {at(one)} completed (certificate {shown})",
            evidence=(cite(view, frames, "ClientHello, the server's flight, the client's Finished"),),
            filter=tls_filter(one),
            first_ns=hello.ts_ns,
            last_ns=hand.server_hello.ts_ns if hand.server_hello is not None else hello.ts_ns,
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
