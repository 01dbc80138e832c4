"""Joins the DHCP packets of one attempt: one client, one transaction id, one purpose, retransmissions included."""

from collections.abc import Iterator
from enum import StrEnum

from dissectors.dhcp.message import Dhcp, DhcpType
from pcapdx.dissect import Seen, Traffic
from pcapdx.frame import BROADCAST_MAC, Frame, Segment, segment_of
from pcapdx.values import dataclass

_Many = tuple[Seen[Dhcp], ...]
_BROADCAST_WORD = 0xFFFF_FFFF


class DhcpKind(StrEnum):
    """What the client is after (RFC 2131, 4.3.2 and table 4)."""

    BOOT = "boot"
    """A new lease: DISCOVER, and the REQUEST that selects a server."""
    INIT_REBOOT = "init-reboot"
    """REQUEST for an address remembered from before."""
    RENEW = "renew"
    """Unicast REQUEST to the server that gave the lease."""
    REBIND = "rebind"
    """Broadcast REQUEST for the address in use, since that server is silent."""
    INFORM = "inform"
    RELEASE = "release"
    DECLINE = "decline"
    """DECLINE with a transaction id of its own."""
    BOOTP = "bootp"
    UNKNOWN = "unknown"
    """Only server messages were seen, the client's were cut before their type, or none of the above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpExchange:
    """One attempt of one client, with all answers to it."""

    vlan: int
    """Outermost VLAN id, 0 untagged."""
    vni: int | None
    chaddr: str
    xid: int
    kind: DhcpKind
    messages: _Many
    """All, in time order."""
    servers: tuple[str, ...]
    """Those that answered, by server identifier, else by source address."""
    chosen_server: str | None
    """The one whose offer the client took; without a REQUEST that says so, the one that acknowledged."""
    address: str | None
    """Given by the last ACK."""
    inner_vlan: int | None = None
    """Second VLAN id of double-tagged frames (QinQ)."""

    @property
    def segment(self) -> Segment:
        """Equal for all of one broadcast domain; see :attr:`pcapdx.frame.Frame.segment`."""
        return segment_of(self.vlan, self.inner_vlan, self.vni)

    @property
    def discovers(self) -> _Many:
        """All DISCOVERs."""
        return self._of(DhcpType.DISCOVER)

    @property
    def offers(self) -> _Many:
        """All OFFERs, whoever sent them."""
        return self._of(DhcpType.OFFER)

    @property
    def requests(self) -> _Many:
        """All REQUESTs."""
        return self._of(DhcpType.REQUEST)

    @property
    def acks(self) -> _Many:
        """All ACKs."""
        return self._of(DhcpType.ACK)

    @property
    def naks(self) -> _Many:
        """All NAKs."""
        return self._of(DhcpType.NAK)

    @property
    def declines(self) -> _Many:
        """All DECLINEs."""
        return self._of(DhcpType.DECLINE)

    @property
    def releases(self) -> _Many:
        """All RELEASEs."""
        return self._of(DhcpType.RELEASE)

    @property
    def informs(self) -> _Many:
        """All INFORMs."""
        return self._of(DhcpType.INFORM)

    @property
    def client_messages(self) -> _Many:
        """What the client sent, relayed copies included."""
        return tuple(seen for seen in self.messages if not seen.message.from_server)

    @property
    def server_messages(self) -> _Many:
        """What servers answered."""
        return tuple(seen for seen in self.messages if seen.message.from_server)

    @property
    def cut_requests(self) -> _Many:
        """Requests whose type was cut off, for an address that the client does not have: DISCOVER, REQUEST or DECLINE.

        RENEW, REBIND, INFORM and RELEASE carry the client's address.
        """
        return tuple(seen for seen in self.client_messages if seen.message.type_unknown and seen.message.ciaddr is None)

    @property
    def answered(self) -> bool:
        """Any server said anything."""
        return any(seen.message.from_server for seen in self.messages)

    @property
    def first_ns(self) -> int:
        """Time of the first message."""
        return self.messages[0].ts_ns

    @property
    def last_ns(self) -> int:
        """Time of the last message."""
        return self.messages[-1].ts_ns

    def _of(self, kind: DhcpType) -> _Many:
        return tuple(seen for seen in self.messages if seen.message.type is kind)


class _Attempt:
    """An exchange while it grows."""

    def __init__(self, kind: DhcpKind) -> None:
        self.kind = kind
        self.messages: list[Seen[Dhcp]] = []
        self.decided = False
        """An ACK or NAK was given."""

    def takes(self, kind: DhcpKind, message: Dhcp) -> bool:
        """Whether a message of a client (of this kind) or a server belongs here rather than to a new attempt."""
        if message.from_server or message.type_unknown or self.kind is DhcpKind.UNKNOWN or kind is DhcpKind.DECLINE:
            return True
        # Some boot ROMs make the transaction id from the MAC, so it is the same at every boot.
        return kind is self.kind and not (message.type is DhcpType.DISCOVER and self.decided)

    def add(self, kind: DhcpKind, seen: Seen[Dhcp]) -> None:
        if self.kind is DhcpKind.UNKNOWN:
            self.kind = kind
        self.messages.append(seen)
        self.decided = self.decided or seen.message.type in (DhcpType.ACK, DhcpType.NAK)


def pair(traffic: Traffic) -> Iterator[DhcpExchange]:
    """One exchange per VLAN, client, transaction id and purpose, in the order in which they began."""
    attempts: list[tuple[tuple[Frame, str, int], _Attempt]] = []
    current: dict[tuple[object, ...], _Attempt] = {}
    for seen in traffic.seen:
        message: Dhcp = seen.message
        if message.chaddr is None:
            continue
        frame = seen.frame
        key = (frame.segment, message.chaddr, message.xid)
        attempt = current.get(key)
        kind = _kind(seen, attempt)
        if attempt is None or not attempt.takes(kind, message):
            attempt = current[key] = _Attempt(kind)
            attempts.append(((frame, message.chaddr, message.xid), attempt))
        attempt.add(kind, seen)
    for (frame, chaddr, xid), attempt in attempts:
        yield _exchange(frame.segment, chaddr, xid, attempt)


def _kind(seen: Seen[Dhcp], attempt: _Attempt | None) -> DhcpKind:
    """What a message is about; servers' messages leave that open."""
    message = seen.message
    if message.from_server or message.type_unknown:
        return DhcpKind.UNKNOWN
    match message.type:
        case DhcpType.DISCOVER:
            return DhcpKind.BOOT
        case DhcpType.REQUEST:
            return _request_kind(seen, attempt)
        case DhcpType.INFORM:
            return DhcpKind.INFORM
        case DhcpType.RELEASE:
            return DhcpKind.RELEASE
        case DhcpType.DECLINE:
            return DhcpKind.DECLINE
        case None:
            return DhcpKind.BOOTP
    return DhcpKind.UNKNOWN


def _request_kind(seen: Seen[Dhcp], attempt: _Attempt | None) -> DhcpKind:
    """RFC 2131, table 4, told from what the client filled in."""
    message, frame = seen.message, seen.frame
    if message.ciaddr is not None:
        everybody = frame.eth_dst_int == BROADCAST_MAC or frame.dst3 == _BROADCAST_WORD
        return DhcpKind.REBIND if everybody or message.giaddr is not None else DhcpKind.RENEW
    if message.server_id is not None:
        return DhcpKind.BOOT
    if attempt is not None and attempt.kind is DhcpKind.BOOT:
        return DhcpKind.BOOT  # a client that forgets to name the server it selects
    if message.cut:
        return DhcpKind.UNKNOWN
    return DhcpKind.INIT_REBOOT if message.requested_ip is not None else DhcpKind.UNKNOWN


def _exchange(segment: Segment, chaddr: str, xid: int, attempt: _Attempt) -> DhcpExchange:
    vlan, inner, vni = segment
    answers = [seen for seen in attempt.messages if seen.message.from_server]
    acks = [seen for seen in answers if seen.message.type is DhcpType.ACK]
    selected = [seen.message.server_id for seen in attempt.messages if seen.message.type is DhcpType.REQUEST]
    chosen = next((server for server in reversed(selected) if server is not None), None)
    return DhcpExchange(
        vlan=vlan,
        vni=vni if vni >= 0 else None,
        chaddr=chaddr,
        xid=xid,
        kind=attempt.kind,
        messages=tuple(attempt.messages),
        servers=tuple(dict.fromkeys(server for seen in answers if (server := _server(seen)) is not None)),
        chosen_server=chosen or (_server(acks[-1]) if acks else None),
        address=acks[-1].message.yiaddr if acks else None,
        inner_vlan=inner if inner >= 0 else None,
    )


def _server(seen: Seen[Dhcp]) -> str | None:
    return seen.message.server_id or seen.frame.src
