"""HYP004 guest-mac-untagged-on-trunk: a guest's frames leave a trunk NIC without a tag.

What it does
------------
At a NIC where guests' frames carry tags, finds a guest (a MAC of CloudStack's shape, sent from this host) whose
frames, RARP aside, are untagged, three or more. Subnets in which the host itself speaks untagged are left out. Where
the capture does not tell whose frames these are, others of the same network must be tagged, or the guest must ask in
vain.

Why it matters
--------------
The guest is in the native network instead of its own: cut off from its router, and let in where it should not be.

Common causes
-------------
Its tap is in the label bridge and not in the VLAN's bridge; an Open vSwitch port lost its tag when a NIC was attached
again (issue 7816 for storage NICs).

What else it could be
---------------------
A guest network that is untagged by plan: then the guest is answered. A recorder that lost tags (CAP001) or a native
VLAN that differs (VLAN004): then the untagged frames are the ones that come in. A tap and a NIC recorded into one file:
then the same guest's frames are there with their tag all the while.

Next steps
----------
See on the host which bridge the guest's tap is in.
"""

from collections.abc import Iterator
from ipaddress import ip_interface

from dissectors.arp import Arp
from pcapdx.case import Talker, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.crossings import crossings
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.macs import is_guest, is_system_vm_public
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.networks import vlans_of_network
from pcapdx.rules.definitions.observable import tags_end, tags_expected, tags_observable
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, listed
from pcapdx.rules.vlan_trunk.transmit_only import unanswered
from pcapdx.vantage import Role

RARP = (3, 4)


def check(view: View) -> Iterator[Finding]:
    """One finding a guest."""
    if not tags_expected(view) or not tags_observable(view) or view.vantage.role is Role.ANY:
        return
    if tags_end(view) or any(not one.answered for one in crossings(view)):
        return  # tags are lost on the way in, or by now at this point: what is untagged here was not so when it left
    tagged = {
        one.vlan
        for one in view.talkers
        if one.sent and one.vlan and one.vni is None and is_guest(one.mac) and is_local(view, one.mac) is not False
    }
    for one in view.talkers:
        if tagged and not one.vlan and one.vni is None and is_guest(one.mac) and is_local(view, one.mac) is not False:
            yield from _judge(view, one, tagged)


def _judge(view: View, guest: Talker, tagged: set[int]) -> Iterator[Finding]:
    count = guest.sent - sum(
        one.message.op in RARP and not one.frame.vlan and one.frame.eth_src == guest.mac for one in view.messages(Arp)
    )
    peers = vlans_of_network(view, guest.mac)
    if count < REPETITION or _host_speaks_there(view, guest.mac) or (guest.received and not peers):
        return
    if _tagged_all_the_while(view, guest):
        return
    local = is_local(view, guest.mac)
    grave = not is_system_vm_public(guest.mac) and bool(local or peers or _asks_in_vain(view, guest.mac))
    vlans = sorted(peers or tagged)
    whose = "its own network" if peers else "other guests"
    yield RULE.finding(
        subject=Subject(mac=guest.mac, vlan=0),
        severity=Severity.WARNING if grave else Severity.INFO,
        confidence=Confidence.LIKELY if local and peers else Confidence.POSSIBLE,
        summary=(
            f"{count} frames of the guest {guest.mac} are untagged at this trunk, where those of {whose} are tagged "
            f"{listed(vlans[:4])}."
        ),
        evidence=(cite(view, guest.frames, f"untagged frames from {guest.mac}"),),
        filter=f"eth.src == {guest.mac} && !vlan",
        first_ns=guest.first_ns,
        last_ns=guest.last_ns,
        alternatives=("a guest network that is untagged by plan",),
        limits=() if local else ("the capture does not tell whether this host sent the frames",),
        next_steps=(
            NextStep(
                where="this host",
                command=f"bridge fdb show | grep {guest.mac}; virsh domiflist i-N-N-VM; bridge link",
                meaning="its vnet must be in the bridge of its VLAN, not in the label bridge",
            ),
            NextStep(
                where="this host, with Open vSwitch",
                command="ovs-vsctl --columns=name,tag,trunks list port",
                meaning="a vnet without a tag sends untagged and receives every VLAN",
            ),
        ),
    )


def _tagged_all_the_while(view: View, guest: Talker) -> bool:
    """Whether its frames come with a tag, too, in between: two points in one file, as a port tags all or none."""
    return any(
        one.mac == guest.mac and one.vlan and one.sent and _before(one, guest) and _before(guest, one)
        for one in view.talkers
    )


def _before(one: Talker, other: Talker) -> bool:
    """Whether the one began before the other ended."""
    return one.first_ns is not None and other.last_ns is not None and one.first_ns < other.last_ns


def _asks_in_vain(view: View, mac: str) -> bool:
    """Whether this guest repeats its requests, and is the only one of its kind that is untagged."""
    alone = not any(one.mac != mac and not one.vlan and one.sent and is_guest(one.mac) for one in view.talkers)
    asking = unanswered(view, 0)
    return alone and asking is not None and mac in (*asking.clients, *asking.arp_askers)


def _host_speaks_there(view: View, mac: str) -> bool:
    """Whether a machine of this host that is no guest uses an address of the guest's subnet untagged."""
    own = (one for one in view.bindings if one.mac == mac and not one.vlan)
    return any(_subnet(one.ip) in _host_subnets(view) for one in own)


@once_a_view
def _host_subnets(view: View) -> frozenset[str]:
    return frozenset(
        _subnet(one.ip)
        for one in view.bindings
        if not one.vlan and not is_guest(one.mac) and is_local(view, one.mac) is not False
    )


def _subnet(ip: str) -> str:
    return str(ip_interface(f"{ip}/{64 if ':' in ip else 24}").network)


RULE = Rule(
    code="HYP004",
    name="guest-mac-untagged-on-trunk",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.WARNING,
    check=check,
    explains=("DHCP001", "DHCP002", "DHCP013", "DHCP020", "DHCP022", "META007", "PWD011", "VLAN019"),
)
