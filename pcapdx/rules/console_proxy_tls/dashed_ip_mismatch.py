"""CPVM003 dashed-ip-mismatch: the console's name spells one address and leads to another.

What it does
------------
Compares the address in a console proxy's name (``1-2-3-4.domain``) with the address that DNS gives for it and with
the one that is connected to.

Why it matters
--------------
CloudStack makes the name from the console proxy's public address. Where it leads elsewhere, another machine answers,
or none.

Common causes
-------------
Records were made one by one and not changed when the console proxy got a new address; a typing error in the zone.

What else it could be
---------------------
A static NAT or balancer in front of the console proxy, which the site profile can name; behind one the address is a
private one, which is only remarked here.

Next steps
----------
Compare record and the console proxy's public address.
"""

from collections.abc import Iterator
from dataclasses import field

from dissectors.console_proxy import dashed_ip
from dissectors.dns import DnsExchange
from pcapdx.case import View
from pcapdx.model import Confidence, Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.console_proxy_tls import steps
from pcapdx.rules.console_proxy_tls.addresses import is_private
from pcapdx.rules.console_proxy_tls.consoles import handshakes, host_name, named, pages, why_name
from pcapdx.rules.definitions.wording import cite, listed
from pcapdx.values import dataclass


@dataclass(slots=True)
class Led:
    """Where one name led."""

    resolved: dict[str, list[int]] = field(default_factory=dict)
    """Other addresses than the spelled one that DNS gave, and the frames."""
    connected: dict[str, list[int]] = field(default_factory=dict)
    works: bool = False
    """A connection there came to a handshake or an answer."""
    right: bool = False
    """It led to the spelled address, too."""
    vlans: set[int] = field(default_factory=set)
    times: list[int] = field(default_factory=list)


def check(view: View) -> Iterator[Finding]:
    """One finding a name."""
    for name, led in _led(view).items():
        if led.right or not (led.resolved or led.connected):
            continue
        yield _finding(view, name, dashed_ip(name) or "", led)


def _led(view: View) -> dict[str, Led]:
    found: dict[str, Led] = {}
    for asked in view.exchanges(DnsExchange):
        answer = asked.answer
        addresses = [one for one in asked.addresses if ":" not in one]
        if answer is not None and addresses:
            led = _note(view, found, asked.name, addresses, asked.vlan, answer.ts_ns)
            for address in addresses:
                _of(led, "resolved", address).append(answer.number)
    for shake in handshakes(view):
        hello = shake.handshake.client_hello
        if hello is not None and shake.name is not None and shake.handshake.server is not None:
            led = _note(view, found, shake.name, [shake.handshake.server], shake.handshake.flow.vlan, hello.ts_ns)
            _of(led, "connected", shake.handshake.server).append(hello.number)
            led.works = led.works or shake.handshake.completed is True
    for one in pages(view):
        name = host_name(one.request.message.host)
        if name is not None and one.server is not None:
            led = _note(view, found, name, [one.server], one.flow.vlan, one.request.ts_ns)
            _of(led, "connected", one.server).append(one.request.number)
            led.works = led.works or one.response is not None
    return found


def _note(view: View, found: dict[str, Led], name: str, addresses: list[str], vlan: int, ts_ns: int) -> Led:
    """The entry of a name; of one that spells nothing, or leads where it should, one that is never reported."""
    spelled = dashed_ip(name)
    led = found.setdefault(name, Led())
    nat = view.site.console.nat
    if spelled is None or why_name(view, name) is None or {spelled, nat.get(spelled, spelled)}.intersection(addresses):
        led.right = True
    led.vlans.add(vlan)
    led.times.append(ts_ns)
    return led


def _of(led: Led, way: str, address: str) -> list[int]:
    table: dict[str, list[int]] = getattr(led, way)
    return table.setdefault(address, [])


def _finding(view: View, name: str, spelled: str, led: Led) -> Finding:
    elsewhere = list(dict.fromkeys((*led.resolved, *led.connected)))
    behind_nat = all(is_private(one) for one in elsewhere) and not is_private(spelled)
    severity = Severity.INFO if behind_nat else Severity.WARNING if led.works else Severity.ERROR
    evidence = [
        cite(view, frames, f"{how} {address}, not {spelled}")
        for how, table in (("DNS gives", led.resolved), ("the connection goes to", led.connected))
        for address, frames in table.items()
    ]
    return RULE.finding(
        subject=Subject(
            vlan=next(iter(led.vlans)) if len(led.vlans) == 1 else None,
            server=elsewhere[0] if len(elsewhere) == 1 else None,
            name=name,
        ),
        severity=severity,
        confidence=Confidence.LIKELY if led.resolved and not led.works else Confidence.POSSIBLE,
        summary=f"The console proxy's name {name} stands for {spelled}, but leads to {listed(elsewhere[:3])}.",
        evidence=tuple(evidence[:4]),
        filter=named(name),
        first_ns=min(led.times),
        last_ns=max(led.times),
        alternatives=(
            f"a static NAT or balancer stands in front of {spelled}: name it in the site profile (console.nat)",
            *(("the console answers there all the same",) if led.works else ()),
        ),
        next_steps=(steps.record(name), steps.proxy()),
    )


RULE = Rule(
    code="CPVM003",
    name="dashed-ip-mismatch",
    topic=Topic.CONSOLE_PROXY_TLS,
    severity=Severity.ERROR,
    check=check,
    explains=("CPVM004", "CPVM007"),
)
