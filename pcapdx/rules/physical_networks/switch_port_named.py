"""PHYS009 switch-port-named: LLDP or CDP tells which switch port this NIC is cabled to.

What it does
------------
Names the port at the other end of the cable, as it introduces itself, where the site profile plans no other one. A port
that tells a MAC or an index only is not named.

Why it matters
--------------
It proves that the link works towards the host, and it says where on the switch to look.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Proof, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.switch_ports import neighbour, planned, same_port, same_system
from pcapdx.rules.definitions.wording import cite


def check(view: View) -> Iterator[Proof]:
    """One proof at most."""
    port, plan = neighbour(view), planned(view)
    if port is None or not port.names:
        return
    if plan is not None and (
        (plan.switch and not same_system(plan.switch, port.system))
        or (plan.port and same_port(plan.port, port.names) is False)
    ):
        return
    vlan = f", native VLAN {port.native_vlan}" if port.native_vlan else ""
    where = view.vantage.interface or view.name
    yield RULE.proof(
        subject=Subject(name=view.name),
        summary=f"{where} is cabled to {port.words}{vlan} ({port.protocol})",
        evidence=(cite(view, port.frames, f"{port.protocol} of {port.words}"),),
        filter=port.filter,
        first_ns=port.first_ns,
    )


RULE = Rule(code="PHYS009", name="switch-port-named", topic=Topic.PHYSICAL_NETWORKS, severity=None, check=check)
