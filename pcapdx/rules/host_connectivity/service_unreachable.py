"""HOST017 service-silent, HOST018 service-refused, HOST019 service-prohibited: a cloud's own service is not reached.

What it does
------------
Looks at what management servers need of others (ssh of hosts, 443 of hypervisors and vCenter, the database's 3306), and
at iSCSI targets, system VMs' ssh (3922) and OpenFlow controllers, whoever asks: tries that nobody answers (HOST017),
that a RST refuses three times (HOST018), that ICMP prohibits (HOST019).

Why it matters
--------------
Each of these is one thing that CloudStack cannot do: the finding names it.

Common causes
-------------
A firewall of the server or on the way; a service that is not running, or listens on another address.

What else it could be
---------------------
A restart: what works again later is a remark. Who the management servers are is known from the profile or from an
answered port 8250; without either, ssh, https and database of strangers are nobody's business here. A system VM that
boots does not answer 3922 for two minutes; beyond that HOST012 speaks.

Next steps
----------
See what listens on the server, then follow the SYN.
"""

from collections.abc import Iterator, Sequence

from dissectors.icmp import Icmp
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.prohibited import Refusal, prohibited
from pcapdx.rules.definitions.services import SERVICES, SYSTEM_VM_SSH, Service, service_of
from pcapdx.rules.definitions.syn_dead import Tries, refused, syn_dead
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, duration, times
from pcapdx.rules.host_connectivity import steps

PORTS = tuple(port for port in SERVICES if port != SYSTEM_VM_SSH)


def check_silent(view: View) -> Iterator[Finding]:
    """HOST017: one finding a client and service."""
    prohibiting = {key[1:4] for key in prohibited(view)}
    for tries in syn_dead(view, PORTS, even_if_worked=True):
        service = service_of(view, tries.port, tries.client, tries.client_mac, tries.server)
        if service is not None and (tries.client, tries.server, tries.port) not in prohibiting:
            yield _silent(view, tries, service)


def check_refused(view: View) -> Iterator[Finding]:
    """HOST018: one finding a client and service."""
    for tries in refused(view, PORTS, at_least=REPETITION, even_if_worked=True):
        service = service_of(view, tries.port, tries.client, tries.client_mac, tries.server)
        if service is not None:
            yield _refused(view, tries, service)


def check_prohibited(view: View) -> Iterator[Finding]:
    """HOST019: one finding a client, service and refuser."""
    for refusal, errors in prohibited(view).items():
        service = service_of(view, refusal[3], refusal[1], errors[0].frame.eth_dst, refusal[2])
        if service is not None:
            yield _prohibited(view, refusal, errors, service)


def _subject(tries: Tries) -> Subject:
    return Subject(mac=tries.client_mac, vlan=tries.vlan, ip=tries.client, server=tries.server, port=tries.port)


def _filter(server: str, port: int) -> str:
    return f"tcp.port == {port} && ip.addr == {server}"


def _silent(view: View, tries: Tries, service: Service) -> Finding:
    return SILENT.finding(
        subject=_subject(tries),
        severity=Severity.INFO if tries.works_again else Severity.ERROR,
        confidence=Confidence.LIKELY if service.otherwise else Confidence.CERTAIN,
        summary=(
            f"{service.name} at {tries.server}:{tries.port} does not answer {tries.client}, tried "
            f"{times(tries.count)} in {duration(tries.last_ns - tries.first_ns)}"
            + (", until it did." if tries.works_again else f": {service.needed_for}.")
        ),
        evidence=(cite(view, tries.frames, f"SYN to {tries.port}; nothing comes back"),),
        filter=_filter(tries.server, tries.port),
        first_ns=tries.first_ns,
        last_ns=tries.last_ns,
        alternatives=(
            f"the answers take another NIC of {tries.client} than the one captured here",
            f"{tries.server} is down: then it does not answer ARP or ping either",
            *service.otherwise,
        ),
        next_steps=(
            steps.path(tries.client, tries.server, tries.port),
            steps.firewall(tries.server, tries.port),
        ),
    )


def _refused(view: View, tries: Tries, service: Service) -> Finding:
    return REFUSED.finding(
        subject=_subject(tries),
        severity=Severity.INFO if tries.works_again else Severity.ERROR,
        confidence=Confidence.LIKELY if service.otherwise else Confidence.CERTAIN,
        summary=(
            f"{service.name} at {tries.server}:{tries.port} refuses {tries.client}, {times(tries.count)}"
            + (", then it accepts." if tries.works_again else f": {service.needed_for}.")
        ),
        evidence=(cite(view, tries.frames, f"SYN to {tries.port}, answered by RST"),),
        filter=_filter(tries.server, tries.port),
        first_ns=tries.first_ns,
        last_ns=tries.last_ns,
        alternatives=()
        if tries.works_again
        else ("it is just being restarted: then it accepts within some minutes", *service.otherwise),
        next_steps=(steps.service(tries.server, tries.port, service.unit),),
    )


def _prohibited(view: View, refusal: Refusal, errors: Sequence[Seen[Icmp]], service: Service) -> Finding:
    vlan, client, server, port, refuser = refusal
    who = "the server's own firewall" if refuser == server else f"{refuser}, a router or firewall on the way"
    last_ns = errors[-1].ts_ns
    later = [
        one
        for one in view.flows.where(ports=(port,), client=client, server=server)
        if one.responder.syn and (one.originator.first_ns or 0) > last_ns
    ]
    return PROHIBITED.finding(
        subject=Subject(mac=errors[0].frame.eth_dst, vlan=vlan, ip=client, server=server, port=port),
        severity=Severity.INFO if later else Severity.ERROR,
        confidence=Confidence.LIKELY if service.otherwise else Confidence.CERTAIN,
        summary=(
            f"{service.name} at {server}:{port} is prohibited to {client} by {who}, {times(len(errors))}"
            + (", and then it is admitted." if later else f": {service.needed_for}.")
        ),
        evidence=(cite(view, (one.number for one in errors), f"ICMP error of {refuser}"),),
        filter=f"icmp && ip.src == {refuser}" if ":" not in refuser else f"icmpv6 && ipv6.src == {refuser}",
        first_ns=errors[0].ts_ns,
        last_ns=last_ns,
        alternatives=service.otherwise,
        next_steps=(
            NextStep(
                where=refuser,
                command=f"nft list ruleset | grep -E '{port}|reject'; firewall-cmd --list-all"
                if refuser == server
                else "nft list ruleset; show access-lists",
                meaning=f"the rule that rejects {client}; a REJECT at the end of INPUT: {port} is not listed",
            ),
        ),
    )


_POLICY = ("SG001", "SG002")
SILENT = Rule(
    code="HOST017",
    name="service-silent",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check_silent,
    explains=_POLICY,
)
REFUSED = Rule(
    code="HOST018",
    name="service-refused",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check_refused,
)
PROHIBITED = Rule(
    code="HOST019",
    name="service-prohibited",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check_prohibited,
    explains=("SG011",),
)
