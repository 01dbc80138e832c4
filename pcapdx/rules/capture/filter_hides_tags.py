"""CAP002 filter-hides-tags: the capture filter lets untagged frames pass that it drops when they carry a tag.

What it does
------------
Looks at the filter that the file notes (pcapng). When it names ports, hosts or protocols without ``vlan``, and what may
be a NIC's capture has no tagged frame, or tagged frames one way only, it says what is missing.

Why it matters
--------------
Half of every exchange, or all of it, may be missing for no other reason than the filter.

Common causes
-------------
``tcpdump port 67`` on a trunk: a filter tests fixed offsets, which a tag inside the frame moves.

What else it could be
---------------------
A real access port, or a real one-way fault: this capture cannot tell.

Next steps
----------
Capture again with ``(FILTER) or (vlan and (FILTER))``, the plain part first.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.observable import filter_hides_tags, filters
from pcapdx.rules.definitions.wording import cite


def check(view: View) -> Iterator[Finding]:
    """One finding a filter."""
    role = view.vantage.role
    if (role is not None and not role.is_wire) or not view.frames:
        return
    tagged = [one for one in view.talkers if one.sent and one.vlan and one.vni is None]
    if any(one.received for one in tagged):
        return  # both ways are here: the filter does let them pass
    frames = [number for one in tagged for number in one.frames] or [1]
    what = "tagged frames, one way only" if tagged else "no frame here has a tag"
    interface = view.vantage.interface or "NIC"
    for expression in filters(view):
        if filter_hides_tags(expression):
            yield RULE.finding(
                subject=Subject(),
                confidence=Confidence.POSSIBLE if role is None else Confidence.LIKELY,
                summary=f'The capture filter "{expression}" hides tagged frames: {what}.',
                evidence=(cite(view, frames, what),),
                filter="vlan" if tagged else "",
                alternatives=("no tag is expected at this point",) if role is None else (),
                limits=("what is missing here says nothing of the network",),
                next_steps=(
                    NextStep(
                        where="this host",
                        command=f"tcpdump -enni {interface} '({expression}) or (vlan and ({expression}))'",
                        meaning="shows both directions, tagged or not",
                    ),
                ),
            )


RULE = Rule(
    code="CAP002",
    name="filter-hides-tags",
    topic=Topic.CAPTURE,
    severity=Severity.INFO,
    check=check,
    explains=("VLAN001", "VLAN006", "HYP008"),
)
