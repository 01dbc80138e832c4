"""DHCP032 two-nics-one-network: two NICs of one instance ask for addresses in one network.

What it does
------------
Finds two MACs that, by the site profile, are NICs of one instance (two guests of one name), and that both ask for an
address in one broadcast domain.

Why it matters
--------------
CloudStack gives an instance one NIC a network. Two in one broadcast domain answer for each other's address, and replies
leave by the other NIC than requests came in: connections hang, filters drop.

Common causes
-------------
One of the two is in the wrong VLAN: its network's bridge or tag is that of the other; two networks share one VLAN.

What else it could be
---------------------
Two instances that were given one name in the profile.

Next steps
----------
Look which bridge each NIC is in.
"""

from collections.abc import Iterator

from dissectors.dhcp import DhcpExchange
from pcapdx.case import View
from pcapdx.frame import Segment
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite, in_vlan, listed
from pcapdx.vantage import Role


def check(view: View) -> Iterator[Finding]:
    """One finding an instance and broadcast domain."""
    if view.vantage.role is Role.ANY:
        return  # networks on one host are not told apart there
    asking: dict[tuple[Segment, str], dict[str, list[DhcpExchange]]] = {}
    for one in view.exchanges(DhcpExchange):
        guest = view.site.guest_of(one.chaddr)
        if guest is not None and guest.name and one.client_messages:
            asking.setdefault((one.segment, guest.name), {}).setdefault(one.chaddr, []).append(one)
    wire = view.vantage.role is not None and view.vantage.role.is_wire
    for (segment, name), by_mac in asking.items():
        # untagged at a NIC may be several VLANs whose tags a mirror or a recorder took off
        if len(by_mac) < 2 or (wire and not segment[0]) or (view.vantage.role is None and not segment[0]):
            continue
        exchanges = [one for every in by_mac.values() for one in every]
        macs = list(by_mac)
        yield RULE.finding(
            subject=Subject(vlan=segment[0], name=name),
            confidence=Confidence.LIKELY,
            summary=(
                f"{listed(macs[:4])} are NICs of {name}, and ask for addresses in one network ({in_vlan(segment[0])})."
            ),
            evidence=tuple(
                cite(view, (seen.number for one in every for seen in one.client_messages), f"DHCP of {mac}")
                for mac, every in list(by_mac.items())[:4]
            ),
            filter=" || ".join(f"dhcp.hw.mac_addr == {mac}" for mac in macs[:4]),
            first_ns=min(one.first_ns for one in exchanges),
            last_ns=max(one.last_ns for one in exchanges),
            alternatives=("two instances of one name",),
            next_steps=(
                NextStep(
                    where="this host",
                    command=f"virsh domiflist i-N-N-VM; bridge fdb show | grep -E '{'|'.join(macs[:2])}'",
                    meaning="each NIC must be in the bridge of its own network: two in one bridge is the fault",
                ),
                NextStep(
                    where="CloudStack API",
                    command=f"list virtualmachines name={name} (nic: networkid, macaddress, broadcasturi)",
                    meaning="the VLAN in which each NIC should be; equal ones: two networks have one VLAN",
                ),
            ),
        )


RULE = Rule(
    code="DHCP032",
    name="two-nics-one-network",
    topic=Topic.DHCP,
    severity=Severity.WARNING,
    check=check,
    explains=("TMPL008",),
)
