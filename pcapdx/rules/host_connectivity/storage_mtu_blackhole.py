"""HOST009 storage-mtu-blackhole: large segments never arrive on a path whose ends both believe in jumbo frames.

What it does
------------
Finds a connection on which both sides offered an MSS above 1460, whose segments above that are sent again three times
and more and never acknowledged, while smaller ones are, and no router says that they are too big.

Why it matters
--------------
Mounts and small files work; the first large read or write hangs, and everything on that storage with it.

Common causes
-------------
A switch, bond, bridge or VLAN device on the way has MTU 1500 where the hosts have 9000. Between instances: a template
that sets 9000 in a network that is meant for 1500.

What else it could be
---------------------
Plain loss, which lets some large segments through; a server that died in that moment, which then says nothing more.

Next steps
----------
Send the largest frame that must pass, with fragmentation forbidden.
"""

from collections.abc import Iterator

import numpy as np

from dissectors.icmp import Icmp
from pcapdx.case import View
from pcapdx.dissect import Flow, Half
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, times
from pcapdx.sieve.columns import Array

STANDARD_MSS = 1460
HEADERS = 28
"""IPv4 and ICMP headers of a ping that is to fill the MTU."""
TCP_HEADERS = 40


def check(view: View) -> Iterator[Finding]:
    """One finding a sender and receiver."""
    too_big = {
        (one.message.quoted.src, one.message.quoted.dst)
        for one in view.messages(Icmp)
        if one.message.fragmentation_needed and one.message.quoted is not None
    }
    told: set[tuple[str | None, str | None]] = set()
    for flow in view.flows.take(_candidates(view)):
        for sender, receiver in ((flow.originator, flow.responder), (flow.responder, flow.originator)):
            ends = sender.ip, receiver.ip
            if _stuck(sender) and ends not in {*too_big, *told} and not _passed(view, sender, receiver):
                told.add(ends)
                yield _finding(view, flow, sender, receiver)


def _candidates(view: View) -> Array:
    """Flows of two jumbo ends in which a large segment is stuck, one bool a row."""
    table = view.flows
    jumbo = (table.originator("mss") > STANDARD_MSS) & (table.responder("mss") > STANDARD_MSS)
    stuck = np.zeros(len(table), dtype=bool)
    for side in (table.originator, table.responder):
        stuck |= (side("stuck_count") >= REPETITION) & (side("stuck_bytes") > STANDARD_MSS)
    return np.asarray(jumbo & stuck)


def _stuck(half: Half) -> bool:
    """Small segments were acknowledged, and to the end not one byte of the large one."""
    return (
        half.stuck_retransmissions >= REPETITION
        and half.stuck_bytes > STANDARD_MSS
        and half.acked_bytes > 0
        and half.stream_bytes - half.acked_bytes >= half.stuck_bytes
    )


def _passed(view: View, sender: Half, receiver: Half) -> bool:
    """Whether any connection of the two got more through than so many small segments hold: large ones do pass."""
    flows = (
        *view.flows.where(client=sender.ip, server=receiver.ip),
        *view.flows.where(client=receiver.ip, server=sender.ip),
    )
    return any(
        half.acked_bytes > STANDARD_MSS * half.packets
        for flow in flows
        for half in (flow.originator, flow.responder)
        if half.ip == sender.ip
    )


def _alive(view: View, receiver: Half, since_frame: int) -> bool:
    """Whether the receiver said anything after the segment was sent again."""
    if (receiver.last_frame or 0) > since_frame:
        return True
    return any(one.ip == receiver.ip and one.last_frame > since_frame for one in view.bindings)


def _finding(view: View, flow: Flow, sender: Half, receiver: Half) -> Finding:
    alive = _alive(view, receiver, sender.stuck_frame or 0)
    guests = is_guest(sender.mac) and is_guest(receiver.mac)
    small = sender.acked_bytes <= STANDARD_MSS
    client, server = flow.originator, flow.responder
    largest = (sender.mss or 0) + TCP_HEADERS - HEADERS
    frames = [number for number in (sender.payload_frame, sender.stuck_frame, sender.last_frame) if number is not None]
    return RULE.finding(
        subject=Subject(mac=client.mac, vlan=flow.vlan, ip=client.ip, server=server.ip, port=server.port),
        severity=Severity.ERROR if alive or small else Severity.WARNING,
        confidence=Confidence.CERTAIN if alive and small else Confidence.LIKELY,
        summary=(
            f"Segments of {sender.stuck_bytes:,} bytes from {sender.ip} to {receiver.ip} (port {server.port}) die, "
            f"sent again {times(sender.stuck_retransmissions)}, while smaller ones arrive: an MTU below "
            f"{sender.stuck_bytes + TCP_HEADERS:,} on the way."
        ),
        evidence=(
            cite(
                view,
                (*client.syn_frames[:1], *server.syn_frames[:1]),
                f"both ends offer jumbo frames (MSS {sender.mss:,})",
            ),
            cite(view, frames, f"{sender.acked_bytes:,} bytes acknowledged, then the large segment again and again"),
        ),
        filter=f"tcp.len > {STANDARD_MSS} && ip.addr == {sender.ip} && ip.addr == {receiver.ip}",
        first_ns=sender.payload_ns,
        last_ns=sender.last_ns,
        alternatives=(
            *(() if alive else (f"{receiver.ip} went silent in that moment: nothing of it is seen afterwards",)),
            *(("the network is meant for 1500, and the template of these instances sets more",) if guests else ()),
        ),
        next_steps=(
            NextStep(
                where=f"{sender.ip}",
                command=f"ping -M do -c 3 -s {largest} {receiver.ip}; ping -M do -c 3 -s 1472 {receiver.ip}",
                meaning="the first lost and the second answered: the path does not carry jumbo frames",
            ),
            NextStep(
                where="every hop: NIC, bond, bridge, VLAN device, switch port",
                command="ip -d link | grep mtu; show interfaces | include MTU",
                meaning="one of them has 1500; set it to 9000 (9216 on switches), or both ends to 1500",
            ),
        ),
    )


RULE = Rule(
    code="HOST009",
    name="storage-mtu-blackhole",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check,
)
