"""HYP023 vxlan-mtu: the underlay is too small for the overlay's frames.

What it does
------------
Finds VXLAN packets that leave in IP fragments, and ICMP messages that tell a tunnel endpoint again and again that its
packets are too big.

Why it matters
--------------
A tunnel adds 50 bytes and more. Where the underlay takes 1500, full-size guest frames are cut in two, which costs speed
and fails wherever a fragment is dropped; or they are lost, and large transfers stall while pings pass.

Common causes
-------------
The MTU of the underlay's NIC, bond, VLAN interface or switch was left at 1500; a router between the hosts has a smaller
one.

What else it could be
---------------------
Path MTU discovery that works: one such ICMP message, after which the packets are smaller (told as a remark).

Next steps
----------
Raise the underlay to 1550 at least (1600 is usual), or lower the guests' MTU to 1450.
"""

from collections.abc import Iterator

from dissectors.icmp import Icmp
from dissectors.vxlan import VxlanFragment
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.overlay import PORTS
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import at_least, cite, listed, times

SPREAD = 2 * SECOND
UDP = 17
TOO_BIG = {(4, 3, 4), (6, 2, 0)}
"""IP version, type and code."""


def check(view: View) -> Iterator[Finding]:
    """One finding a pair of endpoints."""
    yield from _too_big(view)
    yield from _fragments(view)


def _too_big(view: View) -> Iterator[Finding]:
    grouped: dict[tuple[str, str], list[Seen[Icmp]]] = {}
    for one in view.messages(Icmp):
        icmp, quoted = one.message, one.message.quoted
        told = (icmp.version, icmp.type, icmp.code) in TOO_BIG
        if told and quoted is not None and quoted.protocol == UDP and quoted.dport in PORTS:
            grouped.setdefault((quoted.src, quoted.dst), []).append(one)
    for (src, dst), errors in grouped.items():
        first, last = errors[0], errors[-1]
        again = len(errors) >= REPETITION and last.ts_ns - first.ts_ns >= SPREAD
        mtu = first.message.mtu
        size = f"{first.message.quoted.wire_bytes} bytes" if first.message.quoted is not None else "its size"
        yield RULE.finding(
            subject=Subject(ip=src, server=dst),
            severity=Severity.ERROR if again else Severity.INFO,
            confidence=Confidence.CERTAIN if again else Confidence.POSSIBLE,
            summary=(
                f"Tunnel packets of {src} to {dst} are too big for their path: {first.frame.src} says so "
                f"{at_least(view, len(errors), 'icmp')} ({size}" + (f", the path takes {mtu})." if mtu else ").")
            ),
            evidence=(cite(view, (one.number for one in errors), "ICMP: too big, quoting a tunnel packet"),),
            filter=f"icmp.type == 3 && icmp.code == 4 && ip.dst == {src}" if ":" not in src else "icmpv6.type == 2",
            first_ns=first.ts_ns,
            last_ns=last.ts_ns,
            alternatives=(() if again else ("path MTU discovery that works: later packets are smaller",)),
            next_steps=_steps(src, dst),
        )


def _fragments(view: View) -> Iterator[Finding]:
    grouped: dict[tuple[str, str], list[Seen[VxlanFragment]]] = {}
    for one in view.messages(VxlanFragment):
        grouped.setdefault((one.frame.src or "?", one.frame.dst or "?"), []).append(one)
    for (src, dst), pieces in grouped.items():
        if len(pieces) < REPETITION:
            continue
        vnis = sorted({one.message.vni for one in pieces})
        yield RULE.finding(
            subject=Subject(ip=src, server=dst),
            severity=Severity.WARNING,
            confidence=Confidence.CERTAIN,
            summary=(
                f"{src} sends VXLAN {listed(vnis[:4])} to {dst} in fragments "
                f"({times(len(pieces))}{' or more' if 'vxlan' in view.left_out else ''}): "
                "guests' full-size frames do not fit the underlay."
            ),
            evidence=(cite(view, (one.number for one in pieces), "first fragment of a VXLAN packet"),),
            filter=f"ip.flags.mf == 1 && ip.src == {src} && ip.dst == {dst}" if ":" not in src else "ipv6.fraghdr",
            first_ns=pieces[0].ts_ns,
            last_ns=pieces[-1].ts_ns,
            limits=("whether every fragment arrives is told only by a capture on the other host",),
            next_steps=_steps(src, dst),
        )


def _steps(src: str, dst: str) -> tuple[NextStep, ...]:
    return (
        NextStep(
            where=f"host {src}",
            command=f"ping -M do -s 1522 -c 3 {dst}; ip link show",
            meaning="1522 bytes of data make 1550 on the wire: no answer or 'message too long' is this fault",
        ),
        NextStep(
            where="switches between the hosts",
            command="show interfaces | include MTU",
            meaning="every port of the underlay must take 1550 and 18 of Ethernet, better 1600 or 9000",
        ),
    )


RULE = Rule(
    code="HYP023",
    name="vxlan-mtu",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.WARNING,
    check=check,
    explains=("HOST009", "TMPL011"),
)
