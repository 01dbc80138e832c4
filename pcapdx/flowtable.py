"""The flow table as rules see it: columns to select by, :class:`~pcapdx.dissect.Flow` values for few that matter."""

from collections import namedtuple
from collections.abc import Collection, Iterable, Sequence
from struct import Struct
from typing import Any, cast, overload

import numpy as np

from pcapdx.dissect import Flow, Half
from pcapdx.frame import ip_text, ip_words, mac_text
from pcapdx.sieve.columns import FLOW, FLOW_COLUMNS, SIDE, SIDE_COLUMNS, Array, Column

TCP = 6


class Selected(Sequence[Flow]):
    """Some flows of a table. How many there are costs nothing; each becomes a value when it is looked at."""

    def __init__(self, table: "FlowTable", places: Sequence[int]) -> None:
        self._table = table
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Flow: ...
    @overload
    def __getitem__(self, place: slice) -> "Selected": ...
    def __getitem__(self, place: int | slice) -> "Flow | Selected":
        if isinstance(place, slice):
            return Selected(self._table, self._places[place])
        return self._table.at(self._places[place])


def among(column: Array, values: Iterable[int]) -> Array:
    """One bool a cell: whether it is one of a few values; ``np.isin`` would sort, and import masked arrays."""
    mask = np.zeros(len(column), np.bool_)
    for value in values:
        mask |= column == value
    return mask


class FlowTable:
    """All flows of one capture."""

    def __init__(self, rows: Array, sides: Array) -> None:
        self.rows = rows
        """FLOW rows; see :mod:`pcapdx.sieve.columns`."""
        self.sides = sides
        """SIDE rows, two a flow."""
        self._flows: dict[int, Flow] = {}
        # a row unpacked from its bytes costs a fifth of what NumPy takes to make a record of it
        self._bytes = (rows.view(np.uint8).data, sides.view(np.uint8).data)

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, index: int) -> Flow:
        """The flow at a row."""
        flow = self._flows.get(index)
        if flow is None:
            flow = self._flows[index] = _flow(index, *self._bytes)
        return flow

    def originator(self, column: str) -> Array:
        """A SIDE column of every flow's originator, one cell a flow."""
        return self.sides[column][0::2]

    def responder(self, column: str) -> Array:
        """A SIDE column of every flow's responder, one cell a flow."""
        return self.sides[column][1::2]

    def take(self, mask: Array) -> Selected:
        """The flows whose place in ``mask`` (one bool a row) is true."""
        return Selected(self, np.flatnonzero(mask).tolist())

    def where(
        self,
        *,
        protocol: int = TCP,
        ports: Iterable[int] = (),
        server: str | None = None,
        client: str | None = None,
        sent_again: int = 0,
    ) -> Selected:
        """Flows of a protocol to any of these responder ports, to and from these addresses (what is not given, any).

        ``sent_again``: one side at least retransmitted so many segments.
        """
        mask = self.rows["protocol"] == protocol
        wanted = list(ports)
        if wanted:
            mask = mask & among(self.rows["dport"], wanted)
        if server is not None:
            mask = mask & self._has_address("dst", server)
        if client is not None:
            mask = mask & self._has_address("src", client)
        if sent_again:
            mask = mask & (
                np.maximum(*(side("retransmissions") for side in (self.originator, self.responder))) >= sent_again
            )
        return self.take(mask)

    def unanswered(self, *, syns: int = 1) -> Selected:
        """TCP flows whose SYN was seen ``syns`` times at least, with nothing at all from the responder."""
        return self.take(self._opened() & (self.originator("syn") >= syns) & (self.responder("packets") == 0))

    def refused(self) -> Selected:
        """TCP flows whose SYN got a RST and no SYN/ACK."""
        answer = (self.responder("syn") == 0) & (self.responder("rst") > 0) & (self.responder("payload_bytes") == 0)
        return self.take(self._opened() & answer)

    def established(self) -> Array:
        """One bool a row: TCP flows whose SYN/ACK was seen, or in which both sides sent payload."""
        both = (self.originator("payload_bytes") > 0) & (self.responder("payload_bytes") > 0)
        return cast(Array, (self.rows["protocol"] == TCP) & ((self.responder("syn") > 0) | both))

    def having(self, frames: Collection[int]) -> Selected:
        """TCP flows that have one of these frames among their SYN, RST, FIN, first and last frames."""
        if not len(self) or not frames:
            return Selected(self, ())
        wanted = np.array(sorted(frames))
        mask = np.asarray(np.isin(self.sides["syn_frames"], wanted).any(axis=1))
        for column in ("rst_frame", "fin_frame", "first_frame", "last_frame", "payload_frame"):
            mask |= np.isin(self.sides[column], wanted)
        return self.take((mask[0::2] | mask[1::2]) & (self.rows["protocol"] == TCP))

    def _opened(self) -> Array:
        return cast(Array, (self.rows["protocol"] == TCP) & (self.rows["began"] == 1))

    def _has_address(self, end: str, address: str) -> Array:
        version, *words = ip_words(address)
        mask = self.rows["ip_version"] == version
        for i, word in enumerate(words):
            mask = mask & (self.rows[f"{end}{i}"] == word)
        return cast(Array, mask)


def _unpacked(columns: Sequence[Column]) -> tuple[Struct, Any]:
    """How to unpack a row, and the named tuple to put it in; of a column of several cells, each has a name."""
    formats, names = "<", []
    for column in columns:
        cells = column.shape[0] if column.shape else 1
        formats += _CODES[column.type] * cells
        names += [column.name] if cells == 1 else [f"{column.name}_{cell}" for cell in range(cells)]
    return Struct(formats), cast(Any, namedtuple("_Row", names))


_CODES = {"i2": "h", "i4": "i", "i8": "q"}
_FLOW, _FlowRow = _unpacked(FLOW_COLUMNS)
_SIDE, _SideRow = _unpacked(SIDE_COLUMNS)
_CELLS = {
    column.name: slice(
        _SideRow._fields.index(f"{column.name}_0"), _SideRow._fields.index(f"{column.name}_0") + column.shape[0]
    )
    for column in SIDE_COLUMNS
    if column.shape
}
"""Where the cells of such a column stand in a row."""


def _flow(index: int, flows: memoryview, sides: memoryview) -> Flow:
    flow = _FlowRow._make(_FLOW.unpack_from(flows, index * FLOW.itemsize))
    begin = 2 * index * SIDE.itemsize
    source = ip_text(flow.ip_version, flow.src0, flow.src1, flow.src2, flow.src3)
    target = ip_text(flow.ip_version, flow.dst0, flow.dst1, flow.dst2, flow.dst3)
    return Flow(
        index=index,
        protocol=flow.protocol,
        vlan=flow.vlan,
        inner_vlan=_seen(flow.inner_vlan),
        vni=_seen(flow.vni),
        originator=_half(_SIDE.unpack_from(sides, begin), source, flow.sport),
        responder=_half(_SIDE.unpack_from(sides, begin + SIDE.itemsize), target, flow.dport),
        began=bool(flow.began),
        twins=flow.twins,
    )


def _half(row: tuple[int, ...], ip: str | None, port: int) -> Half:
    side = _SideRow._make(row)
    sent, syn, fin, rst, payload = side.packets, side.syn, side.fin, side.rst, side.payload_bytes
    return Half(
        ip=ip,
        port=port,
        mac=mac_text(side.mac),
        mac_changes=side.mac_changes,
        packets=sent,
        wire_bytes=side.wire_bytes,
        payload_bytes=payload,
        stream_bytes=side.next_seq,
        syn=syn,
        fin=fin,
        rst=rst,
        retransmissions=side.retransmissions,
        zero_windows=side.zero_windows,
        first_ns=side.first_ns if sent else None,
        last_ns=side.last_ns if sent else None,
        first_frame=side.first_frame if sent else None,
        last_frame=side.last_frame if sent else None,
        syn_frames=row[_CELLS["syn_frames"]][:syn],
        first_syn_ns=side.first_syn_ns if syn else None,
        last_syn_ns=side.last_syn_ns if syn else None,
        rst_frame=side.rst_frame if rst else None,
        rst_ns=side.rst_ns if rst else None,
        fin_frame=side.fin_frame if fin else None,
        fin_ns=side.fin_ns if fin else None,
        payload_frame=side.payload_frame if payload else None,
        payload_ns=side.payload_ns if payload else None,
        last_payload_ns=side.last_payload_ns if payload else None,
        mss=side.mss or None,
        acked_bytes=side.acked,
        largest_payload=side.largest_payload,
        stuck_retransmissions=side.stuck_count,
        stuck_bytes=side.stuck_bytes,
        stuck_frame=side.stuck_frame if side.stuck_count else None,
        sums_right=side.sums_right,
        sums_wrong=side.sums_wrong,
        sums_partial=side.sums_partial,
        wrong_frames=row[_CELLS["wrong_frames"]][: side.sums_wrong],
    )


def _seen(value: int) -> int | None:
    return None if value < 0 else value
