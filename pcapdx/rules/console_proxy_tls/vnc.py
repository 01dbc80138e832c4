"""CPVM017 vnc-refused, CPVM018 vnc-auth-failed, CPVM019 rfb-tls-mismatch: the console proxy's leg to the hypervisor.

What it does
------------
Finds a console proxy whose connections to a hypervisor's VNC port (5900 to 6100) are refused or never answered
(CPVM017), whose password the VNC server does not accept (CPVM018), or that agrees with it on no security (CPVM019).

Why it matters
--------------
Page, certificate and websocket are fine, and the screen stays black all the same.

Common causes
-------------
The instance was stopped or moved after the token was made; the hypervisor's firewall; the VNC password in
CloudStack's database and the one of the running instance differ (issue 8648); VNC over TLS is switched on at one side
only.

What else it could be
---------------------
An instance that has just migrated: where the next try to another host works it is a remark. A VNC client that is no
console proxy, as far as websockets, profile and MAC tell, is only remarked.

Next steps
----------
Ask the hypervisor which port the instance's display has.
"""

from collections.abc import Callable, Iterator

from dissectors.rfb import RfbSession, Security
from pcapdx.case import View
from pcapdx.dissect import Flow
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Particulars, Rule
from pcapdx.rules.console_proxy_tls.proxies import VNC_PORTS, is_system_vm, why_proxy
from pcapdx.rules.definitions.syn_dead import Tries, refused, syn_dead
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, listed, times

LEAVES_WITHIN = 1 * SECOND
MIGRATED_WITHIN = 30 * SECOND


def check_refused(view: View) -> Iterator[Finding]:
    """CPVM017: one finding a console proxy and VNC port."""
    for tries in refused(view, VNC_PORTS):
        yield from _unreachable(view, tries, "is refused (RST)")
    for tries in syn_dead(view, VNC_PORTS):
        yield from _unreachable(view, tries, "gets no answer")


def _unreachable(view: View, tries: Tries, how: str) -> Iterator[Finding]:
    why = why_proxy(view, tries.flows[0])
    if why is None and not is_system_vm(tries.flows[0]):
        return
    moved = [
        one
        for one in view.flows.where(ports=VNC_PORTS, client=tries.client)
        if one.responder.payload_bytes and 0 <= (one.originator.first_ns or 0) - tries.last_ns <= MIGRATED_WITHIN
    ]
    yield REFUSED.finding(
        subject=_subject(tries.flows[0]),
        severity=Severity.INFO if moved else Severity.ERROR,
        confidence=Confidence.CERTAIN if why else Confidence.LIKELY,
        summary=(
            f"{tries.client} tries the VNC port {tries.port} of the hypervisor {tries.server} "
            f"{times(len(tries.flows))} and {how}."
        ),
        evidence=(
            cite(view, tries.frames, f"SYN to {tries.port}; it {how}"),
            *(
                (cite(view, (one.responder.first_frame or 0 for one in moved[:1]), "then another port works"),)
                if moved
                else ()
            ),
        ),
        filter=f"tcp.port == {tries.port} && ip.addr == {tries.server}",
        first_ns=tries.first_ns,
        last_ns=tries.last_ns,
        alternatives=("the instance was stopped or moved after its console's token was made: open the console anew",),
        next_steps=(_display(tries.server, tries.port), _firewall(tries.server)),
    )


def check_password(view: View) -> Iterator[Finding]:
    """CPVM018: one finding a console proxy and VNC port."""
    for found in _sessions(view, lambda one: bool(one.result) and one.chosen == Security.VNC):
        first = found[0]
        yield PASSWORD.finding(
            severity=_severity(view, first),
            summary=(
                f"The VNC server {first.server}:{first.port} does not accept {first.client}'s password, "
                f"{times(len(found))} (SecurityResult {first.result})."
            ),
            **_particulars(view, found, "challenge and response, then a SecurityResult that is not 0"),
            next_steps=(
                _display(first.server, first.port),
                NextStep(
                    where="CloudStack API",
                    command="stop and start the instance",
                    meaning="both sides then share a new VNC password; fails again: compare the agents' versions",
                ),
            ),
        )


def check_security(view: View) -> Iterator[Finding]:
    """CPVM019: one finding a console proxy and VNC port."""
    for found in _sessions(view, _disagree):
        first = found[0]
        offered = "no security at all" if first.refused else f"security types {listed(first.offered)}"
        yield SECURITY.finding(
            severity=_severity(view, first),
            confidence=Confidence.LIKELY,
            summary=(
                f"{first.client} and the VNC server {first.server}:{first.port} agree on no security: the server "
                f"offers {offered}, and the connection ends at once, {times(len(found))}."
            ),
            **_particulars(view, found, f"the server offers {offered}; then the end"),
            next_steps=(
                NextStep(
                    where=f"hypervisor {first.server}",
                    command="grep -E '^vnc_(tls|listen|password)' /etc/libvirt/qemu.conf; ls -l /etc/pki/libvirt-vnc",
                    meaning="vnc_tls = 1 needs a certificate there and a console proxy that speaks VeNCrypt (4.18)",
                ),
            ),
        )


def _disagree(one: RfbSession) -> bool:
    """The server refuses everybody, or the client leaves within a second without choosing anything on offer."""
    closing = one.flow.closing
    if closing is None or closing.ts_ns - one.server_greeting.ts_ns > LEAVES_WITHIN:
        return False
    whole = one.client_greeting is not None and one.flow.began
    return whole and (one.refused or (bool(one.offered) and one.chosen not in one.offered))


def _sessions(view: View, wanted: Callable[[RfbSession], bool]) -> Iterator[list[RfbSession]]:
    groups: dict[tuple[str | None, str | None, int], list[RfbSession]] = {}
    for one in view.exchanges(RfbSession):
        if wanted(one):
            groups.setdefault((one.client, one.server, one.port), []).append(one)
    yield from groups.values()


def _severity(view: View, session: RfbSession) -> Severity:
    """An error for a console proxy, a remark for any other VNC client."""
    known = why_proxy(view, session.flow) is not None or is_system_vm(session.flow)
    return Severity.ERROR if known else Severity.INFO


def _subject(flow: Flow) -> Subject:
    return Subject(vlan=flow.vlan, ip=flow.originator.ip, server=flow.responder.ip, port=flow.responder.port)


def _particulars(view: View, found: list[RfbSession], what: str) -> Particulars:
    frames = [number for one in found for number in one.server_greeting.frames]
    frames += [number for one in found if one.client_greeting for number in one.client_greeting.frames[:2]]
    first = found[0]
    return Particulars(
        subject=_subject(first.flow),
        evidence=(cite(view, frames, what),),
        filter=f"tcp.port == {first.port} && ip.addr == {first.server}",
        first_ns=min(one.server_greeting.ts_ns for one in found),
        last_ns=max(one.server_greeting.ts_ns for one in found),
    )


def _display(server: str | None, port: int) -> NextStep:
    return NextStep(
        where=f"hypervisor {server}",
        command=f"for vm in $(virsh list --name); do echo $vm $(virsh vncdisplay $vm); done; ss -ltn 'sport = :{port}'",
        meaning=f"the instance must have display :{port - VNC_PORTS.start}; else it was stopped, moved or restarted",
    )


def _firewall(server: str) -> NextStep:
    return NextStep(
        where=f"hypervisor {server}",
        command="iptables -L INPUT -vn | grep -E '5900|REJECT|DROP'",
        meaning="5900 to 6100 must be admitted from the console proxy's private address",
    )


_SCREEN = ("CPVM020",)
REFUSED = Rule(
    code="CPVM017",
    name="vnc-refused",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check_refused,
    explains=(*_SCREEN, "SG001"),
)
PASSWORD = Rule(
    code="CPVM018",
    name="vnc-auth-failed",
    known=(8648,),
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check_password,
    explains=_SCREEN,
)
SECURITY = Rule(
    code="CPVM019",
    name="rfb-tls-mismatch",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check_security,
    explains=_SCREEN,
)
