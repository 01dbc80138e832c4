"""PWD014 wrong-source-ip: the guest asks for its password from an address that is not its own.

What it does
------------
Finds a password request from an address other than the one CloudStack gave the guest (by the profile, or by the DHCP
ACK of the same MAC in this capture).

Why it matters
--------------
The router looks the password up by the source address of the connection: from another address there is none.

Common causes
-------------
A secondary address as source, a second interface, NAT inside the guest, a static address in the template.

What else it could be
---------------------
A secondary address that the profile lists: that is said, and it is still the wrong one for the password.

Next steps
----------
Look at the guest's source address selection.
"""

from collections.abc import Iterator

from dissectors.password_server import PasswordExchange, PasswordKind
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import leases
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.password_reset import PORT


def check(view: View) -> Iterator[Finding]:
    """One finding a guest and source address."""
    for one in view.exchanges(PasswordExchange):
        mac = one.flow.originator.mac
        own = _own_address(view, mac, one.request.ts_ns)
        if one.request.message.kind is not PasswordKind.SEND or own is None or own[0] == one.client:
            continue
        yield RULE.finding(
            subject=Subject(mac=mac, vlan=one.flow.vlan, server=one.server, port=PORT),
            summary=(
                f"{mac} asked for its password from {one.client}; its own address is {own[0]}, and only that is known."
            ),
            evidence=(cite(view, one.request.frames, f"password request from {one.client}; {own[1]}"),),
            filter=f"tcp.port == {one.port} && ip.src == {one.client}",
            first_ns=one.request.ts_ns,
            next_steps=(
                NextStep(
                    where=f"guest {own[0]}",
                    command=f"ip route get {one.server}; ip -4 addr show",
                    meaning=f"src must be {own[0]}: another one is chosen by a route or by the order of addresses",
                ),
            ),
        )


def _own_address(view: View, mac: str | None, ts_ns: int) -> tuple[str, str] | None:
    """The address a guest should ask from, and who says so."""
    guest = view.site.guest_of(mac)
    if guest is not None and guest.ip:
        return guest.ip, "the site profile names its address"
    lease = next((one for one in reversed(leases(view)) if one.mac == mac and one.ack.ts_ns <= ts_ns), None)
    return (lease.ip, f"its lease is in frame {lease.ack.number}") if lease else None


RULE = Rule(
    code="PWD014",
    name="wrong-source-ip",
    topic=Topic.PASSWORD_RESET,
    severity=Severity.WARNING,
    check=check,
    explains=("PWD006", "META003"),
)
