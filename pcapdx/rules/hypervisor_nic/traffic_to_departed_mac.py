"""HYP020 traffic-to-departed-mac: frames still come to this host for an instance that is elsewhere now.

What it does
------------
At a NIC, finds a MAC that sent from this host, then no more, and to which unicast frames go on coming from the wire
half a minute later and longer. Where its own frames are seen to come over the wire since, it has moved and it is a
warning; otherwise it may also be stopped or hang, and it is a remark.

Why it matters
--------------
The switch still sends the instance's frames to the old host: it cannot be reached until the table entry ages out.

Common causes
-------------
The migration was not announced (RARP lost, or dropped by port security); a static or sticky MAC entry on the switch
port.

What else it could be
---------------------
Flooding of frames for a MAC that the switch has forgotten: then many such MACs are seen. An instance that is hung or
drops what comes in.

Next steps
----------
Ask CloudStack on which host the instance runs, and the switch where it thinks the MAC is.
"""

from collections.abc import Iterator, Sequence

from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import mac_text
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.local import from_here, is_local, remote_talkers, told_by_padding
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import cite, duration, in_vlan, listed
from pcapdx.vantage import Role

GONE = 30 * SECOND
FLOODED = 3
"""So many such MACs are flooding."""


def check(view: View) -> Iterator[Finding]:
    """One finding a MAC and VLAN; none where so many are told that they are flooded."""
    if view.vantage.role is not None and (not view.vantage.role.is_wire or view.vantage.role is Role.ANY):
        return
    found = list(_departed(view))
    if len(found) < FLOODED:
        yield from found


def _departed(view: View) -> Iterator[Finding]:
    if not told_by_padding(view) and not any(one.out or one.into for one in view.talkers):
        return  # no frame tells which side it came from
    if not remote_talkers(view):
        return  # what comes in for it must come from somebody who is elsewhere
    sent: dict[tuple[int, int], tuple[list[Seen[object]], list[Seen[object]]]] = {}
    received: dict[tuple[int, int], list[Seen[object]]] = {}
    for one in view.all_messages:
        if one.frame.vni >= 0:
            continue
        here = from_here(view, one.frame)
        if here is not None:
            near, far = sent.setdefault((one.frame.vlan, one.frame.eth_src_int), ([], []))
            (near if here else far).append(one)
        received.setdefault((one.frame.vlan, one.frame.eth_dst_int), []).append(one)
    last_sent = {(one.vlan, one.mac): one.last_ns or 0 for one in view.talkers}
    for (vlan, address), (near, far) in sent.items():
        mac = mac_text(address)
        if mac is None or not near or not is_guest(mac):
            continue
        away = [one for one in far if one.ts_ns > near[-1].ts_ns]
        if len(away) < len(far) or (not away and last_sent.get((vlan, mac), 0) > near[-1].ts_ns):
            continue  # on both sides at once, or it spoke on in frames that do not tell from where
        late = [
            one
            for one in received.get((vlan, address), ())
            # what this host itself sends goes out, to wherever the machine is
            if one.ts_ns >= near[-1].ts_ns + GONE and is_local(view, one.frame.eth_src) is False
        ]
        if len(late) >= REPETITION and late[-1].ts_ns - late[0].ts_ns >= GONE:
            yield _finding(view, vlan, mac, near, away, late)


def _finding(
    view: View,
    vlan: int,
    mac: str,
    near: Sequence[Seen[object]],
    away: Sequence[Seen[object]],
    late: Sequence[Seen[object]],
) -> Finding:
    left = near[-1]
    told = f"and speaks from beyond it since frame {away[0].number}" if away else "and has not spoken since"
    senders = list(dict.fromkeys(one.frame.src or one.frame.eth_src or "?" for one in late))
    return RULE.finding(
        subject=Subject(mac=mac, vlan=vlan),
        severity=Severity.WARNING if away else Severity.INFO,
        confidence=Confidence.LIKELY if away else Confidence.POSSIBLE,
        summary=(
            f"Frames for {mac} ({in_vlan(vlan)}) come to this host for {duration(late[-1].ts_ns - left.ts_ns)} after "
            f"it left, from {listed(senders[:3])}: it last sent from here in frame {left.number} {told}."
        ),
        evidence=(
            cite(view, (left.number,), f"last frame of {mac} from this host"),
            cite(view, (one.number for one in late), f"frames for {mac} that still come here"),
            *((cite(view, (one.number for one in away), f"{mac} speaks from beyond this host"),) if away else ()),
        ),
        filter=f"eth.addr == {mac}",
        first_ns=left.ts_ns,
        last_ns=late[-1].ts_ns,
        alternatives=() if away else ("it is stopped, hangs, or answers nobody by its own firewall",),
        next_steps=(
            NextStep(
                where="CloudStack API",
                command=f"list nics macaddress={mac}; list virtualmachines id=<instance> (hostname, state)",
                meaning="another host: its frames must go there; stopped: whoever still sends has not noticed",
            ),
            NextStep(
                where="switch",
                command=f"show mac address-table address {mac}",
                meaning="the port of this host: clear the entry, and look for a static or sticky one",
            ),
        ),
    )


RULE = Rule(
    code="HYP020",
    name="traffic-to-departed-mac",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.WARNING,
    check=check,
)
