"""SG003 unregistered-source-ip, SG004 unregistered-source-mac: the host drops what a guest sends under another name.

What it does
------------
With captures at a guest's tap and at the NIC of its host: finds a source address of the guest whose packets all die on
the host while those of its other address pass (SG003), and a source MAC other than the NIC's own whose frames all die
(SG004).

Why it matters
--------------
Anti-spoofing rules let pass what CloudStack knows of the NIC and nothing else; inside the guest all looks well.

Common causes
-------------
A secondary address that was set inside the guest and never acquired in CloudStack; containers, VPN or nested guests
that are bridged and not translated; VRRP inside guests with a virtual MAC.

What else it could be
---------------------
Somebody really forges addresses. An appliance by design needs an offering without security groups.

Next steps
----------
Ask CloudStack which addresses the NIC has.
"""

from collections.abc import Iterator

import numpy as np

from pcapdx.case import Case
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import Fate, Leg, ip_of, is_ip, legs, mac_int, mac_of, most_seen
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import listed
from pcapdx.vantage import Role


def check_ip(case: Case) -> Iterator[Finding]:
    """SG003: one finding a guest and address."""
    for leg in legs(case):
        if not leg.leaves_host:
            continue
        for mac in leg.own:
            sent = leg.sent_by(mac) & is_ip(leg.rows) & leg.expected & leg.pair.heard
            fates = {ip: leg.fate(sent & (leg.rows["src"] == ip)) for ip in _addresses(leg, mac)}
            passing = {ip: fate for ip, fate in fates.items() if len(fate.passed) >= REPETITION and not len(fate.lost)}
            for ip, fate in fates.items():
                if passing and fate.dead and len(fate.lost) >= REPETITION:
                    yield _address(leg, mac, ip, fate, passing)


def check_mac(case: Case) -> Iterator[Finding]:
    """SG004: one finding a guest and foreign MAC."""
    for leg in legs(case):
        own = _main_mac(leg) if leg.leaves_host and leg.near.vantage.role is Role.TAP else None
        if own is None:
            continue
        mine = leg.fate(leg.sent_by(mac_int(own)))
        passing = mine.passed
        for mac in most_seen(leg.rows["eth_src"]):
            inward = leg.sent_by(mac) & (leg.rows["eth_dst"] == mac_int(own))
            if mac == mac_int(own) or np.isin(mac, leg.pair.others["eth_src"]) or np.any(inward):
                continue
            fate = leg.fate(leg.sent_by(mac))
            if fate.dead and len(fate.lost) >= REPETITION and len(passing) >= REPETITION:
                yield _mac(leg, own, mac, fate, mine)


def _main_mac(leg: Leg) -> str | None:
    """The MAC that others answer: several speak at the tap of a guest that has guests of its own."""
    there = leg.pair.from_far
    answered = [one for one in leg.near.talkers if one.sent and one.received and mac_int(one.mac) not in there]
    return leg.guest or (max(answered, key=lambda one: one.received).mac if answered else None)


def _addresses(leg: Leg, mac: int) -> list[int]:
    """Unicast IPv4 sources of a guest; 0.0.0.0 is a client without one."""
    found = most_seen(leg.rows["src"][leg.sent_by(mac)])
    return [ip for ip in found if 0 < ip < 1 << 32]


def _address(leg: Leg, mac: int, ip: int, fate: Fate, passing: dict[int, Fate]) -> Finding:
    near, far, name, address = leg.near.name, leg.far.name, mac_of(mac), ip_of(ip) or "?"
    good = listed(ip_of(one) for one in list(passing)[:3])
    return ADDRESS.finding(
        subject=Subject(mac=name, ip=address),
        confidence=leg.confidence,
        summary=(
            f"The host drops what {name} sends from {address}: {len(fate.lost):,} packets are at {near} and "
            f"none at {far}, "
            f"while those from {good} pass."
        ),
        evidence=(
            leg.seen(fate.lost, f"packets from {address}"),
            leg.missing(""),
            leg.arrived(next(iter(passing.values())).passed, f"packets from {good}"),
        ),
        filter=f"eth.src == {name} && ip.src == {address}",
        first_ns=int(fate.lost["ts_ns"][0]),
        last_ns=int(fate.lost["ts_ns"][-1]),
        alternatives=(f"a filter of the host that knows {address} for another reason",),
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"host of {near}",
                command=f"ipset list | grep -B8 {good.split(',')[0].split(' ')[0]}",
                meaning=f"the guest's set: {address} is not in it, so its packets are dropped",
            ),
            NextStep(
                where="CloudStack API",
                command=f"cmk add iptonic nicid=<NIC of {name}> ipaddress={address}",
                meaning="after that the set has it and the packets pass",
            ),
        ),
    )


def _mac(leg: Leg, own: str, mac: int, fate: Fate, mine: Fate) -> Finding:
    near, far, name = leg.near.name, leg.far.name, mac_of(mac)
    return MAC.finding(
        subject=Subject(mac=name),
        confidence=leg.confidence,
        summary=(
            f"The host drops what leaves the tap of {own} with the source {name}: {len(fate.lost):,} frames "
            f"are at {near} and "
            f"none at {far}, while the guest's own pass."
        ),
        evidence=(
            leg.seen(fate.lost, f"frames from {name}"),
            leg.missing(""),
            leg.arrived(mine.passed, f"frames from {own}"),
        ),
        filter=f"eth.src == {name}",
        first_ns=int(fate.lost["ts_ns"][0]),
        last_ns=int(fate.lost["ts_ns"][-1]),
        alternatives=("a bridged appliance by design: its offering must not have security groups",),
        limits=leg.limits,
        next_steps=(
            NextStep(
                where=f"host of {near}",
                command="ebtables -t nat -L --Lc",
                meaning=f"the tap's rule admits {own} only; its DROP counts these frames",
            ),
        ),
    )


ADDRESS = Rule(
    code="SG003",
    name="unregistered-source-ip",
    topic=Topic.SECURITY_GROUPS,
    severity=Severity.WARNING,
    check_path=check_ip,
    explains=("SG002",),
)
MAC = Rule(
    code="SG004",
    name="unregistered-source-mac",
    topic=Topic.SECURITY_GROUPS,
    severity=Severity.WARNING,
    check_path=check_mac,
    explains=("DHCP001", "DHCP006", "HYP001", "VLAN022"),
)
