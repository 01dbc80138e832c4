"""OVS002 port-lost-vlan: a guest that was tagged is not any more.

What it does
------------
At a NIC, finds a guest whose frames had a VLAN's tag, and from some moment on have none: three frames or more before
and after, RARP aside, and none with the tag in between or later.

Why it matters
--------------
From that moment the guest is in the native network: cut off from its own, and let in where it should not be.

Common causes
-------------
Its Open vSwitch port lost its tag when it was removed and added again: a NIC that was attached anew, a script, a
restart of the host's networking.

What else it could be
---------------------
A recorder that loses tags of what comes in (CAP001): then the guest is on another host. A guest that moved to another
network by plan. A guest's own port that was recorded, without its tag until now: then all tags end at once.

Next steps
----------
Read the port's tag.
"""

from collections.abc import Iterator

from dissectors.arp import Arp
from pcapdx.case import Talker, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.crossings import crossings
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.observable import tags_end, tags_observable
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite
from pcapdx.vantage import Role

RARP = (3, 4)


def check(view: View) -> Iterator[Finding]:
    """One finding a guest."""
    role = view.vantage.role
    if not tags_observable(view) or role is Role.ANY or (role is not None and not role.is_wire):
        return
    if tags_end(view) or any(one.answered != one.asked and one.went_on for one in crossings(view)):
        return  # nobody has a tag here any more, or the recorder loses tags
    spoken: dict[str, list[Talker]] = {}
    for one in view.talkers:
        if one.sent and one.vni is None and is_guest(one.mac) and is_local(view, one.mac) is not False:
            spoken.setdefault(one.mac, []).append(one)
    for mac, ways in spoken.items():
        plain = [one for one in ways if not one.vlan]
        tagged = [one for one in ways if one.vlan]
        if len(plain) == 1 and len(tagged) == 1 and _lost(view, tagged[0], plain[0]):
            yield _finding(view, mac, tagged[0], plain[0])


def _lost(view: View, before: Talker, after: Talker) -> bool:
    announced = sum(
        one.message.op in RARP and not one.frame.vlan and one.frame.eth_src == after.mac for one in view.messages(Arp)
    )
    enough = before.sent >= REPETITION and after.sent - announced >= REPETITION
    # who is answered without a tag, more than by what was still on its way, has a network there
    return enough and (before.last_ns or 0) < (after.first_ns or 0) and after.received < REPETITION


def _finding(view: View, mac: str, before: Talker, after: Talker) -> Finding:
    local = is_local(view, mac)
    return RULE.finding(
        subject=Subject(mac=mac, vlan=0),
        severity=Severity.ERROR if local else Severity.WARNING,
        confidence=Confidence.LIKELY if local else Confidence.POSSIBLE,
        summary=(
            f"{mac} was in VLAN {before.vlan} until frame {before.last_frame}; from frame {after.frames[0]} on its "
            f"{after.sent} frames leave untagged."
        ),
        evidence=(
            cite(view, (*before.frames, before.last_frame or 0), f"{mac} tagged {before.vlan}"),
            cite(view, after.frames, f"{mac} without a tag"),
        ),
        filter=f"eth.src == {mac}",
        first_ns=after.first_ns,
        last_ns=after.last_ns,
        limits=() if local else ("the capture does not tell whether this host sent the frames",),
        next_steps=(
            NextStep(
                where="this host",
                command=f"ovs-appctl fdb/show cloudbr1 | grep -i {mac}; ovs-vsctl --columns=name,tag list port",
                meaning=f"the port that learnt this MAC has no tag: set tag={before.vlan}",
            ),
            NextStep(
                where="this host",
                command="grep -E 'del-port|add-port' /var/log/openvswitch/ovs-vswitchd.log; last lines of agent.log",
                meaning="who added the port again, and how, at that moment",
            ),
        ),
    )


RULE = Rule(
    code="OVS002",
    name="port-lost-vlan",
    topic=Topic.OVS,
    severity=Severity.ERROR,
    check=check,
    explains=("HYP004", "DHCP001", "DHCP010", "DHCP020", "DHCP023", "META002", "PWD003", "VLAN001", "VLAN019"),
)
