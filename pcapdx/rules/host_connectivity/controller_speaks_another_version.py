"""HOST025 controller-speaks-another-version: switch and OpenFlow controller have no version in common.

What it does
------------
Finds connections to an OpenFlow controller that end in the error "hello failed", while none of the same switch gets as
far as its features.

Why it matters
--------------
The switch keeps its old flows, or falls back to learning by itself; networks of the controller are not made.

Common causes
-------------
The bridge's protocols are narrowed to versions that the controller does not know, or the other way round.

What else it could be
---------------------
An upgrade of the controller that is under way.

Next steps
----------
Compare the versions that both announce.
"""

from collections.abc import Iterator, Sequence

from dissectors.openflow import OpenFlow, OpenFlowSession, version_name
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite, listed, times


def check(view: View) -> Iterator[Finding]:
    """One finding a switch and controller."""
    grouped: dict[tuple[int, str | None, str | None, int], list[OpenFlowSession]] = {}
    for one in view.exchanges(OpenFlowSession):
        key = one.flow.vlan, one.flow.originator.ip, one.flow.responder.ip, one.flow.responder.port
        grouped.setdefault(key, []).append(one)
    for (_, switch, controller, _), members in grouped.items():
        failed = [one for one in members if one.failed is not None and one.failed.message.hello_failed]
        if failed and switch and controller and not any(one.features is not None for one in members):
            yield _finding(view, switch, controller, failed)


def _speaks(hellos: Sequence[Seen[OpenFlow]], *, from_switch: bool) -> str:
    """Versions that one side announces."""
    for one in hellos:
        if one.from_originator is from_switch:
            return listed(version_name(version) for version in (one.message.versions or (one.message.version,)))
    return "nothing"


def _finding(view: View, switch: str, controller: str, failed: Sequence[OpenFlowSession]) -> Finding:
    flow, hellos = failed[0].flow, failed[0].hellos
    errors = [one.failed for one in failed if one.failed is not None]
    mine, theirs = _speaks(hellos, from_switch=True), _speaks(hellos, from_switch=False)
    return RULE.finding(
        subject=Subject(
            mac=flow.originator.mac, vlan=flow.vlan, ip=switch, server=controller, port=flow.responder.port
        ),
        summary=(
            f"The switch {switch} and the controller {controller} have no OpenFlow version in common, "
            f"{times(len(failed))}: {mine} here, {theirs} there."
        ),
        evidence=(
            cite(view, (one.number for one in hellos), "both hellos"),
            cite(view, (one.number for one in errors), "the error: hello failed"),
        ),
        filter=f"tcp.port in {{6633, 6653}} && ip.addr == {controller}",
        first_ns=errors[0].ts_ns,
        last_ns=errors[-1].ts_ns,
        next_steps=(
            NextStep(
                where=f"host {switch}",
                command="ovs-vsctl --columns=name,protocols,fail_mode list bridge; ovs-vsctl list controller",
                meaning=f"protocols must hold one of {theirs}; is_connected tells whether it helped",
            ),
        ),
    )


RULE = Rule(
    code="HOST025",
    name="controller-speaks-another-version",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check,
)
