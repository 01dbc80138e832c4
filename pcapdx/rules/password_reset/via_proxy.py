"""PWD020 via-proxy: the guest sends its password request to a proxy.

What it does
------------
Finds a password request in the form meant for proxies (a whole URL, or CONNECT).

Why it matters
--------------
The router looks the password up by who connects; through a proxy that is the proxy.

Common causes
-------------
http_proxy is set in the template's environment, and wget obeys it.

What else it could be
---------------------
Nothing: no password server is asked in that form.

Next steps
----------
Unset http_proxy for the script, or add the router to no_proxy.
"""

from collections.abc import Iterator

from dissectors.password_server import PasswordExchange
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.password_reset import steps


def check(view: View) -> Iterator[Finding]:
    """One finding a guest and proxy."""
    for one in view.exchanges(PasswordExchange):
        if not one.request.message.proxied:
            continue
        yield RULE.finding(
            subject=steps.subject(one.flow.originator.mac, one.flow.vlan, one.client, one.server),
            summary=(
                f"{one.client} sends its password request to the proxy {one.server}:{one.port} instead of the router."
            ),
            evidence=(cite(view, one.request.frames, "request in the form for proxies, with the DomU_Request header"),),
            filter=f"tcp.port == {one.port} && ip.addr == {one.client}",
            first_ns=one.request.ts_ns,
            next_steps=(
                NextStep(
                    where=f"guest {one.client}",
                    command="env | grep -i proxy; grep -rni proxy /etc/environment /etc/wgetrc ~/.wgetrc",
                    meaning="http_proxy set: unset it for the password script or name the router in no_proxy",
                ),
            ),
        )


RULE = Rule(
    code="PWD020",
    name="via-proxy",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.ERROR,
    check=check,
)
