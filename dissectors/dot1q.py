"""VLAN tags: IEEE 802.1Q, 802.1ad, and the older QinQ type.

The sieve keeps the first two tags of every frame as columns, for rules that count. A message holds the whole stack,
with priority and drop bits, of a sample that is enough to show each stack that each pair of hosts uses.
"""

from collections.abc import Iterator

from pcapdx.dissect import Cursor, Dissector, Layer, Malformed, Sample
from pcapdx.frame import Tag
from pcapdx.values import dataclass

_TPIDS = frozenset({0x8100, 0x88A8, 0x9100})
_MOST_TAGS = 32
_MINUTE = 60 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot1q:
    """The tag stack of one frame."""

    tags: tuple[Tag, ...]
    """Outermost first."""
    ethertype: int
    """After the last tag; below 1536 it is a length (802.3)."""

    @property
    def vlan_ids(self) -> tuple[int, ...]:
        """Ids, outermost first; 0 is a priority tag."""
        return tuple(tag.vid for tag in self.tags)

    @property
    def label(self) -> str:
        """``tag 101``, ``tags 101, 20``; priorities where they are not 0."""
        words = [f"{tag.vid} priority {tag.pcp}" if tag.pcp else str(tag.vid) for tag in self.tags]
        return f"{'tags' if len(words) > 1 else 'tag'} {', '.join(words)}"


def read(cursor: Cursor) -> Iterator[Dot1q]:
    """The tags of one frame, from the TPID of the first on."""
    tags: list[Tag] = []
    while (ethertype := cursor.u16("TPID or ethertype")) in _TPIDS:
        if len(tags) == _MOST_TAGS:
            raise Malformed(f"more than {_MOST_TAGS} VLAN tags", cursor.at - 2)
        tci = cursor.u16("TCI")
        tags.append(Tag(ethertype, tci >> 13, tci >> 12 & 1, tci & 0xFFF))
    yield Dot1q(tags=tuple(tags), ethertype=ethertype)


DISSECTOR = Dissector(
    name="vlan",
    spec="IEEE 802.1Q",
    messages=(Dot1q,),
    read=read,
    layer=Layer.TAGS,
    ethertypes=_TPIDS,
    # A trunk is nothing but tagged frames; at this layer alike means: same sender, same stack.
    sample=Sample(first=4, every_ns=_MINUTE),
)
