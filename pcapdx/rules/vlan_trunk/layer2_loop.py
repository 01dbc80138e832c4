"""VLAN013 layer2-loop: the same broadcast goes round and round.

What it does
------------
Counts group-addressed frames that are equal byte for byte, the copies of a recorder included: ten or more within one
second, of two senders or so many that no program sends them, while hardly any other broadcast of the VLAN comes fewer
times; or five seconds of more than a thousand broadcasts a second of which less than a fifth differ. Spanning tree and
224.0.0.x are left out.

Why it matters
--------------
A loop takes the bandwidth of every port of the VLAN, and switches learn MACs on the wrong ports.

Common causes
-------------
Two uplinks in one bridge instead of a bond; a cable between two switch ports; spanning tree switched off.

What else it could be
---------------------
One sender that repeats itself: multicast heartbeats, announcements and a flooding client look so, and are told as such.
A few copies are the recorder's (CAP003).

Next steps
----------
Look at the storm counters of the switch, and at the uplinks of each host's bridges.
"""

from collections.abc import Iterator, Sequence

from dissectors.arp import Arp
from pcapdx.case import Repeat, View
from pcapdx.model import Confidence, Evidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import is_group
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, in_vlan, listed
from pcapdx.vantage import Role

COPIES = 10
MORE_THAN_SENT = 200
"""Equal frames a second that are more than any program of one sender sends on purpose."""
STORM_SECONDS = 5


def check(view: View) -> Iterator[Finding]:
    """One finding a VLAN."""
    if view.vantage.role is Role.ANY:
        return
    by_vlan: dict[int, list[Repeat]] = {}
    enough = COPIES * _recorded_times(view)
    for one in view.repeats:
        if one.worst >= enough:
            by_vlan.setdefault(one.vlan, []).append(one)
    for vlan, repeats in by_vlan.items():
        yield _judge(view, vlan, repeats)
    if not by_vlan and view.counters["storm_worst"] >= STORM_SECONDS:
        frame = view.counters["storm_frame"]
        evidence = cite(view, (frame,), "within a storm of equal broadcasts")
        yield _finding(view, None, Severity.ERROR, Confidence.LIKELY, (evidence,), _storm(view))


def _recorded_times(view: View) -> int:
    """How often this capture has each packet: a burst of five announcements, each recorded twice, is no loop.

    Three at most, for a loop makes copies itself.
    """
    twins = view.counters["same_vlan_twins"]
    return min(1 + round(twins / max(view.counters["ip_frames"] - twins, 1)), 3)


def _judge(view: View, vlan: int, repeats: Sequence[Repeat]) -> Finding:
    senders = list(dict.fromkeys(one.mac for one in repeats))
    worst = repeats[0]
    storm = view.counters["storm_worst"] >= STORM_SECONDS
    if not storm and worst.worst < MORE_THAN_SENT and not _spares_none(view, repeats):
        severity, confidence = Severity.INFO, Confidence.POSSIBLE
    elif storm or len(senders) > 1 or worst.worst >= MORE_THAN_SENT:
        severity, confidence = Severity.ERROR, Confidence.CERTAIN if len(senders) > 1 else Confidence.LIKELY
    elif _heartbeat(view, worst) or _announces(view, repeats):
        severity, confidence = Severity.INFO, Confidence.POSSIBLE
    else:
        severity, confidence = Severity.WARNING, Confidence.POSSIBLE
    evidence = tuple(
        cite(view, one.frames, f"{one.worst} equal copies from {one.mac} within a second") for one in repeats[:3]
    )
    copies = sum(one.total for one in repeats)
    if severity is Severity.INFO:
        times = f"up to {worst.worst} times a second ({in_vlan(vlan)})"
        verb = "sends" if len(senders) == 1 else "send"
        summary = f"{listed(senders[:3])} {verb} the same frame {times}: a heartbeat or a loop."
    else:
        summary = (
            f"Broadcasts of {listed(senders[:3])} go round ({in_vlan(vlan)}): {copies:,} equal copies, "
            f"up to {worst.worst:,} of one frame in a second."
        )
    first = min(one.worst_ns for one in repeats)
    return _finding(view, vlan, severity, confidence, evidence, summary, first)


def _spares_none(view: View, repeats: Sequence[Repeat]) -> bool:
    """Whether half or more of the VLAN's repeated broadcasts of that time came as often: a loop spares none.

    Where hosts merely ask too often, their neighbours' broadcasts come once or a few times.
    """
    vlan, often = repeats[0].vlan, repeats[-1].worst
    first, last = min(one.worst_ns for one in repeats) - SECOND, max(one.worst_ns for one in repeats) + SECOND
    others = [one for one in view.repeats if one.vlan == vlan and first <= one.worst_ns <= last and one.worst < often]
    return len(repeats) >= len(others)


def _heartbeat(view: View, repeat: Repeat) -> bool:
    """Whether the frames may be one program's IP multicast. By ARP a kernel asks once a second, never so often."""
    return any(
        one.mac == repeat.mac and one.vlan == repeat.vlan and one.ip_frames >= repeat.total for one in view.talkers
    )


def _announces(view: View, repeats: Sequence[Repeat]) -> bool:
    """Whether one machine announces itself by ARP: bonds, balancers and routers may do so ten times a second.

    Of many announcements some are read; whoever floods asks for others, too.
    """
    own = [one for one in view.messages(Arp) if one.frame.eth_src == repeats[0].mac and is_group(one.frame.eth_dst)]
    return len({one.mac for one in repeats}) == 1 and bool(own) and all(one.message.gratuitous for one in own)


def _storm(view: View) -> str:
    return f"More than 1000 broadcasts a second for {view.counters['storm_worst']} s, hardly any of them different."


def _finding(
    view: View,
    vlan: int | None,
    severity: Severity,
    confidence: Confidence,
    evidence: tuple[Evidence, ...],
    summary: str,
    first_ns: int | None = None,
) -> Finding:
    return RULE.finding(
        subject=Subject(vlan=vlan),
        severity=severity,
        confidence=confidence,
        summary=summary,
        evidence=evidence,
        filter="eth.dst.ig == 1" if not vlan else f"eth.dst.ig == 1 && vlan.id == {vlan}",
        first_ns=first_ns,
        alternatives=("one machine that floods: then all copies come from its port and the loop guard stays quiet",),
        next_steps=(
            NextStep(
                where="switch",
                command="show storm-control; show spanning-tree detail | include ieee|occurr|from",
                meaning="storm counters that grow and a topology that changes name the port of the loop",
            ),
            NextStep(
                where="each host",
                command="bridge link; ovs-vsctl show; cat /proc/net/bonding/*",
                meaning="two physical ports in one bridge that are not one bond are a loop",
            ),
        ),
    )


RULE = Rule(
    code="VLAN013",
    name="layer2-loop",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.ERROR,
    check=check,
    explains=(
        "VLAN007",
        "VLAN012",
        "HYP015",
        "HYP016",
        "HYP020",
        "VLAN019",
        "DHCP020",
        "DHCP001",
        "DHCP013",
    ),
)
