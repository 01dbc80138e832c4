"""TMPL006 duplicate-client-id, TMPL007 duplicate-duid-v6, TMPL008 duplicate-hostname: clones of one image.

What it does
------------
Finds a DHCP client identifier (option 61) that two MACs use within a day (TMPL006), the same of DHCPv6, DUID and IAID
(TMPL007), and a host name (options 12, 81) that two MACs use (TMPL008, a remark).

Why it matters
--------------
Servers that go by the client identifier give both the same address. CloudStack's router goes by MAC first, so there
it is mostly DNS and other servers that suffer.

Common causes
-------------
/etc/machine-id was not emptied before the template was made, and the identifier is made from it; the host name is
part of the image.

What else it could be
---------------------
The two NICs of a bond or of a failover pair; an instance that was made anew with the same disk: where the first one
is not heard any more after the second began, it is a remark. Names that every fresh image has are left out.

Next steps
----------
Empty the machine-id in the template, or let the client identify itself by MAC.
"""

from collections.abc import Iterator
from itertools import pairwise

from dissectors.dhcp import Dhcp, DhcpExchange
from dissectors.dhcpv6 import Dhcp6
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import Segment
from pcapdx.model import Confidence, Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, in_vlan, listed
from pcapdx.rules.templates.guests import template

DAY = 86_400 * SECOND
GENERIC = frozenset(
    {"localhost", "ubuntu", "debian", "centos", "rocky", "fedora", "cirros", "alpine", "minwinpc", "(none)"}
)
FIRST_BOOT = ("win-", "ip-", "instance-", "desktop-")
"""Names that an operating system makes up at its first boot."""


def check_identifier(view: View) -> Iterator[Finding]:
    """TMPL006: one finding an identifier and VLAN."""
    groups: dict[tuple[Segment, str], list[DhcpExchange]] = {}
    for one in view.exchanges(DhcpExchange):
        identifier = next((seen.message.client_id for seen in one.client_messages if seen.message.client_id), None)
        if identifier is not None and not _by_mac(identifier):
            groups.setdefault((one.segment, identifier), []).append(one)
    for ((vlan, _, _), identifier), exchanges in groups.items():
        firsts = {one.chaddr: one for one in reversed(exchanges)}
        begun = sorted(firsts.values(), key=lambda one: one.first_ns)
        if len(begun) < 2 or all(later.first_ns - first.first_ns > DAY for first, later in pairwise(begun)):
            continue
        given = [one.address for one in exchanges if one.address is not None]
        shared = {address for address in given if len({o.chaddr for o in exchanges if o.address == address}) > 1}
        both_live = _heard_after(view, begun[0].chaddr, vlan, begun[1].first_ns)
        severity = Severity.ERROR if shared else Severity.WARNING
        macs = [one.chaddr for one in begun]
        yield IDENTIFIER.finding(
            subject=Subject(vlan=vlan),
            severity=severity if both_live else Severity.INFO,
            confidence=Confidence.CERTAIN if both_live else Confidence.POSSIBLE,
            summary=(
                f"{listed(macs[:4])} ({in_vlan(vlan)}) use the same DHCP client identifier {identifier[:24]}"
                + (f", and both got {listed(sorted(shared))}." if shared else ".")
            ),
            evidence=tuple(
                cite(view, (seen.number for seen in one.client_messages), f"{one.chaddr} with this identifier")
                for one in begun[:4]
            ),
            filter=" || ".join(f"dhcp.hw.mac_addr == {mac}" for mac in macs[:4]),
            first_ns=begun[0].first_ns,
            last_ns=exchanges[-1].last_ns,
            alternatives=(
                "the two are NICs of one bond or of a failover pair",
                *(() if both_live else ("the first is gone: one instance, made anew with the same disk",)),
            ),
            next_steps=(
                template(
                    "truncate -s 0 /etc/machine-id; grep -rn dhcp-identifier /etc/netplan",
                    "an empty machine-id is made anew at each first boot; dhcp-identifier: mac makes it not matter",
                ),
            ),
        )


def _by_mac(identifier: str) -> bool:
    """Type 1 and a MAC: as unique as that (RFC 2132, 9.14)."""
    return identifier.startswith("01") and len(identifier) == 14


def _heard_after(view: View, mac: str, vlan: int, ts_ns: int) -> bool:
    """A MAC sent something after a moment."""
    return any(one.mac == mac and one.vlan == vlan and (one.last_ns or 0) > ts_ns for one in view.talkers)


def check_duid(view: View) -> Iterator[Finding]:
    """TMPL007: one finding a DUID and broadcast domain."""
    groups: dict[tuple[Segment, str, int], dict[str, list[Seen[Dhcp6]]]] = {}
    for one in view.messages(Dhcp6):
        message, mac = one.message, one.frame.eth_src
        if message.from_server or message.relays or mac is None or message.client_duid is None:
            continue
        for iaid in message.iaids:
            groups.setdefault((one.frame.segment, message.client_duid, iaid), {}).setdefault(mac, []).append(one)
    told: set[tuple[Segment, str]] = set()
    for (segment, duid, _), by_mac in groups.items():
        if len(by_mac) < 2 or (segment, duid) in told:
            continue
        told.add((segment, duid))
        firsts = sorted(by_mac.items(), key=lambda item: item[1][0].ts_ns)
        begun = [one[0].ts_ns for _, one in firsts]
        if all(later - first > DAY for first, later in pairwise(begun)):
            continue
        both_live = _heard_after(view, firsts[0][0], segment[0], begun[1])
        macs = [mac for mac, _ in firsts]
        yield DUID.finding(
            subject=Subject(vlan=segment[0]),
            severity=None if both_live else Severity.INFO,
            confidence=Confidence.CERTAIN if both_live else Confidence.POSSIBLE,
            summary=f"{listed(macs[:4])} ({in_vlan(segment[0])}) ask for IPv6 addresses with one DUID, {duid[:28]}.",
            evidence=tuple(
                cite(view, (one.number for one in sent), f"DHCPv6 of {mac} with this DUID and IAID")
                for mac, sent in firsts[:4]
            ),
            filter=" || ".join(f"(dhcpv6 && eth.src == {mac})" for mac in macs[:4]),
            first_ns=begun[0],
            last_ns=max(sent[-1].ts_ns for _, sent in firsts),
            alternatives=(
                "the two are NICs of one bond or of a failover pair",
                *(() if both_live else ("the first is gone: one instance, made anew with the same disk",)),
            ),
            next_steps=(
                template(
                    "truncate -s 0 /etc/machine-id; rm -f /var/lib/dhcp*/*duid* /var/lib/dhcp/dhclient6*.leases",
                    "a DUID is then made anew at each first boot",
                ),
            ),
        )


def check_name(view: View) -> Iterator[Finding]:
    """TMPL008: one finding a name and VLAN."""
    groups: dict[tuple[Segment, str], dict[str, Seen[Dhcp]]] = {}
    for one in view.exchanges(DhcpExchange):
        for seen in one.client_messages:
            name = (seen.message.fqdn or seen.message.hostname or "").lower().partition(".")[0]
            if name and name not in GENERIC and not name.startswith(FIRST_BOOT):
                groups.setdefault((one.segment, name), {}).setdefault(one.chaddr, seen)
    for ((vlan, _, _), name), clients in groups.items():
        if len(clients) > 1:
            yield NAME.finding(
                subject=Subject(vlan=vlan, name=name),
                summary=f"{listed(list(clients)[:4])} ({in_vlan(vlan)}) all call themselves {name}.",
                evidence=(cite(view, (seen.number for seen in clients.values()), f"host name {name} in DHCP"),),
                filter=f'dhcp.option.hostname == "{name}" || dhcp.fqdn.name == "{name}"',
                first_ns=min(seen.ts_ns for seen in clients.values()),
                last_ns=max(seen.ts_ns for seen in clients.values()),
                alternatives=("several NICs of one instance",),
                next_steps=(
                    template(
                        "cloud-init clean; hostnamectl set-hostname localhost (Windows: sysprep /generalize)",
                        "a fresh instance then takes the name that CloudStack gives it",
                    ),
                ),
            )


IDENTIFIER = Rule(
    code="TMPL006",
    name="duplicate-client-id",
    topic=Topic.TEMPLATES,
    severity=Severity.WARNING,
    check=check_identifier,
    explains=("DHCP012", "DHCP016", "DHCP018", "TMPL008"),
)
DUID = Rule(
    code="TMPL007",
    name="duplicate-duid-v6",
    topic=Topic.TEMPLATES,
    severity=Severity.WARNING,
    check=check_duid,
    explains=("DHCP027",),
)
NAME = Rule(
    code="TMPL008",
    name="duplicate-hostname",
    topic=Topic.TEMPLATES,
    severity=Severity.INFO,
    check=check_name,
)
