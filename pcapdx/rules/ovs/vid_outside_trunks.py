"""OVS003 vid-outside-trunks: no guest of one network gets out of its host, guests of others do by the same NIC.

What it does
------------
With captures at a guest's tap (or its bridge) and at the NIC of its host: finds that of two or more guests of one
network that are heard there nothing comes out at the NIC, while guests of other networks do get out.

Why it matters
--------------
One guest that does not get out has a fault of its own; all of a network at once share what joins their network to the
uplink, and so will every guest that is started here.

Common causes
-------------
Open vSwitch: the list of VLANs (``trunks``) of the uplink, or of the bond, lacks this one. Linux bridges: the VLAN
device is not in the network's bridge, is down, or was never made.

What else it could be
---------------------
Filters left behind at every one of these taps. A NIC that is not the one of this network, where the host has several.

Next steps
----------
Look at the list of VLANs of the uplink and at what is in the bridge.
"""

from collections.abc import Iterator

import numpy as np

from pcapdx.case import Case, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.path.pair import is_group
from pcapdx.rule import Rule
from pcapdx.rules.definitions.inside import enough, one_network
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.macs import is_guest, network_id
from pcapdx.rules.definitions.path import Fate, Leg, legs, mac_int, mac_of, most_seen
from pcapdx.rules.definitions.windows import BURST, REPETITION
from pcapdx.rules.definitions.wording import cite, listed

MEMBERS = 2
Dead = tuple[Leg, int, Fate]


def check(case: Case) -> Iterator[Finding]:
    """One finding a network and NIC."""
    for members in _networks(list(_dead(case))):
        far = members[0][0].far
        others, proven = _getting_out(case, far, members)
        if len(members) >= MEMBERS and others and not _neighbour_at_nic(far, members):
            yield _finding(far, members, others, proven=proven)


def _dead(case: Case) -> Iterator[Dead]:
    """Everybody heard at a tap or bridge of whom nothing gets to the NIC, where nobody there gets out.

    Who was elsewhere would have come in by the NIC and be seen there.
    """
    told: set[int] = set()
    for leg in legs(case):
        if not leg.leaves_host or np.any(leg.pair.there >= 0):
            continue
        for mac in most_seen(leg.rows["eth_src"][leg.group]):
            fate = leg.fate(leg.sent_by(mac) & leg.expected)
            if mac not in told and is_guest(mac_of(mac)) and fate.dead and enough(fate.lost):
                told.add(mac)
                yield leg, mac, fate


def _networks(dead: list[Dead]) -> list[list[Dead]]:
    """Dead guests by NIC and network."""
    found: list[list[Dead]] = []
    for one in dead:
        leg, mac, _ = one
        for group in found:
            first, first_mac, _ = group[0]
            if first.far is leg.far and one_network(first.near, mac_of(first_mac), leg.near, mac_of(mac)):
                group.append(one)
                break
        else:
            found.append([one])
    return found


def _getting_out(case: Case, far: View, members: list[Dead]) -> tuple[tuple[str, ...], bool]:
    """Guests of other networks that leave by this NIC, and whether one of them was recorded at its tap or bridge, too:
    then the NIC is that of their host for certain.
    """
    own = {mac for _, mac, _ in members}
    inside = [leg for leg in legs(case) if leg.far is far and leg.leaves_host]
    here = {
        mac_of(mac)
        for leg in inside
        for mac in leg.own
        if mac not in own and int(np.sum((leg.pair.there >= 0) & leg.sent_by(mac))) >= BURST
    }
    at_nic = {
        one.mac
        for one in far.talkers
        if one.sent >= BURST and is_guest(one.mac) and is_local(far, one.mac) is True and mac_int(one.mac) not in own
    }
    return tuple(sorted(here or at_nic)), bool(here)


def _neighbour_at_nic(far: View, members: list[Dead]) -> bool:
    """Somebody of the same network, as CloudStack's MACs tell it, may get out here."""
    networks = {network_id(mac_of(mac)) for _, mac, _ in members} - {None}
    return any(
        one.sent and network_id(one.mac) in networks and is_local(far, one.mac) is not False for one in far.talkers
    )


def _vlan(far: View, members: list[Dead]) -> int | None:
    """The tag that comes in for these guests, else the one that the profile has for their network."""
    macs = [mac for _, mac, _ in members]
    leg = members[0][0]
    rows = leg.pair.others
    tags = np.unique(rows["vlan"][np.isin(rows["eth_dst"], macs) & ~is_group(rows["eth_dst"])]).tolist()
    if len(tags) == 1 and tags[0]:
        return int(tags[0])
    addresses = [one.ip for one in leg.near.bindings if mac_int(one.mac) in macs]
    networks = [leg.near.site.network_of(ip) for ip in addresses]
    return next((one.vlan for one in networks if one is not None and one.vlan), None)


def _finding(far: View, members: list[Dead], others: tuple[str, ...], *, proven: bool) -> Finding:
    vlan = _vlan(far, members)
    names = listed(mac_of(mac) for _, mac, _ in members)
    lost = [fate.lost for _, _, fate in members]
    total = sum(len(rows) for rows in lost)
    uplink = far.vantage.interface or "<uplink>"
    what = f"VLAN {vlan}" if vlan else "their network's VLAN"
    passing = [number for one in far.talkers if one.mac in others for number in one.frames[:REPETITION]]
    return RULE.finding(
        subject=Subject(vlan=vlan),
        severity=Severity.ERROR if proven else Severity.WARNING,
        confidence=Confidence.LIKELY if proven else Confidence.POSSIBLE,
        summary=(
            f"{what[0].upper()}{what[1:]} does not get out of the host: of {names}, all guests of one network, nothing "
            f"of {total:,} frames is at {far.name}, where {listed(others[:3])} of other networks do get out."
        ),
        evidence=(
            *(leg.seen(fate.lost, f"frames of {mac_of(mac)}") for leg, mac, fate in members),
            members[0][0].missing(""),
            cite(far, passing, f"frames of other networks' guests at {far.name}"),
        ),
        filter=" || ".join(f"eth.src == {mac_of(mac)}" for _, mac, _ in members[:4]),
        first_ns=min(int(rows["ts_ns"][0]) for rows in lost),
        last_ns=max(int(rows["ts_ns"][-1]) for rows in lost),
        alternatives=(
            *(() if proven else (f"{far.name} is the NIC of another host: nothing of these points is seen there",)),
            "filter rules left over at each of these taps",
            f"the host has another NIC for this network than {far.name}: capture there",
        ),
        limits=members[0][0].limits,
        next_steps=(
            NextStep(
                where=f"host of {far.name}, Open vSwitch",
                command=f"ovs-vsctl get port {uplink} trunks; ovs-vsctl list port | grep -E '^(name|tag|trunks)'",
                meaning=f"a list without {vlan or 'the tag of these guests'}: it keeps them in; [] carries all",
            ),
            NextStep(
                where=f"host of {far.name}, Linux bridges",
                command=f"bridge link; ip -d link show type vlan | grep -A1 {uplink}",
                meaning="the VLAN device must exist, be up, and be in the bridge of these taps",
            ),
        ),
    )


RULE = Rule(
    code="OVS003",
    name="vid-outside-trunks",
    topic=Topic.OVS,
    severity=Severity.ERROR,
    check_path=check,
    explains=(
        "HYP001", "HYP002", "DHCP001", "DHCP002", "DHCP006", "DHCP010", "DHCP022", "META002", "META007", "PWD003",
        "PWD011", "SG001", "SG002", "VLAN019", "VLAN022",
    ),
)  # fmt: skip
