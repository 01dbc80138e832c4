"""DOMAIN: whether two machines are in one broadcast domain, where a capture's segments do not say so.

A capture of all interfaces at once holds several networks, mostly without their tags, and tenants' networks may have
one address plan. There machines share a domain only as far as they are seen to speak with each other, or with the
same others, on the link: by ARP that is answered, or as client and server of DHCP.
"""

from collections.abc import Iterator

from dissectors.arp import Arp
from dissectors.dhcp import DhcpExchange
from pcapdx.case import View
from pcapdx.frame import Segment
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.vantage import Role

Machine = tuple[Segment, str]


def domain_of(view: View, segment: Segment, mac: str | None) -> Machine:
    """Equal for machines of one segment that are in one network for all that is seen."""
    if view.vantage.role is not Role.ANY or segment[0]:
        return segment, ""
    return _domains(view).get((segment, mac or ""), (segment, mac or ""))


def may_be_apart(view: View, segment: Segment, one: str | None, other: str | None) -> bool:
    """Whether two MACs of one segment may be of two networks all the same."""
    return domain_of(view, segment, one) != domain_of(view, segment, other)


@once_a_view
def _domains(view: View) -> dict[Machine, Machine]:
    """By machine, the one that stands for its domain."""
    above: dict[Machine, Machine] = {}

    def top(machine: Machine) -> Machine:
        while above.setdefault(machine, machine) != machine:
            above[machine] = machine = above[above[machine]]
        return machine

    for segment, one, other in _spoken(view):
        above[top((segment, one))] = top((segment, other))
    return {machine: top(machine) for machine in list(above)}


def _spoken(view: View) -> Iterator[tuple[Segment, str, str]]:
    """Pairs of MACs that spoke with each other on the link."""
    for one in view.messages(Arp):
        sender, target = one.message.sender_mac, one.message.target_mac
        if one.message.reply and sender and target and sender != target:
            yield one.frame.segment, sender, target
    for exchange in view.exchanges(DhcpExchange):
        for answer in (*exchange.offers, *exchange.acks):
            if answer.frame.eth_src:
                yield exchange.segment, exchange.chaddr, answer.frame.eth_src
