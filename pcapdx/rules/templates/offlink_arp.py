"""TMPL013 offlink-arp: a guest looks for far addresses on its own wire.

What it does
------------
Finds a guest that asks by ARP, three times or more and in vain, for addresses outside the subnet of its lease (or of
its network in the site profile).

Why it matters
--------------
It has no default route: nothing beyond its subnet is reached, although the network is fine.

Common causes
-------------
The image has a static configuration without gateway or with a wrong mask; DHCP gave no router (option 3); a route of
a removed NIC is left over.

What else it could be
---------------------
A network where a router answers for others (proxy ARP): then it is answered, and not reported. The second NIC of a
guest.

Next steps
----------
Look at the guest's routes.
"""

from collections.abc import Iterator
from ipaddress import ip_address

from dissectors.arp import ArpExchange
from pcapdx.case import View
from pcapdx.model import Confidence, Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import gateways
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, listed, times
from pcapdx.rules.templates.foreign_init_reboot import networks_of
from pcapdx.rules.templates.guests import console, is_instance, template


def check(view: View) -> Iterator[Finding]:
    """One finding a guest."""
    asked: dict[tuple[str, str, int], list[ArpExchange]] = {}
    for one in view.exchanges(ArpExchange):
        if one.vni is None and one.asker_ip != "0.0.0.0" and is_instance(view, one.asker_mac):
            asked.setdefault((one.asker_mac, one.asker_ip, one.vlan), []).append(one)
    for (mac, ip, vlan), exchanges in asked.items():
        networks = [one for one in networks_of(view, mac, vlan) if ip_address(ip) in one]
        if not networks:
            continue
        away = [
            one
            for one in exchanges
            if one.target_ip not in gateways(view)
            and not one.target_ip.startswith("169.254.")
            and not any(ip_address(one.target_ip) in network for network in networks)
        ]
        requests = [request.number for one in away for request in one.requests]
        if len(requests) < REPETITION or any(one.replies for one in away):
            continue
        targets = list(dict.fromkeys(one.target_ip for one in away))
        yield RULE.finding(
            subject=Subject(mac=mac, vlan=vlan, ip=ip),
            confidence=Confidence.LIKELY,
            summary=(
                f"{ip} ({mac}) asks by ARP {times(len(requests))} for {listed(targets[:3])}, outside its subnet "
                f"{networks[0]}: it has no route there."
            ),
            evidence=(cite(view, requests, "ARP for addresses beyond the subnet, unanswered"),),
            filter=f"arp.src.hw_mac == {mac} && arp.opcode == 1",
            first_ns=away[0].requests[0].ts_ns,
            last_ns=away[-1].requests[-1].ts_ns,
            alternatives=("a second NIC without a route of its own", "a network whose router should answer for others"),
            next_steps=(
                console(mac),
                template(
                    "ip route; ip rule", f"a default route by the gateway of {networks[0]} must be there, and no other"
                ),
            ),
        )


RULE = Rule(
    code="TMPL013",
    name="offlink-arp",
    topic=Topic.TEMPLATES,
    severity=Severity.WARNING,
    check=check,
)
