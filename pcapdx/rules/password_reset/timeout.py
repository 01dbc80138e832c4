"""PWD003 timeout: the router's port 8080 stays silent.

What it does
------------
Finds a guest whose SYNs to port 8080 of its DHCP server get no answer at all, while that same address answers ARP, DHCP
or other ports.

Why it matters
--------------
The guest waits a minute at every boot and never gets its new password.

Common causes
-------------
The router's input rules admit 8080 only from inside the guest CIDR, and the guest asks from a second CIDR or address;
the router is overloaded; a firewall on the way.

What else it could be
---------------------
The SYN never left the host: a capture on its uplink shows that.

Next steps
----------
Look at the router's INPUT chain and its counters while the guest asks again.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import speaks
from pcapdx.rules.definitions.servers import why_router
from pcapdx.rules.definitions.syn_dead import syn_dead
from pcapdx.rules.definitions.wording import cite, duration, times
from pcapdx.rules.password_reset import PORT, steps


def check(view: View) -> Iterator[Finding]:
    """One finding a client and server."""
    for tries in syn_dead(view, (PORT,)):
        if not why_router(view, tries.server) or not speaks(view, tries.server, tries.vlan, None, view.first_ns):
            continue
        yield RULE.finding(
            subject=steps.subject(tries.client_mac, tries.vlan, tries.client, tries.server),
            summary=(
                f"{tries.client} tried port {PORT} of {tries.server} {times(tries.count)} in "
                f"{duration(tries.last_ns - tries.first_ns)} for its password and got no answer."
            ),
            evidence=(cite(view, tries.frames, f"SYN to {PORT}; nothing comes back"),),
            filter=f"tcp.port == {PORT} && ip.addr == {tries.client} && ip.addr == {tries.server}",
            first_ns=tries.first_ns,
            last_ns=tries.last_ns,
            alternatives=("the SYN is dropped before it reaches the router: compare with a capture in the router",),
            next_steps=(
                NextStep(
                    where="virtual router",
                    command=f"iptables -L INPUT -vn | grep {PORT}; ip -4 addr show",
                    meaning=(
                        f"{tries.client} must lie inside the source range of the rule for {PORT}; else it is dropped"
                    ),
                ),
                steps.listener(tries.server),
            ),
        )


RULE = Rule(
    code="PWD003",
    name="timeout",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.ERROR,
    check=check,
)
