"""OBSERVABLE: whether this capture could have shown a thing at all.

Absence is evidence only where presence was possible: the filter admits it, the link type keeps it, and the capture shows
traffic in that direction.
"""

from pcapdx.case import View
from pcapdx.vantage import Role

LINKTYPE_ETHERNET = 1
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
    """Whether frames *to* this MAC are in the capture: only then is a missing answer a missing answer.

    One unicast frame to it proves it; so does a tap, which by nature shows both ways, once anything of others is there.
    """
    talkers = [one for one in view.talkers if vni is None or one.vni == vni]
    if any(one.mac == mac and one.received > 0 and (vlan is None or one.vlan == vlan) for one in talkers):
        return True
    if view.vantage.role in (Role.TAP, Role.ROUTER) and not view.vantage.inferred:
        return True
    others = any(one.mac != mac and one.sent > 0 and (vlan is None or one.vlan == vlan) for one in talkers)
    return others and not filters(view)
