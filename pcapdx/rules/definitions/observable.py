"""OBSERVABLE: whether this capture could have shown a thing at all.

Absence is evidence only where presence was possible: the filter admits it, the link type keeps it, and the capture
shows traffic in that direction.
"""

from collections.abc import Mapping
from dataclasses import field

import numpy as np

from pcapdx.case import View
from pcapdx.path.admission import NO, UNKNOWN, YES, admitted
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.sieve.columns import Array
from pcapdx.values import dataclass
from pcapdx.vantage import Role

LINKTYPE_ETHERNET = 1
COOKED = (113, 276)
SMALLEST_SNAP_LENGTH = 18
"""Enough for an Ethernet header with one tag."""


def filters(view: View) -> tuple[str, ...]:
    """The capture filters the file tells of (pcapng if_filter); classic pcap never tells."""
    return tuple(dict.fromkeys(one.filter for one in view.capture.interfaces if one.filter))


def filter_admits(view: View, packet: Array, vlan: int | None) -> int:
    """NO, UNKNOWN or YES: whether what is to be expected would have passed this capture's filter; YES without one.

    ``packet`` is a row of :func:`~pcapdx.path.admission.packet`, ``vlan`` its tag, 0 without.
    """
    every = [one.filter or "" for one in view.capture.interfaces]
    return int(admitted(every, packet, np.array([int(bool(vlan))]))[0]) if any(every) else YES


def filter_hides_tags(expression: str) -> bool:
    """Whether a filter passes some traffic untagged that it drops when tagged.

    Anything but ``vlan`` itself, link-layer addresses or lengths tests at offsets that a tag moves.
    """
    words = expression.replace("(", " ").replace(")", " ").split()
    blind = {"port", "host", "net", "tcp", "udp", "icmp", "arp", "ip", "ip6", "portrange", "src", "dst", "proto"}
    return "vlan" not in words and "ether" not in words and any(word in blind for word in words)


def tags_observable(view: View) -> bool:
    """A tag on the wire would be in this capture: Ethernet, enough bytes, and a filter that admits it."""
    links = {one.link_type for one in view.capture.interfaces}
    snaps = [one.snap_length for one in view.capture.interfaces if one.snap_length]
    return (
        links == {LINKTYPE_ETHERNET}
        and all(snap >= SMALLEST_SNAP_LENGTH for snap in snaps)
        and not any(filter_hides_tags(one) for one in filters(view))
    )


def tags_expected(view: View) -> bool | None:
    """Whether tenants' frames carry a tag at this vantage; None where the role is unknown."""
    role = view.vantage.role
    if role is None:
        return True if view.counters["tagged"] else None
    return role.is_wire


@once_a_view
def tags_end(view: View) -> bool:
    """Whether this point has tags no more from some moment on, as where the port that is recorded gets its tag back:
    after the last tagged frame somebody who had a tag speaks without one, and somebody is answered there, or, where
    nobody told the place, the tags of several VLANs ended together."""
    tagged = [one for one in view.talkers if one.vlan and one.vni is None and one.sent]
    end_ns = max((one.last_ns or 0 for one in tagged), default=0)
    had = {one.mac for one in tagged}
    since = [one for one in view.talkers if not one.vlan and one.vni is None and one.sent]
    since = [one for one in since if end_ns and (one.first_ns or 0) > end_ns]
    if not any(one.mac in had for one in since):
        return False
    together = view.vantage.inferred and len({one.vlan for one in tagged}) > 1
    return together or (len(since) > 1 and any(one.received for one in since))


def unicast_seen(view: View) -> bool:
    """Whether the capture has any frame for one machine alone: a filter for broadcasts hides every answer."""
    return any(one.received for one in view.talkers)


def hears(
    view: View, mac: str | None, vlan: int | None = None, vni: int | None = None, *, answer: Array | None = None
) -> bool:
    """Whether frames *to* this MAC would be in the capture: only then is a missing answer a missing answer.

    One unicast frame to it proves it. Without one, a capture does when it shows both directions for somebody else in
    the VLAN, or, at the guest's own tap, anything that others sent. The filter must admit the ``answer`` that is to be
    expected, as far as both are known.
    """
    here = _heard(view).get((vlan, vni))
    if here is None:
        return False
    verdict = UNKNOWN if answer is None and filters(view) else YES
    if answer is not None:
        verdict = filter_admits(view, answer, vlan)
    if verdict == NO:
        return False
    if mac in here.receivers:
        return True
    if verdict == UNKNOWN:
        return False
    at_its_end = view.vantage.role in (Role.TAP, Role.ROUTER) and not view.vantage.inferred
    if at_its_end or any(one.link_type in COOKED for one in view.capture.interfaces):
        # cooked captures keep no destination MAC, and are taken on all interfaces at once
        return bool(here.senders - {mac})
    return here.both_ways


@dataclass(slots=True)
class _Heard:
    """Who sent, and who was sent unicast frames, in one VLAN or in all."""

    senders: set[str | None] = field(default_factory=set)
    receivers: set[str | None] = field(default_factory=set)
    both_ways: bool = False
    """Somebody did both in one VLAN."""


@once_a_view
def _heard(view: View) -> Mapping[tuple[int | None, int | None], _Heard]:
    """By VLAN and VNI; None stands for any."""
    found: dict[tuple[int | None, int | None], _Heard] = {}
    for one in view.talkers:
        for key in {(vlan, vni) for vlan in (None, one.vlan) for vni in (None, one.vni)}:
            here = found.setdefault(key, _Heard())
            here.both_ways |= one.sent > 0 and one.received > 0
            if one.sent:
                here.senders.add(one.mac)
            if one.received:
                here.receivers.add(one.mac)
    return found
