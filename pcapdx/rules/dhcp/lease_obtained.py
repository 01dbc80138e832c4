"""DHCP031 lease-obtained: a client got its address.

What it does
------------
Proves a lease: a REQUEST and its ACK (with DISCOVER and OFFER before, where the capture has them), whose address is
CloudStack's where a profile tells it.

Why it matters
--------------
It clears DHCP for this boot, and it shows which server, gateway and DNS the guest was told.
"""

from collections.abc import Iterator

from dissectors.dhcp import DhcpExchange, DhcpKind
from pcapdx.case import View
from pcapdx.model import Proof, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite, duration, in_vlan


def check(view: View) -> Iterator[Proof]:
    """One proof a client and address."""
    for exchange in view.exchanges(DhcpExchange):
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


RULE = Rule(code="DHCP031", name="lease-obtained", topic=Topic.DHCP, severity=None, check=check)
