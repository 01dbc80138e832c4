"""OVS009 unicast-flooded: one guest's interface gets frames that are for others.

What it does
------------
At one guest's tap, finds unicast frames between machines of which neither is the guest, ten of a pair over half a
minute: the switch floods them. Without a site profile that tells whose tap this is, it is enough that no one MAC is an
end of all that passes, and it is a remark.

Why it matters
--------------
Every guest of the network gets the traffic of all: links fill, and tenants see each other's packets.

Common causes
-------------
The bridge does not learn (ageing time 0, learning off, a full table); a mirror was left on; frames go and come by two
ways, so that the switch never sees the receiver speak.

What else it could be
---------------------
The first frames to a machine that the switch does not know yet: few, and over at once. A mirror port on purpose. A
guest with machines of its own behind its NIC (nested virtualisation, containers).

Next steps
----------
Look whether the bridge knows these MACs.
"""

from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np

from pcapdx.case import View
from pcapdx.frame import mac_text
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import is_group
from pcapdx.rules.definitions.observable import LINKTYPE_ETHERNET
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, frames_filter, listed
from pcapdx.rules.templates.guests import own_guest
from pcapdx.values import dataclass
from pcapdx.vantage import Role

FRAMES = 10
LONG = 30 * SECOND
MOST_FLOWS = 5_000
"""Flows looked at; more of them prove no more."""

Pair = frozenset[str]


@dataclass(slots=True)
class Between:
    """What passed between two MACs, both ways."""

    count: int
    first_ns: int
    last_ns: int
    frames: list[int]

    def add(self, count: int, first_ns: int, last_ns: int, frames: tuple[int, ...]) -> None:
        """More of the same."""
        self.count += count
        self.first_ns, self.last_ns = min(self.first_ns, first_ns), max(self.last_ns, last_ns)
        self.frames.extend(frames)


def check(view: View) -> Iterator[Finding]:
    """One finding at most."""
    if view.vantage.role is not Role.TAP or view.vantage.inferred:
        return
    if {one.link_type for one in view.capture.interfaces} != {LINKTYPE_ETHERNET}:
        return
    steady = {
        pair: one for pair, one in _pairs(view).items() if one.count >= FRAMES and one.last_ns - one.first_ns >= LONG
    }
    guest = own_guest(view)
    if guest is not None:
        foreign = {pair: one for pair, one in steady.items() if guest.mac not in pair}
    else:
        common = frozenset.intersection(*steady) if steady else frozenset()
        foreign = {} if common else steady
    if foreign:
        yield _finding(view, guest.mac if guest else None, foreign)


def _pairs(view: View) -> Mapping[Pair, Between]:
    found: dict[Pair, Between] = {}

    def add(one: str | None, other: str | None, count: int, first: int, last: int, frames: tuple[int, ...]) -> None:
        if one is None or other is None or one == other or is_group(one) or is_group(other):
            return
        pair = frozenset((one, other))
        if pair in found:
            found[pair].add(count, first, last, frames)
        else:
            found[pair] = Between(count=count, first_ns=first, last_ns=last, frames=list(frames))

    table = view.flows
    both = np.flatnonzero((table.originator("packets") > 0) & (table.responder("packets") > 0))
    for flow in map(table.at, islice(both.tolist(), MOST_FLOWS)):
        near, far = flow.originator, flow.responder
        moments = [one for one in (near.first_ns, near.last_ns, far.first_ns, far.last_ns) if one is not None]
        numbers = tuple(one for one in (near.first_frame, far.last_frame) if one is not None)
        add(near.mac, far.mac, near.packets + far.packets, min(moments), max(moments), numbers)
    for one in view.all_messages:
        frame = one.frame
        if frame.flow < 0 and frame.vni < 0:
            add(mac_text(frame.eth_src_int), frame.eth_dst, 1, one.ts_ns, one.ts_ns, (one.number,))
    return found


def _finding(view: View, guest: str | None, foreign: Mapping[Pair, Between]) -> Finding:
    pairs = sorted(foreign, key=lambda pair: -foreign[pair].count)
    interface = view.vantage.interface or "vnetN"
    frames = [number for pair in pairs for number in foreign[pair].frames]
    words = [" and ".join(sorted(pair)) for pair in pairs]
    told = f"none of them {guest}" if guest else "no one MAC is an end of all"
    return RULE.finding(
        subject=Subject(mac=guest),
        severity=Severity.WARNING if guest else Severity.INFO,
        confidence=Confidence.LIKELY if guest else Confidence.POSSIBLE,
        summary=(
            f"Unicast frames between others come out at one guest's interface, {told}: "
            f"{listed(words[:3], 'and between')}."
        ),
        evidence=(cite(view, frames, "unicast frames between others"),),
        filter=frames_filter(frames),
        first_ns=min(one.first_ns for one in foreign.values()),
        last_ns=max(one.last_ns for one in foreign.values()),
        alternatives=("machines of the guest's own behind its NIC", "a mirror on purpose"),
        next_steps=(
            NextStep(
                where="this host",
                command=f"ip -d link show type bridge | grep ageing_time; bridge -d link show dev {interface}",
                meaning="ageing_time 0 or learning off: the bridge learns nothing and floods all",
            ),
            NextStep(
                where="this host",
                command="bridge fdb show; ovs-appctl fdb/show BRIDGE; ovs-vsctl list mirror",
                meaning="the MACs above are not in the table: the switch never hears them, or forgets them at once",
            ),
        ),
    )


RULE = Rule(
    code="OVS009",
    name="unicast-flooded",
    topic=Topic.OVS,
    severity=Severity.WARNING,
    check=check,
)
