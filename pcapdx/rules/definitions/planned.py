"""MISPLACED: a system VM asks untagged, and in vain, for a machine that answers others in a VLAN.

That the machine lives in that VLAN must be shown by a reply to somebody of the same subnet who is no guest: the same
private gateway address is used by many guest networks.
"""

from collections.abc import Iterator

from dissectors.arp import ArpExchange
from pcapdx.case import View
from pcapdx.rules.definitions.addresses import neighbours
from pcapdx.rules.definitions.arp_dead import ArpDead, arp_silent
from pcapdx.rules.definitions.macs import is_guest, is_system_vm_public
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.observable import tags_observable
from pcapdx.values import dataclass
from pcapdx.vantage import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Misplaced:
    """What a system VM looks for on the native network, and where it is."""

    dead: ArpDead
    vlan: int
    """Where the same address answers."""
    answered: tuple[int, ...]
    """Frames of a host's request there and its reply."""
    host: str
    """The host that was answered."""


@once_a_view
def misplaced(view: View) -> tuple[Misplaced, ...]:
    """Every such search."""
    if view.vantage.role is Role.ANY or not tags_observable(view):
        return ()
    return tuple(_misplaced(view))


def _misplaced(view: View) -> Iterator[Misplaced]:
    for dead in arp_silent(view):
        if dead.vlan or dead.vni is not None or not is_system_vm_public(dead.asker_mac) or not dead.retried:
            continue
        if any(one.mac == dead.asker_mac and not one.vlan and one.received for one in view.talkers):
            continue  # somebody talks to it there: the native network is its own
        for exchange in view.exchanges(ArpExchange):
            same = exchange.target_ip == dead.target_ip and exchange.vlan and exchange.replies
            if same and not is_guest(exchange.asker_mac) and neighbours(exchange.asker_ip, dead.asker_ip):
                yield Misplaced(
                    dead=dead,
                    vlan=exchange.vlan,
                    answered=(exchange.requests[-1].number, exchange.replies[0].number),
                    host=exchange.asker_ip,
                )
                break


def is_storage(view: View, ip: str, vlan: int | None = None) -> bool:
    """Whether an address is a storage server's: by the profile, or as it serves NFS or iSCSI here."""
    storage = view.site.storage
    if ip in storage.servers:
        return True
    flows = view.flows.where(ports=(2049, 3260), server=ip)
    return any((one.responder.syn or one.responder.payload_bytes) and vlan in (None, one.vlan) for one in flows)
