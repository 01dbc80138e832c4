"""VLAN012 topology-change-storm: the spanning tree changes again and again.

What it does
------------
Counts topology changes in the units of one tree: a change is a run of units with the TC flag, five seconds or more
apart from the next one. More than five within five minutes are no maintenance.

Why it matters
--------------
At each change every switch forgets what MACs it has learnt: unicast traffic is flooded to all ports, and connections
stall.

Common causes
-------------
A link that flaps; host ports that are no edge ports, so that each reboot counts as a change; two bridges that fight for
the root; a loop.

What else it could be
---------------------
Maintenance, with a change for each step of it: look at the times.

Next steps
----------
Ask the switches from which port the changes came, and follow it from switch to switch.
"""

from collections.abc import Iterator, Sequence

from dissectors.stp import Bpdu
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.switch_ports import switch_port
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration, in_vlan, listed, times

APART = 5 * SECOND
MOST_RUNS = 5
WITHIN = 300 * SECOND
Tree = tuple[tuple[int, int, int], int]


def check(view: View) -> Iterator[Finding]:
    """One finding at most: the tree that changes most."""
    trees: dict[Tree, list[Seen[Bpdu]]] = {}
    for one in view.messages(Bpdu):
        if one.message.topology_change and not one.frame.tunnel:
            bridge = one.message.bridge
            number = one.message.pvst_vlan or (bridge.extension if bridge is not None and one.message.pvst else 0)
            trees.setdefault((one.frame.segment, number), []).append(one)
    storms = [(tree, most) for tree, changes in trees.items() if len(most := _most(_runs(changes))) > MOST_RUNS]
    if storms:
        tree, runs = max(storms, key=lambda one: len(one[1]))
        yield _finding(view, tree, runs)


def _runs(changes: Sequence[Seen[Bpdu]]) -> list[list[Seen[Bpdu]]]:
    runs: list[list[Seen[Bpdu]]] = []
    for one in changes:
        if runs and one.ts_ns - runs[-1][-1].ts_ns < APART:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _most(runs: list[list[Seen[Bpdu]]]) -> list[list[Seen[Bpdu]]]:
    """The most runs that begin within five minutes."""
    best: list[list[Seen[Bpdu]]] = []
    first = 0
    for behind, run in enumerate(runs, 1):
        while run[0].ts_ns - runs[first][0].ts_ns > WITHIN:
            first += 1
        if behind - first > len(best):
            best = runs[first:behind]
    return best


def _finding(view: View, tree: Tree, runs: list[list[Seen[Bpdu]]]) -> Finding:
    (vlan, _, _), number = tree
    every = [one for run in runs for one in run]
    first_ns, last_ns = every[0].ts_ns, every[-1].ts_ns
    senders = list(dict.fromkeys(one.frame.eth_src for one in every))
    of_tree = f"of VLAN {number}" if number else f"({in_vlan(vlan)})"
    return RULE.finding(
        subject=Subject(vlan=number or vlan or None),
        confidence=Confidence.CERTAIN,
        summary=(
            f"The spanning tree {of_tree} changed {times(len(runs))} in {duration(last_ns - first_ns)}; each time "
            "every switch forgot where MACs are."
        ),
        evidence=(
            cite(view, (run[0].number for run in runs), f"first unit of each change, from {listed(senders[:3])}"),
        ),
        filter="stp.flags.tc == 1 || stp.type == 0x80",
        first_ns=first_ns,
        last_ns=last_ns,
        alternatives=("maintenance in these minutes, with a change for each step",),
        limits=("one port shows that the tree changes, not where",),
        next_steps=(
            NextStep(
                where=switch_port(view),
                command="show spanning-tree detail | include ieee|occurr|from|is exec",
                meaning="the port of the last change: go on at the switch behind it, to the port that flaps",
            ),
            NextStep(
                where="every switch",
                command="show interfaces status; show logging | include LINK|UPDOWN",
                meaning="a host's port that flaps must be an edge port (portfast); a trunk that flaps is the fault",
            ),
        ),
    )


RULE = Rule(
    code="VLAN012",
    name="topology-change-storm",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.WARNING,
    check=check,
)
