"""Clients that ask in vain: DISCOVERs grouped by client, with what answered whom in the same broadcast domain.

Where the snap length cut the type off, requests of a client without an address stand for DISCOVERs: each of them wants
an answer too. A REQUEST that selects a server cannot be told from them, so where only one direction may have been
recorded such requests count only when they come as repetitions do, one after a pause, and the client never uses an
address.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from dissectors.dhcp import Dhcp, DhcpExchange
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import Segment, segment_of
from pcapdx.model import Confidence, Severity
from pcapdx.path.admission import NO, packet
from pcapdx.path.trail import UDP
from pcapdx.rules.definitions.leases import bindings_by_mac
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.observable import filter_admits, hears
from pcapdx.rules.definitions.windows import DHCP_ANSWER, DHCP_SPREAD, DHCP_TRIES, SECOND
from pcapdx.values import dataclass

STILL_ALIVE = 60 * SECOND
"""A server that answered somebody so shortly before is taken to be there still; longer ago, it may have died."""
DHCP_ANSWERED = packet(UDP, sport=67, dport=68)
"""What every answer looks like."""
DOMAIN = 53
PAUSE = 2 * SECOND
"""Clients repeat after three or four seconds; they answer an OFFER at once."""
NO_LEASE = ("0.0.0.0", "169.254.", "fe80:")
"""How addresses begin that nobody leased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """A client none of whose DISCOVERs was answered, as far as the capture could show."""

    mac: str
    vlan: int
    vni: int | None
    segment: Segment
    discovers: tuple[Seen[Dhcp], ...]
    enough: bool
    """Three DISCOVERs over ten seconds that had their five seconds each."""
    cut: bool
    """The snap length cut the type off some of them."""
    heard: bool
    """The capture shows frames to this client, so an answer would be in it."""
    others_served: tuple[DhcpExchange, ...]
    """Exchanges of other clients in the same VLAN that were answered, not long before this one's DISCOVERs or after."""
    in_vain: int
    """Clients of the same VLAN that ask in vain, this one included, since the last answer to anybody; 0 where somebody
    was answered after this one had begun, be it a name that was asked for."""

    @property
    def first_ns(self) -> int:
        """First DISCOVER."""
        return self.discovers[0].ts_ns

    @property
    def last_ns(self) -> int:
        """Last DISCOVER."""
        return self.discovers[-1].ts_ns

    @property
    def frames(self) -> tuple[int, ...]:
        """Frames of the DISCOVERs."""
        return tuple(one.number for one in self.discovers)

    @property
    def stopped(self) -> bool:
        """The server may as well have died: it answered others; since then two or more ask and nobody is answered."""
        return bool(self.others_served) and self.in_vain > 1

    @property
    def severity(self) -> Severity:
        """Fewer packets than needed: one severity lower."""
        return Severity.ERROR if self.enough else Severity.WARNING

    @property
    def confidence(self) -> Confidence:
        """Certain only where an answer would have been seen."""
        if not self.enough:
            return Confidence.POSSIBLE
        return Confidence.CERTAIN if self.heard and not self.cut else Confidence.LIKELY

    @property
    def what(self) -> str:
        """What the packets are, as far as they can be read."""
        if self.cut:
            return "DHCP request whose options are cut off; no reply to this client follows"
        return "DHCP DISCOVER; no OFFER, ACK or NAK follows"

    @property
    def limits(self) -> tuple[str, ...]:
        """What of the capture weakens the claim."""
        found = []
        if self.cut:
            found.append("the snap length cut the DHCP options: which requests are DISCOVERs is not known")
        if not self.heard:
            found.append(f"no frame to {self.mac} is in this capture; one that shows a single direction looks the same")
        return tuple(found)


@once_a_view
def unanswered(view: View) -> tuple[Unanswered, ...]:
    """Clients whose DISCOVERs all stayed without OFFER, ACK or NAK, or all since they were last answered.

    A client that goes on to choose a server was answered, seen or not. One or two DISCOVERs count only where the
    capture would show the answer. At a wire with tags, a reply in another VLAN is that VLAN's.
    """
    exchanges = view.exchanges(DhcpExchange)
    answered: dict[Segment, list[DhcpExchange]] = {}
    asking: dict[tuple[Segment, str], list[Seen[Dhcp]]] = {}
    settled: dict[str, int] = {}
    for one in exchanges:
        if one.answered:
            answered.setdefault(one.segment, []).append(one)
        if one.chosen_server:
            settled[one.chaddr] = max(one.last_ns, settled.get(one.chaddr, one.last_ns))
        asking.setdefault((one.segment, one.chaddr), []).extend((*one.discovers, *one.cut_requests))
    found = []
    for (segment, mac), every in asking.items():
        vlan, vni = segment[0], segment[2] if segment[2] >= 0 else None
        here = answered.get(segment, [])
        served = [_answered_ns(one) for one in here if one.chaddr == mac]
        since = max([*served, settled[mac]] if mac in settled else served, default=None)
        discovers = sorted((one for one in every if since is None or one.ts_ns > since), key=lambda one: one.ts_ns)
        waited = [one for one in discovers if view.remains_ns(one.ts_ns) >= DHCP_ANSWER]
        enough = len(waited) >= DHCP_TRIES and waited[-1].ts_ns - waited[0].ts_ns >= DHCP_SPREAD
        if filter_admits(view, DHCP_ANSWERED, vlan) == NO:
            continue
        heard = hears(view, mac, vlan, vni, answer=DHCP_ANSWERED)
        # one or two at a restart of dnsmasq are noise, so a few count only with a sight of the other direction
        cut = any(one.message.type_unknown for one in discovers)
        repeated = len(waited) > 1 and waited[-1].ts_ns - waited[0].ts_ns >= PAUSE
        if not (enough or (since is None and heard and repeated)):
            continue
        if cut and not heard and not _in_vain(view, mac, segment, waited):
            continue
        others = (one for one in here if one.chaddr != mac and _answered_ns(one) >= discovers[0].ts_ns - STILL_ALIVE)
        found.append(
            Unanswered(
                mac=mac,
                vlan=vlan,
                vni=vni,
                segment=segment,
                discovers=tuple(discovers),
                enough=enough,
                cut=cut,
                heard=heard,
                others_served=tuple(others),
                in_vain=0,
            )
        )
    in_question = {one.segment for one in found}
    last_ns = {
        segment: _alive_ns(view, segment, every) for segment, every in answered.items() if segment in in_question
    }
    later = [one.first_ns > last_ns.get(one.segment, 0) for one in found]
    alike = Counter(one.segment for one, after in zip(found, later, strict=True) if after)
    return tuple(
        replace(one, in_vain=alike[one.segment]) if after else one for one, after in zip(found, later, strict=True)
    )


def _alive_ns(view: View, segment: Segment, served: Sequence[DhcpExchange]) -> int:
    """When servers that had answered were last heard to serve: addresses, or names.

    CloudStack's router serves both by one dnsmasq (CsDhcp.py): while it answers one, it is there for the other.
    """
    servers = {server for one in served for server in one.servers}
    names = (
        flow.responder.last_ns or 0
        for server in servers
        for flow in view.flows.where(protocol=UDP, ports=(DOMAIN,), server=server)
        if segment_of(flow.vlan, flow.inner_vlan, flow.vni) == segment and flow.responder.payload_bytes
    )
    return max(*map(_answered_ns, served), *names, 0)


def without_dhcp(view: View, vlan: int, segment: Segment) -> bool:
    """Whether the profile says that CloudStack serves no DHCP here: a network of type L2.

    It is known by its VLAN; where frames have no tag (a bridge, a tap, all interfaces at once), by the addresses
    used beside the client.
    """
    planned = [one for one in view.site.network if one.type == "l2"]
    if not planned:
        return False
    if vlan:
        return any(one.vlan == vlan for one in planned)
    used = (view.site.network_of(one.ip) for one in view.bindings if one.segment == segment)
    networks = [one for one in used if one is not None]
    return bool(networks) and all(one.type == "l2" for one in networks)


def _in_vain(view: View, mac: str, segment: Segment, asked: list[Seen[Dhcp]]) -> bool:
    """Whether cut requests can only be repetitions: of one attempt, far enough apart, by a client without an address.

    A client that is answered sends its REQUEST within moments of the OFFER, and then uses what it was given.
    """
    attempts: dict[int, list[int]] = {}
    for one in asked:
        attempts.setdefault(one.message.xid, []).append(one.ts_ns)
    repeated = any(
        len(moments) >= DHCP_TRIES and all(later - first >= PAUSE for first, later in pairwise(moments))
        for moments in attempts.values()
    )
    used = any(
        one.segment == segment and one.last_ns >= asked[0].ts_ns and not one.ip.startswith(NO_LEASE)
        for one in bindings_by_mac(view).get(mac, ())
    )
    return repeated and not used


def _answered_ns(one: DhcpExchange) -> int:
    """Time of a server's latest word in an answered exchange."""
    return one.server_messages[-1].ts_ns
