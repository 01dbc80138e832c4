"""PROHIBITED: connections that an ICMP error refuses by policy ("administratively prohibited", or "port unreachable" in
answer to TCP, which no TCP stack sends by itself)."""

from collections.abc import Mapping, Sequence

from dissectors.icmp import Icmp
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.flowtable import TCP
from pcapdx.rules.definitions.memo import once_a_view

Refusal = tuple[int, str, str, int, str]
"""VLAN, client, server, port, and who refuses."""


@once_a_view
def prohibited(view: View) -> Mapping[Refusal, Sequence[Seen[Icmp]]]:
    """The ICMP errors of each refused TCP service."""
    found: dict[Refusal, list[Seen[Icmp]]] = {}
    for one in view.messages(Icmp):
        quoted = one.message.quoted
        if quoted is None or quoted.protocol != TCP or quoted.dport is None or one.frame.dst != quoted.src:
            continue
        if one.frame.src is not None and (one.message.prohibited or one.message.port_unreachable):
            key = (one.frame.vlan, quoted.src, quoted.dst, quoted.dport, one.frame.src)
            found.setdefault(key, []).append(one)
    return found
