"""META008 other-ips-data: the router gives a guest the data of another.

What it does
------------
Compares what the router says the guest's address (local-ipv4) and name are with the address that asks and with the
profile.

Why it matters
--------------
The guest takes another's name, keys and user-data: it may run another's start-up script.

Common causes
-------------
The address was given to a new instance before the router was told.

What else it could be
---------------------
NAT between guest and router; instance-id is a name or a UUID by version, and both are accepted.

Next steps
----------
Restart the network with clean-up, or stop and start the instance.
"""

from collections.abc import Iterator

from dissectors.metadata import MetadataExchange
from pcapdx.case import View
from pcapdx.model import Finding, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.user_metadata.asked import management, requests, stored, subject


def check(view: View) -> Iterator[Finding]:
    """One finding a client and server."""
    told: set[tuple[str | None, str | None]] = set()
    for one in requests(view):
        wrong = _contradiction(view, one)
        if wrong is None or (one.client, one.server) in told or one.answer is None:
            continue
        told.add((one.client, one.server))
        yield RULE.finding(
            subject=subject(one),
            summary=f"{one.server} gives {one.client} the data of another guest: {wrong}.",
            evidence=(cite(view, (one.request.number, *one.answer.frames), wrong),),
            filter=f"http && ip.addr == {one.client} && ip.addr == {one.server}",
            first_ns=one.request.ts_ns,
            next_steps=(stored(one.client), management(one.client)),
        )


def _contradiction(view: View, one: MetadataExchange) -> str | None:
    answer = one.answer.message if one.answer else None
    if answer is None or answer.status != 200 or not answer.text or not answer.complete:
        return None
    key = one.request.message.key
    if key == "local-ipv4" and answer.text.count(".") == 3 and answer.text != one.client:
        return f"it says that the guest's address is {answer.text}"
    guest = view.site.guest_of(one.flow.originator.mac)
    if key == "local-hostname" and guest is not None and guest.name and answer.text.split(".")[0] != guest.name:
        return f"it says that the guest is {answer.text}, and the profile knows it as {guest.name}"
    return None


RULE = Rule(
    code="META008",
    name="other-ips-data",
    topic=Topic.USER_METADATA,
    severity=Severity.ERROR,
    check=check,
)
