"""META001 refused, META002 timeout: the router's port 80 refuses or stays silent.

What it does
------------
Finds a guest whose connections to port 80 of its router are refused twice or more, or get no answer although the router
answers DHCP, DNS or ARP.

Why it matters
--------------
cloud-init waits two minutes and gives up: no user-data, no SSH key, no host name, and as a rule no password.

Common causes
-------------
Apache on the router is down or not bound to this address; the input rules of the router admit port 80 only from the
guest CIDR; the network has no user-data service.

What else it could be
---------------------
A web server of the operator's on an address that is no router: only addresses known as a router's are judged.

Next steps
----------
See on the router who listens on port 80, and what its INPUT chain counts.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Topic
from pcapdx.model import Subject as Who
from pcapdx.rule import Particulars, Rule
from pcapdx.rules.definitions.arp_dead import speaks
from pcapdx.rules.definitions.servers import why_router
from pcapdx.rules.definitions.syn_dead import Tries, refused, syn_dead
from pcapdx.rules.definitions.wording import cite, duration, times
from pcapdx.rules.user_metadata import PORT
from pcapdx.rules.user_metadata.asked import apache


def check_refused(view: View) -> Iterator[Finding]:
    """META001: one finding a client and server."""
    for tries in refused(view, (PORT,), at_least=2):
        if why_router(view, tries.server):
            yield REFUSED.finding(
                summary=(
                    f"{tries.client} asked {tries.server} for metadata and was refused {times(len(tries.flows))} "
                    f"(RST from port {PORT})."
                ),
                **_particulars(view, tries, "SYN to 80, answered by RST"),
                alternatives=("the network's offering has no user-data service: then a refusal is right",),
                next_steps=(apache(tries.server),),
            )


def check_silent(view: View) -> Iterator[Finding]:
    """META002: one finding a client and server."""
    for tries in syn_dead(view, (PORT,)):
        if not why_router(view, tries.server) or not speaks(view, tries.server, tries.vlan, None, view.first_ns):
            continue
        yield SILENT.finding(
            summary=(
                f"{tries.client} tried port {PORT} of {tries.server} {times(tries.count)} in "
                f"{duration(tries.last_ns - tries.first_ns)} for metadata and got no answer."
            ),
            **_particulars(view, tries, "SYN to 80; nothing comes back"),
            alternatives=("the SYN is dropped before it reaches the router: compare with a capture in the router",),
            next_steps=(
                NextStep(
                    where="virtual router",
                    command="iptables -L INPUT -vn | grep -E 'dpt:80|DROP'; ip -4 addr show",
                    meaning=f"{tries.client} must lie inside the source range of the rule for 80; else it is dropped",
                ),
                apache(tries.server),
            ),
        )


def _particulars(view: View, tries: Tries, what: str) -> Particulars:
    return Particulars(
        subject=Who(mac=tries.client_mac, vlan=tries.vlan, ip=tries.client, server=tries.server, port=PORT),
        evidence=(cite(view, tries.frames, what),),
        filter=f"tcp.port == {PORT} && ip.addr == {tries.client} && ip.addr == {tries.server}",
        first_ns=tries.first_ns,
        last_ns=tries.last_ns,
    )


REFUSED = Rule(
    code="META001",
    name="refused",
    topic=Topic.USER_METADATA,
    severity=Severity.ERROR,
    check=check_refused,
    explains=("META011",),
)
SILENT = Rule(
    code="META002",
    name="timeout",
    topic=Topic.USER_METADATA,
    severity=Severity.ERROR,
    check=check_silent,
    explains=("META011",),
)
