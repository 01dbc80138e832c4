"""HOST013 control-traffic-leaks: a system VM's control NIC speaks where only the host may hear it.

What it does
------------
Finds frames from a control MAC (``0e:00:a9:fe:…``, which spells the NIC's own link-local address) on a physical link or
in a VLAN, and control NICs whose MAC spells another address than the one they use.

Why it matters
--------------
The control network has no isolation but that it never leaves its host: anybody on that wire reaches every system VM's
ssh, and two hosts give out the same addresses.

Common causes
-------------
A physical port was put into the bridge cloud0, or the control NIC into a label bridge.

What else it could be
---------------------
With "-i any" the wire is not told from the bridge, and nothing is said.

Next steps
----------
Look which ports the bridge cloud0 has.
"""

from collections.abc import Iterator, Sequence

from pcapdx.case import Talker, View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.addresses import within
from pcapdx.rules.definitions.local import told_by_padding
from pcapdx.rules.definitions.macs import is_control
from pcapdx.rules.definitions.wording import cite, in_vlan, listed
from pcapdx.vantage import Role

LINK_LOCAL = ("169.254.0.0/16",)


def check(view: View) -> Iterator[Finding]:
    """One finding for the leak in a VLAN, one for each NIC whose addresses disagree."""
    role = view.vantage.role
    on_wire = told_by_padding(view) if role is None or view.vantage.inferred else role.is_wire
    leaking: dict[int, list[Talker]] = {}
    for one in view.talkers:
        if is_control(one.mac) and one.sent and one.vni is None and role is not Role.ANY and (on_wire or one.vlan):
            leaking.setdefault(one.vlan, []).append(one)
    for vlan, talkers in leaking.items():
        yield _leak(view, vlan, talkers)
    for bound in view.bindings:
        if is_control(bound.mac) and within(bound.ip, LINK_LOCAL) and bound.ip != spelt(bound.mac):
            yield _disagree(view, bound.mac, bound.ip, bound.vlan, (bound.first_frame, bound.last_frame))


def spelt(mac: str) -> str:
    """The address that a control MAC spells."""
    return ".".join(str(int(part, 16)) for part in mac.split(":")[2:])


def _leak(view: View, vlan: int, talkers: Sequence[Talker]) -> Finding:
    macs = [one.mac for one in talkers]
    return RULE.finding(
        subject=Subject(mac=macs[0] if len(macs) == 1 else None, vlan=vlan),
        summary=(
            f"The control NIC of {listed(f'{spelt(mac)} ({mac})' for mac in macs[:3])} is heard on a physical network, "
            f"{in_vlan(vlan)}: the control network leaks out of its host."
        ),
        evidence=(cite(view, (number for one in talkers for number in one.frames), "frames from a control MAC"),),
        filter="eth.src[0:4] == 0e:00:a9:fe",
        first_ns=min(one.first_ns or 0 for one in talkers),
        last_ns=max(one.last_ns or 0 for one in talkers),
        next_steps=(
            NextStep(
                where="the host with this system VM",
                command=f"bridge link show; bridge fdb show | grep -i {macs[0]}; ip -br link show master cloud0",
                meaning="cloud0 may have vnets only: take every physical port and VLAN device out of it",
            ),
            NextStep(
                where="switch",
                command=f"show mac address-table address {macs[0]}",
                meaning="the port whose host leaks",
            ),
        ),
    )


def _disagree(view: View, mac: str, ip: str, vlan: int, frames: Sequence[int]) -> Finding:
    return RULE.finding(
        subject=Subject(mac=mac, vlan=vlan, ip=ip),
        severity=Severity.WARNING,
        confidence=Confidence.LIKELY,
        summary=f"The control NIC {mac} uses {ip}; its MAC was made for {spelt(mac)}.",
        evidence=(cite(view, frames, f"{mac} as {ip}"),),
        filter=f"eth.src == {mac}",
        alternatives=("an address that was set by hand inside the system VM",),
        next_steps=(
            NextStep(
                where="CloudStack database",
                command=f"select instance_id, ip4_address, state from nics where mac_address='{mac}'",
                meaning=f"the address that the host will try; other than {ip}: destroy the system VM to have it remade",
            ),
        ),
    )


RULE = Rule(
    code="HOST013",
    name="control-traffic-leaks",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check,
)
