"""VLAN006 access-port-for-trunk: the host tags its guests' frames, the switch port only speaks untagged.

What it does
------------
At a NIC that sends tagged frames, finds that none of the tagged requests is answered and that everything that comes in,
twenty frames over half a minute or more, is untagged.

Why it matters
--------------
No guest network of this host reaches beyond it.

Common causes
-------------
The switch port is an access port; the cable is in the wrong port.

What else it could be
---------------------
A recorder that lost the tags of received frames (CAP001): then requests are answered. One missing VLAN on a trunk
(VLAN001), where only one VLAN is in use and the host's own untagged network works.

Next steps
----------
Look at the mode of the switch port; LLDP names it.
"""

from collections.abc import Iterator, Sequence

from pcapdx.case import Talker, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.crossings import crossings
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.observable import tags_expected, tags_observable
from pcapdx.rules.definitions.switch_ports import switch_port
from pcapdx.rules.definitions.two_way import answered_vlans
from pcapdx.rules.definitions.windows import REPETITION, SECOND, TWO_PATHS
from pcapdx.rules.definitions.wording import cite, duration, listed
from pcapdx.rules.vlan_trunk.transmit_only import Asking, unanswered
from pcapdx.vantage import Role

TAGGED_OUT = 10
UNTAGGED_FOR = 30 * SECOND


def check(view: View) -> Iterator[Finding]:
    """One finding at most: it is about the port."""
    if not tags_expected(view) or not tags_observable(view) or view.vantage.role is Role.ANY or crossings(view):
        return
    answered = answered_vlans(view)
    tagged = [one for one in view.talkers if one.sent and one.vlan and one.vni is None]
    if any(answered.keys()) or sum(one.sent for one in tagged) < TAGGED_OUT or _any_remote(view, tagged):
        return
    asking = _asking(view)
    untagged = _foreign(view, tagged, answered=0 in answered)
    plain = [one for one in asking.values() if one.plain]
    if not asking or not _enough(untagged) or (len(plain) <= 1 and 0 in answered):
        return
    yield _finding(view, asking, untagged, known=all(is_local(view, one.mac) for one in tagged))


def _asking(view: View) -> dict[int, Asking]:
    """By VLAN, requests that somebody should have answered; three networks are not silent for reasons of their own."""
    every = {vlan: found for vlan in view.vlans if vlan and (found := unanswered(view, vlan))}
    return every if len(every) >= REPETITION else {vlan: found for vlan, found in every.items() if found.plain}


def _any_remote(view: View, tagged: Sequence[Talker]) -> bool:
    return any(is_local(view, one.mac) is False for one in tagged)


def _foreign(view: View, tagged: Sequence[Talker], *, answered: bool) -> list[Talker]:
    """Untagged senders that are not this host's, as far as is known.

    Where nothing is answered and no frame is padded as a wire pads it, nothing need have come in at all: then a sender
    of shorter frames than a wire carries is not counted.
    """
    came_in = answered or any(one.padded or one.into for one in view.talkers)
    own = {one.mac for one in tagged}
    untagged = [one for one in view.talkers if one.sent and not one.vlan and one.vni is None and one.mac not in own]
    return [one for one in untagged if is_local(view, one.mac) is not True and (came_in or not one.short)]


def _enough(untagged: Sequence[Talker]) -> bool:
    first = [one.first_ns for one in untagged if one.first_ns is not None]
    last = [one.last_ns for one in untagged if one.last_ns is not None]
    return sum(one.sent for one in untagged) >= TWO_PATHS and max(last) - min(first) >= UNTAGGED_FOR


def _finding(view: View, asking: dict[int, Asking], untagged: Sequence[Talker], *, known: bool) -> Finding:
    vlans = listed(asking)
    requests = [number for one in asking.values() for number in one.frames]
    heard = [number for one in untagged for number in one.frames]
    count = sum(one.sent for one in untagged)
    plain = sum(one.plain for one in asking.values())
    sure = plain > 1 or (plain > 0 and known)
    return RULE.finding(
        subject=Subject(),
        severity=Severity.ERROR if sure else Severity.WARNING,
        confidence=Confidence.LIKELY if sure else Confidence.POSSIBLE,
        summary=(
            f"The switch port behaves as an access port: requests leave tagged {vlans} and none is answered, while all "
            f"{count} frames that come in are untagged."
        ),
        evidence=(
            cite(view, requests, f"requests tagged {vlans}, none answered"),
            cite(view, heard, "what comes in: untagged, from others"),
        ),
        filter="vlan || arp || dhcp",
        first_ns=min(one.first_ns for one in asking.values()),
        last_ns=max(one.last_ns for one in asking.values()),
        alternatives=(
            f"a trunk that carries its native VLAN only: none of {vlans} is in its list of allowed VLANs",
            "the cable is in another port than planned",
        ),
        limits=()
        if known
        else (f"the capture does not tell which senders are on this host; it ran {duration(view.duration_ns)}",),
        next_steps=(
            NextStep(
                where="this host",
                command=f"lldpctl {view.vantage.interface or 'NIC'}",
                meaning="names the switch and the port it is plugged into",
            ),
            NextStep(
                where=switch_port(view),
                command="show interfaces switchport; show interfaces trunk",
                meaning=f"mode access: make it a trunk that allows {vlans}",
            ),
        ),
    )


RULE = Rule(
    code="VLAN006",
    name="access-port-for-trunk",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.ERROR,
    check=check,
    explains=("VLAN001", "DHCP001", "DHCP002", "DHCP022", "VLAN019", "META007", "PWD011"),
)
