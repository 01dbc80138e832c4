"""LOCAL: whether a MAC's frames come from the host the capture was taken on.

Proof is, in this order: the direction that the capture itself notes (pcapng flags, Linux cooked packet type); at a
physical NIC a frame below 60 bytes, for it was caught before the hardware padded it, where other senders' small frames
do carry padding (nested hosts never pad). Without proof the answer is None, and a rule that needs it stays silent or
says so.
"""

from collections.abc import Mapping, Sequence

from pcapdx.case import Talker, View
from pcapdx.frame import SENT, Frame
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.vantage import Role

ARP, ARP_BYTES = 0x0806, 28
WIRE_BYTES, TAG_BYTES = 60, 4
"""The least that a wire carries, checksum excluded, and what a tag adds where a switch put it on."""


def is_local(view: View, mac: str | None) -> bool | None:
    """Whether this host sent the frames of ``mac``; None when the capture does not tell."""
    return _senders(view).get(mac)


@once_a_view
def _senders(view: View) -> Mapping[str | None, bool | None]:
    own: dict[str | None, list[Talker]] = {}
    for one in view.talkers:
        if one.sent:
            own.setdefault(one.mac, []).append(one)
    by_padding = told_by_padding(view)
    return {mac: _judged(talkers, by_padding=by_padding) for mac, talkers in own.items()}


def _judged(own: Sequence[Talker], *, by_padding: bool) -> bool | None:
    out, into = sum(one.out for one in own), sum(one.into for one in own)
    if out or into:
        return None if out and into else out > 0
    short, padded = sum(one.short for one in own), sum(one.padded for one in own)
    if not by_padding or (short and padded):
        return None
    return True if short else False if padded else None


@once_a_view
def told_by_padding(view: View) -> bool:
    """Whether padding tells directions here: a NIC (or an unknown point) where both kinds of small frames are seen."""
    role = view.vantage.role
    if role is not None and not role.is_wire:
        return False
    return any(one.short for one in view.talkers) and any(one.padded for one in view.talkers)


def local_talkers(view: View, vlan: int | None = None) -> tuple[Talker, ...]:
    """Senders that are proven LOCAL, in one VLAN or in all."""
    return tuple(
        one
        for one in view.talkers
        if one.sent and (vlan is None or one.vlan == vlan) and is_local(view, one.mac) is True
    )


def remote_talkers(view: View, vlan: int | None = None) -> tuple[Talker, ...]:
    """Senders that are proven not LOCAL, in one VLAN or in all."""
    return tuple(
        one
        for one in view.talkers
        if one.sent and (vlan is None or one.vlan == vlan) and is_local(view, one.mac) is False
    )


def is_guest_side(view: View) -> bool:
    """The capture was taken at one guest's own interface."""
    return view.vantage.role is Role.TAP


def owner(view: View) -> str | None:
    """The MAC whose interface this is: an end of every unicast frame; None where two are."""
    ends = owners(view)
    return ends[0] if len(ends) == 1 else None


def owners(view: View) -> tuple[str, ...]:
    """MACs that are an end of every unicast frame; where there is none, all senders."""
    total = sum(one.sent - one.broadcasts for one in view.talkers)
    ends: dict[str, int] = {}
    for one in view.talkers:
        ends[one.mac] = ends.get(one.mac, 0) + one.sent - one.broadcasts + one.received
    senders = dict.fromkeys(one.mac for one in view.talkers if one.sent)
    return tuple(mac for mac in senders if ends[mac] == total) if total else tuple(senders)


def from_here(view: View, frame: Frame) -> bool | None:
    """Whether this host sent one frame, by its direction or its padding; None when it does not tell."""
    if frame.direction:
        return frame.direction == SENT
    if not told_by_padding(view) or frame.vni >= 0:
        return None
    if frame.wire_bytes < WIRE_BYTES:
        return True
    if frame.wire_bytes > WIRE_BYTES + TAG_BYTES * frame.tag_count:
        return None
    end = frame.link_offset + ARP_BYTES if frame.ethertype == ARP else frame.end_offset
    return False if end < frame.captured_bytes else None
