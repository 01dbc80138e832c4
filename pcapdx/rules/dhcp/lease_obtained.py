"""DHCP031 lease-obtained: a client got its address.

What it does
------------
Proves a lease: a REQUEST and its ACK (with DISCOVER and OFFER before, where the capture has them), whose address is
CloudStack's where a profile tells it. Where the snap length cut the message types off, an answer that gives an address
and the client's use of it afterwards.

Why it matters
--------------
It clears DHCP for this boot, and it shows which server, gateway and DNS the guest was told.
"""

from collections.abc import Iterator

from dissectors.dhcp import DhcpExchange, DhcpKind
from pcapdx.case import View
from pcapdx.model import Proof, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.leases import bindings_by_mac
from pcapdx.rules.definitions.wording import cite, duration, in_vlan


def check(view: View) -> Iterator[Proof]:
    """One proof a client and address."""
    for exchange in view.exchanges(DhcpExchange):
        yield from _of_cut(view, exchange)
        if not exchange.acks or exchange.address is None or exchange.kind is DhcpKind.INFORM or not exchange.requests:
            continue
        guest = view.site.guest_of(exchange.chaddr)
        if guest is not None and guest.ip and exchange.address not in (guest.ip, *guest.secondary_ips):
            continue
        ack = exchange.acks[-1]
        took = duration(ack.ts_ns - exchange.first_ns)
        frames = [one.number for one in exchange.messages if one.ts_ns <= ack.ts_ns]
        yield RULE.proof(
            subject=Subject(mac=exchange.chaddr, vlan=exchange.vlan, ip=exchange.address),
            summary=(
                f"lease {exchange.address} from {ack.message.server_id or ack.frame.src} for "
                f"{exchange.chaddr} in {took}"
            )
            + (f" ({in_vlan(exchange.vlan)})" if exchange.vlan else ""),
            evidence=(cite(view, frames, "DISCOVER to ACK" if exchange.discovers else "REQUEST to ACK"),),
            filter=f"dhcp.id == 0x{exchange.xid:08x}",
            first_ns=exchange.first_ns,
            last_ns=ack.ts_ns,
        )


def _of_cut(view: View, exchange: DhcpExchange) -> Iterator[Proof]:
    """An address that an answer of unknown type gave, in use by the client afterwards."""
    guest = view.site.guest_of(exchange.chaddr)
    given = {one.message.yiaddr: one for one in exchange.server_messages if one.message.type_unknown}
    asked = [one for one in exchange.client_messages if one.message.type_unknown]
    if not given or not asked:
        return
    for bound in bindings_by_mac(view).get(exchange.chaddr, ()):
        answer = given.get(bound.ip)
        if answer is None or bound.segment != exchange.segment or bound.last_ns <= answer.ts_ns:
            continue
        if guest is not None and guest.ip and bound.ip not in (guest.ip, *guest.secondary_ips):
            continue
        yield RULE.proof(
            subject=Subject(mac=exchange.chaddr, vlan=exchange.vlan, ip=bound.ip),
            summary=(
                f"{exchange.chaddr} was given {bound.ip} by {answer.frame.src} and uses it "
                f"({in_vlan(exchange.vlan)}; the DHCP options are cut off)"
            ),
            evidence=(
                cite(view, (one.number for one in (*asked, answer)), "request and reply, options cut off"),
                cite(view, (bound.last_frame,), f"{exchange.chaddr} speaks as {bound.ip}"),
            ),
            filter=f"dhcp.id == 0x{exchange.xid:08x}",
            first_ns=exchange.first_ns,
            last_ns=answer.ts_ns,
        )


RULE = Rule(code="DHCP031", name="lease-obtained", topic=Topic.DHCP, severity=None, check=check)
