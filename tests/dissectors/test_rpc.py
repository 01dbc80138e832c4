import struct
from typing import Any

import pytest
from hypothesis import given

from dissectors.rpc import Program, RpcCall, RpcExchange, RpcReply, pair, read
from pcapdx.dissect import Cursor, Traffic, Truncated
from tests.dissectors.feeding import CLIENT, SERVER, frame, mutated, seen, survives

NO_AUTH = struct.pack(">4I", 0, 0, 0, 0)
UNIX = struct.pack(">IIIIIIII", 1, 24, 7, 0, 0, 0, 0, 0) + struct.pack(">II", 0, 0)


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


def call(
    program: int, version: int, procedure: int, body: bytes = b"", *, xid: int = 7, auth: bytes = NO_AUTH
) -> bytes:
    return struct.pack(">6I", xid, 0, 2, program, version, procedure) + auth + body


def reply(*words: int, xid: int = 7, state: int = 0) -> bytes:
    return struct.pack(">6I", xid, 1, 0, 0, 0, state) + b"".join(struct.pack(">I", one) for one in words)


def denied(xid: int = 7, why: int = 5) -> bytes:
    return struct.pack(">5I", xid, 1, 1, 1, why)


def record(*messages: bytes) -> bytes:
    return b"".join(struct.pack(">I", 0x80000000 | len(one)) + one for one in messages)


MNT = call(Program.MOUNT, 3, 1, text("/export/primary"), auth=UNIX)
GETPORT = call(Program.PORTMAP, 2, 3, struct.pack(">4I", Program.MOUNT, 3, 6, 0))
ROOT, LOOKUP, GETFH = struct.pack(">I", 24), struct.pack(">I", 15), struct.pack(">I", 10)
COMPOUND = call(
    Program.NFS, 4, 1, text("") + struct.pack(">II", 0, 4) + ROOT + LOOKUP + text("export") + LOOKUP + text("a") + GETFH
)


def as_datagram(data: bytes) -> Any:
    in_frame = frame(src=CLIENT, dst=SERVER, ip_protocol=17, sport=700, dport=111)
    (found,) = read(Cursor(data, wire_bytes=len(data), frame=in_frame))
    return found


def exchange(asked: bytes, answered: bytes | None) -> RpcExchange:
    way: dict[str, Any] = {"src": CLIENT, "dst": SERVER, "sport": 700, "dport": 111, "ip_protocol": 17}
    back: dict[str, Any] = {"src": SERVER, "dst": CLIENT, "sport": 111, "dport": 700, "ip_protocol": 17}
    messages = [seen(as_datagram(asked), 1, 1, **way)]
    if answered is not None:
        messages.append(seen(as_datagram(answered), 2, 2, from_originator=False, **back))
    (found,) = pair(Traffic(seen=tuple(messages)))
    return found


def test_mount_refused() -> None:
    found = exchange(MNT, reply(13))
    assert found.call.message == RpcCall(
        xid=7, program=Program.MOUNT, version=3, procedure=1, flavor=1, path="/export/primary"
    )
    assert found.mount_status == 13
    assert (found.nfs4_status, found.port_given, found.failed_call) == (None, None, False)
    assert (found.client, found.server, found.transport) == (CLIENT, SERVER, "udp")


def test_portmapper_knows_no_such_program() -> None:
    found = exchange(GETPORT, reply(0))
    assert (found.call.message.asked, found.port_given, found.mount_status) == ((Program.MOUNT, 3), 0, None)


def test_compound() -> None:
    found = exchange(COMPOUND, reply(2, 0, 3, 24, 0, 15, 0, 15, 2))
    assert (found.call.message.operations, found.call.message.names) == ((24, 15, 15, 10), ("export", "a"))
    assert (found.nfs4_status, found.failed_operation) == (2, 15)
    assert exchange(COMPOUND, reply(0, 0, 4)).failed_operation is None


def test_calls_that_fail_or_are_not_answered() -> None:
    assert exchange(MNT, denied()).failed_call
    assert exchange(MNT, denied()).mount_status is None
    assert exchange(MNT, reply(2, 3, state=2)).failed_call
    assert exchange(MNT, None).reply is None


def test_a_reply_to_another_call_is_none() -> None:
    assert exchange(MNT, reply(0, xid=8)).reply is None


def test_records_of_a_stream() -> None:
    parts = struct.pack(">I", len(MNT)) + MNT + record(bytes(8))
    data = record(GETPORT) + parts + record(MNT)
    assert [one.procedure for one in read(Cursor(data)) if isinstance(one, RpcCall)] == [3, 1, 1]


def test_labels() -> None:
    assert as_datagram(MNT).label == "MOUNT v3 procedure 1 /export/primary"
    assert as_datagram(COMPOUND).label == "NFS v4 procedure 1 PUTROOTFH LOOKUP LOOKUP GETFH export a"
    assert (as_datagram(reply(0)).label, as_datagram(denied()).label) == ("reply", "call denied (1)")
    assert as_datagram(reply(state=2)).label == "call failed (2)"


def test_a_reply_keeps_few_words() -> None:
    (found,) = read(Cursor(record(reply(*range(100)))))
    assert isinstance(found, RpcReply)
    assert found.words == tuple(range(12))


def test_other_protocols_are_left_alone() -> None:
    for other in (b"\x80\x00\x00\x20" + bytes(32), b"\x80\x01\x00\x02", record(b"SSH-2.0-OpenSSH")):
        assert survives(read, other) in ([], [None])


@pytest.mark.parametrize("length", range(1, len(record(MNT))))
def test_cut(length: int) -> None:
    with pytest.raises(Truncated):
        list(read(Cursor(record(MNT)[:length])))


@given(mutated(record(MNT), record(GETPORT, COMPOUND), record(reply(13)), record(denied()), MNT, COMPOUND))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
    survives(read, data, frame(src=CLIENT, dst=SERVER, ip_protocol=17, sport=700, dport=111))
