"""TMPL011 mss-exceeds-mtu: the guest's NIC has a larger MTU than its network.

What it does
------------
Finds a guest whose SYNs announce a larger segment (MSS) than the MTU that DHCP told it (option 26), or that the site
profile has for its network (``mtu``), leaves room for.
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
from pcapdx.flowtable import TCP
from pcapdx.model import Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import lease_at, leases
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.templates.guests import template
from pcapdx.values import dataclass

HEADERS = 40
"""IPv4 and TCP without options."""
MOST_FLOWS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Larger:
    """A connection whose SYN announces too much."""

    flow: Flow
    mtu: int
    by: str
    ack: int | None
    """Frame of the lease that told the MTU."""


def check(view: View) -> Iterator[Finding]:
    """One finding a guest: the first stuck flow, else the first that announces too much."""
    guests: dict[tuple[str, str], list[_Larger]] = {}
    for mac, one in (*_against_lease(view), *_against_profile(view)):
        guests.setdefault((mac, one.flow.originator.ip or ""), []).append(one)
    for (mac, ip), found in guests.items():
        yield _finding(view, mac, ip, found)


def _against_lease(view: View) -> Iterator[tuple[str, _Larger]]:
    limited = {one.ip for one in leases(view) if one.ack.message.mtu is not None}
    for flow in (flow for ip in limited for flow in view.flows.where(client=ip)):
        lease = lease_at(view, flow.originator.ip, flow.originator.first_ns or 0)
        mtu = lease.ack.message.mtu if lease is not None else None
        if lease is not None and mtu is not None and (flow.originator.mss or 0) > mtu - HEADERS:
            yield lease.mac, _Larger(flow=flow, mtu=mtu, by=f"DHCP gave it an MTU of {mtu}", ack=lease.ack.number)


def _against_profile(view: View) -> Iterator[tuple[str, _Larger]]:
    """Of guests to whom DHCP told no MTU in this capture; a router's own NIC is another matter."""
    mtus = [one.mtu for one in view.site.network if one.mtu is not None and one.cidr]
    if not mtus:
        return
    told = {one.ip for one in leases(view) if one.ack.message.mtu is not None}
    rows = view.flows.rows
    larger = (
        (rows["protocol"] == TCP) & (rows["ip_version"] == 4) & (view.flows.originator("mss") > min(mtus) - HEADERS)
    )
    for flow in view.flows.take(larger)[:MOST_FLOWS]:
        ip, mac = flow.originator.ip, flow.originator.mac
        network = view.site.network_of(ip)
        if network is None or network.mtu is None or mac is None or ip in told or ip == network.gateway:
            continue
        if view.site.is_router(mac=mac, ip=ip) or (flow.originator.mss or 0) <= network.mtu - HEADERS:
            continue
        by = f"its network{f' {network.name}' if network.name else ''} has an MTU of {network.mtu} by the site profile"
        yield mac, _Larger(flow=flow, mtu=network.mtu, by=by, ack=None)


def _finding(view: View, mac: str, ip: str, found: list[_Larger]) -> Finding:
    stuck = [one for one in found if _stuck(one.flow, one.mtu)]
    told = [
        one
        for one in view.messages(Icmp)
        if one.message.fragmentation_needed and one.message.quoted and one.message.quoted.src == ip
    ]
    larger = (stuck or found)[0]
    flow, mtu = larger.flow, larger.mtu
    effect = bool(stuck or told)
    before = () if larger.ack is None else (larger.ack,)
    return RULE.finding(
        subject=Subject(mac=mac, vlan=flow.vlan, ip=ip),
        severity=None if effect else Severity.INFO,
        summary=(
            f"{ip} announces an MSS of {flow.originator.mss}, though {larger.by}"
            + ("; full-size segments get stuck." if effect else ".")
        ),
        evidence=(
            cite(
                view,
                (*before, *flow.originator.syn_frames),
                f"MTU {mtu} in the lease, then the SYN" if before else "SYN with its MSS",
            ),
            *(
                cite(view, (number,), "a full-size segment, repeated again and again")
                for number in (flow.originator.stuck_frame, flow.responder.stuck_frame)
                if number is not None and stuck
            ),
            *((cite(view, (one.number for one in told), "a router says that it does not fit"),) if told else ()),
        ),
        filter=f"tcp.options.mss_val > {mtu - HEADERS} && ip.src == {ip}",
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
    explains=("VLAN017",),
)
