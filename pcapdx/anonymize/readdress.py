"""The pass that writes pseudonyms over a capture's frames, secrets masked, unread payload blanked, sums repaired."""

from collections.abc import Iterator

from pcapdx.annotate.ledger import Ledger
from pcapdx.annotate.mask import Masking
from pcapdx.annotate.needles import Needles
from pcapdx.annotate.payload import Blanking
from pcapdx.anonymize.datagrams import of_link, reader_of
from pcapdx.anonymize.fields import words
from pcapdx.anonymize.fragments import Fragments
from pcapdx.anonymize.packet import MAC, V4, V6, Change, Packet, opened, readdressed, rewritten
from pcapdx.anonymize.pseudonyms import Pseudonyms
from pcapdx.capture.records import Block, Stretch
from pcapdx.sieve.columns import Array

UDP = 17
NAMES = ("ip_protocol", "payload_offset", "end_offset", "fragment_offset", "more_fragments", "sport", "dport",
         "transport_offset")  # fmt: skip


class Readdressing(Masking):
    """Masks a capture stretch by stretch and replaces who and where in it."""

    def __init__(
        self,
        ledger: Ledger,
        needles: Needles,
        told: Pseudonyms,
        fragments: Fragments,
        *,
        fast: bool,
        blanking: Blanking | None,
    ) -> None:
        super().__init__(ledger, needles, fast=fast)
        if blanking is not None:
            self._sieve = blanking.sieve(fast=fast)
        self._unread = blanking
        self._told = told
        self._fragments = fragments
        self._writers = {MAC: told.mac, V4: told.ipv4, V6: told.ipv6}

    def apply(self, stretch: Stretch, *, fast: bool) -> None:
        """Overwrites."""
        self._sieve.fast = fast
        rows = self._sieve.sweep(stretch.block)
        self._all(stretch.block, rows)
        self._elsewhere(stretch, rows)

    def _all(self, block: Block, rows: Array) -> None:
        view = block.data.data
        starts, sizes = block.records["offset"].tolist(), block.records["captured_bytes"].tolist()
        kinds = block.records["link_type"].tolist()
        blanks: dict[int, tuple[int, int]] = {}
        if self._unread is not None:
            blanks = {place: (begin, end) for place, begin, end in self._unread.ranges(view, starts, rows)}
        streams = self._streams(rows).tolist()
        padded = (rows["transport_offset"] > 0).tolist()  # padding may hold what was in the sender's memory
        cells = zip(*(rows[name].tolist() for name in ("number", *NAMES)), strict=True)
        for place, (number, *told) in enumerate(cells):
            start = starts[place]
            packet = opened(bytes(view[start : start + sizes[place]]), kinds[place])
            changes = readdressed(packet, self._writers)
            changes += self._of_payload(packet, number, told)
            if streams[place]:
                changes += self._of_stream(rows[place])
            if number in self.ledger.frames:
                changes += self._of_frame(rows[place])
            changes += [(begin, bytes(max(end - begin, 0))) for begin, end in packet.blanks]
            if told[2] < sizes[place] and padded[place]:
                changes.append((told[2], bytes(sizes[place] - told[2])))
            if place in blanks:
                begin, end = blanks[place]
                changes.append((begin, bytes(end - begin)))
            view[start : start + sizes[place]] = rewritten(packet, changes, self._fragments.far.get(number, 0))

    def _of_payload(self, packet: Packet, number: int, told: list[int]) -> Iterator[Change]:
        """What stands in a datagram, or where no IP packet is."""
        protocol, begin, end, later, more, sport, dport, transport = told
        if packet.link[0] >= 0:
            yield from of_link(packet.data, *packet.link, self._told)
        fresh = self._fragments.changes.get(number) if later or more else None
        if fresh is not None:
            yield end - len(fresh), fresh
        elif protocol == UDP and later:
            yield transport, bytes(max(end - transport, 0))
        elif protocol == UDP and 0 < begin < end:
            reader = reader_of(sport, dport) or words
            yield from _moved(begin, reader(packet.data[begin:end], self._told), end)


def _moved(begin: int, changes: Iterator[Change], end: int) -> Iterator[Change]:
    """Changes of a part of a frame, as those of the frame."""
    for at, fresh in changes:
        yield begin + at, fresh[: max(end - begin - at, 0)]
