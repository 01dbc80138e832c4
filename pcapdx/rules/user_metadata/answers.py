"""META003 no-data-for-this-ip, META004 forbidden, META005 server-error, META006 optional-key-missing: what the router
says.

What it does
------------
Reads the status of the answers: two mandatory keys not found (META003), 403 (META004), 5xx (META005), or 404 for
optional keys only (META006, a remark).

Why it matters
--------------
The router answers by the address that asks: without data for it the guest learns neither its name nor its keys.

Common causes
-------------
CloudStack could not program the data, the router was rebuilt without it, the guest asks from another address; a broken
or foreign access file in the folder.

What else it could be
---------------------
Probes for other clouds, which are always 404 and not counted; a proxy on the way, which names itself in Via; the web
server of a guest, or one that is no Apache on a machine that nothing else shows to be a router of CloudStack's.

Next steps
----------
Look into the router's folder for exactly the address that asked.
"""

from collections.abc import Callable, Iterator, Sequence

from dissectors.metadata import MetadataExchange, MetadataKind
from pcapdx.case import View
from pcapdx.model import Finding, Severity, Topic
from pcapdx.rule import Particulars, Rule
from pcapdx.rules.definitions.wording import cite, listed
from pcapdx.rules.user_metadata.asked import (
    apache,
    asks_foreign_gateway,
    is_routers,
    management,
    requests,
    stored,
    subject,
)

NEEDED = (MetadataKind.MANDATORY, MetadataKind.LISTING)


def grouped(
    view: View, wanted: Callable[[MetadataExchange, int], bool]
) -> Iterator[tuple[str | None, str | None, list[MetadataExchange]]]:
    """(client, server, exchanges) of answers that are wanted by exchange and status."""
    groups: dict[tuple[str | None, str | None], list[MetadataExchange]] = {}
    for one in requests(view):
        if one.answer is None or asks_foreign_gateway(view, one):
            continue
        if not _may_be_routers(one.answer.message.servers) and not is_routers(view, one):
            continue
        if wanted(one, one.answer.message.status):
            groups.setdefault((one.client, one.server), []).append(one)
    for (client, server), exchanges in groups.items():
        yield client, server, exchanges


def _may_be_routers(names: Sequence[str]) -> bool:
    """Whether the Server headers are those of Apache, as on a router, or hidden."""
    return not names or any("apache" in name.lower() for name in names)


def _served(view: View, client: str | None, server: str | None) -> list[MetadataExchange]:
    """Mandatory keys that this client did get from this server."""
    return [
        one
        for one in requests(view)
        if (one.client, one.server) == (client, server)
        and one.request.message.kind in NEEDED
        and one.answer is not None
        and one.answer.message.status == 200
    ]


def check_no_data(view: View) -> Iterator[Finding]:
    """META003: one finding a client and server."""
    for client, server, found in grouped(
        view, lambda one, status: status == 404 and one.request.message.kind in NEEDED
    ):
        keys = sorted({one.request.message.key or one.request.message.path for one in found})
        if len(keys) < 2 or _served(view, client, server):
            continue
        yield NO_DATA.finding(
            summary=f"{server} has no metadata for {client}: {listed(keys[:4])} are not found (404).",
            **_particulars(view, found, "404 for a key that every guest has"),
            alternatives=("the guest asks from an address that is not the one CloudStack gave it",),
            next_steps=(stored(client), management(client)),
        )


def check_forbidden(view: View) -> Iterator[Finding]:
    """META004: one finding a client and server."""
    for client, server, found in grouped(view, lambda one, status: status == 403):
        yield FORBIDDEN.finding(
            summary=f"{server} forbids {client} its own metadata (403).",
            **_particulars(view, found, "403 for a metadata path"),
            alternatives=("the request's source address is changed on the way, so it asks for another guest's folder",),
            next_steps=(stored(client), apache(server)),
        )


def check_error(view: View) -> Iterator[Finding]:
    """META005: one finding a client and server, unless a proxy names itself."""
    for client, server, found in grouped(view, lambda one, status: status >= 500):
        if any(one.answer is not None and one.answer.message.via for one in found):
            continue
        statuses = sorted({one.answer.message.status for one in found if one.answer})
        yield ERROR.finding(
            summary=f"{server} fails on {client}'s requests for metadata (status {listed(statuses)}).",
            **_particulars(view, found, f"status {listed(statuses)} for a metadata path"),
            next_steps=(apache(server), stored(client)),
        )


def check_optional(view: View) -> Iterator[Finding]:
    """META006: one finding a client and server, where the mandatory keys are there."""
    optional = (MetadataKind.OPTIONAL, MetadataKind.USER_DATA)
    for client, server, found in grouped(
        view, lambda one, status: status == 404 and one.request.message.kind in optional
    ):
        if not _served(view, client, server):
            continue
        keys = sorted({one.request.message.key or one.request.message.path for one in found})
        yield OPTIONAL.finding(
            summary=f"{server} has no {listed(keys[:4], 'and no')} for {client}; that is optional.",
            **_particulars(view, found, "404 for an optional key"),
        )


def _particulars(view: View, found: list[MetadataExchange], what: str) -> Particulars:
    first = found[0]
    frames = [n for one in found for n in (one.request.number, *(one.answer.frames[-1:] if one.answer else ()))]
    return Particulars(
        subject=subject(first),
        evidence=(cite(view, frames, what),),
        filter=f"http && ip.addr == {first.client} && ip.addr == {first.server}",
        first_ns=first.request.ts_ns,
        last_ns=found[-1].request.ts_ns,
    )


NO_DATA = Rule(
    code="META003",
    name="no-data-for-this-ip",
    topic=Topic.USER_METADATA,
    severity=Severity.ERROR,
    check=check_no_data,
    explains=("META011", "META006"),
)
FORBIDDEN = Rule(
    code="META004",
    name="forbidden",
    topic=Topic.USER_METADATA,
    severity=Severity.ERROR,
    check=check_forbidden,
    explains=("META011",),
)
ERROR = Rule(
    code="META005",
    name="server-error",
    topic=Topic.USER_METADATA,
    severity=Severity.ERROR,
    check=check_error,
    explains=("META011",),
)
OPTIONAL = Rule(
    code="META006",
    name="optional-key-missing",
    topic=Topic.USER_METADATA,
    severity=Severity.INFO,
    check=check_optional,
)
