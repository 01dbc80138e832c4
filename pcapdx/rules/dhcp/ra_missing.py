"""DHCP028 ra-missing: a guest solicits an IPv6 router and none advertises itself.

What it does
------------
Where the site profile has an isolated or VPC network with an IPv6 prefix, finds a guest that sends three router
solicitations, and no router advertisement in the whole capture.

Why it matters
--------------
Without an advertisement a guest has no prefix and no default route: no IPv6 beyond its neighbours.

Common causes
-------------
radvd is not running on the virtual router, or failed to start for its configuration; the router was made before the
network got its prefix.

What else it could be
---------------------
A shared network, whose upstream router advertises every ten minutes and is left out for that; a switch that snoops on
multicast listeners and drops what nobody asked for.

Next steps
----------
Look at radvd on the router.
"""

from collections.abc import Iterator

from dissectors.ipv6_nd import RouterAdvertisement, RouterSolicitation
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import Segment
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.path.admission import packet
from pcapdx.path.trail import ICMPV6
from pcapdx.rule import Rule
from pcapdx.rules.definitions.observable import hears
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, in_vlan, times
from pcapdx.site import Network

SOLICITATIONS = 3
ANSWER = 5 * SECOND
"""A router answers a solicitation at once, or three seconds after its last advertisement (RFC 4861, 6.2.6)."""
OWN_ROUTER = ("isolated", "vpc")


def check(view: View) -> Iterator[Finding]:
    """One finding a guest."""
    networks = [one for one in view.site.network if ":" in one.cidr and one.type in OWN_ROUTER]
    if not networks or view.messages(RouterAdvertisement):
        return
    asked: dict[tuple[Segment, str], list[Seen[RouterSolicitation]]] = {}
    for one in view.messages(RouterSolicitation):
        if one.frame.eth_src is not None:
            asked.setdefault((one.frame.segment, one.frame.eth_src), []).append(one)
    for (segment, mac), every in asked.items():
        waited = [one for one in every if view.remains_ns(one.ts_ns) >= ANSWER]
        vni = segment[2] if segment[2] >= 0 else None
        network = _network(view, segment[0], networks)
        known = view.site.guest_of(mac) is not None or len(view.site.network) == len(networks)
        heard = hears(view, mac, segment[0], vni, answer=packet(ICMPV6))
        if len(waited) < SOLICITATIONS or network is None or not known or not heard:
            continue
        yield RULE.finding(
            subject=Subject(mac=mac, vlan=segment[0]),
            confidence=Confidence.LIKELY,
            summary=(
                f"{mac} ({in_vlan(segment[0])}) solicited an IPv6 router {times(len(waited))} and none advertised "
                f"itself, although the network has {network.cidr}."
            ),
            evidence=(cite(view, (one.number for one in waited), "router solicitation; no advertisement follows"),),
            filter="icmpv6.type == 133 || icmpv6.type == 134",
            first_ns=waited[0].ts_ns,
            last_ns=waited[-1].ts_ns,
            alternatives=("a switch that drops multicast to listeners it does not know (MLD snooping)",),
            next_steps=(
                NextStep(
                    where="virtual router of this network",
                    command="systemctl status radvd; cat /etc/radvd.conf; ip -6 address show",
                    meaning="not running, or no block for the guest NIC: restart the network with cleanup",
                ),
            ),
        )


def _network(view: View, vlan: int, networks: list[Network]) -> Network | None:
    """The IPv6 network that these frames are of: by its VLAN at a wire, else the only one."""
    tagged = [one for one in networks if vlan and one.vlan == vlan]
    if tagged:
        return tagged[0]
    wire = view.vantage.role is not None and view.vantage.role.is_wire
    return networks[0] if len(networks) == 1 and not (wire and vlan) else None


RULE = Rule(
    code="DHCP028",
    name="ra-missing",
    topic=Topic.DHCP,
    severity=Severity.ERROR,
    check=check,
    explains=("DHCP027", "TMPL002"),
)
