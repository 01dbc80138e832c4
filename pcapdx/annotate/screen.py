"""Kernel: screens the TCP streams of a large capture, so that Python reads those only in which something may be secret.

Of the streams that are wanted by their ports, or because something in them began like HTTP, the segments of a block are
put together to pieces. A flow stays suspect from the moment on when a telling word stands in it, also across segments;
when its port is one of those whose client is always read; or when bytes are missing or come out of order, for then no
word is safely found. What came before is kept so long, as far as there is room. What repeats bytes of a stream in good
order is passed over.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from pcapdx.annotate.spots import LETTER_A, LETTER_Z, Letters, Words, tells
from pcapdx.capture.records import Block
from pcapdx.compiled import compiled
from pcapdx.sieve.columns import Array
from pcapdx.sieve.engine import MOST_FLOWS
from pcapdx.sieve.flows import unwrap
from pcapdx.sieve.layers import be8, be16, be32, place
from pcapdx.sieve.tables import MASK32

TCP, UDP, SYN = 6, 17, 2
TEXTS, WEB, CHAP = 1, 2, 4
"""Kinds of telling words; a port has those that tell something in its streams."""
CLIENT, ALWAYS, ANSWERS = 8, 16, 32
"""Of a port: what is sent to it is read; all is read; an answer whose question was not seen is read."""
BEGUN, SUSPECT, WAITING, OVER, ASKED = 1, 2, 4, 8, 16
"""Of a flow: it began like HTTP; Python reads it; pieces of it wait; it is over and done with; a request came first."""
MOST_WAITING = 16 << 20
"""Bytes that are kept of flows that are not suspect."""
MOST_HELD = 256
"""Blocks of which pieces wait, before they are put together."""
TAIL = 32
"""Bytes of a stream that are kept to find words across pieces; longer than any word."""
LONGEST_LINE, LONGEST_METHOD = 8192, 30
CR, LF, CRLF, SPACE = 13, 10, 0x0D0A, 32

SIDE = np.dtype(
    [
        ("base", "i8"),  # raw sequence number of offset 0, plus one; 0 where nothing came yet
        ("reached", "i8"),  # offset behind the last byte that came
        ("piece", "i8"),  # of this block, where it may go on; plus one
        ("tail", "i8"),  # bytes kept at the end
        ("first", "i8"),  # 1: its SYN came first
    ]
)
PIECE = np.dtype(
    [
        ("flow", "i8"),
        ("side", "i8"),
        ("sport", "i8"),
        ("dport", "i8"),
        ("offset", "i8"),  # in the stream
        ("begin", "i8"),  # in the bytes of the block's pieces
        ("size", "i8"),
        ("kinds", "i8"),  # of its port
    ]
)
SEGMENT = np.dtype([("start", "i8"), ("size", "i8"), ("piece", "i8"), ("at", "i8")])


class Streams(NamedTuple):
    """What is known of all streams."""

    flows: Array
    """Bits by flow."""
    sides: Array
    """SIDE, two a flow."""
    tails: Array
    """TAIL bytes a side."""


class Wanted(NamedTuple):
    """What is looked for."""

    ports: Array
    """Of TCP: kinds by port."""
    starts: Array
    """How HTTP begins, four bytes as a number; an answer last."""
    udp: Array
    """1 for ports of datagrams that are read."""
    protocols: Array
    """1 for protocols of packets that are read."""


class Rest(NamedTuple):
    """Places in a block of what else is to be read."""

    alone: Array
    """TCP segments without a flow."""
    datagrams: Array
    """Single packets."""
    fragments: Array
    """Fragments of UDP datagrams."""


class Held(NamedTuple):
    """The pieces of a block and their bytes."""

    pieces: Array
    data: Array


class Screen:
    """The screen of one capture."""

    def __init__(self, words: Words, wanted: Wanted, *, plain: bool = False, flows: int = MOST_FLOWS) -> None:
        """``plain`` runs the plain twin."""
        self.streams = Streams(
            np.zeros(flows, np.uint8), np.zeros(2 * flows, SIDE), np.zeros(2 * flows * TAIL, np.uint8)
        )
        self._words, self._wanted, self._plain = words, wanted, plain
        self._window = np.zeros(2 * TAIL, np.uint8)
        self._room = _room(0)
        self._waiting: list[Held] = []

    def take(self, block: Block, rows: Array) -> tuple[list[Held], Rest]:
        """Sees a block: pieces of suspect flows, and what is no part of a flow. Held bytes may be more than pieces."""
        if len(rows) > len(self._room[0]):
            self._room = _room(len(rows))
        data = block.data.data if self._plain else block.data
        offsets = np.ascontiguousarray(block.records["offset"])
        counts = self._run(collect)(data, offsets, rows, self._wanted, self.streams, *self._room)
        pieces, segments, *rest = (one[:count] for one, count in zip(self._room, counts, strict=True))
        held = Held(pieces.copy(), np.empty(int(pieces["size"].sum()), np.uint8))
        self._run(join)(data, segments, pieces, held.data)
        self._run(judge)(held.data, held.pieces, self.streams, self._window, self._words.layout)
        return self._suspects(held), Rest(*rest)

    def _run(self, kernel: Any) -> Any:
        return kernel if self._plain else compiled(kernel)

    def _suspects(self, held: Held) -> list[Held]:
        """Pieces to be read, those that waited first; the others wait from now on."""
        flows = self.streams.flows
        bits = flows[held.pieces["flow"]]
        suspect = bits & SUSPECT > 0
        found = self._called(held.pieces["flow"][suspect & (bits & WAITING > 0)])
        found.append(Held(held.pieces[suspect], held.data))
        rest = Held(held.pieces[~suspect], held.data)
        if len(rest.pieces):
            flows[rest.pieces["flow"]] |= WAITING
            self._waiting.append(rest)
        return found

    def _called(self, flows: Array) -> list[Held]:
        """Takes the pieces of these flows from those that wait."""
        found: list[Held] = []
        if len(flows):
            self.streams.flows[flows] &= ~np.uint8(WAITING)
            for place, one in enumerate(self._waiting):
                wanted = np.isin(one.pieces["flow"], flows)
                if wanted.any():
                    found.append(Held(one.pieces[wanted], one.data))
                    self._waiting[place] = Held(one.pieces[~wanted], one.data)
        return found

    @property
    def full(self) -> bool:
        """Too much waits."""
        return len(self._waiting) > MOST_HELD or sum(one.data.nbytes for one in self._waiting) > MOST_WAITING

    def relieve(self, sides: Array) -> list[Held]:
        """Lets go of flows that are over; where that is too little, all others are to be read."""
        flows = self.streams.flows
        kept: list[Held] = []
        for one in self._waiting:
            gone = self.over(one.pieces["flow"], sides)
            flows[one.pieces["flow"][gone]] = flows[one.pieces["flow"][gone]] & ~np.uint8(WAITING) | OVER
            kept.append(Held(one.pieces[~gone], one.data))
        if sum(int(one.pieces["size"].sum()) for one in kept) > MOST_WAITING // 2:
            self._waiting = []
            for one in kept:
                flows[one.pieces["flow"]] = flows[one.pieces["flow"]] & ~np.uint8(WAITING) | SUSPECT
            return kept
        self._waiting = [_packed(kept)]
        return []

    def close(self, flows: Array) -> None:
        """Python has read all of these flows: what comes again is nothing new."""
        self.streams.flows[flows] |= OVER

    def over(self, flows: Array, sides: Array) -> Array:
        """Which flows both ends have closed, with nothing missing; ``sides`` are the sieve's rows."""
        result = np.ones(len(flows), np.bool_)
        for which in (2 * flows, 2 * flows + 1):
            fin, rst, first, last = (sides[name][which] for name in ("fin", "rst", "base_seq", "next_seq"))
            base, reached = (self.streams.sides[name][which] for name in ("base", "reached"))
            missing = (first + last - (base - 1 + reached)) & MASK32 > 0
            result &= (fin + rst > 0) & ((base == 0) | ~missing)
        return result

    def suspect(self, flow: int, side: int, base: int, reached: int) -> None:
        """Takes over a flow that Python reads already."""
        self.streams.flows[flow] |= SUSPECT
        self.streams.sides[2 * flow + side]["base"] = base + 1
        self.streams.sides[2 * flow + side]["reached"] = reached


def _room(frames: int) -> tuple[Array, ...]:
    """Room for all that may be found in so many frames."""
    return np.zeros(frames, PIECE), np.zeros(frames, SEGMENT), *(np.zeros(frames, np.int64) for _ in range(3))


def _packed(held: list[Held]) -> Held:
    """Pieces with their bytes and no others."""
    parts, pieces = [], np.concatenate([one.pieces for one in held])
    for one in held:
        begins, ends = one.pieces["begin"].tolist(), (one.pieces["begin"] + one.pieces["size"]).tolist()
        parts += [one.data[begin:end] for begin, end in zip(begins, ends, strict=True)]
    pieces["begin"] = np.cumsum(pieces["size"]) - pieces["size"]
    return Held(pieces, np.concatenate(parts) if parts else np.zeros(0, np.uint8))


def pieces_of(held: Held) -> Iterator[tuple[int, int, int, int, int, bytes]]:
    """Flow, side, ports, offset and bytes of each piece."""
    view, names = held.data.data, ("flow", "side", "sport", "dport", "offset", "begin", "size")
    for flow, side, sport, dport, offset, begin, size in zip(
        *(held.pieces[name].tolist() for name in names), strict=True
    ):
        yield flow, side, sport, dport, offset, bytes(view[begin : begin + size])


def collect(
    data: Any,
    offsets: Array,
    rows: Array,
    wanted: Wanted,
    streams: Streams,
    pieces: Array,
    segments: Array,
    alone: Array,
    datagrams: Array,
    fragments: Array,
) -> tuple[int, int, int, int, int]:
    """Finds the segments that are wanted, and the piece of each; returns how many of the last five there are."""
    ports, starts = wanted.ports, wanted.starts
    flows, sides = streams.flows, streams.sides
    for i in range(len(rows)):  # also what was said before in the same block
        row = rows[i]
        begin = int(row["payload_offset"])
        told = is_told(row) and row["flow"] >= 0 and int(row["end_offset"]) - begin >= 4
        if told and begins(data, int(offsets[i]) + begin, starts, len(starts)):
            flows[row["flow"]] |= BEGUN
    count, listed, lonely, single, parted = 0, 0, 0, 0, 0
    for i in range(len(rows)):
        row = rows[i]
        if row["ip_protocol"] != TCP:
            if is_datagram(row, wanted):
                datagrams[single] = i
                single += 1
            if row["ip_protocol"] == UDP and (row["fragment_offset"] > 0 or row["more_fragments"] > 0):
                fragments[parted] = i
                parted += 1
            continue
        if not is_told(row):
            continue
        flow, size = int(row["flow"]), int(row["end_offset"]) - int(row["payload_offset"])
        start, syn = int(offsets[i]) + int(row["payload_offset"]), int(row["tcp_flags"]) & SYN
        kinds = int(ports[row["sport"]]) | int(ports[row["dport"]])
        if flow < 0:
            if size > 0 and (kinds or (size >= 4 and begins(data, start, starts, len(starts)))):
                alone[lonely] = i
                lonely += 1
            continue
        known = int(flows[flow])
        if known & BEGUN:
            kinds |= TEXTS | WEB
        if kinds == 0 or (size <= 0 and syn == 0):
            continue
        which = 1 - int(row["from_originator"])
        side = sides[2 * flow + which]
        sequence = int(row["tcp_seq"])
        if side["base"] == 0:
            side["base"] = ((sequence + (1 if syn else 0)) & MASK32) + 1
            side["first"] = 1 if syn else 0
        if syn or size <= 0:
            continue
        offset = unwrap(sequence, int(side["base"]) - 1, int(side["reached"]))
        again = offset >= 0 and offset + size <= int(side["reached"])
        if again and (known & SUSPECT == 0 or known & OVER):
            continue
        if kinds & ANSWERS and known & (SUSPECT | ASKED) == 0:
            known |= ASKED if asks(data, start, start + size, starts) else SUSPECT
        if offset != int(side["reached"]) or kinds & ALWAYS or int(ports[row["dport"]]) & CLIENT:
            known |= SUSPECT
        flows[flow] = known
        at = int(side["piece"]) - 1
        if at < 0 or offset != int(pieces[at]["offset"]) + int(pieces[at]["size"]):
            at = count
            count += 1
            side["piece"] = at + 1
            piece = pieces[at]
            piece["flow"], piece["side"] = flow, which
            piece["sport"], piece["dport"] = row["sport"], row["dport"]
            piece["offset"], piece["size"], piece["kinds"] = offset, 0, 0
        piece = pieces[at]
        segment = segments[listed]
        segment["start"], segment["size"], segment["piece"], segment["at"] = start, size, at, piece["size"]
        listed += 1
        piece["size"] += size
        piece["kinds"] = int(piece["kinds"]) | kinds
        side["reached"] = max(int(side["reached"]), offset + size)
    total = 0
    for i in range(count):
        pieces[i]["begin"] = total
        total += int(pieces[i]["size"])
        sides[2 * int(pieces[i]["flow"]) + int(pieces[i]["side"])]["piece"] = 0
    return count, listed, lonely, single, parted


def join(data: Any, segments: Array, pieces: Array, target: Any) -> None:
    """Copies the segments to where their pieces lie."""
    for i in range(len(segments)):
        segment = segments[i]
        start, at = int(segment["start"]), int(pieces[segment["piece"]]["begin"]) + int(segment["at"])
        for k in range(int(segment["size"])):
            target[place(at + k)] = data[place(start + k)]


def judge(data: Any, pieces: Array, streams: Streams, window: Any, words: Letters) -> None:
    """Finds the flows that have become suspect by what is said in them."""
    flows, tails = streams.flows, streams.tails
    for i in range(len(pieces)):
        piece = pieces[i]
        flow = int(piece["flow"])
        if flows[flow] & SUSPECT:
            continue
        which = 2 * flow + int(piece["side"])
        begin, size, side = int(piece["begin"]), int(piece["size"]), streams.sides[which]
        kept, tail = int(side["tail"]), TAIL * which
        fresh = min(size, TAIL)
        for k in range(kept):
            window[place(k)] = tails[place(tail + k)]
        for k in range(fresh):
            window[place(kept + k)] = data[place(begin + k)]
        kinds = int(piece["kinds"])
        if tells(window, 0, kept + fresh, words, kinds) or tells(data, begin, begin + size, words, kinds):
            flows[flow] |= SUSPECT
            continue
        if size >= TAIL:
            for k in range(TAIL):
                tails[place(tail + k)] = data[place(begin + size - TAIL + k)]
            side["tail"] = TAIL
        else:
            whole = kept + fresh
            most = min(whole, TAIL)
            for k in range(most):
                tails[place(tail + k)] = window[place(whole - most + k)]
            side["tail"] = most


def is_told(row: Array) -> bool:
    """Whether the frame is a TCP segment whose header is there."""
    return bool(row["payload_offset"] > 0 and row["fragment_offset"] == 0 and row["ip_protocol"] == TCP)


def is_datagram(row: Array, wanted: Wanted) -> bool:
    """Whether the frame is a packet that is read for itself."""
    if row["payload_offset"] <= 0 or row["fragment_offset"] != 0 or row["end_offset"] <= row["payload_offset"]:
        return False
    if row["ip_protocol"] == UDP:
        return bool(wanted.udp[row["sport"]] or wanted.udp[row["dport"]])
    return bool(row["ip_protocol"] >= 0 and wanted.protocols[row["ip_protocol"]])


def begins(data: Any, at: int, starts: Array, most: int) -> bool:
    """Whether one of the first ``most`` beginnings stands there; four bytes are."""
    four, found = be32(data, at), False
    for i in range(most):
        found = found or int(starts[i]) == four
    return found


def asks(data: Any, at: int, end: int, starts: Array) -> bool:
    """Whether a whole HTTP request begins there, as plain as can be: a method, a path, a version, an empty line."""
    if end - at < 18 or not begins(data, at, starts, len(starts) - 1):
        return False
    line = at
    while line < end - 1 and line - at < LONGEST_LINE and be8(data, line) != CR and be8(data, line) != LF:
        line += 1
    # of the line the last nine are " HTTP/1." and a digit
    if line >= end - 1 or line - at < 14 or be8(data, line) != CR or be8(data, line + 1) != LF:
        return False
    if be32(data, line - 9) != 0x20485454 or be32(data, line - 5) != 0x502F312E:
        return False
    gap = at
    while be8(data, gap) != SPACE:
        if be8(data, gap) < LETTER_A or be8(data, gap) > LETTER_Z:
            return False
        gap += 1
    if gap - at > LONGEST_METHOD or gap >= line - 10:
        return False
    for k in range(line + 1, end - 2):
        if be8(data, k) == LF and (be8(data, k + 1) == LF or be16(data, k + 1) == CRLF):
            return True
    return False
