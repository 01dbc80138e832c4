"""DHCP008 offer-ignored, DHCP009 reply-bad-udp-checksum: the answer arrives and the client asks on.

What it does
------------
Finds a client that gets an OFFER for its own transaction and goes on sending DISCOVERs, twice at least, without
choosing any server. Where the OFFERs carry a wrong UDP checksum, that is the reason (DHCP009).

Why it matters
--------------
The router is innocent: the answer is lost in the guest, or between this point and the guest.

Common causes
-------------
A firewall in the guest; a checksum that the client checks and the router's host never filled in (routers without the
rule that fills checksums, pull request 1743); a filter between this point and the guest.

What else it could be
---------------------
Taken on a bridge or uplink, the OFFER may still be lost on its last way to the guest. A checksum that is only not yet
filled in (offload) is normal where the sender is on the same host; it counts here only since the client does not react.

Next steps
----------
Capture at the guest's own tap; look at the guest's firewall; switch checksum offload off on the router's side.
"""

from collections.abc import Iterator

from dissectors.dhcp import Checksum, Dhcp, DhcpExchange
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import Segment
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import ParticularsWithSteps, Rule
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, listed, times
from pcapdx.rules.dhcp import steps
from pcapdx.vantage import Role

ASKED_AGAIN = 2


def ignored(view: View) -> Iterator[tuple[str, int, list[Seen[Dhcp]], list[Seen[Dhcp]]]]:
    """(client, VLAN, OFFERs, DISCOVERs sent more than a second after an OFFER) of clients that chose no server."""
    clients: dict[tuple[Segment, str], list[DhcpExchange]] = {}
    for one in view.exchanges(DhcpExchange):
        clients.setdefault((one.segment, one.chaddr), []).append(one)
    for ((vlan, _, _), mac), exchanges in clients.items():
        offers = [offer for one in exchanges for offer in one.offers]
        if not offers or any(one.requests or one.acks or one.declines for one in exchanges):
            continue
        again = [
            discover
            for one in exchanges
            for discover in one.discovers
            if any(discover.ts_ns - offer.ts_ns > SECOND for offer in offers)
        ]
        if len(again) >= ASKED_AGAIN:
            yield mac, vlan, offers, again


def check_ignored(view: View) -> Iterator[Finding]:
    """DHCP008: one finding a client."""
    for mac, vlan, offers, again in ignored(view):
        at_guest = view.vantage.role is Role.TAP
        yield IGNORED.finding(
            confidence=Confidence.CERTAIN if at_guest else Confidence.LIKELY,
            summary=(
                f"{mac} got an OFFER {times(len(offers))} and asked on {times(len(again))}: it does not "
                "see the offer, or "
                "refuses it."
            ),
            **_particulars(view, mac, vlan, offers, again),
            alternatives=(
                "the guest's own firewall drops UDP 68, or its client misses an option it demands",
                *(() if at_guest else ("the OFFER is lost between this point and the guest's tap",)),
            ),
        )


def check_checksum(view: View) -> Iterator[Finding]:
    """DHCP009: every whole OFFER to such a client has a wrong UDP checksum."""
    for mac, vlan, offers, again in ignored(view):
        judged = [one for one in offers if one.message.checksum in (Checksum.OK, Checksum.WRONG)]
        if not judged or any(one.message.checksum is Checksum.OK for one in judged):
            continue
        offloaded = all(one.message.checksum_offloaded for one in judged)
        yield CHECKSUM.finding(
            confidence=Confidence.LIKELY if offloaded else Confidence.CERTAIN,
            summary=(
                f"Every OFFER to {mac} from {listed(sorted({one.frame.src or '?' for one in judged}))} has a wrong UDP "
                "checksum, and the client drops it."
            ),
            **_particulars(view, mac, vlan, judged, again),
            alternatives=(
                ("the checksum is only not yet filled in (offload), and the client is deaf for another reason",)
                if offloaded
                else ()
            ),
        )


def _particulars(
    view: View, mac: str, vlan: int, offers: list[Seen[Dhcp]], again: list[Seen[Dhcp]]
) -> ParticularsWithSteps:
    return ParticularsWithSteps(
        subject=Subject(mac=mac, vlan=vlan),
        evidence=(
            cite(view, (one.number for one in offers), "OFFER to this client"),
            cite(view, (one.number for one in again), "DISCOVER again, more than a second later"),
        ),
        filter=f"dhcp.hw.mac_addr == {mac}",
        first_ns=offers[0].ts_ns,
        last_ns=again[-1].ts_ns,
        next_steps=(
            NextStep(
                where=f"guest {mac}",
                command="iptables -S INPUT; nft list ruleset; journalctl -u systemd-networkd -u NetworkManager | tail",
                meaning="a rule that drops UDP port 68, or a client that says 'bad checksum' or 'ignoring offer'",
            ),
            NextStep(
                where="virtual router of this network",
                command="iptables -t mangle -L POSTROUTING -vn | grep -i checksum",
                meaning="the rule CHECKSUM fill for port 68 must be there (pull request 1743)",
            ),
            steps.router_log(mac),
        ),
    )


IGNORED = Rule(
    code="DHCP008",
    name="offer-ignored",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check_ignored,
    explains=("DHCP001", "DHCP022", "PWD011", "META007"),
)
CHECKSUM = Rule(
    code="DHCP009",
    name="reply-bad-udp-checksum",
    known=(1743,),
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check_checksum,
    explains=("DHCP008", "DHCP001", "DHCP022"),
)
