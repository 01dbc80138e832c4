"""PWD004 asked-gateway-not-vr: the guest asks its gateway for the password, and the gateway is no virtual router.

What it does
------------
Finds a password request, or a try of one that fails, to the gateway of a lease whose DHCP server is another machine.

Why it matters
--------------
In a shared network the gateway is a physical router that knows no passwords; the reset can never work this way.

Common causes
-------------
The password script on systems with NetworkManager asks the default gateway instead of the DHCP server
(cloud-set-guest-password.in).

What else it could be
---------------------
The gateway address of a redundant router pair, which does serve; then the profile should name it a router.

Next steps
----------
Use cloud-init's CloudStack data source or a newer script in the template.
"""

from collections.abc import Iterator

from dissectors.http import Ended
from dissectors.password_server import AnswerKind, Generation, PasswordExchange
from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import Lease
from pcapdx.rules.definitions.servers import foreign_gateway, why_router
from pcapdx.rules.definitions.syn_dead import refused, syn_dead
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.password_reset import PORT, steps


def check(view: View) -> Iterator[Finding]:
    """One finding a client."""
    told: set[str] = set()
    for client, gateway, lease, frames, what in _asked(view):
        if client in told:
            continue
        told.add(client)
        network = view.site.network_of(client)
        shared = network is not None and network.type == "shared"
        yield RULE.finding(
            subject=steps.subject(lease.mac, lease.vlan, client, gateway),
            severity=Severity.ERROR if shared else Severity.WARNING,
            confidence=Confidence.CERTAIN if shared else Confidence.LIKELY,
            summary=(
                f"{client} asked its gateway {gateway} for its password; the virtual router of its lease is "
                f"{lease.server}."
            ),
            evidence=(
                cite(view, frames, what),
                cite(view, (lease.ack.number,), f"DHCP ACK: server identifier {lease.server}, router {gateway}"),
            ),
            filter=f"(tcp.port == {PORT} && ip.addr == {gateway}) || dhcp.ip.your == {client}",
            first_ns=lease.ack.ts_ns,
            alternatives=(
                f"{gateway} is the shared address of a redundant router pair, and its password server is down",
            ),
            limits=() if shared else ("the network's type is not known: a site profile tells it",),
            next_steps=(
                NextStep(
                    where=f"guest {client}",
                    command="ls /etc/sysconfig/network-scripts; grep -rn CloudStack /etc/cloud/cloud.cfg*",
                    meaning=(
                        "the script takes the gateway where network-scripts exists; cloud-init asks the DHCP server"
                    ),
                ),
            ),
        )


def _asked(view: View) -> Iterator[tuple[str, str, Lease, tuple[int, ...], str]]:
    """(client, gateway, lease, frames, what) of each request to a gateway that DHCP shows to be no virtual router."""
    for one in view.exchanges(PasswordExchange):
        served = one.answer is not None and one.answer.message.generation is not Generation.FOREIGN
        if not served or (one.answer is not None and one.answer.message.kind is AnswerKind.HTML):
            lease = _foreign_gateway(view, one.client, one.server, one.request.ts_ns)
            if lease and one.client and one.server and one.ended is not Ended.OPEN:
                yield one.client, one.server, lease, one.request.frames, "password request to the gateway"
    for tries in (*refused(view, (PORT,)), *syn_dead(view, (PORT,))):
        lease = _foreign_gateway(view, tries.client, tries.server, tries.first_ns)
        if lease:
            yield tries.client, tries.server, lease, tries.frames, f"SYN to {PORT} of the gateway, in vain"


def _foreign_gateway(view: View, client: str | None, server: str | None, ts_ns: int) -> Lease | None:
    """The client's lease when ``server`` is its gateway and no known router."""
    lease = foreign_gateway(view, client, server, ts_ns)
    return None if lease is None or server is None or why_router(view, server) else lease


RULE = Rule(
    code="PWD004",
    name="asked-gateway-not-vr",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.ERROR,
    check=check,
)
