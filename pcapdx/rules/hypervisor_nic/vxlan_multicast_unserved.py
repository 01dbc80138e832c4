"""HYP022 vxlan-multicast-unserved: VXLAN goes to a multicast group that nobody on this side has asked for.

What it does
------------
At an underlay NIC, takes hosts that send VXLAN to a multicast group. One that answers the querier's questions for other
groups and not for this one will get nothing from it. Where reports are seen and nobody asks for more than four minutes,
switches that snoop IGMP forget the members: a warning where broadcasts to a machine that speaks are no longer
answered, else a remark.

Why it matters
--------------
Broadcasts of the guest network (ARP, DHCP) travel by this group: who is not a member gets none, while unicast between
hosts that know each other works.

Common causes
-------------
More than 20 groups on a host (``net.ipv4.igmp_max_memberships``, issue 3010); a firewall that drops IGMP; no querier in
the underlay VLAN.

What else it could be
---------------------
Reports of another host that were seen in its place (IGMP version 2 lets one answer for all). An underlay without
snooping needs neither reports nor queries. EVPN has no such groups and is not concerned.

Next steps
----------
Look at the host's memberships and at who is the querier.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence

from dissectors.arp import Arp, ArpExchange
from dissectors.dhcp import Dhcp
from dissectors.igmp import IgmpQuery, IgmpReport
from dissectors.ipv6_nd import NeighborSolicitation
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import BROADCAST_MAC, Frame
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import speaks
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.windows import ARP_AFTER, ARP_TRIES, SECOND
from pcapdx.rules.definitions.wording import cite, duration, listed, times
from pcapdx.values import dataclass

QUERIES = 2
"""Without a report for the group: a single answer may be lost."""
SLACK = 1 * SECOND
MOST_QUERIES = 64
USED_FOR = 30 * SECOND
NO_QUERY = 260 * SECOND
"""Two query intervals of 125 s and a response time (RFC 3376, 8.4): members are forgotten then."""
UNHEARD = 40 * SECOND
"""Of ARP frames alike one in twenty seconds is read: in twice that time a reply would be among them."""
VXLAN = 1
Sent = Mapping[tuple[str, str], Sequence[Frame]]


def check(view: View) -> Iterator[Finding]:
    """One finding a host and group, or one remark."""
    sent = _sent_to_groups(view)
    queries, reports = view.messages(IgmpQuery), view.messages(IgmpReport)
    if not sent or not reports:
        return
    asked = list(_asked(view, queries, reports))
    for (host, group), frames in sent.items():
        if any(group in one.groups for one in asked) or frames[-1].ts_ns - frames[0].ts_ns < USED_FOR:
            continue
        missed = [one.query for one in asked if host in one.hosts]
        if len(missed) >= QUERIES:
            yield _unserved(view, host, group, frames, missed)
    longest = max((frames[-1].ts_ns - frames[0].ts_ns for frames in sent.values()), default=0)
    if not queries and longest >= NO_QUERY and view.duration_ns >= NO_QUERY:
        yield _nobody_asks(view, sent, reports)


@once_a_view
def _sent_to_groups(view: View) -> Sent:
    """By host (VTEP) and group, the frames of guests' broadcasts that it sent there, in time order."""
    found: dict[tuple[str, str], list[Frame]] = {}
    for kind in (Arp, Dhcp, NeighborSolicitation):
        every: Sequence[Seen[object]] = view.messages(kind)
        for one in every:
            source, group = one.frame.outer_src, one.frame.outer_dst
            if one.frame.tunnel == VXLAN and source is not None and group is not None and _is_group(group):
                found.setdefault((source, group), []).append(one.frame)
    return {key: sorted(frames, key=lambda one: one.ts_ns) for key, frames in found.items()}


def _is_group(ip: str) -> bool:
    return ip.split(".", 1)[0] in {str(first) for first in range(224, 240)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A general query that had its time, and what was answered."""

    query: Seen[IgmpQuery]
    groups: frozenset[str]
    hosts: frozenset[str | None]
    """Those that answered for any group."""


def _asked(view: View, queries: Sequence[Seen[IgmpQuery]], reports: Sequence[Seen[IgmpReport]]) -> Iterator[Asked]:
    times_ns = [one.ts_ns for one in reports]
    for query in [one for one in queries if one.message.general][:MOST_QUERIES]:
        end_ns = query.ts_ns + query.message.response_ms * 1_000_000 + SLACK
        answers = reports[bisect_left(times_ns, query.ts_ns) : bisect_right(times_ns, end_ns)]
        joining = [one for one in answers if one.message.joined]
        if view.last_ns >= end_ns:
            yield Asked(
                query=query,
                groups=frozenset(group for one in joining for group in one.message.joined),
                hosts=frozenset(one.frame.src for one in joining),
            )


def _unserved(view: View, host: str, group: str, frames: Sequence[Frame], missed: Sequence[Seen[IgmpQuery]]) -> Finding:
    others = {
        joined: one.number
        for one in view.messages(IgmpReport)
        if one.frame.src == host and one.ts_ns >= missed[0].ts_ns
        for joined in one.message.joined
    }
    vnis = listed(sorted({frame.vni for frame in frames}))
    return RULE.finding(
        subject=Subject(ip=host, server=group),
        confidence=Confidence.LIKELY,
        summary=(
            f"{host} sends VXLAN {vnis} to {group} and never reports that it wants that group: "
            f"asked {times(len(missed))} it answered for {listed(list(others)[:3])} only."
        ),
        evidence=(
            cite(view, (frame.number for frame in frames), f"guests' broadcasts from {host} to {group}"),
            cite(view, (one.number for one in missed), "general queries"),
            cite(view, list(others.values())[:4], f"reports of {host} for other groups"),
        ),
        filter=f"igmp || (vxlan && ip.dst == {group})",
        first_ns=frames[0].ts_ns,
        last_ns=frames[-1].ts_ns,
        alternatives=("a switch without IGMP snooping sends the group everywhere, and nothing is missed",),
        next_steps=(
            NextStep(
                where=f"host {host}",
                command="sysctl net.ipv4.igmp_max_memberships; ip maddr show; cat /proc/net/igmp",
                meaning=f"{group} is not there, and as many groups as the limit: raise it to 200",
            ),
            NextStep(
                where=f"host {host}",
                command="iptables-save | grep -i igmp; nft list ruleset | grep -i igmp",
                meaning="a rule that drops IGMP keeps the reports in",
            ),
        ),
    )


def _nobody_asks(view: View, sent: Sent, reports: Sequence[Seen[IgmpReport]]) -> Finding:
    groups = list(dict.fromkeys(group for _, group in sent))
    every = [frame for frames in sent.values() for frame in (frames[0], frames[-1])]
    lost = _unanswered(view, {frame.vni for frames in sent.values() for frame in frames})
    unheard = [request.number for one in lost for request in one.requests]
    return RULE.finding(
        subject=Subject(),
        severity=Severity.WARNING if lost else Severity.INFO,
        confidence=Confidence.POSSIBLE,
        summary=(
            f"VXLAN uses the groups {listed(groups[:4])}, and in {duration(view.duration_ns)} nobody asked who wants "
            f"them: switches that snoop IGMP forget the members{_and(lost)}."
        ),
        evidence=(
            cite(view, (frame.number for frame in every), "VXLAN to the groups"),
            cite(view, (one.number for one in reports), "reports: IGMP is seen here, but no query"),
            *((cite(view, unheard, "broadcasts that are no longer answered"),) if lost else ()),
        ),
        filter="igmp || vxlan",
        first_ns=view.first_ns,
        last_ns=view.last_ns,
        alternatives=("the underlay does not snoop, and every port gets every group",),
        next_steps=(
            NextStep(
                where="underlay switch",
                command="show ip igmp snooping querier; show ip igmp snooping groups",
                meaning="snooping on and no querier: switch one on in this VLAN",
            ),
        ),
    )


def _unanswered(view: View, vnis: set[int]) -> list[ArpExchange]:
    """Broadcasts for a machine that answered them before, and no longer does though it speaks: they do not arrive."""
    answered: set[tuple[int | None, str, str]] = set()
    found = []
    for one in view.exchanges(ArpExchange):
        key = one.vni, one.asker_mac, one.target_ip
        asked = [request for request in one.requests if request.frame.eth_dst_int == BROADCAST_MAC]
        if one.replies:
            answered.add(key)
        elif key in answered and one.vni in vnis and len(asked) >= ARP_TRIES:
            first_ns, last_ns = asked[0].ts_ns, asked[-1].ts_ns
            waited = last_ns - first_ns >= UNHEARD and view.remains_ns(last_ns) >= ARP_AFTER
            if waited and speaks(view, one.target_ip, None, one.vni, last_ns):
                found.append(one)
    return found


def _and(lost: Sequence[ArpExchange]) -> str:
    who = listed(dict.fromkeys(one.target_ip for one in lost[:4]))
    return f", and {who} no longer hears broadcasts, though it speaks" if lost else ""


RULE = Rule(
    code="HYP022",
    name="vxlan-multicast-unserved",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.WARNING,
    check=check,
    explains=("DHCP001", "DHCP010", "DHCP020", "VLAN019"),
)
