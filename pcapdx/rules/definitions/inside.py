"""DEAD-GUEST: nothing that a guest sends gets from its tap (or bridge) to the NIC of its host."""

from collections.abc import Iterator

import numpy as np

from dissectors.arp import Arp
from pcapdx.case import Case, View
from pcapdx.path.pair import is_group
from pcapdx.path.trail import TCP, UDP
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.macs import network_id
from pcapdx.rules.definitions.memo import once_a_path
from pcapdx.rules.definitions.path import Fate, Leg, is_arp, is_ip, legs, mac_int, mac_of
from pcapdx.rules.definitions.windows import BURST, DHCP_SPREAD, REPETITION, SECOND
from pcapdx.sieve.columns import Array
from pcapdx.vantage import Role

LONG = 5 * SECOND
"""Three frames over so long say as much as five at once."""


@once_a_path
def dead_guests(case: Case) -> tuple[tuple[Leg, int, Fate], ...]:
    """Guests none of whose frames leave their host, though some were for everybody."""
    return tuple(_dead_guests(case))


def _dead_guests(case: Case) -> Iterator[tuple[Leg, int, Fate]]:
    for leg in legs(case):
        if not leg.leaves_host:
            continue
        for mac in leg.own:
            sent = leg.sent_by(mac)
            fate = leg.fate(sent & leg.expected)
            if fate.dead and enough(fate.lost) and np.any(leg.group & sent) and not _answered(leg, mac):
                yield leg, mac, fate


def ended_guests(case: Case) -> Iterator[tuple[Leg, int, Fate]]:
    """Guests whose frames did leave their host until a moment, and from then on do not, broadcasts among them."""
    for leg in legs(case):
        if not leg.leaves_host:
            continue
        for mac in leg.own:
            fate = leg.fate(leg.sent_by(mac) & leg.expected)
            if not len(fate.passed) or len(fate.lost) < BURST:
                continue
            moments, since = fate.lost["ts_ns"], fate.passed["ts_ns"].max()
            clean = moments.min() > since and moments.max() - moments.min() >= DHCP_SPREAD
            others = np.sum(leg.pair.others["ts_ns"] > since + leg.pair.offset_ns + SECOND)
            if clean and others >= BURST and np.any(is_group(fate.lost["eth_dst"])):
                yield leg, mac, fate


def _answered(leg: Leg, mac: int) -> bool:
    """Whether answers to what it asked come in by that NIC: then the requests went out, and a filter hides them."""
    rows = leg.rows
    asked_here = np.isin(rows["protocol"], (TCP, UDP)) & (rows["asks"] == 0)
    return bool(np.any((rows["eth_dst"] == mac) & asked_here & (leg.pair.there >= 0)))


def arp_passes(case: Case, leg: Leg, fate: Fate) -> bool:
    """What a guest lost is IP only, and a neighbour's ARP gets to the same NIC while its IP does not."""
    beside = (one for one in legs(case) if one.far is leg.far)
    return only_ip(fate) and any(found for one in beside for found in arp_only(one))


def arp_only(leg: Leg) -> Iterator[tuple[int, Fate, Fate]]:
    """Guests whose ARP gets out of their host and whose IP does not: MAC, what became of ARP, of IP."""
    if not leg.leaves_host or _ip_comes_in(leg):
        return  # by that NIC, so that a filter for ARP hides what goes out
    for mac in leg.own:
        sent = leg.sent_by(mac) & leg.expected
        arp, ip = leg.fate(sent & is_arp(leg.rows)), leg.fate(sent & is_ip(leg.rows))
        if len(arp.passed) and ip.dead and len(ip.lost) >= BURST:
            yield mac, arp, ip


def _ip_comes_in(leg: Leg) -> bool:
    """Whether machines from beyond the NIC speak IP at the near point."""
    remote = [mac_int(one.mac) for one in leg.far.talkers if is_local(leg.far, one.mac) is False]
    beyond = leg.from_beyond | np.isin(leg.rows["eth_src"], remote)
    return bool(np.any(beyond & is_ip(leg.rows)))


def only_ip(fate: Fate) -> bool:
    """Nothing but IP was lost, for nothing else was sent."""
    return bool(np.all(is_ip(fate.lost)))


def enough(lost: Array) -> bool:
    """Five frames, or three over five seconds."""
    if len(lost) < REPETITION:
        return False
    return len(lost) >= BURST or int(lost["ts_ns"].max() - lost["ts_ns"].min()) >= LONG


def vlan_of_guest(leg: Leg) -> int | None:
    """The tag that a guest's own frames carry at the NIC, the near point; None where it has none or several."""
    if leg.guest is None:
        return None
    sent = leg.rows["vlan"][leg.sent_by(mac_int(leg.guest))]
    tags = np.unique(sent).tolist()
    return int(tags[0]) if len(tags) == 1 else None


def passing_neighbour(case: Case, leg: Leg, mac: int) -> tuple[View, str] | None:
    """Another guest of the same network, recorded at its own tap, whose frames do come to the NIC.

    Its capture and MAC.
    """
    heard = {one.mac for one in leg.far.talkers if one.sent}
    for view in case.views:
        if view is leg.near or view.vantage.role is not Role.TAP:
            continue
        for one in view.talkers:
            if one.sent and one.mac in heard and one_network(leg.near, mac_of(mac), view, one.mac):
                return view, one.mac
    return None


def one_network(view: View, mac: str, other_view: View, other: str) -> bool:
    """By the network in CloudStack's MACs, or as both ask for one gateway."""
    if network_id(mac) is not None and network_id(mac) == network_id(other):
        return True
    return bool(_wanted(view, mac) & _wanted(other_view, other))


def _wanted(view: View, mac: str) -> set[str]:
    """Addresses that a MAC asks for."""
    asked = (one.message for one in view.messages(Arp) if one.frame.eth_src == mac)
    return {one.target_ip for one in asked if one.request and one.target_ip}
