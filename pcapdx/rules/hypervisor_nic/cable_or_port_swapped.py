"""HYP009 cable-or-port-swapped: the NIC is cabled to another switch port than planned.

What it does
------------
Holds what the switch port says of itself by LLDP or CDP against the port that the site profile plans for this NIC
(``[[uplink]]`` with ``name``, ``switch`` and ``port``). Without a plan, from captures of two NICs of one host: what a
NIC asks for in vain speaks at the other NIC, among broadcasts of that very network. Where it says nothing there either
(nobody on that wire asks it), broadcasts of two of its neighbours make it a warning.

Why it matters
--------------
VLANs, native VLAN and port-channel are set up on the planned port: the host talks to a port that was made for another.

Common causes
-------------
Two cables swapped; NICs that changed their names with a kernel or firmware update; a label read wrongly.

What else it could be
---------------------
A profile that is out of date. A network that is on both NICs on purpose: then it is heard at both. Shortened names
(Gi1/0/7), host names with a domain, and ports that tell no name but an index are no difference.

Next steps
----------
Follow the cable, or change the plan.
"""

from collections.abc import Iterator
from itertools import permutations

from dissectors.arp import Arp
from pcapdx.case import Case, View
from pcapdx.frame import BROADCAST_MAC
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_dead import ArpDead, arp_silent, speaks
from pcapdx.rules.definitions.local import is_local, remote_talkers
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.nics import one_host
from pcapdx.rules.definitions.observable import filters
from pcapdx.rules.definitions.switch_ports import Neighbour, neighbour, planned, same_port, same_system
from pcapdx.rules.definitions.windows import BURST
from pcapdx.rules.definitions.wording import cite, in_vlan
from pcapdx.site import Uplink
from pcapdx.vantage import Role


def check(view: View) -> Iterator[Finding]:
    """One finding at most."""
    plan, port = planned(view), neighbour(view)
    if plan is None or port is None:
        return
    other_switch = bool(plan.switch and port.system) and not same_system(plan.switch, port.system)
    other_port = bool(plan.port) and same_port(plan.port, port.names) is False
    if other_switch or other_port:
        yield _finding(view, plan, port)


def check_path(case: Case) -> Iterator[Finding]:
    """What one NIC of a host asks for in vain is heard at its other NIC."""
    wires = [one for one in case.views if one.vantage.role is not None and one.vantage.role.is_wire]
    for asking, hearing in permutations(wires, 2):
        if not one_host(asking.name, hearing.name) or asking.vantage.role is Role.BOND:
            continue
        if filters(asking) or sum(one.sent for one in remote_talkers(asking)) < BURST:
            continue  # it may hear nothing at all
        for dead in arp_silent(asking):
            if is_guest(dead.asker_mac) or is_local(asking, dead.asker_mac) is False or not dead.retried:
                continue
            heard = speaks(hearing, dead.target_ip, dead.vlan, dead.vni, 0)
            if not heard and not _only_there(asking, hearing, dead):
                continue
            at_home = {one.ip for one in asking.bindings if _near(one.ip, dead.target_ip)} - {dead.asker_ip}
            frames = () if at_home else _of_network(hearing, dead)
            if len(frames) >= BURST:
                yield _elsewhere(asking, hearing, dead, frames, heard=heard)
                break


def _only_there(asking: View, hearing: View, dead: ArpDead) -> bool:
    """The host itself asks at one NIC, two others of that network are at the other one, and the question is not: the
    two NICs are on different wires, and the network is on the second.
    """
    if is_local(asking, dead.asker_mac) is not True or any(one.mac == dead.asker_mac for one in hearing.talkers):
        return False
    if any(one.ip == dead.asker_ip for one in hearing.bindings):
        return False
    others = {
        one.mac
        for one in hearing.bindings
        if one.vlan == dead.vlan
        and _near(one.ip, dead.target_ip)
        and is_local(hearing, one.mac) is not True
        and not is_guest(one.mac)
    }
    return len(others) > 1


def _near(ip: str, other: str) -> bool:
    return ip.rpartition(".")[0] == other.rpartition(".")[0]


def _of_network(view: View, dead: ArpDead) -> tuple[int, ...]:
    """Broadcasts that came in from addresses of the network that is asked for, in the same VLAN."""
    return tuple(
        one.number
        for one in view.messages(Arp)
        if one.frame.vlan == dead.vlan
        and one.frame.eth_dst_int == BROADCAST_MAC
        and _near(one.message.sender_ip or "", dead.target_ip)
        and is_local(view, one.frame.eth_src) is not True
    )


def _elsewhere(asking: View, hearing: View, dead: ArpDead, frames: tuple[int, ...], *, heard: bool) -> Finding:
    whom = "it among other broadcasts" if heard else "other machines"
    return RULE.finding(
        subject=Subject(name=asking.name),
        severity=Severity.ERROR if heard else Severity.WARNING,
        confidence=Confidence.LIKELY if heard else Confidence.POSSIBLE,
        summary=(
            f"{asking.name} asks for {dead.target_ip} in vain ({in_vlan(dead.vlan)}), and {hearing.name} hears {whom} "
            "of that network: the cables or the names of the two NICs are swapped."
        ),
        evidence=(
            cite(asking, dead.frames, f"{dead.asker_ip} asks for {dead.target_ip}; no reply"),
            cite(hearing, frames, "broadcasts of the same network"),
        ),
        filter=f"arp.dst.proto_ipv4 == {dead.target_ip} || arp.src.proto_ipv4 == {dead.target_ip}",
        first_ns=dead.first_ns,
        last_ns=dead.last_ns,
        alternatives=(
            "the two captures are of different hosts",
            "one network is on both NICs on purpose",
            *(
                ()
                if heard
                else (f"{dead.target_ip} is switched off: then its neighbours are missing at {asking.name}",)
            ),
        ),
        next_steps=(
            NextStep(
                where="this host",
                command="lldpctl; ip -br addr; ip -br link; udevadm info -q property /sys/class/net/NIC",
                meaning=f"whether {dead.asker_ip} should be on {hearing.name}, and which switch port each NIC is in",
            ),
        ),
    )


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
    check_path=check_path,
    explains=("VLAN001", "VLAN005", "VLAN006", "VLAN019", "VLAN021", "HYP008", "HYP010", "HYP011", "HOST001"),
)
