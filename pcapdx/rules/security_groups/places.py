"""Before here or after here: on which side of the point of capture a packet was dropped."""

from pcapdx.case import View
from pcapdx.model import Confidence
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.syn_dead import Tries
from pcapdx.vantage import Role


def where_dropped(view: View, tries: Tries) -> tuple[str, Confidence]:
    """Where unanswered SYNs were lost, as far as this vantage tells, and how sure that is."""
    role = view.vantage.role
    server_mac = mac_of(view, tries.server, tries.vlan)
    if role in (Role.TAP, Role.ROUTER):
        owner = _owner(view)
        if owner is not None and owner == server_mac:
            return "dropped after here, by the guest itself, for the host let it pass", Confidence.LIKELY
        if owner is not None and owner == tries.client_mac:
            return "dropped after here: by this host, on the way, or at the other end", Confidence.POSSIBLE
    if role is not None and role.is_wire:
        if server_mac is not None and is_local(view, server_mac) is True:
            return "dropped after here: by this host's filter, or by the guest", Confidence.LIKELY
        if is_local(view, tries.client_mac) is True:
            return "dropped after here: beyond this NIC, on the way or at the other end", Confidence.LIKELY
    return "dropped before or after here, which this point does not tell", Confidence.POSSIBLE


def mac_of(view: View, ip: str, vlan: int) -> str | None:
    """Who owns an address, as far as this capture shows; None where several do."""
    owners = {one.mac for one in view.bindings if one.ip == ip and one.vlan == vlan}
    return owners.pop() if len(owners) == 1 else None


def _owner(view: View) -> str | None:
    """The MAC whose interface this is: an end of every unicast frame; None where two are."""
    total = sum(one.sent - one.broadcasts for one in view.talkers)
    ends: dict[str, int] = {}
    for one in view.talkers:
        ends[one.mac] = ends.get(one.mac, 0) + one.sent - one.broadcasts + one.received
    whose = [mac for mac, count in ends.items() if total and count == total]
    return whose[0] if len(whose) == 1 else None
