"""META013 crawl-complete: the guest got its metadata.

What it does
------------
Proves that a guest got its instance-id and the list of keys, and an answer about its user-data.

Why it matters
--------------
It clears the router's metadata service for this guest; what goes wrong after that is inside the guest.
"""

from collections.abc import Iterator

from dissectors.metadata import MetadataExchange, MetadataKind
from pcapdx.case import View
from pcapdx.model import Proof, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.user_metadata.asked import asks_foreign_gateway, requests, subject


def check(view: View) -> Iterator[Proof]:
    """One proof a client and server."""
    groups: dict[tuple[str | None, str | None], list[MetadataExchange]] = {}
    for one in requests(view):
        if not asks_foreign_gateway(view, one):
            groups.setdefault((one.client, one.server), []).append(one)
    for (client, server), exchanges in groups.items():
        served = [one for one in exchanges if one.answer is not None and one.answer.message.status == 200]
        keys = {one.request.message.key for one in served}
        listing = any(one.request.message.kind is MetadataKind.LISTING for one in served)
        user_data = any(
            one.request.message.kind is MetadataKind.USER_DATA
            and one.answer is not None
            and one.answer.message.status in (200, 404)
            and (one.answer.message.complete or one.answer.message.status == 404)
            for one in exchanges
        )
        if "instance-id" not in keys or not listing or not user_data:
            continue
        asked = {one.request.message.key or one.request.message.path for one in exchanges}
        frames = [number for one in served for number in (one.request.number, one.answer.number if one.answer else 0)]
        yield RULE.proof(
            subject=subject(served[0]),
            summary=f"metadata served to {client} by {server}, {len(keys)} of {len(asked)} keys",
            evidence=(cite(view, frames, "instance-id, list of keys, keys and user-data answered"),),
            filter=f"http && ip.addr == {client} && ip.addr == {server}",
            first_ns=exchanges[0].request.ts_ns,
            last_ns=exchanges[-1].request.ts_ns,
        )


RULE = Rule(code="META013", name="crawl-complete", topic=Topic.USER_METADATA, severity=None, check=check)
