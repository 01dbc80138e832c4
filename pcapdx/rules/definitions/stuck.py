"""STUCK: connections whose full-size segments never arrive, while both ends live and smaller packets pass.

One capture's sight of a path that is too small: a segment is sent again three times and more, nothing of it is ever
acknowledged, the receiver goes on to speak, and no connection between the two ever got as large a segment through.
"""

from collections.abc import Iterator, Mapping, Sequence

from dissectors.icmp import Icmp
from pcapdx.case import View
from pcapdx.dissect import Flow, Half
from pcapdx.flowtable import TCP
from pcapdx.rules.definitions.local import owner
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.values import dataclass
from pcapdx.vantage import Role

LEAST = 1200
"""What is lost below that is no matter of the MTU (IPv6's least is 1280)."""
STANDARD_MSS = 1460
MOST_FLOWS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """One connection, and the side whose large segments die."""

    flow: Flow
    sender: Half
    receiver: Half


@once_a_view
def stuck(view: View) -> Mapping[tuple[str, str], Sequence[Stuck]]:
    """By sender and receiver."""
    found: dict[tuple[str, str], list[Stuck]] = {}
    sent: dict[tuple[str, str], list[tuple[int, int]]] = {}
    told = {
        (one.message.quoted.src, one.message.quoted.dst)
        for one in view.messages(Icmp)
        if one.message.fragmentation_needed and one.message.quoted is not None
    }
    for one in _every(view):
        ends = one.sender.ip or "", one.receiver.ip or ""
        if ends in told:
            continue
        if ends not in sent:
            sent[ends] = _largest(view, one.sender.ip, one.receiver.ip)
        if not _passed(sent[ends], one.sender.stuck_bytes):
            found.setdefault(ends, []).append(one)
    return found


def _every(view: View) -> Iterator[Stuck]:
    at_end = view.vantage.role in (Role.TAP, Role.ROUTER)  # what dies behind it dies in the receiver
    sides = view.flows.sides
    large = (sides["stuck_count"] >= REPETITION) & (sides["stuck_bytes"] >= LEAST)
    chosen = (large[0::2] | large[1::2]) & (view.flows.rows["protocol"] == TCP)
    for flow in view.flows.take(chosen)[:MOST_FLOWS]:
        for sender, receiver in ((flow.originator, flow.responder), (flow.responder, flow.originator)):
            at_its_end = at_end and receiver.mac == owner(view)
            if _is_stuck(sender, receiver) and not at_its_end:
                yield Stuck(flow=flow, sender=sender, receiver=receiver)


def _is_stuck(sender: Half, receiver: Half) -> bool:
    """To the end not one byte of the large segment was acknowledged, and its receiver spoke once more since.

    Segments with wrong checksums, a closed window and jumbo frames at both ends are other matters.
    """
    return (
        sender.stuck_retransmissions >= REPETITION
        and sender.stuck_bytes >= LEAST
        and sender.stuck_bytes * 10 >= sender.largest_payload * 8
        and sender.stream_bytes - sender.acked_bytes >= sender.stuck_bytes
        and (receiver.last_frame or 0) > (sender.stuck_frame or 0)
        and receiver.packets > receiver.syn
        and not receiver.zero_windows
        and sender.sums_wrong < REPETITION
        and not ((sender.mss or 0) > STANDARD_MSS < (receiver.mss or 0))
    )


def _largest(view: View, source: str | None, target: str | None) -> list[tuple[int, int]]:
    """Of all connections between two addresses, what the one sent: its largest payload, and what was acknowledged."""
    flows = (*view.flows.where(client=source, server=target), *view.flows.where(client=target, server=source))
    halves = (half for flow in flows for half in (flow.originator, flow.responder) if half.ip == source)
    return [(half.largest_payload, half.acked_bytes) for half in halves]


def _passed(sent: Sequence[tuple[int, int]], size: int) -> bool:
    """Whether a segment as large may have got through: twice as much of such a connection was acknowledged."""
    return any(largest >= size and acked >= 2 * size for largest, acked in sent)


def numbers(members: Sequence[Stuck]) -> list[int]:
    """Frames of the segments."""
    return [
        number
        for one in members
        for number in (one.sender.payload_frame, one.sender.stuck_frame, one.sender.last_frame)
        if number is not None
    ]


def bounds(members: Sequence[Stuck]) -> tuple[int | None, int | None]:
    """When the first began and the last ended."""
    begins = [one.sender.payload_ns for one in members if one.sender.payload_ns is not None]
    ends = [one.sender.last_ns for one in members if one.sender.last_ns is not None]
    return min(begins, default=None), max(ends, default=None)
