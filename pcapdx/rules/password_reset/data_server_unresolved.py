"""PWD018 data-server-unresolved: DNS does not know the router's own name.

What it does
------------
Finds queries for data-server that were answered with NXDOMAIN or an error.

Why it matters
--------------
cloud-init asks for data-server first; where it is unknown it falls back to the lease, which on redundant routers may
name an address that does not serve passwords.

Common causes
-------------
The guest uses an external resolver (the network's DNS was set so); the router's hosts entry is missing (issues 12107,
12161).

What else it could be
---------------------
External DNS by design: then the fall-back works, and this is only a remark.

Next steps
----------
Compare option 6 of the lease with the router's address.
"""

from collections.abc import Iterator

from dissectors.dns import DnsExchange
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.servers import is_data_server
from pcapdx.rules.definitions.wording import cite

NXDOMAIN = 3


def check(view: View) -> Iterator[Finding]:
    """One finding a client and resolver, unless another of its queries for the name was answered."""
    failed: dict[tuple[str, str], list[DnsExchange]] = {}
    resolved: set[str] = set()
    for one in view.exchanges(DnsExchange):
        if not is_data_server(one.name) or one.answer is None:
            continue
        if one.addresses:
            resolved.add(one.client)
        elif one.rcode:
            failed.setdefault((one.client, one.server), []).append(one)
    for (client, server), queries in failed.items():
        if client in resolved:
            continue
        first = queries[0]
        frames = [
            number for one in queries for number in (*one.queries[0].frames, *(one.answer.frames if one.answer else ()))
        ]
        what = "NXDOMAIN" if first.rcode == NXDOMAIN else f"rcode {first.rcode}"
        yield RULE.finding(
            subject=Subject(mac=first.queries[0].frame.eth_src, vlan=first.vlan, ip=client),
            summary=f"{client} asked {server} for data-server, and the name is not known there ({what}).",
            evidence=(cite(view, frames, f"query for {first.name}, answer {what}"),),
            filter='dns.qry.name contains "data-server"',
            first_ns=first.queries[0].ts_ns,
            alternatives=("the network uses external DNS by design; cloud-init then takes the DHCP server instead",),
            next_steps=(
                NextStep(
                    where="virtual router",
                    command="grep data-server /etc/hosts; grep -E 'dhcp-option.*,6' /etc/dnsmasq.d/cloud.conf",
                    meaning="the entry must be there, and option 6 must name the router first",
                ),
            ),
        )


RULE = Rule(
    code="PWD018",
    name="data-server-unresolved",
    known=(12161,),
    topic=Topic.PASSWORD_RESET,
    severity=Severity.INFO,
    check=check,
    explains=(),
)
