"""PHYS001 labels-crossed: a host sends a guest VLAN by another NIC than other hosts do.

What it does
------------
With captures of two NICs of one host and of another host's NIC, named after them (``kvm1-eth0``, ``kvm1-eth1``,
``kvm2-eth1``): finds a VLAN in which machines of the first host ask in vain at one NIC, while the other host's machines
use that VLAN on its NIC of the other name, from where they are heard at the first host's NIC of that same name.

Why it matters
--------------
Every guest that starts on this host is cut off from its network; instances work or not depending on their host.

Common causes
-------------
The bridges of two traffic labels (cloudbr0, cloudbr1) stand on each other's NIC on this host.

What else it could be
---------------------
Hosts whose NICs have the same names for other cables: what is heard at the NIC of the same name tells. One bond of both
NICs: then the answers come in by the other NIC, and nothing is said.

Next steps
----------
Compare bridges and NICs of this host with those of a host that works.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from pcapdx.case import Case, Talker, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import ArpDead, arp_silent
from pcapdx.rules.definitions.local import is_local, local_talkers, remote_talkers
from pcapdx.rules.definitions.nics import host_and_nic, one_host
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, listed
from pcapdx.vantage import Role


def check(case: Case) -> Iterator[Finding]:
    """One finding a host and NIC."""
    wires = [one for one in case.views if one.vantage.role is not None and one.vantage.role.is_wire]
    for asking in wires:
        for hearing in wires:
            if one_host(asking.name, hearing.name) and asking.vantage.role is not Role.BOND:
                others = [one for one in wires if _same_nic_elsewhere(one.name, hearing.name)]
                yield from _crossed(asking, hearing, others)


def _same_nic_elsewhere(name: str, other: str) -> bool:
    mine, theirs = host_and_nic(name), host_and_nic(other)
    return mine is not None and theirs is not None and mine[0] != theirs[0] and mine[1] == theirs[1]


def _crossed(asking: View, hearing: View, others: Sequence[View]) -> Iterator[Finding]:
    silent: dict[int, list[ArpDead]] = defaultdict(list)
    for dead in arp_silent(asking):
        if dead.vlan and dead.vni is None and dead.retried and is_local(asking, dead.asker_mac) is True:
            silent[dead.vlan].append(dead)
    for other in others:
        found: dict[int, list[ArpDead]] = {}
        heard: list[Talker] = []
        for vlan, members in silent.items():
            there = {one.mac for one in local_talkers(other, vlan)}
            here = [one for one in remote_talkers(hearing, vlan) if one.mac in there]
            if sum(one.sent for one in here) >= REPETITION and not _used(asking, hearing, vlan, members):
                found[vlan] = members
                heard += here
        if found:
            yield _finding(asking, hearing, other, found, heard)
            return


def _used(asking: View, hearing: View, vlan: int, members: Sequence[ArpDead]) -> bool:
    """The VLAN is at home where it is asked in, or what the askers are sent comes in by the other NIC: one bond."""
    askers = {one.asker_mac for one in members}
    by_other = any(one.mac in askers and (one.sent or one.received) for one in hearing.talkers)
    return by_other or bool(remote_talkers(asking, vlan))


def _finding(
    asking: View, hearing: View, other: View, found: dict[int, list[ArpDead]], heard: Sequence[Talker]
) -> Finding:
    dead = [one for members in found.values() for one in members]
    vlans = listed(sorted(found))
    return RULE.finding(
        subject=Subject(name=asking.name),
        confidence=Confidence.LIKELY,
        summary=(
            f"Guests of this host use VLAN {vlans} by {asking.name}, where nobody answers; {other.name} uses the same"
            f" by the other NIC, and is heard at {hearing.name}: the traffic labels of this host are crossed."
        ),
        evidence=(
            cite(asking, (number for one in dead for number in one.frames), f"requests tagged {vlans}, unanswered"),
            cite(hearing, (number for one in heard for number in one.frames), f"machines of {other.name}'s host"),
        ),
        filter=" || ".join(f"vlan.id == {vlan}" for vlan in sorted(found)[:8]),
        first_ns=min(one.first_ns for one in dead),
        last_ns=max(one.last_ns for one in dead),
        alternatives=(
            "two physical networks that carry the same VLAN id by plan",
            "the NICs of the two hosts are named in another order: LLDP tells which switch each is in",
        ),
        next_steps=(
            NextStep(
                where=f"the host of {asking.name}, and that of {other.name}",
                command="bridge link; ip -br link; lldpctl; grep network.device /etc/cloudstack/agent/agent.properties",
                meaning="the bridge of the guest label must stand on the NIC of the guest switch, on both hosts alike",
            ),
            NextStep(
                where="CloudStack API",
                command="list traffictypes physicalnetworkid=<id>",
                meaning="kvmnetworklabel: the bridge each kind of traffic goes to",
            ),
        ),
    )


RULE = Rule(
    code="PHYS001",
    name="labels-crossed",
    topic=Topic.PHYSICAL_NETWORKS,
    severity=Severity.ERROR,
    check_path=check,
    explains=("VLAN001", "VLAN002", "VLAN003", "VLAN006", "VLAN019", "HYP009", "PHYS005", "HOST001"),
)
