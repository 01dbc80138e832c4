"""Two captures held against each other: which packets of one are in the other, and how far their clocks differ.

A packet is found by its fingerprint and its time. The clocks' difference comes from the packets that are in both, by
conversation: one way the transit time adds to it, the other way it takes away, so both ways together bound it, and tell
besides which of the two captures was nearer to which end (after the four time stamps of RFC 5905, section 8).
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from pcapdx.path.admission import GROUP_BIT, UNKNOWN, UNTOLD, YES, admitted
from pcapdx.path.trail import ARP, TCP, UDP, Trail, in_sample
from pcapdx.sieve.columns import Array
from pcapdx.sieve.tables import FINGERPRINT_BYTES, FINGERPRINT_OTHER_BYTES, FINGERPRINT_TCP_BYTES
from pcapdx.values import dataclass

SECOND = 1_000_000_000
AMBIGUOUS_NS = 400_000_000
"""Packets alike (an ARP request, a second apart) are told apart by time if they are this close."""
UNIQUE_NS = 5 * SECOND
"""A packet that is once in each capture may be on its way so long."""
MARGIN_NS = 1 * SECOND
"""At both ends of the time that the other capture covers nothing is called lost: so long at most, ..."""
CLOSE_NS = 100_000_000
"""... and so long besides twice what the clocks may be off."""
MOST_ALIKE = 8
"""Packets alike that are paired in the order of their times, where nothing is there once."""
LARGE_FRAME = 1522
"""Longer frames are of a jumbo network, or the kernel's own before it cuts or after it joins segments (GSO, GRO)."""
TALK = 5
"""Unicast frames of IP in a capture, from which on some ARP is to be expected in it."""
IPV6 = 1 << 62
"""From here on an address of a row is the hash of an IPv6 address."""
TUNNEL_BYTES = 50
"""What VXLAN puts before a frame."""
FEW_ARP = 4
"""A request, its answer, and both once more: neighbours ask each other again every half minute in the same words."""
LINK_LOCAL = (0x0180C2, 0x01000C)
"""Groups that no switch passes on (IEEE 802.1Q, 8.6.3; Cisco's own)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How a capture's clock stands against another's."""

    offset_ns: int
    """The other's time less this one's, for the same moment."""
    error_ns: int
    """How far off that may be."""
    bounded: bool
    """Packets both ways bound it; else the transit time of one way is in it."""
    matched: int
    """Packets that are in both."""
    spread_ns: int
    """From the 5th to the 95th percentile of the differences: queues, or a clock that was set."""


def _hashed_bytes(rows: Array) -> Array:
    """How much of each frame has to be there for its fingerprint, with one tag at least."""
    tags = 4 * np.maximum(1, ((rows["vlan"] > 0) | (rows["priority"] == 1)) * 1 + (rows["inner_vlan"] >= 0))
    network = np.select([rows["src"] < 0, rows["src"] >= IPV6], [0, 40], 20)
    payload = np.minimum(rows["payload"], FINGERPRINT_BYTES)
    tcp = np.where(rows["payload"] > 0, 32 + np.minimum(rows["payload"], FINGERPRINT_TCP_BYTES), 20)
    kinds = [rows["src"] < 0, rows["protocol"] == TCP, rows["protocol"] == UDP]
    transport = np.select(kinds, [FINGERPRINT_OTHER_BYTES, tcp, 8 + payload], payload)
    whole: Array = 14 + tags + network + transport
    return whole


class Pair:
    """Rows of ``near`` and of ``far``, and what is the same in them. The names tell no direction."""

    def __init__(
        self,
        near: Trail,
        far: Trail,
        *,
        between_hosts: bool = False,
        back: "Pair | None" = None,
        filters: Sequence[str] = (),
        untagged: bool = False,
    ) -> None:
        """``between_hosts``: both are NICs, so that machines of the far one's host are beyond it. ``back`` is the same
        pair the other way round, where it is known. ``filters`` are those that the far capture tells of, by interface;
        ``untagged``: frames have no tags there.
        """
        self._filters = tuple(filters)
        self._tags_there = 0 if untagged else None if between_hosts else UNTOLD
        self._homes = far.homes if between_hosts else near.rows["eth_src"][:0]
        self.near, self.far = near, far
        here, there = _sampled(near, far) if back is None else (back.other_places, back.places)
        self.places: Array = here
        """Which rows of ``near`` the sample of both keeps."""
        self.other_places: Array = there
        self.rows: Array = near.rows[here] if back is None else back.others
        self.others: Array = far.rows[there] if back is None else back.rows
        guess = _first_offset(self.rows, self.others) if back is None else -back.offset_ns
        self.there, self.back = _match(self.rows, self.others, guess or 0)
        """For each row its place in the other's rows, -1 where it is not there; and the same from the other side.
        Copies of one packet share a place."""

    @property
    def comparable(self) -> bool:
        """Something is in both captures, so that their clocks can be compared."""
        return len(self._deltas) > 0

    @cached_property
    def clock(self) -> Clock | None:
        """The far clock against the near one; None when nothing is in both."""
        deltas = self._deltas
        if not len(deltas):
            return None
        low, high = _bounds(self.conversations)
        middle = int(np.median(deltas))
        spread = int(np.percentile(deltas, 95) - np.percentile(deltas, 5))
        unsure = spread if len(deltas) >= 20 else int(np.max(np.abs(deltas - middle)))
        bounded = low is not None and high is not None
        return Clock(
            offset_ns=middle if low is None or high is None else (low + high) // 2,
            error_ns=unsure if low is None or high is None else abs(high - low) // 2 + 1,
            bounded=bounded,
            matched=len(deltas),
            spread_ns=spread,
        )

    @cached_property
    def offset_ns(self) -> int:
        """The far clock's time less the near one's; 0 where nothing tells."""
        return self.clock.offset_ns if self.clock else 0

    @cached_property
    def _deltas(self) -> Array:
        found = self.there >= 0
        deltas: Array = self.others["ts_ns"][self.there[found]] - self.rows["ts_ns"][found]
        return deltas

    @cached_property
    def conversations(self) -> Array:
        """Of each conversation with packets both ways in both captures: its ends and differences of time.

        Rows of ``a`` and ``b`` (addresses, or MACs without IP), ``there`` and ``home``: the median difference of what
        a sent and of what b sent. ``there > home`` says that a is on the near capture's side.
        """
        found = np.flatnonzero(self.there >= 0)
        rows = self.rows[found]
        ip = rows["src"] >= 0
        one, other = np.where(ip, rows["src"], rows["eth_src"]), np.where(ip, rows["dst"], rows["eth_dst"])
        keys = np.zeros(len(rows), [("a", "i8"), ("b", "i8"), ("up", "?"), ("delta", "i8")])
        keys["a"], keys["b"] = np.minimum(one, other), np.maximum(one, other)
        keys["up"], keys["delta"] = one < other, self._deltas
        keys = keys[one != other]
        keys = keys[np.lexsort((keys["delta"], keys["up"], keys["b"], keys["a"]))]
        result = np.zeros(0, [("a", "i8"), ("b", "i8"), ("there", "i8"), ("home", "i8"), ("count", "i8")])
        if not len(keys):
            return result
        fresh = (
            (keys["a"][1:] != keys["a"][:-1]) | (keys["b"][1:] != keys["b"][:-1]) | (keys["up"][1:] != keys["up"][:-1])
        )
        starts = np.concatenate(([0], np.flatnonzero(fresh) + 1))
        counts = np.diff(np.concatenate((starts, [len(keys)])))
        middle = keys[starts + counts // 2]
        same = (middle["a"][1:] == middle["a"][:-1]) & (middle["b"][1:] == middle["b"][:-1])
        down = np.flatnonzero(same)  # "up" sorts False first: b to a, then a to b
        result = np.zeros(len(down), result.dtype)
        result["a"], result["b"] = middle["a"][down], middle["b"][down]
        result["there"], result["home"] = middle["delta"][down + 1], middle["delta"][down]
        result["count"] = np.minimum(counts[down], counts[down + 1])
        return result

    @cached_property
    def span(self) -> tuple[int, int]:
        """The time that the far capture covers, less a margin, by the near clock; the end before the begin if none."""
        if not len(self.rows) or not len(self.others):
            return 0, -1
        begin, end = (int(self.others["ts_ns"][place]) - self.offset_ns for place in (0, -1))
        unsure = self.clock.error_ns if self.clock is not None else 0
        margin = max(0, min(MARGIN_NS, (end - begin) // 10, CLOSE_NS + 2 * unsure))
        return begin + margin, end - margin

    @cached_property
    def judged(self) -> Array:
        """Rows whose absence in the far capture says something (a mask).

        Inside the common time, no link-local hello, and no segment that a kernel may have cut or joined on the way.
        """
        begin, end = self.span
        rows = self.rows
        prefix = rows["eth_dst"] >> 24
        judged: Array = (rows["ts_ns"] >= begin) & (rows["ts_ns"] <= end) & ~np.isin(prefix, LINK_LOCAL)
        data = (rows["protocol"] == TCP) & (rows["payload"] > 0)
        if np.any((self.others["protocol"] == TCP) & (self.others["wire_bytes"] > LARGE_FRAME)):
            judged &= ~data
        judged &= ~(data & (rows["wire_bytes"] > LARGE_FRAME))
        return judged & self._recognizable

    @cached_property
    def _recognizable(self) -> Array:
        """Rows whose fingerprint is of the same bytes in both captures, however short these were cut (a mask)."""
        cuts = [one.cut_at for one in (self.near, self.far) if one.cut_at is not None]
        if not cuts:
            return np.ones(len(self.rows), np.bool_)
        tunnelled = np.any(self.rows["vni"] >= 0) or np.any(self.others["vni"] >= 0)
        recognizable: Array = _hashed_bytes(self.rows) + (TUNNEL_BYTES if tunnelled else 0) <= min(cuts)
        return recognizable

    @cached_property
    def lost(self) -> Array:
        """Judged rows that the far capture does not have (a mask). Whether it should have is for the caller to say."""
        lost: Array = self.judged & (self.there < 0) & self.admitted
        return lost

    @cached_property
    def _seems_filtered(self) -> bool:
        """Classic pcap tells no filter. Where machines speak IP to each other and nobody asks by ARP, there was one."""
        speaks = (self.others["src"] >= 0) & (self.others["src"] < IPV6)
        talk = np.sum(speaks & ~is_group(self.others["eth_dst"]))
        return bool(talk >= TALK and not np.any(self.others["protocol"] == ARP))

    @cached_property
    def heard(self) -> Array:
        """Rows of a kind that was heard at the far point, and for all or for one as any there (a mask)."""
        kinds = np.unique(self.others["protocol"] * 65536 + self.others["service"])
        alike = np.isin(is_group(self.rows["eth_dst"]), is_group(self.others["eth_dst"]))
        heard: Array = np.isin(self.rows["protocol"] * 65536 + self.rows["service"], kinds) & alike
        return heard

    @cached_property
    def admitted(self) -> Array:
        """Rows that the far capture's filter lets pass (a mask).

        Where the filter, or what it does to a row, is not known, kinds pass that were heard there.
        """
        rows = self.rows
        if not any(self._filters):
            return self.heard if self._seems_filtered else np.ones(len(rows), np.bool_)
        tags = np.where(rows["inner_vlan"] >= 0, 2, np.where((rows["vlan"] > 0) | (rows["priority"] == 1), 1, 0))
        if self._tags_there is not None:
            tags = np.full(len(rows), self._tags_there)
        verdict = admitted(self._filters, rows, tags)
        passes: Array = (verdict == YES) | ((verdict == UNKNOWN) & self.heard)
        return passes

    @cached_property
    def fresh(self) -> Array:
        """Rows of the far capture that the near one does not have though it was recording (a mask)."""
        begin, end = (int(self.rows["ts_ns"][place]) + self.offset_ns for place in (0, -1))
        margin = CLOSE_NS + 2 * (self.clock.error_ns if self.clock is not None else 0)
        times = self.others["ts_ns"]
        fresh: Array = (self.back < 0) & (times >= begin + margin) & (times <= end - margin)
        return fresh

    @cached_property
    def expected(self) -> Array:
        """Rows that must pass the far point on their way (a mask).

        Unicast frames of ends that are heard with each other there, too; and what is for everybody, in a VLAN that the
        far point has, or in any where the near one shows no tags: inside a host everything leaves by the NIC. What
        machines on the far side sent has been there before.
        """
        rows, others = self.rows, self.others
        group = is_group(rows["eth_dst"])
        matched = rows[self.there >= 0]
        talks = np.concatenate((_ends(others[~is_group(others["eth_dst"])]), _ends(matched)))
        known = np.isin(_ends(rows), np.unique(talks)) | np.isin(rows["eth_dst"], self._homes)
        domains = {here for here, _ in self.vlan_map}
        if np.any(others["vlan"] > 0):
            domains |= set(np.unique(others["vlan"]).tolist())
        if not np.any(rows["vlan"] > 0):
            domains.add(0)
        expected: Array = np.where(group, np.isin(rows["vlan"], sorted(domains)), known)
        return expected & ~np.isin(rows["eth_src"], self.from_far)

    @property
    def from_near(self) -> Array:
        """Source MACs of machines on the near side, by the times of both ways; those of routers come from both."""
        return self._sides[0]

    @property
    def from_far(self) -> Array:
        """The same of the far side."""
        return self._sides[1]

    @cached_property
    def _sides(self) -> tuple[Array, Array]:
        talks = self.conversations
        talks = talks[talks["there"] != talks["home"]]
        near_is_a = talks["there"] > talks["home"]
        near = np.where(near_is_a, talks["a"], talks["b"])
        far = np.where(near_is_a, talks["b"], talks["a"])
        near, far = self._macs(np.setdiff1d(near, far)), self._macs(np.setdiff1d(far, near))
        return np.setdiff1d(near, far), np.setdiff1d(far, near)

    def _macs(self, ends: Array) -> Array:
        """Source MACs of these addresses (or of these MACs)."""
        rows = self.rows
        return np.unique(rows["eth_src"][np.isin(rows["src"], ends) | np.isin(rows["eth_src"], ends)])

    @cached_property
    def vlan_map(self) -> dict[tuple[int, int], int]:
        """(VLAN here, VLAN there) of the packets that are in both, with how many; 0 is untagged."""
        found = self.there >= 0
        pairs = np.stack((self.rows["vlan"][found], self.others["vlan"][self.there[found]]), axis=1)
        kinds, counts = np.unique(pairs, axis=0, return_counts=True)
        return {
            (int(here), int(there)): int(n) for (here, there), n in zip(kinds.tolist(), counts.tolist(), strict=True)
        }


def _sampled(near: Trail, far: Trail) -> tuple[Array, Array]:
    """Places of the rows of both that the sample of both keeps."""
    return np.flatnonzero(in_sample(near.rows, near, far)), np.flatnonzero(in_sample(far.rows, near, far))


def is_group(macs: Array) -> Array:
    """Broadcast and multicast destinations (a mask); unknown ones are not."""
    found: Array = (macs >= 0) & ((macs & GROUP_BIT) != 0)
    return found


def _ends(rows: Array) -> Array:
    """Who talks with whom, either way, as one number: addresses, or MACs without IP."""
    ip = rows["src"] >= 0
    one, other = np.where(ip, rows["src"], rows["eth_src"]), np.where(ip, rows["dst"], rows["eth_dst"])
    low, high = np.minimum(one, other), np.maximum(one, other)
    mixed: Array = (low * 0x68E31DA5) ^ (high * 0x7FEB352D) ^ (high >> 31)
    return mixed


def _first_offset(rows: Array, others: Array) -> int | None:
    """The median difference of packets that are as often in the one as in the other capture; None without any.

    Those that are once in each tell most. What is asked again and again (ARP) could be another one of its kind; it
    counts only where nothing else is in both, for more than a few packets, and where clocks that agree would make fewer
    packets the same.
    """
    for most in (1, MOST_ALIKE):
        for chosen, against in ((_without_arp(rows), _without_arp(others)), (rows, others)):
            deltas = _paired(chosen, against, most)
            if len(deltas):
                guess = int(np.median(deltas))
                sure = chosen is not rows or _alike(rows, others, guess) > max(FEW_ARP, _alike(rows, others, 0))
                return guess if sure else 0
    return None


def _alike(rows: Array, others: Array, offset: int) -> int:
    """How many packets are the same if the clocks are so far apart."""
    return int(np.sum(_match(rows, others, offset)[0] >= 0))


def _without_arp(rows: Array) -> Array:
    left: Array = rows[rows["protocol"] != ARP]
    return left


def _paired(rows: Array, others: Array, most: int) -> Array:
    """Differences in time of packets alike that are equally often in both, ``most`` times at most: first with first."""
    kinds, which, counts = np.unique(rows["fingerprint"], return_inverse=True, return_counts=True)
    others_kinds, others_which, others_counts = np.unique(
        others["fingerprint"], return_inverse=True, return_counts=True
    )
    _, left, right = np.intersect1d(kinds, others_kinds, assume_unique=True, return_indices=True)
    same = (counts[left] == others_counts[right]) & (counts[left] <= most)
    left, right = left[same], right[same]
    here = np.flatnonzero(np.isin(which, left))
    there = np.flatnonzero(np.isin(others_which, right))
    # rows are in the order of time, so a stable sort by kind leaves each kind's in the order of time
    here = here[np.argsort(which[here], kind="stable")]
    there = there[np.argsort(others_which[there], kind="stable")]
    deltas: Array = others["ts_ns"][there] - rows["ts_ns"][here]
    return deltas


def _match(rows: Array, others: Array, offset: int) -> tuple[Array, Array]:
    """Places of each side's rows in the other's: same fingerprint, nearest in time, each at most once."""
    there, back = np.full(len(rows), -1), np.full(len(others), -1)
    if not len(rows) or not len(others):
        return there, back
    prints, ranks = np.unique(np.concatenate((rows["fingerprint"], others["fingerprint"])), return_inverse=True)
    near, far = ranks[: len(rows)], ranks[len(rows) :]
    counts = np.bincount(near, minlength=len(prints)), np.bincount(far, minlength=len(prints))
    window = np.where((counts[0] == 1) & (counts[1] == 1), UNIQUE_NS, AMBIGUOUS_NS)
    # one key for both: fingerprints apart by more than any time, in microseconds so that it fits
    base = min(int(rows["ts_ns"].min()), int(others["ts_ns"].min()) - offset)
    times = (rows["ts_ns"] - base) // 1000, (others["ts_ns"] - offset - base) // 1000
    width = int(max(times[0].max(), times[1].max())) + 10 * UNIQUE_NS // 1000
    if width > (1 << 62) // len(prints):
        return there, back
    key, goal = near * width + times[0], far * width + times[1]
    order = np.argsort(goal, kind="stable")
    place = np.searchsorted(goal[order], key)
    best, distance = np.full(len(rows), -1), np.full(len(rows), UNIQUE_NS)
    for step in (-1, 0):
        inside = (place + step >= 0) & (place + step < len(order))
        candidate = order[np.clip(place + step, 0, len(order) - 1)]
        apart = np.abs(goal[candidate] - key) * 1000
        better = inside & (far[candidate] == near) & (apart < distance) & (apart <= window[near])
        best[better], distance[better] = candidate[better], apart[better]
    # a row of the other side may be the nearest of several (a mirror, all interfaces at once): the closest has it
    found = np.flatnonzero(best >= 0)
    found = found[np.argsort(-distance[found], kind="stable")]
    back[best[found]] = found
    return best, back


def _bounds(conversations: Array) -> tuple[int | None, int | None]:
    """Lower and upper bound of the clocks' difference: the tightest that most conversations agree on."""
    if not len(conversations):
        return None, None
    low = np.minimum(conversations["there"], conversations["home"])
    high = np.maximum(conversations["there"], conversations["home"])
    return int(np.median(low)), int(np.median(high))
