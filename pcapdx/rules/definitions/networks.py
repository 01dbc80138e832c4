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
    return _vlans_of_wanted(view).get(mac, frozenset())


@once_a_view
def _vlans_of_wanted(view: View) -> Mapping[str, frozenset[int]]:
    """By untagged asker, the VLANs in which the owners of what it asks for speak."""
    owners: dict[str, set[int]] = {}
    for one in view.bindings:
        if one.vlan and one.vni is None:
            owners.setdefault(one.ip, set()).add(one.vlan)
    found: dict[str, set[int]] = {}
    for exchange in view.exchanges(ArpExchange):
        if not exchange.vlan and exchange.target_ip in owners:
            found.setdefault(exchange.asker_mac, set()).update(owners[exchange.target_ip])
    return {mac: frozenset(vlans) for mac, vlans in found.items()}
