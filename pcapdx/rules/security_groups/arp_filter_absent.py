"""SG008 arp-filter-absent: ARP for other addresses reaches a guest that security groups should keep it from.

What it does
------------
In a zone with security groups (the site profile says so), at one guest's tap, finds ten ARP requests or more of others
for three addresses or more that are not the guest's.

Why it matters
--------------
CloudStack's filter lets only requests for the guest's own addresses through to it. Where it does not, the rest of the
filter is likely not there either: the guest is open, and may use any address.

Common causes
-------------
br_netfilter is not loaded, ebtables fails (iptables-nft mixed with legacy), the rules were not written when the guest
started (issues 3057, 4351, 9579), or another program emptied the tables.

What else it could be
---------------------
Open vSwitch, or a network whose offering has no security groups: there nothing is filtered so.

Next steps
----------
Look for the guest's chains in ebtables.
"""

from collections.abc import Iterator

from dissectors.arp import Arp
from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, listed
from pcapdx.rules.templates.guests import own_guest

REQUESTS = 10


def check(view: View) -> Iterator[Finding]:
    """One finding at most."""
    guest = own_guest(view)
    if guest is None or not guest.ip or not view.site.security_groups:
        return
    own = {guest.ip, *guest.secondary_ips}
    used = {one.ip for one in view.bindings if one.mac == guest.mac}
    passed = [
        one
        for one in view.messages(Arp)
        if one.message.request
        and not one.message.gratuitous
        and one.frame.eth_src != guest.mac
        and one.message.target_ip not in own | used
    ]
    targets = sorted({one.message.target_ip or "?" for one in passed})
    if len(passed) < REQUESTS or len(targets) < REPETITION:
        return
    name = guest.name or guest.mac
    yield RULE.finding(
        subject=Subject(mac=guest.mac),
        confidence=Confidence.LIKELY,
        summary=(
            f"ARP requests for {listed(targets[:4])} reach {name} ({guest.ip}): the filter of its security group is "
            "not in place."
        ),
        evidence=(cite(view, (one.number for one in passed), f"requests for others, at the interface of {name}"),),
        filter=f"arp.opcode == 1 && arp.dst.proto_ipv4 != {guest.ip}",
        first_ns=passed[0].ts_ns,
        last_ns=passed[-1].ts_ns,
        alternatives=("the network has no security groups, or its bridge is Open vSwitch",),
        next_steps=(
            NextStep(
                where="this host",
                command="ebtables -t nat -L | grep -A8 'i-.*-VM'; lsmod | grep br_netfilter",
                meaning="no chain for this instance: its rules were not written; no module: none of them work",
            ),
            NextStep(
                where="this host",
                command="/usr/share/cloudstack-common/scripts/vm/network/security_group.py get_rule_logs_for_vms",
                meaning="the rules as the agent knows them; restart the agent, or stop and start the instance",
            ),
        ),
    )


RULE = Rule(
    code="SG008",
    name="arp-filter-absent",
    topic=Topic.SECURITY_GROUPS,
    severity=Severity.WARNING,
    check=check,
)
