"""HYP006 double-tag: frames carry two VLAN tags where one is expected.

What it does
------------
Finds frames with two customer tags that a guest sends, or that are sent under a VLAN id which other machines use with
that tag alone. Service tags (802.1ad), links on which every frame has two, and pairs of tags by which somebody is
answered are told as they are.

Why it matters
--------------
The receiving host takes off one tag and finds another: the frame reaches no guest.

Common causes
-------------
A guest that tags by itself on a tagged network; a VLAN device on top of a VLAN device below the label bridge.

What else it could be
---------------------
A provider's or an operator's QinQ, on purpose.

Next steps
----------
See who adds the inner tag: the guest, or the host.
"""

from collections.abc import Iterator

from dissectors.arp import ArpExchange
from dissectors.dhcp import DhcpExchange
from dissectors.dot1q import Dot1q
from dissectors.icmp import PingExchange
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, listed

CUSTOMER = 0x8100


def check(view: View) -> Iterator[Finding]:
    """One finding a pair of tags."""
    if view.counters["double_tagged"] < REPETITION:
        return
    single: dict[int, list[str | None]] = {}
    double: dict[tuple[int, int], list[Seen[Dot1q]]] = {}
    for one in view.messages(Dot1q):
        ids = [tag.vid for tag in one.message.tags if tag.vid]
        if one.frame.vni >= 0 or not ids:
            continue
        if len(ids) == 1:
            single.setdefault(ids[0], []).append(one.frame.eth_src)
        else:
            double.setdefault((ids[0], ids[1]), []).append(one)
    by_design = _answered(view)
    for (outer, inner), members in double.items():
        senders = {one.frame.eth_src for one in members}
        others = [mac for mac in single.get(outer, ()) if mac not in senders]
        mixed, meant = len(others) >= REPETITION, (outer, inner) in by_design
        yield _finding(view, outer, inner, members, mixed=mixed, meant=meant)


def _answered(view: View) -> frozenset[tuple[int, int]]:
    """Pairs of tags with which somebody asked and was answered: both ends mean them."""
    asked: list[ArpExchange | DhcpExchange | PingExchange] = [
        *(one for one in view.exchanges(ArpExchange) if one.replies),
        *(one for one in view.exchanges(DhcpExchange) if one.answered and one.client_messages),
        *(one for one in view.exchanges(PingExchange) if one.replies),
    ]
    return frozenset((one.vlan, one.inner_vlan) for one in asked if one.inner_vlan is not None)


def _finding(view: View, outer: int, inner: int, members: list[Seen[Dot1q]], *, mixed: bool, meant: bool) -> Finding:
    senders = list(dict.fromkeys(one.frame.eth_src or "" for one in members))
    customer = all(one.message.tags[0].tpid == CUSTOMER for one in members)
    odd = customer and not meant and (mixed or any(is_guest(mac) for mac in senders))
    verb = "sends" if len(senders) == 1 else "send"
    beside = f", where others send with {outer} alone" if mixed else ""
    return RULE.finding(
        subject=Subject(vlan=outer),
        severity=Severity.WARNING if odd else Severity.INFO,
        confidence=Confidence.LIKELY if odd else Confidence.POSSIBLE,
        summary=f"{listed(senders[:3])} {verb} with two tags, {inner} inside {outer}{beside}.",
        evidence=(cite(view, (one.number for one in members), f"tags {outer} and {inner}"),),
        filter=f"vlan.id == {outer} && vlan.id == {inner}",
        first_ns=members[0].ts_ns,
        last_ns=members[-1].ts_ns,
        alternatives=("QinQ on purpose: a provider's link, or an appliance that tags inside its network",),
        next_steps=(
            NextStep(
                where=f"host of {senders[0]}",
                command="tcpdump -enni vnetN vlan",
                meaning=f"tag {inner} already there: the guest adds it; not there: the host adds both",
            ),
            NextStep(
                where="that host",
                command="ip -d link show type vlan; ovs-vsctl --columns=name,tag,vlan_mode list port",
                meaning="a VLAN device on a VLAN device adds the second tag",
            ),
        ),
    )


RULE = Rule(
    code="HYP006",
    name="double-tag",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.WARNING,
    check=check,
)
