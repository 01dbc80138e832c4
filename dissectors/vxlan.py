"""VXLAN (RFC 7348) in pieces: first fragments of outer packets, whose inner frames no sieve can enter.

Whole VXLAN packets need no message: the sieve goes into them, and every inner frame keeps tunnel, VNI and the outer
addresses as columns.
"""

from collections.abc import Iterator

from pcapdx.dissect import Cursor, Dissector, Sample
from pcapdx.values import dataclass

PORTS = frozenset({4789, 8472})
"""IANA's, and Linux' own from before that, which CloudStack's multicast script uses by giving none."""
_VALID = 0x08
_SECOND = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class VxlanFragment:
    """The first piece of a VXLAN packet that was too large for its path."""

    vni: int
    port: int

    @property
    def label(self) -> str:
        """``VXLAN 5001, first fragment``."""
        return f"VXLAN {self.vni}, first fragment"


def read(cursor: Cursor) -> Iterator[VxlanFragment]:
    """The VXLAN header of a first fragment; nothing of other packets that use one of the ports, which anybody may."""
    frame = cursor.frame
    if frame is None or not frame.more_fragments or frame.fragment_offset or frame.dport not in PORTS:
        return
    flags = cursor.u8("flags")
    cursor.skip(3, "reserved")
    vni = cursor.u24("VNI")
    cursor.skip(1, "reserved")
    if flags == _VALID:
        yield VxlanFragment(vni=vni, port=frame.dport)


DISSECTOR = Dissector(
    name="vxlan",
    spec="RFC 7348",
    messages=(VxlanFragment,),
    read=read,
    udp_ports=PORTS,
    fragments=True,
    # Inner frames differ from their first bytes on; headers of one network between two hosts are alike.
    sample=Sample(first=16, every_ns=_SECOND),
)
