"""The first pass: goes over a capture and notes where its secrets lie.

Of each TCP connection that may carry some the bytes are put together, direction by direction, and read when so much has
come or the capture is over. Memory is bounded: a connection keeps what its reader still needs, all together
``MOST_BYTES``. Of large captures only what :mod:`pcapdx.annotate.screen` finds suspect comes so far.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from typing import Any

import numpy as np

from pcapdx.annotate import datagrams, logins, words
from pcapdx.annotate.ledger import FOREVER, Ledger, Side, Span, unwrapped
from pcapdx.annotate.logins import Run
from pcapdx.annotate.pieces import UDP_HEAD, Pieces, Whole
from pcapdx.annotate.pieces import words as checked_words
from pcapdx.annotate.screen import ALWAYS, ANSWERS, CHAP, TEXTS, WEB, Rest, Screen, Wanted, pieces_of
from pcapdx.annotate.spots import Words
from pcapdx.annotate.web import TELLING_WORDS, UNASKED_PORTS, Web
from pcapdx.capture.records import Block, Reader
from pcapdx.sieve.columns import Array
from pcapdx.sieve.engine import Sieve
from pcapdx.values import dataclass

More = Callable[[Run, int], Iterator[tuple[int, bytes]]]
"""What else goes over contiguous bytes of a connection to a port: from where on, and what."""
TCP, UDP, SYN = 6, 17, 2
OFTEN_BYTES = 1 << 20
"""A connection is read when it holds so much."""
MOST_BYTES = 64 << 20
MOST_TALKS = 10_000
"""Connections that are opened before those that are over are done with."""
OVERLAP = 16_384
"""Bytes read again, so that what lies across two readings is found."""
TIGHT_BYTES, TIGHT_OVERLAP = 65_536, 1024
"""What is kept of an unfinished message, and read again, where memory is short."""
HTTP_PORTS = (80, 3128, 8001, 8080, 8096)
TLS_PORTS = (443, 8443)
STARTS = (b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"HTTP", b"OPTI", b"CONN", b"PATC")
COLUMNS = (
    "number",
    "flow",
    "from_originator",
    "tcp_seq",
    "tcp_flags",
    "sport",
    "dport",
    "payload_offset",
    "end_offset",
)


@dataclass(slots=True)
class Half:
    """One direction: what is kept of it."""

    base: int
    first: bool
    """Its SYN was seen."""
    last: int = 0
    parts: dict[int, bytes] = field(default_factory=dict)
    kept: int = 0
    scanned: int = -FOREVER
    """So far its text was looked through."""

    def add(self, offset: int, data: bytes) -> None:
        """Keeps a segment; of two that begin alike the longer one."""
        known = self.parts.get(offset, b"")
        if len(data) > len(known):
            self.parts[offset] = data
            self.kept += len(data) - len(known)
        self.last = max(self.last, offset + len(data))

    def runs(self, client: bool) -> Iterator[Run]:
        """Contiguous bytes, in order."""
        begin, reached = 0, -FOREVER
        pieces: list[bytes] = []
        for at in sorted(self.parts):
            data = self.parts[at]
            if at > reached:
                if pieces:
                    yield Run(begin, b"".join(pieces), client, self.first and begin == 0)
                begin, pieces, reached = at, [], at
            fresh = data[reached - at :]
            pieces.append(fresh)
            reached += len(fresh)
        if pieces:
            yield Run(begin, b"".join(pieces), client, self.first and begin == 0)

    def forget(self, before: int) -> None:
        """Lets go of the bytes before an offset."""
        for at in [at for at, data in self.parts.items() if at + len(data) <= before]:
            self.kept -= len(self.parts.pop(at))


@dataclass(slots=True)
class Talk:
    """One connection."""

    port: int
    finder: logins.Finder | None
    web: Web | None
    halves: dict[int, Half] = field(default_factory=dict)
    client: int = 0
    """The side that connected."""
    often: int = OFTEN_BYTES
    """It is read again when it holds so much."""

    @property
    def kept(self) -> int:
        """Bytes of both directions."""
        return sum(one.kept for one in self.halves.values())


class Finding:
    """The pass over one capture; :meth:`end` tells what was found."""

    def __init__(self, sieve: Sieve, *, more: More | None = None, everything: bool = False) -> None:
        """``sieve`` sees the same blocks. With ``more`` all is looked through that its dissectors read, or
        ``everything``.
        """
        self.ledger = Ledger()
        self._sieve = sieve
        self._more = more
        self._everything = everything
        self._claimed: set[int] = set()
        """Flows that a dissector reads."""
        self._pieces = Pieces()
        self._talks: dict[int, Talk] = {}
        self._kept = 0
        self._most = MOST_BYTES
        self._most_talks = MOST_TALKS
        self._screen: Screen | None = None
        self._wanted = np.zeros(1 << 16, np.bool_)
        """By flow: it began like HTTP."""

    def run(self, reader: Reader) -> Ledger:
        """Goes over a whole capture that nobody else reads."""
        for block in reader.blocks():
            self._sieve.fast = reader.fast
            self.take(block, self._sieve.sweep(block))
        return self.end()

    def take(self, block: Block, rows: Array) -> None:
        """Looks through a block, which the sieve has just seen."""
        if self._sieve.fast and self._more is None:
            rest = self._screened(block, rows)
            single, fragments = rest.datagrams, rest.fragments
        else:
            self._segments(block, rows)
            told = (rows["payload_offset"] > 0) & (rows["fragment_offset"] == 0)
            udp = told & (rows["ip_protocol"] == UDP) & (UDP_PORTS[rows["sport"]] | UDP_PORTS[rows["dport"]] > 0)
            udp |= told & np.isin(rows["ip_protocol"], list(datagrams.BY_PROTOCOL))
            single = np.flatnonzero(udp & (rows["end_offset"] > rows["payload_offset"]))
            fragments = np.arange(len(rows))
        for place in single.tolist():
            self._datagram(block.data.data, int(block.records["offset"][place]), rows[place])
        if len(fragments):
            for _, whole in self._pieces.block(Block(block.data, block.records[fragments]), rows[fragments]):
                if whole.size is not None:
                    self._whole(whole)
        if self._kept > self._most or len(self._talks) > self._most_talks:
            self._relieve()

    def end(self) -> Ledger:
        """Reads what is left; all that was found."""
        for index in list(self._talks):
            self._read(index, over=True)
        return self.ledger

    def _screened(self, block: Block, rows: Array) -> Rest:
        """Takes what a large capture has of suspect connections; what else there is to read."""
        if self._screen is None:
            self._screen = Screen(TELLING, WANTED)
            for flow, talk in self._talks.items():  # of smaller files before
                for side, half in talk.halves.items():
                    self._screen.suspect(flow, side, half.base, half.last)
        screen = self._screen
        held, rest = screen.take(block, rows)
        if screen.full:
            held += screen.relieve(self._sieve.tables.sides)
        for one in held:
            for flow, side, sport, dport, offset, data in pieces_of(one):
                talk = self._talks.get(flow) or self._opened(flow, side, sport, dport)
                if side not in talk.halves:
                    row = screen.streams.sides[2 * flow + side]
                    self._half(talk, flow, side, int(row["base"]) - 1, bool(row["first"]))
                self._keep(flow, talk, talk.halves[side], offset, data)
        view = block.data.data
        for place in rest.alone.tolist():
            row, start = rows[place], int(block.records["offset"][place])
            begin, end = int(row["payload_offset"]), int(row["end_offset"])
            ports = int(row["sport"]), int(row["dport"])
            self._alone(int(row["number"]), begin, bytes(view[start + begin : start + end]), min(ports))
        return rest

    def _relieve(self) -> None:
        """Reads all that is kept, and is done with the connections that are over."""
        open_ones = np.fromiter(self._talks, np.int64, len(self._talks))
        over = np.zeros(len(open_ones), np.bool_)
        if self._screen is not None:
            over = self._screen.over(open_ones, self._sieve.tables.sides)
            self._screen.close(open_ones[over])
        for index, done in zip(open_ones.tolist(), over.tolist(), strict=True):
            self._read(index, over=done, tight=True)
        self._most = self._kept + MOST_BYTES
        self._most_talks = len(self._talks) + MOST_TALKS

    def _segments(self, block: Block, rows: Array) -> None:
        """Takes segment by segment what a small capture has of connections that are wanted."""
        sizes = rows["end_offset"] - rows["payload_offset"]
        told = (rows["payload_offset"] > 0) & (rows["fragment_offset"] == 0)
        tcp = told & (rows["ip_protocol"] == TCP)
        wanted = tcp & ((PORT_KINDS[rows["sport"]] > 0) | (PORT_KINDS[rows["dport"]] > 0))
        wanted |= self._begun(block, rows, tcp, sizes)
        if self._more is not None:
            claimed = tcp & ((rows["claims"] != 0) | self._everything)
            self._claimed.update(rows["flow"][claimed].tolist())
            wanted |= claimed | (tcp & (rows["tcp_flags"] & SYN > 0))
        places = np.flatnonzero(wanted & ((sizes > 0) | (rows["tcp_flags"] & SYN > 0)))
        columns = [rows[name][places].tolist() for name in COLUMNS]
        for start, *cells in zip(block.records["offset"][places].tolist(), *columns, strict=True):
            self._segment(block.data.data, start, cells)

    def _begun(self, block: Block, rows: Array, tcp: Array, sizes: Array) -> Array:
        """Rows of TCP flows that carry something that begins like HTTP, now or before."""
        flows = rows["flow"]
        if len(flows) and int(flows.max()) >= len(self._wanted):
            grown = np.zeros(2 * int(flows.max()), np.bool_)
            grown[: len(self._wanted)] = self._wanted
            self._wanted = grown
        places = np.flatnonzero(tcp & (sizes >= 4))
        at = block.records["offset"][places] + rows["payload_offset"][places]
        found = np.zeros(len(places), np.bool_)
        four = [block.data[at + step] for step in range(4)]
        for start in STARTS:
            found |= (four[0] == start[0]) & (four[1] == start[1]) & (four[2] == start[2]) & (four[3] == start[3])
        self._wanted[flows[places[found]]] = True
        alone = np.zeros(len(rows), np.bool_)
        alone[places[found]] = True
        result: Array = (tcp & (flows >= 0) & self._wanted[flows]) | alone
        return result

    def _segment(self, view: memoryview, start: int, cells: list[int]) -> None:
        number, flow, originator, sequence, flags, sport, dport, begin, end = cells
        side = 1 - originator
        data = bytes(view[start + begin : start + end])
        if flow < 0:  # the flow table is full: each frame by itself
            self._alone(number, begin, data, min(sport, dport))
            return
        talk = self._talks.get(flow) or self._opened(flow, side, sport, dport)
        half = talk.halves.get(side)
        if half is None:
            base = (sequence + (flags & SYN > 0)) & 0xFFFF_FFFF
            half = self._half(talk, flow, side, base, flags & SYN > 0)
        if data and not flags & SYN:
            self._keep(flow, talk, half, unwrapped(sequence, half.base, half.last), data)

    def _opened(self, flow: int, side: int, sport: int, dport: int) -> Talk:
        known = [port for port in (dport, sport) if port in logins.BY_PORT or port in HTTP_PORTS or port in TLS_PORTS]
        served = dport == min(known, default=min(sport, dport))
        port = dport if served else sport
        finder = logins.BY_PORT.get(port)
        talk = Talk(port, finder, None if finder else Web(port), client=side if served else 1 - side)
        self._talks[flow] = talk
        return talk

    def _half(self, talk: Talk, flow: int, side: int, base: int, first: bool) -> Half:
        half = talk.halves[side] = Half(base, first)
        self.ledger.bases[flow, side] = base
        return half

    def _keep(self, flow: int, talk: Talk, half: Half, offset: int, data: bytes) -> None:
        before = half.kept
        half.add(offset, data)
        self._kept += half.kept - before
        if talk.kept > talk.often:
            self._read(flow, over=False)

    def _read(self, flow: int, *, over: bool, tight: bool = False) -> None:
        """Reads what a connection holds, and forgets what is not needed any more; ``tight``: as far as can be."""
        talk = self._talks[flow]
        if not over and all(half.scanned >= half.last for half in talk.halves.values()):
            return
        before = talk.kept
        runs = [run for side, half in talk.halves.items() for run in half.runs(side == talk.client)]
        if talk.web is not None:
            # by what is said: the side that asks is the client, whatever the ports
            turned = any(not run.client and run.data.startswith(STARTS) and run.data[:4] != b"HTTP" for run in runs)
            if turned and not talk.web.asks:
                talk.client = 1 - talk.client
                runs = [run._replace(client=not run.client) for run in runs]
            sides = {True: talk.client, False: 1 - talk.client}

            def mark(client: bool, begin: int, end: int, kind: str, value: bytes) -> None:
                self.ledger.stream((flow, sides[client]), begin, end, kind, value)

            talk.web.read(runs, mark, over=over)
        if self._more is not None and flow in self._claimed:
            for run in runs:
                side = talk.client if run.client else 1 - talk.client
                for begin, new in self._more(run, talk.port):
                    self.ledger.put((flow, side), run.begin + begin, new)
        for run in runs:
            side = talk.client if run.client else 1 - talk.client
            fresh = talk.halves[side].scanned - OVERLAP - run.begin
            if talk.web is not None and fresh > 0:
                run = Run(run.begin + fresh, run.data[fresh:], run.client, False)
            found = (talk.finder or logins.texts)(run._replace(fast=self._sieve.fast))
            for begin, end, kind in found:
                self._note((flow, side), run, begin, end, kind)
        for side, half in talk.halves.items():
            self._shorten(talk, side, half, tight)
        self._kept += talk.kept - before
        talk.often = max(OFTEN_BYTES, 2 * talk.kept)
        if over:
            del self._talks[flow]

    def _shorten(self, talk: Talk, side: int, half: Half, tight: bool) -> None:
        reached = max((at + len(data) for at, data in half.parts.items()), default=0)
        half.scanned = reached
        need = reached
        if talk.web is not None:
            at = talk.web.at[side == talk.client]
            need = min(need, reached if at is None else at)
            if talk.web.switched is not None and side == talk.client:
                need = min(need, talk.web.switched)
        longest, overlap = (TIGHT_BYTES, TIGHT_OVERLAP) if tight else (2 * OFTEN_BYTES, OVERLAP)
        half.forget(min(max(need, reached - longest), reached - overlap))

    def _note(self, side: Side, run: Run, begin: int, end: int, kind: str) -> None:
        value = run.data[begin:end]
        if end >= FOREVER:
            self.ledger.stream(side, run.begin + begin, FOREVER, kind)
            return
        self.ledger.stream(side, run.begin + begin, run.begin + end, kind, b"" if kind in DULL else value)
        if kind == "HTTP header" and (inner := words.within(value)):
            self.ledger.know(inner)

    def _alone(self, number: int, begin: int, data: bytes, port: int) -> None:
        finder = logins.BY_PORT.get(port, logins.texts)
        for first, last, kind in finder(Run(0, data, True, False)):
            self.ledger.frame(number, begin + first, kind, data[first:last])

    def _datagram(self, view: memoryview, start: int, row: Any) -> None:
        begin, end = int(row["payload_offset"]), int(row["end_offset"])
        data = bytes(view[start + begin : start + end])
        finder = datagrams.BY_PROTOCOL.get(int(row["ip_protocol"]))
        if finder is None:  # by the lower port that is known: a client's own may be any
            finder = datagrams.BY_PORT[min(port for port in (int(row["dport"]), int(row["sport"])) if UDP_PORTS[port])]
        for first, last, kind in finder(data):
            self.ledger.frame(int(row["number"]), begin + first, kind, data[first:last])

    def _whole(self, whole: Whole) -> None:
        """A datagram that came in fragments, all of them; once more for each further copy of one."""
        data, ports = whole.data, sorted(whole.ports) if 0 in whole.parts else []
        finder = next((datagrams.BY_PORT[port] for port in ports if UDP_PORTS[port]), None)
        found = list(finder(data[UDP_HEAD:])) if finder is not None and data else []
        if not found:
            return
        new = bytearray(data)
        for first, last, kind in found:
            begin, end = UDP_HEAD + first, UDP_HEAD + last
            filler = self.ledger.filler(data[begin:end])
            new[begin:end] = filler
            self.ledger.kinds[kind] += 1
        far = 0
        for part in whole.parts.values():
            fresh = bytes(new[part.offset : part.offset + len(part.data)])
            if part.offset:
                far += checked_words(fresh) - checked_words(part.data)
            for number, begin in part.frames if fresh != part.data else ():
                self.ledger.frames[number] = [Span(begin, begin + len(fresh), fresh)]
        self.ledger.far.update((number, far) for number, _ in whole.parts[0].frames)


def _port_kinds() -> Array:
    """By port, what :mod:`pcapdx.annotate.screen` has to know of it."""
    kinds = np.zeros(1 << 16, np.int64)
    kinds[[*HTTP_PORTS]] = TEXTS | WEB
    kinds[[*UNASKED_PORTS]] |= ANSWERS
    for port, finder in logins.BY_PORT.items():
        kinds[port] = logins.KINDS.get(finder, ALWAYS)
    return kinds


def _marked(places: Iterable[int], size: int) -> Array:
    marks = np.zeros(size, np.uint8)
    marks[[*places]] = 1
    return marks


PORT_KINDS = _port_kinds()
UDP_PORTS = _marked(datagrams.BY_PORT, 1 << 16)
WANTED = Wanted(
    ports=PORT_KINDS,
    starts=np.array([int.from_bytes(one, "big") for one in sorted(STARTS, key=b"HTTP".__eq__)], np.int64),
    udp=UDP_PORTS,
    protocols=_marked(datagrams.BY_PROTOCOL, 1 << 8),
)
TELLING = Words(
    [*words.TELLING_WORDS, *TELLING_WORDS, logins.CHAP_WORD],
    [*(TEXTS for _ in words.TELLING_WORDS), *(WEB for _ in TELLING_WORDS), CHAP],
)
"""What makes a connection suspect."""
DULL = frozenset({"terminal session"})
"""Kinds whose ranges are no values, and are not looked for elsewhere."""
