"""VLAN007 vlan-leak: broadcasts of one VLAN come out in another; two networks are joined.

What it does
------------
On a trunk, finds broadcasts (ARP with the same addresses, DHCP with the same transaction and client) of one source MAC
in two VLANs within 50 ms, three times or more.

Why it matters
--------------
Tenants that should be apart share a network: they see each other, take each other's DHCP answers, and fight for
addresses.

Common causes
-------------
A guest or appliance with a NIC in each VLAN that bridges them; a patch lead between two access ports; a switch port
with the wrong native VLAN.

What else it could be
---------------------
A transparent firewall that joins the two on purpose. A DHCP relay is not counted, nor a machine that alone speaks in
both (an anycast gateway of two tenants with one plan), nor a capture of all interfaces.

Next steps
----------
Find the port on which the switch learned the same MAC in both VLANs.
"""

from collections.abc import Iterator

from dissectors.arp import Arp
from dissectors.dhcp import Dhcp
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import BROADCAST_MAC, Frame
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.observable import tags_observable
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, listed, times
from pcapdx.vantage import Role

TOGETHER = 50_000_000
Key = tuple[object, ...]
Pair = tuple[Seen[object], Seen[object]]


def check(view: View) -> Iterator[Finding]:
    """One finding a pair of VLANs."""
    if view.vantage.role is Role.ANY or not tags_observable(view):
        return
    joined: dict[tuple[int, int], list[Pair]] = {}
    latest: dict[Key, dict[int, Seen[object]]] = {}
    for key, one in _broadcasts(view):
        here = one.frame.vlan
        by_vlan = latest.setdefault(key, {})
        for there, earlier in by_vlan.items():
            if there != here and one.ts_ns - earlier.ts_ns < TOGETHER:
                joined.setdefault((min(here, there), max(here, there)), []).append((earlier, one))
        by_vlan[here] = one
    leaks = {
        vlans: pairs
        for vlans, pairs in joined.items()
        if len(pairs) >= REPETITION and (len(crossing(view, *vlans)) > 1 or _by_dhcp(pairs))
    }
    for vlans, pairs in leaks.items():
        # a single leak explains whatever strange is in either VLAN; of several each explains its own
        yield _finding(view, vlans, pairs, Subject(name=names(*vlans)) if len(leaks) > 1 else Subject())


def _by_dhcp(pairs: list[Pair]) -> bool:
    """A client with a leg in each VLAN asks by two numbers, so that equal ones are of one request."""
    return any(isinstance(one.message, Dhcp) for _, one in pairs)


def crossing(view: View, low: int, high: int) -> frozenset[str]:
    """MACs that speak in both VLANs. A single one may be a gateway's that has a leg in each; where they are joined, all
    cross."""
    here, there = ({one.mac for one in view.talkers if one.sent and one.vlan == vlan} for vlan in (low, high))
    return frozenset(here & there)


def names(low: int, high: int) -> str:
    """How a pair of VLANs is named as the subject of a finding."""
    return f"VLANs {low} and {high}"


def _broadcasts(view: View) -> Iterator[tuple[Key, Seen[object]]]:
    """Tagged broadcasts in time order, with what makes two of them the same."""
    found: list[tuple[Key, Seen[object]]] = []
    for arp in view.messages(Arp):
        message = arp.message
        key = ("arp", arp.frame.eth_src, message.op, message.sender_mac, message.sender_ip, message.target_ip)
        found.append((key, arp))
    found.extend(
        (("dhcp", one.frame.eth_src, one.message.xid, one.message.chaddr, one.message.op), one)
        for one in view.messages(Dhcp)
        if not one.message.relayed
    )
    found.sort(key=lambda one: (one[1].ts_ns, one[1].number))
    return (one for one in found if _counts(one[1].frame))


def _counts(frame: Frame) -> bool:
    return frame.vlan > 0 and frame.tag_count == 1 and frame.vni < 0 and frame.eth_dst_int == BROADCAST_MAC


def _finding(view: View, vlans: tuple[int, int], pairs: list[Pair], subject: Subject) -> Finding:
    low, high = vlans
    senders = list(dict.fromkeys(one.frame.eth_src for _, one in pairs))
    first, second = pairs[0]
    return RULE.finding(
        subject=subject,
        summary=(
            f"VLANs {low} and {high} are joined: broadcasts of {listed(senders[:3])} appear in both at once, "
            f"{times(len(pairs))}, first in {first.frame.vlan} and then in {second.frame.vlan}."
        ),
        evidence=(
            cite(view, (one.number for pair in pairs for one in pair), f"the same broadcast in {low} and {high}"),
        ),
        filter=f"vlan.id in {{{low}, {high}}} && eth.dst == ff:ff:ff:ff:ff:ff",
        first_ns=first.ts_ns,
        last_ns=pairs[-1][1].ts_ns,
        alternatives=("a transparent firewall or load balancer that joins the two VLANs on purpose",),
        next_steps=(
            NextStep(
                where="switch",
                command=f"show mac address-table address {senders[0]}",
                meaning=f"a port that learned it in {low} and another in {high}: what is plugged there joins them",
            ),
            NextStep(
                where="host of that port",
                command="bridge link; ovs-vsctl show",
                meaning="an instance with a NIC in both networks is the one that bridges",
            ),
        ),
    )


RULE = Rule(
    code="VLAN007",
    name="vlan-leak",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.ERROR,
    check=check,
    explains=("VLAN008", "HYP017", "HYP015", "DHCP013", "PHYS008"),
)
