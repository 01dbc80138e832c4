"""HOST014 arp-flux: one host answers for its address with the MACs of two of its NICs.

What it does
------------
Finds two MACs that both answer requests for one address, twice and more, and that are one machine's: both answer for
both of its addresses in that subnet, or both are proven to be this host's own.

Why it matters
--------------
Neighbours send to whichever NIC answered last. What comes in by one and is answered by the other is dropped by
reverse-path filters and confuses switches: links that work and fail by turns.

Common causes
-------------
Two NICs of a host in one subnet, and Linux answering ARP for any of its addresses on each (arp_ignore = 0).

What else it could be
---------------------
Two machines with one address (HYP015): those do not answer for each other's own addresses.

Next steps
----------
Give each NIC a subnet of its own, or bond them.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_flux import Flux, fluxes
from pcapdx.rules.definitions.wording import cite, in_vlan, listed, times


def check(view: View) -> Iterator[Finding]:
    """One finding a pair of MACs and address."""
    for flux in fluxes(view):
        for ip in flux.answered:
            yield _finding(view, flux, ip)


def _finding(view: View, flux: Flux, ip: str) -> Finding:
    frames = flux.answered[ip]
    return RULE.finding(
        subject=Subject(vlan=flux.vlan, ip=ip),
        confidence=Confidence.CERTAIN if flux.local else Confidence.LIKELY,
        summary=(
            f"One host answers ARP for {ip} with two of its own MACs, {listed(flux.macs)} ({in_vlan(flux.vlan)}), "
            f"{times(len(frames))}."
        ),
        evidence=(cite(view, (number for each in frames for number in each), f"requests for {ip}, two answers each"),),
        filter=f"arp.src.proto_ipv4 == {ip}",
        first_ns=flux.first_ns,
        last_ns=flux.last_ns,
        alternatives=() if flux.local else ("two machines that share more than one address, as a failed cluster does",),
        next_steps=(
            NextStep(
                where=f"host {ip}",
                command="ip -br addr; ip -br link; sysctl net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce "
                "net.ipv4.conf.all.rp_filter",
                meaning="two NICs in one subnet with arp_ignore 0: bond them, or set arp_ignore 1 and arp_announce 2",
            ),
        ),
    )


RULE = Rule(
    code="HOST014",
    name="arp-flux",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.WARNING,
    check=check,
)
