"""TMPL014 clean-first-boot: an instance booted and got all it needs.

What it does
------------
Proves that a guest that was seen booting got an address by DHCP, and its metadata or an answer about its password,
within three minutes of its first frame.

Why it matters
--------------
The template is sound: interface, DHCP client and cloud-init do what they should.
"""

from collections.abc import Iterator

from dissectors.dhcp import DhcpExchange
from dissectors.metadata import MetadataExchange, MetadataKind
from dissectors.password_server import AnswerKind, PasswordExchange, PasswordKind
from pcapdx.case import View
from pcapdx.model import Proof, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import Lease, leases
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, duration, listed
from pcapdx.rules.templates import BOOTS
from pcapdx.rules.templates.guests import sender

WITHIN = 180 * SECOND
ANSWERS = (AnswerKind.PASSWORD, AnswerKind.SAVED_PASSWORD)
OK = 200


def check(view: View) -> Iterator[Proof]:
    """One proof a guest."""
    booted = {(one.chaddr, one.xid) for one in view.exchanges(DhcpExchange) if one.kind in BOOTS}
    for lease in leases(view):
        talker = sender(view, lease.mac, lease.vlan)
        if talker is None or talker.first_ns is None or (lease.mac, lease.ack.message.xid) not in booted:
            continue
        until = talker.first_ns + WITHIN
        served = {what: frames for what, ts_ns, frames in _served(view, lease) if ts_ns <= until}
        metadata = {"instance-id", "list of keys"} <= set(served)
        if lease.ack.ts_ns > until or not (metadata or "password" in served):
            continue
        last = max(ts_ns for what, ts_ns, _ in _served(view, lease) if ts_ns <= until)
        yield RULE.proof(
            subject=Subject(mac=lease.mac, vlan=lease.vlan),
            summary=(
                f"{lease.mac} booted cleanly: {lease.ip} by DHCP, then {listed(sorted(served))}, all within "
                f"{duration(last - talker.first_ns)}"
            ),
            evidence=(
                cite(view, (*talker.frames[:1], lease.ack.number), "first frame and DHCP ACK"),
                *(cite(view, frames, f"{what} answered") for what, frames in sorted(served.items())),
            ),
            filter=f"dhcp.hw.mac_addr == {lease.mac} || (http && ip.addr == {lease.ip})",
            first_ns=talker.first_ns,
            last_ns=last,
        )


def _served(view: View, lease: Lease) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    """What the guest was answered under its lease, when, and in which frames."""
    for one in view.exchanges(MetadataExchange):
        answer, request = one.answer, one.request
        if one.client != lease.ip or answer is None or answer.message.status != OK or request.ts_ns < lease.ack.ts_ns:
            continue
        frames = (request.number, answer.number)
        if request.message.key == "instance-id":
            yield "instance-id", answer.ts_ns, frames
        elif request.message.kind is MetadataKind.LISTING:
            yield "list of keys", answer.ts_ns, frames
    for asked in view.exchanges(PasswordExchange):
        reply = asked.answer
        if asked.client != lease.ip or reply is None or asked.request.message.kind is not PasswordKind.SEND:
            continue
        if reply.message.kind in ANSWERS and asked.request.ts_ns >= lease.ack.ts_ns:
            yield "password", reply.ts_ns, (asked.request.number, reply.number)


RULE = Rule(
    code="TMPL014",
    name="clean-first-boot",
    topic=Topic.TEMPLATES,
    severity=None,
    check=check,
)
