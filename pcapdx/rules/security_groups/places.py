"""Before here or after here: on which side of the point of capture a packet was dropped."""

from pcapdx.case import View
from pcapdx.model import Confidence
from pcapdx.rules.definitions.local import is_local, owner
from pcapdx.rules.definitions.syn_dead import Tries
from pcapdx.vantage import Role


def where_dropped(view: View, tries: Tries) -> tuple[str, Confidence]:
    """Where unanswered SYNs were lost, as far as this vantage tells, and how sure that is."""
    role = view.vantage.role
    server_mac = mac_of(view, tries.server, tries.vlan)
    if role in (Role.TAP, Role.ROUTER):
        own = owner(view)
        if own is not None and own == server_mac:
            return "dropped after here, by the guest itself, for the host let it pass", Confidence.LIKELY
        if own is not None and own == tries.client_mac:
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
