"""TMPL010 shared-ssh-host-key: two instances show the same SSH host key.

What it does
------------
Finds a host key, in clear in the answer to the key exchange, that servers with different addresses and different MACs
show.

Why it matters
--------------
Whoever has one of these instances can pass for the other: the key is in the image.

Common causes
-------------
The host keys were not removed before the template was made, and nothing makes them anew at the first boot.

What else it could be
---------------------
One instance with two NICs; a pair behind a floating address that shares its keys on purpose. Addresses behind the
same MAC (a router, static NAT, a balancer) are not compared.

Next steps
----------
Remove the keys in the template; cloud-init makes new ones.
"""

from collections.abc import Iterator

from dissectors.ssh import SshServer
from pcapdx.case import View
from pcapdx.model import Confidence, Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite, listed
from pcapdx.rules.templates.guests import template

SYSTEM_VM_PORT = 3922
"""CloudStack's own machines are not made by users' templates."""


def check(view: View) -> Iterator[Finding]:
    """One finding a key."""
    keys: dict[str, dict[tuple[str, str], SshServer]] = {}
    for one in view.exchanges(SshServer):
        if one.ip is not None and one.mac is not None and one.flow.responder.port != SYSTEM_VM_PORT:
            keys.setdefault(one.key.fingerprint, {}).setdefault((one.ip, one.mac), one)
    for fingerprint, servers in keys.items():
        twins = list(servers.values())
        if not any(one.ip != other.ip and one.mac != other.mac for one in twins for other in twins):
            continue
        first = twins[0]
        yield RULE.finding(
            subject=Subject(vlan=first.flow.vlan, name=fingerprint),
            confidence=Confidence.LIKELY,
            summary=(
                f"{listed([f'{one.ip} ({one.mac})' for one in twins[:4]])} show the same SSH host key "
                f"{first.key.algorithm} {fingerprint}."
            ),
            evidence=tuple(cite(view, one.frames, f"host key of {one.ip}") for one in twins[:4]),
            filter=" || ".join(f"(ssh && ip.src == {one.ip})" for one in twins[:4]),
            first_ns=min(one.ts_ns for one in twins),
            last_ns=max(one.ts_ns for one in twins),
            alternatives=("one instance with several NICs", "a pair that shares its keys on purpose"),
            next_steps=(
                template(
                    "rm -f /etc/ssh/ssh_host_*; grep -n ssh_deletekeys /etc/cloud/cloud.cfg",
                    "keys that are not there, and ssh_deletekeys: true, are made anew at each instance's first boot",
                ),
            ),
        )


RULE = Rule(
    code="TMPL010",
    name="shared-ssh-host-key",
    topic=Topic.TEMPLATES,
    severity=Severity.WARNING,
    check=check,
)
