"""VLAN016 dhcp-or-arp-filtered-by-switch: the switch drops what a DHCP server sends and passes all else.

What it does
------------
With two captures along the path: finds OFFERs that are at the server's point and never at the client's, three or more,
while ARP and ICMP of the same server are at both.

Why it matters
--------------
Everything looks well between the two, but no guest gets an address.

Common causes
-------------
DHCP snooping that does not trust the port of the virtual router's host; a filter on UDP port 67.

What else it could be
---------------------
Security groups act behind the client's uplink and are not the cause of what never came to it.

Next steps
----------
Ask the switch for its snooping counters.
"""

from collections.abc import Iterator
from itertools import combinations

from dissectors.dhcp import Dhcp, DhcpType
from pcapdx.case import Case
from pcapdx.model import Evidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import OTHERS, alive, lost_dhcp, pass_both, ports
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, in_vlan, times


def check(case: Case) -> Iterator[Finding]:
    """One finding a client and pair of points."""
    for near, far in combinations(case.views, 2):
        for mac, lost in lost_dhcp(far, near, DhcpType.OFFER).items():
            server, vlan = lost[0].frame.eth_src, lost[0].frame.vlan
            asked = any(one.message.chaddr == mac for one in near.messages(Dhcp))
            if len(lost) < REPETITION or not asked or pass_both(near, far, server) < OTHERS:
                continue
            yield RULE.finding(
                subject=Subject(mac=mac, vlan=vlan),
                summary=(
                    f"The switch between {far.name} and {near.name} drops DHCP answers "
                    f"({in_vlan(vlan)}): the OFFERs to "
                    f"{mac} leave {far.name} {times(len(lost))} and never arrive, while ARP and ping of {server} pass."
                ),
                evidence=(
                    cite(far, (one.number for one in lost), f"OFFER to {mac} at {far.name}"),
                    Evidence(capture=near.name, frames=(), what=f"no OFFER to {mac}; {alive(near)}"),
                ),
                filter=f"dhcp.hw.mac_addr == {mac} && dhcp.option.dhcp == 2",
                first_ns=lost[0].ts_ns,
                last_ns=lost[-1].ts_ns,
                next_steps=(
                    NextStep(
                        where=f"switch between {near.name} and {far.name}",
                        command="show ip dhcp snooping; show ip dhcp snooping statistics",
                        meaning=f"the port of {far.name} must be trusted where snooping is on",
                    ),
                    ports(near, far, vlan),
                ),
            )


RULE = Rule(
    code="VLAN016",
    name="dhcp-or-arp-filtered-by-switch",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.ERROR,
    check_path=check,
    explains=("DHCP001", "DHCP008", "DHCP022", "META011", "PWD011"),
)
