"""OBSERVABLE: whether this capture could have shown a thing at all.

Absence is evidence only where presence was possible: the filter admits it, the link type keeps it, and the capture
shows traffic in that direction.
"""

from pcapdx.case import View
from pcapdx.vantage import Role

LINKTYPE_ETHERNET = 1
COOKED = (113, 276)
SMALLEST_SNAP_LENGTH = 18
"""Enough for an Ethernet header with one tag."""


def filters(view: View) -> tuple[str, ...]:
    """The capture filters the file tells of (pcapng if_filter); classic pcap never tells."""
    return tuple(dict.fromkeys(one.filter for one in view.capture.interfaces if one.filter))


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


def hears(view: View, mac: str | None, vlan: int | None = None, vni: int | None = None) -> bool:
    """Whether frames *to* this MAC would be in the capture: only then is a missing answer a missing answer.

    One unicast frame to it proves it. Without one, an unfiltered capture does when it shows both directions for
    somebody else in the VLAN, or, at the guest's own tap, anything that others sent.
    """
    here = [one for one in view.talkers if (vlan is None or one.vlan == vlan) and (vni is None or one.vni == vni)]
    if any(one.mac == mac and one.received for one in here):
        return True
    if filters(view):
        return False
    at_its_end = view.vantage.role in (Role.TAP, Role.ROUTER) and not view.vantage.inferred
    if at_its_end or any(one.link_type in COOKED for one in view.capture.interfaces):
        # cooked captures keep no destination MAC, and are taken on all interfaces at once
        return any(one.mac != mac and one.sent for one in here)
    return any(one.sent and one.received for one in here)
