"""PHYS004 host-vlan-taken-by-guest: answers to a host arrive at its NIC and never reach it; guests use the same VLAN.

What it does
------------
Finds a host that asks by ARP in a VLAN, is answered at this very NIC, and asks again within seconds, three times and
more, while guests speak in the same VLAN.

Why it matters
--------------
The host loses its management or storage the moment the first guest of that VLAN starts on it.

Common causes
-------------
The guests' VLAN range holds the VLAN of the hosts themselves: CloudStack makes ``br<NIC>-<VLAN>`` and takes the VLAN's
device away from the host's own bridge (issue 11935).

What else it could be
---------------------
A host that asks on purpose before each packet (arping) is answered and goes on talking, and left out.

Next steps
----------
Look which bridge has the VLAN's device, then take the VLAN out of the zone's range.
"""

from collections.abc import Iterator, Sequence

from dissectors.arp import ArpExchange
from dissectors.icmp import Icmp
from pcapdx.case import View
from pcapdx.frame import mac_int
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.local import from_here, is_local
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.observable import tags_observable
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import at_least, cite, listed
from pcapdx.vantage import Role

AGAIN_WITHIN = 5 * SECOND
BROADCAST = "ff:ff:ff:ff:ff:ff"


def check(view: View) -> Iterator[Finding]:
    """One finding a host and VLAN."""
    if view.vantage.role is Role.ANY or not tags_observable(view):
        return
    grouped: dict[tuple[int, str], list[ArpExchange]] = {}
    for one in view.exchanges(ArpExchange):
        host = one.vni is None and not is_guest(one.asker_mac) and is_local(view, one.asker_mac) is not False
        if any(from_here(view, request.frame) is False for request in one.requests):
            continue  # it came in by the wire, as it may under a MAC that is on both sides
        if one.vlan and host and one.asker_ip != "0.0.0.0" and one.requests[-1].frame.eth_dst == BROADCAST:
            grouped.setdefault((one.vlan, one.asker_mac), []).append(one)
    for (vlan, mac), exchanges in grouped.items():
        guests = [one.mac for one in view.talkers if one.vlan == vlan and one.sent and is_guest(one.mac)]
        vain = _in_vain(view, mac, vlan, exchanges) if guests and len(exchanges) > REPETITION else []
        if len(vain) >= REPETITION:
            yield _finding(view, vlan, mac, vain, guests)


def _in_vain(view: View, mac: str, vlan: int, exchanges: Sequence[ArpExchange]) -> list[ArpExchange]:
    """Answered searches after which the same was asked again at once, and not one IP packet was sent."""
    found = []
    spoken = _spoken(view, mac, vlan)
    for one in exchanges:
        if not one.replies:
            continue
        answered = one.replies[0].ts_ns
        later = (other.requests[0].ts_ns for other in exchanges if other.target_ip == one.target_ip)
        again = next((asked for asked in later if 0 < asked - answered <= AGAIN_WITHIN), None)
        if again is not None and not any(begun <= again and answered <= ended for begun, ended in spoken):
            found.append(one)
    return found


def _spoken(view: View, mac: str, vlan: int) -> list[tuple[int, int]]:
    """From when to when the host sent IP packets in the VLAN: by flow, and each ICMP message."""
    table, mine = view.flows, mac_int(mac)
    in_vlan = table.rows["vlan"] == vlan
    found = [
        (one.ts_ns, one.ts_ns) for one in view.messages(Icmp) if one.frame.eth_src == mac and one.frame.vlan == vlan
    ]
    for side in (table.originator, table.responder):
        own = in_vlan & (side("mac") == mine) & (side("packets") > 0)
        found.extend(zip(side("first_ns")[own].tolist(), side("last_ns")[own].tolist(), strict=True))
    return found


def _finding(view: View, vlan: int, mac: str, vain: Sequence[ArpExchange], guests: Sequence[str]) -> Finding:
    ip = vain[0].asker_ip
    targets = sorted({one.target_ip for one in vain})
    frames = [number for one in vain for number in (one.requests[-1].number, one.replies[0].number)]
    guest_frames = [one.frames[0] for one in view.talkers if one.vlan == vlan and one.sent and is_guest(one.mac)]
    local = is_local(view, mac) is True
    return RULE.finding(
        subject=Subject(mac=mac, vlan=vlan, ip=ip),
        confidence=Confidence.CERTAIN if local else Confidence.LIKELY,
        summary=(
            f"The host {ip} asks for {listed(targets[:3])} in VLAN {vlan}, is answered, and asks again "
            f"{at_least(view, len(vain), 'arp')}: the answers do not reach it, and guests ({listed(guests[:2])}) use "
            "its VLAN."
        ),
        evidence=(
            cite(view, frames, "requests, each answered at this NIC and repeated"),
            cite(view, guest_frames, f"guests in VLAN {vlan}"),
        ),
        filter=f"vlan.id == {vlan} && (eth.addr == {mac} || arp)",
        first_ns=vain[0].requests[0].ts_ns,
        last_ns=vain[-1].replies[0].ts_ns,
        alternatives=("the host filters ARP itself (arptables, ebtables)",),
        next_steps=(
            NextStep(
                where=f"host {ip}",
                command=f"bridge link | grep -E '\\.{vlan}|-{vlan}'; ip -br addr | grep -w {ip}",
                meaning=f"the device of VLAN {vlan} is a port of br<NIC>-{vlan}: the host's own bridge has lost it",
            ),
            NextStep(
                where="CloudStack API",
                command="list physicalnetworks; list vlanipranges",
                meaning=f"the zone's VNET range holds {vlan}: take it out, and move the guest network to another VLAN",
            ),
        ),
    )


RULE = Rule(
    code="PHYS004",
    name="host-vlan-taken-by-guest",
    known=(11935,),
    topic=Topic.PHYSICAL_NETWORKS,
    severity=Severity.ERROR,
    check=check,
    explains=("HOST001", "HOST004", "HOST007", "HOST011", "HOST017"),
)
