"""DHCP020 gateway-silent-after-ack: the lease names a gateway that answers no ARP.

What it does
------------
Finds a client that got a lease and then asked for its gateway (option 3) three times without an answer.

Why it matters
--------------
The guest has an address and reaches nothing beyond its own network.

Common causes
-------------
The physical router of a shared network is down or not in this VLAN; the router's guest side is down; a wrong gateway in
the network's definition.

What else it could be
---------------------
A capture filter without ARP; a gateway in maintenance.

Next steps
----------
Ask for the gateway from another host of the VLAN.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import arp_dead
from pcapdx.rules.definitions.leases import leases
from pcapdx.rules.definitions.wording import cite, times


def check(view: View) -> Iterator[Finding]:
    """One finding a client and gateway."""
    given = {(one.mac, router): one for one in leases(view) for router in one.routers}
    for dead in arp_dead(view):
        lease = given.get((dead.asker_mac, dead.target_ip))
        if lease is None or dead.first_ns < lease.ack.ts_ns:
            continue
        yield RULE.finding(
            subject=Subject(mac=dead.asker_mac, vlan=dead.vlan, server=dead.target_ip),
            summary=(
                f"{lease.ip} asked for its gateway {dead.target_ip} {times(len(dead.frames))}; nobody answers for it."
            ),
            evidence=(
                cite(view, dead.frames, f"ARP: who has {dead.target_ip}; no reply"),
                cite(view, (lease.ack.number,), f"DHCP ACK names {dead.target_ip} as router"),
            ),
            filter=f"arp.dst.proto_ipv4 == {dead.target_ip}",
            first_ns=dead.first_ns,
            last_ns=dead.last_ns,
            next_steps=(
                NextStep(
                    where="another host in this VLAN",
                    command=f"arping -c 3 {dead.target_ip}",
                    meaning="an answer: the path from this guest is broken; none: the gateway itself is away",
                ),
            ),
        )


RULE = Rule(
    code="DHCP020",
    name="gateway-silent-after-ack",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check,
)
