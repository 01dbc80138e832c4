"""OVS001 other-tenants-tags-at-vnet: a guest's interface gets tagged frames of several VLANs.

What it does
------------
At one guest's tap, finds frames of others with tags of two VLANs or more, three frames in each. Where nobody told the
place, it is a remark: one guest alone speaks untagged, nobody answers it so, and all that is tagged is for groups or
for it.

Why it matters
--------------
The guest hears other tenants' broadcasts, and can answer them: isolation is gone. In its own network it is deaf, for
its frames leave without a tag.

Common causes
-------------
The port of Open vSwitch has no tag: it was added by hand, or lost its tag when a NIC was attached again, and a port
without a tag is a trunk of all VLANs.

What else it could be
---------------------
A NIC that is a trunk by design (an appliance on a network of type L2): then the guest tags, too, or is answered in
those VLANs, or the profile says so, and it is a remark. The NIC of a host on which one guest's tap is in the label
bridge (HYP004), which looks the same from outside.

Next steps
----------
Read the port's tag.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from dissectors.dhcp import DhcpExchange
from pcapdx.case import Talker, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import arp_silent
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.observable import tags_observable, unicast_seen
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, listed
from pcapdx.rules.templates.guests import own_guest
from pcapdx.vantage import Role

VLANS = 2
NAMES = ("vnet", "vif", "tap")
"""How the host ends of guests' NICs are called."""


def check(view: View) -> Iterator[Finding]:
    """One finding at most."""
    if not tags_observable(view) or not (_at_a_guest(view) or _perhaps_at_a_guest(view)):
        return
    guest = own_guest(view)
    # who sends untagged here is the guest, or speaks to it by the port's own VLAN
    own = {one.mac for one in view.talkers if one.sent and not one.vlan} | ({guest.mac} if guest else set())
    tagged = [one for one in view.talkers if one.sent and one.vlan and one.vni is None]
    foreign: dict[int, list[Talker]] = {}
    for one in tagged:
        if one.mac not in own:
            foreign.setdefault(one.vlan, []).append(one)
    leaked = {vlan: many for vlan, many in foreign.items() if sum(one.sent for one in many) >= REPETITION}
    if len(leaked) < VLANS:
        return
    network = view.site.network_of(guest.ip) if guest is not None and guest.ip else None
    answered = any(one.received for many in leaked.values() for one in many)
    by_design = any(one.mac in own for one in tagged) or (network is not None and network.type == "l2") or answered
    by_design |= not unicast_seen(view) and not _asks_in_vain(view, own)  # what it sends tagged would not be here
    told = _at_a_guest(view)
    mac = guest.mac if guest else None if told else next(one.mac for one in view.talkers if one.sent and not one.vlan)
    yield _finding(view, mac, leaked, by_design=by_design, told=told)


def _asks_in_vain(view: View, macs: Collection[str]) -> bool:
    """Whether the guest is deaf in its own network."""
    discovering = any(one.chaddr in macs and one.discovers for one in view.exchanges(DhcpExchange))
    return discovering or any(one.asker_mac in macs for one in arp_silent(view))


def _at_a_guest(view: View) -> bool:
    """A guest's interface, as somebody said or its name says."""
    interface = view.vantage.interface or ""
    return view.vantage.role is Role.TAP and (not view.vantage.inferred or interface.startswith(NAMES))


def _perhaps_at_a_guest(view: View) -> bool:
    """Nobody told the place: one guest alone speaks untagged, and all that is tagged is for groups or for it."""
    if not view.vantage.inferred or view.vantage.interface or view.vantage.role not in (None, Role.TRUNK):
        return False
    senders = [one for one in view.talkers if one.sent and one.vni is None]
    untagged = [one for one in senders if not one.vlan]
    if len(untagged) != 1 or not is_guest(untagged[0].mac):
        return False
    own = untagged[0].mac
    return not any(one.received for one in view.talkers if one.mac != own) and untagged[0].received == 0


def _finding(
    view: View, mac: str | None, leaked: Mapping[int, Sequence[Talker]], *, by_design: bool, told: bool
) -> Finding:
    vlans = sorted(leaked)
    senders = [one for vlan in vlans for one in leaked[vlan]]
    interface = view.vantage.interface or "vnetN"
    moments = [one.first_ns for one in senders if one.first_ns is not None]
    return RULE.finding(
        subject=Subject(mac=mac),
        severity=Severity.INFO if by_design or not told else Severity.ERROR,
        confidence=Confidence.POSSIBLE if by_design or not told else Confidence.LIKELY,
        summary=(
            f"Tagged frames of {len(vlans)} VLANs ({listed(vlans[:6])}) come out "
            + ("at one guest's interface" if told else "where one guest alone speaks untagged")
            + (f" ({mac})." if mac else ".")
        ),
        evidence=tuple(
            cite(view, (number for one in leaked[vlan] for number in one.frames), f"tagged {vlan}, from others")
            for vlan in vlans[:4]
        ),
        filter=f"vlan.id in {{{', '.join(map(str, vlans[:20]))}}}",
        first_ns=min(moments, default=None),
        alternatives=("a NIC that is meant as a trunk",)
        + (() if told else ("the NIC of a host on which this guest's tap is in the label bridge",)),
        limits=() if told else ("nobody told where this was taken: name it (NAME:tap=FILE) to be sure",),
        next_steps=(
            NextStep(
                where="this host",
                command=f"ovs-vsctl --columns=name,tag,trunks,vlan_mode list port {interface}",
                meaning="no tag: set it (ovs-vsctl set port NAME tag=VLAN), and look how the port was added",
            ),
            NextStep(
                where="this host, with Linux bridges",
                command=f"bridge link show dev {interface}; bridge vlan show",
                meaning="in the label bridge instead of the VLAN's: the same fault by another way",
            ),
        ),
    )


RULE = Rule(
    code="OVS001",
    name="other-tenants-tags-at-vnet",
    topic=Topic.OVS,
    severity=Severity.ERROR,
    check=check,
    explains=("DHCP001", "DHCP013", "DHCP020", "DHCP022", "META007", "PWD011", "VLAN001", "VLAN007"),
)
