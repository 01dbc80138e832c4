"""SG011 administratively-prohibited: a connection is refused by ICMP, and the sender tells by whom.

What it does
------------
Reads ICMP errors that refuse a connection by policy ("administratively prohibited", or "port unreachable" in answer to
TCP, which no TCP stack sends by itself), and says who sent them: the target, or a router on the way.

Why it matters
--------------
Security groups drop without a word. Who answers is another filter, and names itself.

Common causes
-------------
A host firewall that rejects (firewalld, ufw); an access list of a router.

What else it could be
---------------------
Policy, as it is meant.

Next steps
----------
Look at the firewall of the sender of the ICMP error.
"""

from collections.abc import Iterator, Sequence

from dissectors.icmp import Icmp
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.flowtable import TCP
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite, listed, times


def check(view: View) -> Iterator[Finding]:
    """One finding a client, target and refuser."""
    grouped: dict[tuple[int, str, str, str | None], list[Seen[Icmp]]] = {}
    for one in view.messages(Icmp):
        quoted = one.message.quoted
        if quoted is None or one.frame.dst != quoted.src:
            continue
        if one.message.prohibited or (one.message.port_unreachable and quoted.protocol == TCP):
            grouped.setdefault((one.frame.vlan, quoted.src, quoted.dst, one.frame.src), []).append(one)
    for (vlan, client, server, refuser), errors in grouped.items():
        if refuser is not None:
            yield _finding(view, vlan, client, server, refuser, errors)


def _finding(view: View, vlan: int, client: str, server: str, refuser: str, errors: Sequence[Seen[Icmp]]) -> Finding:
    itself = refuser == server
    who = "the target itself" if itself else f"{refuser}, a router or firewall on the way"
    ports = sorted({one.message.quoted.dport for one in errors if one.message.quoted and one.message.quoted.dport})
    what = f"port {listed(ports[:4])} of {server}" if ports else server
    first = errors[0]
    return RULE.finding(
        subject=Subject(
            mac=first.frame.eth_dst, vlan=vlan, ip=client, server=server, port=ports[0] if len(ports) == 1 else None
        ),
        summary=f"{client} is refused {what} {times(len(errors))} by {who}, by ICMP; security groups drop silently.",
        evidence=(cite(view, (one.number for one in errors), f"ICMP error, code {first.message.code}, of {refuser}"),),
        filter=f"icmp && ip.src == {refuser}" if ":" not in refuser else f"icmpv6 && ipv6.src == {refuser}",
        first_ns=first.ts_ns,
        last_ns=errors[-1].ts_ns,
        alternatives=("this policy is meant",),
        next_steps=(
            NextStep(
                where=refuser,
                command="nft list ruleset; firewall-cmd --list-all"
                if itself
                else "nft list ruleset; show access-lists",
                meaning=f"the rule that rejects {what}",
            ),
        ),
    )


RULE = Rule(
    code="SG011",
    name="administratively-prohibited",
    topic=Topic.SECURITY_GROUPS,
    severity=Severity.INFO,
    check=check,
)
