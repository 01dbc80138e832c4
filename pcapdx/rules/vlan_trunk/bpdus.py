"""VLAN010 host-sends-bpdu, VLAN011 bpdu-guard-tripped: this host takes part in the switches' spanning tree.

What it does
------------
At a physical NIC, finds bridge protocol data units that this host sends. Where all that comes in stops within two
seconds of the first one, for ten seconds and more while this host goes on sending, the switch port has shut itself.

Why it matters
--------------
Switch ports towards hosts are set up to shut when they hear a bridge (BPDU guard): then the whole host is cut off. A
host that is heard may become root, and draw the traffic of the fabric through itself.

Common causes
-------------
A Linux bridge with STP on, as some guides have it; Open vSwitch with stp_enable or rstp_enable; a guest that bridges,
whose units the host's bridge passes on.

What else it could be
---------------------
The switch's own units, which come in: a unit counts where the capture tells that it left, or where its sender speaks IP
as machines do (of a host a remark, then). Silence for another
reason: then the host has sent its units for long before.

Next steps
----------
Switch spanning tree off on bridges with an uplink, or filter the units, and look for ports that are err-disabled.
"""

from collections.abc import Iterator, Sequence

from dissectors.stp import Bpdu
from pcapdx.case import Talker, View
from pcapdx.dissect import Seen
from pcapdx.frame import SENT
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.local import is_local, told_by_padding
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.switch_ports import switch_port
from pcapdx.rules.definitions.windows import BURST, REPETITION, SECOND
from pcapdx.rules.definitions.wording import cite, duration, listed, times
from pcapdx.vantage import Role

STOPS_WITHIN = 2 * SECOND
SILENT_FOR = 10 * SECOND
EXPECTED = 5
"""Frames that would have come in during the silence at the rate before it."""


def check(view: View) -> Iterator[Finding]:
    """VLAN010: one finding a sender."""
    shut = _shut_ns(view)
    by_sender: dict[str, list[Seen[Bpdu]]] = {}
    for one in own_units(view):
        by_sender.setdefault(one.frame.eth_src or "", []).append(one)
    for mac, units in by_sender.items():
        if len(units) >= REPETITION or shut is not None:
            yield _sends(view, mac, units, sure=True)
    if not by_sender:
        yield from _of_machines(view)


def _of_machines(view: View) -> Iterator[Finding]:
    """Where the capture tells no direction: units of a MAC that also speaks as machines do, and switch ports do not."""
    role = view.vantage.role
    if role is None or not role.is_wire or told_by_padding(view) or any(one.out or one.into for one in view.talkers):
        return
    speaking = {one.mac for one in view.bindings}
    by_sender: dict[str, list[Seen[Bpdu]]] = {}
    for one in view.messages(Bpdu):
        if one.frame.eth_src in speaking and not one.frame.tunnel:
            by_sender.setdefault(one.frame.eth_src or "", []).append(one)
    for mac, units in by_sender.items():
        if len(units) >= REPETITION:
            yield _sends(view, mac, units, sure=False)


def check_guard(view: View) -> Iterator[Finding]:
    """VLAN011: one finding at most."""
    last_ns = _shut_ns(view)
    if last_ns is None:
        return
    units = [one for one in own_units(view) if one.ts_ns <= last_ns + STOPS_WITHIN]
    heard = [one for one in view.talkers if one.sent and is_local(view, one.mac) is False]
    latest = [one.last_frame for one in heard if one.last_frame is not None]
    silent = view.last_ns - last_ns
    yield GUARD.finding(
        subject=Subject(),
        confidence=Confidence.LIKELY,
        summary=(
            f"The switch port has shut itself: {listed(dict.fromkeys(one.frame.eth_src for one in units))} sent "
            f"spanning tree units, {duration(max(last_ns - units[0].ts_ns, 0))} after the first one the last frame "
            f"came in, and for {duration(silent)} nothing more, while this host went on sending."
        ),
        evidence=(
            cite(view, (one.number for one in units), "spanning tree units that this host sent"),
            cite(view, sorted(latest)[-3:], "the last frames that came in"),
        ),
        filter="stp",
        first_ns=units[0].ts_ns,
        last_ns=view.last_ns,
        alternatives=("the link or the switch failed in this very second",),
        next_steps=(
            NextStep(
                where=switch_port(view),
                command="show interfaces status err-disabled; show spanning-tree inconsistentports",
                meaning="err-disabled by bpduguard: first switch spanning tree off on the host, then shut / no shut",
            ),
            *_steps(view),
        ),
    )


@once_a_view
def own_units(view: View) -> tuple[Seen[Bpdu], ...]:
    """Units that left by this NIC."""
    role = view.vantage.role
    if role is not None and not role.is_wire and role is not Role.ANY:
        return ()
    return tuple(one for one in view.messages(Bpdu) if not one.frame.tunnel and _left(view, one))


def _left(view: View, one: Seen[Bpdu]) -> bool:
    if one.frame.direction:
        # of all interfaces at once, a bridge port's own units may have stayed inside the host
        return one.frame.direction == SENT and view.vantage.role is not Role.ANY
    return view.vantage.role is not Role.ANY and is_local(view, one.frame.eth_src) is True


@once_a_view
def _shut_ns(view: View) -> int | None:
    """When the last frame came in, where BPDU guard ended it; None where nothing did."""
    units = own_units(view)
    if not units:
        return None
    heard: list[Talker] = []
    own: list[Talker] = []
    for one in view.talkers:
        if one.sent:
            local = is_local(view, one.mac)
            if local is None and one.last_ns is not None and one.last_ns > units[0].ts_ns + STOPS_WITHIN:
                return None  # may have come in
            (own if local else heard).append(one)
    last_ns = max((one.last_ns or 0 for one in heard), default=0)
    still_ns = max((one.last_ns or 0 for one in own), default=0)
    if not units[0].ts_ns - SECOND // 2 <= last_ns <= units[0].ts_ns + STOPS_WITHIN:
        return None
    came, before = sum(one.sent for one in heard), last_ns - view.first_ns
    silent = min(view.last_ns, still_ns) - last_ns
    if silent < SILENT_FOR or came < BURST or before <= 0 or came * silent < EXPECTED * before:
        return None
    return last_ns


def _sends(view: View, mac: str, units: Sequence[Seen[Bpdu]], *, sure: bool) -> Finding:
    who = f"The guest {mac}" if is_guest(mac) else f"This host ({mac})" if sure else f"The machine {mac}"
    to = " to the switch" if sure else ""
    bridges = listed(dict.fromkeys(one.message.bridge.text for one in units if one.message.bridge is not None))
    as_bridge = f" as bridge {bridges}" if bridges else ""
    return SENDS.finding(
        subject=Subject(mac=mac),
        severity=Severity.WARNING if sure or is_guest(mac) else Severity.INFO,
        confidence=Confidence.CERTAIN if sure else Confidence.POSSIBLE,
        summary=f"{who} sends spanning tree units{to}{as_bridge}, {times(len(units))} in this capture.",
        evidence=(cite(view, (one.number for one in units), f"bridge protocol data units of {mac}"),),
        filter=f"stp && eth.src == {mac}",
        limits=() if sure else ("the capture does not tell whether they left here or came in",),
        first_ns=units[0].ts_ns,
        last_ns=units[-1].ts_ns,
        alternatives=("a host that is meant to be a bridge of the fabric, with two uplinks that are no bond",),
        next_steps=_steps(view),
    )


def _steps(view: View) -> tuple[NextStep, ...]:
    return (
        NextStep(
            where="this host",
            command=(
                "grep . /sys/class/net/*/bridge/stp_state; ovs-vsctl --columns=name,stp_enable,rstp_enable list bridge"
            ),
            meaning="1 or true at a bridge with an uplink: switch it off (ip link set BRIDGE type bridge stp_state 0)",
        ),
    )


SENDS = Rule(
    code="VLAN010",
    name="host-sends-bpdu",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.WARNING,
    check=check,
)
GUARD = Rule(
    code="VLAN011",
    name="bpdu-guard-tripped",
    topic=Topic.VLAN_TRUNK,
    severity=Severity.ERROR,
    check=check_guard,
    explains=(
        "VLAN010",
        "VLAN001",
        "VLAN006",
        "VLAN019",
        "HYP008",
        "HYP010",
        "DHCP001",
        "DHCP010",
        "DHCP020",
        "DHCP022",
        "HOST001",
        "HOST007",
        "META002",
        "PWD003",
    ),
)
