"""SG005 all-frames-die-stale-rules: of one guest everything dies on its host, its neighbour on the same network gets
out.

What it does
------------
With captures at two taps of one network and at the NIC of their host: finds a guest none of whose frames, ARP and DHCP
included, comes out at the NIC, while those of the other guest do.

Why it matters
--------------
The bridge and the VLAN are in order: what drops these frames knows this one tap.

Common causes
-------------
Security group rules of an earlier instance still stand for the tap's name, with its MAC and address; rules were not
rewritten after a migration or a reboot of the host.

What else it could be
---------------------
The tap is not in the bridge: that looks the same.

Next steps
----------
List the filters of this tap on the host, then have CloudStack write them anew.
"""

from collections.abc import Iterator

from pcapdx.case import Case
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.inside import arp_passes, dead_guests, passing_neighbour
from pcapdx.rules.definitions.path import mac_of
from pcapdx.rules.definitions.wording import cite


def check(case: Case) -> Iterator[Finding]:
    """One finding a guest."""
    for leg, mac, fate in dead_guests(case):
        neighbour = passing_neighbour(case, leg, mac)
        if neighbour is None or arp_passes(case, leg, fate):
            continue
        view, other = neighbour
        near, far, name = leg.near, leg.far, mac_of(mac)
        passing = next(one for one in far.talkers if one.mac == other and one.sent)
        tap = near.vantage.interface or "vnetN"
        yield RULE.finding(
            subject=Subject(mac=name),
            confidence=Confidence.LIKELY,
            summary=(
                f"Every frame of {name} dies on its host ({len(fate.lost):,} at {near.name}, none at "
                f"{far.name}), while its "
                f"neighbour {other} ({view.name}) gets out: filter rules of this one tap drop it."
            ),
            evidence=(
                leg.seen(fate.lost, f"frames of {name}"),
                leg.missing(""),
                cite(far, passing.frames, f"frames of {other} at {far.name}"),
            ),
            filter=f"eth.src == {name}",
            first_ns=int(fate.lost["ts_ns"][0]),
            last_ns=int(fate.lost["ts_ns"][-1]),
            alternatives=("the tap is not in the bridge of its network: that looks the same",),
            limits=leg.limits,
            next_steps=(
                NextStep(
                    where=f"host of {near.name}",
                    command=(
                        f"ebtables -t nat -L --Lc | grep -A9 {tap}; iptables-save -c | grep {tap}; bridge "
                        f"link show dev {tap}"
                    ),
                    meaning=(
                        f"rules that name another MAC than {name}, counters that grow: rules of an earlier instance"
                    ),
                ),
                NextStep(
                    where="management server",
                    command="cmk stop virtualmachine id=<instance>; cmk start virtualmachine id=<instance>",
                    meaning="CloudStack writes the rules anew; if its frames get out then, they were stale",
                ),
            ),
        )


RULE = Rule(
    code="SG005",
    name="all-frames-die-stale-rules",
    known=(3088,),
    topic=Topic.SECURITY_GROUPS,
    severity=Severity.ERROR,
    check_path=check,
    explains=(
        "DHCP001",
        "DHCP002",
        "DHCP006",
        "DHCP022",
        "META002",
        "META007",
        "PWD003",
        "PWD011",
        "SG001",
        "SG002",
        "VLAN019",
        "VLAN022",
    ),
)
