"""Which VLAN a guest's network has here, by what others of that network do: an untagged guest's frames do not tell."""

from collections.abc import Mapping

from dissectors.arp import ArpExchange
from pcapdx.case import View
from pcapdx.rules.definitions.macs import is_guest, network_id
from pcapdx.rules.definitions.memo import once_a_view


@once_a_view
def tagged_networks(view: View) -> Mapping[int, frozenset[int]]:
    """VLANs by CloudStack network id (as guests' MACs tell it), of guests that speak tagged."""
    found: dict[int, set[int]] = {}
    for one in view.talkers:
        number = network_id(one.mac)
        if number is not None and one.sent and one.vlan and one.vni is None and is_guest(one.mac):
            found.setdefault(number, set()).add(one.vlan)
    return {number: frozenset(vlans) for number, vlans in found.items()}


def vlans_of_network(view: View, mac: str) -> frozenset[int]:
    """VLANs of an untagged guest's network: where MACs with its network id speak, or the owner of what it asks for."""
    number = network_id(mac)
    tagged = tagged_networks(view).get(number) if number is not None else None
    if tagged:
        return tagged
    wanted = {one.target_ip for one in view.exchanges(ArpExchange) if one.asker_mac == mac and not one.vlan}
    return frozenset(one.vlan for one in view.bindings if one.vlan and one.vni is None and one.ip in wanted)
