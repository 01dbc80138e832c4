"""PWD011 never-asked: a guest booted and never asked for its password.

What it does
------------
Finds a guest that got a lease and talked for three minutes after it, and never tried port 8080 of a router nor asked
DNS for data-server.

Why it matters
--------------
A password reset cannot reach a guest that does not ask.

Common causes
-------------
The template has neither the password script nor cloud-init's CloudStack data source; or it is delivered on a
ConfigDrive.

What else it could be
---------------------
A template that needs no passwords: without a known reset this is a remark.

Next steps
----------
Look at the template's passwordenabled flag and at what the image has installed.
"""

from collections.abc import Iterator

from dissectors.dns import DnsExchange
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import Lease, leases
from pcapdx.rules.definitions.servers import is_data_server
from pcapdx.rules.definitions.windows import PASSWORD_ASK
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.password_reset import PORT, steps


def check(view: View) -> Iterator[Finding]:
    """One finding a guest whose boot (DISCOVER to ACK) is in the capture."""
    latest = {one.mac: one for one in leases(view)}
    for lease in latest.values():
        if view.remains_ns(lease.ack.ts_ns) < PASSWORD_ASK or not _talks(view, lease) or _asked(view, lease):
            continue
        known = any(one.password_reset and one.mac == lease.mac for one in view.site.guest)
        yield RULE.finding(
            subject=steps.subject(lease.mac, lease.vlan, lease.ip, lease.server),
            severity=Severity.WARNING if known else Severity.INFO,
            summary=(
                f"{lease.ip} ({lease.mac}) got its lease and did not ask for a password in the three minutes after."
            ),
            evidence=(cite(view, (lease.ack.number,), f"DHCP ACK; no connection to port {PORT} of a router follows"),),
            filter=f"eth.addr == {lease.mac}",
            first_ns=lease.ack.ts_ns,
            alternatives=(
                "the password comes on a ConfigDrive, or the template has no password support and needs none",
            ),
            next_steps=(
                NextStep(
                    where="CloudStack API",
                    command=(
                        "listTemplates templatefilter=all id=<template> (passwordenabled), "
                        "listVirtualMachines (userdata)"
                    ),
                    meaning="passwordenabled=true and no request on the wire: the image lacks script or data source",
                ),
            ),
        )


def _talks(view: View, lease: Lease) -> bool:
    """The guest went on talking for three minutes: a guest that was stopped asks nobody."""
    return any(
        one.mac == lease.mac and one.last_ns is not None and one.last_ns - lease.ack.ts_ns >= PASSWORD_ASK
        for one in view.talkers
    )


def _asked(view: View, lease: Lease) -> bool:
    if any(flow.vlan == lease.vlan for flow in view.flows.where(ports=(PORT,), client=lease.ip)):
        return True
    return any(one.client == lease.ip and is_data_server(one.name) for one in view.exchanges(DnsExchange))


RULE = Rule(
    code="PWD011",
    name="never-asked",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.INFO,
    check=check,
)
