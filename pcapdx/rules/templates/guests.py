"""Which guest is meant: by the site profile, by the shape of its MAC, or as the one behind the tap."""

from collections.abc import Sequence

import numpy as np

from pcapdx.case import Talker, View
from pcapdx.dissect import Flow
from pcapdx.frame import mac_int
from pcapdx.model import NextStep
from pcapdx.rules.definitions.leases import router_macs
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.site import Guest
from pcapdx.vantage import Role


def own_guest(view: View) -> Guest | None:
    """The guest of the site profile whose tap this is; None anywhere else, or where several could be meant.

    Unicast frames are delivered at a tap only from and to its own guest, and the router that it speaks with.
    """
    if view.vantage.role is not Role.TAP or view.vantage.inferred:
        return None
    known = [one for one in view.site.guest if one.mac]
    heard = {one.mac for one in view.talkers if one.received}
    addressed = [one for one in known if one.mac in heard]
    chosen = addressed if addressed else known
    if len(chosen) > 1:
        chosen = [one for one in chosen if one.mac in _ends_of_all(view)]
    return chosen[0] if len(chosen) == 1 else None


@once_a_view
def _ends_of_all(view: View) -> frozenset[str]:
    """MACs that are an end of every unicast frame."""
    total = sum(one.sent - one.broadcasts for one in view.talkers)
    ends: dict[str, int] = {}
    for one in view.talkers:
        ends[one.mac] = ends.get(one.mac, 0) + one.sent - one.broadcasts + one.received
    return frozenset(mac for mac, count in ends.items() if total and count == total)


def is_instance(view: View, mac: str | None) -> bool:
    """A guest of the profile, or by its MAC one that CloudStack made; no router."""
    if mac is None or mac in router_macs(view) or view.site.is_router(mac=mac):
        return False
    return view.site.guest_of(mac) is not None or is_guest(mac)


def sender(view: View, mac: str, vlan: int | None = None) -> Talker | None:
    """What a MAC sent, in one VLAN or the first where it sent anything."""
    return next((one for one in view.talkers if one.mac == mac and one.sent and vlan in (None, one.vlan)), None)


def flows_of(view: View, mac: str) -> Sequence[Flow]:
    """TCP and UDP flows in which a MAC sent last for one side."""
    table = view.flows
    wanted = mac_int(mac)
    mine = ((table.originator("mac") == wanted) & (table.originator("packets") > 0)) | (
        (table.responder("mac") == wanted) & (table.responder("packets") > 0)
    )
    return table.take(np.asarray(mine))


def last_ipv4_ns(view: View, mac: str) -> int:
    """When a MAC last sent ARP or IPv4 under an address of its own; 0 when never."""
    bound = [one.last_ns for one in view.bindings if one.mac == mac and ":" not in one.ip and one.ip != "0.0.0.0"]
    spoken = [
        half.last_ns or 0
        for flow in flows_of(view, mac)
        for half in (flow.originator, flow.responder)
        if half.mac == mac and half.ip not in (None, "0.0.0.0") and ":" not in (half.ip or "")
    ]
    return max((*bound, *spoken), default=0)


def console(name: str) -> NextStep:
    """What the guest itself says."""
    return NextStep(
        where=f"console of {name}",
        command="ip -br address; ls /etc/udev/rules.d /etc/netplan /etc/network; dmesg | grep -iE 'eth|ens|enp'",
        meaning="another interface name than the configuration's, or no driver: the image configures another NIC",
    )


def nics(mac: str) -> NextStep:
    """What CloudStack says of the NIC."""
    return NextStep(
        where="CloudStack API",
        command=f"list nics macaddress={mac}; list virtualmachines listall=true",
        meaning="address, secondary addresses and instance of this NIC; none: no NIC of CloudStack has this MAC",
    )


def template(what: str, meaning: str) -> NextStep:
    """What to change in the image."""
    return NextStep(where="an instance made of the template", command=what, meaning=meaning)
