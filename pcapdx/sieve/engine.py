"""Drives the sweep over a capture's blocks: owns the tables, grows them, and hands on the frames that were claimed."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from pcapdx.capture.records import RECORD, Block, Reader
from pcapdx.compiled import compiled
from pcapdx.dissect import Dissector
from pcapdx.sieve import claims as claim_tables
from pcapdx.sieve.ahead import ahead
from pcapdx.sieve.columns import BINDING, COUNTERS, FLOW, FRAME, REPEAT, SIDE, TALKER, Array
from pcapdx.sieve.flows import rehash_flows
from pcapdx.sieve.sweep import BINDINGS, CLAIMED, ENDED, EVERY, FLOWS, FULL, TALKERS, Lists, Tables, gather, sweep
from pcapdx.sieve.tables import rehash_bindings, rehash_talkers
from pcapdx.values import dataclass

FIRST_ROWS = 256
MOST_FLOWS = 500_000
MOST_TALKERS = 100_000
MOST_BINDINGS = 200_000
REPEAT_SLOTS = 1 << 13
TWIN_SLOTS = 1 << 14
SMALL_SLOTS = 1 << 10
"""Slots of the direct-mapped tables for the plain twin: a small capture should not wait for megabytes of zeros."""

SWITCH_S = 0.0002
AHEAD_BYTES = 8 << 20
"""How far the sieve may be ahead of the caller, in bytes of claimed frames and their columns."""

TWIN = np.dtype([("digest", "i8"), ("ts_ns", "i8"), ("vlan_key", "i8")])


@dataclass(frozen=True, slots=True)
class Claimed:
    """Frames of one block for Python's eyes, copied out of it so that the next block may be read meanwhile."""

    rows: Array
    """Their columns, FRAME."""
    starts: list[int]
    """Where in ``data`` each one's bytes begin."""
    data: memoryview
    """The bytes of all of them."""
    ended: list[int]
    """Claimed flows that both sides have closed by the end of the block; may name one again."""

    @property
    def nbytes(self) -> int:
        """Memory it takes, about."""
        return self.data.nbytes + self.rows.nbytes


class Sieve:
    """One capture's pass. Feed it every block, then read :attr:`tables`."""

    def __init__(
        self,
        dissectors: Sequence[Dissector],
        *,
        fast: bool,
        thin_out: bool = True,
    ) -> None:
        self.fast = fast
        """Run the compiled twin."""
        self.claims = claim_tables.build(dissectors, thin_out=thin_out)
        # large captures get tables of their full size at once: rows cost no memory before they are used, and growing
        # would need twice the memory for a moment
        flows, talkers, bindings = (MOST_FLOWS, MOST_TALKERS, MOST_BINDINGS) if fast else (FIRST_ROWS,) * 3
        self.tables = Tables(
            flows=np.zeros(flows, FLOW),
            sides=np.zeros(2 * flows, SIDE),
            flow_index=_index(flows),
            talkers=np.zeros(talkers, TALKER),
            talker_index=_index(talkers),
            bindings=np.zeros(bindings, BINDING),
            binding_index=_index(bindings),
            repeats=np.zeros(REPEAT_SLOTS if fast else SMALL_SLOTS, REPEAT),
            twins=np.zeros(TWIN_SLOTS if fast else SMALL_SLOTS, TWIN),
            counters=np.zeros(1, COUNTERS),
            state=np.zeros(8, np.int64),
        )
        self.watchers: list[Callable[[Block, Array], None]] = []
        """Shown every block that is fed and its FRAME rows; both are reused for the next one."""
        self._frames = np.zeros(0, FRAME)
        self._lists = _lists(0)

    def feed(self, block: Block) -> Claimed:
        """Sees a block; returns its claimed frames."""
        frames = self._sweep(block, every=bool(self.watchers))
        for watcher in self.watchers:
            watcher(block, frames)
        places = self._lists.claimed[: int(self.tables.state[CLAIMED])]
        ended = self._lists.ended[: int(self.tables.state[ENDED])].tolist()
        rows = frames[places] if self.watchers else frames[: len(places)].copy()
        sizes = np.ascontiguousarray(rows["end_offset"])
        ends = np.cumsum(sizes)
        offsets = block.records["offset"][places]
        if self.fast:
            data = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
            compiled(gather)(block.data, offsets, sizes, data)
            gathered = data.data
        else:  # byte by byte takes plain Python as long as all of the sweep
            view = block.data.data
            pairs = zip(offsets.tolist(), sizes.tolist(), strict=True)
            gathered = memoryview(b"".join(view[begin : begin + size] for begin, size in pairs))
        return Claimed(rows, (ends - sizes).tolist(), gathered, ended)

    def run(self, reader: Reader) -> Iterator[Claimed]:
        """Sees a whole capture. Where it is large, reading and sweeping go on in a thread of their own while the caller
        looks at what was claimed: both run outside Python's lock.
        """
        blocks = reader.blocks()
        for block in blocks:
            self.fast = reader.fast
            if not self.fast:
                yield self.feed(block)
                continue
            yield self.feed(block)
            # the thread needs the lock for a moment a block, and should not wait five milliseconds for each
            sys.setswitchinterval(SWITCH_S)
            yield from ahead((self.feed(block) for block in blocks), most_bytes=AHEAD_BYTES)

    def sweep(self, block: Block) -> Array:
        """Sees a block; returns its FRAME rows (reused by the next call)."""
        return self._sweep(block, every=True)

    def _sweep(self, block: Block, *, every: bool) -> Array:
        """The rows of ``every`` frame, or first those of the claimed ones and then leavings."""
        count = len(block.records)
        if count > len(self._frames):
            self._frames = np.zeros(count, FRAME)
            self._lists = _lists(count)
        frames = self._frames[:count]
        self.tables.state[CLAIMED] = self.tables.state[ENDED] = 0
        self.tables.state[EVERY] = every
        run: Any = compiled(sweep)
        data: Any = block.data
        records: Any = block.records
        rows: Any = frames
        if not self.fast:
            # plain Python reads and writes a dictionary much faster than a row of an array
            run, data = sweep, block.data.data
            records = [dict(zip(RECORD.names or (), record, strict=True)) for record in records.tolist()]
            rows = [dict.fromkeys(FRAME.names or (), 0) for _ in range(count)]
        done = 0
        while done < count:
            done = run(data, records, rows, self._lists, done, self.tables, self.claims)
            if done < count:
                self._grow()
        if not self.fast:
            frames[:] = [tuple(row.values()) for row in rows]
        return frames

    def _grow(self) -> None:
        """Doubles every table that is nearly full; at its cap a table stays as it is, and all stop growing."""
        tables, state = self.tables, self.tables.state
        flows, sides, flow_index = tables.flows, tables.sides, tables.flow_index
        talkers, talker_index = tables.talkers, tables.talker_index
        bindings, binding_index = tables.bindings, tables.binding_index
        if state[FLOWS] == len(flows):
            flows, flow_index = _doubled(flows, MOST_FLOWS)
            sides, _ = _doubled(sides, 2 * MOST_FLOWS)
            self._kernel(rehash_flows)(int(state[FLOWS]), flows, flow_index)
        if state[TALKERS] + 2 > len(talkers):
            talkers, talker_index = _doubled(talkers, MOST_TALKERS)
            self._kernel(rehash_talkers)(int(state[TALKERS]), talkers, talker_index)
        if state[BINDINGS] + 2 > len(bindings):
            bindings, binding_index = _doubled(bindings, MOST_BINDINGS)
            self._kernel(rehash_bindings)(int(state[BINDINGS]), bindings, binding_index)
        grown = len(flows) + len(talkers) + len(bindings)
        if grown == len(tables.flows) + len(tables.talkers) + len(tables.bindings):
            state[FULL] = 1
        self.tables = tables._replace(
            flows=flows,
            sides=sides,
            flow_index=flow_index,
            talkers=talkers,
            talker_index=talker_index,
            bindings=bindings,
            binding_index=binding_index,
        )

    def _kernel(self, function: Any) -> Any:
        return compiled(function) if self.fast else function


def _doubled(table: Array, most: int) -> tuple[Array, Array]:
    """A table of twice the rows (at most ``most``) with the same content, and an empty index of the right size."""
    rows = max(len(table), min(2 * len(table), most))
    grown = np.zeros(rows, table.dtype)
    grown[: len(table)] = table
    return grown, _index(rows)


def _lists(frames: int) -> Lists:
    """Room for all of so many frames."""
    return Lists(claimed=np.zeros(frames, np.int64), ended=np.zeros(frames, np.int64))


def _index(rows: int) -> Array:
    """An empty hash index for a table of so many rows: a power of two of places, half of them or more free."""
    return np.zeros(1 << (2 * rows - 1).bit_length(), np.int32)
