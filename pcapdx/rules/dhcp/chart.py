"""DHCP at a glance: each client's attempts over time, and what came of the last."""

from collections.abc import Sequence

from dissectors.dhcp import DhcpExchange
from pcapdx.case import View
from pcapdx.chart import MOST_LANES, MOST_MARKS, Chart, Lane, Mark, MarkKind
from pcapdx.rules.definitions.wording import in_vlan


def clients(view: View) -> Chart | None:
    """A lane a client and VLAN, those without an address first; None without DHCP."""
    attempts: dict[tuple[int, str], list[DhcpExchange]] = {}
    for one in view.exchanges(DhcpExchange):
        attempts.setdefault((one.vlan, one.chaddr), []).append(one)
    if not attempts:
        return None
    failing_first = sorted(attempts.items(), key=lambda item: bool(item[1][-1].acks))
    lanes = tuple(_lane(vlan, mac, own, len(view.vlans) > 1) for (vlan, mac), own in failing_first[:MOST_LANES])
    return Chart(
        title="DHCP by client",
        legend="circle: the client asks; filled: a server answers; cross: it refuses (NAK), or nobody answers",
        lanes=lanes,
        begin_ns=view.first_ns,
        end_ns=view.last_ns,
        left_out=len(attempts) - len(lanes),
    )


def _lane(vlan: int, mac: str, attempts: Sequence[DhcpExchange], several: bool) -> Lane:
    marks = [mark for one in attempts for mark in _marks(one)]
    return Lane(
        label=f"{mac} {in_vlan(vlan)}" if several else mac,
        bars=tuple((one.first_ns, one.last_ns) for one in attempts),
        marks=tuple(marks[:MOST_MARKS]),
        note=_outcome(attempts[-1]),
    )


def _marks(one: DhcpExchange) -> list[Mark]:
    refusals = {seen.number for seen in one.naks}
    marks = []
    for seen in one.messages:
        if seen.number in refusals:
            kind = MarkKind.FAILED
        elif seen.message.from_server:
            kind = MarkKind.ANSWERED
        else:
            kind = MarkKind.ASKED if one.answered or not _wants_an_answer(one) else MarkKind.FAILED
        marks.append(Mark(at_ns=seen.ts_ns, kind=kind))
    return marks


def _wants_an_answer(one: DhcpExchange) -> bool:
    return len(one.releases) + len(one.declines) < len(one.client_messages)


def _outcome(one: DhcpExchange) -> str:
    if one.acks:
        return f"got {one.address}" if one.address else "acknowledged"
    if one.naks:
        return "refused (NAK)"
    if one.offers:
        return "offered, nothing more"
    if not _wants_an_answer(one):
        return "released" if one.releases else "declined"
    return "answered" if one.answered else "no answer"
