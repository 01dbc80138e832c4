"""TWO-WAY: a VLAN in which somebody was answered, so that it is carried here in both directions."""

from collections.abc import Iterator, Mapping

import numpy as np

from dissectors.arp import ArpExchange
from dissectors.dhcp import DhcpExchange
from dissectors.icmp import PingExchange
from pcapdx.case import View
from pcapdx.rules.definitions.memo import once_a_view


@once_a_view
def answered_vlans(view: View) -> Mapping[int, tuple[int, ...]]:
    """VLANs (0 untagged) with an answered exchange, and the frames of the first one that was seen."""
    found: dict[int, tuple[int, ...]] = {}
    for vlan, frames in _answered(view):
        found.setdefault(vlan, frames)
    return found


def _answered(view: View) -> Iterator[tuple[int, tuple[int, ...]]]:
    for arp in view.exchanges(ArpExchange):
        if arp.vni is None and arp.replies:
            yield arp.vlan, (arp.requests[-1].number, arp.replies[0].number)
    for ping in view.exchanges(PingExchange):
        if ping.vni is None and ping.replies:
            yield ping.vlan, (ping.requests[0].number, ping.replies[0].number)
    for dhcp in view.exchanges(DhcpExchange):
        if dhcp.vni is None and dhcp.client_messages and dhcp.server_messages:
            yield dhcp.vlan, (dhcp.client_messages[0].number, dhcp.server_messages[0].number)
    table = view.flows
    both = np.flatnonzero(table.established() & (table.originator("packets") > 0) & (table.rows["vni"] < 0))
    _, first = np.unique(table.rows["vlan"][both], return_index=True)
    for flow in map(table.at, both[first].tolist()):
        yield flow.vlan, (flow.originator.first_frame or 0, flow.responder.first_frame or 0)
