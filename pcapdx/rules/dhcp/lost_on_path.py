"""DHCP006 discover-lost-on-path, DHCP007 offer-lost-on-path: between two captures the messages vanish.

What it does
------------
With two captures along the path: finds a client whose DISCOVERs are at the first point and not at the second (DHCP006),
or whose OFFERs are at the second point and not at the first (DHCP007).

Why it matters
--------------
It names the segment: between these two points.

Common causes
-------------
The VLAN is not carried between the hosts; VXLAN port or VNI differ; a filter on one of the hosts.

What else it could be
---------------------
Captures that do not cover the same time: only messages well inside both are judged. A filter of one capture that hides
them: then nothing is said.

Next steps
----------
Look at the switch ports between the two points.
"""

from collections.abc import Iterator
from itertools import combinations

from dissectors.dhcp import Dhcp, DhcpType
from pcapdx.case import Case
from pcapdx.model import Evidence, Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import OTHERS, TRIES, alive, lost_dhcp, pass_both, ports, seen_at
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, times


def check_discover(case: Case) -> Iterator[Finding]:
    """DHCP006: one finding a client and pair of points."""
    for near, far in combinations(case.views, 2):
        for mac, lost in lost_dhcp(near, far, DhcpType.DISCOVER).items():
            if len(lost) < TRIES or seen_at(far, mac):
                continue
            yield DISCOVER.finding(
                subject=Subject(mac=mac),
                summary=(
                    f"{mac} asked for an address {times(len(lost))} at {near.name}, and none of its DISCOVERs reached "
                    f"{far.name}."
                ),
                evidence=(
                    cite(near, (one.number for one in lost), f"DISCOVER of {mac} at {near.name}"),
                    Evidence(capture=far.name, frames=(), what=f"no frame of {mac}; {alive(far)}"),
                ),
                filter=f"dhcp.hw.mac_addr == {mac}",
                first_ns=lost[0].ts_ns,
                last_ns=lost[-1].ts_ns,
                next_steps=(ports(near, far, lost[0].frame.vlan),),
            )


def check_offer(case: Case) -> Iterator[Finding]:
    """DHCP007: one finding a client and pair of points, where no filter on the way is proven (that is VLAN016)."""
    for near, far in combinations(case.views, 2):
        for mac, lost in lost_dhcp(far, near, DhcpType.OFFER).items():
            asked = any(one.message.chaddr == mac for one in near.messages(Dhcp))
            filtered = len(lost) >= REPETITION and pass_both(near, far, lost[0].frame.eth_src) >= OTHERS
            if len(lost) < TRIES or not asked or filtered:
                continue
            yield OFFER.finding(
                subject=Subject(mac=mac, server=lost[0].message.server_id),
                summary=f"The OFFERs to {mac} leave {far.name} {times(len(lost))} and never reach {near.name}.",
                evidence=(
                    cite(far, (one.number for one in lost), f"OFFER to {mac} at {far.name}"),
                    Evidence(capture=near.name, frames=(), what=f"no OFFER to {mac}; {alive(near)}"),
                ),
                filter=f"dhcp.hw.mac_addr == {mac} && dhcp.option.dhcp == 2",
                first_ns=lost[0].ts_ns,
                last_ns=lost[-1].ts_ns,
                alternatives=("the unicast reply takes another port of the host than the one captured",),
                next_steps=(ports(near, far, lost[0].frame.vlan),),
            )


DISCOVER = Rule(
    code="DHCP006",
    name="discover-lost-on-path",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check_path=check_discover,
    explains=("DHCP001", "DHCP008", "DHCP022", "META011", "PWD011"),
)
OFFER = Rule(
    code="DHCP007",
    name="offer-lost-on-path",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check_path=check_offer,
    explains=("DHCP001", "DHCP008", "DHCP022", "META011", "PWD011"),
)
