"""What one DHCP or BOOTP packet says. Option numbers in parentheses."""

from enum import StrEnum

from dissectors.dhcp.checksum import Checksum
from pcapdx.values import dataclass


class DhcpType(StrEnum):
    """Message type (53), RFC 2132, 9.6, in the order of its codes from 1."""

    DISCOVER = "discover"
    OFFER = "offer"
    REQUEST = "request"
    DECLINE = "decline"
    ACK = "ack"
    NAK = "nak"
    RELEASE = "release"
    INFORM = "inform"
    OTHER = "other"
    """A later addition, such as RFC 4388's lease queries; see ``type_code``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A classless static route (RFC 3442)."""

    destination: str
    """With its prefix length; ``0.0.0.0/0`` is the default route."""
    gateway: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dhcp:
    """One packet. ``None`` is "not in it"; an address field of 0.0.0.0 counts as that."""

    op: int
    """1 from a client, 2 from a server."""
    type: DhcpType | None
    """None in plain BOOTP, and where it was cut off."""
    type_code: int | None
    xid: int
    chaddr: str | None
    """Client's MAC; None where its hardware is not Ethernet."""
    hardware_type: int
    hops: int
    secs: int
    broadcast: bool
    """The client asked for a broadcast answer."""
    ciaddr: str | None
    """The address the client has and uses."""
    yiaddr: str | None
    """The address the client gets."""
    siaddr: str | None
    """Next server of the boot, no server identifier."""
    giaddr: str | None
    """The relay."""
    sname: str | None
    boot_file: str | None
    """From the header or (67)."""
    options: tuple[int, ...]
    """Codes in the order sent, 255 included; those of overloaded fields (52) are not in it."""
    server_id: str | None
    """(54)"""
    requested_ip: str | None
    """(50)"""
    lease_s: int | None
    """(51); 0xFFFFFFFF is for ever."""
    t1_s: int | None
    """(58)"""
    t2_s: int | None
    """(59)"""
    subnet_mask: str | None
    """(1)"""
    routers: tuple[str, ...]
    """(3)"""
    dns: tuple[str, ...]
    """(6)"""
    hostname: str | None
    """(12)"""
    domain: str | None
    """(15)"""
    mtu: int | None
    """(26)"""
    broadcast_address: str | None
    """(28)"""
    overload: int | None
    """(52): 1 the file field holds options, 2 sname, 3 both."""
    parameters: tuple[int, ...]
    """(55): what the client asks for, in its order; tells clients apart."""
    message: str | None
    """(56): a server's reason for a NAK."""
    max_bytes: int | None
    """(57)"""
    vendor_class: str | None
    """(60)"""
    client_id: str | None
    """(61) in hexadecimal, type byte included."""
    tftp_server: str | None
    """(66)"""
    user_class: str | None
    """(77)"""
    fqdn: str | None
    """(81)"""
    relay_agent: bool
    """(82) is there."""
    circuit_id: str | None
    """(82.1) in hexadecimal."""
    remote_id: str | None
    """(82.2) in hexadecimal."""
    search: tuple[str, ...]
    """(119)"""
    routes: tuple[Route, ...]
    """(121)"""
    checksum: Checksum
    """Of the UDP datagram."""
    checksum_offloaded: bool
    """The checksum is wrong in the way of checksum offload: nobody has completed it yet."""
    cut: bool = False
    """The snap length cut it: ``sname``, boot file and options that are not there may have been sent."""

    @property
    def from_server(self) -> bool:
        """A server (or a relay for it) sent this."""
        return self.op == 2

    @property
    def relayed(self) -> bool:
        """A relay had it in hands."""
        return self.giaddr is not None or self.relay_agent

    @property
    def type_unknown(self) -> bool:
        """The message type was cut off; only the direction is known."""
        return self.cut and self.type is None

    @property
    def label(self) -> str:
        """``DHCP DISCOVER xid 0x9f502577``, with the address in answers and requests."""
        if self.type is None and self.cut:
            word = "DHCP reply, options cut," if self.from_server else "DHCP request, options cut,"
        elif self.type is None:
            word = "BOOTP reply" if self.from_server else "BOOTP request"
        else:
            word = f"DHCP {self.type.upper()}"
        address = self.yiaddr or self.requested_ip or self.ciaddr
        return f"{word} xid {self.xid:#010x}{f' {address}' if address else ''}"
