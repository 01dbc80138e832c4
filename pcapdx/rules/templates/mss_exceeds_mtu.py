"""TMPL011 mss-exceeds-mtu: the guest's NIC has a larger MTU than its network.

What it does
------------
Finds a guest whose SYNs announce a larger segment (MSS) than the MTU that DHCP told it (option 26) leaves room for.
It is an error where full-size segments towards or from it get stuck, or a router says that they do not fit.

Why it matters
--------------
Small packets pass and large ones vanish: logins hang after the first lines, downloads stop at once.

Common causes
-------------
The image sets an MTU of its own; its DHCP client ignores option 26.

What else it could be
---------------------
Something on the way that lowers the MSS in every SYN: then nothing gets stuck, and it is a remark.

Next steps
----------
Look at the guest's own MTU.
"""

from collections.abc import Iterator

from dissectors.icmp import Icmp
from pcapdx.case import View
from pcapdx.dissect import Flow
from pcapdx.model import Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import Lease, lease_at, leases
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.templates.guests import template

HEADERS = 40
"""IPv4 and TCP without options."""


def check(view: View) -> Iterator[Finding]:
    """One finding a guest: the first stuck flow, else the first that announces too much."""
    guests: dict[str, list[tuple[Flow, Lease, int]]] = {}
    limited = {one.ip for one in leases(view) if one.ack.message.mtu is not None}
    for flow in (flow for ip in limited for flow in view.flows.where(client=ip)):
        lease = lease_at(view, flow.originator.ip, flow.originator.first_ns or 0)
        mtu = lease.ack.message.mtu if lease is not None else None
        if lease is not None and mtu is not None and (flow.originator.mss or 0) > mtu - HEADERS:
            guests.setdefault(lease.mac, []).append((flow, lease, mtu))
    for mac, found in guests.items():
        mtu = found[0][2]
        stuck = [flow for flow, _, _ in found if _stuck(flow, mtu)]
        told = [
            one
            for one in view.messages(Icmp)
            if one.message.fragmentation_needed and one.message.quoted and one.message.quoted.src == found[0][1].ip
        ]
        flow = (stuck or [one for one, _, _ in found])[0]
        effect = bool(stuck or told)
        yield RULE.finding(
            subject=Subject(mac=mac, vlan=flow.vlan, ip=flow.originator.ip),
            severity=None if effect else Severity.INFO,
            summary=(
                f"{flow.originator.ip} announces an MSS of {flow.originator.mss}, though DHCP gave it an MTU of {mtu}"
                + ("; full-size segments get stuck." if effect else ".")
            ),
            evidence=(
                cite(
                    view, (found[0][1].ack.number, *flow.originator.syn_frames), f"MTU {mtu} in the lease, then the SYN"
                ),
                *(
                    cite(view, (number,), "a full-size segment, repeated again and again")
                    for number in (flow.originator.stuck_frame, flow.responder.stuck_frame)
                    if number is not None and stuck
                ),
                *((cite(view, (one.number for one in told), "a router says that it does not fit"),) if told else ()),
            ),
            filter=f"tcp.options.mss_val > {mtu - HEADERS} && ip.src == {flow.originator.ip}",
            first_ns=flow.originator.first_ns,
            last_ns=flow.originator.last_ns,
            alternatives=("something on the way lowers the MSS of every SYN, so that nothing too large is ever sent",),
            next_steps=(
                template(
                    "ip link | grep mtu; grep -rn mtu /etc/netplan /etc/network", f"the NIC must have MTU {mtu} or less"
                ),
            ),
        )


def _stuck(flow: Flow, mtu: int) -> bool:
    """A segment too large for the network was repeated three times and never acknowledged."""
    return any(
        half.stuck_retransmissions >= REPETITION and half.stuck_bytes > mtu - HEADERS
        for half in (flow.originator, flow.responder)
    )


RULE = Rule(
    code="TMPL011",
    name="mss-exceeds-mtu",
    topic=Topic.TEMPLATES,
    severity=Severity.ERROR,
    check=check,
)
