"""SG006 ipv6-source-not-eui64: a guest speaks IPv6 from an address that security groups do not know.

What it does
------------
In a zone with security groups (the site profile says so), at one guest's tap, finds an IPv6 source address whose last
half is not made of the NIC's MAC (EUI-64) and that the profile does not list, with three packets or more. Where what it
asks from there stays unanswered it is a warning. With a second capture at the NIC of its host no profile is needed:
packets from there all die on the host, while those from the guest's EUI-64 address pass; that is an error.

Why it matters
--------------
CloudStack's filter on a KVM host lets out only the addresses it can work out from the MAC, and those it gave. Packets
from any other are dropped on the host without a word.

Common causes
-------------
Privacy addresses (RFC 8981) or stable opaque ones (RFC 7217), the default of NetworkManager, dhcpcd and Windows.

What else it could be
---------------------
An address that was added as a secondary one and is missing in the profile; a host whose filters are not loaded.

Next steps
----------
Let the guest make its addresses from its MAC.
"""

from collections.abc import Iterator
from ipaddress import IPv6Address

from pcapdx.case import Case, View
from pcapdx.dissect import Flow
from pcapdx.flowtable import TCP
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.path.trail import row_address
from pcapdx.rule import Rule
from pcapdx.rules.definitions.observable import hears
from pcapdx.rules.definitions.path import MOST_MEMBERS, Fate, Leg, legs, mac_int
from pcapdx.rules.definitions.windows import REPETITION, SYN_AFTER
from pcapdx.rules.definitions.wording import cite, listed
from pcapdx.rules.templates.guests import own_guest
from pcapdx.site import Guest
from pcapdx.vantage import Role

UDP = 17


def check(view: View) -> Iterator[Finding]:
    """One finding a guest and address."""
    guest = own_guest(view)
    if guest is None or not view.site.security_groups:
        return
    known = {guest.ip, *guest.secondary_ips}
    for ip in dict.fromkeys(one.ip for one in view.bindings if one.mac == guest.mac and ":" in one.ip):
        if ip in known or _is_made_of(ip, guest.mac) or IPv6Address(ip).is_unspecified:
            continue
        flows = [flow for flow in _flows(view, ip) if not _to_group(flow)]
        if sum(flow.originator.packets for flow in flows) >= REPETITION:
            yield _finding(view, guest, ip, flows)


def check_path(case: Case) -> Iterator[Finding]:
    """One finding a guest and address whose packets die on their host."""
    for leg in legs(case):
        mac = leg.guest if leg.leaves_host and leg.near.vantage.role is Role.TAP else None
        if mac is None:
            continue
        sent = leg.sent_by(mac_int(mac)) & ~leg.group & leg.expected
        fates = {ip: leg.fate(sent & (leg.rows["src"] == row_address(ip))) for ip in _addresses(leg.near, mac)}
        made = {ip: fate for ip, fate in fates.items() if _is_made_of(ip, mac)}
        passing = {ip: fate for ip, fate in made.items() if len(fate.passed) >= REPETITION and not len(fate.lost)}
        for ip, fate in fates.items():
            if passing and ip not in made and fate.dead and len(fate.lost) >= REPETITION:
                yield _dropped(leg, mac, ip, fate, passing)


def _addresses(view: View, mac: str) -> list[str]:
    """IPv6 sources of a guest that the profile does not list."""
    guest = view.site.guest_of(mac)
    known = {guest.ip, *guest.secondary_ips} if guest else set()
    used = (one.ip for one in view.bindings if one.mac == mac and ":" in one.ip and one.ip not in known)
    return [ip for ip in dict.fromkeys(used) if not IPv6Address(ip).is_unspecified][:MOST_MEMBERS]


def _is_made_of(ip: str, mac: str) -> bool:
    return IPv6Address(ip).packed[8:] == eui64(mac)


def _dropped(leg: Leg, mac: str, ip: str, fate: Fate, passing: dict[str, Fate]) -> Finding:
    near, far, good = leg.near.name, leg.far.name, next(iter(passing))
    return RULE.finding(
        subject=Subject(mac=mac, ip=ip),
        severity=Severity.ERROR,
        confidence=leg.confidence,
        summary=(
            f"The host drops what {mac} sends from {ip}, which is not made of its MAC: {len(fate.lost):,} packets are "
            f"at {near} and none at {far}, while those from {good} pass."
        ),
        evidence=(
            leg.seen(fate.lost, f"packets from {ip}"),
            leg.missing(""),
            leg.arrived(passing[good].passed, f"packets from {good}"),
        ),
        filter=f"ipv6.src == {ip}",
        first_ns=int(fate.lost["ts_ns"][0]),
        last_ns=int(fate.lost["ts_ns"][-1]),
        alternatives=(f"a filter of the host that knows {ip} for another reason",),
        limits=leg.limits,
        next_steps=_next_steps(mac),
    )


def eui64(mac: str) -> bytes:
    """The interface identifier that a MAC makes (RFC 4291, appendix A)."""
    raw = bytes.fromhex(mac.replace(":", ""))
    return bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]


def _flows(view: View, ip: str) -> Iterator[Flow]:
    """What was asked from an address, by TCP and UDP."""
    for protocol in (TCP, UDP):
        yield from (flow for flow in view.flows.where(protocol=protocol, client=ip) if flow.originator.packets)


def _to_group(flow: Flow) -> bool:
    return flow.responder.ip is not None and IPv6Address(flow.responder.ip).is_multicast


def _finding(view: View, guest: Guest, ip: str, flows: list[Flow]) -> Finding:
    answered = [flow for flow in flows if flow.responder.packets]
    asked_ns = max(flow.originator.last_ns or 0 for flow in flows)
    vain = not answered and view.remains_ns(asked_ns) >= SYN_AFTER and hears(view, guest.mac)
    frames = [flow.originator.first_frame or 0 for flow in flows]
    name = guest.name or guest.mac
    servers = list(dict.fromkeys(flow.responder.ip or "?" for flow in flows))
    return RULE.finding(
        subject=Subject(mac=guest.mac, ip=ip),
        severity=Severity.WARNING if vain else Severity.INFO,
        confidence=Confidence.LIKELY if vain else Confidence.POSSIBLE,
        summary=(
            f"{name} speaks from {ip}, which is not made of its MAC: security groups drop it on the host"
            + (f"; {listed(servers[:3])} never answered." if vain else ".")
        ),
        evidence=(cite(view, frames, f"packets from {ip}"),),
        filter=f"ipv6.src == {ip}",
        first_ns=min(flow.originator.first_ns or 0 for flow in flows),
        last_ns=asked_ns,
        limits=("at the guest's tap packets are seen before the host's filter",),
        next_steps=_next_steps(name),
    )


def _next_steps(name: str) -> tuple[NextStep, ...]:
    return (
        NextStep(
            where="this host",
            command="ip6tables-save -c | grep -A6 'i-.*-VM'; ip6tables -L -v | grep -i drop",
            meaning="the counter of the rule that drops other sources grows: that is the fault",
        ),
        NextStep(
            where=f"guest {name}",
            command="sysctl net.ipv6.conf.all.use_tempaddr; nmcli -f ipv6 connection show NAME",
            meaning="use_tempaddr 0 and addr-gen-mode eui64 make the address that CloudStack expects",
        ),
    )


RULE = Rule(
    code="SG006",
    name="ipv6-source-not-eui64",
    topic=Topic.SECURITY_GROUPS,
    severity=Severity.WARNING,
    check=check,
    check_path=check_path,
    explains=("SG002",),
)
