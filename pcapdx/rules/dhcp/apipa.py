"""DHCP022 apipa: a client gave up and took a link-local address.

What it does
------------
Finds a client that, after its DISCOVERs went unanswered, uses an address of 169.254.0.0/16.

Why it matters
--------------
The guest looks "up" with an address that reaches nobody.

Common causes
-------------
No answer to DHCP: see the finding that explains this one.

What else it could be
---------------------
Control NICs of system VMs, which have such an address by design and ask no DHCP. A network of type L2, by the profile,
in which nobody is meant to answer.

Next steps
----------
Mend DHCP; the guest tries again by itself every few minutes.
"""

from collections.abc import Iterator

from dissectors.dhcp import DhcpExchange
from pcapdx.case import View
from pcapdx.model import Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import is_control
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.dhcp import steps
from pcapdx.rules.dhcp.asking import without_dhcp


def check(view: View) -> Iterator[Finding]:
    """One finding a client."""
    asked: dict[str, int] = {}
    answered: set[str] = set()
    for one in view.exchanges(DhcpExchange):
        asked[one.chaddr] = asked.get(one.chaddr, 0) + len(one.discovers)
        if one.answered:
            answered.add(one.chaddr)
    told: set[str] = set()
    for bound in view.bindings:
        mac = bound.mac
        if not bound.ip.startswith("169.254.") or is_control(mac) or mac in answered or mac in told:
            continue
        if asked.get(mac, 0) < REPETITION or without_dhcp(view, bound.vlan, bound.segment):
            continue
        told.add(mac)
        yield RULE.finding(
            subject=Subject(mac=mac, vlan=bound.vlan),
            summary=f"{mac} found no DHCP server and took {bound.ip}.",
            evidence=(cite(view, (bound.first_frame, bound.last_frame), f"{bound.ip} in use after the DISCOVERs"),),
            filter=f"eth.src == {mac} && arp.src.proto_ipv4 == {bound.ip}",
            first_ns=bound.first_ns,
            next_steps=(steps.router_log(mac),),
        )


RULE = Rule(code="DHCP022", name="apipa", topic=Topic.DHCP, severity=Severity.WARNING, check=check)
