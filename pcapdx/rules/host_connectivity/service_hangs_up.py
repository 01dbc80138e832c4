"""HOST020 service-hangs-up, HOST021 service-tls-refused: a cloud's own service accepts connections and ends them.

What it does
------------
Of the services that HOST017 looks at: finds those that accept a connection and end it, twice and more, before they sent
a single byte (HOST020), and those whose TLS handshake with a management server fails twice and more (HOST021); in both
cases only where no other try of the same client works.

Why it matters
--------------
The port is open, so a check of ports says that all is well.

Common causes
-------------
A proxy or balancer without a living server behind it; TCP wrappers or MaxStartups of sshd; a service that crashes at
each connection; for TLS a certificate, version or cipher that one side does not take.

What else it could be
---------------------
A port check that connects and leaves by itself is none of it: there the client ends first.

Next steps
----------
Try it by hand, and read the service's own log.
"""

from collections.abc import Iterator, Sequence

from dissectors.tls import TlsHandshake
from pcapdx.case import View
from pcapdx.dissect import Flow
from pcapdx.flowtable import TCP, among
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.services import HTTPS, SERVICES, SYSTEM_VM_SSH, Service, service_of
from pcapdx.rules.definitions.windows import BOOT, SECOND
from pcapdx.rules.definitions.wording import cite, times
from pcapdx.rules.host_connectivity import steps
from pcapdx.rules.host_connectivity.agent_tls_fails import failed, fatal

TWICE = 2
SOON = 10 * SECOND
"""Later it is an idle time-out of a connection that nobody used."""


def check_hangs_up(view: View) -> Iterator[Finding]:
    """HOST020: one finding a client and service."""
    groups: dict[tuple[int, str | None, str | None, int], list[Flow]] = {}
    table = view.flows
    unheard = (table.responder("syn") > 0) & (table.responder("next_seq") == 0)
    patient = (table.originator("fin") == 0) | (table.responder("fin_ns") <= table.originator("fin_ns"))
    unheard &= ((table.responder("fin") > 0) & patient) | (table.responder("rst") > 0)
    for flow in table.take(unheard & among(table.rows["dport"], list(SERVICES)) & (table.rows["protocol"] == TCP)):
        if _ended_unheard(flow):
            key = flow.vlan, flow.originator.ip, flow.responder.ip, flow.responder.port
            groups.setdefault(key, []).append(flow)
    for (_, client, server, port), ended in groups.items():
        service = service_of(view, port, client, ended[0].originator.mac, server)
        if service is None or len(ended) < TWICE or client is None or server is None:
            continue
        span = (ended[-1].originator.first_ns or 0) - (ended[0].originator.first_ns or 0)
        if port == SYSTEM_VM_SSH and span <= BOOT:
            continue  # it boots
        if not any(one.responder.payload_bytes for one in table.where(ports=(port,), client=client, server=server)):
            yield _hangs_up(view, service, client, server, ended)


def _ended_unheard(flow: Flow) -> bool:
    """Accepted, and ended by the server without a byte: at once, or although the client had spoken."""
    closing = flow.closing
    if closing is None or closing.by_originator or not flow.began:
        return False
    soon = closing.ts_ns - (flow.originator.first_syn_ns or 0) < SOON
    return soon or flow.originator.payload_bytes > 0


def _hangs_up(view: View, service: Service, client: str, server: str, ended: Sequence[Flow]) -> Finding:
    first = ended[0]
    closings = [one.closing for one in ended if one.closing is not None]
    how = "reset" if any(one.how == "rst" for one in closings) else "closed"
    return HANGS_UP.finding(
        subject=Subject(mac=first.originator.mac, vlan=first.vlan, ip=client, server=server, port=service.port),
        summary=(
            f"{service.name} at {server}:{service.port} accepts the connections of {client} and they are {how} before "
            f"it says a word, {times(len(ended))}: {service.needed_for}."
        ),
        evidence=(
            cite(view, (number for one in ended for number in one.responder.syn_frames[:1]), "accepted"),
            cite(view, (one.frame for one in closings), f"and {how} by the server's side, without a byte of data"),
        ),
        filter=f"tcp.port == {service.port} && ip.addr == {server}",
        first_ns=first.originator.first_ns,
        last_ns=max(one.ts_ns for one in closings),
        alternatives=("a balancer or firewall before it accepts on its behalf", *service.otherwise),
        next_steps=(
            NextStep(
                where=f"{server}",
                command=f"ss -ltnp 'sport = :{service.port}'; journalctl -n 30 -u {service.unit.split()[0]}; "
                "cat /etc/hosts.allow /etc/hosts.deny",
                meaning=f"who listens, and what it says of {client}; no listener: a balancer answered for it",
            ),
            steps.path(client, server, service.port),
        ),
    )


def check_tls(view: View) -> Iterator[Finding]:
    """HOST021: one finding a management server and hypervisor."""
    groups: dict[tuple[int, str | None, str | None], list[TlsHandshake]] = {}
    for one in view.exchanges(TlsHandshake):
        if one.port == HTTPS and one.client_hello is not None:
            groups.setdefault((one.flow.vlan, one.client, one.server), []).append(one)
    for (_, client, server), members in groups.items():
        service = service_of(view, HTTPS, client, members[0].flow.originator.mac, server)
        failures = [one for one in members if failed(one)]
        if service is None or client is None or server is None or len(failures) < TWICE:
            continue
        heard = any(one.flow.responder.payload_bytes for one in failures)  # else HOST020 says it
        if heard and not any(one.completed for one in members):
            yield _tls(view, service, client, server, failures)


def _tls(view: View, service: Service, client: str, server: str, failures: Sequence[TlsHandshake]) -> Finding:
    alerts = [(one, alert) for one in failures for alert in fatal(one)]
    by, said = "", "no alert in clear"
    if alerts:
        by = "the management server" if alerts[0][1] in alerts[0][0].client_alerts else server
        said = f"{by} sends {alerts[0][1].message.name}"
    first = failures[0]
    hellos = [one.client_hello for one in failures if one.client_hello is not None]
    return TLS.finding(
        subject=Subject(mac=first.flow.originator.mac, vlan=first.flow.vlan, ip=client, server=server, port=HTTPS),
        confidence=Confidence.CERTAIN if alerts else Confidence.LIKELY,
        summary=f"TLS of the management server {client} to {server}:{HTTPS} failed {times(len(failures))}: {said}.",
        evidence=(
            cite(view, (one.number for one in hellos), "ClientHello of each try"),
            *((cite(view, (alert.number for _, alert in alerts), said),) if alerts else ()),
        ),
        filter=f"tls && ip.addr == {client} && ip.addr == {server}",
        first_ns=hellos[0].ts_ns,
        last_ns=hellos[-1].ts_ns,
        alternatives=service.otherwise,
        next_steps=(
            NextStep(
                where=f"management server {client}",
                command=f"openssl s_client -connect {server}:{HTTPS} </dev/null | openssl x509 -noout -dates -issuer; "
                f"openssl s_client -tls1_2 -connect {server}:{HTTPS} </dev/null",
                meaning="a certificate that has expired, an issuer the JVM does not know, or no common version",
            ),
            NextStep(
                where=f"management server {client}",
                command="grep -iE 'SSLHandshake|CertPath' /var/log/cloudstack/management/management-server.log; "
                "grep disabledAlgorithms $JAVA_HOME/conf/security/java.security",
                meaning="what Java does not accept; an old vCenter may offer only what it disables",
            ),
        ),
    )


HANGS_UP = Rule(
    code="HOST020",
    name="service-hangs-up",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check_hangs_up,
)
TLS = Rule(
    code="HOST021",
    name="service-tls-refused",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check_tls,
)
