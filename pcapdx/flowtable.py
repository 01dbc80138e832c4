"""The flow table as rules see it: columns to select by, :class:`~pcapdx.dissect.Flow` values for few that matter."""

from collections.abc import Collection, Iterable
from typing import Any, cast

import numpy as np

from pcapdx.dissect import Flow, Half
from pcapdx.frame import ip_text, ip_words, mac_text
from pcapdx.sieve.columns import SIDE_COLUMNS, Array

TCP = 6


class FlowTable:
    """All flows of one capture."""

    def __init__(self, rows: Array, sides: Array) -> None:
        self.rows = rows
        """FLOW rows; see :mod:`pcapdx.sieve.columns`."""
        self.sides = sides
        """SIDE rows, two a flow."""
        self._flows: dict[int, Flow] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, index: int) -> Flow:
        """The flow at a row."""
        flow = self._flows.get(index)
        if flow is None:
            sides = self.sides[2 * index], self.sides[2 * index + 1]
            flow = self._flows[index] = _flow(index, self.rows[index], sides)
        return flow

    def originator(self, column: str) -> Array:
        """A SIDE column of every flow's originator, one cell a flow."""
        return self.sides[column][0::2]

    def responder(self, column: str) -> Array:
        """A SIDE column of every flow's responder, one cell a flow."""
        return self.sides[column][1::2]

    def take(self, mask: Array) -> tuple[Flow, ...]:
        """The flows whose place in ``mask`` (one bool a row) is true."""
        return tuple(self.at(int(index)) for index in np.flatnonzero(mask))

    def where(
        self, *, protocol: int = TCP, ports: Iterable[int] = (), server: str | None = None, client: str | None = None
    ) -> tuple[Flow, ...]:
        """Flows of a protocol to any of these responder ports, to and from these addresses (what is not given, any)."""
        mask = self.rows["protocol"] == protocol
        wanted = list(ports)
        if wanted:
            mask = mask & np.isin(self.rows["dport"], wanted)
        if server is not None:
            mask = mask & self._has_address("dst", server)
        if client is not None:
            mask = mask & self._has_address("src", client)
        return self.take(mask)

    def unanswered(self, *, syns: int = 1) -> tuple[Flow, ...]:
        """TCP flows whose SYN was seen ``syns`` times at least, with nothing at all from the responder."""
        return self.take(self._opened() & (self.originator("syn") >= syns) & (self.responder("packets") == 0))

    def refused(self) -> tuple[Flow, ...]:
        """TCP flows whose SYN got a RST and no SYN/ACK."""
        answer = (self.responder("syn") == 0) & (self.responder("rst") > 0) & (self.responder("payload_bytes") == 0)
        return self.take(self._opened() & answer)

    def established(self) -> Array:
        """One bool a row: TCP flows whose SYN/ACK was seen, or in which both sides sent payload."""
        both = (self.originator("payload_bytes") > 0) & (self.responder("payload_bytes") > 0)
        return cast(Array, (self.rows["protocol"] == TCP) & ((self.responder("syn") > 0) | both))

    def having(self, frames: Collection[int]) -> tuple[Flow, ...]:
        """TCP flows that have one of these frames among their SYN, RST, FIN, first and last frames."""
        if not len(self) or not frames:
            return ()
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


_SIDE = {column.name: place for place, column in enumerate(SIDE_COLUMNS)}


def _flow(index: int, row: Array, sides: tuple[Array, Array]) -> Flow:
    version = int(row["ip_version"])
    src = ip_text(version, *(int(row[f"src{i}"]) for i in range(4)))
    dst = ip_text(version, *(int(row[f"dst{i}"]) for i in range(4)))
    return Flow(
        index=index,
        protocol=int(row["protocol"]),
        vlan=int(row["vlan"]),
        inner_vlan=_seen(int(row["inner_vlan"])),
        vni=_seen(int(row["vni"])),
        originator=_half(sides[0].tolist(), src, int(row["sport"])),
        responder=_half(sides[1].tolist(), dst, int(row["dport"])),
        began=bool(row["began"]),
        twins=int(row["twins"]),
    )


def _half(side: tuple[Any, ...], ip: str | None, port: int) -> Half:
    def at(name: str) -> Any:
        return side[_SIDE[name]]

    sent, syn, fin, rst, payload = at("packets"), at("syn"), at("fin"), at("rst"), at("payload_bytes")
    return Half(
        ip=ip,
        port=port,
        mac=mac_text(at("mac")),
        mac_changes=at("mac_changes"),
        packets=sent,
        wire_bytes=at("wire_bytes"),
        payload_bytes=payload,
        stream_bytes=at("next_seq"),
        syn=syn,
        fin=fin,
        rst=rst,
        retransmissions=at("retransmissions"),
        zero_windows=at("zero_windows"),
        first_ns=at("first_ns") if sent else None,
        last_ns=at("last_ns") if sent else None,
        first_frame=at("first_frame") if sent else None,
        last_frame=at("last_frame") if sent else None,
        syn_frames=tuple(at("syn_frames").tolist()[: min(syn, 8)]) if syn else (),
        first_syn_ns=at("first_syn_ns") if syn else None,
        last_syn_ns=at("last_syn_ns") if syn else None,
        rst_frame=at("rst_frame") if rst else None,
        rst_ns=at("rst_ns") if rst else None,
        fin_frame=at("fin_frame") if fin else None,
        fin_ns=at("fin_ns") if fin else None,
        payload_frame=at("payload_frame") if payload else None,
        payload_ns=at("payload_ns") if payload else None,
        last_payload_ns=at("last_payload_ns") if payload else None,
        mss=at("mss") or None,
        acked_bytes=at("acked"),
        largest_payload=at("largest_payload"),
        stuck_retransmissions=at("stuck_count"),
        stuck_bytes=at("stuck_bytes"),
        stuck_frame=at("stuck_frame") if at("stuck_count") else None,
    )


def _seen(value: int) -> int | None:
    return None if value < 0 else value
