"""CAP001 rx-tags-stripped: frames that were received have lost their VLAN tag in the recorder.

What it does
------------
Finds requests that leave tagged and are answered untagged, three times or more, where the askers took the answers and
no frame of anybody else carries a tag at all.

Why it matters
--------------
The network is sound. Whoever reads this capture sees "untagged" where the wire was tagged, and must not judge by it.

Common causes
-------------
Receive VLAN offload with a recorder that ignores the tag that the kernel gives beside the frame (old libpcap, raw
sockets).

What else it could be
---------------------
A native VLAN mismatch (VLAN004): then the askers do not get their answers and ask again.

Next steps
----------
Switch the offload off, or take a newer tcpdump, and capture again.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.crossings import Crossing, crossings
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, listed


@once_a_view
def stripped(view: View) -> tuple[Crossing, ...]:
    """The exchanges that show it; empty where the recorder kept the tags or nothing tells."""
    crossed = [one for one in crossings(view) if one.asked and not one.answered]
    askers = {one.asker_mac for one in crossed}
    if len(crossed) < REPETITION or sum(one.went_on for one in crossed) <= sum(one.asked_again for one in crossed):
        return ()
    tagged = [one for one in view.talkers if one.sent and one.vlan and one.vni is None]
    if any(one.mac not in askers and is_local(view, one.mac) is not True for one in tagged):
        return ()
    return tuple(crossed)


def check(view: View) -> Iterator[Finding]:
    """One finding at most."""
    crossed = stripped(view)
    if not crossed:
        return
    vlans = sorted({one.asked for one in crossed})
    interface = view.vantage.interface or "NIC"
    yield RULE.finding(
        subject=Subject(),
        confidence=Confidence.CERTAIN if sum(one.went_on for one in crossed) >= REPETITION else Confidence.LIKELY,
        summary=(
            f"The recorder lost the tags of what it received: {len(crossed)} requests left tagged {listed(vlans)}, "
            "their answers are here untagged, and the askers took them."
        ),
        evidence=(
            cite(view, (number for one in crossed for number in one.frames), "tagged requests, untagged answers"),
        ),
        filter="arp || icmp || dhcp || tcp.flags.syn == 1",
        next_steps=(
            NextStep(
                where="this host",
                command=f"ethtool -K {interface} rxvlan off; tcpdump -enni {interface} -w again.pcap",
                meaning="tags on received frames as well: it was the offload, not the network",
            ),
        ),
    )


RULE = Rule(
    code="CAP001",
    name="rx-tags-stripped",
    topic=Topic.CAPTURE,
    severity=Severity.INFO,
    check=check,
    explains=("VLAN001", "VLAN004", "VLAN006", "HYP004", "OVS002"),
)
