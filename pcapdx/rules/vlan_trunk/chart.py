"""VLANs at a glance: when each was heard, and whether who asks in it is answered."""

from collections.abc import Iterator

from dissectors.arp import ArpExchange
from dissectors.dhcp import DhcpExchange
from pcapdx.case import View
from pcapdx.chart import MOST_LANES, MOST_MARKS, Chart, Lane, Mark, MarkKind


def lives(view: View) -> Chart | None:
    """A lane a VLAN; None where there is but one."""
    if len(view.vlans) < 2:
        return None
    asked: dict[int, list[Mark]] = {}
    for vlan, mark in _asked(view):
        asked.setdefault(vlan, []).append(mark)
    unanswered = {
        vlan: sum(one.kind is MarkKind.FAILED for one in marks) / len(marks) for vlan, marks in asked.items() if marks
    }
    silent_first = sorted(view.vlans, key=lambda vlan: -unanswered.get(vlan, 0))[:MOST_LANES]
    return Chart(
        title="VLANs: when each was heard, and whether its questions were answered",
        legend="bar: first to last frame; filled: an ARP or DHCP question that was answered; cross: one that was not",
        lanes=tuple(_lane(view, vlan, asked.get(vlan, [])) for vlan in sorted(silent_first)),
        begin_ns=view.first_ns,
        end_ns=view.last_ns,
        left_out=len(view.vlans) - len(silent_first),
    )


def _asked(view: View) -> Iterator[tuple[int, Mark]]:
    """Questions by VLAN, those asked again and again once."""
    for one in view.exchanges(ArpExchange):
        yield one.vlan, _mark(one.requests[0].ts_ns, bool(one.replies))
    for attempt in view.exchanges(DhcpExchange):
        if attempt.client_messages:
            yield attempt.vlan, _mark(attempt.first_ns, attempt.answered)


def _mark(at_ns: int, answered: bool) -> Mark:
    return Mark(at_ns=at_ns, kind=MarkKind.ANSWERED if answered else MarkKind.FAILED)


def _lane(view: View, vlan: int, marks: list[Mark]) -> Lane:
    senders = [one for one in view.talkers if one.vlan == vlan and one.sent]
    firsts = [one.first_ns for one in senders if one.first_ns is not None]
    lasts = [one.last_ns for one in senders if one.last_ns is not None]
    sent, macs = sum(one.sent for one in senders), len({one.mac for one in senders})
    failed = [one for one in marks if one.kind is MarkKind.FAILED]
    answered = [one for one in marks if one.kind is not MarkKind.FAILED]
    return Lane(
        label=f"VLAN {vlan}" if vlan else "untagged",
        bars=((min(firsts), max(lasts)),) if firsts else (),
        marks=(*failed[:MOST_MARKS], *answered[:MOST_MARKS]),
        note=f"{sent:,} frames of {macs} MAC{'s' if macs > 1 else ''}",
    )
