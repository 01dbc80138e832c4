"""MISPLACED: a system VM asks untagged, and in vain, for a machine of a subnet that lives in a VLAN.

That the subnet lives there must be shown by a reply in that VLAN to a host of the subnet (best, for the same machine),
since the same private addresses are used by many guest networks; or the profile says it. Nobody else of the subnet may
be heard untagged.
"""

from collections.abc import Iterator

from dissectors.arp import ArpExchange
from pcapdx.case import Binding, View
from pcapdx.model import Evidence
from pcapdx.rules.definitions.addresses import neighbours, within
from pcapdx.rules.definitions.arp_dead import ArpDead, arp_silent
from pcapdx.rules.definitions.macs import is_guest, is_system_vm_public
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.observable import tags_observable
from pcapdx.rules.definitions.wording import cite
from pcapdx.values import dataclass
from pcapdx.vantage import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Misplaced:
    """What a system VM looks for on the native network, and where its subnet is."""

    dead: ArpDead
    vlan: int
    """Where the same address, or another of its subnet, answers; else where the profile has it."""
    target: str
    """The address that answers there; empty where only the profile tells."""
    answered: tuple[int, ...]
    """Frames of a host's request there and its reply."""
    host: str
    """The host that was answered."""


@once_a_view
def misplaced(view: View) -> tuple[Misplaced, ...]:
    """The most telling such search of each system VM."""
    if view.vantage.role is Role.ANY or not tags_observable(view):
        return ()
    found: dict[str, Misplaced] = {}
    for one in sorted(_misplaced(view), key=lambda one: one.target != one.dead.target_ip):
        found.setdefault(one.dead.asker_mac, one)
    return tuple(found.values())


def _misplaced(view: View) -> Iterator[Misplaced]:
    for dead in arp_silent(view):
        if dead.vlan or dead.vni is not None or not is_system_vm_public(dead.asker_mac) or not dead.retried:
            continue
        if any(one.mac == dead.asker_mac and not one.vlan and one.received for one in view.talkers):
            continue  # somebody talks to it there: the native network is its own
        if any(_hardware(one) and not one.vlan and _on_link(one.ip, dead) for one in view.bindings):
            continue  # others of that subnet are untagged, too
        there = [one for one in view.exchanges(ArpExchange) if _of_subnet(one, dead)]
        there.sort(key=lambda one: one.target_ip != dead.target_ip)
        planned = _planned_vlan(view, dead.asker_ip)
        if not there and planned:
            yield Misplaced(dead=dead, vlan=planned, target="", answered=(), host="")
        for exchange in there[:1]:
            yield Misplaced(
                dead=dead,
                vlan=exchange.vlan,
                target=exchange.target_ip,
                answered=(exchange.requests[-1].number, exchange.replies[0].number),
                host=exchange.asker_ip,
            )


def _planned_vlan(view: View, ip: str) -> int | None:
    """The VLAN of an address's network by the profile, at a point that is told to be a physical link."""
    role, site = view.vantage.role, view.site
    if role is None or view.vantage.inferred or not role.is_wire:
        return None
    plans = (site.storage.networks, site.storage.vlan), (site.management.networks, site.management.vlan)
    return next((vlan for networks, vlan in plans if within(ip, networks)), None)


def _hardware(bound: Binding) -> bool:
    return ":" not in bound.ip and bound.ip != "0.0.0.0" and not is_guest(bound.mac)


def _of_subnet(exchange: ArpExchange, dead: ArpDead) -> bool:
    """A host's answered question in a VLAN, both of whose ends are in the system VM's subnet."""
    if not exchange.vlan or not exchange.replies or is_guest(exchange.asker_mac):
        return False
    ends = exchange.asker_ip, exchange.target_ip
    return exchange.vni is None and all(_on_link(ip, dead) for ip in ends)


def _on_link(ip: str, dead: ArpDead) -> bool:
    """Near the asker or what it asks for: both are of its subnet, or it would have asked for a gateway instead."""
    return neighbours(ip, dead.asker_ip) or neighbours(ip, dead.target_ip)


def where_it_is(view: View, one: Misplaced) -> tuple[str, tuple[Evidence, ...]]:
    """A clause on where the subnet lives, and the evidence for it."""
    if not one.target:
        return f"while its network, by the profile, is VLAN {one.vlan}", ()
    proof = cite(view, one.answered, f"{one.host} asks for {one.target} in VLAN {one.vlan} and is answered")
    return f"while {one.target} answers {one.host} in VLAN {one.vlan}", (proof,)


def is_storage(view: View, ip: str, vlan: int | None = None) -> bool:
    """Whether an address is a storage server's: by the profile, or as it serves NFS or iSCSI here."""
    storage = view.site.storage
    if ip in storage.servers:
        return True
    flows = view.flows.where(ports=(2049, 3260), server=ip)
    return any((one.responder.syn or one.responder.payload_bytes) and vlan in (None, one.vlan) for one in flows)
