"""PHYS008 vrrp-split-brain: two routers are master of one virtual address at the same time.

What it does
------------
Follows VRRP advertisements of one virtual router (its id and addresses) in one VLAN. Two senders that take turns for
ten seconds and more are both master. From several captures: each side sees its own master only, in one VLAN of one
network.

Why it matters
--------------
Both announce the gateway address and answer for it: connections break as switches and guests learn now one, now the
other; both serve DHCP and passwords.

Common causes
-------------
VRRP is dropped on the way (a VLAN missing on one port, a firewall, filtered multicast); versions, passwords, intervals
or addresses that differ, so that each throws the other's advertisements away.

What else it could be
---------------------
A failover, or a master that comes back: there the sender changes once. Two groups of routers that took the same id for
different addresses are a remark.

Next steps
----------
Look at the state of both routers, and at what keeps their advertisements apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise

from dissectors.vrrp import Vrrp
from pcapdx.case import Case, View
from pcapdx.dissect import Seen
from pcapdx.model import Confidence, Evidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import network_id
from pcapdx.rules.definitions.observable import COOKED
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration, in_vlan, listed, times
from pcapdx.values import dataclass
from pcapdx.vantage import Role

LASTING = 10 * SECOND
"""A change of masters, forth and back, is over by then: three advertisements and the skew time are missed."""
TURNS = 4
MOST_MASTERS = 8
"""Those that sent most; a group of routers is two or three."""
Router = tuple[tuple[int, int, int], int, int, int]
"""Segment, capture interface, IP version, virtual router id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Master:
    """One sender of advertisements for one virtual router."""

    view: View
    ip: str
    mac: str | None
    sent: tuple[Seen[Vrrp], ...]

    @property
    def first_ns(self) -> int:
        """Its first advertisement."""
        return self.sent[0].ts_ns

    @property
    def last_ns(self) -> int:
        """Its last one."""
        return self.sent[-1].ts_ns

    @property
    def latest(self) -> Vrrp:
        """What it said last."""
        return self.sent[-1].message

    @property
    def addresses(self) -> frozenset[str]:
        """The virtual addresses."""
        return frozenset(self.latest.addresses)

    @property
    def words(self) -> str:
        """Address, MAC, priority."""
        return f"{self.ip} ({self.mac}, priority {self.latest.priority})"


def check(view: View) -> Iterator[Finding]:
    """One finding a virtual router, of one capture."""
    for router, masters in _masters(view).items():
        for one, other in combinations(masters, 2):
            turns = _turns(one, other)
            if _one_machine(one, other) or len(turns) < TURNS or turns[-1] - turns[0] < LASTING:
                continue
            yield _finding(router[0][0], one, other, turns)
            break


def check_path(case: Case) -> Iterator[Finding]:
    """Each of two captures has one master, and they are not the same."""
    alone: dict[tuple[tuple[int, int, int], int, int], list[Master]] = {}
    for view in case.views:
        for (segment, _, version, vrid), masters in _masters(view).items():
            if len(masters) == 1 and segment[0]:
                alone.setdefault((segment, version, vrid), []).append(masters[0])
    for (segment, _, _), masters in alone.items():
        for one, other in combinations(masters, 2):
            both_ns = min(one.last_ns, other.last_ns) - max(one.first_ns, other.first_ns)
            if one.view is other.view or both_ns < LASTING or _one_machine(one, other) or one.ip == other.ip:
                continue
            if one.addresses == other.addresses and _one_network(one, other):
                yield _finding(segment[0], one, other, ())


def _masters(view: View) -> Mapping[Router, Sequence[Master]]:
    cooked = any(one.link_type in COOKED for one in view.capture.interfaces)
    sent: dict[Router, dict[str, list[Seen[Vrrp]]]] = {}
    for one in view.messages(Vrrp):
        frame, message = one.frame, one.message
        # of all interfaces at once, untagged frames are of many networks, each with such a router
        if message.resigns or frame.src is None or ((cooked or view.vantage.role is Role.ANY) and not frame.vlan):
            continue
        router = frame.segment, frame.interface, message.ip_version, message.vrid
        sent.setdefault(router, {}).setdefault(frame.src, []).append(one)
    return {
        router: [
            Master(view=view, ip=ip, mac=every[0].frame.eth_src, sent=tuple(every))
            for ip, every in sorted(senders.items(), key=lambda one: -len(one[1]))[:MOST_MASTERS]
        ]
        for router, senders in sent.items()
    }


def _turns(one: Master, other: Master) -> list[int]:
    """When the sender changed, from the second to the last time."""
    every = sorted((seen.ts_ns, seen.frame.src or "") for master in (one, other) for seen in master.sent)
    return [later for (_, before), (later, ip) in pairwise(every) if ip != before]


def _one_machine(one: Master, other: Master) -> bool:
    """One MAC with two addresses, unless it is the virtual router's own, which both would have."""
    return one.mac == other.mac and not one.latest.virtual_mac


def _one_network(one: Master, other: Master) -> bool:
    """By CloudStack's MACs: the same VLAN id may be another network elsewhere, with the same addresses by default."""
    numbers = {network_id(master.mac or "") for master in (one, other)}
    return len(numbers) == 1 and None not in numbers


def _finding(vlan: int, one: Master, other: Master, turns: Sequence[int]) -> Finding:
    shared = one.addresses & other.addresses
    vrid = one.latest.vrid
    between = min(one.last_ns, other.last_ns) - max(one.first_ns, other.first_ns)
    who = listed(master.words for master in (one, other))
    if shared:
        summary = (
            f"Two routers are master of {listed(sorted(shared))} at once ({in_vlan(vlan)}, VRRP id {vrid}): {who}, for "
            f"{duration(between)}{_why(one, other)}."
        )
    else:
        summary = (
            f"Two groups of routers use VRRP id {vrid} ({in_vlan(vlan)}), for different addresses: {who}. Each throws "
            "the other's advertisements away."
        )
    return RULE.finding(
        subject=Subject(vlan=vlan or None, name=f"VRRP id {vrid}"),
        severity=Severity.ERROR if shared else Severity.INFO,
        confidence=Confidence.LIKELY if not turns else Confidence.CERTAIN,
        summary=summary,
        evidence=tuple(_evidence(master, turns) for master in (one, other)),
        filter=f"vrrp.virt_rtr_id == {vrid}",
        first_ns=max(one.first_ns, other.first_ns),
        last_ns=min(one.last_ns, other.last_ns),
        alternatives=("the clocks of the two captures are far apart, and one master followed the other",)
        if not turns
        else (),
        next_steps=_steps(vlan, one, other),
    )


def _evidence(master: Master, turns: Sequence[int]) -> Evidence:
    how = f"; the two took turns {times(len(turns))}" if turns else "; of the other one nothing is seen here"
    return cite(master.view, (seen.number for seen in master.sent), f"advertisements of {master.ip}{how}")


def _why(one: Master, other: Master) -> str:
    """What in their advertisements makes each throw away the other's; empty where they are alike."""
    mine, theirs = one.latest, other.latest
    for what, here, there in (
        ("versions", mine.version, theirs.version),
        ("kinds of authentication", mine.authentication, theirs.authentication),
        ("intervals in ms", mine.interval_ms, theirs.interval_ms),
        ("numbers of addresses", len(mine.addresses), len(theirs.addresses)),
    ):
        if here != there:
            return f"; their {what} differ, {here} and {there}"
    return ""


def _steps(vlan: int, one: Master, other: Master) -> tuple[NextStep, ...]:
    return (
        NextStep(
            where=f"both routers, {one.ip} and {other.ip}",
            command="tcpdump -enni eth0 'ip proto 112 or ip proto 51'; journalctl -u keepalived | tail",
            meaning=(
                "the other one's advertisements do not come in: the path; they come in and are dropped: the firewall "
                "(iptables -L INPUT) or settings that differ"
            ),
        ),
        NextStep(
            where="hosts and switches between them",
            command=f"tcpdump -enni NIC 'vlan {vlan} and ip proto 112'" if vlan else "tcpdump -enni NIC 'ip proto 112'",
            meaning="the point behind which only one of the two is seen loses the VLAN, or its multicast",
        ),
        NextStep(
            where="CloudStack API",
            command="listRouters listall=true (redundantstate)",
            meaning="two times PRIMARY in one network: stop the one that should be BACKUP until the path is mended",
        ),
    )


RULE = Rule(
    code="PHYS008",
    name="vrrp-split-brain",
    topic=Topic.PHYSICAL_NETWORKS,
    severity=Severity.ERROR,
    check=check,
    check_path=check_path,
    explains=("HYP015", "DHCP015", "DHCP013", "DHCP012", "DHCP018", "DHCP011"),
)
