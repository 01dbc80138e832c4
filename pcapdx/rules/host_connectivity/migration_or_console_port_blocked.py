"""HOST011 migration-or-console-port-blocked: hosts do not let each other migrate, or a console proxy see a screen.

What it does
------------
Finds connections between hosts to libvirt's ports (16509, 16514) and to those of live migration (49152 to 49216, only
where the same two hosts talk on libvirt's ports) that are never answered, refused, or prohibited by ICMP, and VNC ports
(5900 to 6100) that are prohibited to a system VM; silent or refused VNC ports are CPVM017.

Why it matters
--------------
Live migration fails, so no host can be emptied for maintenance.

Common causes
-------------
The host's firewall does not admit the ports; libvirtd does not listen (listen_tcp, listen_tls, or its sockets are not
started).

What else it could be
---------------------
A single refusal is a warning: somebody may just have looked whether libvirt is there. Where one of libvirt's two ports
works, the other one is switched off on purpose: a remark. So is one that works later.

Next steps
----------
Look at the firewall of the host that does not answer.
"""

from collections.abc import Iterator, Sequence

from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import is_guest, is_system_vm_public
from pcapdx.rules.definitions.prohibited import prohibited
from pcapdx.rules.definitions.syn_dead import Tries, refused, syn_dead
from pcapdx.rules.definitions.wording import cite, times
from pcapdx.rules.host_connectivity import steps
from pcapdx.values import dataclass

LIBVIRT = (16509, 16514)
DATA = range(49152, 49217)
VNC = range(5900, 6101)
MOST_SERVICES = 32
"""Who tries more ports scans the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """One service that one client does not reach."""

    mac: str | None
    vlan: int
    client: str
    server: str
    port: int
    how: str
    frames: tuple[int, ...]
    first_ns: int
    last_ns: int
    count: int
    works_again: bool = False


def check(view: View) -> Iterator[Finding]:
    """One finding a client, server and kind of port."""
    every = list(_blocked(view))
    by_client: dict[str, set[tuple[str, int]]] = {}
    for one in every:
        by_client.setdefault(one.client, set()).add((one.server, one.port))
    groups: dict[tuple[int, str, str, str], list[Blocked]] = {}
    for one in every:
        kind = _kind(view, one)
        if kind is not None and len(by_client[one.client]) <= MOST_SERVICES:
            groups.setdefault((one.vlan, one.client, one.server, kind), []).append(one)
    for (_, client, server, kind), members in groups.items():
        yield _finding(view, client, server, kind, members)


def _blocked(view: View) -> Iterator[Blocked]:
    ports = (*LIBVIRT, *DATA)
    for tries in syn_dead(view, ports, even_if_worked=True):
        yield _of(tries, "gets no answer")
    for tries in refused(view, ports, even_if_worked=True):
        yield _of(tries, "is refused (RST)")
    for (vlan, client, server, port, refuser), errors in prohibited(view).items():
        if port in LIBVIRT or port in DATA or port in VNC:
            yield Blocked(
                mac=errors[0].frame.eth_dst,
                vlan=vlan,
                client=client,
                server=server,
                port=port,
                how=f"is prohibited by {refuser} (ICMP)",
                frames=tuple(one.number for one in errors),
                first_ns=errors[0].ts_ns,
                last_ns=errors[-1].ts_ns,
                count=len(errors),
            )


def _of(tries: Tries, how: str) -> Blocked:
    return Blocked(
        mac=tries.client_mac,
        vlan=tries.vlan,
        client=tries.client,
        server=tries.server,
        port=tries.port,
        how=how,
        frames=tries.frames,
        first_ns=tries.first_ns,
        last_ns=tries.last_ns,
        count=tries.count,
        works_again=tries.works_again,
    )


def _kind(view: View, one: Blocked) -> str | None:
    """What the port is for; None where nothing tells that it is one of a host's."""
    if one.port in LIBVIRT:
        return None if is_guest(one.mac) else "libvirt"
    if one.port in VNC:
        return "VNC" if is_system_vm_public(one.mac) else None
    control = (
        *view.flows.where(ports=LIBVIRT, client=one.client, server=one.server),
        *view.flows.where(ports=LIBVIRT, client=one.server, server=one.client),
    )
    return "live migration" if any(flow.responder.syn or flow.responder.payload_bytes for flow in control) else None


def _other_port_works(view: View, client: str, server: str) -> bool:
    flows = view.flows.where(ports=LIBVIRT, client=client, server=server)
    return any(flow.responder.syn or flow.responder.payload_bytes for flow in flows)


def _finding(view: View, client: str, server: str, kind: str, members: Sequence[Blocked]) -> Finding:
    first = members[0]
    harmless = all(one.works_again for one in members) or (
        kind == "libvirt" and _other_port_works(view, client, server)
    )
    ports = sorted({one.port for one in members})
    what = f"port {ports[0]}" if len(ports) == 1 else f"ports {ports[0]} to {ports[-1]}"
    count = sum(one.count for one in members)
    sure = "no answer" in first.how or "ICMP" in first.how
    return RULE.finding(
        subject=Subject(
            mac=first.mac, vlan=first.vlan, ip=client, server=server, port=ports[0] if len(ports) == 1 else None
        ),
        severity=Severity.INFO if harmless else Severity.WARNING if count == 1 and not sure else Severity.ERROR,
        confidence=Confidence.CERTAIN if sure and not harmless else Confidence.LIKELY,
        summary=(
            f"{client} tries {what} ({kind}) of the host {server} {times(count)} and {first.how}"
            + ("; libvirt works otherwise." if harmless else ".")
        ),
        evidence=(cite(view, (number for one in members for number in one.frames), f"{kind}: it {first.how}"),),
        filter=f"ip.addr == {client} && ip.addr == {server} && tcp.port in {{{', '.join(map(str, ports[:8]))}}}",
        first_ns=min(one.first_ns for one in members),
        last_ns=max(one.last_ns for one in members),
        alternatives=("libvirtd is just being restarted",) if "RST" in first.how else (),
        next_steps=(
            NextStep(
                where=f"host {server}",
                command="iptables -L INPUT -vn | grep -E '1650|1651|49152|5900|REJECT|DROP'; firewall-cmd --list-all",
                meaning=f"{what} must be admitted from {client}; a REJECT or DROP before that counts these tries",
            ),
            steps.service(server, ports[0], "libvirtd libvirtd-tcp.socket libvirtd-tls.socket"),
        ),
    )


RULE = Rule(
    code="HOST011",
    name="migration-or-console-port-blocked",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check,
    explains=("SG001", "SG011", "CPVM017"),
)
