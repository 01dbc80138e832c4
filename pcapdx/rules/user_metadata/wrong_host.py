"""META012 wrong-host: the guest asks its gateway for metadata, and the gateway is no virtual router.

What it does
------------
Finds metadata requests to the gateway of a lease whose DHCP server is another machine.

Why it matters
--------------
In a shared network the gateway is a physical router: what it answers, if anything, is not CloudStack's data.

Common causes
-------------
A script or data source that takes the default gateway for the metadata server.

What else it could be
---------------------
The shared address of a redundant router pair: then the profile should name it.

Next steps
----------
Use the DHCP server identifier, or data-server.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import lease_at
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.user_metadata.asked import asks_foreign_gateway, requests, subject


def check(view: View) -> Iterator[Finding]:
    """One finding a client and gateway."""
    told: set[tuple[str | None, str | None]] = set()
    for one in requests(view):
        lease = lease_at(view, one.client, one.request.ts_ns)
        if lease is None or not asks_foreign_gateway(view, one) or (one.client, one.server) in told:
            continue
        told.add((one.client, one.server))
        known = view.site.network_of(one.client) is not None
        same = [other for other in requests(view) if (other.client, other.server) == (one.client, one.server)]
        yield RULE.finding(
            subject=subject(one),
            confidence=Confidence.CERTAIN if known else Confidence.LIKELY,
            severity=Severity.ERROR if known else Severity.WARNING,
            summary=f"{one.client} asks its gateway {one.server} for metadata; the virtual router is {lease.server}.",
            evidence=(
                cite(view, (other.request.number for other in same), f"metadata request to {one.server}"),
                cite(view, (lease.ack.number,), f"DHCP ACK: server identifier {lease.server}, router {one.server}"),
            ),
            filter=f"http && ip.addr == {one.client} && ip.addr == {one.server}",
            first_ns=one.request.ts_ns,
            alternatives=("the gateway is the shared address of a redundant router pair",),
            next_steps=(
                NextStep(
                    where=f"guest {one.client}",
                    command=f"curl -s http://{lease.server}/latest/meta-data/",
                    meaning="the list of keys: that is the server to ask",
                ),
            ),
        )


RULE = Rule(
    code="META012",
    name="wrong-host",
    topic=Topic.USER_METADATA,
    severity=Severity.ERROR,
    check=check,
    explains=("META003",),
)
