"""VLAN004 tag-changed-on-the-way: requests leave in one VLAN, their answers come back in another or untagged.

What it does
------------
Pairs requests (ARP, ping, DHCP, TCP) with answers to the very asker that carry another tag or none. When the asker does
not take them and asks again, the tag was changed on the wire, not by the recorder (that is CAP001).

Why it matters
--------------
The host hands an answer to the network of its tag: the guest never gets it, although the path works.

Common causes
-------------
The guest's VLAN is the native (untagged) one of a switch port; a port translates VLAN ids; the two ends of a link have
different native VLANs.

What else it could be
---------------------
A private VLAN, where answers come in the primary VLAN by design and do reach the guest; an offload fault of the NIC.

Next steps
----------
Compare the native VLAN and the VLAN mapping of both switch ports.
"""

from collections.abc import Iterator, Sequence

from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.capture.rx_tags_stripped import stripped
from pcapdx.rules.definitions.crossings import Crossing, crossings
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, in_vlan, listed


def check(view: View) -> Iterator[Finding]:
    """One finding for each VLAN asked in."""
    if stripped(view):
        return
    grouped: dict[tuple[int, int], list[Crossing]] = {}
    for one in crossings(view):
        grouped.setdefault((one.asked, one.answered), []).append(one)
    for (asked, answered), members in grouped.items():
        if len(members) >= REPETITION:
            yield _judge(view, asked, answered, members)


def _judge(view: View, asked: int, answered: int, members: Sequence[Crossing]) -> Finding:
    taken = any(one.went_on for one in members)
    again = sum(one.asked_again for one in members)
    askers = list(dict.fromkeys(one.asker_mac for one in members if one.asker_mac))
    frames = [number for one in members for number in one.frames]
    back = f"in VLAN {answered}" if answered else "untagged"
    if taken:
        outcome = "and are taken"
    elif again:
        outcome = "and do not reach the asker, who asks again"
    else:
        outcome = "and whether they are taken is not seen"
    severity = Severity.INFO if taken else Severity.ERROR if again >= REPETITION - 1 else Severity.WARNING
    return RULE.finding(
        subject=Subject(vlan=asked),
        severity=severity,
        confidence=Confidence.CERTAIN if again and not taken else Confidence.LIKELY,
        summary=(
            f"{listed(askers[:3])} ask{'s' if len(askers) == 1 else ''} {in_vlan(asked)}; "
            f"{len(members)} answers come back {back} {outcome}."
        ),
        evidence=(cite(view, frames, f"requests {in_vlan(asked)} and their answers {back}"),),
        filter=f"eth.addr in {{{', '.join(askers[:8])}}}" if askers else f"vlan.id == {asked}",
        first_ns=members[0].ts_ns,
        last_ns=members[-1].ts_ns,
        alternatives=(
            ("a private VLAN: answers come in the primary VLAN by design",)
            if answered
            else ("the NIC or its driver drops the tag: a mirror of the switch port tells",)
        ),
        limits=("one capture cannot tell which switch on the way changes the tag",),
        next_steps=(
            NextStep(
                where="switch, port of this host",
                command="show interfaces trunk; show interfaces switchport",
                meaning=f"VLAN {asked or answered} must be tagged there, so not the port's native VLAN, and not mapped to another",
            ),
            NextStep(
                where="this host",
                command=f"ethtool -k {view.vantage.interface or 'NIC'} | grep vlan; ip -d link show",
                meaning="with receive VLAN offload off, a capture shows the tags as they are on the wire",
            ),
        ),
    )


RULE = Rule(
    code="VLAN004",
    name="tag-changed-on-the-way",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.ERROR,
    check=check,
    explains=(
        "VLAN001",
        "DHCP001",
        "DHCP002",
        "DHCP003",
        "DHCP008",
        "DHCP010",
        "DHCP013",
        "DHCP020",
        "DHCP022",
        "HOST001",
        "HOST007",
        "HYP004",
        "META002",
        "META007",
        "PWD003",
        "PWD011",
        "SG001",
        "VLAN019",
    ),
)
