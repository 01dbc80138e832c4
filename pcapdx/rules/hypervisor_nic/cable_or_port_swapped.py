"""HYP009 cable-or-port-swapped: the NIC is cabled to another switch port than planned.

What it does
------------
Holds what the switch port says of itself by LLDP or CDP against the port that the site profile plans for this NIC
(``[[uplink]]`` with ``name``, ``switch`` and ``port``).

Why it matters
--------------
VLANs, native VLAN and port-channel are set up on the planned port: the host talks to a port that was made for another.

Common causes
-------------
Two cables swapped; NICs that changed their names with a kernel or firmware update; a label read wrongly.

What else it could be
---------------------
A profile that is out of date. Shortened names (Gi1/0/7), host names with a domain, and ports that tell no name but an
index are no difference.

Next steps
----------
Follow the cable, or change the plan.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.switch_ports import Neighbour, neighbour, planned, same_port, same_system
from pcapdx.rules.definitions.wording import cite
from pcapdx.site import Uplink


def check(view: View) -> Iterator[Finding]:
    """One finding at most."""
    plan, port = planned(view), neighbour(view)
    if plan is None or port is None:
        return
    other_switch = bool(plan.switch and port.system) and not same_system(plan.switch, port.system)
    other_port = bool(plan.port) and same_port(plan.port, port.names) is False
    if other_switch or other_port:
        yield _finding(view, plan, port)


def _finding(view: View, plan: Uplink, port: Neighbour) -> Finding:
    meant_for = [one for one in view.site.uplink if one is not plan and _is(one, port)]
    whose = f", which is planned for {meant_for[0].name}" if meant_for else ""
    return RULE.finding(
        subject=Subject(name=plan.name),
        confidence=Confidence.CERTAIN if meant_for else Confidence.LIKELY,
        summary=(
            f"{plan.name} is cabled to {port.words} by {port.protocol}{whose}; planned is "
            f"{' port '.join(part for part in (plan.switch, plan.port) if part)}."
        ),
        evidence=(cite(view, port.frames, f"{port.protocol} of {port.words}"),),
        filter=port.filter,
        first_ns=port.first_ns,
        alternatives=("the site profile is out of date",),
        limits=()
        if meant_for
        else ("the port is none that the profile plans for another NIC, so the profile may be the one that is wrong",),
        next_steps=(
            NextStep(
                where="this host",
                command="lldpctl; ip -br link; ls -l /sys/class/net/*/device",
                meaning=f"{port.port} at NIC {plan.name}: the cable; at a NIC of another name: names have changed",
            ),
            NextStep(
                where=f"switch {plan.switch or port.system}",
                command="show lldp neighbors",
                meaning=f"which NIC is in {plan.port or port.port}: the other half of a swap",
            ),
        ),
    )


def _is(plan: Uplink, port: Neighbour) -> bool:
    return same_system(plan.switch, port.system) and bool(plan.port) and same_port(plan.port, port.names) is True


RULE = Rule(
    code="HYP009",
    name="cable-or-port-swapped",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.ERROR,
    check=check,
    explains=("VLAN001", "VLAN005", "VLAN006", "VLAN019", "VLAN021", "HYP008", "HYP010", "HYP011", "HOST001"),
)
