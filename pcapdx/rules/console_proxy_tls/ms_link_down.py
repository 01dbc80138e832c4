"""CPVM016 ms-link-down: the console proxy does not reach its management server on port 8250.

What it does
------------
Finds a console proxy (or, by the shape of its MAC, a system VM) whose connections to port 8250 are refused three
times, or never answered.

Why it matters
--------------
The proxy asks the management server whether a token is good. Without that link every console is refused, although
page and certificate are fine.

Common causes
-------------
The management service is down; the setting "host" names a wrong address; a firewall.

What else it could be
---------------------
A restart of the management server, which takes less than five minutes: a link that comes back is a remark. One of
several management servers, where another one answers. A secondary storage VM, whose MAC looks alike.

Next steps
----------
See whether the management server listens, and what address the console proxy was told.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.console_proxy_tls import steps
from pcapdx.rules.console_proxy_tls.proxies import AGENT, is_system_vm, why_proxy
from pcapdx.rules.definitions.syn_dead import Tries, refused, syn_dead
from pcapdx.rules.definitions.windows import REPETITION
from pcapdx.rules.definitions.wording import cite, duration, times

SETTING = NextStep(
    where="CloudStack API",
    command="list configurations name=host; list managementservers",
    meaning="the console proxy connects to what 'host' says: it must be a management server or its balancer",
)


def check(view: View) -> Iterator[Finding]:
    """One finding a console proxy and management server."""
    for tries in refused(view, (AGENT,), at_least=REPETITION, even_if_worked=True):
        yield from _judged(view, tries, "is refused (RST)")
    for tries in syn_dead(view, (AGENT,), even_if_worked=True):
        yield from _judged(view, tries, "gets no answer")


def _judged(view: View, tries: Tries, how: str) -> Iterator[Finding]:
    flow = tries.flows[0]
    why = why_proxy(view, flow)
    if why is None and not is_system_vm(flow):
        return
    elsewhere = [
        one
        for one in view.flows.where(ports=(AGENT,), client=tries.client)
        if one.responder.ip != tries.server and one.responder.syn
    ]
    who = "The console proxy" if why else "The system VM"
    yield RULE.finding(
        subject=Subject(mac=tries.client_mac, vlan=tries.vlan, ip=tries.client, server=tries.server, port=AGENT),
        severity=Severity.INFO if tries.works_again or elsewhere else Severity.ERROR,
        confidence=Confidence.CERTAIN if why else Confidence.LIKELY,
        summary=(
            f"{who} {tries.client} tries its management server {tries.server} on port {AGENT} "
            f"{times(len(tries.flows))} in {duration(tries.last_ns - tries.first_ns)} and {how}"
            + (", until it works again." if tries.works_again else ".")
        ),
        evidence=(
            cite(view, tries.frames, f"SYN to {AGENT}; it {how}"),
            *(
                (
                    cite(
                        view,
                        (one.responder.syn_frames[0] for one in elsewhere[:3]),
                        "another management server answers",
                    ),
                )
                if elsewhere
                else ()
            ),
        ),
        filter=f"tcp.port == {AGENT} && ip.addr == {tries.client}",
        first_ns=tries.first_ns,
        last_ns=tries.last_ns,
        alternatives=(
            "the management server is being restarted: then it answers within five minutes",
            *(() if why else (f"{tries.client} is a secondary storage VM: only its MAC tells what it is",)),
        ),
        next_steps=(
            NextStep(
                where="management server",
                command=f"ss -ltn 'sport = :{AGENT}'; systemctl status cloudstack-management; iptables-save -c",
                meaning=f"no listener: the service is down; a rule for {AGENT} that counts drops: the firewall",
            ),
            SETTING,
            steps.proxy(),
        ),
    )


RULE = Rule(
    code="CPVM016",
    name="ms-link-down",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check,
    explains=("CPVM020", "HOST001", "HOST002", "SG001"),
)
