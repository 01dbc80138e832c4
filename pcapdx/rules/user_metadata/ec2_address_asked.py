"""META007 ec2-address-asked: the guest asks 169.254.169.254, where no CloudStack router answers.

What it does
------------
Finds three or more unanswered tries (SYN, or ARP on the link) for EC2's metadata address. It is a warning where no
request to the router follows within two minutes.

Why it matters
--------------
An image that knows only EC2's address never finds CloudStack's data.

Common causes
-------------
The image's list of data sources lacks CloudStack.

What else it could be
---------------------
An image that probes several clouds and then finds the router: a remark.

Next steps
----------
Set datasource_list in the template.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import arp_dead
from pcapdx.rules.definitions.syn_dead import syn_dead
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, times
from pcapdx.rules.user_metadata.asked import EC2_ADDRESS, requests

FOLLOWS_WITHIN = 120 * SECOND


def check(view: View) -> Iterator[Finding]:
    """One finding a guest."""
    for mac, ip, vlan, frames, first_ns, last_ns in _tries(view):
        later = [one for one in requests(view) if one.flow.originator.mac == mac and one.request.ts_ns >= first_ns]
        alone = not later and view.remains_ns(first_ns) >= FOLLOWS_WITHIN
        yield RULE.finding(
            subject=Subject(mac=mac, vlan=vlan, ip=ip),
            severity=Severity.WARNING if alone else Severity.INFO,
            summary=f"{ip} asked {EC2_ADDRESS} for metadata {times(len(frames))} in vain"
            + (" and never asks the virtual router." if alone else "."),
            evidence=(cite(view, frames, f"tries for {EC2_ADDRESS}; no answer"),),
            filter=f"ip.dst == {EC2_ADDRESS} || arp.dst.proto_ipv4 == {EC2_ADDRESS}",
            first_ns=first_ns,
            last_ns=last_ns,
            alternatives=()
            if alone
            else ("an image that probes several clouds; CloudStack's routers do not serve it",),
            next_steps=(
                NextStep(
                    where=f"guest {ip}",
                    command="grep -rn datasource_list /etc/cloud/",
                    meaning="CloudStack must be in the list (datasource_list: [CloudStack, ConfigDrive, None])",
                ),
            ),
        )


def _tries(view: View) -> Iterator[tuple[str, str, int, tuple[int, ...], int, int]]:
    """(MAC, address, VLAN, frames, first, last) of guests that ask EC2's address in vain, by SYN or by ARP."""
    told: set[str] = set()
    for tries in syn_dead(view, (80,)):
        if tries.server == EC2_ADDRESS and tries.client_mac and tries.client_mac not in told:
            told.add(tries.client_mac)
            yield tries.client_mac, tries.client, tries.vlan, tries.frames, tries.first_ns, tries.last_ns
    for dead in arp_dead(view):
        if dead.target_ip == EC2_ADDRESS and dead.asker_mac not in told:
            told.add(dead.asker_mac)
            yield dead.asker_mac, dead.asker_ip, dead.vlan, dead.frames, dead.first_ns, dead.last_ns


RULE = Rule(
    code="META007",
    name="ec2-address-asked",
    topic=Topic.USER_METADATA,
    severity=Severity.INFO,
    check=check,
    explains=("META011",),
)
