"""TMPL001 nic-silent, TMPL002 ipv6-only-noise, TMPL003 pxe-then-silence: the guest never asks for an address.

What it does
------------
Finds a guest that says nothing at all at its own tap for two minutes and more (TMPL001), one that comes up and sends
nothing but IPv6's noise of every interface (TMPL002), and one whose boot ROM asks by PXE and whose operating system
never follows (TMPL003).

Why it matters
--------------
The instance is "Running" and unreachable. Router, network and DHCP have nothing to do with it.

Common causes
-------------
The image was made elsewhere: a saved rule names its NIC eth0 and the new one becomes eth1; netplan names ens192, the
NIC here is ens3; the driver is missing; the boot order finds no disk.

What else it could be
---------------------
A guest that is stopped, paused, without operating system, still checking its disk, or with a static address and
nothing to say; a network that is IPv6 only (router advertisements are looked for); a diskless design.

Next steps
----------
Look at the guest's console: which interfaces are there, and which are configured.
"""

from collections.abc import Iterator

from dissectors.dhcp import DhcpExchange
from dissectors.icmp import Icmp
from pcapdx.case import Talker, View
from pcapdx.dissect import Seen
from pcapdx.model import Confidence, Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import is_group
from pcapdx.rules.definitions.windows import BOOT, SECOND
from pcapdx.rules.definitions.wording import cite, duration, in_vlan
from pcapdx.rules.templates.guests import console, flows_of, is_instance, last_ipv4_ns, nics, own_guest, sender

LONG = 300 * SECOND
ROM_SILENT = 180 * SECOND
ROM_ENDS = 60 * SECOND
"""A boot ROM and its loader are done so long after the last DHCP."""
NOISE = frozenset({133, 135, 136, 143, 131, 132})
SOLICITATION, ADVERTISEMENT = 133, 134
NOISY_PORTS = frozenset({5353, 5355})
PXE = ("PXEClient", "iPXE", "gPXE")


def check_silent(view: View) -> Iterator[Finding]:
    """TMPL001: at the guest's own tap."""
    guest = own_guest(view)
    if guest is None or view.duration_ns < BOOT or sender(view, guest.mac) is not None:
        return
    heard = [one for one in view.talkers if one.sent and one.broadcasts]
    if not heard:
        return
    name = guest.name or guest.mac
    yield SILENT.finding(
        subject=Subject(mac=guest.mac, vlan=0),
        severity=Severity.ERROR if view.duration_ns >= LONG else Severity.WARNING,
        confidence=Confidence.LIKELY,
        summary=(
            f"{name} ({guest.mac}) sent no frame in {duration(view.duration_ns)}, while broadcasts of others reached "
            "its interface."
        ),
        evidence=(
            cite(
                view,
                (number for one in heard[:6] for number in one.frames),
                "broadcasts of others; nothing from the guest",
            ),
        ),
        filter=f"eth.addr == {guest.mac} || eth.dst.ig == 1",
        first_ns=view.first_ns,
        last_ns=view.last_ns,
        alternatives=(
            f"{name} is stopped, paused or has no operating system",
            "it was quiet and configured long before this capture began",
        ),
        next_steps=(console(name), nics(guest.mac)),
    )


def check_noise(view: View) -> Iterator[Finding]:
    """TMPL002: one finding a guest."""
    advertised = {one.frame.segment for one in view.messages(Icmp) if one.message.type == ADVERTISEMENT}
    heard: dict[tuple[str, int], list[Seen[Icmp]]] = {}
    for one in view.messages(Icmp):
        if one.message.version == 6 and one.message.type in NOISE and one.frame.eth_src is not None:
            heard.setdefault((one.frame.eth_src, one.frame.vlan), []).append(one)
    for (mac, vlan), noise in heard.items():
        talker = sender(view, mac, vlan)
        if talker is None or not is_instance(view, mac) or any(one.frame.segment in advertised for one in noise):
            continue
        asked = any(one.message.type == SOLICITATION for one in noise)
        waited = view.remains_ns(noise[0].ts_ns) >= BOOT
        if not asked or not waited or not _nothing_else(view, talker):
            continue
        guest = view.site.guest_of(mac)
        name = guest.name if guest is not None and guest.name else mac
        yield NOISE_ONLY.finding(
            subject=Subject(mac=mac, vlan=vlan),
            confidence=Confidence.LIKELY,
            summary=(
                f"{name} ({mac}, {in_vlan(vlan)}) came up and sent only IPv6 solicitations and listener reports in "
                f"{duration(view.remains_ns(noise[0].ts_ns))}: no DHCP, no ARP."
            ),
            evidence=(
                cite(view, (one.number for one in noise), "nothing but what every IPv6 interface sends by itself"),
            ),
            filter=f"eth.src == {mac}",
            first_ns=noise[0].ts_ns,
            last_ns=noise[-1].ts_ns,
            alternatives=(
                "a static IPv4 address and nothing to say yet",
                "the network is meant to be IPv6 only, and its router is silent",
            ),
            next_steps=(console(name), nics(mac)),
        )


def _nothing_else(view: View, talker: Talker) -> bool:
    """No DHCP, no ARP, no IPv4, no flow but multicast name queries."""
    if any(one.mac == talker.mac and ":" not in one.ip for one in view.bindings):
        return False
    if any(one.chaddr == talker.mac for one in view.exchanges(DhcpExchange)):
        return False
    return all(flow.responder.port in NOISY_PORTS for flow in flows_of(view, talker.mac))


def check_pxe(view: View) -> Iterator[Finding]:
    """TMPL003: one finding a guest."""
    clients: dict[tuple[str, int], list[DhcpExchange]] = {}
    for one in view.exchanges(DhcpExchange):
        if one.client_messages and not is_group(one.chaddr):
            clients.setdefault((one.chaddr, one.vlan), []).append(one)
    for (mac, vlan), exchanges in clients.items():
        last = exchanges[-1].last_ns
        if not all(_by_rom(one) for one in exchanges) or view.remains_ns(last) < ROM_SILENT:
            continue
        if last_ipv4_ns(view, mac) > last + ROM_ENDS:
            continue
        guest = view.site.guest_of(mac)
        name = guest.name if guest is not None and guest.name else mac
        yield PXE_SILENT.finding(
            subject=Subject(mac=mac, vlan=vlan),
            confidence=Confidence.LIKELY,
            summary=(
                f"The boot ROM of {name} ({mac}) asked by PXE; in the {duration(view.remains_ns(last))} after that no "
                "operating system asked for an address."
            ),
            evidence=(
                cite(
                    view,
                    (seen.number for one in exchanges for seen in one.messages),
                    "DHCP of the boot ROM, the last of it",
                ),
            ),
            filter=f"dhcp.hw.mac_addr == {mac}",
            first_ns=exchanges[0].first_ns,
            last_ns=last,
            alternatives=(
                "a diskless machine by design",
                "an operating system with a static address and nothing to say",
            ),
            next_steps=(console(name), nics(mac)),
        )


def _by_rom(one: DhcpExchange) -> bool:
    """Asked by a boot ROM, which says so in its vendor or user class."""
    return any(
        (text or "").startswith(PXE)
        for seen in one.client_messages
        for text in (seen.message.vendor_class, seen.message.user_class)
    )


SILENT = Rule(
    code="TMPL001",
    name="nic-silent",
    topic=Topic.TEMPLATES,
    severity=Severity.WARNING,
    check=check_silent,
)
NOISE_ONLY = Rule(
    code="TMPL002",
    name="ipv6-only-noise",
    topic=Topic.TEMPLATES,
    severity=Severity.WARNING,
    check=check_noise,
)
PXE_SILENT = Rule(
    code="TMPL003",
    name="pxe-then-silence",
    topic=Topic.TEMPLATES,
    severity=Severity.WARNING,
    check=check_pxe,
    explains=("TMPL001",),
)
