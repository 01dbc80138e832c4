"""CAP003 duplicated-capture: the recorder took every packet more than once.

What it does
------------
Counts IP packets with a twin less than 5 ms earlier (same identification, ports, sequence and payload) in the same
VLAN, or on another interface of the same capture: one in twenty of a hundred packets or more. Where copies are many it
is a loop (VLAN013).

Why it matters
--------------
Wireshark shows retransmissions and duplicate acknowledgements that never were.

Common causes
-------------
A mirror port that copies what comes in and what goes out; ``-i any``; a bridge and its port in one file.

What else it could be
---------------------
A loop: then broadcasts come back again and again, not once.

Next steps
----------
Take the copies out (``editcap -d``), or capture at one point.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.vlan_trunk.layer2_loop import COPIES
from pcapdx.vantage import Role

ENOUGH = 100
SHARE = 20
"""One packet in so many has a twin."""


def check(view: View) -> Iterator[Finding]:
    """One finding at most."""
    # a packet that a router passed on from VLAN to VLAN is no copy, so tags count, save where interfaces are mixed
    twins = view.counters["ip_twins" if view.vantage.role is Role.ANY else "same_vlan_twins"]
    packets = view.counters["ip_frames"]
    looping = any(one.worst >= COPIES for one in view.repeats)
    if packets < ENOUGH or twins * SHARE < packets or looping:
        return
    doubled = max((view.flows.at(int(row)) for row in _most_twins(view)), key=lambda one: one.twins, default=None)
    frames = (doubled.originator.first_frame or 1,) if doubled is not None else (1,)
    yield RULE.finding(
        subject=Subject(),
        summary=f"{twins:,} of {packets:,} IP packets were recorded more than once.",
        evidence=(cite(view, frames, "a conversation of which copies were recorded"),),
        filter="ip",
        next_steps=(
            NextStep(
                where="here",
                command="editcap -D 20 capture.pcap once.pcap",
                meaning="takes exact copies out; copies with another tag or TTL stay",
            ),
        ),
    )


def _most_twins(view: View) -> list[int]:
    if not len(view.flows):
        return []
    return [int(view.flows.rows["twins"].argmax())]


RULE = Rule(
    code="CAP003",
    name="duplicated-capture",
    topic=Topic.CAPTURE,
    severity=Severity.INFO,
    check=check,
    explains=("VLAN007", "HYP016"),
)
