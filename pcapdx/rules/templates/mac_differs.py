"""TMPL009 mac-differs: a guest does not use the MAC that CloudStack gave its NIC.

What it does
------------
Finds DHCP requests, broadcast and not relayed, whose Ethernet source is another MAC than the one inside; a client
that calls itself as a guest of the site profile does but has another MAC, while that guest's own is not heard; and at
the tap of a silent guest somebody else who is spoken to there.

Why it matters
--------------
The router knows the NIC's MAC only: no address, no metadata, no password; spoofing filters drop everything.

Common causes
-------------
The image sets a MAC (macaddress in netplan, HWADDR, a saved rule); a bridge or bond inside the guest has a MAC of its
own.

What else it could be
---------------------
Nested instances, VRRP, a relay that does not say so.

Next steps
----------
Compare the NIC's MAC in CloudStack with the guest's own.
"""

from collections.abc import Iterator

from dissectors.dhcp import Dhcp, DhcpExchange
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import BROADCAST_MAC
from pcapdx.model import Confidence, Evidence, Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import is_group, is_virtual_router_protocol
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, in_vlan
from pcapdx.rules.templates.guests import nics, own_guest, sender, template

NOBODY = "00:00:00:00:00:00"
"""In a capture whose payload was blanked."""


def check(view: View) -> Iterator[Finding]:
    """One finding a client, by the first of the three signs."""
    told: set[str] = set()
    for mac, finding in (*_rewritten(view), *_renamed(view), *_at_own_tap(view)):
        if mac not in told:
            told.add(mac)
            yield finding


def _rewritten(view: View) -> Iterator[tuple[str, Finding]]:
    """Ethernet source and the client's MAC inside differ."""
    clients: dict[tuple[str, str, int], list[Seen[Dhcp]]] = {}
    for one in view.messages(Dhcp):
        message, outside = one.message, one.frame.eth_src
        if message.from_server or message.relayed or message.hops or one.frame.eth_dst_int != BROADCAST_MAC:
            continue
        if message.chaddr in (None, NOBODY) or outside in (None, message.chaddr) or is_virtual_router_protocol(outside):
            continue
        clients.setdefault((message.chaddr, outside or "", one.frame.vlan), []).append(one)
    for (inside, outside, vlan), found in clients.items():
        yield (
            inside,
            _finding(
                view,
                inside,
                vlan,
                f"{inside} asks for an address {in_vlan(vlan)}, but its frames come from {outside}.",
                (cite(view, (one.number for one in found), f"DHCP of {inside} in frames of {outside}, no relay"),),
                (found[0].ts_ns, found[-1].ts_ns),
                Confidence.CERTAIN,
                f"dhcp.hw.mac_addr == {inside} && eth.src == {outside}",
            ),
        )


def _renamed(view: View) -> Iterator[tuple[str, Finding]]:
    """A client with the name of a guest whose own MAC is not heard."""
    named = {one.name.lower(): one for one in view.site.guest if one.name and one.mac}
    for one in view.exchanges(DhcpExchange):
        name = next((seen.message.hostname for seen in one.client_messages if seen.message.hostname), "").lower()
        guest = named.get(name)
        if guest is None or one.chaddr == guest.mac or view.site.guest_of(one.chaddr) or sender(view, guest.mac):
            continue
        yield (
            one.chaddr,
            _finding(
                view,
                one.chaddr,
                one.vlan,
                f"A guest that calls itself {guest.name} asks from {one.chaddr}; CloudStack's NIC has {guest.mac}.",
                (cite(view, (seen.number for seen in one.client_messages), f"DHCP of {one.chaddr} as {guest.name}"),),
                (one.first_ns, one.last_ns),
                Confidence.LIKELY,
                f"dhcp.hw.mac_addr == {one.chaddr}",
            ),
        )


def _at_own_tap(view: View) -> Iterator[tuple[str, Finding]]:
    """At the tap of a guest that sends nothing, another MAC that others speak to."""
    guest = own_guest(view)
    if guest is None or sender(view, guest.mac) is not None:
        return
    for one in view.talkers:
        if not one.sent or one.received < REPETITION or is_group(one.mac) or is_virtual_router_protocol(one.mac):
            continue
        if view.site.guest_of(one.mac) or view.site.is_router(mac=one.mac) or not view.site.router:
            continue
        yield (
            one.mac,
            _finding(
                view,
                one.mac,
                one.vlan,
                f"The guest at this tap uses {one.mac}; CloudStack's NIC is {guest.mac}, which sends nothing.",
                (cite(view, one.frames, f"frames of {one.mac}"),),
                (one.first_ns or 0, one.last_ns or 0),
                Confidence.LIKELY,
                f"eth.addr == {one.mac}",
            ),
        )


def _finding(
    view: View,
    mac: str,
    vlan: int,
    summary: str,
    evidence: tuple[Evidence, ...],
    span: tuple[int, int],
    confidence: Confidence,
    display_filter: str,
) -> Finding:
    return RULE.finding(
        subject=Subject(mac=mac, vlan=vlan),
        confidence=confidence,
        summary=summary,
        evidence=evidence,
        filter=display_filter,
        first_ns=span[0],
        last_ns=span[1],
        alternatives=("a bridge or nested instance inside the guest", "a relay that does not name itself"),
        next_steps=(
            nics(mac),
            template(
                "ip link; grep -rniE 'macaddress|hwaddr|cloned-mac' /etc/netplan /etc/network /etc/NetworkManager",
                "a MAC written there is that of the machine the image was made on",
            ),
        ),
    )


RULE = Rule(
    code="TMPL009",
    name="mac-differs",
    topic=Topic.TEMPLATES,
    severity=Severity.WARNING,
    check=check,
    explains=("DHCP002",),
)
