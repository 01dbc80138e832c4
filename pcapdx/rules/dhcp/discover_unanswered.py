"""DHCP001 discover-unanswered: a client asks for an address and nobody answers.

What it does
------------
Finds a client whose DISCOVERs (three or more over ten seconds; two with less confidence) got no OFFER, ACK or NAK
within five seconds, where no other client in the same VLAN was served either, or none since two or more ask.

Why it matters
--------------
Without a lease an instance has no address, no password, no metadata and no console worth the name.

Common causes
-------------
The virtual router is stopped or its dnsmasq is down; the VLAN does not reach the router's host; the switch or the
hypervisor drops the request; the network has no DHCP service.

What else it could be
---------------------
A capture that ended too early, shows one direction only or was taken where answers do not pass; a network of type L2,
which has no DHCP by design.

Next steps
----------
Look for the same DISCOVER on the router's side; there, look at dnsmasq and its log.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite, duration, in_vlan, times
from pcapdx.rules.dhcp import steps
from pcapdx.rules.dhcp.asking import Unanswered, unanswered, without_dhcp
from pcapdx.rules.dhcp.client_unknown_to_vr import died


def check(view: View) -> Iterator[Finding]:
    """One finding a client."""
    for one in unanswered(view):
        stopped = died(view, one)
        if (one.others_served and not stopped) or without_dhcp(view, one.vlan, one.segment):
            continue
        yield RULE.finding(
            subject=Subject(mac=one.mac, vlan=one.vlan),
            severity=one.severity,
            confidence=one.confidence,
            summary=(
                f"{one.mac} asked for an address {times(len(one.discovers))} in {duration(one.last_ns - one.first_ns)} "
                f"({in_vlan(one.vlan)}) and nobody answered"
                + (f", as {one.in_vain - 1} more since the server's last answer." if stopped else ".")
            ),
            evidence=(
                cite(view, one.frames, one.what),
                *((cite(view, _last_answer(one), "the last answer to anybody"),) if stopped else ()),
            ),
            filter=f"dhcp.hw.mac_addr == {one.mac}",
            first_ns=one.first_ns,
            last_ns=one.last_ns,
            alternatives=(
                "the request never reached the router: capture on this host's uplink and in the router at once",
                "the server is there and knows none of those who ask now"
                if stopped
                else "the network has no DHCP service of CloudStack's (type L2, or the service is off in its offering)",
            ),
            limits=one.limits,
            next_steps=(
                steps.router_log(one.mac),
                NextStep(
                    where="host of the virtual router",
                    command=f"tcpdump -enni any 'ether host {one.mac} or (vlan and ether host {one.mac})'",
                    meaning="no frame here: the VLAN or the path between the hosts loses it",
                ),
            ),
        )


def _last_answer(one: Unanswered) -> tuple[int, ...]:
    return (max((other.server_messages[-1] for other in one.others_served), key=lambda seen: seen.ts_ns).number,)


RULE = Rule(
    code="DHCP001",
    name="discover-unanswered",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check,
    explains=("DHCP022", "PWD011", "META007", "META011", "TMPL013"),
)
