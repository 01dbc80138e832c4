"""Two captures along one path: what left one point and never came to the other."""

from dissectors.arp import Arp
from dissectors.dhcp import Dhcp, DhcpType
from dissectors.icmp import Icmp
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.model import NextStep
from pcapdx.rules.definitions.observable import filters
from pcapdx.rules.definitions.windows import SECOND

MARGIN = 2 * SECOND
"""Messages so near an end of either capture may be missing for that reason."""
TRIES = 2
OTHERS = 5
"""Other frames of the same machine that must be at both points before a filter on the way is named."""

Key = tuple[str | None, int, DhcpType | None]


def lost_dhcp(at: View, beyond: View, kind: DhcpType) -> dict[str, list[Seen[Dhcp]]]:
    """By client: messages of a kind at one point, well inside both captures, of which the other point has none."""
    if filters(at) or filters(beyond):
        return {}
    begin = max(at.first_ns, beyond.first_ns) - MARGIN
    end = min(at.last_ns, beyond.last_ns) - MARGIN
    there = {_key(one) for one in beyond.messages(Dhcp)}
    found: dict[str, list[Seen[Dhcp]]] = {}
    arrived: set[str] = set()
    for one in at.messages(Dhcp):
        mac = one.message.chaddr
        if one.message.type is not kind or mac is None:
            continue
        if _key(one) in there:
            arrived.add(mac)
        elif begin <= one.ts_ns <= end:
            found.setdefault(mac, []).append(one)
    return {mac: lost for mac, lost in found.items() if mac not in arrived}


def _key(one: Seen[Dhcp]) -> Key:
    return one.message.chaddr, one.message.xid, one.message.type


def seen_at(view: View, mac: str) -> bool:
    """Whether a MAC sent anything at a point."""
    return any(one.mac == mac and one.sent for one in view.talkers)


def pass_both(near: View, far: View, server: str | None) -> int:
    """ARP and ICMP messages of a machine that are at both points."""
    return min(
        sum(one.frame.eth_src == server for kind in (Arp, Icmp) for one in view.messages(kind)) for view in (near, far)
    )


def alive(view: View) -> str:
    """That a point saw other things meanwhile."""
    return f"the capture has {view.frames:,} frames in that time"


def ports(near: View, far: View, vlan: int) -> NextStep:
    """Look at the switch ports between two points."""
    return NextStep(
        where=f"switch between {near.name} and {far.name}",
        command=f"show interfaces trunk; show mac address-table{f' vlan {vlan}' if vlan else ''}",
        meaning="the VLAN must be allowed on both hosts' ports, and both MACs learnt where they are",
    )
