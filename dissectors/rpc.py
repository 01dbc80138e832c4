"""ONC RPC with what a mount needs of it: portmapper, MOUNT and NFS (RFC 5531, 1833, 1813, 7530, 8881).

A reply does not say what it answers: :func:`read` keeps its first words, and :func:`pair` finds the call by its xid and
says what they mean. Of a call only the numbers, the path to mount and the names to look up are kept: no file handle, no
data.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import Literal

from pcapdx.dissect import Cursor, Dissector, Flow, Malformed, Sample, Seen, Traffic
from pcapdx.values import dataclass

_CALL, _REPLY = 0, 1
_RPC_VERSION = 2
_ACCEPTED, _DENIED = 0, 1
_MOST_ACCEPT_STATES = 5
_LAST_FRAGMENT = 0x8000_0000
_CREDENTIAL_BYTES = 400
_WORD = 4
_WORDS = 12
_PATH_BYTES = 1024
_MOST_OPERATIONS = 16
_TCP = 6
_SECOND = 1_000_000_000
_TEN_SECONDS = 10 * _SECOND
_GETPORT = 3
_MNT = 1
_COMPOUND = 1
_GETATTR, _GETFH, _LOOKUP, _PUTFH, _PUTROOTFH, _ACCESS, _SEQUENCE = 9, 10, 15, 22, 24, 3, 53
_FIXED = {_GETFH: 0, _PUTROOTFH: 0, _ACCESS: 4, _SEQUENCE: 32}
_NAMES = {_ACCESS: "ACCESS", _GETATTR: "GETATTR", _GETFH: "GETFH", _LOOKUP: "LOOKUP", _PUTFH: "PUTFH"}
_NAMES |= {_PUTROOTFH: "PUTROOTFH", _SEQUENCE: "SEQUENCE", 42: "EXCHANGE_ID", 43: "CREATE_SESSION", 35: "SETCLIENTID"}


class Program(IntEnum):
    """Whose calls are read."""

    PORTMAP = 100000
    NFS = 100003
    MOUNT = 100005


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcCall:
    """One call."""

    xid: int
    program: int
    version: int
    procedure: int
    flavor: int
    """Of the credentials: 0 none, 1 AUTH_SYS, 6 Kerberos."""
    asked: tuple[int, int] | None = None
    """Portmapper: program and version whose port is asked for."""
    path: str | None = None
    """MOUNT: the directory."""
    operations: tuple[int, ...] = ()
    """NFS version 4: the first operations of a compound, as far as their arguments are known here."""
    names: tuple[str, ...] = ()
    """Of its LOOKUPs, in order."""

    @property
    def label(self) -> str:
        """``MOUNT v3 procedure 1 /export/primary``."""
        name = Program(self.program).name if self.program in _PROGRAMS else f"program {self.program}"
        words = [f"{name} v{self.version} procedure {self.procedure}"]
        if self.operations:
            words.append(" ".join(_NAMES.get(one, str(one)) for one in self.operations))
        words.extend(one for one in (self.path, *self.names) if one)
        return " ".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcReply:
    """One reply."""

    xid: int
    accepted: bool
    state: int
    """Accepted: 0 success, 1 no such program, 2 no such version, 3 no such procedure, 4 garbage, 5 system error.
    Denied: 0 wrong RPC version, 1 authentication error."""
    words: tuple[int, ...]
    """The first 32-bit words of the result; what they mean depends on the call."""

    @property
    def label(self) -> str:
        """``reply``, or how it failed."""
        if not self.accepted:
            return f"call denied ({self.state})"
        return f"call failed ({self.state})" if self.state else "reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcExchange:
    """A call and its reply."""

    vlan: int
    vni: int | None
    client: str
    client_mac: str | None
    server: str
    port: int
    transport: Literal["udp", "tcp"]
    flow: Flow | None
    """Of its TCP connection; None over UDP."""
    call: Seen[RpcCall]
    reply: Seen[RpcReply] | None

    @property
    def failed_call(self) -> bool:
        """The reply says that the call itself was not carried out."""
        return self.reply is not None and (not self.reply.message.accepted or self.reply.message.state != 0)

    @property
    def mount_status(self) -> int | None:
        """MOUNT, procedure MNT: 0 done, 13 permission denied, 2 no such directory; None for anything else."""
        call = self.call.message
        return self._word(0) if call.program == Program.MOUNT and call.procedure == _MNT else None

    @property
    def nfs4_status(self) -> int | None:
        """NFS version 4: status of the last operation that was tried; None for anything else."""
        call = self.call.message
        wanted = call.program == Program.NFS and call.version == 4 and call.procedure == _COMPOUND
        return self._word(0) if wanted else None

    @property
    def failed_operation(self) -> int | None:
        """NFS version 4: which operation gave that status, where it is not 0 and the call was read so far."""
        if not self.nfs4_status or self._word(1) != 0:  # the tag is empty in practice
            return None
        count, operations = self._word(2), self.call.message.operations
        return operations[count - 1] if count is not None and 0 < count <= len(operations) else None

    @property
    def port_given(self) -> int | None:
        """Portmapper version 2, GETPORT: the port, 0 for "not registered"; None for anything else."""
        call = self.call.message
        wanted = call.program == Program.PORTMAP and call.version == 2 and call.procedure == _GETPORT
        return self._word(0) if wanted else None

    def _word(self, place: int) -> int | None:
        if self.reply is None or self.failed_call or len(self.reply.message.words) <= place:
            return None
        return self.reply.message.words[place]


def operation_name(operation: int) -> str:
    """``LOOKUP``."""
    return _NAMES.get(operation, f"operation {operation}")


def read(cursor: Cursor) -> Iterator[RpcCall | RpcReply]:
    """The message of a datagram, or those of a stream with their record marks; nothing where it is no RPC."""
    if cursor.frame is not None:
        message = _message(cursor, cursor.left)
        if message is not None:
            yield message
        return
    while cursor.left:
        mark = cursor.u32("record mark")
        length, start = mark & ~_LAST_FRAGMENT, cursor.at
        message = _message(cursor, length)
        if message is None:
            return
        behind = start + length
        _pass(cursor, behind - cursor.at)
        while not mark & _LAST_FRAGMENT and cursor.left:
            mark = cursor.u32("record mark")
            _pass(cursor, mark & ~_LAST_FRAGMENT)
        yield message


def _pass(cursor: Cursor, count: int) -> None:
    """What follows the head of a message is passed over as far as it is at hand."""
    cursor.skip(min(max(count, 0), cursor.left), "body")


def _message(cursor: Cursor, length: int) -> RpcCall | RpcReply | None:
    """The head of a message of so many bytes; None where it is none."""
    behind = cursor.at + length
    if length < 12:
        return None
    xid, kind = cursor.u32("xid"), cursor.u32("message type")
    if kind == _CALL:
        return _call(cursor, xid, behind)
    return _reply(cursor, xid, behind) if kind == _REPLY else None


def _call(cursor: Cursor, xid: int, behind: int) -> RpcCall | None:
    if cursor.u32("RPC version") != _RPC_VERSION:
        return None
    program, version, procedure = cursor.u32("program"), cursor.u32("version"), cursor.u32("procedure")
    flavor = _authentication(cursor)
    _authentication(cursor)
    asked: tuple[int, int] | None = None
    path: str | None = None
    operations: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    if program == Program.PORTMAP and procedure == _GETPORT:
        asked = cursor.u32("program asked for"), cursor.u32("version asked for")
    elif program == Program.MOUNT and procedure == _MNT:
        path = _text(cursor, "directory")
    elif program == Program.NFS and version == 4 and procedure == _COMPOUND:
        operations, names = _compound(cursor, behind)
    return RpcCall(
        xid=xid,
        program=program,
        version=version,
        procedure=procedure,
        flavor=flavor,
        asked=asked,
        path=path,
        operations=operations,
        names=names,
    )


def _authentication(cursor: Cursor) -> int:
    """Flavor of credentials or a verifier, whose body is passed over."""
    flavor, length = cursor.u32("authentication flavor"), cursor.u32("authentication length")
    if length > _CREDENTIAL_BYTES:
        raise Malformed("credentials beyond 400 bytes", cursor.at)
    cursor.skip(_padded(length), "authentication")
    return flavor


def _compound(cursor: Cursor, behind: int) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Operations and names of a compound, up to the first one whose arguments are not known here."""
    _text(cursor, "tag")
    cursor.skip(_WORD, "minor version")
    count = min(cursor.u32("number of operations"), _MOST_OPERATIONS)
    operations: list[int] = []
    names: list[str] = []
    while len(operations) < count and cursor.at + _WORD <= behind:
        operation = cursor.u32("operation")
        operations.append(operation)
        if operation == _LOOKUP:
            names.append(_text(cursor, "name"))
        elif operation == _PUTFH:
            cursor.skip(_padded(cursor.u32("length of the file handle")), "file handle")
        elif operation == _GETATTR:
            cursor.skip(_WORD * cursor.u32("words of the bit map"), "bit map")
        elif operation in _FIXED:
            cursor.skip(_FIXED[operation], "arguments")
        else:
            break
    return tuple(operations), tuple(names)


def _reply(cursor: Cursor, xid: int, behind: int) -> RpcReply | None:
    kind = cursor.u32("reply state")
    if kind not in (_ACCEPTED, _DENIED):
        return None
    if kind == _ACCEPTED:
        _authentication(cursor)
    state = cursor.u32("accept or reject state")
    if state > (_MOST_ACCEPT_STATES if kind == _ACCEPTED else 1):
        return None
    count = min((min(behind, cursor.at + cursor.left) - cursor.at) // _WORD, _WORDS)
    words = tuple(cursor.u32("result") for _ in range(max(count, 0)))
    return RpcReply(xid=xid, accepted=kind == _ACCEPTED, state=state, words=words)


def _text(cursor: Cursor, what: str) -> str:
    length = cursor.u32(f"length of the {what}")
    if length > _PATH_BYTES:
        raise Malformed(f"{what} beyond 1,024 bytes", cursor.at)
    text = cursor.take(length, what).decode("utf-8", "replace")
    cursor.skip(_padded(length) - length, f"padding of the {what}")
    return text


def _padded(length: int) -> int:
    return -(-length // _WORD) * _WORD


def pair(traffic: Traffic) -> Iterator[RpcExchange]:
    """One exchange a call, with its first reply; a call that was sent again keeps its first frame."""
    flows = {one.number: talk.flow for talk in traffic.conversations for one in talk.seen}
    calls: dict[tuple[object, ...], Seen[RpcCall]] = {}
    replies: dict[tuple[object, ...], Seen[RpcReply]] = {}
    for seen in traffic.seen:
        frame, message = seen.frame, seen.message
        near, far = (frame.src, frame.sport), (frame.dst, frame.dport)
        if isinstance(message, RpcCall):
            calls.setdefault((frame.segment, frame.ip_protocol, near, far, message.xid), seen)
        else:
            replies.setdefault((frame.segment, frame.ip_protocol, far, near, message.xid), seen)
    for key, call in calls.items():
        client, server = call.frame.src, call.frame.dst
        if client is not None and server is not None:
            yield RpcExchange(
                vlan=call.frame.vlan,
                vni=call.frame.vni if call.frame.vni >= 0 else None,
                client=client,
                client_mac=call.frame.eth_src,
                server=server,
                port=call.frame.dport,
                transport="tcp" if call.frame.ip_protocol == _TCP else "udp",
                flow=flows.get(call.number),
                call=call,
                reply=replies.get(key),
            )


_PROGRAMS = frozenset(Program)
DISSECTOR = Dissector(
    name="rpc",
    spec="RFC 5531, RFC 1833, RFC 1813, RFC 7530",
    messages=(RpcCall, RpcReply),
    read=read,
    udp_ports=frozenset({111, 635, 892, 2049, 20048}),  # portmapper, NFS, and where mountd is fixed
    tcp_ports=frozenset({111, 2049, 20048}),
    tcp_starts=frozenset({b"\x80\x00"}),
    stream_bytes=16_384,
    # a mount is at a connection's begin; the next bytes of a call are its own number. Hosts keep few connections
    stream_sample=Sample(first=128, every_ns=_SECOND, by_ends=False, stream_key_bytes=0),
    sample=Sample(first=32, every_ns=_TEN_SECONDS, key_start=4),
    pair=pair,
    exchanges=(RpcExchange,),
)
