"""What tests of dissectors share: frames, flows and conversations by hand, cuts, and hostile bytes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st

from pcapdx.dissect import Conversation, Cursor, End, Flow, Half, Malformed, Seen, Truncated
from pcapdx.frame import Frame, ip_words, mac_int

SECOND = 10**9
CLIENT, SERVER = "10.1.1.7", "10.1.1.1"

Read = Callable[[Cursor], Iterator[Any]]
Refine = Callable[[Seen[Any]], Iterator[Any]]

_NOTHING = Frame.made(tag0_tci=-1, tag1_tci=-1, outer_tci=-1, vni=-1, flow=-1)


def frame(
    number: int = 1,
    at_s: float = 0,
    *,
    src: str | None = None,
    dst: str | None = None,
    eth_src: str = "02:00:00:00:00:01",
    eth_dst: str = "02:00:00:00:00:02",
    vlan: int | None = None,
    **columns: int,
) -> Frame:
    """A frame with these columns, all others as of a plain untagged frame without IP."""
    made = _NOTHING.replaced(
        number=number, ts_ns=round(at_s * SECOND), eth_src_int=mac_int(eth_src), eth_dst_int=mac_int(eth_dst)
    )
    for side, address in (("src", src), ("dst", dst)):
        if address is not None:
            version, *words = ip_words(address)
            made = made.replaced(ip_version=version, **{f"{side}{i}": word for i, word in enumerate(words)})
    if vlan is not None:
        made = made.replaced(tag_count=1, tag0_tpid=0x8100, tag0_tci=vlan)
    return made.replaced(**columns)


def seen(
    message: Any, number: int = 1, at_s: float = 0, *, from_originator: bool = True, **frame_columns: Any
) -> Seen[Any]:
    """A message in a frame of its own."""
    return Seen(
        message=message,
        frame=frame(number, at_s, **frame_columns),
        frames=(number,),
        from_originator=from_originator,
    )


def half(ip: str, port: int, **columns: Any) -> Half:
    """One side of a flow, quiet but for these columns."""
    quiet: dict[str, Any] = {
        name: None if name.endswith(("_ns", "_frame")) or name in ("mac", "mss") else 0 for name in Half._fields
    }
    return Half(**{**quiet, "ip": ip, "port": port, "syn_frames": (), "wrong_frames": (), **columns})


def flow(
    port: int, *, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, began: bool = True
) -> Flow:
    """A TCP flow from CLIENT to this port of SERVER; ``client`` and ``server`` are columns of its halves."""
    return Flow(
        index=0,
        protocol=6,
        vlan=0,
        inner_vlan=None,
        vni=None,
        originator=half(CLIENT, 40_000, **(client or {})),
        responder=half(SERVER, port, **{"syn": int(began), **(server or {})}),
        began=began,
        twins=0,
    )


def talk(
    read: Read,
    said: Sequence[tuple[str, bytes]],
    port: int,
    *,
    client: dict[str, Any] | None = None,
    server: dict[str, Any] | None = None,
    client_end: End = End.OPEN,
    server_end: End = End.OPEN,
    began: bool = True,
    refine: Refine | None = None,
) -> Conversation:
    """A conversation in which ``said`` (">" from the client, "<" from the server, and bytes) came frame by frame.

    Everything is acknowledged; frame n (from 1) is at second n. A message stands on the frame with its last byte, and
    is handed through ``refine`` if that is given.
    """
    messages: list[Seen[Any]] = []
    sent = {way: b"".join(data for who, data in said if who == way) for way in "<>"}
    for way, end in ((">", client_end), ("<", server_end)):
        offsets: list[tuple[int, int]] = []
        reached = 0
        for number, (who, data) in enumerate(said, 1):
            if who == way:
                reached += len(data)
                offsets.append((reached, number))
        cursor = Cursor(sent[way], closed=end is End.FIN)
        try:
            for message in read(cursor):
                number = next(number for behind, number in offsets if behind >= cursor.at)
                sport, dport = (40_000, port) if way == ">" else (port, 40_000)
                one = seen(message, number, number, from_originator=way == ">", sport=sport, dport=dport)
                refined = refine(one) if refine is not None else (message,)
                messages.extend(replace(one, message=part) for part in refined)
        except (Malformed, Truncated):
            pass
    numbers = {way: {"stream_bytes": len(sent[way]), "acked_bytes": len(sent[way])} for way in "<>"}
    return Conversation(
        flow=flow(port, client=numbers[">"] | (client or {}), server=numbers["<"] | (server or {}), began=began),
        seen=tuple(sorted(messages, key=lambda one: one.number)),
        originator_end=client_end,
        responder_end=server_end,
    )


def assert_cuts(read: Read, data: bytes, in_frame: Frame | None = None) -> None:
    """Cut anywhere by the snap length, a message is truncated; ended anywhere by its sender, it is malformed."""
    for length in range(len(data)):
        with pytest.raises(Truncated):
            list(read(Cursor(data[:length], wire_bytes=len(data), frame=in_frame)))
        with pytest.raises(Malformed):
            list(read(Cursor(data[:length], wire_bytes=length, frame=in_frame)))


def survives(read: Read, data: bytes, in_frame: Frame | None = None) -> list[Any]:
    """What a reader makes of any bytes; an exception other than the two for bytes fails the test."""
    found: list[Any] = []
    for cursor in (
        Cursor(data, wire_bytes=len(data), frame=in_frame),
        Cursor(data, wire_bytes=len(data) + 100, frame=in_frame),
        Cursor(data, closed=True, frame=in_frame),
        Cursor(data, frame=in_frame),
    ):
        try:
            for message in read(cursor):
                assert 0 <= cursor.at <= len(data)
                found.append(message)
        except (Malformed, Truncated) as problem:
            assert 0 <= problem.offset <= len(data)
    return found


def mutated(*bases: bytes) -> st.SearchStrategy[bytes]:
    """Random bytes, and known messages with some bytes replaced, removed or put in."""

    def damage(base: bytes, hits: list[tuple[int, int, bytes]]) -> bytes:
        for at, drop, put in hits:
            where = at % (len(base) + 1)
            base = base[:where] + put + base[where + drop :]
        return base

    hit = st.tuples(st.integers(0, 4096), st.integers(0, 4), st.binary(max_size=4))
    return st.binary(max_size=600) | st.builds(damage, st.sampled_from(bases), st.lists(hit, max_size=8))
