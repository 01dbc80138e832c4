"""PHYS003 storage-vlan-wrong: the secondary storage VM's storage NIC is in the wrong VLAN, or takes the host's away.

What it does
------------
Finds a system VM that asks untagged, and in vain, for a storage server that answers a host in a VLAN; and a host whose
connection to its storage dies within a minute after a system VM's first frame in that VLAN, while the same storage goes
on serving somebody else.

Why it matters
--------------
No template or snapshot in the first case. In the second the host loses its primary storage and may reboot itself.

Common causes
-------------
Up to 4.18 the VLAN of a storage range was not used for the NIC (issue 7816); in 4.21 a bridge for the VLAN is made
beside the operator's own, which can lose its port by it (issue 11634).

What else it could be
---------------------
A storage server that fails for all at once is none of it.

Next steps
----------
Look which bridge has the storage VLAN's device as its port.
"""

from collections.abc import Iterator

from pcapdx.case import Talker, View
from pcapdx.dissect import Flow
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.addresses import within
from pcapdx.rules.definitions.macs import is_guest, is_system_vm_public
from pcapdx.rules.definitions.planned import Misplaced, is_storage, misplaced, where_it_is
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import at_least, cite, duration, in_vlan

AFTER_START = 60 * SECOND
DEAD_FOR = 10 * SECOND
PORTS = (2049, 3260)


def check(view: View) -> Iterator[Finding]:
    """One finding a system VM and storage server, and one a host that lost its storage."""
    for one in misplaced(view):
        if within(one.dead.asker_ip, view.site.storage.networks) or is_storage(view, one.dead.target_ip, one.vlan):
            yield _untagged(view, one)
    told: set[str | None] = set()
    for flow in view.flows.where(ports=PORTS, sent_again=REPETITION):
        vm = _taken_by(view, flow)
        other = _served_meanwhile(view, flow) if vm is not None else None
        if vm is not None and other is not None and flow.originator.mac not in told:
            told.add(flow.originator.mac)
            yield _taken(view, flow, vm, other)


def _taken_by(view: View, flow: Flow) -> Talker | None:
    """The system VM after whose first frame in this VLAN a host's storage died."""
    died_ns = _died_ns(flow)
    if is_guest(flow.originator.mac) or not flow.vlan or died_ns is None:
        return None
    came = (
        one
        for one in view.talkers
        if one.vlan == flow.vlan and is_system_vm_public(one.mac) and one.first_ns is not None
    )
    return next((one for one in came if -SECOND <= died_ns - (one.first_ns or 0) <= AFTER_START), None)


def _died_ns(flow: Flow) -> int | None:
    """When one side fell silent, to whom the other sent again and again afterwards; None where neither did."""
    for silent, asking in ((flow.originator, flow.responder), (flow.responder, flow.originator)):
        last_ns = silent.last_ns
        if last_ns is not None and asking.retransmissions >= REPETITION and (asking.last_ns or 0) - last_ns >= DEAD_FOR:
            return last_ns
    return None


def _served_meanwhile(view: View, dead: Flow) -> Flow | None:
    """Somebody else's connection to the same storage on which data went on, both ways."""
    since = (_died_ns(dead) or 0) + DEAD_FOR
    for one in view.flows.where(ports=PORTS, server=dead.responder.ip):
        other = one.originator.mac != dead.originator.mac
        data = max(one.originator.last_payload_ns or 0, one.responder.last_payload_ns or 0)
        if other and data > since and min(one.originator.last_ns or 0, one.responder.last_ns or 0) > since:
            return one
    return None


def _untagged(view: View, one: Misplaced) -> Finding:
    dead = one.dead
    elsewhere, proof = where_it_is(view, one)
    return RULE.finding(
        subject=Subject(mac=dead.asker_mac, vlan=0, ip=dead.asker_ip),
        confidence=Confidence.LIKELY,
        summary=(
            f"The system VM {dead.asker_ip} ({dead.asker_mac}) asks for the storage {dead.target_ip} untagged "
            f"{at_least(view, len(dead.frames), 'arp')} in vain, {elsewhere}."
        ),
        evidence=(
            cite(view, dead.frames, f"untagged: who has {dead.target_ip}; no reply"),
            *proof,
        ),
        filter=f"arp.dst.proto_ipv4 == {dead.target_ip}",
        first_ns=dead.first_ns,
        last_ns=dead.last_ns,
        alternatives=(f"two networks that both have {dead.target_ip}, one of them untagged on purpose",),
        next_steps=(_bridges(one.vlan), _ranges(one.vlan)),
    )


def _taken(view: View, flow: Flow, vm: Talker, other: Flow) -> Finding:
    host, storage = flow.originator, flow.responder
    dead_ns = max(host.last_ns or 0, storage.last_ns or 0) - (_died_ns(flow) or 0)
    places = storage.last_frame, host.last_frame, storage.stuck_frame, host.stuck_frame
    frames = [number for number in places if number is not None]
    return RULE.finding(
        subject=Subject(mac=host.mac, vlan=flow.vlan, ip=host.ip, server=storage.ip, port=storage.port),
        confidence=Confidence.LIKELY,
        summary=(
            f"{host.ip} lost its storage {storage.ip}:{storage.port} ({in_vlan(flow.vlan)}) for {duration(dead_ns)} "
            f"right after the system VM {vm.mac} appeared in that VLAN; {other.originator.ip} is still served."
        ),
        evidence=(
            cite(view, vm.frames[:2], f"the first frames of {vm.mac} in the VLAN"),
            cite(view, frames, f"the last word between {host.ip} and its storage, and what is sent again in vain"),
            cite(view, (other.responder.last_frame or 0,), f"{storage.ip} still answers {other.originator.ip}"),
        ),
        filter=f"vlan.id == {flow.vlan} && (ip.addr == {storage.ip} || eth.addr == {vm.mac})",
        first_ns=vm.first_ns,
        last_ns=max(host.last_ns or 0, storage.last_ns or 0),
        alternatives=(f"the host {host.ip} lost this VLAN for another reason at that moment",),
        next_steps=(_bridges(flow.vlan), _ranges(flow.vlan)),
    )


def _bridges(vlan: int) -> NextStep:
    return NextStep(
        where="host of this system VM",
        command=f"bridge link | grep -E '\\.{vlan}|-{vlan}'; ip -d link show type vlan | grep -B1 'id {vlan}'",
        meaning=f"one bridge only may have the device of VLAN {vlan}: the operator's, with the host's address",
    )


def _ranges(vlan: int) -> NextStep:
    return NextStep(
        where="CloudStack API",
        command="list storagenetworkiprange; list traffictypes physicalnetworkid=<id>",
        meaning=f"VLAN {vlan} in the range, and a bridge on that VLAN as label, do not go together",
    )


RULE = Rule(
    code="PHYS003",
    name="storage-vlan-wrong",
    known=(7816, 11634),
    topic=Topic.PHYSICAL_NETWORKS,
    severity=Severity.ERROR,
    check=check,
    explains=("HYP004", "VLAN001", "VLAN019", "HOST007", "HOST010"),
)
