"""HYP008 link-receives-nothing: a NIC sends, and not one frame comes in.

What it does
------------
At a physical NIC, over a minute or more, finds twenty frames on their way out, ARP requests or DHCP DISCOVERs among
them that are repeated in vain, and no frame of any kind from anybody else.

Why it matters
--------------
A link in use hears broadcasts, spanning tree or LLDP within a minute. Silence means that the whole host is cut off.

Common causes
-------------
A dead receiver or a fibre that is broken in one direction; the wrong port; a port that BPDU guard or an administrator
shut down on the far side only.

What else it could be
---------------------
A recorder of outgoing frames only (``-Q out``); the idle member of a bond, which sends nothing; a lonely link to a
single machine that is off.

Next steps
----------
Look at the link's counters and at the switch port.
"""

from collections.abc import Iterator

from dissectors.cdp import Cdp
from dissectors.lacp import Lacp
from dissectors.lldp import Lldp
from dissectors.stp import Bpdu
from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.observable import LINKTYPE_ETHERNET, filters
from pcapdx.rules.definitions.switch_ports import switch_port
from pcapdx.rules.definitions.two_way import answered_vlans
from pcapdx.rules.definitions.windows import SECOND, TWO_PATHS
from pcapdx.rules.definitions.wording import cite, duration, listed
from pcapdx.rules.vlan_trunk.transmit_only import unanswered

LONG = 60 * SECOND


def check(view: View) -> Iterator[Finding]:
    """One finding at most."""
    role = view.vantage.role
    ethernet = {one.link_type for one in view.capture.interfaces} == {LINKTYPE_ETHERNET}
    if role is None or not role.is_wire or not ethernet or filters(view):
        return
    senders = [one for one in view.talkers if one.sent]
    if view.frames < TWO_PATHS or view.duration_ns < LONG or answered_vlans(view):
        return
    # what came over a wire is padded; what this host sent is not yet
    if not any(one.short or one.out for one in senders) or any(one.padded or one.into for one in senders):
        return
    if any(is_local(view, one.mac) is False or one.received for one in senders):
        return
    if _speaks_from_afar(view):
        return
    asking = [found for vlan in view.vlans if (found := unanswered(view, vlan)) is not None]
    if not asking:
        return
    plain = any(one.plain for one in asking)
    interface = view.vantage.interface or "this NIC"
    yield RULE.finding(
        subject=Subject(),
        severity=Severity.ERROR if plain else Severity.WARNING,
        confidence=Confidence.LIKELY if plain else Confidence.POSSIBLE,
        summary=(
            f"{interface} sends and receives nothing: {view.frames} frames left in {duration(view.duration_ns)}, "
            f"{asking[0].words.split(' in ')[0]}, and no frame came in."
        ),
        evidence=(
            cite(view, (number for one in asking for number in one.frames), "requests on their way out, none answered"),
        ),
        filter=f"eth.src in {{{', '.join(one.mac for one in senders[:8])}}}",
        first_ns=view.first_ns,
        last_ns=view.last_ns,
        alternatives=(
            "the recorder was told to take outgoing frames only (-Q out)",
            f"this is a bond's idle member, and {listed(one.mac for one in senders[:3])} are elsewhere",
        ),
        next_steps=(
            NextStep(
                where="this host",
                command=f"ethtool {interface}; ethtool -S {interface} | grep -i rx; ethtool -m {interface}",
                meaning="no link, errors or no receive power: cable, transceiver or port",
            ),
            NextStep(
                where=switch_port(view),
                command="show interfaces status err-disabled; show interfaces counters",
                meaning="err-disabled or no frames out: the switch has shut the port",
            ),
        ),
    )


def _speaks_from_afar(view: View) -> bool:
    """Whether a sender of control protocols shows nothing that is this host's: then it is most likely the switch."""
    short = {one.mac for one in view.talkers if one.short or one.out}
    kinds: tuple[type[object], ...] = (Bpdu, Cdp, Lacp, Lldp)
    return any(one.frame.eth_src not in short for kind in kinds for one in view.messages(kind))


RULE = Rule(
    code="HYP008",
    name="link-receives-nothing",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.ERROR,
    check=check,
    explains=(
        "VLAN001",
        "VLAN019",
        "DHCP001",
        "DHCP020",
        "DHCP022",
        "HOST001",
        "HOST017",
        "HOST007",
        "META007",
        "PWD011",
    ),
)
