"""FLUX: two MACs of one machine that both answer for its addresses, as Linux does with two NICs in one subnet.

They are one machine's where both answered the same requests for two addresses or more, or where both are proven LOCAL.
"""

from collections import defaultdict
from collections.abc import Mapping

from dissectors.arp import ArpExchange
from pcapdx.case import View
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.macs import is_guest, is_virtual_router_protocol
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.values import dataclass

BOTH_ANSWER = 1 * SECOND
TWICE = 2
MOST_ADDRESSES = 4
"""Who answers for more is a proxy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flux:
    """A pair of MACs and the addresses that both answered for."""

    vlan: int
    vni: int | None
    macs: tuple[str, str]
    answered: Mapping[str, tuple[tuple[int, ...], ...]]
    """By address: the frames of each request with both its answers."""
    local: bool
    """Both are proven to be this host's."""
    first_ns: int
    last_ns: int


@once_a_view
def fluxes(view: View) -> tuple[Flux, ...]:
    """Every such pair."""
    pairs: dict[tuple[int, int | None, str, str], dict[str, list[tuple[int, ...]]]] = defaultdict(dict)
    moments: dict[tuple[int, int | None, str, str], list[int]] = defaultdict(list)
    for exchange in view.exchanges(ArpExchange):
        asked = exchange.requests[-1]
        answers = {
            one.message.sender_mac: one.number
            for one in exchange.replies
            if one.message.sender_mac and one.ts_ns - asked.ts_ns < BOTH_ANSWER and _own(one.message.sender_mac)
        }
        if len(answers) == TWICE:
            low, high = sorted(answers)
            key = exchange.vlan, exchange.vni, low, high
            frames = asked.number, *answers.values()
            pairs[key].setdefault(exchange.target_ip, []).append(frames)
            moments[key].append(asked.ts_ns)
    found = []
    for (vlan, vni, low, high), answered in pairs.items():
        local = is_local(view, low) is True and is_local(view, high) is True
        often = sum(map(len, answered.values())) >= TWICE
        if often and len(answered) <= MOST_ADDRESSES and (local or len(answered) >= TWICE):
            times = moments[vlan, vni, low, high]
            found.append(
                Flux(
                    vlan=vlan,
                    vni=vni,
                    macs=(low, high),
                    answered={ip: tuple(frames) for ip, frames in answered.items()},
                    local=local,
                    first_ns=min(times),
                    last_ns=max(times),
                )
            )
    return tuple(found)


def _own(mac: str) -> bool:
    """A NIC of hardware: neither an instance's nor a virtual router's address."""
    return not is_guest(mac) and not is_virtual_router_protocol(mac)
